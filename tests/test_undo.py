from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bulk_import.digest import changed_fields, digest_of
from bulk_import.errors import LedgerRefuses
from bulk_import.existing import customer_from
from bulk_import.ledger import Pairing, Pairings, Reader, open_for_writing
from bulk_import.model import MARKER, Failed, Settled, Status
from bulk_import.undo import Gone, Known, Left, Untouched, judge
from tests.by_hand import customer_of, imported, lines, people, touch
from tests.cli_calls import Program, calling, small_ledger
from tests.ledger_samples import claim, ledger, refusal
from tests.rig import KEY, Simulated, begun, check_promises, simulated, tool
from tests.test_end_to_end import wait_for
from tests.virtual_run import World
from tests.virtual_run import people as virtual_people
from tests.virtual_stripe import EPOCH, VirtualStripe

FAST = ("--rate-limit", "none", "--endpoint-rate-limit", "none")
SALT = bytes(16)
TOKEN = "0123456789abcdef"
KNOWN = Known(TOKEN, SALT, livemode=False)

SENT: dict[str, Any] = {
    "email": "a@example.com",
    "name": "Ann",
    "balance": -500,
    "address": {"city": "Bern", "country": "CH"},
    "shipping": {"name": "Ann", "address": {"line1": "Way 1"}},
    "metadata": {"plan": "gold", "seats": 3, MARKER: f"{TOKEN}:1:0"},
    "preferred_locales": ["de", "fr"],
    "payment_method": "pm_card_visa",
    "invoice_settings": {"footer": "Thanks", "default_payment_method": "pm_card_visa"},
}
ADDRESS = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
SHOWN: dict[str, Any] = {
    "id": "cus_1",
    "object": "customer",
    "created": 1,
    "livemode": False,
    "email": "a@example.com",
    "name": "Ann",
    "phone": None,
    "description": None,
    "balance": -500,
    "next_invoice_sequence": 1,
    "tax_exempt": "none",
    "invoice_prefix": "ABCDEF12",
    "address": {**ADDRESS, "city": "Bern", "country": "CH"},
    "shipping": {"name": "Ann", "phone": None, "address": {**ADDRESS, "line1": "Way 1"}},
    "metadata": {"seats": "3", "plan": "gold", MARKER: f"{TOKEN}:1:0"},
    "preferred_locales": ["de", "fr"],
    "invoice_settings": {
        "custom_fields": None,
        "default_payment_method": "pm_1Fresh",
        "footer": "Thanks",
        "rendering_options": {"amount_tax_display": None, "template": None},
    },
    "default_source": None,
    "discount": None,
    "currency": None,
    "delinquent": False,
    "subscriptions": {"object": "list", "data": [], "has_more": False},
}


def pairing(sent: Mapping[str, Any] = SENT, row: int = 1) -> Pairing:
    digest = json.loads(digest_of(sent, SALT))
    return Pairing(row, Status.CREATED, "cus_1", "a@example.com", "a@example.com", 0, digest, None)


def judged(row: int = 1, **changes: Any) -> Gone | Untouched | Left:
    customer = customer_from({**SHOWN, **changes})
    assert customer is not None
    return judge(pairing(row=row), customer, KNOWN)


# The rules.


def test_a_customer_that_stripe_shows_as_it_was_sent_is_untouched() -> None:
    assert judged() == Untouched()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "b@example.com"),
        ("name", None),
        ("phone", "+41 44 000"),
        ("description", "VIP"),
        ("balance", 0),
        ("next_invoice_sequence", 2),
        ("tax_exempt", "exempt"),
        ("address", {**ADDRESS, "city": "Bern", "country": "CH", "line2": "Attic"}),
        ("shipping", None),
        ("metadata", {**SHOWN["metadata"], "crm": "7"}),
        ("preferred_locales", ["fr", "de"]),
        ("invoice_settings", {**SHOWN["invoice_settings"], "footer": "Bye"}),
        ("default_source", "card_1"),
        ("discount", {"id": "di_1"}),
        ("currency", "chf"),
        ("delinquent", True),
        ("subscriptions", {"object": "list", "data": [{"id": "sub_1"}], "has_more": False}),
        ("subscriptions", {"object": "list"}),
    ],
)
def test_whatever_differs_from_what_was_sent_is_named(field: str, value: Any) -> None:
    assert judged(**{field: value}) == Left(f"somebody has touched it: {field}")


