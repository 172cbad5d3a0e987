"""JSON, read strictly: nothing is repaired, rounded or overwritten in silence."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.errors import SourceError
from bulk_import.reading import read_records
from bulk_import.reading.jsonarray import read_json_array
from bulk_import.reading.lines import LIMIT


def records_of(folder: Path, data: str | bytes, name: str = "users.jsonl") -> list[tuple[int, dict[str, Any], Any]]:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return [(record.line, dict(record.fields), record.problem) for record in read_records(path)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"a": NaN}', "NaN"),
        ('{"a": Infinity}', "Infinity"),
        ('{"a": 1e999}', "lose digits"),
        ('{"a": 12345678901234567890}', "lose digits"),
        ('{"a": -9007199254740993}', "lose digits"),
        ('{"a": 0.12345678901234567890}', "lose digits"),
        ('{"a": ' + "9" * 5000 + "}", "lose digits"),
        ('{"a": 1, "a": 2}', "'a' stands twice"),
        ('{"x": {"b": 1, "b": 1}}', "'b' stands twice"),
        ('{"a": "\\ud800"}', "lone surrogate"),
        ('{"\\udfff": 1}', "lone surrogate"),
        ('{"a": "\\u0000"}', "control character"),
        ('{"a": "\x1b"}', "control character"),
        ("[1, 2]", "an array"),
        ('"text"', "a text"),
        ("null", "null"),
        ("17", "a number"),
        ('{"a": 1', "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1} x', "not JSON"),
        ("email,name", "not JSON"),
        ('{"a":' * 40 + "1" + "}" * 40, "deeper than 32"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", "deeper than 32"),
    ],
)
def test_what_others_accept_in_silence_is_a_damaged_row(tmp_path: Path, line: str, words: str) -> None:
    (_, _, before), (place, fields, problem), (_, _, after) = records_of(tmp_path, f'{{"a":1}}\n{line}\n{{"a":2}}\n')
    assert (before, after, place, fields) == (None, None, 2, {})
    assert words in problem


@pytest.mark.parametrize("value", [0, -1, 2**53, -(2**53), 0.1, 10.5, 1e3, True, None, "é", [1, {"b": []}], "\t\n"])
def test_what_json_can_hold_is_read(tmp_path: Path, value: object) -> None:
    assert records_of(tmp_path, json.dumps({"a": value})) == [(1, {"a": value}, None)]


def test_blank_lines_a_mark_and_a_missing_last_line_end_are_tolerated(tmp_path: Path) -> None:
    data = b'\xef\xbb\xbf\n{"a": 1}\r\n\r\n  {"a": 2}'
    assert records_of(tmp_path, data) == [(2, {"a": 1}, None), (4, {"a": 2}, None)]


def test_an_undecodable_byte_damages_its_line_only(tmp_path: Path) -> None:
    data = b'{"a": "\xc3\xa9"}\n' + b'{"a": "\xff"}\n' + b'{"a": 3}\n'
    assert [problem is None for _, _, problem in records_of(tmp_path, data)] == [True, False, True]


def test_columns_are_the_keys_of_the_first_records(tmp_path: Path) -> None:
    path = tmp_path / "users.jsonl"
    path.write_text('{"email": "a@example.com"}\n{"email": "b@example.com", "name": "Bob"}\n')
    assert read_records(path).columns == ("email", "name")


ARRAYS = [
    ('[{"a": 1}, {"a": 2}]', [(1, {"a": 1}), (1, {"a": 2})]),
    ('[\n {"a": "]},{"},\n\n {"a": ["\\"", {"b": 1}]}\n]\n', [(2, {"a": "]},{"}), (4, {"a": ['"', {"b": 1}]})]),
    ('{\n "a": 1\n}\n{\n "a": 2\n}', [(1, {"a": 1}), (4, {"a": 2})]),
    ("[]", []),
]


@pytest.mark.parametrize(("text", "expected"), ARRAYS)
def test_an_array_or_objects_over_many_lines_are_read_element_by_element(
    tmp_path: Path, text: str, expected: list[Any]
) -> None:
    found = records_of(tmp_path, text, "users.json")
    assert found == [(line, fields, None) for line, fields in expected]


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ('[{"a": 1}, 5, {"a": 2}]', [True, False, True]),
        ('[{"a": 1} {"a": 2}]', [True, False]),
        ('[{"a": "open},\n{"a": 2}]', [False]),
        ('[{"a": 1]}, {"a": 2}]', [False, True]),
        ('[{"a": NaN}, {"a": 2}]', [False, True]),
    ],
)
def test_a_damaged_element_is_reported(tmp_path: Path, text: str, sound: list[bool]) -> None:
    path = tmp_path / "users.json"
    path.write_text(text)
    found = []
    try:
        for record in read_records(path):
            found.append(record.problem is None)
    except SourceError:
        found.append(False)
    assert found == sound


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[{"a": 1}, {"a"', "ends inside"),
        ('[{"a": 1}', "ends inside"),
        ('[{"a": 1}] {"a": 2}', "goes on"),
        ('{"data": [{"a": 1}]}', "jq"),
        ('{"has_more": false,\n "customers": [\n{"a": 1}]}', "jq"),
    ],
)
def test_an_array_that_is_not_one_is_refused(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        records_of(tmp_path, text, "users.json")


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
def test_an_array_is_read_alike_however_its_text_is_cut(size: int) -> None:
    text = (
        '[{"a": "x\\"y\\\\", "b": [1, "],{"]},\r\n {"a": "\\u00e9"} ,\r\r{"b":\n{"c": "}"}}, {"a": "open\n}, {"d": 1}]'
    )
    expected = list(read_json_array(iter([text]), Path("users.json")))
    assert [record.line for record in expected] == [1, 2, 4, 5, 6]
    assert list(
        read_json_array(iter(text[at : at + size] for at in range(0, len(text), size)), Path("users.json"))
    ) == (expected)


@pytest.mark.parametrize(("mark", "name"), [(", ", "users.json"), ("", "users.json"), (" ", "users.jsonl")])
def test_objects_on_one_line_are_read_whatever_its_length(tmp_path: Path, mark: str, name: str) -> None:
    objects = [json.dumps({"email": f"u{number}@example.com", "note": "\\é" * 2000}) for number in range(120)]
    text = mark.join(objects)
    assert len(text) > LIMIT
    found = records_of(tmp_path, f"[{text}]" if mark == ", " else text, name)
    assert [(fields["email"], problem) for _, fields, problem in found] == [
        (f"u{number}@example.com", None) for number in range(120)
    ]


PAIRS = '{"Username": "u1", "Attributes": [{"Name": "email", "Value": "a@example.com"}]}'
BY_COLUMN = '{"email": {"0": "a@example.com", "1": "b@example.com"}, "name": {"0": "Ann", "1": null}}'


@pytest.mark.parametrize(
    ("text", "what", "program"),
    [
        ('{"Users": [' + PAIRS + "]}", "Cognito", ".Users[] | "),
        ('{"page": 1, "result": {"people": [{"mail": "a@example.com"}]}}', "'result.people'", "'.result.people[]'"),
        ('{"our users": [{"mail": "a@example.com"}]}', "'our users'", '.["our users"][]'),
        ('{"u1": {"email": "a@example.com"}, "u2": {"email": "b@example.com"}}', "under their ids", "{id: .key}"),
        ('{"u1": {"login": "a@example.com", "x": 1}, "u2": {"login": "b@example.com", "x": 1}}', "ids", "{id: .key}"),
        (
            '{"users": {"-Ma": {"email": "a@example.com", "x": 1}, "-Mb": {"email": "b@example.com"}}, "posts": {}}',
            "'users'",
            "'.users | to_entries[] | {id: .key} + .value'",
        ),
        (BY_COLUMN, "column by column", "group_by"),
        ('{"email": ["a@example.com", "b@example.com"], "name": ["Ann", "Bob"]}', "column by column", "group_by"),
        ('{"columns": ["email"], "index": [0], "data": [["a@example.com"]]}', "orient='split'", "transpose"),
        ('[["email", "name"], ["a@example.com", "Ann"]]', "array of arrays", "@csv"),
        ('["a@example.com", "b@example.com"]', "array of texts", "{email: .}"),
        (
            '{"Item": {"email": {"S": "a@example.com"}, "age": {"N": "3"}}}\n' * 2,
            "DynamoDB",
            "; .Item | map_values(plain)",
        ),
        (
            '{"Items": [{"email": {"S": "a@example.com"}, "x": {"NULL": true}}], "Count": 1}',
            "DynamoDB",
            "; .Items[] | map_values",
        ),
        ('{"email": {"S": "a@example.com"}, "x": {"M": {"y": {"S": "z"}}}}\n' * 2, "DynamoDB", "; map_values(plain)"),
        ('[{"email": {"S": "a@example.com"}, "x": {"N": "1"}}]', "DynamoDB", "; .[] | map_values(plain)"),
        (
            '[{"type": "header", "comment": "x"}, {"type": "table", "name": "users", "data": [{"mail": "a@example.com"}]}]',
            "under 'data' of one",
            "'.[] | .data?[]?'",
        ),
    ],
)
def test_records_in_another_shape_are_refused_with_what_makes_json_lines_of_them(
    tmp_path: Path, text: str, what: str, program: str
) -> None:
    with pytest.raises(SourceError) as refused:
        records_of(tmp_path, text, "users.json")
    assert what in str(refused.value)
    assert program in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "{" + ", ".join(f'"u{number}": {{"email": "u{number}@example.com"}}' for number in range(40_000)) + "}",
        '{"users": [' + ", ".join(f'{{"email": "u{number}@example.com"}}' for number in range(40_000)) + "]}",
        '{"email": {' + ", ".join(f'"{number}": "u{number}@example.com"' for number in range(40_000)) + "}}",
    ],
    ids=["by id", "wrapped", "by column"],
)
def test_another_shape_is_told_by_the_beginning_of_a_file_that_is_one_long_line(tmp_path: Path, text: str) -> None:
    assert len(text) > LIMIT
    with pytest.raises(SourceError, match="jq"):
        records_of(tmp_path, text, "users.json")


@pytest.mark.parametrize(
    "text",
    [
        '{"email": "a@example.com", "users": [{"email": "b@example.com"}]}',
        '{"email_address": "a@example.com", "items": [{"sku": 1}]}',
        '{"email": "a@example.com", "address": {"city": "Rome"}, "tags": ["x"]}',
        '{"user": {"email": "a@example.com", "name": "Ann"}, "plan": {"id": 1}}',
        '{"email": ["a@example.com"]}',
        '{"userName": "ann", "emails": [{"value": "a@example.com", "primary": true}, {"value": "b@example.com"}]}',
        '{"id": "1", "credentials": {"email_addresses": [{"value": "a@example.com"}]}}',
        PAIRS,
        '{"user": {"ann": {"email": "a@example.com", "x": 1}, "bob": {"email": "b@example.com"}}}',
        '{"tags": [{"handle": "@ann"}]}',
        '{"mixed": [{}, "a@example.com"]}',
        '[{"id": 1}, {"profile": {"email": "a@example.com"}, "items": [{"mail": "b@example.com"}]}, {"email": "c@example.com"}]',
        '{"email": "a@example.com", "note": "one\u2028two"}',
        '{"a": 1}\n{"u1": {"email": "a@example.com"}, "u2": {"email": "b@example.com"}}',
        BY_COLUMN + "\n" + BY_COLUMN,
    ],
)
def test_a_record_that_holds_others_is_a_record(tmp_path: Path, text: str) -> None:
    assert all(problem is None for _, _, problem in records_of(tmp_path, text, "users.json"))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=("Cs", "Cc"))),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(
    objects=st.lists(st.dictionaries(st.text("abcé", max_size=4), VALUES, max_size=4), min_size=1, max_size=6),
    array=st.booleans(),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_objects_come_back(
    objects: list[dict[str, Any]], array: bool, indent: int | None, ascii_only: bool
) -> None:
    if array:
        text = json.dumps(objects, indent=indent, ensure_ascii=ascii_only)
    else:
        text = "\n".join(json.dumps(one, ensure_ascii=ascii_only) for one in objects)
    with tempfile.TemporaryDirectory() as folder:
        found = records_of(Path(folder), text, "users.json" if array else "users.jsonl")
    assert [(fields, problem) for _, fields, problem in found] == [(one, None) for one in objects]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"email": "a@example.com"}{"email": "b@example.com"}\n', [1, 1]),
        ('\x1e{"email": "a@example.com"}\n\x1e{"email": "b@example.com"}\n', [1, 2]),
        ('\ufeff{"email": "a@example.com"}\n\ufeff{"email": "b@example.com"}\n', [1, 2]),
        ('\ufeff{\n"email": "a@example.com"}\n\ufeff{\n"email": "b@example.com"}\n', [1, 3]),
    ],
)
def test_objects_in_a_row_and_text_sequences_are_read(tmp_path: Path, text: str, lines: list[int]) -> None:
    path = tmp_path / "customers.json"
    path.write_text(text)
    records = list(read_records(path))
    assert [(record.problem, record.line) for record in records] == [(None, line) for line in lines]
    assert [record.fields["email"] for record in records] == ["a@example.com", "b@example.com"]
