from __future__ import annotations

import csv
import io
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from bulk_import.report.export import ADDED_COLUMNS, ALL_COLUMNS
from tests.cli_calls import TOKEN, Program, calling, small_ledger
from tests.promises import ledger_lines


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return small_ledger(tmp_path / "l.db")


def test_the_map_is_what_is_exported_unless_asked_otherwise(call: Program, ledger: Path) -> None:
    said = call("export", ledger)
    assert (said.code, said.err) == (0, "")
    assert said.out == "row,source_id,email,customer_id\n1,u1,p1@example.com,cus_1\n2,u2,p2@example.com,cus_1\n"


def test_all_has_every_row_in_order_the_unseen_ones_too(call: Program, ledger: Path) -> None:
    records = [json.loads(line) for line in call("export", ledger, "--what", "all").out.splitlines()]
    assert [tuple(record) for record in records] == [ALL_COLUMNS] * 6
    assert [record["status"] for record in records] == [
        "created", "duplicate", "failed", "duplicate", "invalid", "pending",
    ]  # fmt: skip
    assert (records[1]["customer_id"], records[1]["duplicate_of"]) == ("cus_1", 1)
    assert records[2]["error_code"] == "card_declined"


def test_failed_are_the_failed_the_invalid_and_the_duplicates_of_failed(call: Program, ledger: Path) -> None:
    rows = list(csv.reader(io.StringIO(call("export", ledger, "--what", "failed").out)))
    assert rows[0] == ["E-mail", "Phone", "Note", "Extra", *ADDED_COLUMNS]
    assert rows[1][:4] == ["p3@example.com", "'+1 555", "", ""]
    assert rows[2][:4] == ["P3@example.com", "", "'=1+1", ""]
    assert rows[3][3] == '{"a": [1, null]}'
    assert [row[4:7] for row in rows[1:]] == [
        [TOKEN, "3", "failed"], [TOKEN, "4", "duplicate"], [TOKEN, "5", "invalid"],
    ]  # fmt: skip


def test_a_file_is_private_complete_and_leaves_nothing_beside_it(call: Program, ledger: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    target.write_text("what was there before")
    said = call("export", ledger, "--output", target)
    assert (said.code, said.out, said.err) == (0, "", f"2 rows written to {target}\n")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.read_text() == call("export", ledger).out
    assert not list(tmp_path.glob("*.part"))


def test_json_describes_an_export_to_a_file(call: Program, ledger: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.jsonl"
    said = call("export", ledger, "--what", "all", "--output", target, "--json")
    assert json.loads(said.out) == {
        "what": "all",
        "format": "jsonl",
        "output": str(target),
        "rows": 6,
        "exit_code": 0,
        "next": None,
    }
    assert said.err == ""


def test_a_byte_order_mark_comes_first_when_asked_for(call: Program, ledger: Path) -> None:
    assert call("export", ledger, "--bom").out.startswith("\ufeffrow,")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--bom", "--format", "jsonl"], "--bom is for CSV only"),
        (["--bom", "--what", "all"], "--bom is for CSV only"),
        (["--json"], "add --output FILE"),
        (["--output", "/no/such/folder/x.csv"], "choose another place"),
        (["--output", "/"], "choose another place"),
    ],
)
def test_what_cannot_be_written_is_code_2(call: Program, ledger: Path, words: list[str], sentence: str) -> None:
    said = call("export", ledger, *words)
    assert (said.code, said.out != "") == (2, "--json" in words)
    assert sentence in said.err


