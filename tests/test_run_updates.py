"""`--on-existing update`: who is there is made as the file says, nothing is lost, whatever dies half-way."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_import.image import Image
from bulk_import.ledger import Pairings, open_for_reading
from bulk_import.options import Pacing
from bulk_import.restore import Todo, judge
from bulk_import.simulator import Fault
from bulk_import.simulator.faults import Canned
from tests.virtual_run import SALT, Kill, Run, World, check_promises
from tests.virtual_stripe import EPOCH, Arrival, Distorted, Trouble, VirtualStripe, refused

ALONE = Pacing(rate=20.0, concurrency=1)
HEADER = "email,name,metadata.plan,payment_method,tax_id_data.0.type,tax_id_data.0.value,phone"
KEPT = {"metadata": {"crm": "7", "plan": "old"}, "address": {"city": "Bern"}, "description": "VIP", "phone": "+41 1"}


def row(number: int) -> str:
    """A new name, a merged key, a new payment method, a tax id, and a blank cell that clears nothing."""
    return f"p{number}@example.com,New {number},gold,pm_New{number:06d},eu_vat,DE12345678{number % 10},"


def world_of(tmp_path: Path, count: int = 6, **more: Any) -> World:
    """People who are there already, each with a field the file does not name."""
    world = World(tmp_path, [row(n) for n in range(1, count + 1)], VirtualStripe(), header=HEADER, **more)
    for n in range(1, count + 1):
        world.stranger(f"p{n}@example.com", name=f"Old {n}", **KEPT)
    world.wait(60.0)
    return world


def world_of_shared(tmp_path: Path, count: int) -> World:
    """The same people, whose rows all hold one shared test method: each attaching makes another one of it."""
    rows = [row(n).replace(f"pm_New{n:06d}", "pm_card_visa") for n in range(1, count + 1)]
    world = World(tmp_path, rows, VirtualStripe(), header=HEADER)
    for n in range(1, count + 1):
        world.stranger(f"p{n}@example.com", **KEPT)
    world.wait(60.0)
    return world


def update(world: World, kill: Kill | None = None, **changes: Any) -> Run:
    return world.run(kill=kill, dedupe="snapshot", on_existing="update", **changes)


def check_everybody(world: World) -> None:
    """Each customer is as the file says, and holds what the file does not name."""
    for record in (record for _, record in world.stripe.account.records()):
        shown = world.stripe.account.customers[record.id]
        number = int(shown["email"].removeprefix("p").partition("@")[0])
        method = f"pm_New{number:06d}"
        assert shown["name"] == f"New {number}"
        assert shown["metadata"] == {"crm": "7", "plan": "gold"}, "merged, and no marker of ours"
        assert shown["invoice_settings"]["default_payment_method"] == method
        assert record.methods == (method,)
        assert [(t["type"], t["value"]) for t in record.tax_ids] == [("eu_vat", f"DE12345678{number % 10}")]
        assert (shown["description"], shown["phone"], shown["address"]["city"]) == ("VIP", "+41 1", "Bern")


def test_an_update_sends_what_differs_and_loses_nothing(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    run = update(world)
    assert check_promises(world, run) == {"updated": 6}
    check_everybody(world)
    sent = Counter(a.endpoint for a in run.arrivals)
    assert sent == {
        "account": 1,
        "list": 2,
        "retrieve": 6,
        "retrieve_method": 6,
        "attach": 6,
        "update": 6,
        "tax_ids": 6,
    }
    bodies = [set(a.params) for a in run.arrivals if a.endpoint == "update"]
    expected = {"name", "metadata[plan]", "invoice_settings[default_payment_method]"}
    assert all(body == expected for body in bodies)


def test_where_nothing_differs_nothing_is_sent_and_the_line_says_so(tmp_path: Path) -> None:
    first = world_of(tmp_path)
    update(first)
    second = World(tmp_path, [row(n) for n in range(1, 7)], first.stripe, name="b", header=HEADER)
    second.seconds = first.seconds + 60
    run = update(second)
    assert second.tally() == {"existing": 6}
    assert {a.method for a in run.arrivals} == {"GET"}
    assert "nothing differs" in str(second.lines()[0].error_message)


def test_of_several_the_oldest_is_updated_and_the_line_says_so(tmp_path: Path) -> None:
    world = world_of(tmp_path, 2)
    world.stranger("P1@example.com", name="Younger")
    world.wait(60.0)
    run = update(world)
    assert world.tally() == {"updated": 2}
    assert run.exit_code == 0
    names = Counter(c["name"] for c in world.stripe.account.customers.values())
    assert names == {"New 1": 1, "New 2": 1, "Younger": 1}
    assert "2 customers" in str(world.lines()[0].error_message)


@pytest.mark.parametrize("what", ["commit", "send"])
@pytest.mark.parametrize("moment", ["before", "after"])
def test_killed_at_any_point_and_resumed_everybody_is_as_the_file_says(tmp_path: Path, what: Any, moment: Any) -> None:
    (tmp_path / "whole").mkdir()
    run = update(world_of(tmp_path / "whole", 2), batch_size=1)
    points = run.commits if what == "commit" else run.sends
    for nth in range(1, points + 1):
        folder = tmp_path / f"{what}{nth}"
        folder.mkdir()
        world = world_of(folder, 2)
        first = update(world, Kill(what, moment, nth), batch_size=1)
        last = update(world, batch_size=1) if first.killed else first
        assert check_promises(world, last, again=False) == {"updated": 2}, f"{what} {nth}"
        check_everybody(world)
        assert images_of(world) == {n: f"Old {n}" for n in (1, 2)}, "a later reading replaced what was there"


def images_of(world: World) -> dict[int, Any]:
    """The former name of each row's customer, as the ledger holds it for an undo."""
    return {row: image.before["name"] for row, image in whole_images(world).items()}


