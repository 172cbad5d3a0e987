"""Damaged rows: each is reported where it stands, and takes no other row along."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from bulk_import.errors import SourceError
from bulk_import.model import Record
from bulk_import.reading import Reading, read_records
from bulk_import.reading.delimited import DelimitedRows
from bulk_import.reading.kinds import kinds_of
from bulk_import.reading.lines import LIMIT, whole_lines
from bulk_import.reading.remarks import Remarks
from bulk_import.reading.table import LOOKS_LIKE_TOTAL

COLUMNS = ("email", "name", "city")
GOOD = [f"u{number}@example.com,Ann {number},Rome" for number in range(6)]


def read_text(text: str, **settled: object) -> list[Record]:
    reading = Reading("csv", columns=COLUMNS, kinds=("email", "", ""), **settled)  # type: ignore[arg-type]  # settings of several types
    pieces = (text[at : at + 65536] for at in range(0, len(text), 65536))
    return list(DelimitedRows(whole_lines(pieces), reading, Path("customers.csv")).records())


def read_and_said(text: str) -> tuple[list[Record], list[str]]:
    """The records, and the codes of what was worth saying about them."""
    remarks = Remarks()
    reading = Reading("csv", columns=COLUMNS, kinds=("email", "", ""))
    records = list(DelimitedRows(whole_lines([text]), reading, Path("customers.csv"), remarks).records())
    return records, [notice.code for notice in remarks.notices()]


def around(row: str) -> list[Record]:
    """The records of a file with *row* as its third, every other one sound."""
    lines = ["email,name,city", *GOOD[:2], row, *GOOD[2:]]
    return read_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("x@example.com,Ann", "row has 2 cells where the header has 3"),
        ("x@example.com", "row has 1 cell where the header has 3"),
        ("x@example.com,Ann,Rome,extra", "row has 4 cells where the header has 3"),
        ("x@example.com;Ann;Rome", "row has 1 cell where the header has 3"),
        ('"x@example.com,Ann,Rome', "a quote opens in column 'email' and is not closed on this row"),
        ('x@example.com,"Ann,Rome', "a quote opens in column 'name' and is not closed on this row"),
        ('x@example.com,Ann,"Rome', "a quote opens in column 'city' and is not closed on this row"),
        (
            'x@example.com,Ann,"Rome"s',
            "a quote opens in column 'city' and is not closed on this row: text stands behind the quote that should close it",
        ),
        ("x@example.com,A\0nn,Rome", "a control character U+0000 in column 'name'"),
        ("x@example.com,A\x1b[31mnn,Rome", "a control character U+001B in column 'name'"),
        ("x@example.com,A\x85nn,Rome", "a control character U+0085 in column 'name'"),
        ("email,name,city", "the row repeats the header"),
        ("E-Mail,Name,CITY", "the row repeats the header"),
        ("\ufeffemail,name,city", "the row repeats the header"),
        ("x@example.com,A\rnn,Rome", "a bare carriage return stands inside the row (it takes 2 lines)"),
    ],
)
def test_a_damaged_row_is_reported_alone(row: str, problem: str) -> None:
    records = around(row)
    what, _, mend = (records[2].trouble or "").partition("; ")
    assert what == problem
    assert mend
    assert [record.trouble is None for record in records] == [True, True, False, True, True, True, True]
    assert records[2].line == 4
    sound = [record for record in records if record.trouble is None]
    assert [",".join(record.fields.values()) for record in sound] == GOOD


def test_an_open_quote_far_from_the_next_one_swallows_nothing() -> None:
    lines = [f"u{number}@example.com,Ann,Rome" for number in range(3000)]
    lines[10] = 'u10@example.com,"Ann,Rome'
    lines[2000] = 'u2000@example.com,Ann",Rome'
    records = read_text("email,name,city\n" + "\n".join(lines) + "\n")
    assert len(records) == 3000
    assert [record.line for record in records if record.problem] == [12, 2002]
    assert "line 12" in (records[2000].problem or "")


@pytest.mark.parametrize("lines", [3, 150, 5000])
@pytest.mark.parametrize("around_them", [("see:", "end"), ("email,name,city", "x@example.com,Foo,Bar"), ("", "")])
def test_rows_pasted_into_a_quoted_cell_are_a_cell_however_many_they_are(
    lines: int, around_them: tuple[str, str]
) -> None:
    rows = [f"v{number}@example.com,Foo,Bar" for number in range(lines)]
    cell = "\n".join([around_them[0], *rows, around_them[1]])
    records, said = read_and_said("\n".join(["email,name,city", *GOOD, f'x@example.com,"{cell}",Rome', GOOD[0]]) + "\n")
    assert [record.problem for record in records] == [None] * 8
    assert records[6].fields["name"] == cell
    assert records[7].line == 10 + lines
    assert said == ["rows-in-cells"]


@pytest.mark.parametrize("between", [0, 1, 3])
@pytest.mark.parametrize(
    ("first", "last"),
    [
        ('x@example.com,Foo,"call back', 'y@example.com,Bar,later"'),
        ('x@example.com,"Foo,Rome', 'y@example.com,Bar",Oslo'),
        ('x@example.com,Foo,"', 'y@example.com,Bar,"'),
        ('x@example.com,",Rome', 'y@example.com,",'),
    ],
)
def test_rows_between_two_stray_quotes_are_neither_joined_nor_sent(first: str, last: str, between: int) -> None:
    rows = [first, *(f"v{number}@example.com,Foo,Bar" for number in range(between)), last]
    records = read_text("\n".join(["email,name,city", *GOOD, *rows, *GOOD, 'w@example.com,5",Oslo']) + "\n")
    assert [record.line for record in records] == list(range(2, 17 + between))
    assert [record.line for record in records if record.problem] == list(range(8, 10 + between))
    for record in records[6 : 8 + between]:
        assert f"lines 8 to {9 + between} are a row each" in (record.problem or "")
    assert [",".join(record.fields.values()) for record in records[6 : 8 + between]] == rows


@pytest.mark.parametrize(
    "cell",
    [
        "call back\ny@example.com,Bar,later\n",
        "call back\n\ny@example.com,Bar,later",
        "call back, please\ny@example.com,Bar,later",
        "call back\ny@example.com,Bar,later,and more",
        "call back\ntheir address is y@example.com,Bar,later",
        "12 High St\nFlat 2, Old Town, Rome",
        "> wrote:\n> y@example.com,Bar,later",
        'email,name,city\ny@example.com,"Bar",later',
        'say "hello"\ny@example.com,Bar,later',
    ],
)
def test_a_quoted_cell_with_lines_that_cannot_all_be_rows_is_a_cell(cell: str) -> None:
    records = around("x@example.com,Foo," + quoted(cell, every=True))
    assert [record.problem for record in records] == [None] * 7
    assert records[2].fields["city"] == cell


def test_where_every_cell_is_quoted_an_unquoted_row_below_is_text_and_said() -> None:
    row = '"x@example.com","Foo","call back\ny@example.com,Bar,later"'
    records, said = read_and_said("\n".join(["email,name,city", *GOOD, row, *GOOD]) + "\n")
    assert [record.problem for record in records] == [None] * 13
    assert said == ["rows-in-cells"]


@pytest.mark.parametrize(("cell", "said"), [("call\nBob,Oslo,later", ["rows-in-cells"]), ("call\nBob, later", [])])
def test_where_no_column_tells_rows_apart_lines_of_the_same_width_inside_a_cell_are_said(
    cell: str, said: list[str]
) -> None:
    remarks = Remarks()
    reading = Reading("csv", columns=("name", "city", "note"), kinds=("", "", ""))
    text = f'name,city,note\nAnn,Rome,"{cell}"\nCat,Bonn,x\n'
    records = list(DelimitedRows(whole_lines([text]), reading, Path("customers.csv"), remarks).records())
    assert [(record.fields["note"], record.problem) for record in records] == [(cell, None), ("x", None)]
    assert [notice.code for notice in remarks.notices()] == said


def test_a_quoted_cell_longer_than_the_limit_is_one_damaged_row_and_none_of_its_lines_another() -> None:
    cell = "a line of a very long note\n" * 60_000
    records = read_text("\n".join(["email,name,city", *GOOD, f'x@example.com,"{cell}",Rome', *GOOD]) + "\n")
    assert [record.problem is None for record in records] == [True] * 6 + [False] + [True] * 6
    assert records[6].line == 8
    assert "longer than" in (records[6].problem or "")
    assert records[7].line == 60_009


def test_an_open_quote_above_more_rows_than_the_limit_swallows_none() -> None:
    rows = [f"u{number}@example.com,Ann,Rome" for number in range(60_000)]
    rows[10] = 'u10@example.com,"Ann,Rome'
    records = read_text("email,name,city\n" + "\n".join(rows) + "\n")
    assert [record.line for record in records if record.problem] == [12]
    assert len(records) == 60_000


def test_a_cell_that_never_closes_and_holds_no_rows_is_refused_with_its_line() -> None:
    cell = "a line of a very long note\n" * 60_000
    with pytest.raises(SourceError, match="quote on line 8"):
        read_text("\n".join(["email,name,city", *GOOD, f'x@example.com,"{cell},Rome', *GOOD]) + "\n")


def test_a_cell_over_many_lines_is_read_and_the_lines_behind_it_are_right() -> None:
    text = 'email,name,city\na@example.com,"1 High St,\n\nFlat 2, x\nRome",Rome\nb@example.com,Bob,Oslo\n'
    records = read_text(text)
    assert [(record.line, record.problem) for record in records] == [(2, None), (6, None)]
    assert records[0].fields["name"] == "1 High St,\n\nFlat 2, x\nRome"


@pytest.mark.parametrize(
    "cells",
    [
        ["a@example.com", "Acme\nGmbH", "Rome"],
        ["a@example.com", "Ann", "see\nx@example.com,Foo,Bar\ny@example.com,Foo,Bar\nend"],
        ["a@example.com\n", "1 High St\nFlat 2, x", "Rome"],
        ["Acme\nGmbH", "a@example.com", "Rome"],
        ["Acme\nGmbH, KG", "a@example.com\nb@example.com,x,y", "Rome"],
    ],
)
def test_a_row_that_is_sound_as_it_stands_is_believed_whatever_its_lines_look_like(cells: list[str]) -> None:
    records = around(",".join(f'"{cell}"' if "\n" in cell else cell for cell in cells))
    assert [record.problem for record in records] == [None] * 7
    assert list(records[2].fields.values()) == cells


def test_a_cell_that_closed_properly_leaves_no_row_behind_when_its_row_is_too_wide() -> None:
    records = around('"Acme\nGmbH",a@example.com,Rome,extra')
    assert [record.problem is None for record in records] == [True, True, False, True, True, True, True]


def test_a_file_cut_inside_a_quoted_cell_ends_in_one_damaged_row() -> None:
    records = read_text('email,name,city\na@example.com,Ann,Rome\nb@example.com,"first line\nsecond line\nthird')
    assert [(record.line, record.problem is None) for record in records] == [(2, True), (3, False)]


def test_a_control_character_in_a_cell_over_lines_costs_that_cell_only() -> None:
    records = read_text('email,name,city\na@example.com,"A\nn\0n",Rome\nb@example.com,Bob,Oslo\n')
    assert [record.line for record in records] == [2, 4]
    assert records[0].lost == (("name", "a control character U+0000 in column 'name'; remove it"),)
    assert records[0].fields == {"email": "a@example.com", "name": "", "city": "Rome"}


def test_every_cell_that_cannot_be_read_is_named_and_a_row_of_another_width_is_a_problem_first() -> None:
    records = read_text("email,name,city\nx,A\0nn,Ro\x07me\ny@example.com,B\0\n\0\0\0\n")
    assert [column for column, _ in records[0].lost] == ["name", "city"]
    assert [record.problem for record in records] == [
        None,
        "row has 2 cells where the header has 3; add the missing ones",
        "a control character U+0000; remove it",
    ]


def test_an_overlong_line_is_one_damaged_row() -> None:
    records = around("x" * (LIMIT + 1))
    assert [record.problem is None for record in records] == [True, True, False, True, True, True, True]
    assert "longer than" in (records[2].problem or "")


def test_a_second_table_is_not_read_under_the_columns_of_the_first() -> None:
    text = "email,name,city\n" + "\n".join(GOOD) + "\n\nsku,title,price\nx-1,Hat,10\nx-2,Cap,12\n"
    records = read_text(text)
    assert [record.problem is None for record in records] == [True] * 6 + [False] * 3
    assert "second table seems to begin on line 9" in (records[-1].problem or "")


def test_a_second_table_under_a_title_of_its_own_is_not_read_as_the_first() -> None:
    text = "email,name,city\n" + "\n".join(GOOD) + "\n\nSuppliers\nemail,title,plan\nx@example.com,Hat,pro\n"
    assert [record.problem is None for record in read_text(text)] == [True] * 6 + [False] * 3


@pytest.mark.parametrize(
    "header", ["email,city,name", "Name,E-mail,City", "user_id,email,phone", "name,email,city,zip"]
)
def test_rows_below_another_header_are_not_read_under_the_first_one(header: str) -> None:
    rows = ["x@example.com,Oslo,Bob", "Bob,y@example.com,Oslo", "z@example.com,Bob,Oslo,"]
    text = "\n".join(["email,name,city", *GOOD, header, *rows, "email,name,city", *GOOD]) + "\n"
    records = read_text(text)
    assert [record.problem is None for record in records] == [True] * 6 + [False] * 5 + [True] * 6
    for record in records[6:10]:
        assert "second table seems to begin on line 8" in (record.problem or "")


@pytest.mark.parametrize(
    "row", ["x@example.com,Email,City", "x@example.com,Name,phone", ",Name,phone", "Ann,Email,Rome", "none,email,12"]
)
def test_a_row_whose_cells_are_called_like_columns_is_a_row(row: str) -> None:
    records = around(row)
    assert [record.problem for record in records] == [None] * 7
    assert ",".join(records[2].fields.values()) == row


@pytest.mark.parametrize(
    ("labels", "sound"),
    [
        ("E-mail address,Full name,Town", True),  # what the columns are called on the screen
        ("email,nickname,city", True),
        ("email,city,name", False),
    ],
)
def test_labels_right_below_the_header_are_one_row_unless_they_name_the_columns_in_another_order(
    labels: str, sound: bool
) -> None:
    records = read_text("\n".join(["email,name,city", labels, *GOOD]) + "\n")
    assert [record.problem is None for record in records[1:]] == [sound] * 6


def test_the_same_table_goes_on_below_a_header_that_is_repeated() -> None:
    text = "email,name,city\n" + "\n".join(GOOD[:3]) + "\n\nemail,name,city\n" + "\n".join(GOOD[3:]) + "\n"
    assert [record.problem is None for record in read_text(text)] == [True] * 3 + [False] + [True] * 3


@pytest.mark.parametrize("row", ["Total,,6", "Grand Total,,", ",Summe:,12", '"Total","",6'])
def test_a_row_that_sums_up_is_no_customer(row: str) -> None:
    records = read_text("email,name,city\n" + "\n".join(GOOD) + f"\n{row}\n")
    assert [record.problem for record in records] == [None] * 6 + [LOOKS_LIKE_TOTAL]


def test_a_line_drawn_above_a_total_and_the_total_are_no_customers(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,name,city\n" + "\n".join(GOOD) + "\n---,---,---\nTotal,6,\n")
    assert [record.problem is None for record in read_records(path)] == [True] * 6 + [False] * 2


@pytest.mark.parametrize("row", ["---,---,---", "(text),(text),(text)", "string,varchar,text", "[mail],[],[m]"])
def test_a_row_of_units_below_the_header_is_no_customer(row: str) -> None:
    records = read_text(f"email,name,city\n{row}\na@example.com,Ann,Rome\n")
    assert records[0].problem is not None
    assert records[1].problem is None


def test_empty_brackets_below_the_header_are_cells_like_others() -> None:
    assert [record.problem for record in read_text("email,name,city\n[],[],[]\n")] == [None]


def test_a_footer_is_reported_and_never_lost() -> None:
    records = read_text("email,name,city\n" + "\n".join(GOOD) + "\n\nTotal: 6 customers\n")
    assert [record.problem is None for record in records] == [True] * 6 + [False]


@pytest.mark.parametrize("row", [",,", ",", ",,,,", '"","",""', " , ,\t", '"  ", ,""', '"\n",,'])
def test_a_line_of_delimiters_takes_no_row_number_and_is_counted(row: str) -> None:
    remarks = Remarks()
    lines = ["email,name,city", GOOD[0], row, row, *GOOD[1:], *[row] * 600]
    reading = Reading("csv", columns=COLUMNS, kinds=("email", "", ""))
    texts = whole_lines(["\n".join(lines)])
    records = list(DelimitedRows(texts, reading, Path("customers.csv"), remarks).records())
    assert [(record.number, record.problem) for record in records] == [(number, None) for number in range(1, 7)]
    assert [",".join(record.fields.values()) for record in records] == GOOD
    (said,) = remarks.notices()
    assert said.message.startswith("602 lines hold only delimiters, quotes or blanks")
    assert said.message.endswith("first on line 3.")


def test_an_open_quote_behind_empty_cells_is_no_line_of_delimiters() -> None:
    assert [record.problem is None for record in around(',,"')] == [True, True, False, True, True, True, True]


def test_lines_of_delimiters_between_tables_part_them_like_blank_ones() -> None:
    text = "email,name,city\n" + "\n".join(GOOD) + "\n,,\nsku,title,price\nx-1,Hat,10\n"
    assert [record.problem is None for record in read_text(text)] == [True] * 6 + [False] * 2


def test_damaged_rows_keep_the_cells_before_the_damage() -> None:
    assert around('x@example.com,"Ann,Rome')[2].fields == {"email": "x@example.com"}
    assert around("x@example.com,A\0nn,Rome,x")[2].fields == {"email": "x@example.com", "city": "Rome"}


def test_one_undecodable_row_in_a_clean_file_is_one_damaged_row(tmp_path: Path) -> None:
    lines = [f"u{number}@example.com,Ann {number}".encode() for number in range(300)]
    lines[77] = b"u77@example.com,Jos\xe9"
    path = tmp_path / "customers.csv"
    path.write_bytes(b"email,name\n" + b"\n".join(lines))
    damaged = [record for record in read_records(path) if record.trouble]
    assert [(record.line, record.trouble) for record in damaged] == [
        (79, "byte 0xE9 is not UTF-8 in column 'name'; write that letter anew")
    ]


def test_many_undecodable_rows_behind_a_clean_head_stop_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(b"email,name\n" + b"u@example.com,%b\n" % (b"Ann" * 60) * 6000 + b"u@example.com,Jos\xe9\n" * 700)
    with pytest.raises(SourceError, match="--encoding"):
        list(read_records(path))


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ('x@example.com,Bob"hello, you"', "a quote inside column 'name' may enclose the delimiter behind it"),
        ('x@example.com,Bob "hello, you" ', "a quote inside column 'name' may enclose the delimiter behind it"),
        ('x@example.com,say ""hi""",Rome', "a quote closes in column 'name' that opens nowhere on this row"),
        ('x@example.com,Ann,say ""hi"""', "a quote closes in column 'city' that opens nowhere on this row"),
        ('"x@example.com",Ann","Rome"', "a quote closes in column 'name' that opens nowhere on this row"),
    ],
)
def test_quotes_that_can_be_read_in_two_ways_are_a_problem(row: str, problem: str) -> None:
    records = around(row)
    assert [record.problem is None for record in records] == [True, True, False, True, True, True, True]
    assert (records[2].problem or "").startswith(problem)


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ('x@example.com,5" pipe,Rome', ['5" pipe', "Rome"]),
        ('x@example.com,5",Rome', ['5"', "Rome"]),
        ('x@example.com,12",14"', ['12"', '14"']),
        ('x@example.com,12" x 9",14" x 3"', ['12" x 9"', '14" x 3"']),
        ('x@example.com,Bob "B" Smith,Rome', ['Bob "B" Smith', "Rome"]),
        ('x@example.com,5" pipe,"Doe, Jane"', ['5" pipe', "Doe, Jane"]),
        ('x@example.com,"Ann "A" Lee",Rome', ['Ann "A" Lee', "Rome"]),
    ],
)
def test_quotes_that_hide_nothing_are_text_and_said(row: str, cells: list[str]) -> None:
    text = "\n".join(["email,name,city", *GOOD, row, *GOOD, row]) + "\n"
    records, said = read_and_said(text)
    assert [record.problem for record in records] == [None] * 14
    assert list(records[6].fields.values()) == ["x@example.com", *cells]
    assert said == ["stray-quotes"]


