"""A retry with mended fields that is killed anywhere: nothing of them is lost, and the ledger alone goes on with them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest

from bulk_import.ledger import MENDED, Reader, open_for_reading
from bulk_import.options import Pacing
from tests.virtual_run import Kill, Moment, Run, World, check_promises, people
from tests.virtual_stripe import Arrival, Trouble, VirtualStripe, refused

REFUSED = {"person2@example.com", "person3@example.com", "person4@example.com"}
ROWS = [
    *people(4),
    "PERSON2@example.com,Second of two",
    "Person2@example.com,Third of two",
    "person3@Example.com,Second of three",
    "PERSON4@example.com,Second of four",
    "nobody,Five",
]
MENDED_FIELDS = {
    2: {"email": "person2@example.com", "name": "Two, mended"},
    3: {"email": "emil@example.com", "name": "Emil, mended"},
    4: {"email": "person4@example.com", "name": "Four, mended"},
    5: {"email": "dana@example.com", "name": "Dana, mended"},
    8: {"email": "person4@example.com", "name": "Second of four, mended"},
    9: {"email": "nora@example.com", "name": "Nora, mended"},
}
"""Row 2 is mended, one of its two duplicates gets an address of its own, row 3 goes away from its duplicate's."""
PEOPLE = {
    "person1@example.com": "Person 1",
    "person2@example.com": "Two, mended",
    "emil@example.com": "Emil, mended",
    "person4@example.com": "Four, mended",
    "dana@example.com": "Dana, mended",
    "person3@Example.com": "Second of three",
    "nora@example.com": "Nora, mended",
}


def _refusing(arrival: Arrival) -> Trouble | None:
    return refused(400, "email_invalid", "email") if arrival.endpoint == "create" and arrival.email in REFUSED else None


def _alike(arrival: Arrival) -> Trouble | None:
    return refused(400, "email_invalid", "email") if arrival.endpoint == "create" else None


def _with_failures(folder: Path, seed: int = 0, *, hashed: bool = False) -> World:
    folder.mkdir()
    world = World(folder, ROWS, VirtualStripe(seed=seed))
    world.stripe.misbehave = _refusing
    assert world.run(hash_emails=hashed).exit_code == 1
    assert world.tally() == {"created": 1, "failed": 3, "duplicate": 4, "invalid": 1}
    world.stripe.misbehave = None
    return world


def _was_taken_over(world: World) -> bool:
    db = open_for_reading(world.ledger)
    with closing(Reader(db, world.ledger)) as reader:
        return "with" in reader.commands()[-1].facts


def _is_whole(world: World, run: Run) -> None:
    """Everybody is in the account as they were mended; the two that still repeat an address follow."""
    assert run.exit_code == 0
    assert check_promises(world, run) == {"created": 7, "duplicate": 2}
    assert {c["email"]: c["name"] for c in world.stripe.account.customers.values()} == PEOPLE
    lines = world.lines()
    assert (lines[5].duplicate_of, lines[7].duplicate_of) == (2, 4)


@pytest.mark.parametrize("hashed", [False, True])
def test_a_retry_takes_over_all_that_was_mended(tmp_path: Path, hashed: bool) -> None:
    world = _with_failures(tmp_path / "w", hashed=hashed)
    _is_whole(world, world.run(retry=True, mended=MENDED_FIELDS, hash_emails=hashed))


def test_what_a_mended_row_has_beside_the_columns_of_its_source_is_sent_too(tmp_path: Path) -> None:
    world = World(tmp_path, people(2), VirtualStripe())
    world.stripe.misbehave = _alike
    world.run()
    world.stripe.misbehave = None
    fields = {"email": "person1@example.com", "name": "One", "description": "VIP", "remark": "called", "password": "x"}
    address = {"email": "person2@example.com", "name": "Two", "address": {"city": "Bonn"}}
    run = world.run(retry=True, mended={1: fields, 2: address})
    assert check_promises(world, run) == {"created": 2}
    one, two = sorted(world.stripe.account.customers.values(), key=lambda c: c["email"])
    assert (one["description"], one["metadata"]["remark"], two["address"]["city"]) == ("VIP", "called", "Bonn")
    assert "password" not in one["metadata"], "a secret was sent"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("what", ["commit", "send"])
