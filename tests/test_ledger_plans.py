"""A commit, and a look at what a batch concerns, costs the same in a ledger of ten rows and in one of ten million."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulk_import.ledger import Connection, connect
from bulk_import.model import Created, Doubt, Duplicate, Existing, Failed, InDoubt, Refusal, Released, Settled
from tests.ledger_samples import NOW, claim, invalid, ledger, purpose, refusal, row


class Explaining:
    """A connection that asks for the plan of every statement that reaches a table of rows."""

    def __init__(self, path: str, plans: dict[str, str]) -> None:
        self._db: Connection = connect(path)
        self._plans = plans

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Any:
        self._explain(sql, len(parameters))
        return self._db.execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Any:
        rows = list(parameters)
        if rows:
            self._explain(sql, len(rows[0]))
        return self._db.executemany(sql, rows)

    def close(self) -> None:
        self._db.close()

    def _explain(self, sql: str, count: int) -> None:
        if any(word in sql for word in ("entry", "payload")) and "sqlite_master" not in sql and "CREATE" not in sql:
            assert isinstance(self._db, sqlite3.Connection)
            found = self._db.execute(f"EXPLAIN QUERY PLAN {sql}", (None,) * count).fetchall()
            self._plans[sql] = "; ".join(step for *_, step in found)


@pytest.mark.parametrize("hashing", [False, True])
def test_no_statement_of_a_commit_or_of_a_batch_looks_at_all_rows_of_a_status(tmp_path: Path, hashing: bool) -> None:
    plans: dict[str, str] = {}
    about = purpose(rows=100, hash_emails=hashing)
    with ledger(tmp_path / "l.db", about, lambda path: Explaining(path, plans)) as (writer, reader):
        command = writer.begin_command("retry", None, None)
        plans.clear()
        writer.write([claim(n) for n in range(1, 86)], [])
        writer.write([claim(86, target="cus_there", before={"name": "Old"})], [])
        doubt = InDoubt(Refusal("no_answer"), Doubt.OPEN)
        landed = [Settled(n, Created(f"cus_{n}", "req"), None, 1, NOW) for n in range(1, 81)]
        landed += [Settled(81, Failed(refusal())), Settled(82, doubt), Settled(83, Released(1)), Settled(84, doubt)]
        landed += [
            Settled(90, Duplicate(1), row(90, "person1@example.com")),
            Settled(91, Existing("cus_else"), row(91)),
            Settled(92, invalid(92), invalid(92)),
        ]
        writer.write([], landed)
        writer.claim_again([82, 84], "fp")
        writer.mend([row(81, "moved@example.com"), invalid(92)], command, "a file")
        reader.owners([f"person{n}@example.com" for n in range(1, 86)])
        reader.method_owners(["pm_1", "pm_2"])
        reader.next_generations(list(range(1, 86)))
        reader.owners_of_customers(["cus_1", "cus_2"])
        list(reader.lines([1, 2, 3]))
    assert len(plans) > 15
    looks_at_all = {sql: plan for sql, plan in plans.items() if "entry_status" in plan or "SCAN entry" in plan}
    assert not looks_at_all
    assert not {sql: plan for sql, plan in plans.items() if "SCAN e" in plan or "SCAN payload" in plan}