@pytest.mark.parametrize(
    ("currency", "verdict"), [(None, Untouched()), ("chf", Left("somebody has touched it: currency"))]
)
def test_where_no_subscriptions_are_shown_the_currency_tells(currency: str | None, verdict: Untouched | Left) -> None:
    assert judged(subscriptions=None, currency=currency) == verdict


def test_a_default_payment_method_that_is_gone_is_named() -> None:
    settings = {**SHOWN["invoice_settings"], "default_payment_method": None}
    assert judged(invoice_settings=settings) == Left("somebody has touched it: default_payment_method")


def test_a_payment_method_of_ones_own_must_stay_the_default() -> None:
    sent = {"invoice_settings": {"default_payment_method": "pm_1A"}}
    digest = json.loads(digest_of(sent, SALT))
    assert changed_fields({"invoice_settings": {"default_payment_method": "pm_1A"}}, digest, SALT) == ()
    other = {"invoice_settings": {"default_payment_method": "pm_1B"}}
    assert changed_fields(other, digest, SALT) == ("default_payment_method",)


@pytest.mark.parametrize(
    ("marker", "why"),
    [(None, "its marker is gone"), (f"{TOKEN}:2:0", "it carries the marker of another row"),
     ("fedcba9876543210:1:0", "it carries the marker of another row")],
)  # fmt: skip
def test_a_customer_without_its_own_marker_is_left(marker: str | None, why: str) -> None:
    assert judged(metadata={"plan": "gold", "seats": "3", MARKER: marker}) == Left(why)


def test_a_marker_of_an_earlier_generation_is_still_its_own() -> None:
    assert judged(metadata={"plan": "gold", "seats": "3", MARKER: f"{TOKEN}:1:2"}) == Untouched()


def test_a_customer_made_without_a_marker_is_never_deleted() -> None:
    sent = {**SENT, "metadata": {"plan": "gold"}}
    customer = customer_from({**SHOWN, "metadata": {"plan": "gold"}})
    assert customer is not None
    assert isinstance(judge(pairing(sent), customer, KNOWN), Left)


def test_a_deleted_customer_is_gone_whatever_else_is_known() -> None:
    assert judged(row=7, deleted=True) == Gone(by_us=False)


def test_a_digest_gives_away_no_value_and_differs_from_ledger_to_ledger() -> None:
    text = digest_of(SENT, SALT)
    assert not [word for word in ("example", "Ann", "Bern", "gold") if word in text]
    assert json.loads(text)["email"] != json.loads(digest_of(SENT, b"x" * 16))["email"]


# The ledger.


def test_an_undone_row_and_its_duplicates_go_back_to_the_start_under_the_next_generation(tmp_path: Path) -> None:
    path = small_ledger(tmp_path / "l.db")
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    pairings.begin_undo([(1, "cus_1")])
    assert (Reader(db, path).begun_undos(), pairings.of_rows([1])[1].undo_at) == (1, 5.0)
    pairings.settle_undo([(1, "cus_1")], [])
    assert Reader(db, path).begun_undos() == 0
    undone = pairings.of_rows([1])[1]
    assert (undone.status, undone.customer_id, undone.email_key, undone.digest) == (Status.PENDING, None, None, {})
    reader = Reader(db, path)
    assert reader.next_generations([1, 2]) == {1: 1, 2: 1}
    assert [line.status for line in reader.lines([1, 2, 4])] == ["pending", "pending", "duplicate"]
    assert reader.owners(["p1@example.com"]) == {}
    db.close()


@pytest.mark.parametrize(("row", "customer"), [(1, "cus_other"), (3, "cus_1"), (2, "cus_1")])
def test_only_a_created_row_with_that_customer_can_be_undone(tmp_path: Path, row: int, customer: str) -> None:
    path = small_ledger(tmp_path / "l.db")
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    with pytest.raises(LedgerRefuses, match="nothing of this was written"):
        pairings.settle_undo([(1, "cus_1"), (row, customer)], [])
    assert pairings.of_rows([1])[1].status is Status.CREATED
    db.close()


