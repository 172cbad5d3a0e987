"""A mended export held against its ledger: what is refused whole, what is said, and what every refusal advises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulk_import import ledger
from bulk_import.errors import UsageError
from bulk_import.job.corrections import digest_of, read_corrections
from bulk_import.ledger import Reader, Writer, new_token, open_for_reading, open_for_writing
from bulk_import.mapping.settled import MappingOptions, Unmapped
from bulk_import.model import Created, Invalid, Problem, Record, Settled
from bulk_import.model.records import Written
from bulk_import.options import Preparing
from bulk_import.prepare.rows import prepare
from bulk_import.reading import Overrides, Reading
from bulk_import.survey import preparation
from tests.cli_calls import DECLINED, TOKEN, claim_of, purpose, row, settled, written
from tests.workbooks import text, workbook

COLUMNS = ("id", "email", "Straße", "Notiz")
SENT = {"id": "u3", "email": "p3@example.com", "Straße": "Ring 1", "Notiz": "alt"}


def ledger_at(path: Path, key: str = "u3") -> Path:
    """Row 1 is created, row 2 was never sent, row 3 failed."""
    facts = purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options={"mapping": {"key": "id"}})
    with written(path, facts) as writer:
        first, third = row(1, {"email": "p1@example.com"}), row(3, {**SENT, "id": key})
        writer.write([claim_of(first), claim_of(third)], [])
        writer.write([], [Settled(1, Created("cus_1", "req_1"), None, 1), Settled(3, DECLINED, None, 1)])
    return path


class Mended:
    """Reads a mended file against the ledger and keeps what was said."""

    def __init__(self, folder: Path, key: str | None = "id", unmapped: Unmapped = "metadata") -> None:
        self.folder = folder
        self.unmapped = unmapped
        self.key = key
        self.said: list[str] = []

    def __call__(
        self, text: str, overrides: Overrides | None = None, encoding: str = "utf-8"
    ) -> Mapping[int, Mapping[str, Any]]:
        path = self.folder / "fixed.csv"
        path.write_text(text, encoding=encoding)
        return self.read(path, overrides)

    def read(self, path: Path, overrides: Overrides | None = None) -> Mapping[int, Mapping[str, Any]]:
        ledger = self.folder / "users.csv.ledger.db"
        reader = Reader(open_for_reading(ledger), ledger)
        facts = reader.purpose()
        assert facts is not None
        maps = (("Notiz", "ignore"),) if self.key is not None else ()
        wishes = Preparing(mapping=MappingOptions(maps=maps, key=self.key, unmapped=self.unmapped))
        how = preparation(Reading.from_json(facts.reading), wishes)
        try:
            found = read_corrections(
                path, overrides or Overrides(), facts, reader, how, lambda code, message: self.said.append(message)
            )
            with closing(found):
                return dict(found)
        finally:
            reader.close()


def test_mended_fields_are_kept_in_row_order_with_the_digits_that_their_numbers_were_written_with() -> None:
    with closing(ledger.Mended()) as kept:
        for number in (2_500, *range(2, 2_000), 1):
            kept.put(number, {"price": Written("0.10"), "tags": ["a", None]})
        kept.put(7, {"price": 1})
        kept.discard([8, 9])
        assert list(kept) == [*range(1, 8), *range(10, 2_000), 2_500]
        assert len(kept) == 1_998
        assert (7 in kept, 8 in kept, kept.get(8), kept[7]) == (True, False, None, {"price": 1})
        assert str(kept[2_500]["price"]) == "0.10"


@pytest.fixture
def mended(tmp_path: Path) -> Mended:
    ledger_at(tmp_path / "users.csv.ledger.db")
    return Mended(tmp_path)


def test_a_file_is_read_as_it_is_said_to_be(mended: Mended) -> None:
    text = "id;email;Straße;Notiz;_row\r\nu3;p3@example.com;Gäßchen 2;neu;3\r\n"
    found = mended(text, Overrides(encoding="cp1252", delimiter=";"), "cp1252")
    assert found == {3: {"id": "u3", "email": "p3@example.com", "Straße": "Gäßchen 2", "Notiz": "neu"}}
    assert mended.said == []


def test_a_column_that_was_sent_and_is_gone_refuses_the_whole_file(mended: Mended) -> None:
    with pytest.raises(UsageError, match=r"lacks columns .*; put them back") as refused:
        mended("id,email,_row\nu3,p3@example.com,3\n")
    assert "Notiz" not in str(refused.value), "what was mapped to nothing may go"


def test_a_line_of_json_that_lacks_what_its_row_was_sent_with_refuses_the_whole_file(tmp_path: Path) -> None:
    facts = purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options={"mapping": {"key": "id"}})
    with written(tmp_path / "users.csv.ledger.db", facts) as writer:
        rows = [row(number, {**SENT, "id": f"u{number}"}) for number in (2, 3)]
        writer.write([claim_of(each) for each in rows], [])
        writer.write([], [Settled(each.number, DECLINED, None, 1) for each in rows])
    path = tmp_path / "fixed.jsonl"
    second = {"_row": "2", "id": "u2", "email": "p2@example.com", "Straße": None}
    third = {"_row": "3", "id": "u3", "email": "p3@example.com"}
    path.write_text(json.dumps(second) + "\n" + json.dumps(third) + "\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r'lacks "Straße" in the line of row 3.* put it back, as null'):
        Mended(tmp_path).read(path)
    path.write_text(json.dumps(second) + "\n" + json.dumps({**third, "Straße": None}) + "\n", encoding="utf-8")
    assert Mended(tmp_path).read(path)[3]["Straße"] is None, "null says that the field is to go"


def test_what_stood_in_an_object_of_a_line_and_is_gone_refuses_the_whole_file(tmp_path: Path) -> None:
    fields = {"email": "p1@example.com", "address": {"city": "Bonn", "line1": "Ring 1"}}
    with written(tmp_path / "users.csv.ledger.db", purpose(1, reading=Reading("jsonl").to_json())) as writer:
        writer.write([claim_of(row(1, fields))], [])
        writer.write([], [Settled(1, DECLINED, None, 1)])
    path, mended = tmp_path / "fixed.jsonl", Mended(tmp_path, key=None)

    def read(address: Any) -> Mapping[int, Mapping[str, Any]]:
        path.write_text(json.dumps({"_row": 1, "_ledger": TOKEN, "email": "p1@example.com", "address": address}))
        return mended.read(path)

    with pytest.raises(UsageError, match=r'lacks columns .* "address\.line1"; put them back'):
        read({"city": "Bonn"})
    assert read({"city": "Bonn", "line1": None})[1]["address"]["line1"] is None
    assert read(None)[1]["address"] is None
    assert mended.said == []


def test_an_object_beside_columns_that_say_the_same_refuses_its_row() -> None:
    how = preparation(Reading("csv", columns=("email", "address.city")), Preparing())
    fields = {"email": "p1@example.com", "address.city": "Bern", "address": {"city": "Bonn"}}
    found = prepare(Record(1, 2, fields), how)
    assert isinstance(found, Invalid)
    assert [(each.column, each.rule) for each in found.problems] == [("address.city", "twice")]


def test_a_new_column_that_every_row_would_be_refused_for_refuses_the_whole_file(tmp_path: Path) -> None:
    ledger_at(tmp_path / "users.csv.ledger.db")
    mended = Mended(tmp_path, unmapped="refuse")
    with pytest.raises(UsageError, match=r'nobody has mapped: "Farbe"; take them out'):
        mended("id,email,Straße,Farbe,_row\nu3,p3@example.com,Ring 2,rot,3\n")
    assert mended("id,email,Straße,phone,_row\nu3,p3@example.com,Ring 2,+41 1,3\n")[3]["phone"] == "+41 1"


def test_a_column_that_is_new_is_said_with_what_becomes_of_it(mended: Mended) -> None:
    assert mended("id,email,Straße,Farbe,_row\nu3,p3@example.com,Ring 2,rot,3\n")[3]["Farbe"] == "rot"
    assert len(mended.said) == 1
    assert '"Farbe" (metadata.Farbe)' in mended.said[0]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("u3,p3@example.com,Ring,3.0", "'3.0' in its column _row, which is no row number"),
        ("u3,p3@example.com,Ring,9999", "row 9999, and there is no such row: the source has 3"),
        ("u1,p1@example.com,Ring,1", "row 1, which is created and has its customer cus_1"),
        ("u2,p2@example.com,Ring,2", "row 2, which was never sent"),
        ("u7,p3@example.com,Ring,3", "give each line its own row"),
    ],
)
def test_a_line_that_does_not_belong_is_refused_with_what_is_wrong_with_it(
    mended: Mended, line: str, said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        mended(f"id,email,Straße,_row\n{line}\n")
    assert said in str(refused.value)
    assert "line 2" in str(refused.value)


def test_rows_in_doubt_are_to_be_settled_before_they_are_mended(tmp_path: Path) -> None:
    path = ledger_at(tmp_path / "users.csv.ledger.db")
    db = open_for_writing(path)
    writer = Writer(db, path, lambda: 1.0)
    writer.write([claim_of(row(2, {"email": "p2@example.com"}))], [])
    writer.close()
    lines = ["u1,p1@example.com,Ring,1", "u2,p2@example.com,Ring,2"]
    with pytest.raises(
        UsageError, match=r"in doubt \(1 here\) .* retry \S+\.ledger\.db --only in_doubt, then give this file"
    ):
        Mended(tmp_path)("\n".join(["id,email,Straße,_row", *lines]))


def test_of_several_mistakes_the_first_one_is_told(mended: Mended) -> None:
    lines = ["u7,p3@example.com,Ring,3", "u3,p3@example.com,Ring,three"]
    with pytest.raises(UsageError, match=r"line 2 has 'u7' as its id"):
        mended("\n".join(["id,email,Straße,_row", *lines]))


def test_lines_of_rows_that_are_not_to_be_mended_are_counted(mended: Mended) -> None:
    lines = [
        "u1,p1@example.com,Ring,1",
        "u3,p3@example.com,Ring,3",
        "u2,p2@example.com,Ring,2",
        "u4,p4@example.com,Ring,4",
    ]
    with pytest.raises(UsageError, match=r"line 2 names row 1, .*, and 2 more lines name such rows; take them out"):
        mended("\n".join(["id,email,Straße,_row", *lines]))


def test_a_cell_that_a_workbook_lost_is_no_correction(tmp_path: Path) -> None:
    facts = purpose(1, reading=Reading("csv", columns=COLUMNS).to_json(), options={})
    with written(tmp_path / "users.csv.ledger.db", facts) as writer:
        writer.write([claim_of(row(1, SENT))], [])
        writer.write([], [Settled(1, DECLINED, None, 1)])
    header = "".join(text(f"{letter}1", name) for letter, name in zip("ABCDE", (*COLUMNS, "_row"), strict=True))
    cells = text("A2", "u1") + text("B2", "p1@example.com") + '<c r="C2"><f>1+1</f></c><c r="E2"><v>1</v></c>'
    path = workbook(tmp_path / "fixed.xlsx", f'<row r="1">{header}</row><row r="2">{cells}</row>')
    with pytest.raises(UsageError, match=r"line 2 has lost a value .the formula in cell C2 was never calculated"):
        Mended(tmp_path).read(path)


def test_digits_that_a_workbook_has_lost_are_the_ledgers_own(tmp_path: Path) -> None:
    reading = Reading("csv", columns=("id", "email", "Notiz", "ref")).to_json()
    facts = purpose(1, reading=reading, options={"mapping": {"key": "id"}})
    sent = {"id": SNOWFLAKE, "email": "p1@example.com", "ref": "49123456789012345670"}
    with written(tmp_path / "users.csv.ledger.db", facts) as writer:
        writer.write([claim_of(replace(row(1, sent), source_id=SNOWFLAKE))], [])
        writer.write([], [Settled(1, DECLINED, None, 1)])

    def book(ref: str) -> Path:
        names = ("id", "email", "ref", "_row", "_ledger")
        header = "".join(text(f"{letter}1", name) for letter, name in zip("ABCDE", names, strict=True))
        numbers = f'<c r="A2"><v>4.91234567890123E+18</v></c><c r="C2"><v>{ref}</v></c><c r="D2"><v>1</v></c>'
        cells = text("B2", "p2@example.com") + numbers + text("E2", TOKEN)
        return workbook(tmp_path / "fixed.xlsx", f'<row r="1">{header}</row><row r="2">{cells}</row>')

    found = Mended(tmp_path).read(book("4.91234567890123E+19"))
    assert found == {1: {key: cell for key, cell in sent.items() if cell} | {"email": "p2@example.com"}}
    with pytest.raises(UsageError, match="number in column 'ref' has lost digits"):
        Mended(tmp_path).read(book("5.91234567890123E+19"))


def test_a_line_that_is_nobodys_is_left_out_and_said(tmp_path: Path) -> None:
    facts = purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options={})
    with written(tmp_path / "users.csv.ledger.db", facts) as writer:
        for number in (1, 2, 3):
            writer.write([claim_of(row(number, SENT))], [])
            writer.write([], [Settled(number, DECLINED, None, 1)])
    mended = Mended(tmp_path)
    lines = [f"u1,p1@example.com,Ring,,1,{TOKEN}", f"u2,p2@example.com,Ring,,2,{TOKEN}", "Summe,,,,3,"]
    found = mended("\n".join(["id,email,Straße,Notiz,_row,_ledger", *lines]))
    assert sorted(found) == [1, 2]
    assert [said.partition(", ")[2] for said in mended.said] == [
        "line 4: the row looks like a total, not a customer, so row 3 stays as it is"
    ]
    with pytest.raises(UsageError, match="row 3 a second time"):
        mended("\n".join(["id,email,Straße,Notiz,_row,_ledger", *lines, "Summe,,,,3,"]))


def test_rows_that_nobody_mended_are_counted_and_those_that_cannot_be_read_stay_unread(tmp_path: Path) -> None:
    facts = purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options={})
    torn = Invalid(2, 3, None, None, (Problem("unreadable", "it has 5 cells where the table has 4"),), SENT)
    with written(tmp_path / "users.csv.ledger.db", facts) as writer:
        for number in (1, 3):
            writer.write([claim_of(row(number, SENT))], [])
            writer.write([], [Settled(number, DECLINED, None, 1)])
        writer.write([], [settled(torn, torn, 0)])
    mended = Mended(tmp_path)
    head, same = "_ledger,id,email,Straße,Notiz,_row\n", f"{TOKEN},u3,p3@example.com,Ring 1,alt"
    assert sorted(mended(f"{head}{same},1\n{same},2\n{TOKEN},u3,p3@example.com,Ring 2,alt,3\n")) == [1, 3]
    assert mended.said == ["2 of the 3 rows are as they were; what was invalid there stays so"]
    assert sorted(mended(f"{head}{same},2\n")) == []
    assert sorted(mended(f"{head}{TOKEN},u3,p3@example.com,Ring 2,alt,2\n")) == [2]


def test_what_a_spreadsheet_took_from_cells_is_put_back_and_said(tmp_path: Path) -> None:
    source = Reading("csv", columns=("email", "zip", "born", "plan")).to_json()
    path = tmp_path / "users.csv.ledger.db"
    with written(path, purpose(1, reading=source)) as writer:
        refused = row(1, {"email": "p1@example.com", "zip": "02108", "born": "2001-12-03", "plan": "1.50"})
        writer.write([claim_of(refused)], [])
        writer.write([], [Settled(1, DECLINED, None, 1)])
    mended = Mended(tmp_path, key=None)
    found = mended(f"email;zip;born;plan;_ledger;_row\r\np2@example.com;2108;03.12.2001;2,50;{TOKEN};1\r\n")
    assert found == {1: {"email": "p2@example.com", "zip": "02108", "born": "2001-12-03", "plan": "2,50"}}
    (said,) = mended.said
    assert said.startswith("2 cells are taken as before")
    assert '"zip", "born"' in said
    assert (
        mended(f"email,zip,born,plan,_ledger,_row\np1@example.com,2108,2001-12-03,1.5,{TOKEN},1\n")[1]["zip"] == "02108"
    )
    assert mended.said[-1] == "1 of the 1 row is as it was; what was invalid there stays so"


def test_an_amount_that_could_not_be_sent_is_mended_by_whoever_writes_it_as_a_whole_number(tmp_path: Path) -> None:
    source = Reading("csv", columns=("email", "zip", "balance")).to_json()
    sent = {"email": "p1@example.com", "zip": "02108", "balance": "1200.0"}
    with written(tmp_path / "users.csv.ledger.db", purpose(1, reading=source)) as writer:
        refused = Invalid(1, 2, None, None, (Problem("integer", "A whole number is needed.", "balance"),), sent)
        writer.write([], [settled(refused, refused)])
    mended = Mended(tmp_path, key=None)
    found = mended(f"email,zip,balance,_ledger,_row\np1@example.com,2108,1200,{TOKEN},1\n")
    assert found == {1: {"email": "p1@example.com", "zip": "02108", "balance": "1200"}}
    assert mended.said[0].startswith("1 cell is taken as before")
    assert mended.said[1].endswith(
        'can, by you or by a spreadsheet: "balance"; compare them, since an amount counts the smallest unit, such as cents'
    )


def test_a_file_without_its_row_column_is_told_so(mended: Mended) -> None:
    with pytest.raises(UsageError, match="has no column _row"):
        mended("id,email,Straße\nu3,p3@example.com,Ring\n")


@pytest.mark.parametrize("cell", ["", "  "])
def test_a_row_number_of_a_ledger_that_is_not_said_is_believed_only_with_the_rows_own_id(
    tmp_path: Path, cell: str
) -> None:
    lines = f"id,email,Straße,Notiz,_row,_ledger\nu3,p3@example.com,Ring 2,alt,3,{cell}\n"
    ledger = ledger_at(tmp_path / "users.csv.ledger.db")
    assert sorted(Mended(tmp_path)(lines)) == [3]
    with pytest.raises(UsageError, match=r'with all its columns, or at least with "id"'):
        Mended(tmp_path)(lines.replace("id,", "number,", 1))
    facts = purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options={})
    with written(ledger, facts), pytest.raises(UsageError, match="does not say in its column _ledger which ledger"):
        Mended(tmp_path)(lines)


@pytest.mark.parametrize("key", ["id", None])
def test_a_file_written_by_hand_needs_no_column_for_its_ledger_and_that_only_row_numbers_tell_is_said(
    tmp_path: Path, key: str | None
) -> None:
    ledger = ledger_at(tmp_path / "users.csv.ledger.db")
    options = {"mapping": {"key": key}} if key else {}
    mended = Mended(tmp_path)
    with written(ledger, purpose(3, reading=Reading("csv", columns=COLUMNS).to_json(), options=options)):
        assert sorted(mended("id,email,Straße,Notiz,_row\nu3,p3@example.com,Ring 2,alt,3\n")) == [3]
    assert any("only the row numbers in _row say whose its line is" in said for said in mended.said) is (key is None)


def with_ids(folder: Path, *ids: str) -> Mended:
    """A ledger of failed rows that have these ids of their own."""
    reading = Reading("csv", columns=COLUMNS).to_json()
    facts = purpose(len(ids), reading=reading, options={"mapping": {"key": "id"}})
    with written(folder / "users.csv.ledger.db", facts) as writer:
        rows = [replace(row(at, {**SENT, "id": own}), source_id=own) for at, own in enumerate(ids, 1)]
        writer.write([claim_of(each) for each in rows], [])
        writer.write([], [Settled(each.number, DECLINED, None, 1) for each in rows])
    return Mended(folder)


SNOWFLAKE = "4912345678901234567"


@pytest.mark.parametrize(
    ("own", "now"),
    [
        ("00042", "42"),
        (SNOWFLAKE, "4912345678901230000"),
        (SNOWFLAKE, "4.91234567890123e+18"),
        ("4912345678901239999", "4.91234567890123e+18"),
        ("+0070", "70"),
    ],
)
def test_an_id_that_a_spreadsheet_took_for_a_number_still_tells_its_row_and_is_put_back(
    tmp_path: Path, own: str, now: str
) -> None:
    mended = with_ids(tmp_path, own, own, "7", "x")
    found = mended(f"id,email,Straße,_row,_ledger\n{now},p1@example.com,Ring,1,{TOKEN}\n")
    assert found[1]["id"] == own
    assert '"id"' in mended.said[0]


@pytest.mark.parametrize(
    ("others", "now"),
    [(("42",), "42"), (("0042",), "42"), ((f"{SNOWFLAKE[:-1]}8",), "4912345678901230000"), ((), "4.91235E+18")],
)
def test_an_id_that_may_be_another_rows_refuses_the_file_and_says_how_to_keep_it(
    tmp_path: Path, others: tuple[str, ...], now: str
) -> None:
    own = "00042" if now == "42" else SNOWFLAKE
    with pytest.raises(UsageError, match="format that column as text in the spreadsheet, and write the ids again"):
        with_ids(tmp_path, own, *others)(f"id,email,Straße,_row,_ledger\n{now},p1@example.com,Ring,1,{TOKEN}\n")


def test_no_ledger_is_called_by_what_a_spreadsheet_takes_for_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["1234567890123456", "12e4567890123456", TOKEN])
    monkeypatch.setattr("bulk_import.ledger.purpose.secrets.token_hex", lambda _: next(drawn))
    assert new_token() == TOKEN


def test_a_number_made_of_an_id_does_not_say_which_ledger_a_line_is_of(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="line 2 has '42' as its id, but that row is '00042'"):
        with_ids(tmp_path, "00042")("id,email,Straße,_row\n42,p1@example.com,Ring,1\n")


def test_what_came_of_rows_since_is_left_alone_when_the_same_file_goes_on(tmp_path: Path) -> None:
    path, fixed = ledger_at(tmp_path / "users.csv.ledger.db"), tmp_path / "fixed.csv"
    fixed.write_text("id,email,Straße,Notiz,_row\nu1,p1@example.com,Ring,,1\nu3,p3@example.com,Ring,,3\n")
    reader = Reader(open_for_reading(path), path)
    facts, said = reader.purpose(), list[str]()
    assert facts is not None
    how = preparation(Reading.from_json(facts.reading), Preparing())

    def read(text: str | None = None) -> list[int]:
        if text is not None:
            fixed.write_text(text)
        found = read_corrections(
            fixed, Overrides(), facts, reader, how, lambda code, message: said.append(message), goes_on=True
        )
        with closing(found):
            return list(found)

    with closing(reader):
        assert read() == [3]
        assert "1 row of it was settled or sent since" in said[-1]
        assert read("id,email,Straße,Notiz,_row\nu1,p1@example.com,Ring,,1\n") == []
        with pytest.raises(UsageError, match="row 2, which was never sent: run sends it"):
            read("id,email,Straße,Notiz,_row\nu2,p2@example.com,Ring,,2\n")


def test_a_mended_file_is_told_by_its_bytes_and_how_they_are_read(tmp_path: Path) -> None:
    one, same, other = (tmp_path / name for name in ("1.csv", "2.csv", "3.csv"))
    for path, letter in ((one, "a"), (same, "a"), (other, "b")):
        path.write_text(letter)
    found = [digest_of(path, Overrides()) for path in (one, same, other)]
    assert found[0] == found[1] != found[2]
    assert digest_of(one, Overrides(encoding="cp1252")) != found[0]
    assert digest_of(tmp_path / "none.csv", Overrides()) is None