def test_a_retry_killed_anywhere_goes_on_with_what_was_mended(
    tmp_path: Path, what: Literal["commit", "send"], moment: Moment
) -> None:
    for nth in range(1, 60):
        world = _with_failures(tmp_path / str(nth), seed=nth, hashed=bool(nth % 2))
        settings: dict[str, Any] = {"retry": True, "batch_size": 2, "hash_emails": bool(nth % 2)}
        if not world.run(kill=Kill(what, moment, nth), mended=MENDED_FIELDS, **settings).killed:
            assert nth > 7, "the points of a whole retry were numbered"
            return
        if not _was_taken_over(world):
            assert world.tally() == {"created": 1, "failed": 3, "duplicate": 4, "invalid": 1}, "all of it, or none"
            _is_whole(world, world.run(mended=MENDED_FIELDS, **settings))
            continue
        if nth % 3:  # an import that goes on in between settles what was sent, and nothing else
            before = len(world.stripe.account.customers)
            claimed = len(world.claims())
            world.run(hash_emails=settings["hash_emails"])
            assert len(world.stripe.account.customers) <= before + claimed
            assert not {line.status for line in world.lines()} & {"pending", "in_doubt"}
        _is_whole(world, world.run(**settings))
    pytest.fail("the retry never came to its end")


def test_until_they_are_sent_mended_rows_say_so(tmp_path: Path) -> None:
    world = _with_failures(tmp_path / "w")
    assert world.run(kill=Kill("send", "before", 2), retry=True, mended=MENDED_FIELDS, batch_size=1).killed
    left = [line for line in world.lines() if line.error_code == MENDED]
    assert [line.row for line in left] == [3, 4, 5, 7, 9]
    assert {line.status for line in left} == {"failed"}
    assert {line.email for line in left} >= {"emil@example.com", "dana@example.com", "nora@example.com"}
    assert all("not sent yet" in str(line.error_message) for line in left)


MANY = 25
PATIENT = Pacing(rate=20.0, concurrency=8, max_error_share=None)
ONE_BATCH: dict[str, Any] = {"pacing": PATIENT, "batch_size": 30}


def _of_two_kinds(arrival: Arrival) -> Trouble | None:
    return (
        refused(400, ("email_invalid", "tax_id_invalid")[arrival.nth % 2], "x")
        if arrival.endpoint == "create"
        else None
    )


def test_a_run_that_resumes_a_retrys_claims_takes_nothing_back_that_was_mended(tmp_path: Path) -> None:
    world = World(tmp_path, people(MANY))
    world.stripe.misbehave = _of_two_kinds
    assert world.run(pacing=Pacing(rate=20.0, concurrency=1, max_error_share=None)).exit_code == 1
    assert world.tally() == {"failed": MANY}
    mended = {n: {"email": f"mended{n}@example.com", "name": f"Mended {n}"} for n in range(1, MANY + 1)}
    assert world.run(kill=Kill("commit", "after", 3), retry=True, mended=mended, **ONE_BATCH).killed
    assert world.tally() == {"in_doubt": MANY}, "all are claimed, and nothing was sent"
    world.stripe.misbehave = _alike
    run = world.run(**ONE_BATCH)
    assert run.exit_code == 3
    assert "stay failed as they were sent" in str(run.ended and run.ended.error)
    assert set(world.tally()) <= {"failed", "in_doubt"}, "none begins anew with the source's fields"
    world.stripe.misbehave = None
    assert world.run(retry=True, **ONE_BATCH).exit_code == 0
    assert check_promises(world) == {"created": MANY}
    assert {c["name"] for c in world.stripe.account.customers.values()} == {f"Mended {n}" for n in range(1, MANY + 1)}


def test_a_run_that_resumes_its_own_first_claims_still_takes_a_mapping_mistake_back(tmp_path: Path) -> None:
    world = World(tmp_path, people(MANY))
    assert world.run(kill=Kill("commit", "after", 4), **ONE_BATCH).killed
    assert world.tally() == {"in_doubt": MANY}
    world.stripe.misbehave = _alike
    run = world.run(**ONE_BATCH)
    assert run.exit_code == 3
    assert "no row was marked as failed" in str(run.ended and run.ended.error)
    assert world.tally().get("pending", 0) >= 20
    assert "failed" not in world.tally()
    world.stripe.misbehave = None
    assert world.run(**ONE_BATCH).exit_code == 0
    assert check_promises(world) == {"created": MANY}
