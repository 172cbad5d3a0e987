"""Calling the program in this process, and ledgers for it to look at."""

from __future__ import annotations

import os
import sys
import types
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bulk_import.cli.ending import run_program
from bulk_import.job.session import Session
from bulk_import.ledger import Purpose, Writer, open_for_writing
from bulk_import.model import (
    Claim,
    Created,
    Duplicate,
    Failed,
    Invalid,
    Outcome,
    Prepared,
    Problem,
    Refusal,
    Row,
    Settled,
)
from bulk_import.reading import Reading
from bulk_import.report.summary import Summary
from tests.at_once import it_has_passed
from tests.leaks import hear
from tests.rig import simulated

TOKEN = "0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Said:
    """What one call answered."""

    code: int
    out: str
    err: str


class Program:
    """Calls the program and keeps apart what it says to programs and to people."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *words: str | Path) -> Said:
        self._capsys.readouterr()
        code = run_program([str(word) for word in words])
        caught = self._capsys.readouterr()
        hear(words, caught.err + (caught.out if "--json" in words else ""))
        return Said(code, caught.out, caught.err)


def calling(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    """A program in an environment that says nothing of keys, options or colours, and that sends at once.

    The simulator that a command starts is forked; how it is really started is seen in `test_readme`.
    """
    monkeypatch.setattr(Session, "let_the_last_second_pass", it_has_passed)
    monkeypatch.setattr("bulk_import.job.session.simulator", forked_simulator)
    for name in list(os.environ):
        if name.startswith(("STRIPE_", "BULK_IMPORT_", "_BULK_IMPORT")) or name in ("NO_COLOR", "TERM"):
            monkeypatch.delenv(name)
    return Program(capsys)


@contextmanager
def forked_simulator(state: Path) -> Iterator[str]:
    """The address of a simulator on its state file; unlike the one that a command starts, it answers without delay."""
    with simulated("--state", str(state), "--rate-limit", "none", "--endpoint-rate-limit", "none") as server:
        yield server.url


@dataclass(slots=True)
class FakeJob:
    """Stands where the commands look for the job: keeps what it was asked, and answers as told."""

    answer: Callable[[Any, Any, Any], Summary]
    asked: list[Any] = field(default_factory=list)

    def __call__(self, options: Any, observer: Any, confirm: Any) -> Summary:
        self.asked.append(options)
        return self.answer(options, observer, confirm)

    def install(self, monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> FakeJob:
        stand_in = types.ModuleType(module)
        setattr(stand_in, name, self)
        monkeypatch.setitem(sys.modules, module, stand_in)
        return self


def summary(**changes: Any) -> Summary:
    values: dict[str, Any] = {
        "exit_code": 0, "rows": 3, "created": 3, "existing": 0, "updated": 0, "duplicate": 0, "invalid": 0, "failed": 0,
        "in_doubt": 0, "pending": 0, "requests": 4, "requests_by_endpoint": {"create": 3, "list": 1}, "rate_limited": 0,
        "seconds": 2.0, "requests_per_second": 19.5, "rows_per_second": 1.5, "ledger": "people.csv.ledger.db",
        "next": "bulk-import export people.csv.ledger.db --what map",
    }  # fmt: skip
    return Summary(**{**values, **changes})


def purpose(rows: int, **changes: Any) -> Purpose:
    values: dict[str, Any] = {
        "token": TOKEN, "salt": "00" * 16, "source": "/data/people.csv", "size": 1, "sha256": "0" * 64, "chunks": b"",
        "reading": Reading("csv").to_json(), "rows": rows, "mapping": "", "options": {}, "account": "acct_1",
        "account_name": "Example", "livemode": False, "stripe_account": None, "api_base": "https://api.stripe.com",
        "state_file": None, "stripe_version": "2026-01-01", "tool_version": "0.1.0", "created_at": 0.0,
    }  # fmt: skip
    return Purpose(**{**values, **changes})


@contextmanager
def written(path: Path, facts: Purpose, now: Callable[[], float] = lambda: 1_700_000_000.25) -> Iterator[Writer]:
    writer = Writer(open_for_writing(path), path, now)
    writer.found(facts)
    yield writer
    writer.close()


def row(number: int, fields: Mapping[str, Any], email: str | None = None) -> Row:
    email = email if email is not None else f"p{number}@example.com"
    return Row(number, number + 1, f"u{number}", email, email, {"email": email}, fields)


def bad(number: int, fields: Mapping[str, Any]) -> Invalid:
    problem = Problem("email", "This is no e-mail address; correct it.", "E-mail", "x", "email")
    return Invalid(number, number + 1, None, None, (problem,), fields)


def claim_of(one: Row) -> Claim:
    return Claim(
        one.number, one.line, one.source_id, 0, one.params, one.email, one.email_key, 1_700_000_000.0, fields=one.fields
    )


def settled(one: Prepared, outcome: Outcome, attempts: int = 1) -> Settled:
    return Settled(one.number, outcome, one if not isinstance(outcome, Created) else None, attempts)


DECLINED = Failed(Refusal("card_error", "card_declined", "payment_method", "Your card was declined.", 402, "req_1"))


def small_ledger(path: Path, rows: int = 6, **changes: Any) -> Path:
    """Six rows: created, a duplicate of it, failed, a duplicate of that, invalid, and one never looked at."""
    with written(path, purpose(rows, **changes)) as writer:
        first, third = row(1, {"E-mail": "p1@example.com"}), row(3, {"E-mail": "p3@example.com", "Phone": "+1 555"})
        writer.write([claim_of(first), claim_of(third)], [])
        writer.write([], [
            Settled(1, Created("cus_1", "req_0"), None, 1),
            settled(row(2, {"E-mail": "P1@example.com"}), Duplicate(1), 0),
            Settled(3, DECLINED, None, 1),
            settled(row(4, {"E-mail": "P3@example.com", "Note": "=1+1"}), Duplicate(3), 0),
            settled(bad(5, {"E-mail": "x", "Extra": {"a": [1, None]}}), bad(5, {}), 0),
        ])  # fmt: skip
    return path
