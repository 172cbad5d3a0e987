"""Whoever signs up while a claim waits gets no second customer, however the claim came to wait and whoever had sent it before.

A table of paths (what the claims went through before) and events (what makes them wait), on virtual time; the oracle is
the account.
"""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bulk_import.model import Reply, Request
from bulk_import.options import Pacing
from bulk_import.simulator import Fault
from bulk_import.simulator.faults import Canned
from tests.test_never_unseen import signs_up
from tests.virtual_run import Kill, Run, Settings, World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, Trouble, VirtualStripe, refused
from tests.virtual_time import virtual_loop

PEOPLE = 16
PACING = Pacing(rate=20.0, concurrency=4)
QUICK = {
    ("young", "outage"), ("young", "three outages"), ("young", "suspension"), ("young", "hold"), ("young", "silence"),
    ("just_now", "outage"), ("an_hour_ago", "suspension"), ("yesterday", "silence"), ("yesterday", "two outages"),
    ("by_a_retry", "outage"), ("for_a_retry", "hold"), ("in_this_run", "suspension"), ("in_this_run", "silence"),
    ("in_this_run", "short outage"), ("without_a_marker", "outage"), ("without_a_marker", "silence"),
}  # fmt: skip
"""What of the table is tried each time; the rest of it is for long runs."""
EMAILS = [f"person{n}@example.com" for n in range(1, PEOPLE + 1)]


def everybody_else_signs_up(world: World, at: float) -> None:
    """Whoever has no customer yet comes by themselves, but for those whose creates are just under way; some in capitals."""
    made = {customer["email"] for customer in world.stripe.account.customers.values()}
    made |= {a.email for a in world.stripe.arrivals if a.at > virtual_loop().time() - 1.0}
    for number, email in enumerate(email for email in EMAILS if email not in made):
        signs_up(world, email if number % 3 else email.capitalize(), at)


def twins(world: World) -> list[str]:
    """Whoever has two customers, in any letter case."""
    emails = Counter(customer["email"].lower() for customer in world.stripe.account.customers.values())
    return [email for email, count in emails.items() if count > 1]


# What makes them wait, from the third create on.


@dataclass
class Event:
    """Something that lasts; `again` times more, each as soon as somebody has looked at the account after the last one."""

    world: World
    again: int = 0
    seconds: float = 600.0
    creates: int = 0
    ends: float = 0.0
    over: bool = False
    came: list[float] = field(default_factory=list)

    def __call__(self, arrival: Arrival) -> Trouble | None:
        self.creates += arrival.endpoint == "create"
        if self.over:
            return None
        if (arrival.endpoint == "create" and self.creates == 3) or (
            arrival.at > self.ends > 0.0 and arrival.endpoint == "list"
        ):
            self.over, self.again = self.again == 0, self.again - 1
            return self.begins(arrival)
        return None

    def sign_up(self, at: float) -> None:
        """Everybody else comes, but only in the last one: before, nobody must have been settled."""
        if self.over:
            self.came.append(at)
            everybody_else_signs_up(self.world, at)

    def begins(self, arrival: Arrival) -> Trouble | None:
        raise NotImplementedError


class Outage(Event):
    """Nobody is answered for some minutes."""

    def begins(self, arrival: Arrival) -> Trouble | None:
        begins = arrival.at + (0.25 if arrival.endpoint == "list" else 0.01)
        self.ends = arrival.at + self.seconds
        self.world.stripe.gone = (begins, self.ends)
        asyncio.get_running_loop().call_later(self.seconds / 2, self.sign_up, arrival.at + self.seconds / 2)
        return None


class Suspension(Event):
    """The process is stopped for ten minutes, or longer than keys are kept."""

    def begins(self, arrival: Arrival) -> Trouble | None:
        self.world.stripe.land(EPOCH + arrival.at)
        self.sign_up(arrival.at + 300.0)
        self.ends = arrival.at + self.seconds
        virtual_loop().stall(self.seconds)
        if self.seconds > 24 * 3600.0 - 1.0:
            self.world.stripe.account.forget_keys()
        return None


class Hold(Event):
    """Every create is turned away, and is to come again in ten minutes."""

    def begins(self, arrival: Arrival) -> Trouble | None:
        self.ends = arrival.at + self.seconds
        asyncio.get_running_loop().call_later(560.0, self.sign_up, arrival.at + 560.0)
        error = {"error": {"type": "invalid_request_error", "code": "rate_limit", "message": "Later."}}
        return Canned(429, error, {"retry-after": "600", "stripe-rate-limited-reason": "endpoint-rate"})


