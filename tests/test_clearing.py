"""What is cleared by the column is exactly what `prepare` finds nothing to say about."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.mapping import MappingOptions, settle_mapping
from bulk_import.model import Block, Row
from bulk_import.options import Preparing
from bulk_import.prepare import Preparation, prepare
from bulk_import.prepare.clearing import clearance_of
from bulk_import.survey import survey

COLUMNS = (
    "id", "email", "name", "phone", "zip", "country", "locale", "tax_exempt", "balance", "payment_method", "plan",
    "password", "shipping.name", "vat_number", "state", "address",
    "first_name", "shipping_first_name",
)  # fmt: skip
CELLS = {
    "id": ["u_1", "", "  ", "'00012", '="7"', "x" * 501, "a\tb", "1.5E+12", "'auth0|5f7c", "1.5e+12"],
    "email": [
        "a@example.com",
        "B@Example.com",
        "",
        " c@example.com",
        "é@example.com",
        "no",
        "x" * 60 + "@example.com",
        "'d@example.com",
    ],
    "name": [
        "Ann",
        "",
        "x" * 257,
        "Zoë\u200b",
        "4242 4242 4242 4242",
        "424242",
        "a|b",
        '="Ann"',
        "NULL",
        " None ",
        "'Ann",
        "=SUM(A1)",
        " =A1",
        " '-Ann",
        "JÃ¼rgen",
        "J\ufffdrgen",
        "####",
    ],
    "phone": [
        "+49 30 1234",
        "'0049",
        "'",
        "4" * 21,
        "4242424242424242",
        "1.5E+12",
        r"\N",
        "n/a",
        "4.9e+10",
        "4.93E10",
        "15555550100.0",
        "=+4930123",
    ],
    "zip": [
        "01067",
        "'01067",
        "'",
        '="01067"',
        '=""',
        "2108.0",
        "1,067",
        " - ",
        "########",
        "1067",
        " 501 ",
        "3012",
        "10115",
    ],
    "country": ["DE", "de", "Germany", "Nowhere", " FR ", "", "CH", "USA"],
    "locale": ["de", "de,fr", "?", ","],
    "tax_exempt": ["exempt", "yes", "maybe", ""],
    "balance": ["0", "-5", "1.5", ""],
    "payment_method": ["pm_1", " pm_2 ", "pm_card_visa", ""],
    "plan": [
        "pro",
        "",
        "x" * 501,
        "5555555555554444",
        "a\x00b",
        "$2b$10$" + "x" * 53,
        "$5 {x} a month or so",
        "A &amp; B",
        "'007",
        "O'Hara",
        "9.78E+12",
    ],
    "password": ["", "hunter2", "4242424242424242"],
    "shipping.name": ["", "", "", "Ann"],
    "vat_number": ["", "", "", "DE123456789"],
    "state": ["MA", "past due", "NULL", "'MA"],
    "address": ["Way 1", '{"city": "Rome"}', "{x}", "'t Hof 1"],
    "first_name": ["Ann", "", "x" * 250],
    "shipping_first_name": ["", "", "", "Ann"],
}
SOUND = {column: cells[0] for column, cells in CELLS.items()}


def a_row(data: st.DataObject) -> list[str]:
    """Mostly sound cells, so that a good part of all rows is cleared."""
    if data.draw(st.integers(0, 9)) == 0:
        return [" "] * len(COLUMNS)
    odd = data.draw(st.sets(st.sampled_from(COLUMNS), max_size=2))
    return [data.draw(st.sampled_from(CELLS[column])) if column in odd else SOUND[column] for column in COLUMNS]


@given(data=st.data(), key=st.sampled_from([None, "id"]), allow_no_email=st.booleans())
@settings(max_examples=60, deadline=None)
def test_a_row_is_cleared_only_when_prepare_has_nothing_to_say(
    data: st.DataObject, key: str | None, allow_no_email: bool
) -> None:
    mapping = settle_mapping(COLUMNS, MappingOptions(key=key), allow_no_email=allow_no_email)
    how = Preparation(mapping, allow_no_email=allow_no_email)
    clearance = clearance_of(how)
    assert clearance is not None
    block = Block(7, 9, COLUMNS, [a_row(data) for _ in range(4)])
    found = clearance.clear(block)
    rows = [prepare(record, how) for record in block.records()]
    emails, methods, ids = [], [], []
    for index, row in enumerate(rows):
        if index in found.doubtful:
            continue
        assert isinstance(row, Row)
        assert row.warnings == tuple(warning for at, warning in found.warnings if at == index)
        emails += [(row.email_key, row.number, row.line)] if row.email_key is not None else []
        method = row.params.get("payment_method")
        methods += [(method, row.number, row.line)] if method is not None else []
        ids += [(row.source_id, row.number, row.line)] if row.source_id is not None else []
    assert not {at for at, _ in found.warnings} & set(found.doubtful)
    assert found.clear == 4 - len(found.doubtful)
    assert list(zip(*found.emails, strict=True)) == emails
    assert list(zip(*found.methods, strict=True)) == methods
    assert list(zip(*found.ids, strict=True)) == ids


def test_sound_rows_are_cleared_by_the_column() -> None:
    how = Preparation(settle_mapping(COLUMNS))
    clearance = clearance_of(how)
    assert clearance is not None
    found = clearance.clear(Block(1, 2, COLUMNS, [list(SOUND.values())] * 3))
    assert (found.doubtful, found.clear) == ([], 3)


@pytest.mark.parametrize(
    "options",
    [
        MappingOptions(sets=(("shipping.name", "Ann"),)),
        MappingOptions(sets=(("tax_id_data.0.type", "eu_vat"),)),
    ],
)
def test_values_that_hang_together_are_left_to_prepare(options: MappingOptions) -> None:
    assert clearance_of(Preparation(settle_mapping(("email", "vat_number"), options))) is None


def test_a_survey_finds_the_same_however_many_sound_rows_stand_around(tmp_path: Path) -> None:
    odd = {
        700: "nobody,Ann,pm_1", 1200: "u1@example.com,Dup,", 1300: "u9@example.com", 1400: "x@example.com,Ann,pm_600",
        1500: 'q@example.com,"Ann ""A"", Lee",pm_card_visa',
    }  # fmt: skip
    lines = [odd.get(number, f"u{number}@example.com,Ann,pm_{number}") for number in range(1, 2001)]
    path = tmp_path / "customers.csv"
    path.write_text("email,name,payment_method\n" + "\n".join(lines) + "\n")
    found = survey(path, Preparing())
    assert (found.rows, found.valid, found.invalid, found.duplicates) == (2000, 1997, 3, 1)
    places = {group.rule: [(place.row, place.line) for place in group.places] for group in found.groups}
    assert places == {
        "email": [(700, 701)], "unreadable": [(1300, 1301)], "duplicate": [(1200, 1201)],
        "same-payment-method": [(700, 701), (1400, 1401)],
    }  # fmt: skip


def test_a_duplicate_may_repeat_its_owners_payment_method(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,payment_method\na@example.com,pm_1\nA@example.com,pm_1\nb@example.com,pm_1\n")
    found = survey(path, Preparing())
    assert (found.valid, found.invalid, found.duplicates) == (2, 1, 1)
    (group,) = [group for group in found.groups if not group.warning]
    assert [(place.row, place.line) for place in group.places] == [(3, 4)]


KEYED = Preparing(mapping=MappingOptions(key="group"))


def test_ids_that_several_customers_share_and_rows_without_one_are_said_and_sent(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    rows = [f"u{n}@example.com,{'a' if n % 3 else ''}" for n in range(1, 13)]
    path.write_text("email,group\n" + "\n".join([*rows, "u1@example.com,a"]) + "\n")
    found = survey(path, KEYED)
    assert (found.valid, found.invalid, found.duplicates) == (13, 0, 1)
    counts = {group.rule: group.count for group in found.groups}
    assert counts == {"key-missing": 4, "duplicate": 1, "same-id": 7}
    assert all(group.warning for group in found.groups)
    first, second = (notice.message for notice in found.notices)
    assert "--key group: 7 of 12 ids" in first
    assert "rows 1 (line 2) and 2 (line 3)" in first
    assert "4 rows without an id" in second


def test_the_first_places_of_a_problem_are_those_of_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    rows = [f"u{n}@{'bücher.' if n > 5 else ''}example.com,Germany,{n}" for n in range(1, 13)]
    path.write_text("email,country,note\n" + "\n".join(rows) + "\n")
    (group,) = [group for group in survey(path, Preparing()).groups if group.rule == "country-name"]
    assert (group.count, [place.row for place in group.places]) == (12, [1, 2, 3, 4, 5])


def test_rows_of_one_customer_may_share_their_id(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,group\na@example.com,7\nA@example.com,7\nb@example.com,8\n")
    assert survey(path, KEYED).notices == ()


def test_text_that_a_spreadsheet_protects_is_taken_out_and_said(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text('email,zip,plan\na@example.com,"=""01067""",="007"\nb@example.com,="1""2",=1+1\n')
    found = survey(path, Preparing())
    assert found.first_rows[0].fields["zip"] == '="01067"', "what was read stays as it was read"
    assert not any("quotes" in notice.message for notice in found.reading_notices), "it is said once"
    said = {(group.rule, group.count, group.warning) for group in found.groups}
    assert said == {("protected-text", 3, True), ("formula", 1, True)}
    how = Preparation(settle_mapping(("email", "zip", "plan")))
    row = prepare(found.first_rows[0], how)
    assert isinstance(row, Row)
    assert row.params["address"] == {"postal_code": "01067"}
    assert row.params["metadata"] == {"plan": "007"}
    other = prepare(found.first_rows[1], how)
    assert isinstance(other, Row)
    assert other.params["metadata"] == {"plan": "=1+1"}, "any other formula is text, and said"


