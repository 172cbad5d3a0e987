"""A payment method belongs to one customer: check, plan, run and retry refuse the second row that has it, alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.dedupe import Holder, sort_out
from bulk_import.mapping import settle_mapping
from bulk_import.model import Duplicate, Invalid, Record
from bulk_import.options import Preparing
from bulk_import.prepare import Preparation, prepare
from bulk_import.survey import survey
from tests.cli_calls import Program, calling

COLUMNS = ("email", "payment_method")
FILE = """\
id,email,Payment Method ID
u1,ann@example.com,pm_Shared0001
u2,bob@example.com,pm_Shared0001
u3,no address,pm_Shared0001
u4,cy@example.com,pm_card_visa
u5,di@example.com,pm_card_visa
u6,bob@example.com,pm_Other00001
u7,ANN@example.com,pm_Shared0001
u8,eve@example.com,pm_Other00001
"""
SAME = {2, 3, 8}


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    monkeypatch.chdir(tmp_path)
    return calling(capsys, monkeypatch)


def objects(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def people(text: str = FILE) -> Path:
    path = Path("people.csv")
    path.write_text(text)
    return path


def test_check_plan_and_run_refuse_the_same_rows(call: Program) -> None:
    source = people()
    (checked,) = objects(call("check", source, "--json").out)
    places = {group["rule"]: group["places"] for group in checked["problems"]}
    assert {place["row"] for place in places["same-payment-method"]} == SAME
    assert {place["column"] for place in places["same-payment-method"]} == {"Payment Method ID"}
    assert (checked["valid"], checked["invalid"], checked["duplicates"]) == (5, 3, 1)
    *planned, plan = objects(call("plan", source, "--simulate", "--json", "--rows", "--batch-size", "2").out)
    assert {row["row"] for row in planned if row["verdict"] == "invalid"} == SAME
    assert plan["verdicts"]["create"] == 4
    finish = objects(call("run", source, "--simulate", "--json", "--rate", "500", "--batch-size", "2").out)[-1]
    assert (finish["created"], finish["invalid"], finish["duplicate"], finish["failed"]) == (4, 3, 1, 0)
    lines = {line["row"]: line for line in objects(call("export", finish["ledger"], "--what", "all").out)}
    assert {row for row, line in lines.items() if line["status"] == "invalid"} == SAME
    assert (lines[2]["error_code"], lines[2]["error_param"]) == ("same-payment-method", "payment_method")
    assert "row 1 (line 2)" in lines[2]["error_message"]
    assert "no e-mail address" in lines[3]["error_message"]
    assert "row 1 (line 2)" in lines[3]["error_message"]
    assert (lines[6]["status"], lines[7]["duplicate_of"]) == ("created", 1)


def test_a_continued_run_and_a_retry_know_whose_a_payment_method_is(call: Program) -> None:
    source, ledger = people(), "people.csv.simulated.db"
    run = ("run", source, "--simulate", "--rate", "500", "--key", "id")
    call(*run, "--limit", "1")
    assert call(*run).code == 1
    head, second, third, eighth = call("export", ledger, "--what", "failed").out.splitlines()
    mended = [second.replace("pm_Shared0001", "pm_Fresh00001"), eighth.replace("pm_Other00001", "pm_Fresh00001")]
    fixed = Path("fixed.csv")
    fixed.write_text("\n".join([head, *mended, third.replace("no address", "no@example.com")]) + "\n")
    assert "same-payment-method" in call("retry", ledger, "--only", "invalid", "--code", "same-payment-metho").err
    again = objects(call("retry", ledger, "--with", fixed, "--json").out)[-1]
    # Bob's e-mail has a customer by now: row 2 is its duplicate, and leaves the fresh method to row 8.
    assert (again["created"], again["duplicate"], again["invalid"]) == (5, 2, 1)
    lines = {line["row"]: line["status"] for line in objects(call("export", ledger, "--what", "all").out)}
    assert (lines[2], lines[3], lines[8]) == ("duplicate", "invalid", "created")


def test_a_row_may_take_the_payment_method_of_one_that_is_corrected_later(call: Program) -> None:
    source, ledger = people("email,payment_method\na@example.com,pm_missing1\nb@example.com,pm_missing2\n"), ""
    ledger = objects(call("run", source, "--simulate", "--rate", "500", "--json").out)[-1]["ledger"]
    head, first, second = call("export", ledger, "--what", "failed").out.splitlines()
    swapped = [first.replace("pm_missing1", "pm_missing2"), second.replace("pm_missing2", "pm_Good00001")]
    Path("fixed.csv").write_text("\n".join([head, *swapped]) + "\n")
    ended = objects(call("retry", ledger, "--with", "fixed.csv", "--batch-size", "1", "--json").out)[-1]
    assert (ended["failed"], ended["created"], ended["invalid"]) == (1, 1, 0)


def test_a_rehearsal_sends_another_payment_method_and_judges_the_one_that_was_given() -> None:
    how = Preparation(settle_mapping(COLUMNS), payment_method_override="pm_card_visa")
    rows = [prepare(Record(n, n, {"email": f"u{n}@example.com", "payment_method": "pm_1"}), how) for n in (1, 2)]
    told = sort_out(rows, {}, {})
    assert [row.params["payment_method"] for row in told.owners] == ["pm_card_visa"]
    assert [settled.number for settled in told.settled] == [2]


def ran(rows: list[tuple[str, str]], size: int) -> tuple[set[int], set[int]]:
    """Which rows a run's batches would find to be duplicates, and which invalid."""
    how = Preparation(settle_mapping(COLUMNS))
    emails: dict[str, int] = {}
    methods: dict[str, Holder] = {}
    duplicates, invalid = set(), set()
    records = [Record(n, n + 1, dict(zip(COLUMNS, row, strict=True))) for n, row in enumerate(rows, 1)]
    for at in range(0, len(records), size):
        told = sort_out([prepare(record, how) for record in records[at : at + size]], emails, methods)
        emails |= {row.email_key: row.number for row in told.owners if row.email_key}
        methods |= {row.method.id: Holder(row.number, row.line) for row in told.owners if row.method}
        duplicates |= {s.number for s in told.settled if isinstance(s.outcome, Duplicate)}
        invalid |= {s.number for s in told.settled if isinstance(s.outcome, Invalid)}
    return duplicates, invalid


EMAILS = st.sampled_from(["a@example.com", "b@example.com", "B@example.com", "c@example.com", "bad"])
METHODS = st.sampled_from(["", "pm_1", "pm_2", "pm_3", "pm_card_visa"])


@given(rows=st.lists(st.tuples(EMAILS, METHODS), min_size=1, max_size=12), size=st.integers(1, 5))
@settings(max_examples=60, deadline=None)
def test_a_survey_finds_what_a_run_will_find(
    rows: list[tuple[str, str]], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("survey") / "rows.csv"
    lines = ["good@example.com,", *(",".join(row) for row in rows)]
    path.write_text("\n".join([",".join(COLUMNS), *lines]) + "\n")
    found = survey(path, Preparing())
    duplicates, invalid = ran([("good@example.com", ""), *rows], size)
    assert (found.duplicates, found.invalid) == (len(duplicates), len(invalid))
    groups = {group.rule: {place.row for place in group.places} for group in found.groups if group.count <= 5}
    assert groups.get("duplicate", duplicates) == duplicates
    assert groups.get("same-payment-method", set()) <= invalid
