"""Customers over bare HTTP: every parameter, every field of the answer, updates, payment methods, lists."""

from __future__ import annotations

import re

import pytest

from bulk_import.simulator import Account
from bulk_import.simulator.forms import decode
from bulk_import.simulator.ids import Ids
from tests.simulator_support import NOON, call, create, ids, simulated

EVERYTHING = {
    "address[line1]": "Main Street 1",
    "address[country]": "DE",
    "balance": "-500",
    "business_name": "Anne GmbH",
    "individual_name": "Anne A",
    "cash_balance[settings][reconciliation_mode]": "manual",
    "description": "first",
    "email": "Anne@example.com",
    "invoice_prefix": "ANNE1",
    "invoice_settings[custom_fields][0][name]": "PO",
    "invoice_settings[custom_fields][0][value]": "77",
    "invoice_settings[default_payment_method]": "pm_card_visa",
    "invoice_settings[footer]": "Thanks",
    "invoice_settings[rendering_options][amount_tax_display]": "exclude_tax",
    "metadata[plan]": "pro",
    "metadata[0]": "numbers are keys, too",
    "metadata[blank]": "",
    "name": "Anne",
    "next_invoice_sequence": "7",
    "payment_method": "pm_card_visa",
    "phone": "+49 30 1234",
    "preferred_locales[0]": "de",
    "preferred_locales[1]": "en-US",
    "shipping[name]": "Anne",
    "shipping[address][city]": "Bonn",
    "tax[ip_address]": "192.0.2.1",
    "tax_exempt": "reverse",
    "tax_id_data[0][type]": "eu_vat",
    "tax_id_data[0][value]": "DE123456789",
    "expand[0]": "tax_ids",
    "expand[1]": "tax",
    "expand[2]": "cash_balance",
    "expand[3]": "subscriptions",
}
FIELDS = {
    "id",
    "object",
    "address",
    "balance",
    "business_name",
    "created",
    "currency",
    "customer_account",
    "default_source",
    "delinquent",
    "description",
    "discount",
    "email",
    "individual_name",
    "invoice_prefix",
    "invoice_settings",
    "livemode",
    "metadata",
    "name",
    "next_invoice_sequence",
    "phone",
    "preferred_locales",
    "shipping",
    "tax_exempt",
    "test_clock",
}
NO_LINES = dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))


@pytest.mark.asyncio
async def test_an_empty_post_makes_an_empty_customer_with_every_field_stripe_shows() -> None:
    async with simulated() as wire:
        customer = (await wire.post("/v1/customers")).body
        assert set(customer) == FIELDS
        assert re.fullmatch(r"cus_[A-Za-z0-9]{14}", customer["id"])
        assert customer["object"] == "customer"
        assert customer["metadata"] == {}
        assert (customer["balance"], customer["next_invoice_sequence"], customer["tax_exempt"]) == (0, 1, "none")
        assert customer["invoice_settings"]["default_payment_method"] is None
        assert isinstance(customer["created"], int)


@pytest.mark.asyncio
async def test_every_parameter_of_a_create_is_kept_and_shown() -> None:
    async with simulated() as wire:
        reply = await wire.post("/v1/customers", EVERYTHING)
        assert reply.status == 200, reply.text
        shown = reply.body
        assert shown["address"] == {**NO_LINES, "line1": "Main Street 1", "country": "DE"}
        assert shown["shipping"] == {"address": {**NO_LINES, "city": "Bonn"}, "name": "Anne", "phone": None}
        assert shown["metadata"] == {"plan": "pro", "0": "numbers are keys, too"}
        assert shown["preferred_locales"] == ["de", "en-US"]
        for name in ("email", "name", "description", "phone", "invoice_prefix", "business_name", "individual_name"):
            assert shown[name] == EVERYTHING[name]
        assert (shown["balance"], shown["next_invoice_sequence"], shown["tax_exempt"]) == (-500, 7, "reverse")
        settings = shown["invoice_settings"]
        assert settings["custom_fields"] == [{"name": "PO", "value": "77"}]
        assert settings["footer"] == "Thanks"
        assert settings["rendering_options"] == {"amount_tax_display": "exclude_tax", "template": None}
        assert shown["tax"]["ip_address"] == "192.0.2.1"
        assert shown["cash_balance"]["settings"]["reconciliation_mode"] == "manual"
        assert shown["subscriptions"]["data"] == []
        [tax_id] = shown["tax_ids"]["data"]
        assert (tax_id["type"], tax_id["value"], tax_id["country"]) == ("eu_vat", "DE123456789", "EU")
        plain = (await wire.get(f"/v1/customers/{shown['id']}")).body
        assert set(plain) == FIELDS