def test_a_quote_that_closes_below_one_left_open_is_a_problem_too() -> None:
    rows = ['"x@example.com,A,Rome', "y@example.com,B,Oslo", 'z@example.com,C",Bonn', 'w@example.com,5",Bonn']
    records, said = read_and_said("\n".join(["email,name,city", *GOOD, *rows]) + "\n")
    assert [record.line for record in records if record.problem] == [8, 10]
    assert "line 8" in (records[8].problem or "")
    assert said == ["stray-quotes"]


def test_quotes_that_are_all_in_place_are_not_worth_a_word() -> None:
    rows = ['"x@example.com","Ann ""A"" Lee",""', 'y@example.com,"a, ""b""","""c"""', '"z@example.com","",x']
    records, said = read_and_said("\n".join(["email,name,city", *rows * 3]) + "\n")
    assert [record.problem for record in records] == [None] * 9
    assert said == []


NASTY = ['"', '"', '""', ",", ",", ";", "\\", "\0", "x", "", "", "é", "'", " "]


def mangled(line: str, chance: random.Random) -> str:
    for _ in range(chance.randint(1, 3)):
        place = chance.randint(0, len(line))
        line = line[:place] + chance.choice(NASTY) + line[place + chance.randint(0, 1) :]
    return line


def a_table(chance: random.Random) -> tuple[list[list[str]], list[str]]:
    names = ["Ann", "Bob, Jr", 'Zoë "Z" Q', "", "12 High Rd, Apt 4"]
    rows = [
        [f"u{number}@example.com", chance.choice(names), chance.choice(names)] for number in range(chance.randint(2, 7))
    ]
    every = chance.random() < 0.5
    return rows, [",".join(quoted(cell, every) for cell in row) for row in rows]


