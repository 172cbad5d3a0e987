"""What a customer may contain: each rule, value by value."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.customer.cards import holds_card, mask_cards
from bulk_import.customer.cleaning import clean_metadata, cleaner_of
from bulk_import.customer.completeness import whole_faults
from bulk_import.customer.countries import COUNTRY_CODES, EU_COUNTRIES, country_named
from bulk_import.customer.emails import email_fault, email_key
from bulk_import.customer.parameters import PARAMETERS
from bulk_import.customer.tax_ids import TAX_ID_TYPES, vat_type
from bulk_import.customer.tax_numbers import _EU, _FORMS, judge_number
from bulk_import.customer.verdicts import Fault, Noted


def clean(path: str, text: str) -> Any:
    return cleaner_of(PARAMETERS[path])(text)


@pytest.mark.parametrize(
    ("path", "text", "value"),
    [
        ("balance", "-500", -500),
        ("balance", "+5", 5),
        ("balance", "007", 7),
        ("next_invoice_sequence", "1", 1),
        ("tax_exempt", "Reverse", "reverse"),
        ("tax_exempt", "yes", "exempt"),
        ("tax_exempt", "No", "none"),
        ("tax_exempt", "true", "exempt"),
        ("tax.validate_location", "IMMEDIATELY", "immediately"),
        ("cash_balance.settings.reconciliation_mode", "manual", "manual"),
        ("address.country", "de", "DE"),
        ("address.country", "XK", "XK"),
        ("phone", "0049", "0049"),
        ("address.postal_code", "00501", "00501"),
        ("preferred_locales", "de, en_US;fr|it", ["de", "en-US", "fr", "it"]),
        ("preferred_locales", '["de","en"]', ["de", "en"]),
        ("preferred_locales", "{de,en_US}", ["de", "en-US"]),
        ("preferred_locales[]", "pt_BR", "pt-BR"),
        ("invoice_prefix", "AB12", "AB12"),
        ("tax_id_data[].type", "EU_VAT", "eu_vat"),
        ("source", "tok_visa", "tok_visa"),
        ("email", "Ann@Example.com", "Ann@Example.com"),
        ("name", "x" * 256, "x" * 256),
    ],
)
def test_a_good_value_is_sent_clean(path: str, text: str, value: Any) -> None:
    assert clean(path, text) == value


@pytest.mark.parametrize(
    ("path", "text", "rule", "word"),
    [
        ("balance", "5.0", "integer", "smallest unit"),
        ("balance", "1,000", "integer", "smallest unit"),
        ("balance", "1e3", "integer", "smallest unit"),
        ("balance", "٣", "integer", "digits"),
        ("balance", "9" * 16, "integer", "whole number"),
        ("next_invoice_sequence", "0", "integer", "at least 1"),
        ("tax_exempt", "exemt", "choice", "did you mean exempt"),
        ("tax.validate_location", "auto", "choice", "deferred, immediately"),
        ("address.country", "QQ", "country", "ISO 3166"),
        ("address.country", "Virgin Islands", "country", "code or name"),
        ("email", "zed@example．com", "email", "U+FF0E"),
        ("address.country", "NULL", "country", "empty such cells"),
        ("address.country", "Germani", "country", "did you mean Germany"),
        ("phone", "1" * 21, "too-long", "at most 20"),
        ("phone", "'", "empty", "apostrophe"),
        ("name", "x" * 257, "too-long", "257 characters and at most 256"),
        ("business_name", "x" * 151, "too-long", "150"),
        ("individual_name", "x" * 151, "too-long", "150"),
        ("description", "x" * 5001, "too-long", "5000"),
        ("invoice_settings.custom_fields[].name", "x" * 41, "too-long", "40"),
        ("invoice_settings.custom_fields[].value", "x" * 141, "too-long", "140"),
        ("invoice_prefix", "ab", "invoice-prefix", "capital"),
        ("invoice_prefix", "A" * 13, "invoice-prefix", "12"),
        ("preferred_locales", ", ;", "empty", "list"),
        ("source", "newsletter", "source", "metadata.source"),
        ("email", "ann", "email", "e-mail"),
    ],
)
def test_a_bad_value_is_told_by_its_rule(path: str, text: str, rule: str, word: str) -> None:
    fault = clean(path, text)
    assert isinstance(fault, Fault)
    assert fault.rule == rule
    assert word in fault.message


@pytest.mark.parametrize(
    ("path", "text", "value", "rule"),
    [
        ("address.country", "Germany", "DE", "country-name"),
        ("address.country", "Frankreich", "FR", "country-name"),
        ("address.country", "EL", "GR", "country-name"),
        ("address.country", "Ελλάδα", "GR", "country-name"),
        ("address.country", "日本", "JP", "country-name"),
        ("address.country", "РОССИЯ", "RU", "country-name"),
        ("address.country", "대한민국", "KR", "country-name"),
        ("address.country", "🇩🇪", "DE", "country-name"),
        ("address.postal_code", "1,23457E+15", "1,23457E+15", "shortened-number"),
        ("phone", "null", "null", "null-word"),
        ("phone", "'+49 30 1234", "+49 30 1234", "apostrophe"),
        ("address.postal_code", "'01067", "01067", "apostrophe"),
        ("address.country", "united states", "US", "country-name"),
        ("address.country", "United States (US)", "US", "country-name"),
        ("address.country", "USA - United States", "US", "country-name"),
        ("address.country", "Korea (South)", "KR", "country-name"),
        ("address.country", "Tanzania, United Republic of", "TZ", "country-name"),
        ("address.country", "Congo, The Democratic Republic of the", "CD", "country-name"),
        ("address.country", "Congo (Brazzaville)", "CG", "country-name"),
        ("address.country", "Virgin Islands, British", "VG", "country-name"),
        ("address.country", "St. Kitts & Nevis", "KN", "country-name"),
        ("address.country", "Falkland Islands (Malvinas)", "FK", "country-name"),
        ("shipping.address.country", "USA", "US", "country-name"),
        ("address.country", "UK", "GB", "country-name"),
        ("tax_id_data[].type", "eu_vatt", "eu_vatt", "tax-id-type"),
        ("preferred_locales", "de,English!", ["de", "English!"], "locale"),
    ],
)
def test_an_odd_value_is_sent_and_said(path: str, text: str, value: Any, rule: str) -> None:
    noted = clean(path, text)
    assert isinstance(noted, Noted)
    assert (noted.value, noted.rule) == (value, rule)


@pytest.mark.parametrize(("text", "value"), [("'5551234567", "5551234567"), ("'quoted'", "'quoted'"), ("'", "'")])
def test_metadata_loses_only_the_apostrophe_before_a_number(text: str, value: str) -> None:
    cleaned = clean_metadata(text)
    assert (cleaned.value if isinstance(cleaned, Noted) else cleaned) == value
    assert isinstance(cleaned, Noted) == (value != text), "and it is said"


def test_metadata_values_have_500_characters_at_most() -> None:
    assert clean_metadata("x" * 500) == "x" * 500
    assert isinstance(clean_metadata("x" * 501), Fault)


FIELD = {"name": "PO", "value": "1"}


@pytest.mark.parametrize(
    ("params", "where"),
    [
        ({"shipping": {"address": {"city": "X"}}}, ["shipping.name"]),
        ({"shipping": {"phone": "1"}}, ["shipping.name", "shipping.address"]),
        ({"shipping": {"name": "A", "address": {"city": "X"}}}, []),
        ({"tax_id_data": [{"type": "eu_vat"}, {"value": "1"}]}, ["tax_id_data.0.value", "tax_id_data.1.type"]),
        ({"invoice_settings": {"custom_fields": [{"name": "PO"}]}}, ["invoice_settings.custom_fields.0.value"]),
        ({"invoice_settings": {"custom_fields": [FIELD] * 4}}, []),
        ({"invoice_settings": {"custom_fields": [FIELD] * 5}}, ["invoice_settings.custom_fields"]),
        ({"metadata": {f"k{n}": "v" for n in range(49)}}, []),
        ({"metadata": {f"k{n}": "v" for n in range(50)}}, ["metadata"]),
        ({}, []),
    ],
)
def test_what_belongs_together_must_be_there_together(params: dict[str, Any], where: list[str]) -> None:
    assert [fault.param for fault in whole_faults(params)] == where


def test_without_a_marker_all_fifty_metadata_keys_are_free() -> None:
    assert not list(whole_faults({"metadata": {f"k{n}": "v" for n in range(50)}}, reserved_keys=0))


CARDS = [
    "4242424242424242",
    "5555555555554444",
    "2223003122003222",
    "378282246310005",
    "6011111111111117",
    "30569309025904",
    "3056930009020004",
    "36227206271667",
    "3566002020360505",
    "6200000000000005",
    "6759649826438453",
]


@pytest.mark.parametrize("number", CARDS)
def test_a_card_number_is_found_in_any_dress(number: str) -> None:
    grouped = [number[at : at + 4] for at in range(0, len(number), 4)]
    for text in (number, " ".join(grouped), "-".join(grouped), f"card: {number}.", f"12345 {number} 7"):
        assert holds_card(text), text
        assert number not in mask_cards(text)
        assert mask_cards(text).count(number[-4:]) >= 1
        assert not holds_card(mask_cards(text))


@pytest.mark.parametrize(
    "text",
    [
        "4242.4242.4242.4242",
        "4242/4242/4242/4242",
        "4242_4242_4242_4242",
        "4242  4242  4242  4242",
        "4242 - 4242 - 4242 - 4242",
        "1234.4242.4242.4242.4242.12.29",
        "3782.822463.10005",
        "".join(chr(0xFF10 + int(digit)) for digit in "4242424242424242"),
        "x4000056655665556",
        "4000056655665556x",
        "card4242-4242-4242-4242",
        "ch_4242424242424242",
        "VISA4242424242424242exp",
    ],
)
def test_neither_other_signs_nor_letters_hide_a_card_number(text: str) -> None:
    assert holds_card(text)
    assert not holds_card(mask_cards(text))
    assert len(mask_cards(text)) == len(text)
    assert mask_cards(text) != text


@pytest.mark.parametrize(
    "text",
    [
        "4242424242424241",
        "4242424242428",
        "424242424242424242",
        "1234567890123452",
        "cus_9s4242424242424242x",
        "a4242424242424242f9",
        "00000000-0000-4242-4242-424242424242",
        "DK4950400440000077",
        "IBAN DK49 5040 0440 0000 77",
        "42.424.242/4242-42",
        "2024.01.31 12:00:00.123456",
        "6543210987654",
        "550e8400-e29b-41d4-a716-446655440000",
        "2024-01-31 12:00:00",
        "+49 170 1234567 8901",
    ],
)
def test_other_long_numbers_are_no_cards(text: str) -> None:
    assert not holds_card(text)
    assert mask_cards(text) == text


@settings(deadline=None)
@given(st.text(alphabet="0123456789 -x.", max_size=60))
def test_masking_leaves_no_card_number_behind_and_keeps_the_length(text: str) -> None:
    assert not holds_card(mask_cards(text))
    assert len(mask_cards(text)) == len(text)


@pytest.mark.parametrize(
    ("email", "strict", "basic"),
    [
        ("ann@example.com", True, True),
        ("ann.b+tag@mail.example.co.uk", True, True),
        ("o'hara@example.com", True, True),
        ("é@example.com", True, True),
        ("max@münchen.example.com", True, True),
        (".a@example.com", False, True),
        ("a..b@example.com", False, True),
        ("a@127.0.0.1", False, True),
        ("x@test", False, False),
        ("x@host.localhost", False, True),
        ("a@b@example.com", False, False),
        ("a b@example.com", False, False),
        ("ann@example", False, False),
        ("ann\u200b@example.com", False, True),
        ("a@exa--mple.com", True, True),
        ("a@ab--cd.com", False, True),
        ("ann@-example.com", False, True),
        ("", False, False),
    ],
)
def test_how_strictly_an_address_is_judged_can_be_chosen(email: str, strict: bool, basic: bool) -> None:
    assert (email_fault(email, "strict") is None) == strict
    assert (email_fault(email, "basic") is None) == basic
    assert email_fault(email, "off") is None


@pytest.mark.parametrize("check", ["strict", "basic", "off"])
def test_an_address_has_512_characters_at_most(check: Any) -> None:
    assert "513" in (email_fault("a" * 501 + "@example.com", check) or "")


@pytest.mark.parametrize(
    "cell",
    [
        "a@example.com;b@example.com",
        "a@example.com, b@example.com",
        "a@example.com b@example.com",
        "a@example.com / b@example.com",
        "a@example.com/b@example.com",
        "a@example.com ::: b@example.com",
        "a@example.com & b@example.com",
        "a@example.com and b@example.com",
        "Ann <a@example.com>, Bob <b@example.com>",
    ],
)
def test_a_cell_of_several_addresses_is_told_as_that(cell: str) -> None:
    assert email_fault(cell) == "it holds 2 addresses, and a customer has one"
    assert "2 addresses" not in str(email_fault("a@@example.com b@example.com"))
    assert email_fault("a/b&c@example.com") is None


def test_an_address_in_a_domain_of_one_letter_is_for_stripe_to_judge() -> None:
    assert email_fault("a@example.c") is None


@settings(deadline=None)
@given(
    st.from_regex(r"[A-Za-z0-9_+.-]{1,20}@[A-Za-z0-9.-]{1,30}\.(com|test|local|de|xn--p1ai|invalid)", fullmatch=True)
)
def test_the_quick_pattern_never_clears_what_the_library_refuses(email: str) -> None:
    import email_validator

    if email_fault(email) is None:
        email_validator.validate_email(email, check_deliverability=False)
    else:
        with pytest.raises(email_validator.EmailNotValidError):
            email_validator.validate_email(email, check_deliverability=False)


@pytest.mark.parametrize(
    ("email", "key"),
    [
        (" Ann@Example.COM ", "ann@example.com"),
        ("weiß@example.com", "weiß@example.com"),
        ("WEISS@example.com", "weiss@example.com"),
        ("a@MÜNCHEN.example", "a@xn--mnchen-3ya.example"),
        ("a@xn--mnchen-3ya.example", "a@xn--mnchen-3ya.example"),
        ("e\u0301@example.com", "\u00e9@example.com"),
        ("a.b+c@example.com", "a.b+c@example.com"),
        ("É@MÜNCHEN.example", "é@xn--mnchen-3ya.example"),
        ("a@\u2603\u0000.example", "a@\u2603\u0000.example"),
    ],
)
def test_the_email_key_follows_the_design(email: str, key: str) -> None:
    assert email_key(email) == key


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.emails(), st.text(alphabet="aÀßİΣςﬀ@.-ẞ\u212a\u0301 ", max_size=20)))
def test_the_key_of_a_key_is_the_key(email: str) -> None:
    assert email_key(email_key(email)) == email_key(email)


@settings(deadline=None)
@given(st.emails())
def test_case_and_spaces_around_never_matter(email: str) -> None:
    assert email_key(f"  {email.upper()}\t") == email_key(email.lower())


def test_there_are_249_countries_and_27_members_of_the_union() -> None:
    assert len(COUNTRY_CODES) == 249
    assert len(EU_COUNTRIES) == 27
    assert EU_COUNTRIES < COUNTRY_CODES
    assert all(len(code) == 2 and code.isalpha() and code.isupper() for code in COUNTRY_CODES)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Côte d'Ivoire", "CI"),
        ("cote divoire", "CI"),
        ("The Netherlands", "NL"),
        ("deu", "DE"),
        ("Kosovo", "XK"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Atlantis", None),
        ("", None),
    ],
)
def test_a_country_is_known_by_its_names(name: str, code: str | None) -> None:
    assert country_named(name) == code


@pytest.mark.parametrize(
    ("number", "country", "kind"),
    [
        ("DE123456789", "DE", "eu_vat"),
        ("123456789", "DE", "eu_vat"),
        ("DE123456789", None, "eu_vat"),
        ("EL123456789", None, "eu_vat"),
        ("XI123456789", "GB", "eu_vat"),
        ("GB123456789", "GB", "gb_vat"),
        ("12345678901", "AU", "au_abn"),
        ("CHE-123.456.788 MWST", "CH", "ch_vat"),
        ("NO123456789MVA", "NO", "no_vat"),
        ("GB 123 4567 89", None, "gb_vat"),
        ("CHE-123.456.788 MWST", None, "ch_vat"),
        ("GB12", None, None),
        ("12-3456789", "US", None),
        ("123456789", None, None),
        ("123", "CA", None),
        ("DEFAULT1", None, None),
    ],
)
def test_the_type_of_a_vat_number_follows_from_the_country(number: str, country: str | None, kind: str | None) -> None:
    assert vat_type(number, country) == kind


def test_every_type_that_is_told_from_a_country_is_a_known_type() -> None:
    told = {vat_type("1", country) for country in COUNTRY_CODES} - {None}
    assert told <= TAX_ID_TYPES
    assert len(TAX_ID_TYPES) == 135


def test_every_parameter_has_a_cleaner_that_takes_any_text() -> None:
    for parameter in PARAMETERS.values():
        cleaned = cleaner_of(parameter)("x")
        assert isinstance(cleaned, str | list | Fault | Noted), json.dumps(parameter.path)


EXAMPLES = [("eu_vat", form.example) for form in _EU.values()] + [(kind, form.example) for kind, form in _FORMS.items()]


@pytest.mark.parametrize(("kind", "example"), EXAMPLES)
def test_every_form_of_a_tax_number_knows_its_own_example(kind: str, example: str) -> None:
    assert judge_number(kind, example) is None
    assert judge_number(kind, example.lower()) is None
    assert isinstance(judge_number(kind, example + "0" * 20), Fault)


@pytest.mark.parametrize(
    ("kind", "number", "kind_of_answer"),
    [
        ("eu_vat", "12", Fault), ("eu_vat", "unknown", Fault), ("eu_vat", "123456789", Noted), ("eu_vat", "XX123456789", Noted), ("gb_vat", "123456789", Noted),
        ("gb_vat", "GB1", Fault), ("us_ein", "12-345678", Fault), ("ch_vat", "CHE-123.456.789", Noted),
        ("au_abn", "51 824 753 556", type(None)), ("no_vat", "NO 974 760 673 MVA", type(None)),
        ("eu_vat", "ATU1234567", Fault), ("eu_vat", "IE1234567FA", type(None)), ("xx_new", "1", type(None)),
        ("in_gst", "27AAPFU0939F1ZV", type(None)), ("kz_bin", "1", type(None)), ("us_ein", "1", Fault),
    ],
)  # fmt: skip
def test_a_number_is_refused_only_when_its_length_cannot_be_right(
    kind: str, number: str, kind_of_answer: type[object]
) -> None:
    assert isinstance(judge_number(kind, number), kind_of_answer)
