"""Files as people send them, each read right without a hint."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from bulk_import.errors import SourceError
from bulk_import.reading import Records, read_records

PLAIN = "email,name\na@example.com,Ann\nb@example.com,Bob\n"
ROWS = [("a@example.com", "Ann"), ("b@example.com", "Bob")]
LINES = [2, 3]


def kept(folder: Path, data: str | bytes, name: str = "customers.csv") -> Path:
    path = folder / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def rows_of(records: Records) -> list[tuple[str, ...]]:
    assert [record.problem for record in records] == [None] * len(list(records))
    return [tuple(record.fields.values()) for record in records]


@pytest.mark.parametrize(
    ("hazard", "data", "lines"),
    [
        ("plain", PLAIN, [2, 3]),
        ("BOM", b"\xef\xbb\xbf" + PLAIN.encode(), [2, 3]),
        ("two BOMs", b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN.encode(), [2, 3]),
        ("UTF-16 with BOM", PLAIN.encode("utf-16"), [2, 3]),
        ("UTF-16 little endian without BOM", PLAIN.encode("utf-16-le"), [2, 3]),
        ("UTF-16 big endian without BOM", PLAIN.encode("utf-16-be"), [2, 3]),
        ("UTF-32 with BOM", PLAIN.encode("utf-32"), [2, 3]),
        ("UTF-32 without BOM", PLAIN.encode("utf-32-be"), [2, 3]),
        ("CRLF", PLAIN.replace("\n", "\r\n"), [2, 3]),
        ("lone CR", PLAIN.replace("\n", "\r"), [2, 3]),
        ("mixed line ends", "email,name\r\na@example.com,Ann\nb@example.com,Bob\r", [2, 3]),
        ("no last line end", PLAIN.rstrip("\n"), [2, 3]),
        ("blank lines anywhere", "\n\nemail,name\n\na@example.com,Ann\n  \nb@example.com,Bob\n\n\n", [5, 7]),
        ("Ctrl-Z at the end", PLAIN + "\x1a", [2, 3]),
        ("semicolon", PLAIN.replace(",", ";"), [2, 3]),
        ("tab", PLAIN.replace(",", "\t"), [2, 3]),
        ("pipe", PLAIN.replace(",", "|"), [2, 3]),
        ("caret", PLAIN.replace(",", "^"), [2, 3]),
        ("tilde", PLAIN.replace(",", "~"), [2, 3]),
        ("unit separator", PLAIN.replace(",", "\x1f"), [2, 3]),
        ("comma and blank", PLAIN.replace(",", ", "), [2, 3]),
        ("blank, pipe, blank", PLAIN.replace(",", " | "), [2, 3]),
        ("two pipes", PLAIN.replace(",", "||"), [2, 3]),
        ("two tabs", PLAIN.replace(",", "\t\t"), [2, 3]),
        ("the characters backslash and t", PLAIN.replace(",", "\\t"), [2, 3]),
        ("bar, tilde, bar", PLAIN.replace(",", "|~|"), [2, 3]),
        ("caret, pipe, caret", PLAIN.replace(",", "^|^"), [2, 3]),
        ("file separator", PLAIN.replace(",", "\x1c"), [2, 3]),
        ("start of text", PLAIN.replace(",", "\x02"), [2, 3]),
        ("a BOM before a row", PLAIN.replace("b@", "\ufeffb@"), [2, 3]),
        ("angle brackets", PLAIN.replace(",", "<>"), [2, 3]),
        ("dollar between quotes", '"email"$"name"\n"a@example.com"$"Ann"\n"b@example.com"$"Bob"\n', [2, 3]),
        ("hyphen between quotes", '"email"-"name"\n"a@example.com"-"Ann"\n"b@example.com"-"Bob"\n', [2, 3]),
        ("a line that groups the columns", "Contact,\n" + PLAIN.replace("Ann", "Ann"), [3, 4]),
        ("sep line of a spreadsheet", "sep=;\n" + PLAIN.replace(",", ";"), [3, 4]),
        ("every cell quoted", '"email","name"\n"a@example.com","Ann"\n"b@example.com","Bob"\n', [2, 3]),
        ("single quotes", "'email','name'\n'a@example.com','Ann'\n'b@example.com','Bob'\n", [2, 3]),
        ("backticks", "`email`,`name`\n`a@example.com`,`Ann`\n`b@example.com`,`Bob`\n", [2, 3]),
        ("tildes for quotes, pipes between", "~email~|~name~\n~a@example.com~|~Ann~\n~b@example.com~|~Bob~\n", [2, 3]),
        ("pipes for quotes", "|email|,|name|\n|a@example.com|,|Ann|\n|b@example.com|,|Bob|\n", [2, 3]),
        ("carets for quotes, tabs", "^email^\t^name^\n^a@example.com^\t^Ann^\n^b@example.com^\t^Bob^\n", [2, 3]),
        ("dollars for quotes", "$email$;$name$\n$a@example.com$;$Ann$\n$b@example.com$;$Bob$\n", [2, 3]),
        ("quotes after blanks", '"email", "name"\n"a@example.com", "Ann"\n"b@example.com", "Bob"\n', [2, 3]),
        ("one quote after a blank", 'email,name\na@example.com, "Ann"\nb@example.com,Bob\n', [2, 3]),
        ("blank after a quote", 'email,name\n"a@example.com" ,Ann\nb@example.com,Bob\n', [2, 3]),
        ("a BOM that was read as text", "ï»¿" + PLAIN, [2, 3]),
        (
            "a BOM that was read as text, before a quote",
            'ï»¿"email","name"\n"a@example.com","Ann"\n"b@example.com","Bob"\n',
            [2, 3],
        ),
        ("slash", PLAIN.replace(",", "/"), [2, 3]),
        ("each line one quoted cell", '"email,name"\n"a@example.com,Ann"\n"b@example.com,""Bob"""\n', [2, 3]),
        (
            "each line one quoted cell of several",
            '"email,name";;\r\n"a@example.com,Ann";;\r\nb@example.com,Bob',
            [2, 3],
        ),
        (
            "each line below the header one quoted cell",
            'email,name\n"a@example.com,Ann"\n"b@example.com,""Bob"""\n',
            [2, 3],
        ),
        ("typographic quotes", "“email”,“name”\n“a@example.com”,“Ann”\n“b@example.com”,“Bob”\n", [2, 3]),
        ("German typographic quotes", "„email“;„name“\n„a@example.com“;„Ann“\n„b@example.com“;„Bob“\n", [2, 3]),
        ("title above", "Customers 2026\n" + PLAIN, [3, 4]),
        ("title and blank line above", "Customers\nExported on: Monday\n\n" + PLAIN, [5, 6]),
        ("delimited title above", "Customers,\n,\n" + PLAIN, [4, 5]),
        ("1,000 blank lines above", "\n" * 1000 + PLAIN, [1002, 1003]),
        ("lines of delimiters above", ",,,\n" * 70_000 + PLAIN, [70_002, 70_003]),
        ("blank lines below a title", "Customers\n" + "\n" * 500 + PLAIN, [503, 504]),
        ("titles as wide as the table", "Company:,ACME\nDate:,2026-11-01\n" + PLAIN, [4, 5]),
        ("more titles as wide as the table", "User:,Kim\nReport:,Customers\nDay:,Monday\n" + PLAIN, [5, 6]),
        ("trailing delimiters", PLAIN.replace("\n", ",\n"), [2, 3]),
        ("trailing empty cells", PLAIN.replace("Ann", "Ann,,,"), [2, 3]),
        ("names of columns with blanks around", PLAIN.replace("email,name", " email , name "), [2, 3]),
        ("gzip", gzip.compress(PLAIN.encode(), mtime=0), [2, 3]),
        (
            "two gzip parts",
            gzip.compress(PLAIN.encode()[:20], mtime=0) + gzip.compress(PLAIN.encode()[20:], mtime=0),
            [2, 3],
        ),
        ("gzip with padding", gzip.compress(PLAIN.encode(), mtime=0) + b"\0" * 100, [2, 3]),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 40 and "@" not in value else "",
)
def test_a_hazard_is_read_right_without_hints(tmp_path: Path, hazard: str, data: str | bytes, lines: list[int]) -> None:
    records = read_records(kept(tmp_path, data))
    assert records.columns == ("email", "name"), hazard
    assert rows_of(records) == ROWS, hazard
    assert [record.line for record in records] == lines
    assert [record.number for record in records] == [1, 2]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ('"Ann, Jr"', "Ann, Jr"),
        ('"Ann ""Z"" Lee"', 'Ann "Z" Lee'),
        ('"Ann\nLee"', "Ann\nLee"),
        ('"Ann\r\nLee"', "Ann\r\nLee"),
        ('5" pipe', '5" pipe'),
        ('"Ann "Annie" Lee"', 'Ann "Annie" Lee'),
        ('"say \\"hi\\", Ann"', 'say "hi", Ann'),
        ("00123", "00123"),
        ("'00123", "'00123"),
        (" Ann ", " Ann "),
        ("=1+1", "=1+1"),
        ("NULL", "NULL"),
        ("1e5", "1e5"),
    ],
)
def test_a_cell_is_text_as_it_stands(tmp_path: Path, cell: str, value: str) -> None:
    data = f"email,name,zip\na@example.com,{cell},1\nb@example.com,Bob,2\nc@example.com,Cy,3\n"
    records = list(read_records(kept(tmp_path, data)))
    assert [record.problem for record in records] == [None, None, None]
    assert records[0].fields == {"email": "a@example.com", "name": value, "zip": "1"}
    assert records[1].line == 3 + value.count("\n")


