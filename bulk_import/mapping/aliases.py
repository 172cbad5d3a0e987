"""What column names mean: each of `column_names` is an alias of a parameter, and some names are settled before.

Names are compared folded (see `wording.fold`), so `E-Mail`, `e_mail` and `EMAIL` are one.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from bulk_import.column_names import (
    ADDRESS,
    BILLING_PREFIXES,
    NAME_PARTS,
    NAME_PREFIXES,
    PLAIN,
    SHIPPING_PREFIXES,
    VAT,
    WEAK_NAMES,
    spelled_with,
)
from bulk_import.customer.parameters import parse_path, spelled
from bulk_import.mapping.context import half_of_street, meant_by_context
from bulk_import.mapping.neversent import never_sent
from bulk_import.mapping.targets import (
    Ignored,
    Metadata,
    NamePart,
    Param,
    Refused,
    Target,
    VatNumber,
    metadata_key,
)
from bulk_import.model import MARKER
from bulk_import.wording import fold, names

OWN_COLUMNS = ("_ledger", "_row", "_status", "_error_code", "_error_param", "_error")
"""What `export --what failed` adds to a row, in this order; a file that has them is one of our own."""

# `user_name` is a login and no name, an invoice's state no place, though prefix and word read like it.
_NO_ALIASES = frozenset({"username", "accountusername", "customerusername", "invoicestate", "hometown"})

_PEOPLE = names("user customer account contact member client subscriber person profile")
# Django, Airtable, JSON:API, HubSpot, CouchDB, Elasticsearch and GraphQL put all of a record into one of these.
_RECORDS = names("traits fields attributes properties data doc record node")
_ADDRESS_NAMES = names(PLAIN[("email",)])

_STRIPE_READ_ONLY = names(
    "createdutc delinquent totalspend totalspent paymentcount refundedvolume disputelosses averageorder aov"
    " invoicecreditbalance totalrevenue totalsales amountspent lifetimevalue ltv clv gesamtumsatz umsatzgesamt totaldepense"
    " totaldesdepenses totalgastado gastototal totalespeso spesatotale totaalbesteed totalgasto"
)
# These words are anybody's, and Stripe's own only in a file that Stripe exported.
_STRIPE_EXPORT_ONLY = names(
    "plan status currency cancelatperiodend created livemode defaultsource discount object"
    " defaultpaymentmethod invoicesettingsdefaultpaymentmethod testclock"
)


WEAK = 1000
"""From this rank on, a guess of a whole name gives way to guesses of its parts."""

TO_THE_LETTER = frozenset({"balance", "source", "expand", "test_clock"})
"""Parameters that only their exact names mean: a `Balance` is rarely in cents, a `Source` rarely a payment token."""

_BEHIND = re.compile(r"(?P<name>.+?)\s*\((?P<whose>billing|shipping)\)", re.IGNORECASE)
_FIRST = re.compile(r"(?P<name>.+\S)\s+-\s+1")
# What forms and templates say behind the name of a column, as Google's of users do.
_NOTE = re.compile(
    r"(?P<name>.*\S)\s+[\[(](?:required|mandatory|optional|(?:read|upload) only|pflichtfeld|obligatoire|obligatorio)[\])]",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column's name means: `rank` orders guesses (lower is surer), `sure` is false for an alias."""

    target: Target
    rank: int
    sure: bool
    why: str


def is_stripe_export(columns: Collection[str]) -> bool:
    """Whether these columns are those of a file that Stripe exported (customers, payments or card data)."""
    folded = {fold(column) for column in columns}
    return any(
        signature <= folded
        for signature in (
            {"id", "createdutc"},
            {"customerid", "customeremail", "customerdescription"},
            {"id", "defaultsource", "cardid"},
            {"id", "object", "livemode"},
        )
    )


def guess(column: str, others: frozenset[str] = frozenset(), *, from_stripe: bool = False) -> Guess | None:
    """What *column* means by its name and the *others* of its file (folded), None when nobody knows.

    A pure function of its arguments.
    """
    name = column.removeprefix("\ufeff").strip()
    if (settled := _set_apart(name, others, from_stripe)) is not None:
        return settled
    folded = fold(plain(name))
    if (context := meant_by_context(folded, others)) is not None:
        return Guess(context.target, 1, sure=False, why=context.why)
    path = parse_path(name)
    if path is not None and (spelled(path) == name or spelled(path) not in TO_THE_LETTER):
        return Guess(Param(path), 0, sure=True, why="is the parameter's own name")
    if (key := metadata_key(name)) is not None:
        return Guess(Metadata(key), 0, sure=True, why="names a metadata key")
    if (half := half_of_street(folded, others)) is not None:
        return Guess(half[0], half[1], sure=False, why="is one part of the street's line")
    found = _ALIASES.get(folded) if folded not in _NO_ALIASES else None
    if found is None and folded.startswith("customer") and folded not in _NO_ALIASES:
        found = _ALIASES.get(folded.removeprefix("customers").removeprefix("customer"))
    if found is None and (found := _of_an_object(name, others)) is None:
        return None
    target, rank = found
    return Guess(target, rank, sure=False, why=_likeness(target, folded))


