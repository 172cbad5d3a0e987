"""Values set for every row that go with others, where no column has the others: they are sent with no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from bulk_import.mapping.assignment import Assignment, slot_of
from bulk_import.mapping.options import Constant
from bulk_import.mapping.targets import Param, described

_NEEDED = {
    ("shipping",): ("shipping.name", "shipping.address"),
    ("tax_id_data",): ("type", "value"),
    ("invoice_settings", "custom_fields"): ("name", "value"),
}
_DEPTH = {("shipping",): 1, ("tax_id_data",): 2, ("invoice_settings", "custom_fields"): 3}


def unsent(assignments: Iterable[Assignment], constants: Iterable[Constant]) -> Iterator[str]:
    """A sentence for each constant that no row is given, as no column fills what it goes with."""
    paths = [each.target.path for each in constants if isinstance(each.target, Param)]
    filled = [slot for each in assignments if (slot := slot_of(each.target)) is not None]
    for start, (one, other) in _NEEDED.items():
        depth = _DEPTH[start]
        for item in dict.fromkeys(path[:depth] for path in paths if path[: len(start)] == start):
            given = {path[depth] for path in paths if path[:depth] == item}
            by_column = any(slot[:depth] == item or str(slot[0]).startswith(f"{item[0]}.") for slot in filled)
            if not by_column and not {one.rpartition(".")[2], other.rpartition(".")[2]} <= given:
                yield from (
                    f"--set {described(Param(path))} is sent with no row: it needs {one} and {other} together, and no "
                    "column has the rest; map a column to it, or set it, too."
                    for path in paths
                    if path[:depth] == item
                )
