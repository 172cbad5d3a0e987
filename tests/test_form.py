"""How parameters become the form that is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import stripe
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_import.model import Endpoint, Request
from bulk_import.stripe_api.form import encoded, flatten, why_unsendable

names = st.text("abcxyz_", min_size=1, max_size=5)
leaves = st.text(max_size=8) | st.integers() | st.booleans()
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))


@pytest.mark.parametrize(
    ("params", "form"),
    [
        ({}, {}),
        ({"a": None, "b": [], "c": {}, "d": [None], "e": {"f": None}}, {}),
        ({"a": ""}, {"a": ""}),
        ({"a": True, "b": [False, True]}, {"a": "true", "b[0]": "false", "b[1]": "true"}),
        ({"a": ["x", None, "y"]}, {"a[0]": "x", "a[1]": "y"}),
        ({"a": ("x",)}, {"a[0]": "x"}),
        ({"a": [["x"], {"b": 0}]}, {"a[0][0]": "x", "a[1][b]": 0}),
        ({"a": {"b": {"c": -5}}}, {"a[b][c]": -5}),
    ],
)
def test_nested_parameters_become_bracketed_names(params: dict[str, Any], form: dict[str, Any]) -> None:
    assert flatten(params) == form


@given(st.dictionaries(names, values, max_size=4))
def test_the_order_of_keys_does_not_change_the_form(params: dict[str, Any]) -> None:
    turned = dict(reversed(list(params.items())))
    assert list(flatten(params).items()) == list(flatten(turned).items())


@given(st.dictionaries(names, values, max_size=4))
def test_every_leaf_arrives_as_text(params: dict[str, Any]) -> None:
    def count(value: object) -> int:
        match value:
            case dict():
                return sum(count(item) for item in value.values())
            case list():
                return sum(count(item) for item in value)
            case _:
                return 1

    arrived = parse_qsl(urlencode(flatten(params)), keep_blank_values=True)
    assert len(arrived) == count(params)


class _Listening(stripe.HTTPClient):
    """Keeps the body that stripe-python would send."""

    name = "listening"
    body = ""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.body = post_data or ""
        return b"{}", 200, {}


@given(st.dictionaries(names, st.text(max_size=12) | st.integers(), max_size=4))
@example({"metadata[a b]": "[x]&=+%5B ~é/", "a": ""})
@example({"a": "nul\0nul", "b\0": "", "c": "\0"})
def test_a_form_is_written_byte_for_byte_as_stripe_python_writes_it(form: dict[str, Any]) -> None:
    http = _Listening()
    client = stripe.StripeClient("sk_test_form", http_client=http)
    asyncio.run(client.raw_request_async("post", "/v1/customers", **form))
    assert encoded(form) == http.body


def test_nothing_is_sent_to_another_place_or_by_another_method() -> None:
    for request in (
        Request(Endpoint.LIST, "GET", "//evil.example/v1"),
        Request(Endpoint.CREATE, "PATCH", "/v1/x", {}, "k"),
    ):
        assert why_unsendable(request) is not None


def test_long_lists_keep_their_order() -> None:
    assert list(flatten({"a": list("abcdefghijkl")}).values()) == list("abcdefghijkl")


def test_only_a_post_needs_an_idempotency_key() -> None:
    reasons = {method: why_unsendable(Request(Endpoint.LIST, method, "/v1/x")) for method in ("GET", "DELETE", "POST")}
    assert reasons == {"GET": None, "DELETE": None, "POST": "a POST needs an idempotency key"}
