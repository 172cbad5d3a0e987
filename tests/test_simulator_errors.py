"""Stripe facts, sections 7 and 8 and the limited request of section 2: how each refusal looks on the wire."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from bulk_import.simulator import Limits
from tests.simulator_support import LIVE_KEY, TEST_KEY, simulated

pytestmark = pytest.mark.asyncio

REFUSED_FORMS: list[tuple[str, int, dict[str, Any]]] = [
    ("email=nobody", 400, {"code": "email_invalid", "param": "email"}),
    ("email=a%40b%40c.com", 400, {"code": "email_invalid", "param": "email"}),
    ("email=", 400, {"code": "parameter_invalid_empty", "param": "email"}),
    ("address[city]=", 400, {"code": "parameter_invalid_empty", "param": "address[city]"}),
    ("coupon=X", 400, {"code": "parameter_unknown", "param": "coupon"}),
    ("id=cus_chosen", 400, {"code": "parameter_unknown", "param": "id"}),
    ("address[town]=Bonn", 400, {"code": "parameter_unknown", "param": "address[town]"}),
    ("default_source=card_1", 400, {"code": "parameter_unknown", "param": "default_source"}),
    ("balance=5.0", 400, {"code": "parameter_invalid_integer", "param": "balance"}),
    ("balance=", 400, {"code": "parameter_invalid_empty", "param": "balance"}),
    ("next_invoice_sequence=x", 400, {"code": "parameter_invalid_integer", "param": "next_invoice_sequence"}),
    ("tax_exempt=maybe", 400, {"param": "tax_exempt"}),
    ("tax[validate_location]=auto", 400, {"param": "tax[validate_location]"}),
    ("cash_balance[settings][reconciliation_mode]=x", 400, {"param": "cash_balance[settings][reconciliation_mode]"}),
    (f"name={'n' * 257}", 400, {"param": "name"}),
    (f"phone={'1' * 21}", 400, {"param": "phone"}),
    (f"business_name={'n' * 151}", 400, {"param": "business_name"}),
    (f"description={'d' * 5001}", 400, {"param": "description"}),
    ("invoice_prefix=lower", 400, {"param": "invoice_prefix"}),
    ("shipping[name]=A", 400, {"code": "parameter_missing", "param": "shipping[address]"}),
    ("shipping[address][city]=A", 400, {"code": "parameter_missing", "param": "shipping[name]"}),
    ("invoice_settings[custom_fields][0][name]=A", 400, {"code": "parameter_missing"}),
    ("tax_id_data[0][type]=eu_vat", 400, {"code": "parameter_missing", "param": "tax_id_data[0][value]"}),
    (
        "tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=INVALID",
        400,
        {"code": "tax_id_invalid", "param": "tax_id_data[0][value]"},
    ),
    ("tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=", 400, {"code": "tax_id_invalid"}),
    ("tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE12", 400, {"code": "tax_id_invalid"}),
    ("tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=123456789", 400, {"code": "tax_id_invalid"}),
    ("tax_id_data[0][type]=us_ein&tax_id_data[0][value]=12-345", 400, {"param": "tax_id_data[0][value]"}),
    ("tax_id_data[0][type]=nonsense&tax_id_data[0][value]=12345", 400, {"param": "tax_id_data[0][type]"}),
    ("preferred_locales=fr", 400, {"param": "preferred_locales"}),
    ("email[0]=a", 400, {"param": "email"}),
    ("address=Main+Street", 400, {"param": "address"}),
    (f"metadata[k]={'v' * 501}", 400, {"param": "metadata[k]"}),
    (f"metadata[{'k' * 41}]=v", 400, {"param": "metadata"}),
    ("&".join(f"metadata[k{n}]=v" for n in range(51)), 400, {"param": "metadata"}),
    ("metadata[a][b]=v", 400, {"param": "metadata[a]"}),
    ("metadata[a[b]]=v", 400, {"code": "parameter_unknown"}),
    ("expand[]=nonsense", 400, {"param": "expand"}),
    ("test_clock=clock_missing", 400, {"code": "resource_missing", "param": "test_clock"}),
    ("tax[validate_location]=immediately", 400, {"code": "customer_tax_location_invalid"}),
    ("payment_method=pm_missing1", 400, {"code": "resource_missing", "param": "payment_method"}),
    ("payment_method=nonsense", 400, {"code": "resource_missing", "param": "payment_method"}),
    (
        "invoice_settings[default_payment_method]=pm_card_visa",
        400,
        {"code": "resource_missing", "param": "invoice_settings[default_payment_method]"},
    ),
    ("source=nonsense", 400, {"code": "resource_missing", "param": "source"}),
]


@pytest.mark.parametrize(("form", "status", "expected"), REFUSED_FORMS, ids=lambda value: str(value)[:40])
async def test_a_bad_create_is_refused_with_stripes_code_and_param(
    form: str, status: int, expected: dict[str, Any]
) -> None:
    async with simulated() as wire:
        reply = await wire.post("/v1/customers", form)
        assert reply.status == status
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.error["type"] == "invalid_request_error"
        assert reply.error["message"]
        assert {name: reply.error.get(name) for name in expected} == expected
        assert reply.headers["Request-Id"].startswith("req_")
        assert await wire.customers() == []


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedSomethingNew", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", None),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", None),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", None),
    ],
)
async def test_a_declining_card_is_a_402_card_error_and_no_customer_results(
    method: str, code: str, decline_code: str | None
) -> None:
    async with simulated() as wire:
        reply = await wire.create(email="a@example.com", payment_method=method)
        assert reply.status == 402
        assert (reply.error["type"], reply.error["code"]) == ("card_error", code)
        assert reply.error.get("decline_code") == decline_code
        assert await wire.customers() == []


async def test_a_declining_token_is_a_402_too() -> None:
    async with simulated() as wire:
        reply = await wire.create(source="tok_chargeDeclined")
        assert (reply.status, reply.error["code"]) == (402, "card_declined")


async def test_the_message_of_an_unknown_payment_method_quotes_it() -> None:
    async with simulated() as wire:
        reply = await wire.create(payment_method="pm_missing1")
        assert "No such PaymentMethod: 'pm_missing1'" in reply.error["message"]


@pytest.mark.parametrize(
    ("method", "path", "form"),
    [
        ("GET", "/v1/customers/cus_Nobody12345678", ""),
        ("POST", "/v1/customers/cus_Nobody12345678", "name=A"),
        ("DELETE", "/v1/customers/cus_Nobody12345678", ""),
        ("POST", "/v1/customers/cus_Nobody12345678/tax_ids", "type=eu_vat&value=DE123456789"),
        ("GET", "/v1/customers/somebody", ""),
    ],
)
async def test_an_unknown_customer_is_a_404_resource_missing(method: str, path: str, form: str) -> None:
    async with simulated() as wire:
        reply = await wire.send(method, path, form)
        assert (reply.status, reply.error["code"]) == (404, "resource_missing")
        assert reply.error["message"].startswith("No such customer: '")


async def test_an_unknown_path_is_a_404_and_an_unknown_method_a_405() -> None:
    async with simulated() as wire:
        assert (await wire.get("/v1/charges")).status == 404
        refused = await wire.send("PUT", "/v1/customers")
        assert (refused.status, refused.headers["Allow"]) == (405, "GET, POST")


BAD_KEYS = [
    "nonsense",
    "sk_test_revoked1234567890",
    "rk_live_wrongkey1234567890",
    "sk_test_invalid1234567890",
    "whsec_1234567890abcdef",
    "sk_prod_1234567890abcdef",
]


@pytest.mark.parametrize("key", BAD_KEYS)
async def test_a_key_that_is_none_is_a_401_that_never_shows_the_whole_key(key: str) -> None:
    async with simulated() as wire:
        reply = await wire.post("/v1/customers", "email=a%40example.com", key=key)
        assert reply.status == 401
        assert reply.error["type"] == "invalid_request_error"
        assert "Invalid API Key" in reply.error["message"]
        assert key not in reply.text
        assert await wire.customers() == []


@pytest.mark.parametrize(
    ("key", "code"),
    [("pk_test_1234567890ab", "secret_key_required"), ("sk_test_expired1234", "api_key_expired"), (None, None)],
)
async def test_publishable_expired_and_missing_keys_are_401(key: str | None, code: str | None) -> None:
    async with simulated() as wire:
        reply = await wire.get("/v1/customers", key=key)
        assert (reply.status, reply.error.get("code")) == (401, code)


async def test_basic_authentication_carries_the_key_as_the_user_name() -> None:
    async with simulated() as wire:
        basic = base64.b64encode(f"{TEST_KEY}:".encode()).decode()
        good = await wire.get("/v1/balance", key=None, headers={"Authorization": f"Basic {basic}"})
        bad = await wire.get("/v1/balance", key=None, headers={"Authorization": "Basic ###"})
        assert (good.status, bad.status) == (200, 401)


async def test_the_prefix_of_a_key_decides_the_mode_and_modes_do_not_see_each_other() -> None:
    async with simulated() as wire:
        for key, livemode in (
            (TEST_KEY, False),
            (LIVE_KEY, True),
            ("rk_test_abcdefgh", False),
            ("rk_live_abcdefgh", True),
        ):
            assert (await wire.get("/v1/balance", key=key)).body["livemode"] is livemode
        made = (await wire.post("/v1/customers", "name=T")).body
        assert made["livemode"] is False
        unseen = await wire.get(f"/v1/customers/{made['id']}", key=LIVE_KEY)
        assert (unseen.status, unseen.error["code"]) == (404, "resource_missing")
        assert (await wire.get("/v1/customers", key=LIVE_KEY)).body["data"] == []


async def test_the_account_has_an_id_and_no_livemode() -> None:
    async with simulated(account="acct_1Chosen12345") as wire:
        account = (await wire.get("/v1/account")).body
        assert account["id"] == "acct_1Chosen12345"
        assert "livemode" not in account


async def test_a_restricted_key_without_account_access_gets_a_403_that_names_the_account() -> None:
    async with simulated() as wire:
        reply = await wire.get("/v1/account", key="rk_test_noaccount1234")
        assert reply.status == 403
        assert "on account 'acct_1SimulatedAccount'" in reply.error["message"]
        assert "rak_accounts_kyc_basic_read" in reply.error["message"]
        assert "rk_test_noaccount1234" not in reply.text


async def test_a_read_only_key_reads_and_gets_a_403_on_every_write() -> None:
    async with simulated() as wire:
        key = "rk_test_readonly1234"
        assert (await wire.get("/v1/customers", key=key)).status == 200
        for method, path, permission in (
            ("POST", "/v1/customers", "rak_customer_write"),
            ("POST", "/v1/customers/cus_12345678901234", "rak_customer_write"),
            ("DELETE", "/v1/customers/cus_12345678901234", "rak_customer_write"),
            ("POST", "/v1/payment_methods/pm_card_visa/attach", "rak_payment_method_write"),
        ):
            reply = await wire.send(method, path, key=key)
            assert reply.status == 403
            assert permission in reply.error["message"]


async def test_a_key_without_search_is_refused_only_there() -> None:
    async with simulated() as wire:
        key = "rk_test_nosearch1234"
        assert (await wire.get("/v1/customers/search", "query=created%3E0", key=key)).status == 403
        assert (await wire.get("/v1/customers", key=key)).status == 200


async def test_a_connected_account_holds_its_own_customers() -> None:
    async with simulated() as wire:
        to_other = {"Stripe-Account": "acct_1Connected99"}
        made = (await wire.post("/v1/customers", "name=C", headers=to_other)).body["id"]
        assert (await wire.get(f"/v1/customers/{made}")).status == 404
        assert (await wire.get(f"/v1/customers/{made}", headers=to_other)).status == 200
        assert (await wire.get("/v1/account", headers=to_other)).body["id"] == "acct_1Connected99"
        foreign = await wire.get("/v1/customers", headers={"Stripe-Account": "acct_missing12345"})
        assert (foreign.status, foreign.error["code"]) == (403, "account_invalid")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(rate=2, endpoint_rate=None, endpoint_rates={}), "global-rate"),
        (Limits(rate=None, endpoint_rate=2, endpoint_rates={}), "endpoint-rate"),
        (Limits(rate=None, endpoint_rate=None, endpoint_rates={"create": 2}), "endpoint-rate"),
    ],
)
async def test_a_request_over_the_rate_is_a_429_with_its_reason(limits: Limits, reason: str) -> None:
    async with simulated(limits) as wire:
        replies = [await wire.create(email=f"p{n}@example.com") for n in range(3)]
        assert [reply.status for reply in replies] == [200, 200, 429]
        limited = replies[-1]
        assert limited.error["code"] == "rate_limit"
        assert limited.headers["Stripe-Rate-Limited-Reason"] == reason
        assert "Request-Id" in limited.headers
        assert "Retry-After" not in limited.headers
        assert len(await wire.customers()) == 2


async def test_endpoints_are_counted_apart() -> None:
    async with simulated(Limits(rate=None, endpoint_rate=1, endpoint_rates={})) as wire:
        made = await wire.create(email="a@example.com")
        others = [
            await wire.get("/v1/customers"),
            await wire.get("/v1/customers/search", "query=created%3E0"),
            await wire.get(f"/v1/customers/{made.body['id']}"),
            await wire.get("/v1/account"),
            await wire.post(f"/v1/customers/{made.body['id']}", "name=B"),
        ]
        assert {reply.status for reply in others} == {200}
        assert (await wire.get("/v1/customers/cus_12345678901234")).status == 429


async def test_a_lock_timeout_has_no_reason_and_no_request_id_and_asks_for_a_retry() -> None:
    async with simulated() as wire:
        await wire.post("/_simulator/faults", "lock", key=None)
        reply = await wire.create("k1", email="a@example.com")
        assert (reply.status, reply.error["code"]) == (429, "lock_timeout")
        assert "Stripe-Rate-Limited-Reason" not in reply.headers
        assert "Request-Id" not in reply.headers
        assert reply.headers["Stripe-Should-Retry"] == "true"


async def test_every_answer_carries_a_request_id_of_its_own_a_date_and_the_version() -> None:
    async with simulated() as wire:
        replies = [
            await wire.create(email="a@example.com"),
            await wire.create(email="nobody"),
            await wire.get("/v1/customers", key=None),
            await wire.get("/v1/nothing"),
        ]
        assert len({reply.headers["Request-Id"] for reply in replies}) == len(replies)
        assert all(reply.headers["Date"].endswith("GMT") for reply in replies)
        assert {reply.headers["Stripe-Version"] for reply in replies} == {"2026-10-28.endive"}
        pinned = await wire.get("/v1/customers", headers={"Stripe-Version": "2024-06-20"})
        assert pinned.headers["Stripe-Version"] == "2024-06-20"