def test_what_spreadsheets_and_databases_leave_behind_is_said_and_sent(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "id,email,name,phone,zip,description,country,isbn\n"
        "1.2E+15,a@example.com,NULL,1.5E+12,nan,#N/A,,9.78E+12\n"
        "2,b@example.com,Ann None,'0049,'01067,undefined,,'007\n"
        "3,c@example.com,Ann,1,2,,null,\n"
    )
    found = survey(path, Preparing(mapping=MappingOptions(key="id")))
    assert (found.valid, found.invalid) == (2, 1)
    said = {group.rule: [(place.row, place.column) for place in group.places] for group in found.groups}
    assert said["null-word"] == [(1, "name"), (1, "zip"), (1, "description"), (2, "description")]
    assert said["shortened-number"] == [(1, "phone"), (1, "isbn"), (1, "id")]
    assert said["apostrophe"] == [(2, "phone"), (2, "zip"), (2, "isbn")]
    assert any(
        "3 cells with an apostrophe" in notice.message and "line 3" in notice.message for notice in found.notices
    )
    (country,) = (group.places[0] for group in found.groups if not group.warning)
    assert "did you mean" not in country.message
    row = prepare(found.first_rows[0], Preparation(settle_mapping(tuple(found.first_rows[0].fields))))
    assert isinstance(row, Row)
    assert (row.params["name"], row.params["phone"]) == ("NULL", "1.5E+12"), "nothing is guessed"