def quoted(cell: str, every: bool) -> str:
    needed = every or "," in cell or '"' in cell
    return '"' + cell.replace('"', '""') + '"' if needed else cell


@pytest.mark.parametrize("seeds", [range(1000), pytest.param(range(1000, 10_000), marks=pytest.mark.soak)])
def test_mangled_rows_are_each_accounted_for_and_harm_no_other(seeds: range) -> None:
    for seed in seeds:
        chance = random.Random(seed)  # noqa: S311 - a reproducible mutation, not a secret
        rows, lines = a_table(chance)
        target = chance.randrange(len(lines))
        lines[target] = mangled(lines[target], chance) or "x"
        reading = Reading("csv", columns=COLUMNS, kinds=kinds_of(rows, 3))
        text = "email,name,city\n" + "\n".join(lines) + "\n"
        records = list(DelimitedRows(whole_lines([text]), reading, Path("customers.csv")).records())
        assert [record.line for record in records] == list(range(2, len(lines) + 2)), (seed, text)
        for index, record in enumerate(records):
            if index != target:
                assert (record.problem, list(record.fields.values())) == (None, rows[index]), (seed, text)


def test_a_line_of_one_cell_may_be_a_note() -> None:
    records = read_text("email,name,city\na@example.com,Ann,Rome\n\nGenerated By: Ada\n")
    assert records[-1].problem == (
        "row has 1 cell where the header has 3; add the missing ones, or leave it be if it is a note and nobody's row"
    )