def test_ledger_and_source_are_never_overwritten(call: Program, tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    source.write_text("email\n")
    ledger = small_ledger(tmp_path / "l.db", source=str(source))
    (tmp_path / "link").symlink_to(ledger)
    for target in (ledger, source, tmp_path / "link"):
        said = call("export", ledger, "--output", target)
        assert (said.code, "choose another file" in said.err) == (2, True)
    assert source.read_text() == "email\n"
    assert call("export", ledger).code == 0


def test_a_device_is_written_to_and_not_replaced(call: Program, ledger: Path) -> None:
    assert call("export", ledger, "--output", os.devnull).code == 0
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_a_full_disk_is_code_3_and_leaves_the_old_file(call: Program, ledger: Path) -> None:
    said = call("export", ledger, "--output", "/dev/full")
    assert (said.code, "make room" in said.err) == (3, True)
    run = f"{sys.executable} -m bulk_import export {ledger} > /dev/full"
    done = subprocess.run(["/bin/sh", "-c", run], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "make room" in done.stderr) == (3, True)


FULL = ("run people.csv --simulate --yes --json", "check people.csv --json", "completion bash")


def test_a_program_that_cannot_be_told_everything_learns_it_by_code_3(tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("email\nann@example.com\n")
    runs = "; ".join(f"{sys.executable} -m bulk_import {words} > /dev/full; echo $? >&2" for words in FULL)
    done = subprocess.run(
        ["/bin/sh", "-c", runs], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    told = done.stderr.splitlines()
    assert [line for line in told if line.isdecimal()] == ["3"] * len(FULL)
    assert sum("standard output cannot be written" in line for line in told) == len(FULL)
    assert {line.status for line in ledger_lines(tmp_path / "people.csv.simulated.db")} == {"created"}


def test_a_reader_that_leaves_early_ends_the_export_in_silence(tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db", rows=200_000)
    run = f"({sys.executable} -m bulk_import export {ledger} --what all; echo $? >&2) | head -1"
    done = subprocess.run(["/bin/sh", "-c", run], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, json.loads(done.stdout)["row"]) == ("0\n", 1)


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for rows in (1_000, 60_000):
        ledger = small_ledger(tmp_path / f"{rows}.db", rows=rows)
        code = (
            "import resource, sys; from bulk_import.cli.ending import run_program;"
            f"run_program(['export', {str(ledger)!r}, '--what', 'all', '--output', '/dev/null', '-q']);"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        peaks.append(int(done.stdout))
    assert peaks[1] - peaks[0] < 4_000


def test_without_a_ledger_it_is_code_5(call: Program, tmp_path: Path) -> None:
    said = call("export", tmp_path / "no.db")
    assert (said.code, said.out) == (5, "")


def test_the_map_for_stripe_has_its_two_columns_and_needs_a_key_column(call: Program, tmp_path: Path) -> None:
    keyed = small_ledger(tmp_path / "keyed.db", options={"mapping": {"key": "user_id"}})
    said = call("export", keyed, "--what", "stripe-map")
    assert said.out == "old_customer_id,stripe_customer_id\nu1,cus_1\nu2,cus_1\n"
    refused = call("export", small_ledger(tmp_path / "l2.db"), "--what", "stripe-map")
    assert (refused.code, "--key" in refused.err) == (2, True)


def test_rows_that_somebody_may_have_mended_are_never_replaced_without_a_trace(call: Program, ledger: Path) -> None:
    target = ledger.with_name("failed.csv")
    first = call("export", ledger, "--what", "failed", "--output", target)
    assert first.err.splitlines()[-1] == f"next: bulk-import retry {ledger} --with {target}"
    call("export", ledger, "--what", "failed", "--output", target)
    assert [path.name for path in ledger.parent.glob("failed*")] == ["failed.csv"]  # nothing was mended in between
    mended = target.read_text().replace("p3@", "p33@")
    target.write_text(mended)
    for number in (1, 2):
        said = call("export", ledger, "--what", "failed", "--output", target)
        kept = ledger.with_name(f"failed.{number}.csv")
        assert (kept.read_text(), f"is kept as {kept}" in said.err) == (mended, True)
        assert "p3@example.com" in target.read_text()
        target.write_text(mended)
    assert call("export", ledger, "--what", "map", "--output", target).code == 0
    assert len(list(ledger.parent.glob("failed*"))) == 3
