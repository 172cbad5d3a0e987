"""Which rows' own ids cannot be told apart any more once a spreadsheet has taken them for numbers."""

from __future__ import annotations

from collections.abc import Iterator

from bulk_import.ledger.database import Connection

# As `respelt.as_number` has it: without zeros in front, and of the digits the first 15. Rows with the very same id are no
# others to each other.
_DIGITS = "ltrim(source_id, '+0')"
_SPELT = f"iif(source_id GLOB '*[^0-9+]*', source_id, substr({_DIGITS}, 1, 15) || ':' || length({_DIGITS}))"
_ALIKE = f"""
SELECT number, source_id FROM entry WHERE {_SPELT} IN (
    SELECT {_SPELT} FROM entry WHERE source_id IS NOT NULL GROUP BY 1 HAVING min(source_id) <> max(source_id)
)
"""  # noqa: S608 - constants


def alike_ids(db: Connection) -> Iterator[tuple[int, str]]:
    """Every row, with its own id, of which a spreadsheet makes the same number as of another id; it goes through the whole ledger."""
    yield from db.execute(_ALIKE)
