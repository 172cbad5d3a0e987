"""What differs between a row and a customer, what it replaces, and the requests that follow; as tables."""

from __future__ import annotations

from typing import Any

import pytest

from bulk_import.change import difference, known_as, overtaken, own_of
from bulk_import.customer_parts import expansions, is_clearable
from bulk_import.image import Image, after_of, merged
from bulk_import.model import Claim, Refusal
from bulk_import.steps import explained, steps_of

SALT = bytes(16)
BERN = {"city": "Bern", "country": "CH", "line1": None, "line2": None, "postal_code": None, "state": None}
SHOWN: dict[str, Any] = {
    "id": "cus_1",
    "email": "a@example.com",
    "name": "Ann",
    "phone": None,
    "balance": 0,
    "tax_exempt": "none",
    "address": BERN,
    "metadata": {"crm": "7", "plan": "old"},
    "preferred_locales": ["de"],
    "invoice_settings": {"custom_fields": None, "default_payment_method": "pm_Old", "footer": None},
    "shipping": None,
    "tax": {"ip_address": "192.0.2.1", "automatic_tax": "supported"},
    "cash_balance": {"settings": {"reconciliation_mode": "automatic", "using_merchant_default": True}},
    "tax_ids": {"data": [{"id": "txi_1", "type": "eu_vat", "value": "DE 123.456-789"}]},
}
VAT = {"type": "eu_vat", "value": "DE123456789"}
OTHER = {"type": "eu_vat", "value": "FR12345678901"}


@pytest.mark.parametrize(
    ("wanted", "sent", "before"),
    [
        ({"name": "Ann", "email": "a@example.com", "balance": 0}, {}, {}),
        ({"name": "Bea"}, {"name": "Bea"}, {"name": "Ann"}),
        ({"email": "b@example.com"}, {"email": "b@example.com"}, {"email": "a@example.com"}),
        ({"phone": "1"}, {"phone": "1"}, {"phone": None}),
        ({"balance": 5}, {"balance": 5}, {"balance": 0}),
        ({"metadata": {"crm": "7", "plan": "new", "x[": "1"}}, {"metadata": {"plan": "new", "x[": "1"}},
         {"metadata[plan]": "old", "metadata[x[]": None}),
        ({"address": {"city": "Bern"}}, {}, {}),
        ({"address": {"line1": "Way 1"}}, {"address": {"city": "Bern", "country": "CH", "line1": "Way 1"}},
         {"address": {"city": "Bern", "country": "CH"}}),
        ({"shipping": {"name": "A", "address": {"city": "X"}}}, {"shipping": {"name": "A", "address": {"city": "X"}}},
         {"shipping": None}),
        ({"preferred_locales": ["de"]}, {}, {}),
        ({"preferred_locales": ["fr"]}, {"preferred_locales": ["fr"]}, {"preferred_locales": ["de"]}),
        ({"invoice_settings": {"footer": "Hi", "default_payment_method": "pm_Old"}},
         {"invoice_settings": {"footer": "Hi"}}, {"invoice_settings[footer]": None}),
        ({"payment_method": "pm_Old"}, {}, {}),
        ({"payment_method": "pm_New"}, {"payment_method": "pm_New"}, {"payment_method": None}),
        ({"tax_id_data": [VAT]}, {}, {}),
        ({"tax_id_data": [VAT, OTHER]}, {"tax_id_data": [OTHER]}, {"tax_id_data": None}),
        ({"tax": {"ip_address": "192.0.2.1", "validate_location": "deferred"}}, {}, {}),
        ({"tax": {"ip_address": "192.0.2.2", "validate_location": "deferred"}},
         {"tax": {"ip_address": "192.0.2.2", "validate_location": "deferred"}}, {"tax[ip_address]": "192.0.2.1"}),
        ({"cash_balance": {"settings": {"reconciliation_mode": "merchant_default"}}}, {}, {}),
        ({"test_clock": "clock_1", "expand": ["tax"]}, {}, {}),
        ({"source": "tok_visa"}, {"source": "tok_visa"}, {"default_source": None}),
    ],
)  # fmt: skip
def test_only_what_differs_is_sent_and_what_it_replaces_is_kept(
    wanted: dict[str, Any], sent: dict[str, Any], before: dict[str, Any]
) -> None:
    change = difference(wanted, SHOWN)
    assert change.params == sent
    assert change.before == before
    assert change.is_empty is (not sent)


def test_a_method_that_is_attached_already_is_only_made_the_default() -> None:
    wanted = {"payment_method": "pm_New", "invoice_settings": {"default_payment_method": "pm_New"}}
    change = difference(wanted, SHOWN, attached=True)
    assert change.params == {"invoice_settings": {"default_payment_method": "pm_New"}}
    assert change.parts == ("invoice_settings[default_payment_method]",)


def test_a_retrieve_expands_what_would_not_be_shown() -> None:
    assert expansions({"name": "x", "tax_id_data": [], "tax": {}}) == ["tax_ids", "tax"]
    assert expansions(["tax[ip_address]", "cash_balance[settings]"]) == ["tax", "cash_balance"]


