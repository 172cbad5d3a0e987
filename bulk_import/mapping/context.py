"""What a column's name means only because of the columns beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bulk_import.column_names import (
    ADDRESS,
    BILLING_PREFIXES,
    HOUSE_ADDITIONS,
    HOUSE_NUMBERS,
    SHIPPING_PREFIXES,
    rank_of,
)
from bulk_import.mapping.targets import Metadata, NameOf, NamePart, Param, Position, Target
from bulk_import.wording import fold, names

LINE1: NameOf = "address.line1"


@dataclass(frozen=True, slots=True)
class Context:
    """`columns` mean `target` in a file that has any of the columns `beside` them, and none of `unless`."""

    columns: frozenset[str]
    beside: frozenset[str]
    target: Target
    why: str
    unless: frozenset[str] = frozenset()

    def holds(self, column: str, others: frozenset[str]) -> bool:
        """Whether this is what *column* means beside *others* (all folded)."""
        return column in self.columns and not others.isdisjoint(self.beside) and others.isdisjoint(self.unless)


def _known(columns: str, beside: str, target: Target, why: str, unless: str = "") -> Context:
    return Context(names(columns), names(beside), target, why, names(unless))


def _halves() -> list[Context]:
    """The street and the number of the house, in the order of the language that the columns speak."""
    found: list[Context] = []
    streets = names(ADDRESS["line1"]) - names("line1 addressline1 address1 address12 strassenr strassehausnummer")
    for listed, side in HOUSE_NUMBERS.items():
        numbers = names(listed)
        before = side == "before"
        found.append(_half(streets, numbers, "middle" if before else "first"))
        found.append(_half(numbers, streets, "first" if before else "middle"))
        found.append(_half(names(HOUSE_ADDITIONS), numbers, "last"))
    # `Número` alone is anybody's, and the house's beside these.
    streets, number = names("endereco logradouro rua"), names("numero")
    return [*found, _half(streets, number, "first"), _half(number, streets, "middle")]


def _half(columns: frozenset[str], beside: frozenset[str], position: Position) -> Context:
    return Context(columns, beside, NamePart(position, LINE1), "is one part of the street's line")


_PREFIXED = names("addresscity addressstate addresszip addresspostalcode addresscountry addresscountryid addressstreet")
_PLAIN_PARTS = frozenset(name for listed in ADDRESS.values() for name in listed.split()) - _PREFIXED - names("state")
_ORDERS = "financialstatus fulfillmentstatus orderstatus"
_SURNAME = "is the surname beside a first name"
_HALVES = tuple(_halves())
_CONTEXTS = (
    _known("state", "addressstate", Metadata("state"), "is another than the address's own state"),
    Context(
        names("state"), names("state"), Metadata("state"), "is beside no plainly named part of an address", _PLAIN_PARTS
    ),
    _known("name", _ORDERS, Metadata("order"), "is the number of an order"),
    _known("paymentmethod", _ORDERS, Metadata("paid_by"), "says how an order was paid"),
    _known("name", "vorname", NamePart("last"), _SURNAME, "nachname familienname zuname"),
    _known("nom", "prenom", NamePart("last"), _SURNAME, "nomdefamille"),
    _known("naam", "voornaam", NamePart("last"), _SURNAME, "achternaam"),
    _known("nome", "cognome sobrenome apelido apelidos", NamePart("first"), "is the first name beside a surname"),
    _known("cap", "indirizzo citta comune", Param(("address", "postal_code")), "is Italian for it"),
    _known("via", "cap citta comune", Param(("address", "line1")), "is Italian for it"),
    *_HALVES,
)


_STREETS, _NUMBERS = names("strasse strassenname straat straatnaam"), names("nr hnr")


def as_meant(columns: Sequence[str]) -> tuple[str, ...]:
    """The *columns*, each `Nr.` right behind a street called what it is there: anywhere else it may count the rows."""
    before = ("", *map(fold, columns))
    return tuple(
        "Hausnummer" if left in _STREETS and fold(column) in _NUMBERS else column
        for left, column in zip(before, columns, strict=False)
    )


def meant_by_context(column: str, others: frozenset[str]) -> Context | None:
    """What a folded *column* means beside *others*, None where they say nothing of it."""
    return next((context for context in _CONTEXTS if context.holds(column, others)), None)


def half_of_street(folded: str, others: frozenset[str]) -> tuple[NamePart, int] | None:
    """Which half of a street's line `billing_street` or `shipping_house_number` is, and its rank (see `spelled_with`).

    The other half has to stand among the *others*, behind the same prefix.
    """
    whose: tuple[tuple[tuple[str, ...], NameOf], ...] = (
        (BILLING_PREFIXES, LINE1),
        (SHIPPING_PREFIXES, "shipping.address.line1"),
    )
    for prefixes, of in whose:
        for step, prefix in enumerate(prefixes):
            if not prefix or not folded.startswith(prefix):
                continue
            beside = frozenset(name.removeprefix(prefix) for name in others if name.startswith(prefix))
            half = next((each for each in _HALVES if each.holds(folded.removeprefix(prefix), beside)), None)
            if half is not None and isinstance(half.target, NamePart):
                return replace(half.target, of=of), rank_of(step)
    return None
