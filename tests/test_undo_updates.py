"""`undo` puts updated customers back: what a person sees afterwards is what was there before the import."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from bulk_import.cli.ending import run_program
from bulk_import.engine import Engine
from bulk_import.image import Image, after_of
from bulk_import.ledger import Pairings, open_for_writing
from bulk_import.model import Reply, Request
from bulk_import.restore import Restored, Restorer, Todo, judge
from bulk_import.simulator import Call, Fault
from bulk_import.undo import Known, Left
from tests.by_hand import lines, make, touch
from tests.rig import KEY, Simulated, begun, simulated, tool
from tests.test_end_to_end import wait_for
from tests.virtual_stripe import EPOCH, VirtualStripe
from tests.virtual_time import run_virtual

FAST = ("--rate-limit", "none", "--endpoint-rate-limit", "none")
SALT = bytes(16)
WROTE: dict[str, Any] = {
    "name": "Bea",
    "phone": "2",
    "metadata": {"plan": "gold", "new": "1"},
    "payment_method": "pm_New00001",
    "invoice_settings": {"default_payment_method": "pm_New00001"},
    "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
}
TOKEN = "0123456789abcdef"
DEFAULT = "invoice_settings[default_payment_method]"
BEFORE = {
    "name": "Ann",
    "phone": None,
    "metadata[plan]": "old",
    "metadata[new]": None,
    "payment_method": None,
    "invoice_settings[default_payment_method]": "pm_Old",
    "tax_id_data": None,
}
IMAGE = Image(1, "cus_1", BEFORE, after_of(WROTE, SALT))
SHOWN = {
    **{k: v for k, v in WROTE.items() if k not in ("payment_method", "tax_id_data")},
    "id": "cus_1",
    "subscriptions": {"data": [], "has_more": False},
    "tax_ids": {"data": [{"id": "txi_1", **WROTE["tax_id_data"][0]}, {"id": "txi_2", "type": "eu_vat", "value": "X1"}]},
}
WAS = {"name": "Ann", "metadata": {"plan": "old"}, "invoice_settings": {"default_payment_method": "pm_Old"}}


def judged(*, attached: bool = True, **changes: Any) -> Restored | Todo | Left:
    return judge(IMAGE, {**SHOWN, **changes}, SALT, attached=attached)


def test_what_was_written_is_put_back_and_what_was_added_is_taken_away() -> None:
    parts = {"name": "Ann", "metadata[plan]": "old", "metadata[new]": ""}
    default = {"invoice_settings[default_payment_method]": "pm_Old"}
    assert judged() == Todo({**parts, **default}, ("phone",), ("txi_1",), "pm_New00001")


def test_a_customer_who_is_as_before_needs_nothing() -> None:
    assert judge(IMAGE, WAS, SALT, attached=False) == Restored(by_us=False)


@pytest.mark.parametrize(
    ("part", "changes"),
    [("name", {"name": "Cem"}), ("phone", {"phone": "3"}), ("metadata[plan]", {"metadata": {"plan": "x", "new": "1"}}),
     ("invoice_settings[default_payment_method]", {"invoice_settings": {"default_payment_method": None}})],
)  # fmt: skip
def test_a_part_that_somebody_changed_since_leaves_the_customer_as_it_is(part: str, changes: dict[str, Any]) -> None:
    assert judged(**changes) == Left(f"somebody has changed it since: {part}")


def subscribed(method: str | None, **more: Any) -> dict[str, Any]:
    one = {"id": "sub_1", "status": "active", "default_payment_method": method, "default_source": None}
    return {"data": [{**one, **more}], "has_more": False}


FORMER = {**BEFORE, DEFAULT: None}


@pytest.mark.parametrize(
    ("before", "subscriptions", "why"),
    [
        (BEFORE, subscribed("pm_New00001"), "is what subscription sub_1 charges"),
        (BEFORE, subscribed({"id": "pm_New00001"}), "is what subscription sub_1 charges"),  # type: ignore[arg-type]
        (FORMER, subscribed(None), "is what subscription sub_1 charges"),
        (BEFORE, {"data": [], "has_more": True}, "not all of its subscriptions are shown"),
        (BEFORE, None, "not all of its subscriptions are shown"),
    ],
)
def test_a_method_that_a_subscription_charges_is_never_detached(
    before: dict[str, Any], subscriptions: Any, why: str
) -> None:
    image = Image(1, "cus_1", before, IMAGE.after)
    verdict = judge(image, {**SHOWN, "subscriptions": subscriptions}, SALT, attached=True)
    assert isinstance(verdict, Left)
    assert why in verdict.why
    assert "pm_New00001" in verdict.why


@pytest.mark.parametrize("subscriptions", [subscribed("pm_Other"), subscribed(None), subscribed(None, id="sub_2")])
def test_a_subscription_that_charges_another_method_or_a_former_default_keeps_nothing_from_being_put_back(
    subscriptions: Any,
) -> None:
    assert isinstance(judged(subscriptions=subscriptions), Todo)


def test_a_method_that_somebody_made_the_default_is_never_detached() -> None:
    before = {name: value for name, value in BEFORE.items() if name != DEFAULT}
    verdict = judge(Image(1, "cus_1", before, IMAGE.after), SHOWN, SALT, attached=True)
    assert isinstance(verdict, Left)
    assert "was made the default by somebody since" in verdict.why


def test_what_an_undo_that_died_has_put_back_already_is_not_sent_again() -> None:
    todo = judged(name="Ann", attached=False)
    assert isinstance(todo, Todo)
    assert "name" not in todo.parts
    assert todo.detach is None


@pytest.mark.parametrize("acts", [True, False])
@pytest.mark.parametrize(("endpoint", "nth"), [("update", 1), ("detach", 1), ("delete_tax_id", 1), ("retrieve", 2)])
def test_an_answer_that_says_nothing_is_followed_by_a_look_before_anything_else(
    endpoint: str, nth: int, acts: bool
) -> None:
    stripe = VirtualStripe()
    old, kept = {"default_payment_method": "pm_Old00001"}, {"name": "Ann", "metadata": {"plan": "old"}}
    customer = stripe.create("a@example.com", EPOCH + 1, payment_method="pm_Old00001", invoice_settings=old, **kept)
    before = stripe.account.customers[customer]
    for path, params in written_by_an_update(customer):
        headers = {"authorization": "Bearer sk_test_x"}
        assert stripe.account.handle(Call("POST", path, params, headers), EPOCH + 2).status == 200
    image = Image(
        1, customer, {k: v for k, v in BEFORE.items() if k != "phone"} | {DEFAULT: "pm_Old00001"}, IMAGE.after
    )
    stripe.misbehave = lambda a: Fault("500", acts=acts) if (a.endpoint, a.nth) == (endpoint, nth) else None

    async def ask(request: Request, *, accept: tuple[int, ...] = (), **_: Any) -> Reply:
        while (reply := await stripe.send(request, "sk_test_x", 30.0)).status == 500 and 500 not in accept:
            pass
        return reply

    async def restored() -> object:
        return await Restorer(ask, asyncio.sleep, Known(TOKEN, SALT, livemode=False), stripe.now).restore(image)

    assert run_virtual(restored) == Restored(by_us=True)
    assert stripe.account.customers[customer] == before
    (record,) = (record for _, record in stripe.account.records())
    assert (record.methods, record.tax_ids) == (("pm_Old00001",), ())


def written_by_an_update(customer: str) -> list[tuple[str, dict[str, Any]]]:
    fields = {name: WROTE[name] for name in ("name", "metadata", "invoice_settings")}
    return [
        ("/v1/payment_methods/pm_New00001/attach", {"customer": customer}),
        (f"/v1/customers/{customer}", fields),
        (f"/v1/customers/{customer}/tax_ids", WROTE["tax_id_data"][0]),
    ]


# End to end.

KEPT = {"description": "VIP", "address[city]": "Bern", "metadata[crm]": "7", "metadata[plan]": "old"}


def everybody(server: Simulated) -> dict[str, Any]:
    return {c["email"]: c for c in server.customers()}


def prepared(server: Simulated, folder: Path, count: int) -> Path:
    """People who are there with a card, and a file with a new name, a new card and more metadata for each."""
    rows = []
    for n in range(1, count + 1):
        card = f"pm_Old{n:06d}"
        make(server, email=f"p{n}@example.com", name=f"Old {n}", payment_method=card,
             **{"invoice_settings[default_payment_method]": card}, **KEPT)  # fmt: skip
        rows.append(f"P{n}@example.com,New {n},pm_New{n:06d},gold,blue,")
    source = folder / "people.csv"
    source.write_text("\n".join(["email,name,payment_method,metadata.plan,metadata.team,description", *rows]) + "\n")
    return source


def begun_and_killed(server: Simulated, endpoint: str, count: int, *words: str | Path) -> None:
    """Start a command and kill it once the server has seen *count* requests of one endpoint."""
    with begun(*words) as process:
        wait_for(lambda: sum(arrival["endpoint"] == endpoint for arrival in server.arrivals()) >= count)
        process.send(signal.SIGKILL)
        assert process.ends() == -9, "the command ended before it could be killed"


@pytest.mark.parametrize("count", [12, pytest.param(200, marks=pytest.mark.soak)])
def test_an_update_killed_half_way_resumed_and_undone_loses_nothing(tmp_path: Path, count: int) -> None:
    with simulated(*FAST, "--latency", "20ms") as server:
        source = prepared(server, tmp_path, count)
        ledger = source.with_name("people.csv.ledger.db")
        before = everybody(server)
        run = ("run", source, "--on-existing", "update", "--api-base", server.url, "--rate", "none")
        begun_and_killed(server, "update", count // 2, *run)
        done = tool(*run)
        assert done.returncode == 0, done.stderr
        assert {line.status for line in lines(ledger)} == {"updated"}
        after = everybody(server)
        assert len(after) == count, "the merchant's own letters of an e-mail were rewritten"
        for n in range(1, count + 1):
            was, now = before[f"p{n}@example.com"], after[f"p{n}@example.com"]
            method = f"pm_New{n:06d}"
            settings = {**was["invoice_settings"], "default_payment_method": method}
            metadata = {"crm": "7", "plan": "gold", "team": "blue"}
            told = {
                "name": f"New {n}",
                "metadata": metadata,
                "invoice_settings": settings,
            }
            behind = {**was["_simulator"], "payment_methods": [f"pm_Old{n:06d}", method]}
            assert now == {**was, **told, "_simulator": behind}, "a field was lost, or is not as the file says"

        assert tool("verify", ledger).returncode == 0
        begun_and_killed(server, "detach", count // 3, "undo", ledger, "--yes", "--rate", "none")
        undone = tool("undo", ledger, "--yes", "--rate", "none", "--json")
        said = json.loads(undone.stdout)
        assert (undone.returncode, said["left"], said["deleted"]) == (0, 0, 0), undone.stderr
        assert everybody(server) == before
        assert {line.status for line in lines(ledger)} == {"pending"}
        assert "Old 7" not in str(ledger.read_bytes()), "what was there before is kept though nobody needs it any more"


def test_whoever_was_changed_since_is_left_and_named_and_what_cannot_be_unset_is_said(tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        ids = [make(server, email=f"p{n}@example.com", name=f"Old {n}") for n in range(1, 4)]
        source = tmp_path / "people.csv"
        rows = ["p1@example.com,New 1,,x", "p2@example.com,New 2,,x", "p3@example.com,New 3,+41 3,x"]
        source.write_text("\n".join(["email,name,phone,metadata.note", *rows, "p4@example.com,New 4,+41,x"]) + "\n")
        ledger = source.with_name("people.csv.ledger.db")
        assert (
            tool("run", source, "--on-existing", "update", "--api-base", server.url, "--rate", "none").returncode == 0
        )
        assert [line.status for line in lines(ledger)] == ["updated", "updated", "updated", "created"]
        touch(server, ids[1], name="Somebody Else")
        undone = tool("undo", ledger, "--yes", "--rate", "none", "--json")
        said = json.loads(undone.stdout)
        left = {entry["row"]: entry["why"] for entry in said["left_first"]}
        assert (undone.returncode, said["restored"], said["deleted"]) == (1, 1, 1)
        assert left == {
            2: "somebody has changed it since: name",
            3: "Stripe does not unset what was empty before: phone",
        }
        there = {c["id"]: (c["name"], c["metadata"]) for c in server.customers()}
        assert there == {
            ids[0]: ("Old 1", {}), ids[1]: ("Somebody Else", {"note": "x"}), ids[2]: ("Old 3", {}),
        }  # fmt: skip
        assert [line.status for line in lines(ledger)] == ["pending", "updated", "updated", "pending"]


def test_what_an_undo_that_died_had_under_way_has_acted_before_the_next_one_believes_anything(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with simulated(*FAST) as server:
        customer = make(server, email="p1@example.com", name="Old")
        (source := tmp_path / "people.csv").write_text("email,name\np1@example.com,New\n")
        ledger = source.with_name("people.csv.ledger.db")
        run = ("run", source, "--on-existing", "update", "--api-base", server.url, "--rate", "none")
        assert tool(*run).returncode == 0
        db = open_for_writing(ledger)
        Pairings(db, ledger, time.time).begin_undo([(1, customer)])
        db.close()
        under_way = ["Old"]

        async def nap(_: Engine, seconds: float) -> None:
            if seconds > 25.0 and under_way:
                touch(server, customer, name=under_way.pop())

        monkeypatch.setenv("STRIPE_API_KEY", KEY)
        monkeypatch.setattr(Engine, "nap", nap)
        assert run_program(["undo", str(ledger), "--yes", "--rate", "none"]) == 0
        assert tool(*run).returncode == 0
        for late in under_way:
            touch(server, customer, name=late)
        assert [(line.status, everybody(server)["p1@example.com"]["name"]) for line in lines(ledger)] == [
            ("updated", "New")
        ]