def whole_images(world: World) -> dict[int, Image]:
    """Everything that the ledger holds for an undo, by row."""
    db = open_for_reading(world.ledger)
    try:
        return {image.row: image for image in Pairings(db, world.ledger, lambda: 0.0).images(0, 100)}
    finally:
        db.close()


@pytest.mark.parametrize("endpoint", ["attach", "update", "tax_ids"])
@pytest.mark.parametrize("name", ["500", "act-then-drop", "reset", "truncate"])
def test_trouble_with_any_step_is_settled_by_the_same_key_or_by_reading_the_target(
    tmp_path: Path, endpoint: str, name: str
) -> None:
    for acts in (True, False) if name == "500" else (True,):
        folder = tmp_path / f"{acts}"
        folder.mkdir()
        world = world_of(folder, 3)
        fault = Fault(name, acts=acts)
        world.stripe.misbehave = lambda a, f=fault: f if a.endpoint == endpoint and a.nth == 2 else None
        run = update(world)
        assert run.exit_code == 0, world.lines()
        assert check_promises(world, run) == {"updated": 3}
        check_everybody(world)


def test_that_a_method_is_attached_to_this_customer_already_is_no_refusal(tmp_path: Path) -> None:
    world = world_of(tmp_path, 1)
    trouble: dict[tuple[str, int], Trouble] = {
        ("attach", 1): Fault("act-then-drop", acts=True),
        ("attach", 2): refused(400, "payment_method_unexpected_state"),
    }
    world.stripe.misbehave = lambda a: trouble.get((a.endpoint, a.nth))
    assert check_promises(world, update(world)) == {"updated": 1}
    check_everybody(world)


@pytest.mark.parametrize(
    "hidden", [refused(404, None), Canned(404, "<html>nothing here</html>", {}, "text/html")], ids=["refused", "bare"]
)
@pytest.mark.parametrize(("attaches", "left"), [(True, {"updated": 1}), (False, {"failed": 1})])
def test_a_method_is_attached_where_no_address_shows_it(
    tmp_path: Path, hidden: Trouble, attaches: bool, left: dict[str, int]
) -> None:
    world = world_of(tmp_path, 1)
    unknown = refused(404, None)
    world.stripe.misbehave = lambda a: (
        hidden if a.method == "GET" and "/payment_methods" in a.path
        else unknown if a.endpoint == "attach" and not attaches else None
    )  # fmt: skip
    assert check_promises(world, update(world)) == left


def test_a_customer_who_was_deleted_meanwhile_fails_with_advice_and_retry_makes_them_anew(tmp_path: Path) -> None:
    world = world_of(tmp_path, 2)
    target = next(i for i, c in world.stripe.account.customers.items() if c["email"] == "p2@example.com")

    def delete(arrival: Any) -> None:
        if arrival.endpoint == "attach" and arrival.nth == 2 and target in world.stripe.account.customers:
            world.stripe.delete(target, EPOCH + arrival.at)

    world.stripe.misbehave = delete
    run = update(world, pacing=ALONE)
    world.strangers.discard(target)
    assert world.tally() == {"updated": 1, "failed": 1}
    assert run.exit_code == 1
    failed = next(line for line in world.lines() if line.status == "failed")
    assert "deleted since it was found; retry" in str(failed.error_message)
    world.stripe.misbehave = None
    world.wait(10.0)
    assert update(world, retry=True).exit_code == 0
    assert world.tally() == {"updated": 1, "created": 1}


