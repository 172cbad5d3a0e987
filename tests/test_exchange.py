"""Nothing is sent by a key, or upon a look, that has become too old while a request waited for its turn."""

from __future__ import annotations

import asyncio

import pytest

from bulk_import.age import KEY_LIFE
from bulk_import.budget import Budget
from bulk_import.engine import Ended, Parts, inline
from bulk_import.engine.ahead import Ahead
from bulk_import.engine.exchange import Exchange
from bulk_import.engine.parts import Outdated, TooOld
from bulk_import.engine.stopping import Stop
from bulk_import.engine.weighing import Scales
from bulk_import.model import Endpoint, Reply, Request
from bulk_import.pace import Gate
from bulk_import.settle import Limits
from tests.ledger_samples import NOW, claim
from tests.virtual_time import run_virtual


@pytest.mark.parametrize(
    ("asleep", "good_for", "refused"),
    [(KEY_LIFE, None, TooOld), (60.0, 30.0, Outdated), (60.0, None, None)],
)
def test_what_waits_for_its_turn_while_the_machine_sleeps_is_not_sent_too_late(
    asleep: float, good_for: float | None, refused: type[Exception] | None
) -> None:
    sent: list[Request] = []
    slept = 0.0

    async def send(request: Request) -> Reply:
        nonlocal slept
        sent.append(request)
        await asyncio.sleep(0.5)  # the next one is in line by now
        slept += asleep  # only the wall clock goes on
        return Reply(200, {})

    async def main() -> BaseException | tuple[float, Reply]:
        loop = asyncio.get_running_loop()
        began, gate, stop, scales = loop.time(), Gate(1.0, {}), Stop(Ended()), Scales(Budget())
        parts = Parts(
            write=lambda _, settled: settled, send=send, gate=gate, offload=inline, offload_reading=inline,
            now=lambda: NOW + slept + loop.time() - began, tick=loop.time, chance=lambda: 0.5, written=lambda _: None,
            progress=None, limits=Limits(), livemode=False, budget=Budget(),
        )  # fmt: skip
        exchange = Exchange(parts, stop, scales, Ahead(gate, stop, loop.time))
        request = Request(Endpoint.CREATE, "POST", "/v1/customers", {}, "key")
        good_until = None if good_for is None else NOW + good_for
        attempts = [exchange.attempt(request, claim(1)), exchange.attempt(request, claim(2), good_until)]
        answers = await asyncio.gather(*attempts, return_exceptions=True)
        return answers[1]

    found = run_virtual(main)
    assert len(sent) == (2 if refused is None else 1)
    assert type(found) is (refused or tuple)