@pytest.mark.asyncio
async def test_a_test_card_becomes_a_method_of_its_own_and_the_default_at_each_use() -> None:
    async with simulated() as wire:
        form = {"payment_method": "pm_card_visa", "invoice_settings[default_payment_method]": "pm_card_visa"}
        made = [(await wire.post("/v1/customers", form)).body for _ in range(2)]
        defaults = [customer["invoice_settings"]["default_payment_method"] for customer in made]
        assert defaults[0] != defaults[1]
        assert all(re.fullmatch(r"pm_[A-Za-z0-9]{24}", default) for default in defaults)
        assert [one["_simulator"]["payment_methods"] for one in await wire.customers()] == [[one] for one in defaults]


@pytest.mark.asyncio
async def test_attaching_at_creation_does_not_make_a_method_the_default_by_itself() -> None:
    async with simulated() as wire:
        for method in ("pm_card_mastercard", "pm_card_amex", "pm_card_chargeCustomerFail"):
            reply = await wire.create(payment_method=method)
            assert reply.body["invoice_settings"]["default_payment_method"] is None
        assert all(one["_simulator"]["payment_methods"] for one in await wire.customers())


@pytest.mark.asyncio
async def test_an_own_payment_method_belongs_to_one_customer_for_good() -> None:
    async with simulated() as wire:
        first = await wire.create(payment_method="pm_1OwnMethod")
        second = await wire.create(payment_method="pm_1OwnMethod")
        assert (first.status, second.status) == (200, 400)
        assert second.error["type"] == "invalid_request_error"
        await wire.send("DELETE", f"/v1/customers/{first.body['id']}")
        assert (await wire.create(payment_method="pm_1OwnMethod")).status == 400


@pytest.mark.asyncio
async def test_attach_then_default_is_the_way_to_give_an_existing_customer_a_card() -> None:
    async with simulated() as wire:
        made = (await wire.create(email="a@example.com")).body["id"]
        path = f"/v1/customers/{made}"
        default = "invoice_settings[default_payment_method]"
        too_early = await wire.post(path, {default: "pm_1OwnMethod"})
        assert (too_early.status, too_early.error["param"]) == (400, default)
        attached = await wire.post("/v1/payment_methods/pm_1OwnMethod/attach", {"customer": made})
        assert (attached.body["id"], attached.body["customer"]) == ("pm_1OwnMethod", made)
        assert (await wire.get(path)).body["invoice_settings"]["default_payment_method"] is None
        settled = await wire.post(path, {default: "pm_1OwnMethod"})
        assert settled.body["invoice_settings"]["default_payment_method"] == "pm_1OwnMethod"


@pytest.mark.asyncio
async def test_an_attachment_is_refused_for_strangers_declines_and_second_owners() -> None:
    async with simulated() as wire:
        first, second = [(await wire.create(email="a@example.com")).body["id"] for _ in range(2)]
        attach = "/v1/payment_methods/{}/attach".format
        assert (await wire.post(attach("pm_missing9"), {"customer": first})).status == 404
        assert (await wire.post(attach("pm_card_chargeDeclined"), {"customer": first})).status == 402
        assert (await wire.post(attach("pm_1OwnMethod"), {"customer": "cus_00000000000000"})).status == 400
        assert (await wire.post(attach("pm_1OwnMethod"))).error["code"] == "parameter_missing"
        statuses = [
            (await wire.post(attach("pm_1OwnMethod"), {"customer": one})).status for one in (first, first, second)
        ]
        assert statuses == [200, 200, 400]


@pytest.mark.asyncio
async def test_a_legacy_token_becomes_the_default_source() -> None:
    async with simulated() as wire:
        customer = (await wire.create(source="tok_visa")).body
        assert customer["default_source"].startswith("card_")
        path = f"/v1/customers/{customer['id']}"
        assert (await wire.post(path, {"default_source": customer["default_source"]})).status == 200
        assert (await wire.post(path, {"default_source": "card_other"})).status == 400


@pytest.mark.asyncio
async def test_an_update_changes_what_it_names_and_empty_strings_unset() -> None:
    async with simulated() as wire:
        made = (await wire.post("/v1/customers", EVERYTHING)).body
        path = f"/v1/customers/{made['id']}"
        form = {"name": "Anne B", "metadata[plan]": "", "metadata[seats]": "3", "shipping": "", "business_name": ""}
        shown = (await wire.post(path, form | {"invoice_settings[footer]": "Bye"})).body
        assert shown["name"] == "Anne B"
        assert shown["metadata"] == {"0": "numbers are keys, too", "seats": "3"}
        assert (shown["shipping"], shown["business_name"]) == (None, None)
        assert shown["invoice_settings"] == {**made["invoice_settings"], "footer": "Bye"}
        assert shown["email"] == "Anne@example.com"
        assert shown["created"] == made["created"]
        assert (await wire.post(path, "metadata=&tax_exempt=&address=")).body["metadata"] == {}


