from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from tests.cli_calls import Program, calling

GOOD = "E-mail,Name,Plan\nann@example.com,Ann,pro\nbob@example.com,Bob,free\n"
BAD = "E-mail,Name\nann@example.com,Ann\nbob\u202e at example.com,Bob\nANN@example.com,Ann\nx\n"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


def file(folder: Path, text: str) -> Path:
    path = folder / "people.csv"
    path.write_bytes(text.encode())
    return path


def test_a_good_file_is_code_0_and_shows_what_was_settled(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, GOOD))
    assert (said.code, said.out) == (0, "")
    assert "encoding is UTF-8" in said.err
    assert "delimiter is ','" in said.err
    assert "guess:" in said.err
    assert "row 1, line 2: E-mail=ann@example.com, Name=Ann, Plan=pro" in said.err
    assert said.err.splitlines()[-1].startswith("next: bulk-import run ")


def test_problems_are_code_1_each_with_row_line_column_value_and_advice(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, BAD))
    assert (said.code, said.out) == (1, "")
    problem = next(line for line in said.err.splitlines() if "\\u202e at example.com" in line and "@-sign" in line)
    assert problem.split()[:3] == ["2", "3", "E-mail"]
    duplicate = next(line for line in said.err.splitlines() if "row 1" in line and "same" in line)
    assert duplicate.split()[:2] == ["3", "4"]
    assert "\u202e" not in said.err


def test_a_file_of_which_no_row_can_be_read_says_why(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, "email,name\na@example.com,Ann,x,y\nb@example.com\n"))
    assert said.code == 2
    assert "4 cells where the header has 2" in said.err


def test_addresses_deeper_in_json_objects_are_named_where_no_row_has_one(call: Program, tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    users = [
        {"pk": number, "staff": {"second_email": f"s{number}@example.com", "email": f"u{number}@example.com"}}
        for number in range(3)
    ]
    path.write_text(json.dumps(users))
    said = call("check", path)
    assert said.code == 2
    assert "its columns are pk, staff.second_email, staff.email; " in said.err
    assert '--map "staff.email=email"' in said.err
    assert call("check", path, "--map", "staff.email=email").code == 0


def test_addresses_in_lists_are_told_with_what_takes_them_out(call: Program, tmp_path: Path) -> None:
    path = tmp_path / "dump.json"
    for entry, place in (
        ({"value": "u1@example.com", "type": "work"}, "emails[0].value"),
        ("u1@example.com", "emails[0]"),
    ):
        path.write_text(json.dumps([{"id": 1, "emails": []}, {"id": 2, "emails": [entry]}]))
        said = call("check", path)
        assert said.code == 2
        assert f". + {{email: .{place}}}' FILE > users.jsonl" in said.err


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_the_first_rows_hide_what_is_never_sent(call: Program, tmp_path: Path, ending: str) -> None:
    fields = {"email": "a@example.com", "password": "hunter2", "cvv": "987", "note": "pays 4242 4242 4242 4242"}
    path = tmp_path / f"people{ending}"
    row = ",".join(fields.values())
    path.write_text(f"{','.join(fields)}\n{row}\n" if ending == ".csv" else json.dumps(fields) + "\n")
    for said in (call("check", path), call("check", path, "--json")):
        assert not [secret for secret in ("hunter2", "987", "4242 4242") if secret in said.out + said.err]


def test_json_is_one_object_with_what_the_table_shows(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, BAD), "--json")
    found = json.loads(said.out)
    assert (said.code, said.err, found["exit_code"]) == (1, "", 1)
    assert (found["rows"], found["valid"], found["invalid"], found["duplicates"]) == (4, 2, 2, 1)
    assert found["reading"]["delimiter"] == ","
    assert [line["field"] for line in found["mapping"]] == ["email", "name"]
    groups = {group["rule"]: group for group in found["problems"]}
    assert groups["email"]["places"][0]["row"] == 2
    assert set(groups["email"]["places"][0]) == {"row", "line", "column", "value", "advice"}
    assert groups["duplicate"]["warning"]
    assert found["first_rows"][0]["fields"] == {"E-mail": "ann@example.com", "Name": "Ann"}


def test_rows_prints_each_record_as_it_was_read(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, BAD), "--rows")
    records = [json.loads(line) for line in said.out.splitlines()]
    assert said.code == 1
    assert [list(record) for record in records] == [["row", "line", "fields", "problem"]] * 4
    assert records[1] == {
        "row": 2, "line": 3, "fields": {"E-mail": "bob\u202e at example.com", "Name": "Bob"}, "problem": None,
    }  # fmt: skip
    assert (records[3]["row"], records[3]["line"], records[3]["problem"] is None) == (4, 5, False)


def test_rows_needs_no_email_column_and_judges_nothing(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, "id,colour\n1,red\n2,blue\n"), "--rows")
    assert (said.code, len(said.out.splitlines())) == (0, 2)


def test_the_advice_for_unreadable_json_lines_names_no_delimiter(call: Program, tmp_path: Path) -> None:
    path = tmp_path / "customers.jsonl"
    path.write_text('{"email": "a@example.com"},\n{"email": "b@example.com"},\n')
    said = call("check", str(path))
    assert said.code == 2
    assert "line 1: a comma ends the line" in said.err
    assert "--delimiter" not in said.err


def test_a_file_without_rows_is_refused_by_rows_as_by_check(call: Program, tmp_path: Path) -> None:
    path = file(tmp_path, "email,name\n")
    judged, listed = call("check", path), call("check", path, "--rows")
    assert judged.code == listed.code == 2
    assert "holds no rows" in judged.err
    assert "holds no rows" in listed.err


def test_standard_input_is_read_like_a_file(call: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.encode())))
    said = call("check", "-", "--json")
    assert (said.code, json.loads(said.out)["rows"], json.loads(said.out)["source"]) == (0, 2, "-")


def test_options_reach_the_reading_and_the_mapping(call: Program, tmp_path: Path) -> None:
    path = file(tmp_path, "ignore this\nid;mail\n7;ann@example.com\n")
    said = call("check", path, "--skip-lines", "1", "--delimiter", ";", "--map", "mail=email", "--key", "id", "--json")
    found = json.loads(said.out)
    assert (said.code, found["reading"]["skip_lines"], found["rows"]) == (0, 1, 1)


@pytest.mark.parametrize("text", ["", "id,colour\n1,red\n"])
def test_a_file_that_cannot_be_imported_is_code_2(call: Program, tmp_path: Path, text: str) -> None:
    said = call("check", file(tmp_path, text))
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("Error: ")


def test_quiet_says_nothing_but_the_code(call: Program, tmp_path: Path) -> None:
    said = call("check", file(tmp_path, BAD), "-q")
    assert (said.code, said.out, said.err) == (1, "", "")


def test_structures_of_the_first_rows_are_shown_as_json(call: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_text(
        '{"email": "ann@example.com", "address": {"city": "Bern"}, "ok": true, "fee": 0.10, "none": null}\n'
    )
    first = next(line for line in call("check", path).err.splitlines() if line.startswith("  row 1, "))
    assert first == '  row 1, line 1: email=ann@example.com, address={"city": "Bern"}, ok=true, fee=0.10, none='