def test_a_row_whose_delete_was_never_sent_is_no_unfinished_business(tmp_path: Path) -> None:
    path = small_ledger(tmp_path / "l.db")
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    pairings.begin_undo([(1, "cus_1")])
    pairings.settle_undo([], [], [1])
    assert Reader(db, path).begun_undos() == 0
    assert pairings.of_rows([1])[1].status is Status.CREATED
    db.close()


def test_a_row_that_was_left_stays_created_and_says_why(tmp_path: Path) -> None:
    path = small_ledger(tmp_path / "l.db")
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    pairings.begin_undo([(1, "cus_1")])
    pairings.settle_undo([], [(1, "cus_1", "undo left it: its marker is gone")])
    line = next(Reader(db, path).lines([1]))
    assert (line.status, line.customer_id, line.error_message) == (
        "created",
        "cus_1",
        "undo left it: its marker is gone",
    )
    assert Reader(db, path).begun_undos() == 0
    db.close()


def test_to_put_back_whom_a_row_updated_before_it_was_made_anew_is_no_unfinished_business(tmp_path: Path) -> None:
    path = small_ledger(tmp_path / "l.db")
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    assert pairings.begin_undo([(1, "cus_before")]) == [1]
    assert Reader(db, path).begun_undos() == 0
    pairings.begin_undo([(1, "cus_1"), (1, "cus_before")])
    pairings.settle_restored([], [(1, "cus_before", "undo left it: somebody has changed it since: name")])
    assert pairings.of_rows([1])[1].undo_at == 5.0, "what becomes of its own customer is not known yet"
    pairings.settle_restored([], [(1, "cus_1", "undo left it: its marker is gone")])
    assert Reader(db, path).begun_undos() == 0
    db.close()


def test_a_failed_row_whose_customer_was_left_still_says_why_it_failed(tmp_path: Path) -> None:
    path = tmp_path / "l.db"
    with ledger(path) as (writer, _):
        writer.write([claim(1, target="cus_1")], [])
        writer.write([], [Settled(1, Failed(refusal()))])
    db = open_for_writing(path)
    pairings = Pairings(db, path, lambda: 5.0)
    for _ in range(2):
        pairings.begin_undo([(1, "cus_1")])
        pairings.settle_restored([], [(1, "cus_1", "undo left it: somebody has changed it since: name")])
        line = next(Reader(db, path).lines([1]))
        said = "declined; undo left it: somebody has changed it since: name"
        assert (line.status, line.error_code, line.error_message) == ("failed", "card_declined", said)
    db.close()


# End to end: what the account really holds is the judge.


def undo(ledger: Path, *options: str, **more: Any) -> subprocess.CompletedProcess[str]:
    return tool("undo", ledger, "--rate", "none", *options, **more)


def statuses(ledger: Path) -> dict[int, str]:
    return {line.row: line.status for line in lines(ledger)}


