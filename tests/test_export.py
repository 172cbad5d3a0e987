from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_import.errors import StoppedEarly
from bulk_import.formulas import defuse, restore
from bulk_import.ledger import Line
from bulk_import.ledger.views import lines_from
from bulk_import.report.blocks import BLOCK
from bulk_import.report.export import (
    ADDED_COLUMNS,
    ALL_COLUMNS,
    csv_cell,
    csv_line,
    default_format,
    exported,
    moment,
    record_of,
)

CREATED = Line(
    1, 2, "u1", "p1@example.com", "created", "cus_1", None, None, None, None, None, None, "req_1", 1, 1_700_000_000.25
)
DUPLICATE = CREATED._replace(row=2, line=3, source_id=None, status="duplicate", duplicate_of=1, attempts=0)
FAILED = CREATED._replace(row=3, line=4, status="failed", customer_id=None, error_type="card_error", error_code="card_declined",
    error_param="payment_method", error_message="Your card was declined.", http_status=402,
)  # fmt: skip
ORPHAN = FAILED._replace(
    row=4, status="duplicate", duplicate_of=3, error_code=None, error_param=None, error_message=None
)
UNSEEN = Line(5, None, None, None, "pending", None, None, None, None, None, None, None, None, 0, None)

text = st.text(st.sampled_from("'=+-@\t\r\n\", ;a1€"), max_size=8) | st.text(max_size=20)


Failures = Callable[[], Iterable[tuple[Line, Mapping[str, Any]]]]


def whole(what: Any, form: Any, lines: Sequence[Line] = (), failures: Failures = list) -> str:
    mapped = [(at.row, at.source_id, at.email, at.customer_id) for at in lines if at.customer_id is not None]
    return "".join(exported(what, form, "token", lambda: lines, lambda: mapped, failures))


@given(text)
@example("'=x")
@example("''+1")
@example("'")
def test_restoring_a_defused_cell_gives_the_cell(cell: str) -> None:
    assert restore(defuse(cell)) == cell


@given(text, text)
def test_no_two_cells_are_defused_alike(one: str, other: str) -> None:
    assert (defuse(one) == defuse(other)) == (one == other)


@given(text)
def test_a_defused_cell_never_begins_like_a_formula(cell: str) -> None:
    assert not defuse(cell).startswith(("=", "+", "-", "@", "\t", "\r"))


@given(text)
def test_restoring_changes_only_what_defusing_makes(cell: str) -> None:
    assert restore(cell) == cell or defuse(restore(cell)) == cell


@pytest.mark.parametrize(
    ("cell", "defused"),
    [
        ("=1+1", "'=1+1"),
        ("+49 30 1", "'+49 30 1"),
        ("-5", "'-5"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=1", "''=1"),
        ("'tis", "'tis"),
        ("O'Hara", "O'Hara"),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_cells_are_defused_by_this_table(cell: str, defused: str) -> None:
    assert defuse(cell) == defused


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        ("text", "text"),
        (12, "12"),
        (-5, "'-5"),
        (True, "true"),
        ({"a": [1, None, "ü"]}, '{"a": [1, null, "ü"]}'),
        ([], "[]"),
    ],
)
def test_values_become_cells_by_this_table(value: Any, cell: str) -> None:
    assert csv_cell(value) == cell


@given(st.lists(text, min_size=1, max_size=5))
def test_a_line_of_csv_reads_back_as_the_same_cells(cells: list[str]) -> None:
    read = list(csv.reader(io.StringIO(csv_line(cells), newline=""), strict=True))
    assert [[restore(cell) for cell in found] for found in read] == [cells]


def test_a_line_of_csv_ends_with_a_line_feed_alone() -> None:
    assert csv_line(["a", "b"]) == "a,b\n"


def test_a_lone_carriage_return_is_quoted() -> None:
    assert csv_line(["a\rb"]) == '"a\rb"\n'


def test_a_moment_is_iso_8601_in_utc() -> None:
    assert moment(1_700_000_000.25) == "2023-11-14T22:13:20.250Z"
    assert moment(None) is None


def test_all_has_the_documented_fields_in_their_order() -> None:
    assert ALL_COLUMNS == (
        "row", "line", "source_id", "email", "status", "customer_id", "duplicate_of", "error_type", "error_code",
        "error_param", "error_message", "http_status", "request_id", "attempts", "settled_at",
    )  # fmt: skip
    assert tuple(record_of(CREATED)) == ALL_COLUMNS


def test_all_is_json_lines_unless_asked_otherwise_and_the_rest_csv() -> None:
    assert [default_format(what) for what in ("map", "failed", "all")] == ["csv", "csv", "jsonl"]


def test_all_as_json_lines_has_null_for_what_is_absent() -> None:
    records = [json.loads(line) for line in whole("all", "jsonl", [CREATED, UNSEEN]).splitlines()]
    assert records[0]["settled_at"] == "2023-11-14T22:13:20.250Z"
    assert records[1] == {**dict.fromkeys(ALL_COLUMNS), "row": 5, "status": "pending", "attempts": 0}


def test_all_as_csv_is_empty_where_something_is_absent() -> None:
    assert whole("all", "csv", [UNSEEN]).splitlines() == [",".join(ALL_COLUMNS), "5,,,,pending,,,,,,,,,0,"]


def test_map_has_a_line_for_each_mapped_row() -> None:
    assert whole("map", "csv", [CREATED, DUPLICATE, FAILED, UNSEEN]) == (
        "row,source_id,email,customer_id\n1,u1,p1@example.com,cus_1\n2,,p1@example.com,cus_1\n"
    )


cells = st.none() | text | st.sampled_from(["50 %", "%s", "a,b", 'say "hi"', "\x00\x1f\x7f\u2028", "\r\n"])
numbers = st.none() | st.integers(0, 10**6)
moments = st.none() | st.floats(-10, 4e9) | st.sampled_from([1.79e9 + 0.9999999, 0.9995, 1.79e9 - 1e-7, 0.0])
odd_lines = st.builds(
    Line, st.integers(1, 10**6), numbers, cells, cells, st.just("failed"), cells, numbers, cells, cells, cells, cells,
    numbers, cells, st.integers(0, 9), moments,
)  # fmt: skip


@given(st.lists(odd_lines, max_size=4), st.integers(0, 3), st.integers(0, 3))
def test_written_together_rows_are_what_they_are_one_by_one(odd: list[Line], before: int, after: int) -> None:
    lines = [CREATED] * before + odd + [UNSEEN] * after
    records = [record_of(line) for line in lines]
    assert whole("all", "jsonl", lines) == "".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records)
    assert whole("all", "csv", lines) == csv_line(ALL_COLUMNS) + "".join(by_the_module(r.values()) for r in records)


