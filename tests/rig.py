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
from typing import Any

from bulk_import.ledger import Line
from tests.leaks import hear
from tests.promises import Seen, Sent, check

KEY = "sk_test_rig"
PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """A running simulator and its oracle."""

    url: str
    process: subprocess.Popen[str]

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
    command = [*PYTHON, "bulk_import.simulator", "--port", "0", "--exit-with-stdin", *arguments]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Simulated(json.loads(process.stdout.readline())["url"], process)
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(timeout=20)


def environment(**extra: str) -> dict[str, str]:
    """The machine's environment without anything that speaks to the tool, plus a test key."""
    kept = {n: v for n, v in os.environ.items() if not n.startswith(("STRIPE_", "BULK_IMPORT_"))}
    return {**kept, "STRIPE_API_KEY": KEY, **extra}


def command(*arguments: str | Path) -> list[str]:
    """The tool's command line."""
    return [*PYTHON, "bulk_import", *map(str, arguments)]


def tool(*arguments: str | Path, env: Mapping[str, str] | None = None, **more: Any) -> subprocess.CompletedProcess[str]:
    """Run the tool to its end."""
    more.setdefault("stdin", subprocess.DEVNULL)
    done = subprocess.run(
        command(*arguments),
        env=dict(env or environment()),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **more,
    )
    hear(arguments, (done.stderr or "") + (done.stdout if "--json" in arguments else ""))
    return done


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
