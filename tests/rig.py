"""A simulated Stripe in a process of its own, the tool in another, and the oracle: what the account really holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from bulk_import.ledger import Line
from tests.leaks import hear
from tests.promises import Seen, Sent, check
from tests.warm import start

KEY = "sk_test_rig"
PYTHON = [sys.executable, "-m"]


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
    *arguments: str | Path, env: Mapping[str, str] | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the tool to its end, in *folder* if it is not to be this process's own."""
    line, env = command(*arguments), env or environment()
    with open(os.devnull) as nothing, TemporaryFile("w+") as out, TemporaryFile("w+") as err:
        if _is_for_the_tool_alone(env):
            streams = (nothing.fileno(), out.fileno(), err.fileno())
            code = start("bulk_import.__main__:main", line[len(PYTHON) + 1 :], env, streams, folder).wait(timeout=300)
        else:
            code = subprocess.run(
                line, env=env, stdin=nothing, stdout=out, stderr=err, timeout=300, cwd=folder
            ).returncode
        out.seek(0)
        err.seek(0)
        done = subprocess.CompletedProcess(line, code, out.read(), err.read())
    hear(arguments, done.stderr + (done.stdout if "--json" in arguments else ""))
    return done


def _is_for_the_tool_alone(env: Mapping[str, str]) -> bool:
    """Whether nothing in *env* speaks to a library, which may listen as early as it is imported."""
    told = {name for name, value in env.items() if os.environ.get(name) != value}
    return all(name == "STRIPE_API_KEY" or name.startswith("BULK_IMPORT_") for name in told)


def exported(ledger: Path, what: str = "all") -> list[dict[str, Any]]:
    """The ledger's own word, as JSON Lines."""
    done = tool("export", ledger, "--what", what, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


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