def test_whole_lines_that_were_quoted_are_said_and_keep_their_numbers(tmp_path: Path) -> None:
    data = '"id,email,name"\n"1,a@example.com,""Doe, Jane"""\n"2,b@example.com,""two"\n"lines"""\n"3,c@example.com,C"\n'
    records = read_records(kept(tmp_path, data))
    assert [(record.line, record.fields["name"]) for record in records] == [
        (2, "Doe, Jane"),
        (3, "two\nlines"),
        (5, "C"),
    ]
    assert "disguise" in {notice.code for notice in records.notices}


def test_a_column_of_quoted_cells_with_delimiters_is_no_table_of_whole_quoted_lines(tmp_path: Path) -> None:
    data = 'email\n"Doe, a@example.com"\n"Roe, b@example.com"\n'
    assert read_records(kept(tmp_path, data)).columns == ("email",)


def test_typographic_quotes_around_cells_hold_delimiters_and_straight_quotes(tmp_path: Path) -> None:
    data = '“email”,“name”\n“a@example.com”,“Doe, Jane”\n“b@example.com”,“Bob "B" Ray”\n'
    records = read_records(kept(tmp_path, data))
    assert rows_of(records) == [("a@example.com", "Doe, Jane"), ("b@example.com", 'Bob "B" Ray')]
    assert "disguise" in {notice.code for notice in records.notices}


