"""The form a request is sent as: nested parameters become bracketed names with plain values. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_import.model import Request

# stripe-python's raw_request_async takes these names out of the parameters as options of its own.
_TAKEN_BY_THE_SDK = frozenset(
    {"self", "method_", "url_", "base", "api_key", "stripe_version", "stripe_account", "stripe_context"}
    | {"max_network_retries", "idempotency_key", "content_type", "headers"}
)


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Bracketed names and plain values, in the same order for equal parameters; None and empty leave no trace.

    The SDK would do this too, but sends a None or a True inside a list as Python spells it.
    """
    form: dict[str, Any] = {}
    for name in sorted(params):
        _fill(form, name, params[name])
    return form


def _fill(form: dict[str, Any], name: str, value: Any) -> None:
    match value:
        case None:
            pass
        case bool():
            form[name] = "true" if value else "false"
        case Mapping():
            for key in sorted(value):
                _fill(form, f"{name}[{key}]", value[key])
        case list() | tuple():
            for index, item in enumerate(item for item in value if item is not None):
                _fill(form, f"{name}[{index}]", item)
        case _:
            form[name] = value


def why_unsendable(request: Request) -> str | None:
    """Why *request* must not reach the SDK, None when it may: a mistake of ours, not of a row."""
    if request.method.upper() == "POST" and not request.idempotency_key:
        return "a POST needs an idempotency key"
    for name in sorted(_TAKEN_BY_THE_SDK.intersection(request.params)):
        if not isinstance(request.params[name], Mapping | list | tuple):
            return f"stripe-python would take the parameter {name} for an option of its own"
    return None