def test_nothing_is_sent_for_a_databases_own_word_for_nothing_and_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "id,email,first_name,last_name,phone,line1,city,state,country,vat,tax_exempt,locale,payment_method,notes,plan\n"
        "1,a@example.com,Ann,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL\n"
        "NULL,b@example.com,ANN,NULL,(NULL),[NULL],\\N,<null>,DE,,,,,,\n"
        "NULL,NULL,,,,,,,,,,,,,\n"
    )
    found = survey(path, Preparing(mapping=MappingOptions(key="id")))
    assert [(group.rule, group.count) for group in found.groups if not group.warning] == [("email-missing", 1)]
    said = {group.rule: group.count for group in found.groups if group.warning}
    assert said == {"nothing": 16, "key-missing": 1}
    assert any("16 cells" in notice.message and "line 2" in notice.message for notice in found.notices)
    how = Preparation(settle_mapping(tuple(found.first_rows[0].fields), MappingOptions(key="id")), marker=False)
    ann, two, _ = (prepare(record, how) for record in found.first_rows)
    assert isinstance(ann, Row)
    assert isinstance(two, Row)
    assert ann.params == {
        "email": "a@example.com",
        "name": "Ann",
        "metadata": {"plan": "NULL", "source_id": "1"},
    }, "metadata is kept as it stands"
    assert (two.source_id, two.params) == (
        None,
        {"email": "b@example.com", "name": "ANN", "address": {"country": "DE"}},
    )