def test_typographic_quotes_around_some_cells_are_text_and_counted(tmp_path: Path) -> None:
    data = "email,name\na@example.com,Ann\nb@example.com,“Bob”\nc@example.com,“Cy”\n"
    records = read_records(kept(tmp_path, data))
    assert rows_of(records)[1:] == [("b@example.com", "“Bob”"), ("c@example.com", "“Cy”")]
    (said,) = (notice.message for notice in records.notices if notice.code == "typographic-quotes")
    assert said.startswith("2 cells")
    assert said.endswith("first on line 3.")


def test_a_file_that_escapes_instead_of_quoting_is_recognised(tmp_path: Path) -> None:
    data = 'email,name\na@example.com,Doe\\, Jane\nb@example.com,two\\\nlines\nc@example.com,say \\"hi\\"\n'
    records = read_records(kept(tmp_path, data))
    assert [fields["name"] for fields in (record.fields for record in records)] == [
        "Doe, Jane",
        "two\nlines",
        'say "hi"',
    ]
    assert [record.line for record in records] == [2, 3, 5]


def test_nuls_behind_a_table_are_one_damaged_row(tmp_path: Path) -> None:
    records = list(read_records(kept(tmp_path, PLAIN.encode() + b"\0" * 5000)))
    assert [record.problem is None for record in records] == [True, True, False]


