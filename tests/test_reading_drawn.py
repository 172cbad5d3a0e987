"""Tables drawn for the eye are refused with what they are and how to write them, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from bulk_import import read_records
from bulk_import.errors import SourceError

DRAWN = {
    "psql": " id |     email      \n----+----------------\n  1 | a@example.com \n(1 row)\n",
    "mysql": "+----+---------------+\n| id | email         |\n+----+---------------+\n|  1 | a@example.com |\n",
    "drawn with lines": "┌────┬───────────────┐\n│ id │ email         │\n├────┼───────────────┤\n",
    "Markdown": "| id | email |\n|----|:-----:|\n| 1 | a@example.com |\n",
    "a Markdown table": "id | email\n-- | --\n1 | a@example.com\n",
    "one below the other": "-[ RECORD 1 ]---\nid    | 1\nemail | a@example.com\n",
    "mysql --batch": "*************** 1. row ***************\n   id: 1\nemail: a@example.com\n",
    "sqlcmd": "id    email         \n----- --------------\n1     a@example.com \n",
    "fixed width": "\nid   email          name\n1    a@example.com  Ann\n22   b@example.com  \n",
}


@pytest.mark.parametrize(("what", "text"), DRAWN.items())
def test_a_table_drawn_for_the_eye_is_refused_with_what_it_is(tmp_path: Path, what: str, text: str) -> None:
    path = tmp_path / "people.txt"
    path.write_text(text)
    with pytest.raises(SourceError, match=what) as refused:
        read_records(path)
    assert str(refused.value).count("\n") == 0
    assert "CSV" in str(refused.value) or "csv" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("id|email\n--|-----\n1|a@example.com\n", {"id": "--", "email": "-----"}),
        ("email\na@example.com\n", {"email": "a@example.com"}),
        ("Full  Name\temail\nAnn\ta@example.com\n", {"Full  Name": "Ann", "email": "a@example.com"}),
        ("name  or  alias,email\nann,a@example.com\n", {"name  or  alias": "ann", "email": "a@example.com"}),
        ("email,note\na@example.com,+----+\n", {"email": "a@example.com", "note": "+----+"}),
    ],
)
def test_what_only_looks_a_little_like_it_is_read(tmp_path: Path, text: str, first: dict[str, str]) -> None:
    path = tmp_path / "people.txt"
    path.write_text(text)
    assert next(iter(read_records(path))).fields == first


def test_whoever_says_how_to_read_it_is_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "people.txt"
    path.write_text(DRAWN["psql"])
    assert [record.problem is None for record in read_records(path, delimiter="|", skip_lines=0)].count(True) == 1