def test_blanks_around_a_zip_code_do_not_make_up_for_its_zeros(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,zip,country\na@example.com, 501 ,US\nb@example.com,10115,DE\nc@example.com,3012,CH\n")
    (group,) = survey(path, Preparing()).groups
    assert [(place.row, place.column) for place in group.places] == [(1, "zip")]
    (fixed,) = survey(path, Preparing(mapping=MappingOptions(sets=(("address.country", "de"),)))).groups
    assert [place.row for place in fixed.places] == [1, 3]


def test_a_person_may_be_called_null(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "email,first_name,last_name,phone,company\na@example.com,JENNIFER,NULL,1,Co\nb@example.com,Jo,Null,1,NULL\n"
    )
    found = survey(path, Preparing())
    how = Preparation(settle_mapping(("email", "first_name", "last_name", "phone", "company")))
    rows = [row for record in found.first_rows if isinstance(row := prepare(record, how), Row)]
    assert [row.params["name"] for row in rows] == ["JENNIFER NULL", "Jo Null"]
    assert [row.params.get("business_name") for row in rows] == ["Co", None], "and no company"
    assert {group.rule: group.count for group in found.groups} == {"null-word": 2, "nothing": 1}


def test_an_apostrophe_before_every_cell_or_before_a_formula_is_taken_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "user_id,email,name,city,phone\n"
        "'auth0|5f7c,'ann@example.com,'Ann,'Rome,'+49301234\n"
        "auth0|5f7d,ben@example.com,'-Ben,'s-Gravenhage,\n"
    )
    found = survey(path, Preparing(mapping=MappingOptions(key="user_id")))
    how = Preparation(settle_mapping(("user_id", "email", "name", "city", "phone"), MappingOptions(key="user_id")))
    ann, ben = (prepare(record, how) for record in found.first_rows)
    assert isinstance(ann, Row)
    assert isinstance(ben, Row)
    assert (ann.source_id, ann.email_key, ann.params["name"]) == ("auth0|5f7c", "ann@example.com", "Ann")
    assert (ann.params["address"], ann.params["phone"]) == ({"city": "Rome"}, "+49301234")
    assert (ben.params["name"], ben.params["address"]) == ("-Ben", {"city": "'s-Gravenhage"}), (
        "a name may begin with one"
    )
    (group,) = found.groups
    assert (group.rule, group.count) == ("apostrophe", 6)


def test_json_in_the_cell_of_an_address_is_said(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        'email,address,metadata,prefs\nann@example.com,"{""city"":""Rome""}","{""plan"":""pro""}","{""a"":1}"\n'
        "ben@example.com,Way 1,pro,\n"
        "cat@example.com,{'line1': 'Way 1'},{pro},{'a': 1}\n"
    )
    (group,) = survey(path, Preparing()).groups
    assert [(place.row, place.column) for place in group.places] == [(1, "address"), (1, "metadata"), (3, "address")]
    assert "address.city" in group.places[0].message
    assert "Python" in group.places[2].message
    assert "address.line1" in group.places[2].message


def test_a_run_is_told_of_cells_that_a_program_harmed(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text(
        "email,name,phone\na@example.com,Ann,1\nb@example.com,NULL,1.5e+10\nc@example.com,NULL,2\nd@example.com, =A1,3\n"
    )
    (said,) = (notice.message for notice in survey(path, Preparing()).notices)
    assert said.startswith(
        "4 cells that a program or a spreadsheet may have harmed (shortened-number 1, null-word 2, formula 1; "
    )
    assert "line 3" in said


def test_how_an_account_stands_is_no_part_of_an_address(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_text("email,city,state\na@example.com,Boston,MA\nb@example.com,Boston,past_due\n")
    (group,) = survey(path, Preparing()).groups
    assert (group.rule, group.warning, [place.row for place in group.places]) == ("account-state", False, [2])
    assert '--map "state=metadata"' in group.places[0].message