class Silence(Event):
    """Answers get lost for ten minutes, so that nobody can tell what was carried out."""

    def begins(self, arrival: Arrival) -> Trouble | None:
        self.ends = arrival.at + self.seconds
        asyncio.get_running_loop().call_later(590.0, self.sign_up, arrival.at + 590.0)
        return None

    def __call__(self, arrival: Arrival) -> Trouble | None:
        super().__call__(arrival)
        return Fault("reset", acts=False) if arrival.at < self.ends else None


# What they went through before.


def young(world: World) -> Settings:
    """Claimed by a run that was killed a minute ago."""
    world.run(dedupe="snapshot", batch_size=PEOPLE, kill=Kill("send", "before", 8))
    world.wait(60.0)
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING)


def just_now(world: World) -> Settings:
    """Claimed by a run that was killed a second ago: nobody looks before they are sent."""
    world.run(dedupe="snapshot", batch_size=PEOPLE, kill=Kill("send", "before", 8))
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING)


def an_hour_ago(world: World) -> Settings:
    """Claimed by a run that was killed an hour ago."""
    return _waits(young(world), world, 3600.0)


def _waits(settings: Settings, world: World, seconds: float) -> Settings:
    world.wait(seconds)
    return settings


def yesterday(world: World) -> Settings:
    """Claimed so long ago that their keys protect no more: they are sent anew."""
    settings = _waits(young(world), world, 25 * 3600.0)
    world.stripe.account.forget_keys()
    return settings


def by_a_retry(world: World) -> Settings:
    """Failed, and claimed by a retry that was killed."""
    world.stripe.misbehave = lambda a: (
        refused(400, "email_invalid", "email") if a.endpoint == "create" and a.email != EMAILS[0] else None
    )
    world.run(dedupe="snapshot", batch_size=PEOPLE)
    world.wait(30.0)
    world.stripe.misbehave = None
    world.run(dedupe="snapshot", batch_size=PEOPLE, retry=True, kill=Kill("send", "before", 8))
    world.wait(60.0)
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING)


def for_a_retry(world: World) -> Settings:
    """The same, and it is another retry that goes on."""
    by_a_retry(world)
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING, retry=True)


def without_a_marker(world: World) -> Settings:
    """Claimed without one by a run that was killed a minute ago: what it made looks like whoever signed up."""
    world.run(dedupe="snapshot", batch_size=PEOPLE, marker=False, kill=Kill("send", "before", 8))
    world.wait(60.0)
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING, marker=False)


def in_this_run(world: World) -> Settings:
    """Claimed by the very run that waits."""
    return Settings(dedupe="snapshot", batch_size=PEOPLE, pacing=PACING)


PATHS = [young, just_now, an_hour_ago, yesterday, by_a_retry, for_a_retry, without_a_marker, in_this_run]
EVENTS: dict[str, Callable[[World], Event]] = {
    "outage": Outage,
    "short outage": lambda world: Outage(world, seconds=60.0),
    "two outages": lambda world: Outage(world, 1),
    "three outages": lambda world: Outage(world, 2),
    "suspension": Suspension,
    "hold": Hold,
    "silence": Silence,
}
TABLE = [
    pytest.param(path, made, id=f"{path.__name__}-{name}", marks=() if is_quick else pytest.mark.soak)
    for path in PATHS
    for name, made in EVENTS.items()
    for is_quick in [(path.__name__, name) in QUICK]
]


def waits(folder: Path, path: Callable[[World], Settings], made: Callable[[World], Event]) -> tuple[World, Event, Run]:
    world = World(folder, people(PEOPLE), VirtualStripe(existing=20))
    settings = path(world)
    world.stripe.misbehave = event = made(world)
    run = world.run(settings)
    return world, event, run


@pytest.mark.parametrize(("path", "event"), TABLE)
def test_nobody_who_signs_up_while_a_claim_waits_gets_a_second_customer(
    tmp_path: Path, path: Callable[[World], Settings], event: Callable[[World], Event]
) -> None:
    world, happened, run = waits(tmp_path, path, event)
    assert happened.came, "nothing has happened"
    assert twins(world) == []
    assert {customer["email"].lower() for customer in world.stripe.account.customers.values()} >= set(EMAILS)
    tally = world.tally()
    assert sum(tally.values()) == tally.get("created", 0) + tally.get("existing", 0) + tally.get("in_doubt", 0)
    assert tally.get("existing", 0) + tally.get("in_doubt", 0) >= 2, (tally, run.notices)
    unsettled = [line for line in world.lines() if line.status == "in_doubt"]
    assert all("does not carry our marker" in str(line.error_message) for line in unsettled)
    assert run.exit_code == (6 if unsettled else 0)


