"""Rows whose customers an undo has deleted or restored go back to the start, and those that follow them with them."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.ledger.database import Connection, changes, changing

_RESTORED = """
UPDATE entry SET status = 'pending', customer_id = NULL, owned_key = NULL, owned_method = NULL, undo_at = NULL, generation = generation + 1,
    attempts = 0, attempted_at = NULL, doubt = NULL, error_type = NULL, error_code = NULL, error_param = NULL,
    error_message = 'undone: ' || customer_id || ?, http_status = NULL, request_id = NULL, settled_at = NULL
WHERE number = ? AND customer_id = ? AND status = 'updated'
"""
WHOLLY, PARTLY, DELETED = " is as it was before", " is in part as it was before", " was deleted by somebody"
_UNDONE = """
UPDATE entry SET status = 'pending', customer_id = NULL, owned_key = NULL, owned_method = NULL, digest = NULL, undo_at = NULL,
    generation = generation + 1, attempts = 0, attempted_at = NULL, doubt = NULL, error_type = NULL, error_code = NULL,
    error_param = NULL, error_message = 'undone: ' || customer_id || ' is deleted', http_status = NULL, request_id = NULL,
    settled_at = NULL
WHERE number = ? AND customer_id = ? AND status = 'created'
"""
_FREED = """
UPDATE entry SET status = 'pending', owner = NULL, settled_at = NULL, generation = generation + 1
WHERE owner = ? AND status = 'duplicate'
"""


def begin_anew(db: Connection, rows: Sequence[tuple[int, str]], words: str) -> None:
    """Pairs of an updated row and its customer, which is *words* what it was; others stay as they are."""
    for row, target in rows:
        before = changes(db)
        db.execute(_RESTORED, (words, row, target))
        if changes(db) > before:
            db.execute(_FREED, (row,))


def put_back(db: Connection, undone: Sequence[tuple[int, str]]) -> None:
    """Pairs of a created row and its customer, which was seen deleted; all of them, or none."""
    with changing(db, len(undone), f"these {len(undone)} rows were created and may be undone"):
        db.executemany(_UNDONE, undone)
    db.executemany(_FREED, [(row,) for row, _ in undone])
    # The account's customers as last read must not offer a deleted one to the next run.
    db.executemany("DELETE FROM customer WHERE id = ?", [(customer,) for _, customer in undone])
