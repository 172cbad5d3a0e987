"""Rows, claims and a ledger file of its own for tests of the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bulk_import.ledger import Connect, Purpose, Reader, Writer, connect, open_for_writing
from bulk_import.model import MARKER, Claim, Invalid, Problem, Refusal, Row, marker_of

TOKEN = "0123456789abcdef"
NOW = 1_790_000_000.0


def purpose(rows: int = 20, **changes: Any) -> Purpose:
    values: dict[str, Any] = {
        "token": TOKEN,
        "salt": "5a" * 16,
        "source": "people.csv",
        "size": 1000,
        "sha256": "ab" * 32,
        "chunks": b"\x01" * 32,
        "reading": "{}",
        "rows": rows,
        "mapping": "m",
        "options": {},
        "account": "acct_1",
        "account_name": None,
        "livemode": False,
        "stripe_account": None,
        "api_base": "https://api.stripe.com",
        "state_file": None,
        "stripe_version": "v",
        "tool_version": "0",
        "created_at": NOW,
    }
    return Purpose(**{**values, **changes})


def email_of(number: int) -> str:
    return f"person{number}@example.com"


def row(number: int, email: str | None = None) -> Row:
    address = email or email_of(number)
    return Row(number, number + 1, f"src{number}", address, address, {"email": address}, {"E-mail": address})


def invalid(number: int) -> Invalid:
    problem = Problem("email", "no address", column="E-mail", value="x")
    return Invalid(number, number + 1, None, "x", (problem,), {"E-mail": "x"})


def claim(number: int, generation: int = 0, email: str | None = None, **changes: Any) -> Claim:
    address = email or email_of(number)
    params = {"email": address, "metadata": {MARKER: marker_of(TOKEN, number, generation)}}
    values: dict[str, Any] = {
        "row": number,
        "line": number + 1,
        "source_id": f"src{number}",
        "generation": generation,
        "params": params,
        "email": address,
        "email_key": address,
        "claimed_at": NOW,
        "stripe_time": NOW - 1,
        "key_fingerprint": "fp",
        "fields": {"E-mail": address},
    }
    return Claim(**{**values, **changes})


def refusal(code: str = "card_declined") -> Refusal:
    return Refusal("card_error", code, "payment_method", "declined", 402, "req_1")


@contextmanager
def ledger(path: Path, about: Purpose | None = None, connect: Connect = connect) -> Iterator[tuple[Writer, Reader]]:
    """A ledger founded at *path*, or opened again, with its writer and reader on one connection."""
    db = open_for_writing(path, connect)
    writer, reader = Writer(db, path, lambda: NOW), Reader(db, path)
    known = reader.purpose()
    if known is None:
        writer.found(about or purpose())
    else:
        writer.adopt(known)
    try:
        yield writer, reader
    finally:
        writer.close()