def by_the_module(cells: Iterable[Any]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([csv_cell(cell) for cell in cells])
    return written.getvalue()[:-2] + "\n"


def test_more_rows_than_are_written_together_keep_their_order_and_number() -> None:
    lines = [(FAILED if n % 7 else CREATED)._replace(row=n) for n in range(1, 2 * BLOCK + 2)]
    assert [json.loads(line)["row"] for line in whole("all", "jsonl", lines).splitlines()] == [at.row for at in lines]
    assert whole("all", "csv", lines).count("\n") == len(lines) + 1


def test_map_as_json_lines_has_the_same_fields() -> None:
    assert json.loads(whole("map", "jsonl", [CREATED])) == {
        "row": 1, "source_id": "u1", "email": "p1@example.com", "customer_id": "cus_1",
    }  # fmt: skip


def test_rows_that_no_run_looked_at_stand_in_their_place() -> None:
    found = [tuple(CREATED._replace(row=row)) for row in (3, 4, 7)]
    lines = list(lines_from(2, found))
    assert [(line.row, line.status) for line in lines] == [
        (2, "pending"), (3, "created"), (4, "created"), (5, "pending"), (6, "pending"), (7, "created"),
    ]  # fmt: skip
    assert list(lines_from(3, found[:2])) == [CREATED._replace(row=3), CREATED._replace(row=4)]


def test_failed_has_the_original_columns_in_first_seen_order_and_then_ours() -> None:
    failures: list[tuple[Line, Mapping[str, Any]]] = [(FAILED, {"b": "1", "a": "2"}), (ORPHAN, {"c": "=x", "a": None})]
    rows = list(csv.reader(io.StringIO(whole("failed", "csv", failures=lambda: failures))))
    assert rows[0] == ["b", "a", "c", *ADDED_COLUMNS]
    assert rows[1] == [
        "1",
        "2",
        "",
        "token",
        "3",
        "failed",
        "card_declined",
        "payment_method",
        "Your card was declined.",
    ]
    assert rows[2] == ["", "", "'=x", "token", "4", "duplicate", "", "", "has the e-mail of row 3, which failed"]


def test_failed_as_json_lines_keeps_values_as_they_are() -> None:
    original = {"address": {"city": "Łódź"}, "balance": -5, "note": "=x", "none": None}
    record = json.loads(whole("failed", "jsonl", failures=lambda: [(FAILED, original)]))
    assert {name: record[name] for name in original} == original
    assert [record[name] for name in ADDED_COLUMNS[:3]] == ["token", 3, "failed"]


def test_the_columns_of_an_earlier_export_are_replaced_not_doubled() -> None:
    original = {"a": "1", "_row": "77", "_error": "old", "_ledger": "other"}
    rows = list(csv.DictReader(io.StringIO(whole("failed", "csv", failures=lambda: [(FAILED, original)]))))
    assert rows == [
        {"a": "1", "_ledger": "token", "_row": "3", "_status": "failed", "_error_code": "card_declined",
         "_error_param": "payment_method", "_error": "Your card was declined."}
    ]  # fmt: skip


def test_a_column_that_appears_during_the_export_stops_it_instead_of_being_lost() -> None:
    answers = iter([[(FAILED, {"a": "1", "late": "2"})], [(FAILED, {"a": "1"})]])
    with pytest.raises(StoppedEarly, match="run the same export again"):
        whole("failed", "csv", failures=lambda: next(answers))


def test_nothing_to_export_is_a_header_in_csv_and_nothing_in_json_lines() -> None:
    assert whole("failed", "csv") == ",".join(ADDED_COLUMNS) + "\n"
    assert whole("map", "jsonl") == ""


def test_the_map_for_stripe_says_ids_as_they_are() -> None:
    lines = [CREATED._replace(source_id="-5"), CREATED._replace(source_id=None), FAILED]
    assert whole("stripe-map", "csv", lines) == "old_customer_id,stripe_customer_id\n-5,cus_1\n"
