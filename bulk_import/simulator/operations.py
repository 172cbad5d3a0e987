"""What each endpoint does: cleaned parameters and the book as it is -> an effect, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bulk_import.simulator import listing, searching
from bulk_import.simulator.catalogue import Book
from bulk_import.simulator.exchange import invalid, no_such
from bulk_import.simulator.ids import Minted
from bulk_import.simulator.payment import already_attached, check_method, check_token, is_test_card, payment_method
from bulk_import.simulator.records import Record, changed, check_room, listed, show


@dataclass(frozen=True, slots=True)
class Shown:
    """A body that is a customer as it was at that moment; rendered when needed, since rendering repeats exactly."""

    record: Record
    livemode: bool
    expand: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Effect:
    """What a request did: the body of its answer, the customer it left behind, the methods it attached."""

    body: Any
    record: Record | None = None
    attached: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """All an operation may look at: *target* is the id in the path, *wanted* the cleaned parameters.

    `methods` gives fresh ids of payment methods, `suffixes` what follows the prefix of any other id.
    """

    book: Book
    target: str
    wanted: Mapping[str, Any]
    now: float
    account: str
    methods: Minted
    suffixes: Minted

    @property
    def expand(self) -> tuple[str, ...]:
        """What to expand in the answer, without the `data.` of lists."""
        return tuple(name.removeprefix("data.") for name in self.wanted.get("expand", ()))


def create(scene: Scene) -> Effect:
    """`POST /v1/customers`: attaching a payment method is part of it, and a decline leaves no customer behind."""
    wanted = dict(scene.wanted)
    tax_ids = wanted.pop("tax_id_data", [])
    method = wanted.pop("payment_method", None)
    _check_clock(scene, wanted.get("test_clock"))
    empty = scene.book.new_record(scene.now)
    attached = {}
    if method is not None:
        fresh = _attachable(scene, method, empty, "payment_method")
        attached[fresh] = empty.id
        settings = wanted.get("invoice_settings", {})
        if settings.get("default_payment_method") == method:
            wanted["invoice_settings"] = {**settings, "default_payment_method": fresh}
    owned = tuple(_tax_id(scene, empty, one) for one in tax_ids)
    record = Record(empty.number, empty.id, empty.created, {}, methods=tuple(attached), tax_ids=owned)
    record = _settled(scene, record, wanted)
    return Effect(Shown(record, scene.book.livemode, scene.expand), record, attached)


def update(scene: Scene) -> Effect:
    """`POST /v1/customers/{id}`."""
    record = _settled(scene, _alive(scene, scene.target), scene.wanted)
    return Effect(Shown(record, scene.book.livemode, scene.expand), record)


def _settled(scene: Scene, record: Record, wanted: Mapping[str, Any]) -> Record:
    wanted = dict(wanted)
    source = wanted.pop("source", None)
    if source is not None:
        check_token(source)
        card = "card_" + scene.suffixes.next()
        record = replace(record, sources=(*record.sources, card))
        wanted["default_source"] = card
    elif "default_source" in wanted and wanted["default_source"] not in record.sources:
        raise no_such("source", wanted["default_source"], param="default_source")
    method = wanted.get("invoice_settings", {}).get("default_payment_method")
    if method is not None and method not in record.methods:
        raise invalid(
            f"The customer does not have a payment method with the ID {method}; attach it first.",
            "invoice_settings[default_payment_method]",
            "resource_missing",
        )
    record = changed(record, wanted)
    check_room(record)
    if wanted.get("tax", {}).get("validate_location") == "immediately":
        _check_location(record)
    return record


def _check_location(record: Record) -> None:
    country = (record.fields.get("address") or {}).get("country")
    if country is None and "ip_address" not in record.fields.get("tax", {}):
        raise invalid("The customer's location is not known.", "address", "customer_tax_location_invalid")


def _check_clock(scene: Scene, clock: str | None) -> None:
    if clock is not None and (scene.book.livemode or not clock.startswith("clock_") or "missing" in clock):
        raise no_such("test clock", clock, param="test_clock")


def _attachable(scene: Scene, method: str, customer: Record, param: str | None, status: int = 400) -> str:
    """The id under which a method is attached; one that belongs to another customer, or was detached, never is."""
    check_method(method, param, status)
    if is_test_card(method):
        return scene.methods.next()
    if method not in customer.methods and method in scene.book.methods:
        raise already_attached(param)
    return method


def _alive(scene: Scene, id_: str, param: str | None = "id", status: int = 404) -> Record:
    record = scene.book.find(id_)
    if record is None or record.deleted:
        raise no_such("customer", id_, param=param, status=status)
    return record


def retrieve(scene: Scene) -> Effect:
    """`GET /v1/customers/{id}`: a deleted customer is still told of."""
    record = scene.book.find(scene.target)
    if record is None:
        raise no_such("customer", scene.target, param="id", status=404)
    return Effect(show(record, scene.book.livemode, scene.expand))


def delete(scene: Scene) -> Effect:
    """`DELETE /v1/customers/{id}`: for good; the number and the payment methods stay used."""
    record = _alive(scene, scene.target)
    gone = Record(record.number, record.id, record.created, {}, deleted=True)
    return Effect(show(gone, scene.book.livemode), gone)


def list_customers(scene: Scene) -> Effect:
    """`GET /v1/customers`."""
    records, more = listing.page(scene.book, scene.wanted)
    data = [show(record, scene.book.livemode, scene.expand) for record in records]
    return Effect(listed(data, "/v1/customers", has_more=more))


def search(scene: Scene) -> Effect:
    """`GET /v1/customers/search`."""
    wanted = scene.wanted
    found = searching.search(
        scene.book,
        wanted["query"],
        limit=wanted.get("limit", 10),
        page=wanted.get("page"),
        count="total_count" in scene.expand,
        now=scene.now,
    )
    body: dict[str, Any] = {
        "object": "search_result",
        "data": [show(record, scene.book.livemode, scene.expand) for record in found.records],
        "has_more": found.next_page is not None,
        "next_page": found.next_page,
        "url": "/v1/customers/search",
    }
    if found.total is not None:
        body["total_count"] = found.total
    return Effect(body)


def attach(scene: Scene) -> Effect:
    """`POST /v1/payment_methods/{pm}/attach`: does not make it the default."""
    customer = _alive(scene, scene.wanted["customer"], "customer", 400)
    method = _attachable(scene, scene.target, customer, None, 404)
    kept = customer if method in customer.methods else replace(customer, methods=(*customer.methods, method))
    body = payment_method(method, customer.id, int(scene.now), scene.book.livemode)
    return Effect(body, kept, {method: customer.id})


def detach(scene: Scene) -> Effect:
    """`POST /v1/payment_methods/{pm}/detach`: for good; a default it was is none any more."""
    owner = _owner(scene)
    if owner is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.", None
        )
    settings = {k: v for k, v in owner.fields.get("invoice_settings", {}).items() if v != scene.target}
    fields = {**owner.fields, "invoice_settings": settings}
    kept = replace(owner, methods=tuple(m for m in owner.methods if m != scene.target), fields=fields)
    return Effect(payment_method(scene.target, None, int(scene.now), scene.book.livemode), kept)


def retrieve_method(scene: Scene) -> Effect:
    """`GET /v1/payment_methods/{pm}`."""
    owner = _owner(scene)
    if owner is None:
        check_method(scene.target, None, 404)
    return Effect(_method(scene, scene.target, owner.id if owner else None))


def list_methods(scene: Scene) -> Effect:
    """`GET /v1/customers/{id}/payment_methods`: newest first; nobody has so many that a second page would be needed."""
    customer = _alive(scene, scene.target)
    newest = [_method(scene, one, customer.id) for one in reversed(customer.methods)][: scene.wanted.get("limit", 10)]
    more = len(customer.methods) > len(newest)
    return Effect(listed(newest, f"/v1/customers/{customer.id}/payment_methods", has_more=more))


def _method(scene: Scene, id_: str, owner: str | None) -> dict[str, Any]:
    created = scene.book.attached_at.get(id_, int(scene.now))
    return payment_method(id_, owner, created, scene.book.livemode)


def _owner(scene: Scene) -> Record | None:
    """The customer that the method in the path is attached to."""
    owner = scene.book.find(scene.book.methods.get(scene.target, ""))
    return owner if owner is not None and scene.target in owner.methods else None


def add_tax_id(scene: Scene) -> Effect:
    """`POST /v1/customers/{id}/tax_ids`."""
    customer = _alive(scene, scene.target)
    tax_id = _tax_id(scene, customer, scene.wanted)
    return Effect(tax_id, replace(customer, tax_ids=(*customer.tax_ids, tax_id)))


def list_tax_ids(scene: Scene) -> Effect:
    """`GET /v1/customers/{id}/tax_ids`: newest first; nobody has so many that a second page would be needed."""
    customer = _alive(scene, scene.target)
    newest = [dict(one) for one in reversed(customer.tax_ids)][: scene.wanted.get("limit", 10)]
    more = len(customer.tax_ids) > len(newest)
    return Effect(listed(newest, f"/v1/customers/{customer.id}/tax_ids", has_more=more))


def delete_tax_id(scene: Scene) -> Effect:
    """`DELETE /v1/customers/{id}/tax_ids/{txi}`."""
    id_, _, tax_id = scene.target.partition("/")
    customer = _alive(scene, id_)
    kept = tuple(one for one in customer.tax_ids if one["id"] != tax_id)
    if len(kept) == len(customer.tax_ids):
        raise no_such("tax ID", tax_id, param="id", status=404)
    return Effect({"id": tax_id, "object": "tax_id", "deleted": True}, replace(customer, tax_ids=kept))


def _tax_id(scene: Scene, customer: Record, given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": "txi_" + scene.suffixes.next(),
        "object": "tax_id",
        "country": given["type"][:2].upper(),
        "created": int(scene.now),
        "customer": customer.id,
        "livemode": scene.book.livemode,
        "type": given["type"],
        "value": given["value"],
        "verification": {"status": "pending", "verified_address": None, "verified_name": None},
    }
