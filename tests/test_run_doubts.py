"""The end-of-run sweep: what was made is adopted, what was surely not made is sent anew, the rest stays in doubt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bulk_import.ledger import Reader
from bulk_import.model import Claim, Reply, Request, Status
from bulk_import.options import Pacing
from bulk_import.simulator import Fault
from tests.virtual_run import Kill, World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, Distorted, Trouble, VirtualStripe

HER = "person3@example.com"
FOUR_TRIES = Pacing(rate=20.0, concurrency=16, max_attempts=4)


def _to_her(trouble: Trouble, attempts: int = 10_000) -> Callable[[Arrival], Trouble | None]:
    return lambda a: trouble if a.endpoint == "create" and a.email == HER and a.attempt <= attempts else None


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("name", ["act-then-drop", "truncate", "act-after-giveup"])
def test_somebody_made_whose_every_answer_was_lost_is_adopted(tmp_path: Path, name: str, hashed: bool) -> None:
    world = World(tmp_path, people(20))
    world.stripe.misbehave = _to_her(Fault(name, acts=True))
    run = world.run(hash_emails=hashed)
    assert run.exit_code == 0
    assert run.said("sweep")
    assert check_promises(world, run) == {"created": 20}


def test_a_replayed_500_that_acted_is_adopted_without_another_request_to_create(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    world.stripe.misbehave = _to_her(Fault("500", acts=True), attempts=1)
    run = world.run()
    assert check_promises(world, run) == {"created": 20}
    assert len([a for a in run.creates() if a.email == HER]) == 2


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no marker"])
def test_a_replayed_500_that_did_not_act_is_sent_anew_under_another_key(
    tmp_path: Path, marker: bool, hashed: bool
) -> None:
    world = World(tmp_path, [*people(20), "Person3@EXAMPLE.com,Twice"])
    world.stripe.misbehave = _to_her(Fault("500", acts=False), attempts=1)
    world.stripe.misbehave = _once(world.stripe.misbehave)
    run = world.run(marker=marker, hash_emails=hashed, batch_size=50)
    assert check_promises(world, run) == {"created": 20, "duplicate": 1}
    keys = [a.key for a in run.creates() if a.email == HER]
    assert len(keys) == 3
    assert len(set(keys)) == 2
    assert run.seconds > 30.0, "absence was believed before every attempt must have ended"


class Dated(VirtualStripe):
    """Something on the way puts its own date, so many seconds off, on every answer."""

    off = 0.0

    async def send(self, request: Request, key: str, deadline: float) -> Reply:
        reply = await super().send(request, key, deadline)
        return reply._replace(stripe_time=reply.stripe_time and reply.stripe_time + self.off)


@pytest.mark.parametrize("email", [True, False], ids=["no marker", "no e-mail"])
@pytest.mark.parametrize(("off", "clock"), [(1200.0, 0.0), (0.0, 1200.0), (80_000.0, -3600.0), (-1200.0, 1200.0)])
def test_a_doubt_is_settled_whichever_of_two_clocks_is_ahead(
    tmp_path: Path, off: float, clock: float, email: bool
) -> None:
    rows = people(12) if email else [f",Person {n}" for n in range(1, 13)]
    stripe = Dated()
    stripe.off = off
    world = World(tmp_path, rows, stripe)
    world.clock_error = clock
    stripe.misbehave = lambda a: (
        Fault("500", acts=True) if a.endpoint == "create" and a.attempt == 1 and a.nth % 3 == 0 else None
    )
    run = world.run(marker=not email, allow_no_email=True, batch_size=20)
    assert run.exit_code == 0
    assert len(stripe.account.customers) == 12


def _once(misbehave: Callable[[Arrival], Trouble | None]) -> Callable[[Arrival], Trouble | None]:
    met: list[Trouble] = []

    def only_first(arrival: Arrival) -> Trouble | None:
        trouble = None if met else misbehave(arrival)
        met.extend([trouble] if trouble else [])
        return trouble

    return only_first


def test_a_row_gets_three_new_keys_a_run_and_is_then_left_in_doubt(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    world.stripe.misbehave = _to_her(Fault("500", acts=False), attempts=1)
    run = world.run()
    assert run.exit_code == 6
    assert check_promises(world, run) == {"created": 19, "in_doubt": 1}
    assert len({a.key for a in run.creates() if a.email == HER}) == 4
    world.stripe.misbehave = None
    again = world.run()
    assert again.exit_code == 0
    assert check_promises(world, again) == {"created": 20}


@pytest.mark.parametrize("name", ["reset", "hang", "502html", "503"])
def test_a_doubt_that_nothing_settles_stays_and_the_next_run_settles_it(tmp_path: Path, name: str) -> None:
    world = World(tmp_path, people(20))
    world.stripe.misbehave = _to_her(Fault(name, acts=False))
    run = world.run(pacing=FOUR_TRIES)
    assert run.exit_code == 6
    assert check_promises(world, run) == {"created": 19, "in_doubt": 1}
    world.stripe.misbehave = None
    world.wait(60.0)
    again = world.run()
    assert again.exit_code == 0
    assert check_promises(world, again) == {"created": 20}


def test_a_doubt_whose_key_has_expired_is_looked_for_and_sent_anew(tmp_path: Path) -> None:
    world = World(tmp_path, people(20))
    world.stripe.misbehave = _to_her(Fault("reset", acts=False))
    assert world.run(pacing=FOUR_TRIES).exit_code == 6
    world.stripe.misbehave = None
    world.wait(25 * 3600.0)
    run = world.run()
    assert check_promises(world, run) == {"created": 20}
    [sent] = run.creates()
    assert str(sent.params["metadata[bulk_import]"]).endswith(":3:1")


def test_twins_are_reported_and_the_oldest_is_taken(tmp_path: Path) -> None:
    world = World(tmp_path, people(5))
    world.stripe.misbehave = _to_her(Fault("reset", acts=False))
    assert world.run(pacing=FOUR_TRIES).exit_code == 6
    world.stripe.misbehave = None
    twins = []
    for generation in (0, 1):
        metadata = {"bulk_import": f"{world.token}:3:{generation}"}
        twins.append(world.stripe.create(HER, EPOCH + world.seconds, metadata=metadata))
        world.wait(5.0)
    world.strangers.add(twins[1])
    world.wait(25 * 3600.0)
    run = world.run()
    assert check_promises(world, run) == {"created": 5}
    assert world.lines()[2].customer_id == twins[0]
    [said] = run.said("twins")
    assert "row 3" in said
    assert twins[1] in said


def test_a_stranger_with_the_same_email_and_time_keeps_a_doubt_open(tmp_path: Path) -> None:
    world = World(tmp_path, people(5))
    world.stripe.misbehave = _to_her(Fault("reset", acts=False))
    assert world.run(pacing=FOUR_TRIES).exit_code == 6
    world.stripe.misbehave = None
    stranger = world.stranger(HER)
    world.wait(25 * 3600.0)
    run = world.run()
    assert run.exit_code == 6
    assert check_promises(world, run) == {"created": 4, "in_doubt": 1}
    assert stranger in str(world.lines()[2].error_message)
    assert "metadata" in str(world.lines()[2].error_message)
    assert not run.creates()


# A list that does not show what it should must never prove that somebody is not there.


def _blind(arrival: Arrival, *, to: str) -> bool:
    """Whether a list is one of those that are to show nobody: those by e-mail, or those of a window of time."""
    return arrival.endpoint == "list" and ("email" in arrival.params) == (to == "emails")


@pytest.mark.parametrize(("rows", "to"), [(20, "emails"), (60, "times")])
def test_absence_takes_both_a_list_by_email_and_one_of_the_time(tmp_path: Path, rows: int, to: str) -> None:
    world = World(tmp_path, people(rows))
    assert world.run(kill=Kill("send", "after", 12), batch_size=60).killed
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    nobody = Distorted(lambda body: {**body, "data": []})
    world.stripe.misbehave = lambda a: nobody if _blind(a, to=to) else None
    run = world.run(batch_size=60)
    assert check_promises(world, run) == {"created": rows}


CHARGE = {"object": "charge", "id": "ch_1"}


@pytest.mark.parametrize(
    ("shown", "more"),
    [
        ([], True), ([{"object": "customer"}], True), ([CHARGE], False), (["a", 3, None], False), (None, False),
        ([], None), ([], "true"),
    ],
    ids=["empty", "without an id", "charges", "texts", "null", "no word of more", "more in words"],
)  # fmt: skip
def test_a_list_that_is_none_or_does_not_go_on_proves_nothing(tmp_path: Path, shown: object, more: object) -> None:
    world = World(tmp_path, people(10))
    assert world.run(kill=Kill("send", "after", 8)).killed
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    cut = Distorted(lambda body: {**body, "data": shown, "has_more": more})
    world.stripe.misbehave = lambda a: cut if a.endpoint == "list" else None
    run = world.run()
    assert run.exit_code == 4
    assert not run.creates()
    world.stripe.misbehave = None
    again = world.run()
    assert check_promises(world, again) == {"created": 10}


def test_a_list_of_the_other_mode_stops_the_run(tmp_path: Path) -> None:
    world = World(tmp_path, people(10))
    assert world.run(kill=Kill("send", "after", 8)).killed
    world.wait(25 * 3600.0)
    world.stripe.account.forget_keys()
    stranger = {"id": "cus_Live", "object": "customer", "livemode": True, "created": 1, "email": None, "metadata": {}}
    live = Distorted(lambda body: {**body, "data": [stranger]})
    world.stripe.misbehave = lambda a: live if a.endpoint == "list" else None
    run = world.run()
    assert run.exit_code == 4
    assert "mode" in str(run.ended.error if run.ended else "")
    assert not run.creates()


@pytest.mark.parametrize(
    ("rested", "dedupe", "looks"),
    [(0.0, "auto", False), (3.0, "auto", True), (60.0, "off", False), (3600.0, "off", True)],
    ids=["at once", "after seconds", "nobody is looked for", "after an hour"],
)
def test_claims_that_rested_are_not_sent_again_to_people_who_signed_up_meanwhile(
    tmp_path: Path, rested: float, dedupe: str, *, looks: bool
) -> None:
    world = World(tmp_path, people(10))
    pacing = Pacing(rate=20.0, concurrency=16)
    assert world.run(kill=Kill("send", "before", 8), batch_size=10, pacing=pacing, dedupe=dedupe).killed
    made = {customer["email"] for customer in world.stripe.account.customers.values()}
    unsent, *others = [c for c in world.claims() if c.email not in made]
    world.wait(rested)
    if looks:
        world.stranger(str(unsent.email))
        world.wait(1.0)
    run = world.run(dedupe=dedupe)
    assert ("resume" in dict(run.notices)) is looks
    if not looks:
        assert check_promises(world, run) == {"created": 10}
        return
    assert run.exit_code == 6
    assert world.tally() == {"created": 9, "in_doubt": 1}
    assert "does not carry our marker" in str(world.lines()[unsent.row - 1].error_message)
    emails = [customer["email"] for customer in world.stripe.account.customers.values()]
    assert emails.count(unsent.email) == 1, "the person was made a second time"
    assert len(run.creates()) == len(others), "what was carried out before was found, and not sent again"


@pytest.mark.parametrize("rested", [10.0, 1000.0, 24 * 3600.0])
def test_however_many_claims_rest_they_are_listed_once_and_judged_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rested: float
) -> None:
    world = World(tmp_path, people(60))
    pacing = Pacing(rate=100.0, concurrency=30)
    assert world.run(kill=Kill("send", "before", 35), batch_size=60, pacing=pacing, dedupe="snapshot").killed
    world.wait(rested)
    signed_up = world.stranger("person50@example.com")
    monkeypatch.setattr("bulk_import.job.doubts.PIECE", 7)
    most, claims = 0, Reader.claims

    def counted(reader: Reader, statuses: Sequence[Status], after: int = 0, count: int = -1) -> list[Claim]:
        nonlocal most
        found = claims(reader, statuses, after, count)
        most = max(most, len(found))
        return found

    monkeypatch.setattr(Reader, "claims", counted)
    run = world.run(pacing=pacing, dedupe="snapshot")
    assert most <= 7
    assert world.tally() == {"created": 59, "in_doubt": 1}
    emails = Counter(customer["email"] for customer in world.stripe.account.customers.values())
    assert set(emails.values()) == {1}
    assert signed_up in str(world.lines()[49].error_message)
    whole = [a for a in run.arrivals if a.endpoint == "list" and "email" not in a.params]
    assert len(whole) <= 3


def test_who_signs_up_while_claims_of_a_dead_run_go_out_again_slowly_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bulk_import.job.doubts.PIECE", 3)
    world = World(tmp_path, people(20))
    pacing = Pacing(rate=20.0, concurrency=2)
    assert world.run(kill=Kill("send", "before", 4), batch_size=20, pacing=pacing, dedupe="snapshot").killed
    world.wait(30.0)

    def sign_up(arrival: Arrival) -> None:
        if arrival.endpoint == "create" and arrival.email == "person3@example.com":
            world.strangers.add(world.stripe.create("person18@example.com", EPOCH + arrival.at))

    world.stripe.misbehave = sign_up
    world.run(pacing=Pacing(rate=0.02, concurrency=2), dedupe="snapshot")
    emails = Counter(customer["email"] for customer in world.stripe.account.customers.values())
    assert set(emails.values()) == {1}
    assert world.status(18) == "in_doubt"


def test_a_row_that_nothing_identifies_is_never_sent_under_another_key(tmp_path: Path) -> None:
    world = World(tmp_path, ["Nobody One", "Nobody Two"], header="name")
    world.stripe.misbehave = lambda a: Fault("500", acts=True) if a.endpoint == "create" and a.nth == 1 else None
    run = world.run(marker=False, allow_no_email=True)
    assert run.exit_code == 6
    assert len(world.stripe.account.customers) == 2
    assert len(run.creates()) == 3
    assert "metadata" in str(world.lines()[0].error_message)


@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no marker"])
def test_a_ledger_put_back_from_a_backup_believes_no_stored_answer_for_customers_deleted_since(
    tmp_path: Path, marker: bool
) -> None:
    world = World(tmp_path, people(40))
    assert world.run(kill=Kill("send", "after", 12), marker=marker).killed
    backup = {path: path.read_bytes() for path in tmp_path.glob(f"{world.ledger.name}*")}
    settled = {line.customer_id for line in world.lines()} - {None}
    assert len(settled) < 20
    world.run(marker=marker)
    for customer in list(world.stripe.account.customers):
        world.stripe.delete(customer, EPOCH + world.seconds)
    for path, held in backup.items():
        path.write_bytes(held)
    world.wait(3600.0)
    assert world.run(marker=marker).exit_code == 0
    there = set(world.stripe.account.customers)
    assert {line.customer_id for line in world.lines()} == settled | there
    assert len(there) == 40 - len(settled)