def test_one_odd_byte_in_a_file_of_plain_letters_is_one_damaged_row(tmp_path: Path) -> None:
    rows = b"".join(b"u%d@example.com,Ann\n" % number for number in range(30))
    records = read_records(kept(tmp_path, b"email,name\n" + rows + b"x@example.com,Jos\xe9\n"))
    assert [record.line for record in records if record.trouble] == [32]
    assert any("--encoding cp1252" in notice.message for notice in records.notices)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("rows", [1, 3])
def test_a_delimiter_behind_the_only_column_is_one(tmp_path: Path, mark: str, rows: int) -> None:
    text = f"E-Mail{mark}\r\n" + f"a@example.com{mark}\r\n" * rows
    records = read_records(kept(tmp_path, text))
    assert (records.reading.delimiter, records.columns) == (mark, ("E-Mail",))
    assert rows_of(records) == [("a@example.com",)] * rows


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("header", ["email,name,city,", "email,name,city"])
def test_a_row_that_lacks_a_delimiter_is_not_shifted_where_all_end_with_one(
    tmp_path: Path, header: str, quote: str
) -> None:
    rows = [f"u{number}@example.com,Ann,Rome," for number in range(9)]
    rows[4:6] = ["x@example.com,Rome,", "y@example.com,Ann,Rome"]  # the name lost, the end lost
    text = "\n".join([header, *rows, "z@example.com,Ann,,"])
    if quote:
        text = "\n".join(",".join(f'"{cell}"' if cell else "" for cell in line.split(",")) for line in text.split("\n"))
    records = list(read_records(kept(tmp_path, text)))
    assert [record.problem for record in records if record.number != 5] == [None] * 9
    assert records[4].problem == "row has 3 cells where others have 4; add the missing ones"
    assert list(records[5].fields.values()) == ["y@example.com", "Ann", "Rome"]


def test_rows_that_end_with_a_delimiter_more_or_less_often_hold_what_they_hold(tmp_path: Path) -> None:
    """A spreadsheet writes them only for a while."""
    rows = [f"u{number}@example.com,Ann,{',' if number < 16 else ''}" for number in range(40)]
    records = read_records(kept(tmp_path, "\n".join(["email,name,city,", *rows])))
    assert rows_of(records) == [(f"u{number}@example.com", "Ann", "") for number in range(40)]


@pytest.mark.parametrize("header", ["email,name,tags", "email,geo", "tags,email"])
def test_a_list_inside_the_cells_does_not_win_over_the_delimiter(tmp_path: Path, header: str) -> None:
    columns = header.split(",")
    cells = {"email": "a@example.com", "name": "Ann", "tags": "a;b;c;d", "geo": "52.1;13.2;x;y"}
    row = ",".join(cells[column] for column in columns)
    records = read_records(kept(tmp_path, f"{header}\n" + f"{row}\n" * 9))
    assert records.columns == tuple(columns)
    assert all(record.fields == {column: cells[column] for column in columns} for record in records)


@pytest.mark.parametrize(
    ("text", "columns", "row"),
    [
        (
            'email,"City, State"\na@example.com,"Boston, MA"\n',
            ("email", "City, State"),
            ["a@example.com", "Boston, MA"],
        ),
        ('email, "City, State"\na@example.com, "Rome, IT"\n', ("email", "City, State"), ["a@example.com", "Rome, IT"]),
        ('email;"City; State"\na@example.com;"Bonn; NW"\n', ("email", "City; State"), ["a@example.com", "Bonn; NW"]),
        ("email, City\na@example.com, Boston\nb@example.com, Rome\n", ("email", "City"), ["a@example.com", "Boston"]),
    ],
)
def test_a_blank_behind_each_comma_of_quoted_cells_does_not_belong_to_the_delimiter(
    tmp_path: Path, text: str, columns: tuple[str, ...], row: list[str]
) -> None:
    records = read_records(kept(tmp_path, text))
    assert records.columns == columns
    assert list(next(iter(records)).fields.values()) == row


