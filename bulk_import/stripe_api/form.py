"""The form a request is sent as: nested parameters become bracketed names with plain values. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote_plus

from bulk_import.model import Request

METHODS = frozenset({"GET", "POST", "DELETE"})


def flatten(params: Mapping[str, Any]) -> dict[str, Any]:
    """Bracketed names and plain values, in the same order for equal parameters; None and empty leave no trace.

    stripe-python would do this too, but sends a None or a True inside a list as Python spells it.
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


def encoded(form: Mapping[str, Any]) -> str:
    """The form as stripe-python writes it, brackets left as they are: a key may only be used again with the same bytes."""
    return "&".join(f"{_quoted_name(name)}={_quoted(str(value))}" for name, value in form.items())


# Most values need no escape, and to see that takes a sixth of the time that `quote_plus` does; an address needs but one.
_PLAIN = re.compile(r"[A-Za-z0-9_.\-~\[\] @+]*")


def _quoted(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text.replace("+", "%2B").replace(" ", "+").replace("@", "%40")
    return quote_plus(text, safe="[]")


# The same few names come with every row.
@lru_cache(maxsize=1024)
def _quoted_name(name: str) -> str:
    return _quoted(name)


def why_unsendable(request: Request) -> str | None:
    """Why *request* must not be sent, None when it may: a mistake of ours, not of a row."""
    if request.method not in METHODS:
        return f"nothing is sent by {request.method}"
    if not request.path.startswith("/v1/"):
        return "its path does not begin with /v1/"
    if request.method == "POST" and not request.idempotency_key:
        return "a POST needs an idempotency key"
    return None