def test_a_declined_card_changes_nothing_and_fails_the_row(tmp_path: Path) -> None:
    world = world_of(tmp_path, 2)
    world.stripe.misbehave = lambda a: (
        refused(402, "card_declined", kind="card_error") if a.endpoint == "attach" and a.nth == 1 else None
    )
    run = update(world, pacing=ALONE)
    assert check_promises(world, run) == {"updated": 1, "failed": 1}
    left = next(line for line in world.lines() if line.status == "failed")
    assert next(c for c in world.stripe.account.customers.values() if c["email"] == left.email)["name"].startswith(
        "Old"
    )


@pytest.mark.parametrize("shows", [True, False], ids=["listed", "not to be listed"])
def test_a_shared_test_method_whose_attaching_was_answered_by_a_stored_500_is_found_and_not_attached_again(
    tmp_path: Path, shows: bool
) -> None:
    world = world_of_shared(tmp_path, 2)
    hidden = None if shows else refused(404, "resource_missing")
    world.stripe.misbehave = lambda a: (
        Fault("500", acts=True)
        if (a.endpoint, a.nth) == ("attach", 1)
        else hidden
        if a.endpoint == "list_methods"
        else None
    )
    assert check_promises(world, update(world)) == {"updated": 2}
    held = [record.methods for _, record in world.stripe.account.records()]
    assert sorted(len(methods) for methods in held) == ([1, 1] if shows else [1, 2])
    for _, record in world.stripe.account.records():
        assert record.fields["invoice_settings"]["default_payment_method"] in record.methods
    known = {image.attached for image in whole_images(world).values()}
    assert known <= {one for methods in held for one in methods}
    assert None not in known, "an undo would not know what to detach"


def test_a_shared_test_method_is_attached_once_however_often_the_process_dies(tmp_path: Path) -> None:
    for nth in range(1, 40):
        folder = tmp_path / str(nth)
        folder.mkdir()
        world = world_of_shared(folder, 2)
        killed = update(world, Kill("send", "after", nth)).killed
        assert check_promises(world, update(world), again=False) == {"updated": 2}
        for _, record in world.stripe.account.records():
            default = record.fields["invoice_settings"]["default_payment_method"]
            assert record.methods == (default,), "attached twice, or the default is another one"
        assert {i.attached for i in whole_images(world).values()} == {
            record.methods[0] for _, record in world.stripe.account.records()
        }, "an undo would not know what to detach"
        if not killed:
            return
    raise AssertionError("the run never came to its end")


def test_an_update_whose_key_is_too_old_is_settled_from_its_target(tmp_path: Path) -> None:
    for nth in range(5, 23, 3):
        folder = tmp_path / str(nth)
        folder.mkdir()
        world = world_of(folder, 4)
        assert update(world, Kill("send", "after", nth)).killed
        world.wait(24 * 3600.0)
        world.stripe.account.forget_keys()
        assert check_promises(world, update(world), again=False) == {"updated": 4}
        check_everybody(world)
        assert images_of(world) == {n: f"Old {n}" for n in range(1, 5)}


def test_what_failed_half_way_and_was_retried_can_still_be_put_back_whole(tmp_path: Path) -> None:
    world = world_of(tmp_path, 2)
    world.stripe.misbehave = lambda a: refused(400, "tax_id_invalid") if a.endpoint == "tax_ids" else None
    update(world)
    assert world.tally() == {"failed": 2}
    assert "what was sent before it stays, and undo takes it back" in str(world.lines()[0].error_message)
    assert images_of(world) == {1: "Old 1", 2: "Old 2"}
    world.stripe.misbehave = None
    run = update(world, retry=True)
    assert world.tally() == {"updated": 2}
    assert Counter(a.endpoint for a in run.arrivals)["update"] == 0, "only what was left was sent"
    check_everybody(world)
    assert images_of(world) == {1: "Old 1", 2: "Old 2"}
    for image in whole_images(world).values():
        shown = world.stripe.account.customers[image.target]
        tax_ids = next(r.tax_ids for _, r in world.stripe.account.records() if r.id == image.target)
        shown = {**shown, "tax_ids": {"data": list(tax_ids)}, "subscriptions": {"data": []}}
        todo = judge(image, shown, bytes.fromhex(SALT), attached=True)
        assert isinstance(todo, Todo)
        assert todo.parts["metadata[plan]"] == "old"
        assert todo.tax_ids == (tax_ids[0]["id"],)
        assert todo.detach == f"pm_New{image.row:06d}"


