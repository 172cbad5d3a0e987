from __future__ import annotations

import asyncio
import json
import sqlite3
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bulk_import.ledger import Follower, Pairing, Reader, Span
from bulk_import.model import MARKER, Customer, Duplicate, Reply, Request, Status
from bulk_import.verify import (
    AFTERWARDS,
    KEPT,
    OVERLAP,
    Finding,
    Kind,
    Known,
    Proof,
    Prover,
    judge,
    judge_follower,
    judge_stranger,
    slices,
)
from tests.by_hand import customer_of, imported, lines, make, people, touch
from tests.cli_calls import Program, bad, calling, purpose, row, settled, written
from tests.rig import KEY, simulated

FAST = ("--rate-limit", "none", "--endpoint-rate-limit", "none")
TOKEN = "0123456789abcdef"
KNOWN = Known(TOKEN, False, str.lower)
MARKED = {"marker": "any"}


def pairing(row: int = 1, status: Status = Status.CREATED, **changes: Any) -> Pairing:
    values: dict[str, Any] = {
        "customer_id": "cus_1", "email": "A@example.com", "email_key": "a@example.com", "generation": 0,
        "digest": MARKED, "undo_at": None,
    }  # fmt: skip
    return Pairing(row, status, **{**values, **changes})


def customer(**changes: Any) -> Customer:
    values: dict[str, Any] = {
        "id": "cus_1", "email": "a@Example.com", "created": 1, "livemode": False, "marker": f"{TOKEN}:1:0",
    }  # fmt: skip
    return Customer(**{**values, **changes})


# The rules.


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({}, []),
        ({"marker": f"{TOKEN}:1:4"}, []),
        ({"email": "b@example.com"}, [Kind.OTHER_EMAIL]),
        ({"email": None}, [Kind.OTHER_EMAIL]),
        ({"livemode": True}, [Kind.OTHER_MODE]),
        ({"marker": None}, [Kind.MARKER_GONE]),
        ({"marker": "fedcba9876543210:1:0"}, [Kind.MARKER_GONE]),
        ({"marker": f"{TOKEN}:2:0"}, [Kind.STRANGER]),
        ({"email": None, "marker": None}, [Kind.OTHER_EMAIL, Kind.MARKER_GONE]),
        ({"email": None, "marker": None, "deleted": True}, [Kind.DELETED]),
    ],
)
def test_each_thing_that_is_off_with_a_pairing_has_a_name(changes: dict[str, Any], kinds: list[Kind]) -> None:
    assert [finding.kind for finding in judge(pairing(), customer(**changes), KNOWN)] == kinds


def test_a_customer_that_stripe_does_not_know_is_missing() -> None:
    assert [finding.kind for finding in judge(pairing(), None, KNOWN)] == [Kind.MISSING]


@pytest.mark.parametrize("status", [Status.EXISTING, Status.CREATED])
def test_only_a_customer_that_was_made_with_a_marker_needs_one(status: Status) -> None:
    assert judge(pairing(status=status, digest={}), customer(marker=None), KNOWN) == []


def test_a_row_without_an_email_has_a_customer_without_one() -> None:
    plain = pairing(email=None, email_key=None)
    assert judge(plain, customer(email=None), KNOWN) == []
    assert [f.kind for f in judge(plain, customer(), KNOWN)] == [Kind.OTHER_EMAIL]


def test_a_deletion_that_an_undo_may_have_made_says_how_to_finish_it() -> None:
    found = judge(pairing(undo_at=1.0), customer(deleted=True), KNOWN)
    assert "run undo again" in found[0].detail


@pytest.mark.parametrize(
    ("named", "kind"),
    [
        (pairing(row=7), Kind.TWIN),
        (pairing(row=7, status=Status.FAILED, customer_id=None), Kind.STRANGER),
        (None, Kind.STRANGER),
    ],
)
def test_a_customer_with_our_marker_but_no_row_is_a_twin_or_a_stranger(named: Pairing | None, kind: Kind) -> None:
    found = judge_stranger(customer(id="cus_2", marker=f"{TOKEN}:7:0"), named, KNOWN)
    assert (found.kind, found.row, found.customer_id) == (kind, 7, "cus_2")


@pytest.mark.parametrize("status", [Status.CLAIMED, Status.IN_DOUBT])
def test_the_customer_of_a_row_in_doubt_is_left_to_the_run_to_find(status: Status) -> None:
    found = judge_stranger(
        customer(id="cus_2", marker=f"{TOKEN}:7:0"), pairing(row=7, status=status, customer_id=None), KNOWN
    )
    assert "a row that is in doubt; a run or a retry finds out" in found.detail


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"email": None}, None),
        ({"email": "b@example.com"}, Kind.OTHER_EMAIL),
        ({"owner_key": None}, Kind.OTHER_EMAIL),
        ({"owner_status": Status.FAILED, "customer_id": None}, None),
        ({"owner_status": Status.IN_DOUBT, "customer_id": None}, None),
        ({"owner_status": Status.PENDING, "customer_id": None, "owner_key": None}, None),
        ({"owner_status": Status.INVALID, "customer_id": None, "owner_key": None}, Kind.ORPHAN),
        ({"owner_status": Status.DUPLICATE, "customer_id": None, "owner_key": None}, Kind.ORPHAN),
        ({"owner_status": None, "customer_id": None, "owner_key": None}, Kind.ORPHAN),
    ],
)
def test_a_duplicate_has_the_customer_of_its_own_email_or_one_that_may_come(
    changes: dict[str, Any], kind: Kind | None
) -> None:
    values: dict[str, Any] = {
        "email": "A@Example.com", "owner": 1, "owner_status": Status.CREATED, "owner_key": "a@example.com",
        "customer_id": "cus_1",
    }  # fmt: skip
    found = judge_follower(Follower(7, **{**values, **changes}), KNOWN)
    assert (found.kind if found else None) is kind
    assert found is None or (found.row, "row 1" in found.detail) == (7, True)


