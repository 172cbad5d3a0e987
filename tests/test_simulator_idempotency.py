"""Stripe facts, section 3, line by line; over bare HTTP wherever no clock has to move."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bulk_import.simulator import Account, Answer, Limits, Ticket
from tests.simulator_support import NOON, Reply, call, create, simulated

pytestmark = pytest.mark.asyncio

DECLINED = {"email": "d@example.com", "payment_method": "pm_card_chargeDeclined"}


def _is_replay_of(replay: Reply, first: Reply) -> bool:
    return (
        replay.status == first.status
        and replay.text == first.text
        and replay.headers["Idempotent-Replayed"] == "true"
        and replay.headers["Original-Request"] == first.headers["Request-Id"]
        and replay.headers["Request-Id"] != first.headers["Request-Id"]
        and "Idempotent-Replayed" not in first.headers
    )


async def test_a_second_post_with_the_same_key_replays_the_first_answer_and_makes_nothing() -> None:
    async with simulated() as wire:
        first = await wire.create("k1", email="a@example.com", name="A")
        again = await wire.create("k1", email="a@example.com", name="A")
        assert first.status == 200
        assert _is_replay_of(again, first)
        assert again.headers["Idempotency-Key"] == first.headers["Idempotency-Key"] == "k1"
        assert len(await wire.customers()) == 1


async def test_a_replay_shows_the_customer_as_it_was_not_as_it_is() -> None:
    async with simulated() as wire:
        first = await wire.create("k1", email="a@example.com")
        await wire.post(f"/v1/customers/{first.body['id']}", {"name": "Changed"})
        assert _is_replay_of(await wire.create("k1", email="a@example.com"), first)


async def test_a_key_replays_the_id_of_a_customer_that_was_deleted_meanwhile() -> None:
    async with simulated() as wire:
        first = await wire.create("k1", email="a@example.com")
        await wire.send("DELETE", f"/v1/customers/{first.body['id']}")
        assert _is_replay_of(await wire.create("k1", email="a@example.com"), first)


async def test_the_order_of_parameters_does_not_matter_to_a_key() -> None:
    async with simulated() as wire:
        first = await wire.post("/v1/customers", "email=a%40example.com&name=A", idempotency_key="k1")
        again = await wire.post("/v1/customers", "name=A&email=a%40example.com", idempotency_key="k1")
        assert _is_replay_of(again, first)


async def test_a_key_with_other_parameters_is_an_idempotency_error_without_a_code() -> None:
    async with simulated() as wire:
        await wire.create("k1", email="a@example.com")
        other = await wire.create("k1", email="b@example.com")
        assert other.status == 400
        assert other.error["type"] == "idempotency_error"
        assert "code" not in other.error
        assert len(await wire.customers()) == 1


async def test_a_key_used_at_another_endpoint_is_an_idempotency_error() -> None:
    async with simulated() as wire:
        first = await wire.create("k1", email="a@example.com")
        other = await wire.post(f"/v1/customers/{first.body['id']}", {"email": "a@example.com"}, idempotency_key="k1")
        assert (other.status, other.error["type"]) == (400, "idempotency_error")


async def test_a_key_whose_first_request_still_runs_is_answered_409() -> None:
    async with simulated(latency=0.15) as wire:
        form = {"email": "a@example.com"}
        replies = await asyncio.gather(*(wire.post("/v1/customers", form, idempotency_key="k1") for _ in range(2)))
        done, busy = sorted(replies, key=lambda reply: reply.status)
        assert (done.status, busy.status) == (200, 409)
        assert busy.error["code"] == "idempotency_key_in_use"
        assert _is_replay_of(await wire.post("/v1/customers", form, idempotency_key="k1"), done)
        assert len(await wire.customers()) == 1


async def test_a_decline_during_execution_is_stored_and_replays() -> None:
    async with simulated() as wire:
        first = await wire.post("/v1/customers", DECLINED, idempotency_key="k1")
        assert (first.status, first.error["code"]) == (402, "card_declined")
        assert _is_replay_of(await wire.post("/v1/customers", DECLINED, idempotency_key="k1"), first)
        assert await wire.customers() == []


async def test_an_unknown_payment_method_is_stored_and_replays() -> None:
    async with simulated() as wire:
        form = {"payment_method": "pm_missing123"}
        first = await wire.post("/v1/customers", form, idempotency_key="k1")
        assert (first.status, first.error["code"]) == (400, "resource_missing")
        assert _is_replay_of(await wire.post("/v1/customers", form, idempotency_key="k1"), first)


@pytest.mark.parametrize("acted", [0, 1])
async def test_a_500_is_stored_and_replays_whether_it_acted_or_not(acted: int) -> None:
    async with simulated() as wire:
        rule = f'[{{"name": "500", "acted": {acted}, "to": 1}}]'
        assert (await wire.post("/_simulator/faults", rule, key=None)).status == 200
        first = await wire.create("k1", email="a@example.com")
        assert (first.status, first.error["type"]) == (500, "api_error")
        assert first.headers["Stripe-Should-Retry"] == "false"
        again = await wire.create("k1", email="a@example.com")
        assert _is_replay_of(again, first)
        assert again.headers["Stripe-Should-Retry"] == "false"
        assert len(await wire.customers()) == acted


async def test_a_failed_validation_stores_nothing_so_the_key_serves_a_mended_request() -> None:
    async with simulated() as wire:
        bad = await wire.create("k1", email="no address")
        good = await wire.create("k1", email="a@example.com")
        assert (bad.status, good.status) == (400, 200)
        assert "Idempotent-Replayed" not in good.headers


async def test_a_401_stores_nothing() -> None:
    async with simulated() as wire:
        form = {"email": "a@example.com"}
        assert (await wire.post("/v1/customers", form, key="sk_test_wrong", idempotency_key="k1")).status == 401
        good = await wire.post("/v1/customers", form, idempotency_key="k1")
        assert (good.status, "Idempotent-Replayed" in good.headers) == (200, False)


async def test_a_429_stores_nothing() -> None:
    async with simulated() as wire:
        await wire.post("/_simulator/faults", '[{"name": "429", "to": 1}]', key=None)
        limited = await wire.create("k1", email="a@example.com")
        good = await wire.create("k1", email="b@example.com")
        assert (limited.status, good.status) == (429, 200)
        assert "Idempotent-Replayed" not in good.headers


async def test_the_rate_limit_comes_before_the_idempotency_layer() -> None:
    async with simulated(Limits(rate=1, endpoint_rate=None, endpoint_rates={})) as wire:
        first = await wire.create("k1", email="a@example.com")
        replayed_too_soon = await wire.create("k1", email="a@example.com")
        assert (first.status, replayed_too_soon.status) == (200, 429)
        assert replayed_too_soon.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


async def test_a_key_of_255_characters_is_taken_and_one_of_256_refused() -> None:
    async with simulated() as wire:
        assert (await wire.create("k" * 255, email="a@example.com")).status == 200
        refused = await wire.create("k" * 256, email="a@example.com")
        assert (refused.status, refused.error["type"]) == (400, "invalid_request_error")


async def test_a_key_on_a_get_or_a_delete_has_no_effect() -> None:
    async with simulated() as wire:
        made = (await wire.create(email="a@example.com")).body["id"]
        before = await wire.get(f"/v1/customers/{made}", idempotency_key="k1")
        await wire.post(f"/v1/customers/{made}", {"name": "New"})
        after = await wire.get(f"/v1/customers/{made}", idempotency_key="k1")
        assert (before.body["name"], after.body["name"]) == (None, "New")
        assert (await wire.send("DELETE", f"/v1/customers/{made}", idempotency_key="k2")).status == 200
        assert (await wire.send("DELETE", f"/v1/customers/{made}", idempotency_key="k2")).status == 404


async def test_two_posts_without_a_key_make_two_customers() -> None:
    async with simulated() as wire:
        first, second = await wire.create(email="a@example.com"), await wire.create(email="a@example.com")
        assert first.body["id"] != second.body["id"]


async def test_a_forgotten_key_makes_a_second_customer() -> None:
    async with simulated() as wire:
        first = await wire.create("k1", email="a@example.com")
        assert (await wire.post("/_simulator/forget-keys", key=None)).status == 200
        again = await wire.create("k1", email="a@example.com")
        assert again.body["id"] != first.body["id"]
        assert "Idempotent-Replayed" not in again.headers


async def test_updates_attachments_and_tax_ids_replay_too() -> None:
    async with simulated() as wire:
        made = (await wire.create(email="a@example.com")).body["id"]
        calls: list[tuple[str, dict[str, str]]] = [
            (f"/v1/customers/{made}", {"metadata[n]": "1"}),
            ("/v1/payment_methods/pm_card_visa/attach", {"customer": made}),
            (f"/v1/customers/{made}/tax_ids", {"type": "eu_vat", "value": "DE123456789"}),
        ]
        for number, (path, form) in enumerate(calls):
            first = await wire.post(path, form, idempotency_key=f"k{number}")
            assert first.status == 200
            assert _is_replay_of(await wire.post(path, form, idempotency_key=f"k{number}"), first)
        [customer] = await wire.customers()
        assert len(customer["_simulator"]["payment_methods"]) == 1
        assert len(customer["_simulator"]["tax_ids"]) == 1


@pytest.mark.parametrize(("later", "replayed"), [(86399.0, True), (86400.0, False), (90000.0, False)])
async def test_a_key_is_forgotten_a_day_after_its_first_use(later: float, replayed: bool) -> None:
    account = Account(now=NOON)
    first = create(account, NOON, "k1", email="a@example.com")
    again = create(account, NOON + later, "k1", email="a@example.com")
    assert ("Idempotent-Replayed" in again.headers) is replayed
    assert (again.body["id"] == first.body["id"]) is replayed


async def test_keys_of_one_mode_mean_nothing_in_the_other() -> None:
    account = Account(now=NOON)
    calls = [call("POST", "/v1/customers", key=key, idempotency_key="k1") for key in ("sk_test_a", "sk_live_a")]
    answers = [account.handle(one, NOON) for one in calls]
    assert [answer.body["livemode"] for answer in answers] == [False, True]


def _begun(account: Account, **more: Any) -> Ticket:
    begun = account.begin(call("POST", "/v1/customers", {"email": "a@example.com"}, **more), NOON)
    assert isinstance(begun, Ticket)
    return begun


async def test_a_request_that_began_holds_its_key_until_it_is_finished() -> None:
    account = Account(now=NOON)
    ticket = _begun(account, idempotency_key="k1")
    meanwhile = create(account, NOON, "k1", email="a@example.com")
    done = account.finish(ticket, NOON + 1)
    after = create(account, NOON + 2, "k1", email="a@example.com")
    assert [one.status for one in (meanwhile, done, after)] == [409, 200, 200]
    assert after.body == done.body


async def test_a_key_that_met_a_failed_validation_is_free_again() -> None:
    account = Account(now=NOON)
    statuses = [create(account, NOON, "k1", nonsense="1").status for _ in range(2)]
    assert statuses == [400, 400]


async def test_a_500_before_acting_leaves_no_customer_and_one_after_acting_leaves_one() -> None:
    account = Account(now=NOON)
    for breaks, count in (("before", 0), ("after", 1)):
        answer: Answer = account.finish(_begun(account, idempotency_key=breaks), NOON, breaks)  # type: ignore[arg-type]  # a literal out of a table
        assert answer.status == 500
        assert len(account.customers) == count