@pytest.mark.parametrize("marker", [True, False])
def test_who_is_not_there_is_made_anew_beside_the_updates(tmp_path: Path, marker: bool) -> None:
    world = World(tmp_path, [row(1), row(2)], VirtualStripe(), header=HEADER)
    world.stranger("p1@example.com", name="Old 1", **KEPT)
    world.wait(60.0)
    assert check_promises(world, update(world, marker=marker)) == {"updated": 1, "created": 1}


def test_a_customer_with_our_own_marker_is_adopted_and_not_updated(tmp_path: Path) -> None:
    world = World(tmp_path, [row(1)], VirtualStripe(), header=HEADER)
    world.stranger("p1@example.com", name="Ours", metadata={"bulk_import": f"{world.token}:1:0"})
    world.wait(60.0)
    update(world)
    assert world.tally() == {"existing": 1}
    assert [c["name"] for c in world.stripe.account.customers.values()] == ["Ours"]


def died_after_an_update(folder: Path, made: Callable[[Path], World], *, acted: bool) -> tuple[World, Run]:
    """A world whose process died right after it had sent the first update; unless *acted*, that never reached Stripe."""
    for nth in range(1, 30):
        (folder / f"{nth}").mkdir()
        world = made(folder / f"{nth}")
        if not acted:
            world.stripe.misbehave = lambda a: Fault("refuse", acts=False) if a.endpoint == "update" else None
        run = update(world, Kill("send", "after", nth), pacing=ALONE)
        world.stripe.misbehave = None
        world.stripe.land(EPOCH + world.seconds)
        if run.arrivals[-1].endpoint == "update":
            assert run.killed
            return world, run
    raise AssertionError("no run ever came to an update")


@pytest.mark.parametrize("acted", [False, True])
def test_what_a_person_changed_before_a_resume_is_what_an_undo_brings_back(tmp_path: Path, acted: bool) -> None:
    """The update was claimed and sent, and the process died: whether Stripe acted on it or not, the person came after."""
    world, run = died_after_an_update(tmp_path, lambda folder: world_of(folder, 2), acted=acted)
    target = run.arrivals[-1].path.rsplit("/", 1)[-1]
    world.stripe.change(target, EPOCH + world.seconds, name="Eve", phone="+41 2")
    assert check_promises(world, update(world), again=False) == {"updated": 2}
    image = next(i for i in whole_images(world).values() if i.target == target)
    assert image.before["name"] == "Eve"
    now = world.stripe.account.customers[target]
    assert (now["name"], now["phone"]) == (f"New {image.row}", "+41 2")
    assert image.before["metadata[plan]"] == "old", "what we wrote ourselves is no before-image"


@pytest.mark.parametrize("acted", [False, True])
def test_whoever_got_another_email_before_a_resume_is_not_the_rows_any_more(tmp_path: Path, acted: bool) -> None:
    def with_tax_id(folder: Path) -> World:
        header = "email,name,tax_id_data.0.type,tax_id_data.0.value"
        world = World(folder, ["p1@example.com,New,eu_vat,DE123456789"], VirtualStripe(), header=header)
        world.stranger("p1@example.com", name="Old")
        world.wait(60.0)
        return world

    world, _ = died_after_an_update(tmp_path, with_tax_id, acted=acted)
    ((_, record),) = world.stripe.account.records()
    world.stripe.change(record.id, EPOCH + world.seconds, email="somebody.else@example.com")
    assert update(world).exit_code == 1
    name = "New" if acted else "Old"
    ((_, record),) = world.stripe.account.records()
    assert (world.stripe.account.customers[record.id]["name"], record.tax_ids) == (name, ())
    (line,) = world.lines()
    assert (line.status, line.error_param) == ("failed", "email")
    assert "another e-mail by now" in str(line.error_message)
    world.wait(10.0)
    assert update(world, retry=True).exit_code == 0
    assert world.tally() == {"created": 1}
    names = {c["email"]: c["name"] for c in world.stripe.account.customers.values()}
    assert names == {"somebody.else@example.com": name, "p1@example.com": "New"}
    (image,) = whole_images(world).values()
    assert (image.target, image.before["name"]) == (record.id, "Old"), "what was sent can be put back"


