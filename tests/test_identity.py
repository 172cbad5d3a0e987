"""Whose key it is: asked of a scripted Stripe, which names the account, refuses, or says nothing of use."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_import.errors import StripeRefuses
from bulk_import.job.identity import Account, host_of, identify
from bulk_import.keys import parse_key
from bulk_import.model import Endpoint, Reply, Request

KEY = parse_key("rk_test_abcdefghijklmnop")
BASE = "https://api.stripe.com"
SALT = b"salt"
NAMED = "Permission denied for this endpoint on account 'acct_1Abc'"


class Stripe:
    """Answers one reply and remembers what it was asked."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[Request, tuple[int, ...]]] = []

    async def __call__(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        self.asked.append((request, accept))
        return self.reply


def refused(status: int, message: str | None = None, code: str | None = None) -> Reply:
    return Reply(status, {"error": {"type": "invalid_request_error", "message": message, "code": code}})


async def identified(reply: Reply, key: str = KEY.reveal(), base: str = BASE, salt: bytes = SALT) -> Account:
    return await identify(Stripe(reply), parse_key(key), base, salt)


@pytest.mark.asyncio
async def test_one_question_is_asked_and_a_refusal_of_it_is_an_answer() -> None:
    stripe = Stripe(Reply(200, {"id": "acct_1"}))
    await identify(stripe, KEY, BASE, SALT)
    [(request, accept)] = stripe.asked
    assert (request.endpoint, request.method, request.path) == (Endpoint.ACCOUNT, "GET", "/v1/account")
    assert set(accept) == {403, 404, 405, 501}


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("body", "account"),
    [
        ({"id": "acct_1"}, Account("acct_1")),
        ({"id": "acct_of_a_stand_in_1"}, Account("acct_of_a_stand_in_1")),
        ({"id": "acct_1", "email": "shop@example.com"}, Account("acct_1", "shop@example.com")),
        ({"id": "acct_1", "email": "e", "business_profile": {"name": "Shop"}}, Account("acct_1", "Shop")),
        (
            {"id": "acct_1", "business_profile": {"name": "b"}, "settings": {"dashboard": {"display_name": "Shown"}}},
            Account("acct_1", "Shown"),
        ),
        ({"id": "acct_1", "settings": None, "business_profile": [], "email": 7}, Account("acct_1")),
    ],
)
async def test_the_account_is_the_one_stripe_names(body: dict[str, Any], account: Account) -> None:
    assert await identified(Reply(200, body)) == account
    assert account.is_named


@pytest.mark.asyncio
async def test_a_restricted_keys_refusal_names_the_account() -> None:
    assert await identified(refused(403, NAMED)) == Account("acct_1Abc")


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "reply",
    [
        refused(403, "no"),
        refused(404, "no"),
        Reply(404),
        Reply(405),
        Reply(501),
        Reply(403),
        Reply(200, {"id": "acct"}),
        Reply(200, {"id": None}),
        Reply(200, {"id": "acct_1 "}),
    ],
)
async def test_without_a_name_a_fingerprint_of_key_and_server_stands_for_the_account(reply: Reply) -> None:
    account = await identified(reply)
    assert not account.is_named
    assert KEY.reveal() not in account.id
    assert await identified(reply) == account
    assert await identified(reply, base="https://api.stripe.com:443/") == account
    others = [
        await identified(reply, key="rk_test_qrstuvwxyzabcdef"),
        await identified(reply, base="https://stripe.example.com"),
        await identified(reply, salt=b"pepper"),
    ]
    assert len({account.id, *(other.id for other in others)}) == 4


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "code", ["account_invalid", "api_key_expired", "platform_api_key_expired", "secret_key_required"]
)
async def test_a_refusal_that_names_the_account_that_was_asked_for_is_not_believed(code: str) -> None:
    with pytest.raises(StripeRefuses, match=code):
        await identified(refused(403, "The key does not have access to account 'acct_9'", code))


@pytest.mark.asyncio
async def test_any_other_refusal_ends_the_run() -> None:
    with pytest.raises(StripeRefuses, match="API key"):
        await identified(refused(400, "nonsense"))


@pytest.mark.parametrize(
    ("base", "host"),
    [
        ("https://api.stripe.com", "https://api.stripe.com"),
        ("https://api.stripe.com/", "https://api.stripe.com"),
        ("http://127.0.0.1:12111", "http://127.0.0.1"),
        ("http://127.0.0.1:12111/", "http://127.0.0.1"),
        ("http://[::1]:8080", "http://[::1]"),
        ("http://[::1]", "http://[::1]"),
        ("http://localhost:1/base", "http://localhost/base"),
    ],
)
def test_a_server_may_come_back_on_another_port(base: str, host: str) -> None:
    assert host_of(base) == host
