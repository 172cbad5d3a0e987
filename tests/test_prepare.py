"""Record -> Row | Invalid: what is sent, what is refused, and that nothing makes it stumble."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulk_import.customer.parameters import PARAMETERS, parse_path
from bulk_import.formulas import defuse, restore
from bulk_import.mapping.aliases import OWN_COLUMNS
from bulk_import.mapping.settled import MappingOptions, settle_mapping
from bulk_import.model import Invalid, Problem, Record, Row
from bulk_import.prepare.rows import Preparation, prepare
from bulk_import.reading.jsonl import read_object
from tests.customer_schema import breaches

CARD = "4242 4242 4242 4242"
# A machine shared with other work may be slow; that is no fault of the rules.
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def csv_result(fields: Mapping[str, Any], options: MappingOptions | None = None, **how: Any) -> Row | Invalid:
    mapping = settle_mapping(list(fields), options, allow_no_email=True)
    return prepare(Record(3, 7, fields), Preparation(mapping, **how))


def json_result(fields: Mapping[str, Any], options: MappingOptions | None = None, **how: Any) -> Row | Invalid:
    return prepare(Record(3, 7, fields), Preparation(settle_mapping(None, options), **how))


def sent(result: Row | Invalid) -> Any:
    assert isinstance(result, Row), result
    return result.params


def problems(result: Row | Invalid) -> list[Problem]:
    assert isinstance(result, Invalid), result
    return list(result.problems)


def rules(result: Row | Invalid) -> list[str]:
    return [problem.rule for problem in problems(result)]


def test_a_whole_row_is_sent_as_it_should_be() -> None:
    fields = {
        "E-Mail": " Ann@Example.com ",
        "First Name": "Ann",
        "Last Name": "Lee",
        "Company": "",
        "Zip": "'01067",
        "address.country": "de",
        "VAT ID": "DE123456789",
        "metadata.plan": "pro",
        "payment_method": "pm_card_visa",
        "user_id": "0042",
    }
    row = csv_result(fields, MappingOptions(key="user_id", sets=(("tax_exempt", "none"),)))
    assert isinstance(row, Row)
    assert (row.number, row.line, row.source_id) == (3, 7, "0042")
    assert (row.email, row.email_key, row.fields) == ("Ann@Example.com", "ann@example.com", fields)
    assert row.params == {
        "email": "Ann@Example.com",
        "name": "Ann Lee",
        "address": {"postal_code": "01067", "country": "DE"},
        "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
        "metadata": {"plan": "pro", "source_id": "0042"},
        "payment_method": "pm_card_visa",
        "invoice_settings": {"default_payment_method": "pm_card_visa"},
        "tax_exempt": "none",
    }
    assert [(said.rule, said.column) for said in row.warnings] == [("apostrophe", "Zip")]


def test_nested_json_is_sent_as_it_should_be() -> None:
    fields = {
        "id": 12345678901234567,
        "email": "ann@example.com",
        "address": {"city": "Zürich", "zip": 8001, "country": "CH"},
        "shipping": {"name": "Ann", "address": {"line1": "Way 1"}},
        "tax_id_data": [{"type": "ch_vat", "value": "CHE-123.456.789 TVA"}, {"type": "eu_vat", "value": "DE123456789"}],
        "invoice_settings": {"custom_fields": [{"name": "PO", "value": "7"}], "footer": "Bye"},
        "preferred_locales": ["de-CH", "fr"],
        "metadata": {"plan": "pro", "seats": 5, "ratio": 0.5, "vip": True, "none": None, "nested": {"deep": [1, "a"]}},
        "balance": -500,
        "tax_exempt": False,
        "tags": ["a", "b"],
        "note": None,
        "phone": "",
    }
    row = json_result(fields, MappingOptions(key="id"))
    assert sent(row) == {
        "email": "ann@example.com",
        "address": {"city": "Zürich", "postal_code": "8001", "country": "CH"},
        "shipping": {"name": "Ann", "address": {"line1": "Way 1"}},
        "tax_id_data": [{"type": "ch_vat", "value": "CHE-123.456.789 TVA"}, {"type": "eu_vat", "value": "DE123456789"}],
        "invoice_settings": {"custom_fields": [{"name": "PO", "value": "7"}], "footer": "Bye"},
        "preferred_locales": ["de-CH", "fr"],
        "metadata": {
            "plan": "pro",
            "seats": "5",
            "ratio": "0.5",
            "vip": "true",
            "nested.deep": '[1, "a"]',
            "tags": '["a", "b"]',
            "source_id": "12345678901234567",
        },
        "balance": -500,
        "tax_exempt": "none",
    }
    assert isinstance(row, Row)
    assert row.fields == fields


@pytest.mark.parametrize("whole", ["", "fr"])
def test_an_item_of_a_list_does_not_stand_in_for_the_whole_list(whole: str) -> None:
    row = sent(csv_result({"email": "a@example.com", "preferred_locales.0": "de", "preferred_locales": whole}))
    assert row.get("preferred_locales") == ([whole] if whole else None)
    assert row["metadata"] == {"preferred_locales.0": "de"}


def test_flat_columns_build_lists_in_order_whatever_their_places() -> None:
    fields = {
        "email": "a@example.com",
        "tax_id_data.3.type": "eu_vat",
        "tax_id_data[3][value]": "DE123456789",
        "tax_id_data.0.type": "gb_vat",
        "tax_id_data.0.value": "GB123456789",
        "preferred_locales.1": "fr",
        "preferred_locales.0": "de",
        "shipping.address.city": "X",
        "shipping.name": "A",
        "invoice_settings.rendering_options.amount_tax_display": "exclude_tax",
    }
    assert sent(csv_result(fields)) == {
        "email": "a@example.com",
        "tax_id_data": [{"type": "gb_vat", "value": "GB123456789"}, {"type": "eu_vat", "value": "DE123456789"}],
        "preferred_locales": ["de", "fr"],
        "shipping": {"name": "A", "address": {"city": "X"}},
        "invoice_settings": {"rendering_options": {"amount_tax_display": "exclude_tax"}},
    }


def test_every_problem_of_a_row_is_told_at_once_with_its_place() -> None:
    fields = {"email": "ann@", "balance": "1.5", "country": "Nowhere", "invoice_prefix": "a", "shipping.phone": "1"}
    found = problems(csv_result(fields))
    assert [(each.rule, each.column, each.value, each.param) for each in found] == [
        ("email", "email", "ann@", "email"),
        ("integer", "balance", "1.5", "balance"),
        ("country", "country", "Nowhere", "address.country"),
        ("invoice-prefix", "invoice_prefix", "a", "invoice_prefix"),
        ("shipping", "shipping.phone", "1", "shipping.name"),
        ("shipping", "shipping.phone", "1", "shipping.address"),
    ]
    assert all(each.message.endswith(".") and "\n" not in each.message for each in found)


def test_half_a_pair_is_said_of_the_column_that_is_there_with_advice_that_can_be_typed() -> None:
    fields = {"email": "a@example.com", "invoice_settings.custom_fields.0.name": "PO", "Payment Method": "Visa"}
    first, second = problems(csv_result(fields))
    assert '--map "Payment Method=metadata.paid_by"' in first.message
    assert (second.column, second.param) == (
        "invoice_settings.custom_fields.0.name",
        "invoice_settings.custom_fields.0.value",
    )
    odd = {"email": "a@example.com", 'Pay"method': "Visa"}
    (found,) = problems(csv_result(odd, MappingOptions(maps=(('Pay"method', "payment_method"),))))
    assert '"COLUMN=metadata.paid_by"' in found.message


def test_what_is_wrong_already_is_not_missing_too() -> None:
    fields = {"email": "a@example.com", "shipping.name": "A", "shipping.address.country": "Nowhere"}
    assert rules(csv_result(fields)) == ["country"]


def test_a_wrong_address_stays_with_the_row() -> None:
    result = csv_result({"email": " ann@ "})
    assert isinstance(result, Invalid)
    assert result.email == "ann@"


def test_a_row_without_an_email_is_invalid_unless_allowed() -> None:
    assert rules(csv_result({"email": " ", "name": "Ann"})) == ["email-missing"]
    row = csv_result({"email": " ", "name": "Ann"}, allow_no_email=True)
    assert sent(row) == {"name": "Ann"}
    assert isinstance(row, Row)
    assert (row.email, row.email_key) == (None, None)


def test_the_email_check_is_as_strict_as_asked() -> None:
    assert rules(csv_result({"email": "a..b@example.com"})) == ["email"]
    assert sent(csv_result({"email": "a..b@example.com"}, email_check="basic"))


def test_an_unreadable_record_is_invalid_and_keeps_no_card_number() -> None:
    record = Record(3, 7, {"a": f"x {CARD}"}, problem="It has 2 cells instead of 3.")
    result = prepare(record, Preparation(settle_mapping(["email"])))
    assert problems(result) == [Problem("unreadable", "It has 2 cells instead of 3.")]
    assert CARD not in str(result)


@pytest.mark.parametrize("column", ["notes", "name", "metadata.x", "card_number", "Total Spend", "address.line1"])
def test_a_card_number_anywhere_refuses_the_row_and_is_shown_nowhere(column: str) -> None:
    result = csv_result({"email": "a@example.com", column: f"see {CARD}"})
    assert rules(result) == ["card-number"]
    assert "4242 4242" not in str(result)


def test_a_card_number_in_json_is_found_as_a_number_and_inside_lists() -> None:
    for value in (4242424242424242, ["x", {"y": CARD}], {"deep": {"er": CARD}}):
        result = json_result({"email": "a@example.com", "x": value})
        assert rules(result) == ["card-number"]
        assert "42424242" not in str(result).replace(" ", "")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("note", "$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy"),
        ("legacy", "$P$B55D6LjfHDkINU5wF.v2BuuzO0/XPk/"),
        ("legacy", "$argon2id$v=19$m=65536,t=2,p=1$gZiV/M1gPc22ElAH$Jh1HFvucB+"),
        ("auth", "pbkdf2_sha256$600000$h5vJ2mX$Yd8Uq0Jm1n2kP3s"),
        ("auth", "scrypt:32768:8:1$salt$5f4dcc3b5aa765d6"),
        ("ldap", "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="),
        ("digest", "5f4dcc3b5aa765d61d8327deb882cf99"),
        ("column_4", "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="),
    ],
)
def test_a_stored_password_refuses_the_row_and_is_shown_nowhere(column: str, value: str) -> None:
    result = csv_result({"email": "a@example.com", column: value})
    assert rules(result) == ["stored-password"]
    assert value not in repr(result)


@pytest.mark.parametrize(
    "value", ["$5$10$15$ off", "{id} costs $20", "5f4dcc3b5aa765d61d8327deb882cf99", "US$ 100 000,00"]
)
def test_prices_templates_and_ids_are_no_passwords(value: str) -> None:
    assert sent(csv_result({"email": "a@example.com", "plan": value}))["metadata"] == {"plan": value}


def test_phones_and_the_key_may_look_like_cards() -> None:
    fields = {"email": "a@example.com", "phone": "4242424242424242", "id": "5555555555554444"}
    params = sent(csv_result(fields, MappingOptions(key="id")))
    assert (params["phone"], params["metadata"]) == ("4242424242424242", {"source_id": "5555555555554444"})


def test_a_refused_row_keeps_its_phone_and_its_id() -> None:
    numbers = {"phone": "4242424242424242", "id": "5555555555554444", "name": CARD}
    result = csv_result({"email": "a@example.com", **numbers}, MappingOptions(key="id"))
    assert isinstance(result, Invalid)
    assert result.fields == {"email": "a@example.com", **numbers, "name": "*" * 15 + "4242"}


def test_a_column_for_cards_that_is_empty_or_masked_lets_the_row_go_on() -> None:
    fields = {"email": "a@example.com", "card_number": "**** 4242", "cvc": "123", "password": "hunter2"}
    row = csv_result(fields)
    assert sent(row) == {"email": "a@example.com"}
    assert isinstance(row, Row)
    assert row.fields == {"email": "a@example.com", "card_number": "", "cvc": "", "password": ""}


def test_a_card_column_that_is_to_be_ignored_is_not_even_looked_at() -> None:
    fields = {"email": "a@example.com", "card_number": CARD}
    row = csv_result(fields, MappingOptions(maps=(("card_number", "ignore"),)))
    assert sent(row) == {"email": "a@example.com"}
    assert "4242" not in str(row)


def test_secrets_inside_nested_json_are_neither_sent_nor_kept() -> None:
    fields = {
        "email": "a@example.com",
        "identities": [{"provider": "x", "access_token": "s3cret"}],
        "auth": {"passwordHash": "s3cret", "mode": "sso"},
        "users": [{"login": [{"password": "s3cret"}]}],
    }
    row = json_result(fields)
    assert sent(row)["metadata"] == {
        "identities": '[{"provider": "x"}]',
        "auth.mode": "sso",
        "users": '[{"login": [{}]}]',
    }
    assert "s3cret" not in str(row)


@pytest.mark.parametrize(
    ("column", "text"),
    [("name", "a\x00b"), ("name", "a\nb"), ("metadata.x", "a\x1b[2Jb"), ("address.city", "a\tb"), ("name", "\ud800x")],
)
def test_control_characters_are_refused_and_shown_harmlessly(column: str, text: str) -> None:
    (found,) = problems(csv_result({"email": "a@example.com", column: text}))
    assert found.rule == "control-character"
    assert (found.value or "").isprintable()


def test_lines_may_break_where_text_has_lines() -> None:
    fields = {
        "email": "a@example.com",
        "address.line1": "Way 1\nBack",
        "description": "a\tb\r\nc",
        "metadata.x": "a\nb",
    }
    params = sent(csv_result(fields))
    assert params["address"]["line1"] == "Way 1\nBack"
    assert params["metadata"]["x"] == "a\nb"


def test_a_shown_value_is_short_and_safe_for_a_terminal() -> None:
    (found,) = problems(csv_result({"email": "a@example.com", "phone": "\u202e1" + "2" * 300}))
    assert found.value is not None
    assert len(found.value) < 80
    assert found.value.isprintable()
    assert found.value.startswith("\\u202e1")


def test_odd_values_are_sent_with_a_warning() -> None:
    row = csv_result({"email": "a@example.com", "country": "Germany"})
    assert isinstance(row, Row)
    assert [(each.rule, each.column, each.value) for each in row.warnings] == [("country-name", "country", "Germany")]


def test_a_payment_method_becomes_the_default_one_unless_turned_off_or_given() -> None:
    fields = {"email": "a@example.com", "payment_method": "pm_1"}
    assert sent(csv_result(fields))["invoice_settings"] == {"default_payment_method": "pm_1"}
    assert "invoice_settings" not in sent(csv_result(fields, default_payment_method=False))
    given_too = {**fields, "invoice_settings.footer": "Hi", "invoice_settings.default_payment_method": "pm_2"}
    (other,) = problems(csv_result(given_too))
    assert (other.rule, other.column, other.value) == (
        "payment-method",
        "invoice_settings.default_payment_method",
        "pm_2",
    )


def test_a_dry_run_replaces_every_payment_method_and_adds_none() -> None:
    fields = {"email": "a@example.com", "payment_method": "pm_1", "invoice_settings.default_payment_method": "pm_1"}
    params = sent(csv_result(fields, payment_method_override="pm_card_visa"))
    assert params["payment_method"] == "pm_card_visa"
    assert params["invoice_settings"] == {"default_payment_method": "pm_card_visa"}
    without = csv_result({"email": "a@example.com", "payment_method": ""}, payment_method_override="pm_card_visa")
    assert sent(without) == {"email": "a@example.com"}


def test_a_key_that_is_missing_is_said_and_one_that_is_too_long_refused() -> None:
    options = MappingOptions(key="id")
    row = csv_result({"email": "a@example.com", "id": " "}, options)
    assert isinstance(row, Row)
    assert row.source_id is None
    assert [each.rule for each in row.warnings] == ["key-missing"]
    assert rules(csv_result({"email": "a@example.com", "id": "x" * 501}, options)) == ["too-long"]
    assert rules(csv_result({"email": "a@example.com", "id": "x\x00y"}, options)) == ["control-character"]


def test_the_email_may_be_the_key() -> None:
    row = csv_result({"email": "a@example.com"}, MappingOptions(key="email"))
    assert sent(row) == {"email": "a@example.com", "metadata": {"source_id": "a@example.com"}}
    assert isinstance(row, Row)
    assert row.source_id == "a@example.com"


def test_the_apostrophe_of_a_shop_is_taken_from_ids_and_phones() -> None:
    fields = {"Email": "a@example.com", "Customer ID": "'6543210987654", "Phone": "'+15551234567"}
    params = sent(csv_result(fields, MappingOptions(key="Customer ID")))
    assert (params["metadata"], params["phone"]) == ({"source_id": "6543210987654"}, "+15551234567")


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("'Ann", ["apostrophe-kept"]),
        ("'Łukasz Nowak", ["apostrophe-kept"]),
        ("'t Hooft", []),
        ("'Ann' Lee", []),
        ("'42", []),
        ("O'Neil", []),
    ],
)
def test_an_apostrophe_that_may_be_a_programs_is_worth_a_look_and_stays(cell: str, said: list[str]) -> None:
    row = csv_result({"email": "a@example.com", "name": cell, "plan": "'Pro", "description": "'Twas"})
    assert isinstance(row, Row)
    assert (row.params["name"], row.params["metadata"]) == (cell, {"plan": "'Pro"})
    assert [warning.rule for warning in row.warnings] == said


def test_fifty_metadata_keys_include_the_marker_and_the_key() -> None:
    fields = {"email": "a@example.com", "id": "1", **{f"metadata.k{n}": "v" for n in range(48)}}
    options = MappingOptions(key="id")
    assert len(sent(csv_result(fields, options))["metadata"]) == 49
    assert rules(csv_result({**fields, "metadata.more": "v"}, options)) == ["metadata-keys"]
    assert len(sent(csv_result({**fields, "metadata.more": "v"}, options, marker=False))["metadata"]) == 50
    assert len(sent(csv_result({**fields, "metadata.more": " "}, options))["metadata"]) == 49


@pytest.mark.parametrize(
    ("fields", "sets", "expected"),
    [
        (
            {"tax_id": "12345678000195"},
            ("tax_id_data.0.type", "br_cnpj"),
            {"tax_id_data": [{"type": "br_cnpj", "value": "12345678000195"}]},
        ),
        ({"tax_id": ""}, ("tax_id_data.0.type", "br_cnpj"), {}),
        (
            {"tax_id": "123456789"},
            ("address.country", "DE"),
            {"tax_id_data": [{"type": "eu_vat", "value": "123456789"}]},
        ),
        ({"shipping.name": ""}, ("shipping.address.country", "DE"), {}),
        ({"invoice_settings.custom_fields.0.value": ""}, ("invoice_settings.custom_fields.0.name", "PO"), {}),
        ({}, ("metadata.wave", "3"), {"metadata": {"wave": "3"}}),
    ],
)
def test_a_fixed_half_joins_only_rows_that_have_the_other(
    fields: dict[str, str], sets: tuple[str, str], expected: dict[str, Any]
) -> None:
    params = sent(csv_result({"email": "a@example.com", **fields}, MappingOptions(sets=(sets,))))
    assert {key: value for key, value in params.items() if key not in ("email", "address")} == expected


def test_fixed_values_that_are_whole_by_themselves_reach_every_row() -> None:
    sets = (("shipping.name", "Depot"), ("shipping.address.country", "DE"))
    params = sent(csv_result({"email": "a@example.com"}, MappingOptions(sets=sets)))
    assert params["shipping"] == {"name": "Depot", "address": {"country": "DE"}}
    more = (("tax_id_data.0.type", "eu_vat"), ("tax_id_data.0.value", "DE123456789"), ("preferred_locales", "de"))
    params = sent(csv_result({"email": "a@example.com"}, MappingOptions(sets=more)))
    assert params["tax_id_data"] == [{"type": "eu_vat", "value": "DE123456789"}]
    assert params["preferred_locales"] == ["de"]


def test_rows_do_not_share_what_is_fixed() -> None:
    how = Preparation(settle_mapping(["email"], MappingOptions(sets=(("preferred_locales", "de"),))))
    first, second = (prepare(Record(n, n, {"email": f"a{n}@example.com"}), how) for n in (1, 2))
    sent(first)["preferred_locales"].append("fr")
    assert sent(second)["preferred_locales"] == ["de"]


def test_a_tax_number_of_an_unknown_kind_is_asked_about() -> None:
    (found,) = problems(csv_result({"email": "a@example.com", "tax_id": "12-3456789", "country": "US"}))
    assert found.rule == "tax-id-type"
    assert "--set tax_id_data.0.type" in found.message
    assert (found.column, found.value) == ("tax_id", "12-3456789")
    with_type = {"email": "a@example.com", "tax_id": "12-3456789", "tax_id_type": "us_ein"}
    assert sent(csv_result(with_type))["tax_id_data"] == [{"type": "us_ein", "value": "12-3456789"}]


def test_names_are_joined_and_measured_as_a_whole() -> None:
    fields = {"email": "a@example.com", "last_name": "Lee", "first_name": "Ann", "middle_name": " B. "}
    assert sent(csv_result(fields))["name"] == "Ann B. Lee"
    long = {"email": "a@example.com", "first_name": "a" * 200, "last_name": "b" * 200}
    assert rules(csv_result(long)) == ["too-long"]


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"name": True}, "type"),
        ({"name": 1.5}, "type"),
        ({"name": ["a"]}, "type"),
        ({"balance": True}, "type"),
        ({"balance": 5.5}, "integer"),
        ({"preferred_locales": [1.5]}, "type"),
        ({"metadata": {"x": float("nan")}}, "type"),
        ({"address": {"city": {"x": 1}}, "address.city": "Y"}, None),
        ({"address": {"city": "X"}, "address.city": "Y"}, "twice"),
        ({"email": ["a@example.com"]}, "type"),
        ({"name": {"a": "b"}}, "type"),
        ({"balance": {"a": 1}}, "type"),
        ({"name": {"first": "Ann", "last": "Lee"}}, "type"),
        ({"name": {}}, None),
    ],
)
def test_json_values_of_the_wrong_kind_are_told(fields: dict[str, Any], rule: str | None) -> None:
    result = json_result({"email": "a@example.com", **fields})
    assert [problem.rule for problem in getattr(result, "problems", ())] == ([rule] if rule else [])


def test_an_item_of_a_json_list_is_never_split_at_blanks() -> None:
    row = json_result({"email": "a@example.com", "preferred_locales": ["not a locale!", "de"]})
    assert sent(row)["preferred_locales"] == ["not a locale!", "de"]
    assert sent(json_result({"email": "a@example.com", "preferred_locales": ["a b"]}))["preferred_locales"] == ["a b"]
    assert sent(json_result({"email": "a@example.com", "preferred_locales": "de fr"}))["preferred_locales"] == [
        "de",
        "fr",
    ]


def test_what_is_no_id_of_a_test_clock_or_of_a_default_method_is_worth_a_look() -> None:
    for column in ("test_clock", "invoice_settings.default_payment_method"):
        row = csv_result({"email": "a@example.com", column: "foo"})
        assert isinstance(row, Row)
        assert [(each.column, each.value) for each in row.warnings] == [(column, "foo")]


@pytest.mark.parametrize(("value", "whole"), [(12.0, 12), (1e3, 1000), (-0.0, 0), (7, 7), ("7", 7)])
def test_a_whole_number_of_json_may_be_written_with_a_fraction_of_nothing(value: object, whole: int) -> None:
    assert sent(json_result({"email": "a@example.com", "balance": value}))["balance"] == whole


def test_a_row_of_nothing_is_no_customer_even_without_an_email() -> None:
    how = Preparation(settle_mapping(("email", "name", "Total Spend"), allow_no_email=True), allow_no_email=True)
    for fields, rules in (
        ({"email": "", "name": " ", "Total Spend": ""}, ["empty"]),
        ({"email": "", "name": "", "Total Spend": "9"}, ["empty"]),
        ({"email": "", "name": "Ann", "Total Spend": ""}, []),
    ):
        result = prepare(Record(1, 2, fields), how)
        assert [problem.rule for problem in getattr(result, "problems", ())] == rules


def test_an_unmapped_column_of_json_is_refused_when_asked_for() -> None:
    options = MappingOptions(unmapped="refuse")
    (found,) = problems(json_result({"email": "a@example.com", "plan": "pro"}, options))
    assert (found.rule, found.column) == ("unmapped", "plan")
    assert sent(json_result({"email": "a@example.com", "plan": None}, options))


def test_our_own_failed_export_is_read_back_exactly() -> None:
    fields = {"email": "a@example.com", "balance": defuse("-500"), "phone": defuse("'+49"), "note": defuse("=1+1")}
    added = dict.fromkeys(OWN_COLUMNS, "4242 4242 4242 4242")
    row = csv_result({**fields, **added})
    assert sent(row) == {"email": "a@example.com", "balance": -500, "phone": "+49", "description": "=1+1"}
    assert isinstance(row, Row)
    assert (row.fields["balance"], row.fields["phone"]) == ("-500", "'+49")


def test_what_our_own_failed_export_wrote_of_objects_is_sent_as_the_objects_were() -> None:
    record = {
        "email": "a@example.com",
        "address": {"line1": "5 Rose", "postal_code": "01067", "country": "DE"},
        "metadata": {"plan": "pro", "n": 5, "rate": "0.10"},
        "shipping": {"name": "S", "address": {"line1": "x"}},
        "tax_id_data": [{"type": "eu_vat", "value": "DE123456789"}],
        "preferred_locales": ["fr", "en"],
        "tags": ["a"],
    }
    cells = {column: cell if isinstance(cell, str) else json.dumps(cell) for column, cell in record.items()}
    row = csv_result({**cells, **dict.fromkeys(OWN_COLUMNS, "1")})
    assert sent(row) == sent(json_result(record))
    assert isinstance(row, Row)
    assert row.fields["address"] == cells["address"], "what was read stays as it was read"
    text = {"email": "a@example.com", "address": '{"Rose" Lane', "prefs": '{"a": 1}'}
    assert sent(csv_result({**text, **dict.fromkeys(OWN_COLUMNS, "1")})) == sent(csv_result(text))


@UNHURRIED
@given(st.text(alphabet="'=+-@\t\ra1", max_size=8))
def test_a_defused_cell_runs_nothing_and_comes_back(cell: str) -> None:
    assert restore(defuse(cell)) == cell
    assert defuse(cell)[:1] not in {"=", "+", "-", "@", "\t", "\r"}


TEXTS = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "",
            " ",
            "a@example.com",
            "Germany",
            "de",
            "yes",
            "5",
            "-5",
            "5.0",
            "'0123",
            CARD,
            "x" * 600,
            "pm_1",
            "DE123456789",
        ]
    ),
)
COLUMNS = st.lists(
    st.one_of(
        st.sampled_from([path.replace("[]", f".{place}") for path in PARAMETERS for place in (0, 1, 7)]),
        st.sampled_from(
            ["Zip", "First Name", "Last Name", "name", "VAT", "metadata.a", "metadata.bulk_import", "card_number", "id"]
        ),
        st.sampled_from(
            ["shipping_first_name", "Shipping City", "plan (metadata)", "password", "Total Spend", "preferred_locales"]
        ),
        st.text(min_size=1, max_size=50),
    ),
    min_size=1,
    max_size=12,
    unique=True,
)
SETS = st.sampled_from(
    [
        (),
        (("tax_id_data.0.type", "eu_vat"),),
        (("shipping.address.country", "DE"), ("metadata.w", "1")),
        (("preferred_locales.0", "de"),),
    ]
)


@UNHURRIED
@given(columns=COLUMNS, sets=SETS, data=st.data())
def test_any_csv_row_is_either_fit_to_be_sent_or_told_why_not(
    columns: list[str], sets: Any, data: st.DataObject
) -> None:
    how = Preparation(settle_mapping(columns, MappingOptions(sets=sets), allow_no_email=True), allow_no_email=True)
    for _ in range(3):
        fields = {column: data.draw(TEXTS) for column in columns}
        _must_hold(prepare(Record(1, 2, fields), how))


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["city", "type", "value", "0", "name", "address", "custom_fields", "a.b", "[x]", "token"]),
            inner,
            max_size=3,
        ),
    ),
    max_leaves=12,
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "email",
            "address",
            "shipping",
            "metadata",
            "tax_id_data",
            "invoice_settings",
            "preferred_locales",
            "balance",
            "zip",
            "id",
        ]
    ),
    st.sampled_from(["tax_id_data.0.type", "preferred_locales.0", "name", "vat", "metadata.x", "tax_exempt", "expand"]),
    st.text(max_size=8),
)


@pytest.mark.parametrize("fields", [{"": {"address": {"city": 0}}}, {".address.city": "Bonn"}, {"": {"name": "Ann"}}])
def test_a_name_with_nothing_before_its_dot_names_no_parameter(fields: dict[str, Any]) -> None:
    how = Preparation(settle_mapping(None, MappingOptions()), allow_no_email=True)
    _must_hold(prepare(Record(1, 2, fields), how))
    assert parse_path(".address.city") is None


@UNHURRIED
@given(st.lists(st.dictionaries(NAMES, JSON, max_size=6), max_size=4), SETS)
def test_any_json_record_is_either_fit_to_be_sent_or_told_why_not(records: list[dict[str, Any]], sets: Any) -> None:
    how = Preparation(settle_mapping(None, MappingOptions(key="id", sets=sets)), allow_no_email=True)
    for fields in records:
        _must_hold(prepare(Record(1, 2, fields), how))
    assert json.dumps([line.field for line in how.mapping.lines()])


def _must_hold(result: Row | Invalid) -> None:
    if isinstance(result, Row):
        assert breaches(_without_line_breaks(result.params)) == []
        assert json.dumps(result.params)
        assert CARD not in str(_without_phones(result.params))
    else:
        assert result.problems
        assert all((problem.value or "").isprintable() for problem in result.problems)
        assert CARD not in str(result.problems)


def _without_phones(value: Any) -> Any:
    """What is left where no card number may be: neither a phone nor the row's own id."""
    if isinstance(value, dict):
        return {key: _without_phones(inner) for key, inner in value.items() if key not in ("phone", "source_id")}
    return value


