"""One change of the account, and how it is written into the journal and read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bulk_import.simulator.idempotency import Stored
from bulk_import.simulator.operations import Shown
from bulk_import.simulator.records import Record


@dataclass(frozen=True, slots=True)
class Change:
    """All that one request changed, in one piece: a customer, attached methods, the answer under its key."""

    shelf: tuple[str, bool]
    at: float
    record: Record | None
    attached: Mapping[str, str]
    key: str | None
    stored: Stored | None


def written(change: Change) -> dict[str, Any]:
    """The change as JSON; ids are left out where the number gives them back."""
    entry: dict[str, Any] = {"shelf": change.shelf, "at": change.at}
    record = change.record
    if record is not None:
        entry["record"] = [
            record.number,
            record.created,
            record.fields,
            record.methods,
            record.sources,
            record.tax_ids,
            record.deleted,
        ]
    if change.attached:
        entry["attached"] = change.attached
    stored = change.stored
    if stored is not None:
        entry["key"] = [change.key, stored.fingerprint, stored.status, stored.request_id, stored.at]
        if isinstance(stored.body, Shown):
            entry["shown"] = stored.body.expand
        else:
            entry["body"] = stored.body
    return entry


def read(entry: Mapping[str, Any], id_of: Callable[[int], str]) -> Change:
    """The change that `written` wrote."""
    record = None
    if "record" in entry:
        number, created, fields, methods, sources, tax_ids, deleted = entry["record"]
        record = Record(number, id_of(number), created, fields, tuple(methods), tuple(sources), tuple(tax_ids), deleted)
    account, livemode = entry["shelf"]
    key, stored = None, None
    if "key" in entry:
        key, fingerprint, status, request_id, at = entry["key"]
        body = entry.get("body")
        if "shown" in entry and record is not None:
            body = Shown(record, livemode, tuple(entry["shown"]))
        stored = Stored(fingerprint, status, body, request_id, at)
    return Change((account, livemode), entry["at"], record, entry.get("attached", {}), key, stored)
