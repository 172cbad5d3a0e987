"""Tests on all cells of a column at once, which prove most of them sound; what they cannot decide is looked at cell by cell."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from bulk_import.customer.cards import SHORTEST, holds_card
from bulk_import.customer.emails import PLAIN_LIMIT, is_plain
from bulk_import.customer.garbled import is_garbled
from bulk_import.customer.leftovers import NO_NUMBERS, NOTHINGS, NULLS, may_be_an_amount
from bulk_import.customer.parameters import MAX_METADATA_VALUE
from bulk_import.customer.text_rules import is_method
from bulk_import.customer.verdicts import Cleaner, Fault, Noted
from bulk_import.mapping.neversent import is_hash
from bulk_import.model import Problem
from bulk_import.prepare.flattening import wants_entries
from bulk_import.prepare.recipes import METADATA, VAT, Step
from bulk_import.prepare.rows import problem_of
from bulk_import.wording import words_of

BETWEEN = "|"  # printable, and in no number
_ODD_START = re.compile(r""" *(?:'|=["A-Za-z0-9$.]|\{|\[)""")
_FORMULA_BETWEEN = re.compile(r"(?:\A|\|) *=[A-Za-z0-9$.]")
_REMEMBERED = 4096
MADE_OF_PARTS = ("shipping", "tax_id_data", "invoice_settings")
"""Parameters whose parts must be there together."""

Cells = Sequence[str]
Test = Callable[[Cells, str, int], Iterable[int]]
"""The indexes of cells that are not proven sound, given all of them, all joined, and the longest one's length."""


def test_of(step: Step, value: Test) -> Test:
    """The test of one column: no odd sign, no card number, no stored password, and what its parameter asks of a *value*."""
    is_digest, entries = "digest" in words_of(step.column), wants_entries(step.column)

    def test(cells: Cells, joined: str, longest: int) -> Iterator[int]:
        if _may_start_oddly(joined, entries=entries):
            yield from (at for at, cell in enumerate(cells) if _ODD_START.match(cell))
        if not joined.isprintable():
            yield from (at for at, cell in enumerate(cells) if not cell.isprintable())
        if step.watched and longest >= SHORTEST and holds_card(joined):
            yield from (at for at, cell in enumerate(cells) if holds_card(cell))
        if (
            step.group is not None
            and longest >= SHORTEST
            and (is_digest or "$" in joined or "{" in joined or "==" in joined)
        ):
            yield from (at for at, cell in enumerate(cells) if is_hash(step.column, cell))
        if step.group is not None and is_garbled(joined):
            yield from (at for at, cell in enumerate(cells) if is_garbled(cell))
        yield from value(cells, joined, longest)

    return test


def _may_start_oddly(joined: str, *, entries: bool) -> bool:
    """Whether a cell may start with what guards it against spreadsheets or, where *entries* are wanted, as JSON does."""
    if "=" in joined and ('="' in joined or _FORMULA_BETWEEN.search(joined)):
        return True
    if entries and ("{" in joined or "[" in joined):
        return True
    return "'" in joined and (joined[0] == "'" or f"{BETWEEN}'" in joined or " '" in joined)


def value_test(step: Step) -> Test:
    """The test of what one column's parameter asks of its values."""
    if step.group is None:
        return _anything
    if step.group == VAT or step.group.lstrip("*").startswith(MADE_OF_PARTS):
        return lambda cells, _joined, longest: _filled(cells) if longest else ()
    if step.field == "email":
        return _plain_email
    if step.field == "payment_method":
        return _payment_methods
    limit = MAX_METADATA_VALUE if step.group == METADATA else step.limit
    if step.group == METADATA or step.unquoted:
        return partial(_number if step.unquoted else _untouched, limit=limit)
    if step.clean is None:
        return partial(_short, limit=limit)
    return Known(step, step.clean)


class Known:
    """The test of a column whose values recur: each is cleaned once, and what came of it is remembered."""

    def __init__(self, step: Step, clean: Cleaner) -> None:
        self._step = step
        self._clean = clean
        self._sound = {""}
        self._noted: dict[str, Problem] = {}

    def __call__(self, cells: Cells, _joined: str, _longest: int) -> Iterable[int]:
        """The indexes of cells that cannot be sent as they are."""
        if self._sound.issuperset(cells):
            return ()
        odd = {cell for cell in set(cells) - self._sound if not self._is_sound(cell)}
        return (at for at, cell in enumerate(cells) if cell in odd) if odd else ()

    def warnings(self, cells: Cells) -> Iterable[tuple[int, Problem]]:
        """What is to be said of values that are sent all the same."""
        if self._noted.keys().isdisjoint(cells):
            return ()
        return ((at, self._noted[cell]) for at, cell in enumerate(cells) if cell in self._noted)

    def _is_sound(self, cell: str) -> bool:
        text = cell.strip()
        cleaned = self._clean(text) if text else ""
        if isinstance(cleaned, Fault) or text in NOTHINGS:
            return False
        if len(self._sound) >= _REMEMBERED:
            return not isinstance(cleaned, Noted)
        if isinstance(cleaned, Noted):
            self._noted[cell] = problem_of(self._step, text, cleaned.rule, cleaned.message)
        self._sound.add(cell)
        return True


def _anything(_cells: Cells, _joined: str, _longest: int) -> Iterable[int]:
    return ()


def _plain_email(cells: Cells, _joined: str, longest: int) -> Iterable[int]:
    if longest <= PLAIN_LIMIT and all(map(is_plain, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if cell and not (len(cell) <= PLAIN_LIMIT and is_plain(cell)))


def _payment_methods(cells: Cells, _joined: str, longest: int) -> Iterable[int]:
    if longest < PLAIN_LIMIT and all(map(is_method, filter(None, cells))):
        return ()
    return (at for at, cell in enumerate(cells) if cell and not (len(cell) < PLAIN_LIMIT and is_method(cell)))


def _filled(cells: Cells) -> Iterable[int]:
    return (at for at, cell in enumerate(cells) if cell)


def blank(cells: Cells) -> Iterable[int]:
    """The indexes of empty cells."""
    return (at for at, cell in enumerate(cells) if not cell)


def _short(cells: Cells, _joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """Text that fits and is no word for nothing."""
    if longest <= limit and NULLS.isdisjoint(map(str.strip, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or cell.strip() in NULLS)


def _untouched(cells: Cells, joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """Text that fits and that no spreadsheet quoted or shortened."""
    if longest <= limit and not _touched(joined):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or _touched(cell))


def _number(cells: Cells, joined: str, longest: int, *, limit: int) -> Iterable[int]:
    """A phone or a ZIP code that fits and of which no program made another number."""
    if longest <= limit and not _mangled(joined) and NO_NUMBERS.isdisjoint(map(str.strip, cells)):
        return ()
    return (at for at, cell in enumerate(cells) if len(cell) > limit or _mangled(cell) or cell.strip() in NO_NUMBERS)


def _touched(text: str) -> bool:
    return "'" in text or "E+" in text or "e+" in text


def _mangled(text: str) -> bool:
    return "'" in text or "=" in text or may_be_an_amount(text)


def fits_as_key(cell: str) -> bool:
    """Whether a cell is sound as a row's own id, which metadata holds."""
    return (
        0 < len(cell) <= MAX_METADATA_VALUE
        and cell.isprintable()
        and not cell.isspace()
        and cell[:2] != '="'
        and not _touched(cell)
        and cell.strip() not in NOTHINGS
    )
