"""What a mapping is refused for before anything is read, each in a sentence that names the columns and says what to type."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bulk_import.customer.cards import holds_card, mask_cards
from bulk_import.errors import UsageError
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.mapping.assignment import Assignment, Wishes, find_column, place_of, slot_of
from bulk_import.wording import counted, fold, listed, nearest, terminal_safe, without_addresses


def refuse_card_names(columns: Sequence[str]) -> None:
    """Refuse a header that is a row: one of its names is a card number."""
    for place, column in enumerate(columns, 1):
        if holds_card(column):
            raise UsageError(
                f"column {place} is named {listed([mask_cards(column)])}, a card number, which must never pass through; "
                "if the file has no header say --no-header, and remove card numbers from it."
            )


def refuse_missing_columns(wishes: Wishes, columns: Sequence[str]) -> None:
    """Refuse columns that were named and are not there, or are named twice."""
    named = [("map", name) for name in wishes.targets]
    named += [("key", wishes.key)] if wishes.key is not None else []
    seen: dict[str, str] = {}
    for option, name in named:
        column, place = find_column(name, columns), place_of(wishes.places, option, name)
        if column is None:
            raise UsageError(
                f"{place} names the column {listed([name])}, which the file does not have"
                f"{maybe(name, columns)}; its columns are {listed(columns)}."
            )
        if option == "map" and seen.setdefault(column, name) != name:
            raise UsageError(f"{place} names the column {listed([column])} twice, as {listed([seen[column], name])}.")


def refuse_unmapped(assignments: tuple[Assignment, ...]) -> None:
    """Refuse columns that nobody knows what to do with, where that was asked for."""
    left = [each.column for each in assignments if each.unmapped]
    if left:
        raise UsageError(
            f"{counted(len(left), 'column has', 'columns have')} no field, and such columns are refused: {listed(left, 100)}; give each a "
            f'field with --map "COLUMN=FIELD" (or =ignore), or say --unmapped metadata or --unmapped ignore.'
        )


def refuse_without_email(assignments: tuple[Assignment, ...], columns: tuple[str, ...]) -> None:
    """Refuse columns none of which holds e-mail addresses."""
    if any(slot_of(each.target) == ("email",) for each in assignments):
        return
    if any("@" in column and without_addresses(column) != column for column in columns):
        raise UsageError(
            "The file seems to have no header: what should be the names of its columns holds an address; say --no-header, "
            "and which column is what with --map column_1=email (the cells must hold an address and nothing else)."
        )
    known = f"No column of the file is known to hold e-mail addresses (its columns are {listed(columns)})"
    if (separator := _separator(columns)) is not None:
        raise UsageError(
            f"{known}: if that is one cell by mistake, name the separator with --delimiter {terminal_safe(separator)}, else "
            "name the column with --map, or import rows without one with --allow-no-email."
        )
    if set(OWN_COLUMNS) <= set(columns):
        raise UsageError(
            f"{known}, which was exported from a ledger: give it to bulk-import retry LEDGER --with FILE, export it once more "
            'with --format jsonl, which keeps objects whole, or name the column with --map "COLUMN=email".'
        )
    likely = next((column for column in columns if "mail" in fold(column)), None) or nearest("email", columns)
    example = likely if likely is not None else "COLUMN"
    guessed = f", perhaps {listed([likely])}" if likely is not None else ""
    raise UsageError(
        f'{known}{guessed}; name it with --map "{terminal_safe(example)}=email", or import rows without one with '
        "--allow-no-email."
    )


def _separator(columns: tuple[str, ...]) -> str | None:
    """What probably separates the cells of a header that was read as one, quoted for a shell: a sign behind a name."""
    if len(columns) != 1:
        return None
    found = next((sign for sign in (";", "\t", "|", ",") if sign in columns[0]), None)
    between = re.search(r"(?<=\w)[^\w\s.()'\"\x00-\x1f-]+(?=\w)", columns[0]) if found is None else None
    sign = between.group() if between else found
    return None if sign is None else "'\\t'" if sign == "\t" else f"'{sign}'"


def maybe(name: str, columns: Sequence[str]) -> str:
    """Which of *columns* may be meant by a *name* that is none of them, in brackets."""
    if inner := [column for column in columns if column.startswith(f"{name}.")]:
        return f" (what it holds are columns of their own: {listed(inner)})"
    close = nearest(name, columns)
    return f" (did you mean {listed([close])}?)" if close is not None else ""