@pytest.mark.parametrize("parts", [1, 2, 8])
@pytest.mark.parametrize("seconds", [0, 5, 86_400])
def test_the_lists_cover_every_second_of_the_work_exactly_once(parts: int, seconds: int) -> None:
    span = Span(1_000_000.0, 1_000_000.0 + seconds)
    ranges = [(created["gte"], created["lt"]) for created in (part["created"] for part in slices(span, parts))]
    assert len(ranges) <= parts
    assert ranges[0][0] == 1_000_000 - OVERLAP
    assert ranges[-1][1] == 1_000_000 + seconds + AFTERWARDS
    assert all(high == low for (_, high), (low, _) in pairwise(ranges))
    assert slices(span, parts, begin=5)[-1] == {"created": {"gte": 5, "lt": 1_000_000 - OVERLAP}}


def test_findings_are_all_counted_and_the_first_are_kept() -> None:
    proof = Proof()
    for number in range(KEPT + 10):
        proof.note([Finding(Kind.MISSING, number, "cus_1", "")], of_a_row=True)
    proof.note([], of_a_row=True)
    assert (proof.counts[Kind.MISSING], len(proof.findings)) == (KEPT + 10, KEPT)
    assert (proof.judged, proof.proven) == (KEPT + 11, 1)


# End to end: the account is tampered with, and each kind is found.


