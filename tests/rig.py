"""A simulated Stripe in a process of its own, the tool in another, and the oracle: what the account really holds."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import BytesIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

from bulk_import.cli.ending import run_program
from bulk_import.ledger import Line
from tests.leaks import hear
from tests.promises import Seen, Sent, check
from tests.warm import Forked, start

KEY = "sk_test_rig"
PYTHON = [sys.executable, "-m"]
AS_TYPED, AT_ONCE = "bulk_import.__main__:main", "tests.at_once:main"
"""The tool as it is, and the tool that has no second of another process to wait out."""


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator and its oracle."""

    url: str

    def ask(self, path: str, body: Any = None) -> Any:
        """One of the simulator's own endpoints."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data=data, method="GET" if data is None else "POST")  # noqa: S310 - loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
            return json.loads(answer.read() or b"null")

    def customers(self) -> list[dict[str, Any]]:
        """Everybody in the account."""
        found: list[dict[str, Any]] = self.ask("/_simulator/customers")
        return found

    def arrivals(self) -> list[dict[str, Any]]:
        """Every request that came in, in order."""
        found: list[dict[str, Any]] = self.ask("/_simulator/log")
        return found

    def creates(self) -> list[dict[str, Any]]:
        """The arrivals that meant to make a customer."""
        return [a for a in self.arrivals() if a["endpoint"] == "create"]

    def set_faults(self, faults: Sequence[Mapping[str, Any]]) -> None:
        """Replace what goes wrong from now on."""
        self.ask("/_simulator/faults", list(faults))


@contextmanager
def simulated(*arguments: str) -> Iterator[Simulated]:
    """Start a simulator on a free port; it ends with the block, and with this process at the latest."""
    (stdin, alive), (told, stdout) = os.pipe(), os.pipe()
    words = ["--port", "0", "--exit-with-stdin", *arguments]
    process = start("bulk_import.simulator.__main__:main", words, os.environ, (stdin, stdout, 2))
    os.close(stdin)
    os.close(stdout)
    try:
        with open(told) as answers:
            yield Simulated(json.loads(answers.readline())["url"])
    finally:
        os.close(alive)
        process.wait(timeout=20)


def environment(**extra: str) -> dict[str, str]:
    """The machine's environment without anything that speaks to the tool or slows its start, plus a test key."""
    spoken = ("STRIPE_", "BULK_IMPORT_", "PYTHONDONTWRITEBYTECODE")
    kept = {n: v for n, v in os.environ.items() if not n.startswith(spoken)}
    return {**kept, "STRIPE_API_KEY": KEY, **extra}


def command(*arguments: str | Path) -> list[str]:
    """The tool's command line."""
    return [*PYTHON, "bulk_import", *map(str, arguments)]


def tool(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    folder: Path | None = None,
    piped: str | None = None,
    program: str = AT_ONCE,
) -> subprocess.CompletedProcess[str]:
    """Run the tool to its end, in *folder* if it is not to be this process's own, with *piped* on its standard input."""
    line, env = command(*arguments), env or environment()
    with _standard_input(piped) as given, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        if _is_for_the_tool_alone(env):
            code = start(program, line[len(PYTHON) + 1 :], env, (given, out.fileno(), err.fileno()), folder).wait(300)
        else:
            code = subprocess.run(
                line, env=env, stdin=given, stdout=out, stderr=err, timeout=300, cwd=folder
            ).returncode
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(line, code, out.read(), err.read())
    hear(arguments, done.stderr + (done.stdout if "--json" in arguments else ""))
    return done


@contextmanager
def _standard_input(text: str | None) -> Iterator[int]:
    """The end of a pipe that says *text*, as much as a pipe holds, or of nothing."""
    if text is None:
        with open(os.devnull) as nothing:
            yield nothing.fileno()
        return
    taking, giving = os.pipe()
    with open(taking), open(giving, "w") as pipe:
        pipe.write(text)
        pipe.close()
        yield taking


@dataclass(frozen=True, slots=True)
class Begun:
    """The tool at work in a process of its own."""

    process: Forked
    err: IO[str]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def ends(self) -> int:
        """Its exit code, negative for a signal, once it has ended."""
        return self.process.wait(timeout=60)

    @property
    def said(self) -> str:
        """What it wrote to standard error so far."""
        self.err.seek(0)
        return self.err.read()


@contextmanager
def begun(*arguments: str | Path, program: str = AT_ONCE) -> Iterator[Begun]:
    """Start the tool; whoever starts it sees to its end, unless something fails."""
    with open(os.devnull, "r+") as nothing, TemporaryFile("w+") as err:
        streams = (nothing.fileno(), nothing.fileno(), err.fileno())
        running = Begun(start(program, list(map(str, arguments)), environment(), streams), err)
        try:
            yield running
        except BaseException:
            with suppress(ProcessLookupError):
                running.send(signal.SIGKILL)
            raise
        hear(arguments, running.said)


def _is_for_the_tool_alone(env: Mapping[str, str]) -> bool:
    """Whether nothing in *env* speaks to a library, which may listen as early as it is imported."""
    told = {name for name, value in env.items() if os.environ.get(name) != value}
    return all(name == "STRIPE_API_KEY" or name.startswith("BULK_IMPORT_") for name in told)


def exported(ledger: Path, what: str = "all") -> list[dict[str, Any]]:
    """The ledger's own word, as JSON Lines."""
    words = ["export", str(ledger), "--what", what, "--format", "jsonl"]
    with (
        redirect_stdout(TextIOWrapper(BytesIO(), "utf-8")) as out,
        redirect_stderr(TextIOWrapper(BytesIO(), "utf-8")) as err,
    ):
        code = run_program(words)
    out.seek(0)
    err.seek(0)
    hear(words, said := err.read())
    assert code == 0, said
    return [json.loads(line) for line in out]


def check_promises(server: Simulated, ledger: Path, rows: int, *, existing: int = 0) -> Counter[str]:
    """Hold the ledger against the account: nobody twice, nobody lost, every pairing true; tallies by status."""
    lines = [Line(**line) for line in exported(ledger)]
    assert len(lines) == rows, "a row is lost or twice in the ledger"
    customers = {customer["id"]: customer for customer in server.customers()}
    # A connection that was reset before its body was read has no body.
    sent = [Sent(a["t"], a["idempotency_key"], a["sha256"] or None) for a in server.creates()]
    check(Seen(lines, customers, sent))
    ours = {line.customer_id for line in lines if line.status == "created"}
    assert len(customers) == existing + len(ours), "a customer in Stripe is not in the ledger, or the reverse"
    return Counter(line.status for line in lines)
