"""An undo that was cut short: nothing the ledger says of its rows is believed before their customers were looked at."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from bulk_import.ledger import Pairings, open_for_reading, open_for_writing
from tests.cli_calls import Program, calling
from tests.test_run_updates import KEPT, update, world_of
from tests.virtual_run import World, check_promises, people
from tests.virtual_stripe import EPOCH, VirtualStripe


def begin(world: World, rows: Sequence[int]) -> dict[int, str]:
    """An undo notes that it sets out to take these rows back, and dies; the customers of all rows."""
    customers = {line.row: line.customer_id or "" for line in world.lines()}
    db = open_for_writing(world.ledger)
    Pairings(db, world.ledger, time.time).begin_undo([(row, customers[row]) for row in rows])
    db.close()
    return customers


def begun(world: World) -> list[int]:
    db = open_for_reading(world.ledger)
    try:
        return [p.row for p in Pairings(db, world.ledger, time.time).begun(0, 100)]
    finally:
        db.close()


def put_back(world: World, customer: str, **fields: Any) -> None:
    """What the dead undo had sent for one updated customer."""
    world.stripe.change(customer, EPOCH + world.seconds, **fields)


def test_who_was_deleted_is_made_again_and_who_is_there_stays(tmp_path: Path) -> None:
    world = World(tmp_path, people(6), VirtualStripe())
    world.run()
    before = begin(world, [1, 2, 3, 4])
    for number in (2, 4):
        world.stripe.delete(before[number], EPOCH + world.seconds)
    run = world.run()
    assert check_promises(world, run) == {"created": 6}
    after = {line.row: line.customer_id for line in world.lines()}
    assert {n for n in after if after[n] != before[n]} == {2, 4}
    assert set(after.values()) == set(world.stripe.account.customers), "the ledger names somebody who is not there"
    assert begun(world) == []


def test_a_delete_that_is_still_on_its_way_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path, people(2), VirtualStripe())
    world.run()
    before = begin(world, [1, 2])

    def late(arrival: Any) -> None:
        if arrival.at > world.seconds + 20 and before[1] in world.stripe.account.customers:
            world.stripe.delete(before[1], EPOCH + arrival.at)

    world.stripe.misbehave = late
    run = world.run()
    assert check_promises(world, run) == {"created": 2}
    assert len(world.stripe.account.customers) == 2
    assert any("waiting" in said for said in run.said("undo"))


HALFWAY: list[Callable[[World, str], None]] = [
    lambda world, customer: put_back(world, customer, name="Old 1"),
    lambda world, customer: put_back(world, customer, metadata={"crm": "7", "plan": "old"}),
]


@pytest.mark.parametrize("undone", HALFWAY)
def test_who_was_put_back_in_part_is_updated_again_and_can_still_be_put_back_whole(
    tmp_path: Path, undone: Callable[[World, str], None]
) -> None:
    world = world_of(tmp_path, 2)
    update(world)
    customers = begin(world, [1, 2])
    undone(world, customers[1])
    run = update(world)
    assert check_promises(world, run, again=False) == {"updated": 2}
    shown = world.stripe.account.customers[customers[1]]
    assert (shown["name"], shown["metadata"]["plan"]) == ("New 1", "gold")
    assert begun(world) == []
    db = open_for_reading(world.ledger)
    images = {image.row: image for image in Pairings(db, world.ledger, time.time).images(0, 100)}
    db.close()
    assert (images[1].before["name"], images[1].before["metadata[plan]"]) == ("Old 1", "old")
    assert images[1].method == "pm_New000001"


def test_who_is_wholly_as_before_is_updated_again(tmp_path: Path) -> None:
    world = World(tmp_path, ["p1@example.com,New 1"], VirtualStripe(), header="email,name")
    world.stranger("p1@example.com", name="Old 1", **KEPT)
    world.wait(60.0)
    update(world)
    put_back(world, begin(world, [1])[1], name="Old 1")
    assert check_promises(world, update(world), again=False) == {"updated": 1}
    assert [c["name"] for c in world.stripe.account.customers.values()] == ["New 1"]


def test_an_updated_customer_whom_somebody_deleted_is_not_called_put_back(tmp_path: Path) -> None:
    world = World(tmp_path, ["p1@example.com,New 1"], VirtualStripe(), header="email,name")
    world.stranger("p1@example.com", name="Old 1", **KEPT)
    world.wait(60.0)
    update(world)
    gone = begin(world, [1])[1]
    db = open_for_writing(world.ledger)
    pairings = Pairings(db, world.ledger, time.time)
    pairings.settle_restored([], [], gone=[(1, gone)])
    assert pairings.images(0, 100) == []
    db.close()
    assert begun(world) == []
    assert [(line.status, line.error_message) for line in world.lines()] == [
        ("pending", f"undone: {gone} was deleted by somebody")
    ]


@pytest.mark.parametrize("command", ["status", "export"])
def test_whoever_asks_the_ledger_meanwhile_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    call: Program = calling(capsys, monkeypatch)
    world = World(tmp_path, people(2), VirtualStripe())
    world.run()
    said = call(command, world.ledger)
    assert "undo" not in said.err
    begin(world, [1, 2])
    said = call(command, world.ledger)
    assert said.code == 0
    assert "an undo was cut short: 2 rows" in said.err
    assert f"bulk-import undo {world.ledger}" in said.err