def test_backslash_escapes_are_recognised_when_the_file_uses_them(tmp_path: Path) -> None:
    data = 'email,name\na@example.com,"Ann \\"A\\", Lee"\nb@example.com,"Bob \\"B\\" Ray"\n'
    records = read_records(kept(tmp_path, data))
    assert [record.fields["name"] for record in records] == ['Ann "A", Lee', 'Bob "B" Ray']
    assert records.reading.escape == "backslash"
    assert "escape" in {notice.code for notice in records.notices}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_breaks_that_mysql_escaped_inside_quoted_cells_are_line_breaks(tmp_path: Path, end: str) -> None:
    rows = ['"email","name"', f'"a@example.com","1 \\"A\\" St\\{end}C:\\\\x\\\\"', '"b@example.com","Bob"', ""]
    records = read_records(kept(tmp_path, end.join(rows)))
    assert [(record.line, record.problem) for record in records] == [(2, None), (4, None)]
    assert [record.fields["name"] for record in records] == [f'1 "A" St{end}C:\\x\\', "Bob"]


def test_quotes_that_never_close_anywhere_are_ordinary_characters_and_it_is_said(tmp_path: Path) -> None:
    data = "email\tnick\n" + "".join(f'u{number}@example.com\t"nick {number}\n' for number in range(5))
    records = read_records(kept(tmp_path, data))
    assert [record.fields["nick"] for record in records] == [f'"nick {number}' for number in range(5)]
    assert "quote" in {notice.code for notice in records.notices}


