"""A ledger that is continued with other options: what they hold for, and what is said of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_import.job.importing import RunJob
from bulk_import.job.making import Making
from bulk_import.ledger import Line
from bulk_import.options import Start
from tests.cli_calls import Program, calling
from tests.promises import ledger_lines


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def people(folder: Path, *rows: str) -> Path:
    source = folder / "people.csv"
    source.write_text("\n".join(["mail,name,debt", *rows]) + "\n")
    return source


def lines(source: Path) -> list[Line]:
    return ledger_lines(source.with_name("people.csv.simulated.db"))


RUN = ("--simulate", "--json", "--rate", "50")


def test_rows_that_a_wrong_mapping_made_invalid_are_prepared_again_once_it_is_mended(
    call: Program, tmp_path: Path
) -> None:
    source = people(tmp_path, "a@example.com,Ann,1", "b@example.com,Bea,many", "A@example.com,Ann again,2")
    first = call("run", source, *RUN, "--map", "mail=email", "--map", "debt=balance")
    assert first.code == 1
    assert [line.status for line in lines(source)] == ["created", "invalid", "duplicate"]
    before = lines(source)[0]
    mended = call("run", source, *RUN, "--map", "mail=email", "--map", "debt=metadata.debt")
    assert mended.code == 0, mended.err
    assert "1 row that was invalid is prepared again" in mended.out + mended.err
    after = lines(source)
    assert [line.status for line in after] == ["created", "created", "duplicate"]
    assert after[0] == before, "a settled row was touched"


def test_whoever_declines_the_question_finds_the_ledger_as_it_was(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = people(tmp_path, "a@example.com,Ann,1", "b@example.com,Bea,many", "c@example.com,Cy,many")
    call("run", source, *RUN, "--map", "mail=email", "--map", "debt=balance")
    before = lines(source)
    asked = list[Start]()

    def start_of_a_live_account(job: RunJob, *given: Any) -> Start:
        return replace(Making.start_of(job, *given), livemode=True)

    def no(start: Start) -> bool:
        asked.append(start)
        return False

    with monkeypatch.context() as live:
        live.setattr(RunJob, "start_of", start_of_a_live_account)
        live.setattr("bulk_import.cli.connecting.confirming", lambda *given: no)
        mended = ("run", source, *RUN, "--map", "mail=email", "--map", "debt=metadata.debt")
        declined = call(*mended)
    assert (declined.code, "not confirmed" in declined.err) == (2, True)
    assert [(start.rows, start.settled, start.most) for start in asked] == [(3, 1, 2)]
    assert lines(source) == before
    assert [line.status for line in before] == ["created", "invalid", "invalid"]
    assert call(*mended).code == 0
    assert [line.status for line in lines(source)] == ["created"] * 3


def test_a_row_that_turns_out_to_be_somebody_who_was_made_meanwhile_is_a_duplicate(
    call: Program, tmp_path: Path
) -> None:
    source = people(tmp_path, "a@example.com,Ann,many", "A@example.com,Ann,2")
    call("run", source, *RUN, "--map", "mail=email", "--map", "debt=balance")
    assert [line.status for line in lines(source)] == ["invalid", "created"]
    assert call("run", source, *RUN, "--map", "mail=email", "--map", "debt=metadata.debt").code == 0
    assert [(line.status, line.duplicate_of) for line in lines(source)] == [("duplicate", 2), ("created", None)]


def test_on_a_finished_ledger_another_policy_is_said_to_hold_for_nothing_that_is_settled(
    call: Program, tmp_path: Path
) -> None:
    source = people(tmp_path, "a@example.com,Ann,1")
    call("run", source, *RUN, "--map", "mail=email")
    again = call("run", source, *RUN, "--map", "mail=email", "--on-existing", "update")
    said = again.out + again.err
    assert again.code == 0
    assert "on-existing" in said
    assert "1 row is settled and stays as it is" in said


def test_a_plan_of_a_ledger_with_nothing_left_to_look_for_says_so(call: Program, tmp_path: Path) -> None:
    source = people(tmp_path, "a@example.com,Ann,1")
    call("run", source, *RUN, "--map", "mail=email")
    said = call("plan", source, "--simulate", "--map", "mail=email")
    assert "as asked" not in said.out + said.err


def test_a_slip_in_the_mapping_leaves_no_trace_so_that_the_command_as_it_was_goes_on(
    call: Program, tmp_path: Path
) -> None:
    slips = (("--key", "nope"), ("--map", "nope=name"), ("--set", "nope=1"), ("--set", "balance=much"))
    source = people(tmp_path, "a@example.com,Ann,1", "b@example.com,Bea,2", "nobody,Cy,3")
    right = ("run", source, *RUN, "--map", "mail=email", "--map", "debt=metadata.debt")
    assert call(*right, "--limit", "1").code == 0
    before = lines(source)
    assert [call(*right, *slip).code for slip in slips] == [2, 2, 2, 2]
    assert lines(source) == before
    after = call(*right)
    assert after.code == 1, after.err
    assert "options changed" not in after.out + after.err
    finished = lines(source)
    assert [line.status for line in finished] == ["created", "created", "invalid"]
    assert [call(*right, *slip).code for slip in slips] == [2, 2, 2, 2], "on a finished ledger, too"
    assert lines(source) == finished
