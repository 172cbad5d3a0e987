"""Faults: drawn the same way each time, and each seen over bare HTTP for what it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

from bulk_import.simulator import FaultRule, Faults
from bulk_import.simulator.faults import BEHAVIOURS, parse_spec, rule_from
from bulk_import.simulator.options import faults_from
from tests.simulator_support import Wire, simulated


def _names(faults: Faults, count: int, endpoint: str = "create", method: str = "POST") -> list[str | None]:
    drawn = [faults.draw(endpoint, method, float(now)) for now in range(count)]
    return [None if fault is None else fault.name for fault in drawn]


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    rules = [FaultRule("reset", 0.2), FaultRule("500", 0.2)]
    first, second, other = (_names(Faults(rules, seed), 200) for seed in (1, 1, 2))
    assert first == second != other
    assert 20 <= first.count("reset") <= 60


def test_a_rule_strikes_from_the_nth_to_the_mth_request_that_matches() -> None:
    faults = Faults([FaultRule("503", endpoint="create", method="POST", first=2, last=3)])
    assert _names(faults, 2, "list", "GET") == [None, None]
    assert _names(faults, 4) == [None, "503", "503", None]


def test_the_first_rule_that_strikes_decides() -> None:
    faults = Faults([FaultRule("503", first=2), FaultRule("hang")])
    assert _names(faults, 3) == ["hang", "503", "503"]


def test_a_storm_answers_everything_for_its_seconds() -> None:
    faults = Faults([FaultRule("429storm", endpoint="create", seconds=2.5, first=2, last=2)])
    assert _names(faults, 1, "list") == [None]
    assert [faults.draw("create", "POST", now) is not None for now in (10.0, 11.0)] == [False, True]
    assert [faults.draw("list", "GET", now) is not None for now in (11.5, 13.4, 13.5)] == [True, True, False]


def test_about_half_of_all_500s_have_acted() -> None:
    faults = Faults([FaultRule("500")])
    acted = sum(fault.acts for _ in range(400) if (fault := faults.draw("create", "POST", 0.0)) is not None)
    assert 150 <= acted <= 250


def test_replacing_the_rules_starts_anew() -> None:
    faults = Faults([FaultRule("reset", 0.5)], seed=5)
    first = _names(faults, 50)
    faults.replace([FaultRule("reset", 0.5)])
    assert _names(faults, 50) == first


def test_a_spec_and_a_file_name_the_same_rules(tmp_path: Path) -> None:
    expected = (FaultRule("reset", 0.02), FaultRule("500", 1.0))
    as_json, as_toml = tmp_path / "faults.json", tmp_path / "faults.toml"
    as_json.write_text('[{"name": "reset", "probability": 0.02}, {"name": "500"}]')
    as_toml.write_text('[[faults]]\nname = "reset"\nprobability = 0.02\n[[faults]]\nname = "500"\n')
    for text in ("reset=0.02,500", " reset = 0.02 , 500 ", str(as_json), str(as_toml)):
        assert faults_from(text) == expected
    assert faults_from("") == ()


def test_every_field_of_a_rule_is_read() -> None:
    entry = {"name": "lock", "probability": 0.5, "endpoint": "list", "method": "GET", "from": 2, "to": 9}
    rule = rule_from(entry | {"seconds": 4, "acted": 0.25})
    assert rule == FaultRule("lock", 0.5, "list", "GET", 2, 9, 4.0, 0.25)


@pytest.mark.parametrize("text", ["nonsense", "reset=2", "reset=often"])
def test_a_spec_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"fault named|no number"):
        parse_spec(text)


@pytest.mark.parametrize("entry", [{"name": "reset", "when": 1}, {"name": "reset", "from": "x"}, "reset", {}])
def test_a_rule_that_cannot_be_meant_is_refused(entry: object) -> None:
    with pytest.raises(ValueError, match=r"fault"):
        rule_from(entry)


async def _strike(wire: Wire, name: str, **more: object) -> None:
    rules = json.dumps([{"name": name, "to": 1, "endpoint": "create", **more}])
    assert (await wire.post("/_simulator/faults", rules, key=None)).status == 200


@pytest.mark.parametrize(("name", "left"), [("refuse", 0), ("reset", 0), ("act-then-drop", 1)])
@pytest.mark.asyncio
async def test_a_dropped_connection_has_acted_or_not_and_the_same_key_settles_it(name: str, left: int) -> None:
    async with simulated() as wire:
        await _strike(wire, name)
        with pytest.raises((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await wire.create("k1", email="a@example.com")
        assert len(await wire.customers()) == left
        again = await wire.create("k1", email="a@example.com")
        assert again.status == 200
        assert ("Idempotent-Replayed" in again.headers) == (left == 1)
        assert len(await wire.customers()) == 1
        struck, after = [entry for entry in await wire.log() if entry["endpoint"] == "create"]
        assert (struck["fault"], struck["status"]) == (name, None)
        assert (after["fault"], after["status"], after["replayed"]) == (None, 200, left == 1)


@pytest.mark.asyncio
async def test_a_request_given_up_is_carried_out_later_and_holds_its_key_until_then() -> None:
    async with simulated() as wire:
        await _strike(wire, "act-after-giveup", seconds=0.2)
        with pytest.raises(aiohttp.ServerDisconnectedError):
            await wire.create("k1", email="a@example.com")
        assert await wire.customers() == []
        assert (await wire.create("k1", email="a@example.com")).status == 409
        async with asyncio.timeout(5):
            while not await wire.customers():
                pass
        assert (await wire.create("k1", email="a@example.com")).headers["Idempotent-Replayed"] == "true"
        assert len(await wire.customers()) == 1


@pytest.mark.asyncio
async def test_a_truncated_answer_has_acted() -> None:
    async with simulated() as wire:
        await _strike(wire, "truncate")
        with pytest.raises(aiohttp.ClientPayloadError):
            await wire.create("k1", email="a@example.com")
        assert (await wire.create("k1", email="a@example.com")).headers["Idempotent-Replayed"] == "true"
        assert len(await wire.customers()) == 1


@pytest.mark.asyncio
async def test_a_hanging_request_is_never_answered_and_does_nothing() -> None:
    async with simulated() as wire:
        await _strike(wire, "hang")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await wire.create("k1", email="a@example.com")
        assert await wire.customers() == []


@pytest.mark.parametrize(
    ("name", "status", "content_type", "code", "header"),
    [
        ("502html", 502, "text/html", None, None),
        ("503", 503, "application/json", None, "Request-Id"),
        ("429", 429, "application/json", "rate_limit", "Stripe-Rate-Limited-Reason"),
        ("429storm", 429, "application/json", "rate_limit", "Stripe-Rate-Limited-Reason"),
        ("409", 409, "application/json", "idempotency_key_in_use", "Request-Id"),
        ("lock", 429, "application/json", "lock_timeout", "Stripe-Should-Retry"),
        ("401", 401, "application/json", "api_key_expired", "Request-Id"),
        ("403", 403, "application/json", None, "Request-Id"),
        ("redirect", 302, "text/html", None, "Location"),
    ],
)
@pytest.mark.asyncio
async def test_a_canned_refusal_looks_real_and_nothing_was_done(
    name: str, status: int, content_type: str, code: str | None, header: str | None
) -> None:
    async with simulated() as wire:
        await _strike(wire, name)
        reply = await wire.create("k1", email="a@example.com")
        assert reply.status == status
        assert reply.headers["Content-Type"].startswith(content_type)
        if code is not None:
            assert reply.error["code"] == code
        assert header is None or header in reply.headers
        assert await wire.customers() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("null200", "null"),
        ("list200", "[]"),
        ("noid200", '{"object":"customer"}'),
        ("error200", '{"error":'),
        ("html200", "<!DOCTYPE html>"),
    ],
)
@pytest.mark.asyncio
async def test_a_200_that_is_no_success_has_done_nothing(name: str, text: str) -> None:
    async with simulated() as wire:
        await _strike(wire, name)
        reply = await wire.create("k1", email="a@example.com")
        assert reply.status == 200
        assert reply.text.startswith(text)
        assert await wire.customers() == []


@pytest.mark.asyncio
async def test_an_answer_of_the_other_mode_is_told_but_not_kept() -> None:
    async with simulated() as wire:
        await _strike(wire, "other-livemode")
        assert (await wire.create("k1", email="a@example.com")).body["livemode"] is True
        [customer] = await wire.customers()
        assert customer["livemode"] is False


def test_every_fault_is_known_to_these_tests() -> None:
    source = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{name}"' in source for name in BEHAVIOURS)


@pytest.mark.asyncio
async def test_faults_that_cannot_be_read_are_refused_at_run_time() -> None:
    async with simulated() as wire:
        assert (await wire.post("/_simulator/faults", "nonsense=1", key=None)).status == 400
        assert (await wire.post("/_simulator/faults", "[not json", key=None)).status == 400
        assert (await wire.post("/_simulator/nothing", key=None)).status == 404


@pytest.mark.asyncio
async def test_the_log_tells_each_arrival_and_can_be_emptied() -> None:
    async with simulated() as wire:
        await wire.create("k1", email="a@example.com")
        await wire.create("k1", email="a@example.com")
        await wire.get("/v1/customers", "limit=1")
        log = await wire.log()
        assert [(one["method"], one["path"], one["endpoint"], one["status"]) for one in log] == [
            ("POST", "/v1/customers", "create", 200),
            ("POST", "/v1/customers", "create", 200),
            ("GET", "/v1/customers", "list", 200),
        ]
        assert [one["idempotency_key"] for one in log] == ["k1", "k1", None]
        assert [one["replayed"] for one in log] == [False, True, False]
        assert log[0]["sha256"] == log[1]["sha256"] != log[2]["sha256"]
        assert len({one["connection"] for one in log}) == 1
        assert log[0]["t"] <= log[1]["t"] <= log[2]["t"]
        await wire.post("/_simulator/reset-log", key=None)
        assert await wire.log() == []
