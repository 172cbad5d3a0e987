"""Whatever waited for long before it was first sent is held against the account once more, whoever has claimed it."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from bulk_import.options import Pacing
from tests.virtual_run import Kill, World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, VirtualStripe, refused

OUTAGE, SIGN_UP = 600.0, 300.0
"""Seconds that Stripe is out of reach, and after which somebody signs up meanwhile."""


def persons_with_two_customers(world: World) -> list[str]:
    emails = Counter(customer["email"] for customer in world.stripe.account.customers.values())
    return [email for email, count in emails.items() if count > 1]


def signs_up(world: World, email: str, at: float) -> None:
    world.strangers.add(world.stripe.create(email, EPOCH + at))


def out_of_reach(world: World, email: str, at: float) -> None:
    """Nobody is answered for a while, and somebody signs up meanwhile."""
    world.stripe.gone = (at + 0.01, at + OUTAGE)
    asyncio.get_running_loop().call_later(SIGN_UP, lambda: signs_up(world, email, at + SIGN_UP))


def test_a_retry_that_waits_out_an_outage_sees_who_came_meanwhile(tmp_path: Path) -> None:
    world = World(tmp_path, people(30))
    world.stripe.misbehave = lambda a: (
        refused(400, "email_invalid", "email") if a.endpoint == "create" and a.email != "person1@example.com" else None
    )
    world.run(dedupe="snapshot", batch_size=30)
    world.wait(30)
    seen: list[Arrival] = []

    def trouble(arrival: Arrival) -> None:
        seen.append(arrival)
        if len(seen) == 2:
            out_of_reach(world, "person29@example.com", arrival.at)

    world.stripe.misbehave = trouble
    world.run(retry=True, dedupe="snapshot", batch_size=30, pacing=Pacing(rate=20.0, concurrency=4))
    assert persons_with_two_customers(world) == []
    assert world.tally()["existing"] == 1


def test_rows_sent_anew_under_a_new_key_that_wait_out_an_outage_are_looked_for_again(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.run(dedupe="snapshot", batch_size=60, kill=Kill("send", "before", 8))
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    creates: list[Arrival] = []

    def trouble(arrival: Arrival) -> None:
        if arrival.endpoint == "create":
            creates.append(arrival)
            if len(creates) == 3:
                out_of_reach(world, "person60@example.com", arrival.at)

    world.stripe.misbehave = trouble
    world.run(dedupe="snapshot")
    assert persons_with_two_customers(world) == []


def test_a_sweep_that_takes_half_an_hour_to_send_anew_looks_for_the_last_ones_again(tmp_path: Path) -> None:
    world = World(tmp_path, people(60))
    world.run(dedupe="snapshot", batch_size=60, kill=Kill("send", "before", 8))
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    last = f"person{max(claim.row for claim in world.claims())}@example.com"
    came: list[float] = []

    def trouble(arrival: Arrival) -> None:
        if arrival.endpoint == "create" and not came:
            came.append(arrival.at)
            signs_up(world, last, arrival.at)

    world.stripe.misbehave = trouble
    world.run(dedupe="snapshot", pacing=Pacing(rate=0.1, concurrency=2))
    assert persons_with_two_customers(world) == []


def test_who_comes_in_a_second_outage_right_after_the_second_look_is_seen_as_well(tmp_path: Path) -> None:
    world = World(tmp_path, people(30), VirtualStripe(existing=20))
    began, looked = world.seconds, list[float]()
    came: list[str] = []

    def trouble(arrival: Arrival) -> None:
        if arrival.at > began + 300 and arrival.endpoint == "list" and not looked:
            looked.append(arrival.at)
            world.stripe.gone = (arrival.at + 0.25, arrival.at + 600)
        if looked and arrival.at > looked[0] + 590 and not came:
            made = {customer["email"] for customer in world.stripe.account.customers.values()}
            came.extend(email for n in range(1, 31) if (email := f"person{n}@example.com") not in made)
            for email in came:
                signs_up(world, email, arrival.at)

    world.stripe.misbehave = trouble
    world.stripe.gone = (began + 2.0, began + 300.0)
    world.run(dedupe="snapshot", batch_size=30, pacing=Pacing(rate=10.0, concurrency=4))
    assert len(came) > 5
    assert persons_with_two_customers(world) == []


@pytest.mark.parametrize("end", [300.0, 700.0])
def test_a_turn_in_which_nothing_is_sent_is_no_probe_of_an_outage(tmp_path: Path, end: float) -> None:
    world = World(tmp_path, people(300), VirtualStripe(existing=20))
    began = world.seconds
    world.stripe.gone = (began + 2.0, began + end)
    world.run(dedupe="snapshot", batch_size=100, pacing=Pacing(rate=20.0))
    assert min(start for start in world.starts if start > began + end) - began - end < 72.0


def test_what_a_person_has_mended_outlives_a_killed_retry_and_a_run_that_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, people(10))
    world.stripe.misbehave = lambda a: (
        refused(400, "email_invalid", "email") if a.endpoint == "create" and a.nth <= 9 else None
    )
    world.run(batch_size=10)
    mend(world, [line.row for line in world.lines() if line.status == "failed"])
    world.stripe.misbehave = None
    world.run(retry=True, batch_size=10, kill=Kill("send", "before", 3))
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    world.stripe.misbehave = lambda a: refused(401, "api_key_expired") if a.endpoint == "create" else None
    world.run()
    world.stripe.misbehave = None
    world.run()
    emails = {customer["email"] for customer in world.stripe.account.customers.values()}
    assert emails == {"person10@example.com", *(f"mended{n}@example.com" for n in range(1, 10))}


def mend(world: World, rows: list[int]) -> None:
    """Do to the ledger what `retry --with` does."""
    with sqlite3.connect(world.ledger) as db:
        for row in rows:
            fields = json.dumps({"email": f"mended{row}@example.com", "name": f"M {row}"})
            db.execute("UPDATE payload SET fields = ? WHERE number = ?", (fields, row))
            db.execute("UPDATE entry SET owned_key = NULL WHERE number = ?", (row,))
    db.close()


@pytest.mark.parametrize("rest", [5, 200, 400])
def test_customers_of_a_test_clock_that_rested_are_looked_for_in_its_list(tmp_path: Path, rest: float) -> None:
    rows = [f"person{n}@example.com,P {n},clock_1Abc" for n in range(1, 21)]
    world = World(tmp_path, rows, header="email,name,test_clock")
    world.run(dedupe="snapshot", kill=Kill("send", "before", 8))
    world.wait(rest)
    assert check_promises(world, world.run(dedupe="snapshot")) == {"created": 20}
