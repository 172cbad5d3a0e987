"""Ledgers of very many rows, made without as many requests: a run of one row founds it, the rest is written directly."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bulk_import.keys import parse_key
from bulk_import.ledger import Reader, Writer, open_for_writing
from bulk_import.ledger.database import transaction
from bulk_import.model import MARKER, Claim, marker_of
from tests.benchmarks.running import email_of, people, served, tool
from tests.benchmarks.server import scattered

_INSERT = """
INSERT INTO entry (number, line, source_id, email, owned_key, status, customer_id, claimed_at, stripe_time,
                   key_fingerprint, attempts, attempted_at, request_id, settled_at, digest)
VALUES (?, ?, ?, ?, ?, 'created', ?, ?, ?, ?, 1, ?, ?, ?, ?)
"""
_DIGEST = '{"email":"0123abcd","name":"0123abcd","phone":"0123abcd","address":"0123abcd","metadata":"0123abcd","marker":"any"}'


LONG_AGO = 10**9
"""Customers before those that a server makes now: an answer that names the customer of another row would not be believed."""


def mostly_settled(folder: Path, rows: int, is_left: Callable[[int], bool]) -> tuple[Path, Path]:
    """A source of *rows* people and its ledger, in which every row is created but those that are left."""
    source, ledger = people(folder / "people.csv", rows), folder / "ledger.db"
    with served() as url:
        tool("run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id", "--limit", "1")
    db = open_for_writing(ledger)
    try:
        with transaction(db):
            db.executemany(_INSERT, _entries(rows, is_left))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    finally:
        db.close()
    return source, ledger


def _entries(rows: int, is_left: Callable[[int], bool]) -> Iterator[tuple[object, ...]]:
    began = time.time() - rows / 100
    for n in range(2, rows + 1):  # the first row was imported
        if not is_left(n):
            email, moment = email_of(n), began + n / 100
            yield (
                n, n + 1, f"u{n}", email, email, f"cus_{scattered(LONG_AGO + n):014d}", moment, moment, "0" * 32, moment,
                f"req_old{n:011d}", moment, _DIGEST,
            )  # fmt: skip


def at_rest(folder: Path, rows: int, url: str) -> tuple[Path, Path]:
    """A source of *rows* people and its ledger, in which the first is created and all others were claimed a minute ago."""
    source, ledger = people(folder / "people.csv", rows), folder / "ledger.db"
    tool("run", source, "--api-base", url, "--ledger", ledger, "--key", "user_id", "--limit", "1")
    db, before = open_for_writing(ledger), time.time() - 60.0
    try:
        writer, reader = Writer(db, ledger, lambda: before), Reader(db, ledger)
        purpose = reader.purpose()
        assert purpose is not None
        writer.adopt(purpose)
        key = parse_key("sk_test_benchmark").fingerprint(purpose.salt_bytes())
        for start in range(2, rows + 1, 1000):
            writer.write([_claim(n, purpose.token, key, before) for n in range(start, min(start + 1000, rows + 1))], [])
        writer.close()
    except BaseException:
        db.close()
        raise
    return source, ledger


def _claim(number: int, token: str, key: str, at: float) -> Claim:
    email, mark = email_of(number), marker_of(token, number, 0)
    fields = {"user_id": f"u{number}", "email": email, "name": f"Person Number {number}", "plan": "gold"}
    params = {"email": email, "name": fields["name"], "metadata": {"plan": "gold", MARKER: mark}}
    return Claim(number, number + 1, f"u{number}", 0, params, email, email, at, at, key, fields=fields)