def _without_line_breaks(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_line_breaks(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_line_breaks(inner) for inner in value]
    return "".join(char if char.isprintable() else "?" for char in value) if isinstance(value, str) else value


def test_lists_nested_beyond_reason_are_told_and_not_stumbled_over() -> None:
    deep: Any = "x"
    for _ in range(100_000):
        deep = [deep]
    assert rules(json_result({"email": "a@example.com", "x": deep})) == ["type"]


@pytest.mark.parametrize(
    ("digits", "text"), [("0.10", "0.10"), ("1.50", "1.50"), ("1e3", "1e3"), ("10.5", "10.5"), ("-0.0", "-0.0")]
)
def test_a_json_number_is_sent_with_the_digits_it_was_written_with(digits: str, text: str) -> None:
    fields, problem = read_object(f'{{"email": "a@example.com", "price": {digits}, "prices": [{digits}, 2]}}')
    assert problem is None
    row = prepare(Record(1, 1, fields), Preparation(settle_mapping(None)))
    assert sent(row)["metadata"]["price"] == text
    kept, _ = read_object(json.dumps(dict(row.fields)))
    again = prepare(Record(1, 1, kept), Preparation(settle_mapping(None)))
    assert again == replace(row, fields=again.fields), "what the ledger keeps is sent alike"


@pytest.mark.parametrize(("digits", "sends"), [("12.0", 12), ("12", 12), ("12.00", None), ("1e3", None), ("0.5", None)])
def test_an_amount_with_decimals_is_no_whole_number_of_cents(digits: str, sends: int | None) -> None:
    fields, _ = read_object(f'{{"email": "a@example.com", "balance": {digits}}}')
    row = prepare(Record(1, 1, fields), Preparation(settle_mapping(None)))
    if sends is not None:
        assert sent(row)["balance"] == sends
        return
    (found,) = problems(row)
    assert (found.rule, found.column, found.value) == ("integer", "balance", digits)


def test_a_tax_number_is_held_against_its_type() -> None:
    base = {"email": "a@example.com", "country": "DE"}
    for number in ("DE12", "DE1234567890", "DE12345678901234"):
        (found,) = problems(csv_result({**base, "vat": number}))
        assert (found.rule, found.column, found.value) == ("tax-number", "vat", number)
        assert "DE123456789" in found.message
    for number, warned in (
        ("DE123456789", False),
        ("de 123 456 789", False),
        ("123456789", True),
        ("DE12345678X", True),
    ):
        row = csv_result({**base, "vat": number})
        assert sent(row)["tax_id_data"] == [{"type": "eu_vat", "value": number}]
        assert isinstance(row, Row)
        assert [warning.rule for warning in row.warnings] == ["tax-number"] * warned


@pytest.mark.parametrize(
    ("field", "written", "rule", "value"),
    [
        ("phone", "4.930123e+10", "shortened-number", "4.930123e+10"),
        ("phone", "1.5e+10", "shortened-number", "1.5e+10"),
        ("phone", "4.93E10", "shortened-number", "4.93E10"),
        ("phone", "15555550100.0", "shortened-number", "15555550100"),
        ("phone", "########", "null-word", "########"),
        ("phone", "-", "null-word", "-"),
        ("phone", "n/a", "null-word", "n/a"),
        ("phone", "000000", "null-word", "000000"),
        ("address.postal_code", "00000-0000", "null-word", "00000-0000"),
        ("address.postal_code", "00000", "null-word", "00000"),
        ("name", "N/A", "null-word", "N/A"),
        ("phone", "=+4930123", "formula-sign", "+4930123"),
        ("zip", "2108.0", "shortened-number", "2108"),
        ("zip", "10115.00", "shortened-number", "10115"),
        ("zip", "1,067", "shortened-number", "1067"),
        ("zip", "0E1", "shortened-number", "0E1"),
        ("name", "#####", "null-word", "#####"),
        ("plan", "4.930123e+10", "shortened-number", "4.930123e+10"),
        ("name", '=HYPERLINK("https://x.example","Ann")', "formula", '=HYPERLINK("https://x.example","Ann")'),
        ("plan", '=A2&" "&B2', "formula", '=A2&" "&B2'),
        ("city", "=1+1", "formula", "=1+1"),
    ],
)
def test_what_a_program_made_of_a_number_is_never_sent_in_silence(
    field: str, written: str, rule: str, value: str
) -> None:
    row = csv_result({"email": "a@example.com", field: written})
    assert isinstance(row, Row)
    assert [(said.rule, said.column) for said in row.warnings] == [(rule, field)]
    assert value in (row.params.get(field), *row.params.get("address", row.params.get("metadata", {})).values())


@pytest.mark.parametrize(
    ("written", "country", "said"),
    [
        ("1067", "DE", True), ("1067", "Germany", True), ("501", "US", True), ("01067", "DE", False), ("3012", "CH", False),
        ("1067", "", False), ("2108-1234", "US", False), ("75", "FR", False),
    ],
)  # fmt: skip
def test_a_zip_code_that_is_too_short_for_its_country_is_said(written: str, country: str, said: bool) -> None:
    row = csv_result({"email": "a@example.com", "zip": written, "address.country": country})
    assert isinstance(row, Row)
    assert row.params["address"]["postal_code"] == written
    assert [(w.rule, w.column) for w in row.warnings if w.column == "zip"] == [("shortened-number", "zip")] * said


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("phone", "555-0100"), ("phone", "+49 30.05.01"), ("zip", "E1 6AN"), ("zip", "1010 AA"), ("zip", "01067"),
        ("name", "=Ann="), ("plan", "=x"), ("plan", "a=SUM(1)"), ("phone", "555,0100"), ("plan", "1e10"), ("plan", "1,067"), ("plan", "2.0"),
    ],
)  # fmt: skip
def test_usual_phones_zips_and_texts_are_left_in_peace(field: str, written: str) -> None:
    row = csv_result({"email": "a@example.com", field: written})
    assert isinstance(row, Row)
    assert row.warnings == ()