@pytest.mark.asyncio
async def test_an_address_in_an_update_replaces_the_old_one_whole() -> None:
    async with simulated() as wire:
        made = (await wire.post("/v1/customers", EVERYTHING)).body["id"]
        shown = (await wire.post(f"/v1/customers/{made}", {"address[city]": "Ulm"})).body
        assert shown["address"] == {**NO_LINES, "city": "Ulm"}


@pytest.mark.parametrize("name", ["payment_method", "tax_id_data[0][type]", "test_clock"])
@pytest.mark.asyncio
async def test_create_only_parameters_are_unknown_to_an_update(name: str) -> None:
    async with simulated() as wire:
        made = (await wire.create(email="a@example.com")).body["id"]
        reply = await wire.post(f"/v1/customers/{made}", {name: "x"})
        assert (reply.status, reply.error["code"]) == (400, "parameter_unknown")


@pytest.mark.asyncio
async def test_metadata_may_not_grow_beyond_50_keys_by_merging() -> None:
    async with simulated() as wire:
        made = (await wire.post("/v1/customers", {f"metadata[k{n}]": "v" for n in range(50)})).body["id"]
        assert (await wire.post(f"/v1/customers/{made}", {"metadata[one]": "more"})).status == 400
        assert (await wire.post(f"/v1/customers/{made}", {"metadata[k0]": "", "metadata[one]": "more"})).status == 200


@pytest.mark.asyncio
async def test_a_deleted_customer_shows_only_that_and_is_in_no_list() -> None:
    async with simulated() as wire:
        made = (await wire.create(email="a@example.com")).body["id"]
        gone = {"id": made, "object": "customer", "deleted": True}
        assert (await wire.send("DELETE", f"/v1/customers/{made}")).body == gone
        assert (await wire.get(f"/v1/customers/{made}")).body == gone
        assert (await wire.get("/v1/customers")).body["data"] == []
        assert (await wire.get("/v1/customers", {"email": "a@example.com"})).body["data"] == []
        assert (await wire.post(f"/v1/customers/{made}", "name=A")).status == 404
        assert await wire.customers() == []


@pytest.mark.asyncio
async def test_a_list_by_email_is_exact_case_sensitive_and_sees_a_write_at_once() -> None:
    async with simulated() as wire:
        one = (await wire.create(email="Alice@example.com")).body["id"]
        two = (await wire.create(email="alice@example.com")).body["id"]
        three = (await wire.create(email="alice@example.com")).body["id"]
        for email, expected in (
            ("Alice@example.com", [one]),
            ("alice@example.com", [three, two]),
            ("ALICE@example.com", []),
        ):
            page = (await wire.get("/v1/customers", {"email": email})).body
            assert [customer["id"] for customer in page["data"]] == expected
        await wire.post(f"/v1/customers/{two}", {"email": "bob@example.com"})
        page = (await wire.get("/v1/customers", {"email": "alice@example.com"})).body
        assert [customer["id"] for customer in page["data"]] == [three]


@pytest.mark.asyncio
async def test_customers_on_a_test_clock_are_listed_only_with_that_clock() -> None:
    async with simulated() as wire:
        await wire.create(email="a@example.com")
        on_clock = (await wire.create(email="a@example.com", test_clock="clock_1abc")).body
        assert on_clock["test_clock"] == "clock_1abc"
        plain = (await wire.get("/v1/customers", {"email": "a@example.com"})).body["data"]
        assert on_clock["id"] not in [customer["id"] for customer in plain]
        page = (await wire.get("/v1/customers", {"test_clock": "clock_1abc"})).body
        assert [customer["id"] for customer in page["data"]] == [on_clock["id"]]


@pytest.mark.parametrize(
    ("form", "param"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=ten", "limit"),
        ("created[from]=1", "created[from]"),
        ("created=yesterday", "created"),
        ("starting_after=cus_unknown", "starting_after"),
        ("mail=a", "mail"),
        ("email=", "email"),
    ],
)
@pytest.mark.asyncio
async def test_a_bad_list_parameter_is_named(form: str, param: str) -> None:
    async with simulated() as wire:
        reply = await wire.get("/v1/customers", form)
        assert (reply.status, reply.error["param"]) == (400, param)