def test_a_twin_that_every_list_shows_is_told_once() -> None:
    async def main() -> Proof:
        twin = {
            "id": "cus_2",
            "object": "customer",
            "livemode": False,
            "email": "a@example.com",
            "metadata": {MARKER: f"{TOKEN}:1:0"},
        }

        async def ask(request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
            return Reply(200, {"object": "list", "data": [twin], "has_more": False})

        async def offload(work: Any, *args: Any) -> Any:
            return work(*args)

        async def together(work: list[Any], at_once: int, /) -> None:
            for piece in work:
                await piece()

        class Nothing:
            def of_customers(self, ids: Any) -> list[Pairing]:
                return []

            def of_rows(self, rows: Any) -> dict[int, Pairing]:
                return {1: pairing()}

        proof = Proof()
        prover = Prover(ask, together, offload, Nothing(), KNOWN, proof, 1)  # type: ignore[arg-type]  # as much as is asked
        await prover.list_all([{"created": {"lt": 9}}, {"created": {"gte": 9}}])
        return proof

    proof = asyncio.run(main())
    assert proof.counts == {Kind.TWIN: 1}
    assert [finding.customer_id for finding in proof.findings] == ["cus_2"]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    return program


def test_whatever_was_tampered_with_is_found_and_the_rest_is_proven(call: Program, tmp_path: Path) -> None:
    with simulated(*FAST, "--existing", "3") as server:
        source = people(tmp_path / "p.csv", 9)
        there = "Existing.000001@EXAMPLE.com,There,Bern,gold\nexisting.000002@example.com,There,Bern,gold\n"
        source.write_text(source.read_text() + there + "P1@example.com,Twice,Bern,gold\n")
        ledger = imported(server, source, "--hash-emails")
        before = server.customers()
        whole = call("verify", ledger, "--rate", "none", "--json")
        assert (whole.code, whole.err) == (0, "")
        assert (json.loads(whole.out)["customers"], json.loads(whole.out)["proven"]) == (11, 11)
        assert json.loads(whole.out)["requests_by_endpoint"] == {"account": 1, "list": 1, "retrieve": 2}
        assert server.customers() == before

        # Where nothing can be written, as on a backup, a copy is proven and the ledger stays as it is.
        lock = ledger.with_name(ledger.name + ".lock")
        lock.unlink(missing_ok=True)
        lock.mkdir()
        unchanged = ledger.read_bytes()
        copied = call("verify", ledger, "--rate", "none")
        assert (copied.code, "proven     11" in copied.err, "a copy of it is verified" in copied.err) == (0, True, True)
        assert (ledger.read_bytes(), list(tmp_path.glob("*-wal"))) == (unchanged, [])
        lock.rmdir()

        ids = {line.row: line.customer_id or "" for line in lines(ledger)}
        markers = {c["id"]: c["metadata"].get("bulk_import") for c in before}
        touch(server, ids[2], "DELETE")
        touch(server, ids[3], email="somebody@example.com")
        touch(server, ids[4], **{"metadata[bulk_import]": ""})
        touch(server, ids[5], **{"metadata[bulk_import]": markers[ids[6]]})
        twin = make(server, email="p7@example.com", **{"metadata[bulk_import]": markers[ids[7]]})
        unknown = make(server, **{"metadata[bulk_import]": markers[ids[7]].replace(":7:", ":99:")})
        touch(server, ids[10], email="moved@example.com")
        lose(ledger, 8)

        done = call("verify", ledger, "--rate", "none", "--json")
        found = {(f["kind"], f["row"], f["customer_id"]) for f in json.loads(done.out)["findings"]}
        assert found == {
            ("deleted", 2, ids[2]),
            ("other_email", 3, ids[3]),
            ("marker_gone", 4, ids[4]),
            ("stranger", 5, ids[5]),
            ("twin", 7, twin),
            ("stranger", 99, unknown),
            ("other_email", 10, ids[10]),
            ("missing", 8, "cus_lost"),
            ("twin", 8, ids[8]),
        }
        assert (done.code, json.loads(done.out)["proven"]) == (1, 5)


def test_a_duplicate_that_an_earlier_version_left_without_a_customer_is_found_exported_and_may_be_mended(
    call: Program, tmp_path: Path
) -> None:
    ledger = tmp_path / "l.db"
    with written(ledger, purpose(2)) as writer:
        broken, again = bad(1, {"E-mail": "x"}), row(2, {"E-mail": "A@example.com"}, "a@example.com")
        writer.write([], [settled(broken, broken, 0), settled(again, Duplicate(1), 0)])
    done = call("verify", ledger, "--json")
    (found,) = json.loads(done.out)["findings"]
    assert (done.code, found["kind"], found["row"]) == (1, "orphan", 2)
    assert "row 1, which is invalid" in found["detail"]
    exported = call("export", ledger, "--what", "failed").out.splitlines()
    assert [line.split(",")[0] for line in exported[1:]] == ["x", "A@example.com"]
    with sqlite3.connect(ledger) as db:
        assert Reader(db, ledger).fates([1, 2, 3])[2] == (Status.DUPLICATE, "u2", True)
        assert Reader(db, ledger).tally().orphans == 1
    db.close()


def lose(ledger: Path, row: int) -> None:
    """Make the ledger name a customer that there never was."""
    with sqlite3.connect(ledger) as db:
        db.execute("UPDATE entry SET customer_id = 'cus_lost' WHERE number = ?", (row,))
    db.close()


def test_more_rows_than_a_page_cost_a_hundredth_in_requests_and_a_person_reads_a_table(
    call: Program, tmp_path: Path
) -> None:
    with simulated(*FAST) as server:
        ledger = imported(server, people(tmp_path / "p.csv", 150))
        touch(server, customer_of(ledger, 123), "DELETE")
        server.ask("/_simulator/reset-log", {})
        done = call("verify", ledger, "--rate", "none")
        said = [line.split() for line in done.err.splitlines()]
        assert (done.code, done.out) == (1, "")
        assert ["proven", "149"] in said
        assert ["deleted", "1"] in said
        assert ["deleted", "123", customer_of(ledger, 123), "the", "customer", "was", "deleted"] in said
        assert len(server.arrivals()) < 10
        assert {arrival["method"] for arrival in server.arrivals()} == {"GET"}


def test_a_twin_on_a_test_clock_is_found_though_plain_lists_leave_it_out(call: Program, tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        source = tmp_path / "p.csv"
        source.write_text("email,test_clock\na@example.com,clock_1abc\nb@example.com,\n")
        ledger = imported(server, source)
        [marker] = [c["metadata"]["bulk_import"] for c in server.customers() if c["test_clock"]]
        fields = {"email": "a@example.com", "test_clock": "clock_1abc", "metadata[bulk_import]": marker}
        twin = make(server, **fields)
        done = call("verify", ledger, "--rate", "none", "--json")
        assert [(f["kind"], f["customer_id"]) for f in json.loads(done.out)["findings"]] == [("twin", twin)]
        assert (done.code, json.loads(done.out)["proven"]) == (1, 2)


def test_nobody_who_signed_up_after_a_refusal_is_asked_for_a_marker(call: Program, tmp_path: Path) -> None:
    with simulated(*FAST) as server:
        source = tmp_path / "p.csv"
        source.write_text("email,payment_method\na@example.com,pm_card_chargeDeclined\nb@example.com,\n")
        run = ("run", source, "--api-base", server.url, "--rate", "none")
        assert call(*run).code == 1
        himself = make(server, email="a@example.com")
        ledger = Path(f"{source}.ledger.db")
        assert call("retry", ledger, "--rate", "none").code == 0
        assert customer_of(ledger, 1) == himself
        done = call("verify", ledger, "--rate", "none", "--json")
        assert (done.code, json.loads(done.out)["findings"]) == (0, [])
        assert call("undo", ledger, "--rate", "none", "--yes").code == 0
        assert [c["id"] for c in server.customers()] == [himself]
