"""What was listed to settle doubts, in a table of the connection's own."""

from __future__ import annotations

import time
from pathlib import Path

from bulk_import.ledger import Writer, open_for_writing
from bulk_import.model import Claim, Customer


def test_a_new_listing_begins_while_somebody_reads_the_ledger(tmp_path: Path) -> None:
    path = tmp_path / "a.ledger.db"
    db = open_for_writing(path)
    writer = Writer(db, path, time.time)
    writer.write([Claim(n, n + 1, None, 0, {}, None, None, 1.0) for n in range(1, 1_001)], [])
    listed = writer.listed()
    for who in ("cus_1", "cus_2"):
        rows = db.execute("SELECT number FROM entry")
        rows.fetchone()  # a reading that is not at its end
        listed.begin()
        listed.keep([Customer(who, None, 1, livemode=False)], [7], [""])
        assert [customer.id for customer in listed.of([7], [])] == [who]
        rows.close()
    writer.close()