def test_a_cell_that_a_person_changed_before_a_resume_is_not_lost_with_an_object_that_is_sent_whole(
    tmp_path: Path,
) -> None:
    def moved_to_basel(folder: Path) -> World:
        world = World(folder, ["p1@example.com,Basel"], VirtualStripe(), header="email,address.city")
        world.stranger("p1@example.com", address={"city": "Bern", "line1": "Way 1"})
        world.wait(60.0)
        return world

    world, _ = died_after_an_update(tmp_path, moved_to_basel, acted=False)
    (customer,) = world.stripe.account.customers.values()
    moved = {name: cell for name, cell in customer["address"].items() if cell} | {"line1": "Way 2"}
    world.stripe.change(customer["id"], EPOCH + world.seconds, address=moved)
    assert check_promises(world, update(world), again=False) == {"updated": 1}
    (now,) = world.stripe.account.customers.values()
    assert (now["address"]["city"], now["address"]["line1"]) == ("Basel", "Way 2")
    assert whole_images(world)[1].before["address"]["line1"] == "Way 2"


@pytest.mark.parametrize("nth", [1, 2])
def test_a_customer_shown_without_an_id_is_asked_for_again_and_is_no_absence(tmp_path: Path, nth: int) -> None:
    world = world_of(tmp_path, 3)

    def without_id(body: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in body.items() if name != "id"}

    world.stripe.misbehave = lambda a: Distorted(without_id) if (a.endpoint, a.nth) == ("retrieve", nth) else None
    assert check_promises(world, update(world)) == {"updated": 3}
    check_everybody(world)


def test_more_metadata_than_a_customer_may_have_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path, ["p1@example.com,gold,x"], VirtualStripe(), header="email,metadata.k1,metadata.plan")
    world.stranger("p1@example.com", metadata={f"k{n}": "v" for n in range(50)})
    world.wait(60.0)
    run = update(world)
    assert {a.method for a in run.arrivals} == {"GET"}
    (line,) = world.lines()
    assert (line.status, line.error_param) == ("failed", "metadata")
    assert "51 keys of metadata" in str(line.error_message)


@pytest.mark.parametrize("how", ["gone", "slow"])
def test_what_a_person_changed_while_an_update_waited_for_its_first_attempt_is_read_before_it_is_sent(
    tmp_path: Path, how: str
) -> None:
    """An outage, or a low rate: claimed, and first sent minutes later."""
    world = world_of(tmp_path, 12)
    began = world.seconds
    changed: set[str] = set()

    def eve(arrival: Any) -> None:
        if arrival.at < began + 200.0 or changed:
            return
        for customer in world.stripe.account.customers.values():
            if customer["name"].startswith("Old"):
                changed.add(customer["id"])
                world.stripe.change(customer["id"], EPOCH + arrival.at, name="Eve")

    world.stripe.misbehave = eve
    if how == "gone":
        world.stripe.gone = (began + 2.5, began + 300.0)
        run = update(world, batch_size=12, pacing=Pacing(rate=10.0, concurrency=4))
    else:
        run = update(world, batch_size=12, pacing=Pacing(rate=0.1, concurrency=4))
    assert check_promises(world, run, again=False) == {"updated": 12}
    check_everybody(world)
    images = {image.target: image.before["name"] for image in whole_images(world).values()}
    assert len(changed) >= 4
    assert {images[customer] for customer in changed} == {"Eve"}


@pytest.mark.parametrize("killed", [True, False])
@pytest.mark.parametrize("lost", ["unanswered", "out of reach"])
def test_what_a_person_changed_while_an_update_that_may_have_been_sent_waited_is_read_before_it_is_sent_again(
    tmp_path: Path, lost: str, *, killed: bool
) -> None:
    world = world_of(tmp_path, 8)
    pacing = Pacing(rate=20.0, concurrency=2)
    if killed:
        assert update(world, Kill("send", "before", 24), batch_size=8, pacing=pacing).killed
        world.wait(60.0)
    began: list[float] = []
    changed: set[str] = set()

    def eve(at: float) -> None:
        for customer in world.stripe.account.customers.values():
            if customer["name"].startswith("Old"):
                changed.add(customer["id"])
                world.stripe.change(customer["id"], EPOCH + at, name="Eve")

    def trouble(arrival: Arrival) -> Trouble | None:
        if arrival.endpoint == "attach" and not began:
            began.append(arrival.at)
            asyncio.get_running_loop().call_later(590.0, lambda: eve(arrival.at + 590.0))
            if lost == "out of reach":
                world.stripe.gone = (arrival.at + 0.01, arrival.at + 600.0)
        if began and lost == "unanswered" and arrival.at < began[0] + 600.0:
            return Fault("reset", acts=False)
        return None

    world.stripe.misbehave = trouble
    run = update(world, batch_size=8, pacing=pacing)
    assert check_promises(world, run, again=False) == {"updated": 8}
    check_everybody(world)
    images = {image.target: image.before["name"] for image in whole_images(world).values()}
    assert len(changed) >= 4
    assert {images[customer] for customer in changed} == {"Eve"}