@pytest.mark.parametrize("code", ["delimiter", "encoding", "skipped"])
def test_what_was_decided_is_said(tmp_path: Path, code: str) -> None:
    records = read_records(kept(tmp_path, "Customers\n" + PLAIN.replace(",", ";")))
    assert code in {notice.code for notice in records.notices}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("a@example.com,Ann\nb@example.com,Bob\n", "--no-header"),
        ("28/01/2026,00:15,3\n29/01/2026,00:30,4\n", "--no-header"),
        ("email,name,email\na@example.com,Ann,x@example.com\n", "'email'"),
        ('email,"name\na@example.com,Ann\n', "line 1"),
        ("email,na\0me\na@example.com,Ann\n", "column name"),
        ("\n \n\t\n", "blank"),
        ("a@example.com\nb@example.com\n", "--map column_1=email."),
        (
            "1,a@example.com,x\n2,b@example.com,y\n",
            "--map column_2=email, another --map for each column to be sent (column_1 to",
        ),
        ("1,a@example.com,x\n2,b@example.com,y\n", "--unmapped ignore"),
        ("28/01/2026,00:15,3\n29/01/2026,00:30,4\n", "--map COLUMN=email"),
        ("<!DOCTYPE html><html><table>", "web page"),
        ("<?xml version='1.0'?><a/>", "XML"),
        ("BEGIN:VCARD\nVERSION:3.0\nEMAIL:a@example.com\nEND:VCARD\n", "vCard"),
        ("<users>\n<user><email>a@example.com</email></user>\n</users>\n", "XML"),
        (
            "-- phpMyAdmin SQL Dump\n--\n\nSET SQL_MODE = \"\";\nINSERT INTO `u` (`id`, `email`) VALUES\n(1, 'a@example.com');\n",
            "SQL",
        ),
        ("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE users(id,email);\n", "SQL"),
        ("/*!999999 x */ \n-- MariaDB dump\nCREATE TABLE `u` (`id` int);\n", "SQL"),
        ("COPY public.users (id, email) FROM stdin;\n1\ta@example.com\n\\.\n", "SQL"),
        ("USE [Shop]\nGO\nINSERT [dbo].[U] ([Id], [Email]) VALUES (1, N'a@example.com')\n", "SQL"),
        ("version: 1\n\ndn: cn=Ann,dc=example,dc=com\nmail: ann@example.com\n", "LDIF"),
        ("# extended LDIF\n#\n\n# ann\ndn: cn=Ann,dc=example,dc=com\nmail: ann@example.com\n", "LDIF"),
        ("users:\n  - email: a@example.com\n    name: Ann\n  - email: b@example.com\n", "YAML"),
        ("# fixtures\n\none:\n  email: a@example.com\ntwo:\n  email: b@example.com\n", "YAML"),
        ('{ "_id" : ObjectId("5f7c"), "email" : "a@example.com" }\n', "mongoexport"),
        ('[\n  {email: "a@example.com"},\n]\n', "JSON.stringify"),
        ("INSERT INTO users VALUES (1,'a@example.com');\n", "SQL"),
        ("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n", "git lfs pull"),
        ("{'email': 'a@example.com', 'name': None}\n", "json.dumps"),
        ("[{'email': 'a@example.com'}]\n", "json.dumps"),
        ('callback([{"email": "a@example.com"}]);\n', "call of a function"),
        ('/**\n Export to JSON\n */\n\n// shop.users\n\n[{"email": "a@example.com"}]\n', "below a comment"),
        ("- email: a@example.com\n  name: Ann\n- email: b@example.com\n", "YAML"),
        ("email,name\u2028a@example.com,Ann\u2028b@example.com,Bob\u2028", "U+2028"),
        ('"', "blank"),
        ("sep=;\n", "blank"),
        ("email,name\na@example.com,Ann\nb@example.com,Bob\n\nInvoice;Total\n1;2\n2;3\n3;4\n", "more than one table"),
        ("name,city,x\nAnn,Rome,1\nBob,Oslo,2\n\na,b\n" + "1,2\n" * 9, "more than one table"),
    ],
)
def test_what_cannot_be_settled_is_refused_with_advice(tmp_path: Path, data: str, words: str) -> None:
    with pytest.raises(SourceError) as refused:
        read_records(kept(tmp_path, data))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "begin;use shop;email\n1;2;a@example.com\n2;3;b@example.com\n",
        "insert date,create type,email\n1,2,a@example.com\n",
        "# set by hand\nset,email\n1,a@example.com\n2,b@example.com\n",
        "email: name\na@example.com: Ann\nb@example.com: Bob\n",
        "Filters:\n  active: yes\n\nemail,name\na@example.com,Ann\nb@example.com,Bob\n",
    ],
)
def test_a_table_that_begins_like_something_else_is_a_table(tmp_path: Path, text: str) -> None:
    assert {record.problem for record in read_records(kept(tmp_path, text))} == {None}


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "PNG"),
        (b"%PDF-1.7\n%\xe2\xe3", "PDF"),
        (b"PK\x03\x04" + b"\x14\0" * 20, "ZIP"),
        (b"PK\x03\x04" + b"\x14\0" * 13 + b"mimetypeapplication/vnd.oasis.opendocument.spreadsheet", r"\.ods"),
        (b"PK\x03\x04" + b"\x14\0" * 13 + b"Index/Document.iwa", "Numbers"),
        (b"PGDMP\x01\x0e\0\x04" + b"\0" * 50, "pg_dump"),
        (b"SQLite format 3\0" + b"\x10\0" * 20, "SQLite"),
        (b"\x7fELF\x02\x01\x01" + b"\0" * 50, "ELF"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 50, ".xls"),
        (bytes(range(256)) * 8, "binary"),
        (gzip.compress(gzip.compress(b"email\na@example.com\n", mtime=0), mtime=0), "twice"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, head: bytes, name: str) -> None:
    with pytest.raises(SourceError, match=name):
        read_records(kept(tmp_path, head))