@pytest.mark.parametrize("unmapped", ["metadata", "ignore"])
def test_a_row_without_the_whole_name_is_named_by_its_parts(unmapped: Literal["metadata", "ignore"]) -> None:
    options = MappingOptions(unmapped=unmapped)
    row = {"email": "a@example.com", "name": "", "given_name": "John", "family_name": "Doe", "plan": ""}
    assert sent(csv_result(row, options))["name"] == "John Doe"
    assert sent(csv_result({**row, "name": "J. Doe"}, options))["name"] == "J. Doe"
    assert sent(csv_result({**row, "given_name": ""}, options))["name"] == "Doe"
    assert sent(json_result({**row, "name": None}, options))["name"] == "John Doe"
    fixed = MappingOptions(unmapped=unmapped, sets=(("name", "All"),), maps=(("name", "ignore"),))
    assert sent(csv_result(row, fixed))["name"] == "All"


@pytest.mark.parametrize(("street", "number"), [("Straße", "Nr."), ("Strasse", "Nr"), ("straat", "nr")])
def test_a_number_right_behind_a_street_is_the_houses(street: str, number: str) -> None:
    row = {"email": "a@example.com", street: "Weg", number: "5", "PLZ": "01067"}
    assert sent(csv_result(row))["address"]["line1"] == "Weg 5"
    counted = {number: "17", **{name: row[name] for name in ("email", street, "PLZ")}}
    assert sent(csv_result(counted))["address"]["line1"] == "Weg", "elsewhere it may count the rows"