@pytest.mark.parametrize("rested", [60.0, 3600.0])
def test_who_signed_up_in_other_letters_while_a_few_claims_rested_gets_no_second_customer(
    tmp_path: Path, rested: float
) -> None:
    world = World(tmp_path, people(PEOPLE), VirtualStripe(existing=20))
    settings = young(world)
    world.wait(rested)
    world.stranger("Person14@Example.com")
    world.wait(10.0)
    assert world.run(settings).exit_code == 6
    assert twins(world) == []
    assert world.tally() == {"created": PEOPLE - 1, "in_doubt": 1}
    assert "does not carry our marker" in str(world.lines()[13].error_message), "it says what settles it"


@pytest.mark.parametrize("rested", [10.0, 60.0, 3600.0])
def test_who_signed_up_while_claims_without_a_marker_rested_gets_no_second_customer(
    tmp_path: Path, rested: float
) -> None:
    world = World(tmp_path, people(PEOPLE), VirtualStripe(existing=20))
    run: dict[str, Any] = {"dedupe": "snapshot", "batch_size": PEOPLE, "marker": False}
    assert world.run(kill=Kill("send", "before", 8), **run).killed
    made = {customer["email"] for customer in world.stripe.account.customers.values()} & set(EMAILS)
    assert made, "some creates of the dead run were carried out"
    world.wait(rested)
    who = world.stranger("Person14@example.com")
    world.stranger("person15@example.com", metadata={"bulk_import": "ffffffffffffffff:3:0"})
    assert world.run(**run).exit_code == 6
    assert twins(world) == []
    assert len(world.stripe.account.customers) == PEOPLE + 20
    assert world.lines()[13].customer_id == who
    assert "does not carry our marker" in str(world.lines()[14].error_message)
    check_promises(world)


@pytest.mark.parametrize("path", [young, by_a_retry, yesterday], ids=lambda path: path.__name__)
def test_a_look_that_gets_no_answer_leaves_the_claims_to_the_next_run(
    tmp_path: Path, path: Callable[[World], Settings]
) -> None:
    world = World(tmp_path, people(PEOPLE), VirtualStripe(existing=20))
    settings = path(world)
    event = Outage(world, again=1)

    def endless(arrival: Arrival) -> None:
        event(arrival)
        if event.over:
            world.stripe.gone = (world.stripe.gone[0], math.inf)

    world.stripe.misbehave = endless
    run = world.run(settings)
    assert run.exit_code == 3, run.notices
    assert event.came
    assert twins(world) == []
    world.stripe.misbehave, world.stripe.gone = None, (0.0, 0.0)
    world.run(replace(settings, retry=False))
    assert twins(world) == []
    assert {customer["email"].lower() for customer in world.stripe.account.customers.values()} >= set(EMAILS)
    assert set(world.tally()) <= {"created", "existing", "in_doubt"}


@pytest.mark.parametrize("path", [young, by_a_retry, in_this_run], ids=lambda path: path.__name__)
def test_a_claim_that_waits_until_its_key_is_too_old_is_looked_for_before_it_is_sent_anew(
    tmp_path: Path, path: Callable[[World], Settings]
) -> None:
    def a_day(world: World) -> Event:
        event = Suspension(world)
        event.seconds = 24 * 3600.0
        return event

    world, event, _ = waits(tmp_path, path, a_day)
    assert event.came
    assert twins(world) == []
    assert {customer["email"].lower() for customer in world.stripe.account.customers.values()} >= set(EMAILS)
    assert set(world.tally()) <= {"created", "existing", "in_doubt"}


@pytest.mark.parametrize(("path", "rate"), [(young, 0.05), (yesterday, 0.01), (in_this_run, 0.05)])
def test_at_the_lowest_rates_looks_do_not_keep_claims_from_being_sent(
    tmp_path: Path, path: Callable[[World], Settings], rate: float
) -> None:
    world = World(tmp_path, people(PEOPLE), VirtualStripe(existing=20))
    run = world.run(replace(path(world), pacing=Pacing(rate=rate, concurrency=16)))
    assert world.tally() == {"created": PEOPLE}
    assert len(run.arrivals) <= 3 * PEOPLE
    assert twins(world) == []


