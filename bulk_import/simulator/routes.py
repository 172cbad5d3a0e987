"""Which request names which operation, and the two that only tell about the account."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bulk_import.simulator import operations, schema
from bulk_import.simulator.exchange import Refused
from bulk_import.simulator.operations import Effect, Scene
from bulk_import.simulator.rules import Group


@dataclass(frozen=True, slots=True)
class Operation:
    """One named endpoint: what it accepts and what it does."""

    endpoint: str
    accepts: Group
    act: Callable[[Scene], Effect]
    writes: bool = False


def account(scene: Scene) -> Effect:
    """`GET /v1/account`: has no `livemode`."""
    return Effect(
        {
            "id": scene.account,
            "object": "account",
            "business_profile": {"name": "Simulated Business", "url": None},
            "charges_enabled": True,
            "country": "US",
            "default_currency": "usd",
            "details_submitted": True,
            "email": "owner@example.com",
            "payouts_enabled": True,
            "settings": {
                "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
                "card_payments": {"statement_descriptor_prefix": None},
                "dashboard": {"display_name": "Simulated Business", "timezone": "Etc/UTC"},
                "payments": {"statement_descriptor": None},
            },
            "type": "standard",
        }
    )


def balance(scene: Scene) -> Effect:
    """`GET /v1/balance`: tells the key's mode."""
    nothing = {"amount": 0, "currency": "usd", "source_types": {"card": 0}}
    body = {"object": "balance", "available": [nothing], "livemode": scene.book.livemode, "pending": [nothing]}
    return Effect(body)


CREATE = Operation("create", schema.CREATE, operations.create, writes=True)
LIST = Operation("list", schema.LIST, operations.list_customers)
SEARCH = Operation("search", schema.SEARCH, operations.search)
RETRIEVE = Operation("retrieve", schema.RETRIEVE, operations.retrieve)
UPDATE = Operation("update", schema.UPDATE, operations.update, writes=True)
DELETE = Operation("delete", schema.NOTHING, operations.delete, writes=True)
ATTACH = Operation("attach", schema.ATTACH, operations.attach, writes=True)
TAX_IDS = Operation("tax_ids", schema.TAX_IDS, operations.add_tax_id, writes=True)
LIST_TAX_IDS = Operation("list_tax_ids", schema.LIST_TAX_IDS, operations.list_tax_ids)
DELETE_TAX_ID = Operation("delete_tax_id", schema.NOTHING, operations.delete_tax_id, writes=True)
DETACH = Operation("detach", schema.NOTHING, operations.detach, writes=True)
LIST_METHODS = Operation("list_methods", schema.LIST_METHODS, operations.list_methods)
METHOD = Operation("retrieve_method", schema.NOTHING, operations.retrieve_method)
ACCOUNT = Operation("account", schema.RETRIEVE, account)
BALANCE = Operation("balance", schema.RETRIEVE, balance)


def route(method: str, path: str) -> tuple[Operation, str]:
    """The operation a request names and the id in its path; raises 404 for a path, 405 for a method not known."""
    methods, target = _methods(path)
    if not methods:
        raise Refused(404, f"Unrecognized request URL ({method}: {path}).")
    operation = methods.get(method)
    if operation is None:
        allowed = ", ".join(sorted(methods))
        raise Refused(405, f"{method} is not allowed at {path}; use {allowed}.", headers={"Allow": allowed})
    return operation, target


def _methods(path: str) -> tuple[Mapping[str, Operation], str]:
    match path.split("/"):
        case ["", "v1", "customers"]:
            return {"GET": LIST, "POST": CREATE}, ""
        case ["", "v1", "customers", "search"]:
            return {"GET": SEARCH}, ""
        case ["", "v1", "customers", id_] if id_:
            return {"GET": RETRIEVE, "POST": UPDATE, "DELETE": DELETE}, id_
        case ["", "v1", "customers", id_, "tax_ids"] if id_:
            return {"GET": LIST_TAX_IDS, "POST": TAX_IDS}, id_
        case ["", "v1", "customers", id_, "tax_ids", tax_id] if id_ and tax_id:
            return {"DELETE": DELETE_TAX_ID}, f"{id_}/{tax_id}"
        case ["", "v1", "customers", id_, "payment_methods"] if id_:
            return {"GET": LIST_METHODS}, id_
        case ["", "v1", "payment_methods", id_] if id_:
            return {"GET": METHOD}, id_
        case ["", "v1", "payment_methods", id_, "attach"] if id_:
            return {"POST": ATTACH}, id_
        case ["", "v1", "payment_methods", id_, "detach"] if id_:
            return {"POST": DETACH}, id_
        case ["", "v1", "account"]:
            return {"GET": ACCOUNT}, ""
        case ["", "v1", "balance"]:
            return {"GET": BALANCE}, ""
        case _:
            return {}, ""


def endpoint_of(method: str, path: str) -> str:
    """The name under which a request is limited, logged and struck by faults."""
    operation = _methods(path)[0].get(method)
    return "other" if operation is None else operation.endpoint