def test_untouched_customers_go_touched_ones_stay_and_a_new_run_makes_them_again(tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        source = people(tmp_path / "p.csv", 8)
        source.write_text(source.read_text() + "P1@example.com,Twice,Bern,gold\n")
        ledger = imported(server, source)
        before = {line.row: line.customer_id or "" for line in lines(ledger)}
        keys = {arrival["idempotency_key"] for arrival in server.creates()}
        touch(server, before[2], name="Somebody Else")
        touch(server, before[3], **{"metadata[plan]": "silver"})
        touch(server, before[4], **{f"metadata[{MARKER}]": ""})
        touch(server, before[5], "DELETE")

        done = undo(ledger, "--yes", "--json")
        said = json.loads(done.stdout)
        left = {entry["row"]: entry["why"] for entry in said["left_first"]}
        assert (done.returncode, said["deleted"], said["already_deleted"], said["left"]) == (1, 4, 1, 3)
        assert left == {
            2: "somebody has touched it: name",
            3: "somebody has touched it: metadata",
            4: "its marker is gone",
        }
        assert {c["id"] for c in server.customers()} == {before[2], before[3], before[4]}
        kept = {row for row, status in statuses(ledger).items() if status == "created"}
        assert kept == {2, 3, 4}
        assert set(statuses(ledger).values()) == {"created", "pending"}

        imported(server, source)
        assert check_promises(server, ledger, 9) == {"created": 8, "duplicate": 1}
        assert customer_of(ledger, 9) == customer_of(ledger, 1) != before[1]
        anew = [arrival["idempotency_key"] for arrival in server.creates()][8:]
        assert len(anew) == 5
        assert not keys.intersection(anew)


def test_a_signal_a_kill_and_a_lost_answer_leave_nothing_behind_in_the_end(tmp_path: Path) -> None:
    with simulated(*FAST, "--latency", "100ms") as server:
        ledger = imported(server, people(tmp_path / "p.csv", 30))
        assert broken_off(server, ledger, signal.SIGINT) == 130
        there = {customer["id"] for customer in server.customers()}
        assert created(ledger) == there, "a delete on its way when the signal came was not written"
        assert statuses(ledger)[30] == "created"

        assert broken_off(server, ledger, signal.SIGKILL) == -9
        there = {customer["id"] for customer in server.customers()}
        assert 0 < len(there) < 30
        assert there <= created(ledger)

        server.set_faults([{"name": "act-then-drop", "endpoint": "delete", "from": 1, "to": 2}])
        again = undo(ledger, "--yes")
        assert again.returncode == 0, again.stderr
        assert "an earlier undo was cut short" in again.stderr
        assert server.customers() == []
        assert set(statuses(ledger).values()) == {"pending"}


def broken_off(server: Simulated, ledger: Path, number: signal.Signals) -> int:
    """Begin an undo, send it a signal once it has deleted three customers, and give its exit code."""
    server.ask("/_simulator/reset-log", {})
    with begun("undo", ledger, "--yes", "--rate", "20", "--batch-size", "8") as process:
        wait_for(lambda: sum(arrival["endpoint"] == "delete" for arrival in server.arrivals()) >= 3)
        process.send(number)
        return process.ends()


def created(ledger: Path) -> set[str | None]:
    return {line.customer_id for line in lines(ledger) if line.status == "created"}


def test_a_deleted_customer_that_search_still_shows_is_no_match_for_the_next_run(tmp_path: Path) -> None:
    world = World(tmp_path, virtual_people(3), VirtualStripe(search_lag=60.0))
    world.run()
    first = {line.row: line.customer_id or "" for line in world.lines()}
    world.wait(120)
    for customer in first.values():
        world.stripe.delete(customer, EPOCH + world.seconds)
    db = open_for_writing(world.ledger)
    Pairings(db, world.ledger, time.time).settle_undo(list(first.items()), [])
    db.close()
    again = world.run(dedupe="search")
    assert sum(a.endpoint == "retrieve" for a in again.arrivals) == 3, "search showed nobody"
    assert world.tally() == {"created": 3}
    assert not {line.customer_id for line in world.lines()}.intersection(first.values())


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    return program


def test_nothing_is_deleted_unasked_with_a_live_key_or_in_another_account(
    call: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with simulated(*FAST) as server, simulated(*FAST) as another:
        ledger = imported(server, people(tmp_path / "p.csv", 2))
        unasked = call("undo", ledger)
        assert unasked.code == 2
        assert f"row 1 -> {customer_of(ledger, 1)}" in unasked.err
        assert "pass --yes" in unasked.err
        elsewhere = call("undo", ledger, "--yes", "--api-base", another.url)
        assert elsewhere.code == 4
        assert "another account or mode" in elsewhere.err
        monkeypatch.setenv("STRIPE_API_KEY", "sk_live_0123456789abcdef")
        live = call("undo", ledger, "--yes")
        assert (live.code, "live key" in live.err) == (2, True)
        assert len(server.customers()) == 2
        assert not [a for a in (*server.arrivals(), *another.arrivals()) if a["endpoint"] == "delete"]
        assert set(statuses(ledger).values()) == {"created"}


def test_a_person_is_shown_whom_it_is_about_and_may_decline(
    call: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ledger = small_ledger(tmp_path / "l.db")
    answers: list[bool] = []
    monkeypatch.setattr("bulk_import.cli.asking.can_ask", lambda: True)
    monkeypatch.setattr("click.confirm", lambda text, **_: answers.append(text.startswith("Delete this customer ")))
    said = call("undo", ledger)
    assert (said.code, answers) == (2, [True])
    assert "row 1 -> cus_1" in said.err
    assert "acct_1 (Example), test mode" in said.err
