"""Dry runs against a simulated Stripe; the oracle is what the account holds and what was sent to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_import.cli.rehearsal import differences
from bulk_import.options import RunOptions
from tests.by_hand import make
from tests.cli_calls import Program, calling, summary
from tests.rig import Simulated, exported, simulated

UNLIMITED = ("--rate-limit", "none", "--endpoint-rate-limit", "none")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_rehearsal")
    return program


@pytest.fixture(scope="module")
def server() -> Iterator[Simulated]:
    with simulated(*UNLIMITED) as running:
        yield running


def people(path: Path, name: str, count: int = 20) -> Path:
    lines = [f"{name}{n},{name}{n}@example.com,pm_1LiveLooking{n},x\n" for n in range(count)]
    path.write_text("user_id,email,payment_method,colour\n" + "".join(lines))
    return path


def test_a_dry_run_sends_the_test_card_and_says_how_to_undo(call: Program, server: Simulated, tmp_path: Path) -> None:
    source = people(tmp_path / "people.csv", "dry")
    said = call("run", source, "--dry-run", "--sample", "5", "--api-base", server.url, "--rate", "none")
    assert said.code == 0, said.err
    ledger = tmp_path / "people.csv.dry-run.db"
    assert "every payment method is replaced by pm_card_visa" in said.err
    ending = said.err.split("  ledger ")[1]
    assert "on live: each row's own payment method is sent instead of pm_card_visa" in ending
    assert "on live: all rows are sent, not only those of --sample 5" in ending
    assert f"delete them with: bulk-import undo {ledger}" in ending
    lines = exported(ledger)
    assert [line["row"] for line in lines if line["status"] == "created"] == [4, 8, 12, 16, 20]
    ours = {line["customer_id"] for line in lines}
    found = [c for c in server.customers() if c["id"] in ours]
    assert len(found) == 5
    assert all(c["invoice_settings"]["default_payment_method"] for c in found), "the live-looking id would have failed"


def test_a_cleanup_leaves_the_account_as_it_was(call: Program, server: Simulated, tmp_path: Path) -> None:
    before = {c["id"] for c in server.customers()}
    source = people(tmp_path / "people.csv", "clean", 6)
    run = ("run", source, "--dry-run", "--cleanup", "--api-base", server.url, "--rate", "none")
    events = [
        json.loads(line)
        for line in call(*run, "--json", "--dry-run-payment-method", "pm_card_mastercard").out.splitlines()
    ]
    assert (events[-1]["event"], events[-1]["exit_code"], events[-1]["created"]) == ("finish", 0, 6)
    notices = {event["code"]: event["message"] for event in events if event["event"] == "notice"}
    assert "replaced by pm_card_mastercard" in notices["dry-run"]
    assert notices["cleanup"] == "cleanup: deleted 6 customers of this dry run"
    assert "undo" not in notices
    assert {c["id"] for c in server.customers()} == before
    again = call(*run)
    assert (again.code, "deleted 6 customers" in again.err) == (0, True)
    assert again.err.splitlines()[-1] == f"next: bulk-import run {source} --live"
    assert {c["id"] for c in server.customers()} == before
    there = make(server, email="clean0@example.com", name="Old")
    assert "deleted 5 customers of this dry run, put 1 back" in call(*run, "--on-existing", "update").err
    assert {c["id"]: c["metadata"] for c in server.customers() if c["id"] not in before} == {there: {}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--cleanup"], "add --dry-run"),
        (["--dry-run-payment-method", "pm_card_visa"], "add --dry-run"),
        (["--dry-run", "--dry-run-payment-method", "4242"], "is no payment method"),
    ],
)
def test_options_of_a_dry_run_need_one(call: Program, words: list[str], sentence: str) -> None:
    said = call("run", "people.csv", *words)
    assert (said.code, sentence in said.err) == (2, True)


def test_without_any_key_a_dry_run_says_how_to_rehearse(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("STRIPE_API_KEY")
    said = call("run", people(tmp_path / "people.csv", "nobody"), "--dry-run")
    assert (said.code, "add --simulate" in said.err) == (2, True)


def test_what_differs_on_live_follows_from_the_options() -> None:
    columns = 'the columns "colour", "size" are'
    assert any(
        f"{columns} mapped to nothing, which a live run refuses" in line
        for line in differences(RunOptions("x.csv"), summary(), columns)
    )
    assert not any("mapped to nothing" in line for line in differences(RunOptions("x.csv"), summary()))
    assert not any("all rows are sent" in line for line in differences(RunOptions("x.csv"), summary()))
    assert any(
        "not only those of --limit 3" in line for line in differences(RunOptions("x.csv", limit=3), summary(rows=3))
    )


def test_a_retry_says_which_rows_were_never_sent_and_what_sends_them(
    call: Program, server: Simulated, tmp_path: Path
) -> None:
    source = people(tmp_path / "people.csv", "some", 9)
    source.write_text(source.read_text().replace("pm_1LiveLooking0", "pm_card_chargeDeclined"))
    source.write_text(
        "\n".join(
            line if "Declined" in line else line.replace("pm_1LiveLooking", "pm_card_visa_")
            for line in source.read_text().splitlines()
        )
    )
    run = ("run", source, "--limit", "1", "--api-base", server.url, "--rate", "none")
    assert call(*run).code == 1
    ledger = tmp_path / "people.csv.ledger.db"
    said = call("retry", ledger, "--api-base", server.url, "--rate", "none", "--json")
    finish = json.loads(said.out.splitlines()[-1])
    assert (finish["exit_code"], finish["pending"]) == (1, 8)  # the run came to the end of its limit
    assert "8 rows of the source were never sent" in said.out
    assert finish["next"] == f"bulk-import run {source} --api-base {server.url} --rate none"