def _of_an_object(name: str, others: frozenset[str]) -> tuple[Target, int] | None:
    """What `user.phone` means, an entry of an object that holds the person: what its own name does beside the object's others.

    What is put around every record is believed to hold a person where it holds an address.
    """
    whose, dot, inner = name.partition(".")
    object_, folded = fold(whose), fold(inner)
    beside = frozenset(other.removeprefix(object_) for other in others if other.startswith(object_))
    is_record = (object_ in _RECORDS or whose == "_source") and not _ADDRESS_NAMES.isdisjoint(beside)
    if not dot or not (object_ in _PEOPLE or is_record):
        return None
    if (context := meant_by_context(folded, beside)) is not None:
        return None if isinstance(context.target, Metadata) else (context.target, 100)
    found = _ALIASES.get(folded)
    return (found[0], found[1] + 100) if found is not None else None


def plain(name: str) -> str:
    """The name as most files write it: `City (Billing)` is the billing city, `City - 1` the first, `City [Required]` the city."""
    if (found := _NOTE.fullmatch(name)) is not None:
        name = found["name"]
    if (found := _BEHIND.fullmatch(name)) is not None:
        return f"{found['whose']} {found['name']}"
    return found["name"] if (found := _FIRST.fullmatch(name)) is not None else name


def _set_apart(name: str, others: frozenset[str], from_stripe: bool) -> Guess | None:
    """Columns that are settled before any alias is asked: ours, secrets, and what Stripe keeps itself."""
    if name in OWN_COLUMNS:
        return Guess(Ignored("was added by our own export"), 0, sure=True, why="was added by our own export")
    if (metadata_key(name) or name) == MARKER:
        return Guess(
            Ignored("is the marker of this tool"), 0, sure=True, why="metadata.bulk_import is kept for the marker"
        )
    if (reason := never_sent(metadata_key(name) or name, others)) is not None:
        return Guess(Refused(reason), 0, sure=True, why=reason)
    folded = fold(name)
    if folded in _STRIPE_READ_ONLY or (from_stripe and folded in _STRIPE_EXPORT_ONLY):
        reason = "is kept by Stripe itself, or comes from payments, and cannot be set"
        return Guess(Ignored(reason), 0, sure=True, why=reason)
    own_id = "customerid" if "customerid" in others else "id"
    if from_stripe and folded == "description" and "customerdescription" in others:
        return Guess(Metadata(name), 1, sure=False, why="is of the payment, not of the customer")
    if from_stripe and folded == own_id:
        return Guess(Metadata("previous_customer_id"), 1, sure=False, why="is the id in the account it came from")
    return None


def _likeness(target: Target, folded: str) -> str:
    own_name = isinstance(target, Param) and fold(spelled(target.path)) == folded
    return "is the parameter's name but for case and signs" if own_name else "is a usual name for it"


def _table() -> dict[str, tuple[Target, int]]:
    table: dict[str, tuple[Target, int]] = {}

    def enter(listed: str, target: Target, prefixes: tuple[str, ...] = ("",)) -> None:
        for name, rank in spelled_with(listed, prefixes):
            table.setdefault(name, (target, rank))

    for path, listed in PLAIN.items():
        enter(listed, Param(path))
    for name, rank in spelled_with(WEAK_NAMES):
        table.setdefault(name, (Param(("name",)), WEAK + rank))
    enter(VAT, VatNumber())
    for position, listed in NAME_PARTS.items():
        enter(listed, NamePart(position, "name"), NAME_PREFIXES)
        enter(listed, NamePart(position, "shipping.name"), SHIPPING_PREFIXES)
    for part, listed in ADDRESS.items():
        enter(listed, Param(("address", part)), BILLING_PREFIXES)
        enter(listed, Param(("shipping", "address", part)), SHIPPING_PREFIXES)
    return table


_ALIASES = _table()