@pytest.mark.parametrize(
    ("part", "clearable"),
    [("metadata[plan]", True), ("address", True), ("tax_exempt", True), ("business_name", True), ("name", False),
     ("phone", False), ("invoice_settings[custom_fields]", True), ("invoice_settings[footer]", False),
     ("invoice_settings[default_payment_method]", False), ("tax[ip_address]", True)],
)  # fmt: skip
def test_what_an_empty_text_may_unset_is_as_stripe_says(part: str, clearable: bool) -> None:
    assert is_clearable(part) is clearable


def claim(params: dict[str, Any], target: str | None = "cus_1", attached: str | None = None) -> Claim:
    return Claim(7, 8, None, 0, params, "a@example.com", "a@example.com", 0.0, target=target, attached=attached)


WHOLE = {
    "name": "Bea",
    "payment_method": "pm_card_visa",
    "invoice_settings": {"default_payment_method": "pm_card_visa", "footer": "x"},
    "tax_id_data": [VAT, OTHER],
}


def test_an_update_attaches_then_sends_then_adds_tax_ids_each_under_a_key_of_its_own() -> None:
    one = claim(WHOLE)
    requests = [step.request(one, "t", "pm_Fresh") for step in steps_of(one)]
    assert [(r.path, r.params) for r in requests] == [
        ("/v1/payment_methods/pm_card_visa/attach", {"customer": "cus_1"}),
        ("/v1/customers/cus_1",
         {"name": "Bea", "invoice_settings": {"default_payment_method": "pm_Fresh", "footer": "x"}}),
        ("/v1/customers/cus_1/tax_ids", VAT),
        ("/v1/customers/cus_1/tax_ids", OTHER),
    ]  # fmt: skip
    assert len({r.idempotency_key for r in requests}) == 4


def test_a_create_is_one_request_whatever_it_holds() -> None:
    one = claim(WHOLE, target=None)
    (step,) = steps_of(one)
    assert (step.request(one, "t", None).path, step.request(one, "t", None).params) == ("/v1/customers", WHOLE)


def test_a_method_attached_before_is_known_under_the_id_it_got() -> None:
    known = known_as(WHOLE, "pm_Fresh")
    assert known["invoice_settings"] == {"default_payment_method": "pm_Fresh", "footer": "x"}
    assert "payment_method" not in known


def test_of_two_images_the_older_tells_what_was_there_and_the_newer_what_was_written() -> None:
    older = Image(1, "cus_1", {"name": "Ann", "phone": "1"}, after_of({"name": "Bea", "phone": "2"}, SALT), "pm_A")
    newer = Image(1, "cus_1", {"name": "Bea"}, after_of({"name": "Cem"}, SALT))
    both = merged([older, newer], SALT)
    assert both.before == {"name": "Ann", "phone": "1"}
    assert both.after == after_of({"name": "Cem", "phone": "2"}, SALT)
    assert both.method == "pm_A"


TABLE = [  # shows at the second look -> what an undo brings back
    ("Ann", "Ann"),  # what was there before: nothing was written yet
    ("Bea", "Ann"),  # what the first claim wrote: the first image holds
    ("Eve", "Eve"),  # neither: somebody has changed it, and that is what the next write replaces
    (None, None),  # somebody has emptied it
]


@pytest.mark.parametrize(("shown", "back"), TABLE)
def test_what_somebody_changed_between_two_claims_is_what_an_undo_brings_back(
    shown: str | None, back: str | None
) -> None:
    first = Image(1, "cus_1", {"name": "Ann"}, after_of({"name": "Bea"}, SALT))
    second = Image(1, "cus_1", {"name": shown}, after_of({"name": "Cem"}, SALT))
    assert merged([first, second], SALT).before == {"name": back}


@pytest.mark.parametrize(("shown", "stale"), [("Ann", ()), ("Bea", ()), ("Eve", ("name",)), (None, ("name",))])
def test_a_part_that_shows_neither_before_nor_after_was_changed_by_somebody(
    shown: str | None, stale: tuple[str, ...]
) -> None:
    params = {"name": "Bea", "tax_id_data": [VAT], "payment_method": "pm_1"}
    before = {"name": "Ann", "tax_id_data": None, "payment_method": None}
    assert overtaken(params, before, {"name": shown}) == stale


def test_of_an_object_that_is_sent_whole_only_what_the_file_says_is_ours() -> None:
    there = {"city": "Rome", "line1": "Via 1", "country": "IT"}
    params = {"address": {**there, "city": "Bern"}, "invoice_settings": {"footer": "x"}}
    assert own_of(params, {"address": there}) == {"address": {"city": "Bern"}, "invoice_settings": {"footer": "x"}}


def test_an_email_that_is_there_in_other_letters_stays_as_it_is() -> None:
    assert difference({"email": "A@Example.COM"}, SHOWN).is_empty
    assert difference({"email": "b@example.com"}, SHOWN).before == {"email": "a@example.com"}


def test_what_was_refused_is_named_by_what_was_done() -> None:
    one = claim(WHOLE)
    said = [explained(Refusal(message="No"), one, step).message or "" for step in steps_of(one)]
    assert said[0] == "attaching the payment method to cus_1 was refused: No"
    assert said[1].startswith("updating cus_1 was refused: No; what was sent before it stays")
    assert said[2].startswith("adding the tax id to cus_1 was refused: No; what was sent before it stays")