@pytest.mark.asyncio
async def test_both_cursors_at_once_exclude_each_other() -> None:
    async with simulated() as wire:
        made = (await wire.create(name="A")).body["id"]
        reply = await wire.get("/v1/customers", {"starting_after": made, "ending_before": made})
        assert (reply.status, reply.error["code"]) == (400, "parameters_exclusive")


def _ten() -> tuple[Account, list[str]]:
    """Ten customers, one a second; ids newest first."""
    account = Account(now=NOON)
    made = [create(account, NOON + n, name=f"P{n}").body["id"] for n in range(10)]
    return account, made[::-1]


def test_pages_run_from_the_newest_and_meet_without_gap_or_overlap() -> None:
    account, newest_first = _ten()
    seen: list[str] = []
    more = True
    while more:
        after = {"starting_after": seen[-1]} if seen else {}
        answer = account.handle(call("GET", "/v1/customers", {"limit": "3"} | after), NOON + 20)
        seen += ids(answer)
        more = answer.body["has_more"]
    assert seen == newest_first


def test_ending_before_gives_the_page_just_newer_than_the_cursor() -> None:
    account, newest_first = _ten()
    answer = account.handle(call("GET", "/v1/customers", {"limit": "3", "ending_before": newest_first[5]}), NOON + 20)
    assert (ids(answer), answer.body["has_more"]) == (newest_first[2:5], True)
    last = account.handle(call("GET", "/v1/customers", {"limit": "3", "ending_before": newest_first[2]}), NOON + 20)
    assert (ids(last), last.body["has_more"]) == (newest_first[:2], False)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ({"gte": str(int(NOON) + 7)}, [9, 8, 7]),
        ({"gt": str(int(NOON) + 7)}, [9, 8]),
        ({"lte": str(int(NOON) + 1)}, [1, 0]),
        ({"lt": str(int(NOON) + 1)}, [0]),
        ({"gte": str(int(NOON) + 2), "lt": str(int(NOON) + 4)}, [3, 2]),
        (str(int(NOON) + 5), [5]),
        ({"gt": str(int(NOON) + 9)}, []),
    ],
)
def test_bounds_on_created_are_exact(created: object, expected: list[int]) -> None:
    account, newest_first = _ten()
    answer = account.handle(call("GET", "/v1/customers", {"created": created, "limit": "100"}), NOON + 20)
    assert ids(answer) == [newest_first[9 - number] for number in expected]
    assert answer.body["has_more"] is False


def test_a_list_shows_ten_by_default() -> None:
    account, _ = _ten()
    create(account, NOON + 11)
    answer = account.handle(call("GET", "/v1/customers"), NOON + 20)
    assert (len(answer.body["data"]), answer.body["has_more"]) == (10, True)


def test_a_cursor_outlives_its_customer() -> None:
    account, newest_first = _ten()
    account.handle(call("DELETE", f"/v1/customers/{newest_first[4]}"), NOON + 20)
    answer = account.handle(call("GET", "/v1/customers", {"limit": "2", "starting_after": newest_first[4]}), NOON + 20)
    assert ids(answer) == newest_first[5:7]


@pytest.mark.parametrize(
    ("text", "params"),
    [
        ("a=1&b=2", {"a": "1", "b": "2"}),
        ("a%5Bb%5D=1&a[c]=2", {"a": {"b": "1", "c": "2"}}),
        ("a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("a[1]=x", {"a": {"1": "x"}}),
        ("a[0][t]=x&a[0][v]=y&a[1][t]=z", {"a": [{"t": "x", "v": "y"}, {"t": "z"}]}),
        ("metadata[0]=x", {"metadata": {"0": "x"}}),
        ("a=b+c%26d", {"a": "b c&d"}),
        ("a[b=1", {"a[b": "1"}),
        ("a=1&a[b]=2", {"a": {"b": "2"}}),
        ("", {}),
        ("a", {"a": ""}),
    ],
)
def test_bracket_notation_is_decoded(text: str, params: dict[str, object]) -> None:
    assert decode(text) == params


def test_ids_stand_for_numbers_and_never_collide() -> None:
    kind = Ids("cus_", 14, seed=3)
    made = [kind.of(number) for number in [*range(2000), 10**9, 10**12]]
    assert len(set(made)) == len(made)
    assert [kind.number(one) for one in made] == [*range(2000), 10**9, 10**12]
    assert [kind.number(one) for one in ("cus_short", "xyz_12345678901234", "cus_1234567890123!")] == [None] * 3
    assert Ids("cus_", 14, seed=4).of(0) != kind.of(0)