def test_claims_of_a_dead_run_that_waited_together_are_looked_at_together(tmp_path: Path) -> None:
    world = World(tmp_path, people(200), VirtualStripe(existing=20))
    fast = Pacing(rate=100.0, concurrency=32)
    world.run(dedupe="snapshot", batch_size=200, pacing=fast, kill=Kill("send", "before", 8))
    world.wait(60.0)
    world.stripe.misbehave = event = Outage(world)
    run = world.run(dedupe="snapshot", pacing=fast)
    assert event.came
    assert twins(world) == []
    after = [a for a in run.arrivals if a.at > event.ends and a.endpoint == "list"]
    assert len([a for a in after if "email" not in a.params]) <= 4


class OddlyDated(VirtualStripe):
    """Something on the way dates every answer so many seconds late."""

    late = 1e9

    async def send(self, request: Request, key: str, deadline: float) -> Reply:
        reply = await super().send(request, key, deadline)
        return reply._replace(stripe_time=reply.stripe_time and reply.stripe_time + self.late)


@pytest.mark.parametrize("path", [young, yesterday], ids=lambda path: path.__name__)
@pytest.mark.parametrize("late", [1e9, 1200.0], ids=["years", "minutes"])
def test_a_date_that_is_yet_to_come_hides_nobody_who_signed_up(
    tmp_path: Path, path: Callable[[World], Settings], late: float
) -> None:
    world = World(tmp_path, people(PEOPLE), OddlyDated(existing=20))
    world.stripe.late = late  # type: ignore[attr-defined]  # it is oddly dated
    settings = path(world)
    if world.ledger.exists():
        world.stranger("person14@example.com")
        world.wait(10.0)
    world.stripe.misbehave = event = Outage(world)
    world.run(settings)
    assert event.came
    assert twins(world) == []


@pytest.mark.parametrize("rest", [0.0, 60.0])
def test_whoever_came_while_a_batch_was_looked_for_is_seen_by_the_run_that_goes_on_after_a_kill(
    tmp_path: Path, rest: float
) -> None:
    """An outage between two requests of one look: the claims were made when it ended, out of what it saw when it began."""
    world = World(tmp_path, people(PEOPLE), VirtualStripe(existing=20))
    searched: list[float] = []

    def trouble(arrival: Arrival) -> None:
        if arrival.endpoint == "search" and "person1@" in str(arrival.params["query"]):
            searched.append(arrival.at)
            world.stripe.gone = (arrival.at + 0.01, arrival.at + 300.0) if len(searched) == 1 else (0.0, 0.0)
            asyncio.get_running_loop().call_later(200.0, everybody_else_signs_up, world, arrival.at + 200.0)

    world.stripe.misbehave = trouble
    settings = Settings(dedupe="search", batch_size=PEOPLE, pacing=PACING)
    assert world.run(settings, kill=Kill("commit", "after", 7)).killed
    assert len(world.claims()) > 5
    world.stripe.misbehave = None
    world.wait(rest)
    world.run(settings)
    assert twins(world) == []
    assert set(world.tally()) <= {"created", "existing", "in_doubt"}


def test_a_stranger_hides_from_no_row_because_that_was_to_be_on_a_test_clock(tmp_path: Path) -> None:
    rows = [f"{email},P,clock_1Abc" for email in EMAILS]
    world = World(tmp_path, rows, VirtualStripe(existing=20), header="email,name,test_clock")
    world.run(dedupe="snapshot", batch_size=PEOPLE, kill=Kill("send", "before", 8))
    world.wait(3.0)
    world.stranger(EMAILS[-1])
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    world.run(dedupe="snapshot")
    assert twins(world) == []
    assert world.tally() == {"created": PEOPLE - 1, "in_doubt": 1}


class Sluggish(VirtualStripe):
    """Every request takes so long before it even arrives."""

    def __init__(self, seconds: float, most: int) -> None:
        super().__init__(existing=20)
        self.seconds = seconds
        self.most = most

    async def send(self, request: Request, key: str, deadline: float) -> Reply:
        assert len(self.arrivals) < self.most, "nothing but looking goes on"
        await asyncio.sleep(self.seconds)
        return await super().send(request, key, deadline - self.seconds)


@pytest.mark.parametrize(
    ("seconds", "dedupe", "on_existing"),
    [(10.0, "lookup", "skip"), (16.0, "search", "skip"), (28.0, "snapshot", "skip"), (8.0, "search", "update")],
)
def test_a_server_that_answers_slowly_is_not_asked_the_same_forever(
    tmp_path: Path, seconds: float, dedupe: str, on_existing: str
) -> None:
    world = World(tmp_path, people(150), Sluggish(seconds, most=900))
    if on_existing == "update":
        for email in people(150):
            world.stranger(email.partition(",")[0], name="old")
    run = world.run(dedupe=dedupe, on_existing=on_existing, batch_size=100, pacing=Pacing(rate=20.0, concurrency=64))
    assert run.exit_code == 0
    assert world.tally() == {"updated" if on_existing == "update" else "created": 150}
    assert twins(world) == []


