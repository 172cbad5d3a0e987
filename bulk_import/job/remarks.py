"""What a run says of its file, of options that changed on the way, and of a mapping that may be wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bulk_import.ledger import Tally, Trouble
from bulk_import.model import Status
from bulk_import.options import RunOptions
from bulk_import.survey import Survey
from bulk_import.wording import counted

FEW = 5
"""Rows that may well be invalid for one reason by chance."""


def said_before(found: Survey, options: RunOptions) -> Iterator[tuple[str, str]]:
    """What is to be known of a file before anything of it is sent: codes and sentences."""
    yield from ((notice.code, notice.message) for notice in found.reading_notices)
    yield from (("mapping", said) for said in found.mapping.notices)
    yield from ((notice.code, notice.message) for notice in found.notices)
    if not options.marker:
        yield (
            "no-marker",
            "without a marker, a row in doubt is found by e-mail and time alone, and undo will touch nothing",
        )
    if options.connecting.dry_run:
        yield "dry-run", f"dry run: every payment method is replaced by {options.dry_run_method}"


def said_of_changes(changes: Sequence[str], settled: int, again: int) -> str:
    """That options changed, for which rows that holds, and how many are prepared again."""
    stay = counted(settled, "row is settled and stays as it is", "rows are settled and stay as they are")
    said = (
        f"options changed since this ledger was begun ({'; '.join(changes)}); they hold only for rows not yet settled or "
        f"claimed: {stay}"
    )
    prepared = counted(again, "row that was invalid is", "rows that were invalid are")
    return f"{said}, {prepared} prepared again" if again else said


def doubt_of_mapping(tally: Tally, worst: Trouble | None) -> str | None:
    """A sentence where most rows were refused here for one reason, which is rarely the rows' fault."""
    looked_at = tally.rows - tally.count(Status.PENDING)
    if worst is None or worst.status != Status.INVALID.value or worst.count < FEW or 2 * worst.count <= looked_at:
        return None
    return (
        f"{worst.count:,} of {looked_at:,} rows are invalid for one reason ({worst.code} of {worst.param}): if the mapping is "
        "wrong, mend --map and give the same command again, which prepares them afresh; check shows each column and its field"
    )