def test_a_header_alone_is_zero_rows(tmp_path: Path) -> None:
    records = read_records(kept(tmp_path, "email,name\n"))
    assert records.columns == ("email", "name")
    assert list(records) == []


def test_without_a_header_columns_are_numbered(tmp_path: Path) -> None:
    records = read_records(kept(tmp_path, "a@example.com,Ann\nb@example.com,Bob\n"), no_header=True)
    assert records.columns == ("column_1", "column_2")
    assert rows_of(records) == ROWS


def test_a_column_without_a_name_gets_one_and_it_is_said(tmp_path: Path) -> None:
    records = read_records(kept(tmp_path, "email,,name\na@example.com,x,Ann\n"))
    assert records.columns == ("email", "column_2", "name")
    assert "unnamed" in {notice.code for notice in records.notices}


@pytest.mark.parametrize(
    ("options", "data", "columns"),
    [
        ({"delimiter": "."}, "email.name\nx.Ann\n", ("email", "name")),
        ({"quote": "%"}, "email,name\nx,%A, B%\n", ("email", "name")),
        ({"quote": "none"}, 'email,name\nx,"A\n', ("email", "name")),
        ({"skip_lines": 2}, "a,b\nc,d\nemail,name\nx,Ann\n", ("email", "name")),
        ({"encoding": "latin-1"}, "email,naïve\nx,Ann\n".encode("latin-1"), ("email", "naïve")),
        ({"format": "tsv"}, "email\tname,x\nx\tAnn\n", ("email", "name,x")),
    ],
)
def test_an_option_replaces_what_would_be_detected(
    tmp_path: Path, options: dict[str, object], data: str | bytes, columns: tuple[str, ...]
) -> None:
    records = read_records(kept(tmp_path, data), **options)  # type: ignore[arg-type]  # options of several types in one table
    assert records.columns == columns
    assert len(rows_of(records)) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"format": "yaml"}, "--format"),
        ({"delimiter": ""}, "--delimiter"),
        ({"quote": "ab"}, "--quote"),
        ({"skip_lines": -1}, "--skip-lines"),
        ({"skip_lines": 9}, "--skip-lines"),
        ({"encoding": "nonsense"}, "--encoding"),
        ({"encoding": "base64"}, "--encoding"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(tmp_path: Path, options: dict[str, object], words: str) -> None:
    with pytest.raises(SourceError, match=words):
        read_records(kept(tmp_path, PLAIN), **options)  # type: ignore[arg-type]  # options of several types in one table


def test_records_can_be_iterated_more_than_once(tmp_path: Path) -> None:
    records = read_records(kept(tmp_path, PLAIN))
    assert list(records) == list(records)


def test_single_quotes_around_few_cells_are_quotes_when_only_quoting_explains_them(tmp_path: Path) -> None:
    data = "email;name\n" + "".join(f"u{n}@example.com;Ann\n" for n in range(9)) + "x@example.com;'O''Brien; Pat'\n"
    records = list(read_records(kept(tmp_path, data)))
    assert records[-1].fields == {"email": "x@example.com", "name": "O'Brien; Pat"}
    assert [record.problem for record in records] == [None] * 10


def test_apostrophes_that_explain_nothing_stay_in_their_cells(tmp_path: Path) -> None:
    data = "email;name\n" + "".join(f"u{n}@example.com;Ann\n" for n in range(9)) + "x@example.com;'Bobby'\n"
    assert list(read_records(kept(tmp_path, data)))[-1].fields["name"] == "'Bobby'"


@pytest.mark.parametrize(
    ("text", "sound"),
    [
        ('[{"email": "a@example.com"}, "b@example.com", 5]', [True, False, False]),
        ('["a@example.com", ["a@example.com"], {}]', [False, False, True]),
    ],
)
def test_what_is_no_object_among_objects_is_reported_element_by_element(
    tmp_path: Path, text: str, sound: list[bool]
) -> None:
    records = list(read_records(kept(tmp_path, text, "users.json")))
    assert [record.problem is None for record in records] == sound