def test_a_long_look_of_many_short_answers_is_as_old_as_the_first_of_them(tmp_path: Path) -> None:
    world = World(tmp_path, people(60), VirtualStripe(latency=4.0))
    looked: list[float] = []

    def who_was_looked_for_first_comes_soon(arrival: Arrival) -> None:
        if arrival.endpoint == "list" and arrival.params.get("email") == EMAILS[0] and not looked:
            looked.append(arrival.at)
            asyncio.get_running_loop().call_later(5.0, signs_up, world, EMAILS[0], arrival.at + 5.0)

    world.stripe.misbehave = who_was_looked_for_first_comes_soon
    run = world.run(dedupe="lookup", batch_size=60, pacing=Pacing(rate=20.0, concurrency=1))
    assert (run.exit_code, world.tally()) == (0, {"created": 59, "existing": 1})
    assert twins(world) == []


@pytest.mark.parametrize(("dedupe", "turned_away"), [("snapshot", "list"), ("search", "list"), ("update", "retrieve")])
def test_reads_that_are_turned_away_for_longer_than_they_are_believed_do_not_keep_claims_from_being_sent(
    tmp_path: Path, dedupe: str, turned_away: str
) -> None:
    world = World(tmp_path, people(100), Sluggish(0.1, most=3000))
    updates = dedupe == "update"
    if updates:
        for email in people(100):
            world.stranger(email.partition(",")[0], name="old")
    reads = Counter[str]()

    def every_other(arrival: Arrival) -> Trouble | None:
        reads[arrival.endpoint] += 1
        if arrival.endpoint != turned_away or reads[turned_away] % 2 == 0:
            return None
        return Canned(
            429, refused(429, "rate_limit").body, {"retry-after": "40", "stripe-rate-limited-reason": "endpoint-rate"}
        )

    world.stripe.misbehave = every_other
    kind: dict[str, Any] = {"dedupe": "search", "on_existing": "update"} if updates else {"dedupe": dedupe}
    run = world.run(batch_size=50, pacing=Pacing(rate=20.0, concurrency=32), **kind)
    assert (run.exit_code, world.tally()) == (0, {"updated" if updates else "created": 100})
    assert run.seconds < 100 * 100.0, (
        "with one look for each row, of which every other request is held for 40 s, it ends sooner"
    )


def test_an_update_that_waits_until_its_last_attempt_has_ended_keeps_no_other_claim_waiting(tmp_path: Path) -> None:
    world = World(tmp_path, people(2), VirtualStripe())
    ids = [world.stranger(email, name="old") for email in EMAILS[:2]]
    tried: list[list[float]] = [[], []]

    def no_answer_at_first(arrival: Arrival) -> Trouble | None:
        if arrival.endpoint != "update":
            return None
        row = ids.index(arrival.path.rpartition("/")[2])
        tried[row].append(arrival.at)
        if row == 0 and len(tried[0]) == 1:
            world.stripe.change(ids[0], EPOCH + arrival.at, name="somebody else's")
        return Fault("hang", acts=False) if len(tried[row]) == 1 else None

    world.stripe.misbehave = no_answer_at_first
    assert world.run(dedupe="snapshot", on_existing="update", pacing=PACING).exit_code == 0
    waited = [again - first for first, again in tried]
    assert waited[0] > 60.0, "nothing of the attempt under its old key can act any more"
    assert waited[1] < 40.0


def test_an_update_without_an_answer_whose_customer_always_changes_ends_in_doubt(tmp_path: Path) -> None:
    world = World(tmp_path, people(4), VirtualStripe())
    ids = [world.stranger(email, name="old") for email in EMAILS[:4]]

    def busy(at: float) -> None:
        world.stripe.change(ids[0], at, name=f"busy {at}")

    def never_answered(arrival: Arrival) -> Trouble | None:
        assert len(world.stripe.arrivals) < 300, "it never ends"
        if arrival.nth == 1 and arrival.endpoint == "update":
            for at in range(0, 6000, 20):
                asyncio.get_running_loop().call_later(at, busy, EPOCH + arrival.at + at)
        return Fault("hang", acts=False) if arrival.endpoint == "update" and ids[0] in arrival.path else None

    world.stripe.misbehave = never_answered
    run = world.run(dedupe="snapshot", on_existing="update", batch_size=4, pacing=PACING)
    assert (run.exit_code, world.tally()) == (6, {"updated": 3, "in_doubt": 1})
