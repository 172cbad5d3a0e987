"""Which column becomes which field: every export's own header, every option, every refusal."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.customer.parameters import PARAMETERS, parse_path, spelled
from bulk_import.errors import UsageError
from bulk_import.mapping.aliases import OWN_COLUMNS, TO_THE_LETTER
from bulk_import.mapping.neversent import is_card_number
from bulk_import.mapping.settled import (
    Ignored,
    Mapping,
    MappingOptions,
    Metadata,
    NamePart,
    Param,
    Refused,
    SourceKey,
    Target,
    VatNumber,
    load_profile,
    settle_mapping,
)

ADDRESS = {part: Param(("address", part)) for part in ("line1", "line2", "city", "state", "postal_code", "country")}
SHIPPING = {part: Param(("shipping", "address", part)) for part in ADDRESS}
EMAIL, NAME, PHONE = Param(("email",)), Param(("name",)), Param(("phone",))
COMPANY, NOTE = Param(("business_name",)), Param(("description",))


def targets(header: str, separator: str = ",", **options: object) -> dict[str, Target]:
    columns = header.split(separator)
    mapping = settle_mapping(columns, MappingOptions(**options), allow_no_email=True)  # type: ignore[arg-type] # test data
    return {each.column: each.target for each in mapping.plan(tuple(columns)).assignments}


def fields(mapping: Mapping) -> dict[str | None, str]:
    return {line.column: line.field for line in mapping.lines()}


STRIPE_EXPORT = (
    "id,Description,Email,Name,Created (UTC),Delinquent,Plan,Status,Total Spend,Payment Count,Refunded Volume,"
    "Dispute Losses,tag (metadata)"
)


def test_a_customers_export_of_stripe_is_read_as_one() -> None:
    found = targets(STRIPE_EXPORT)
    assert found["id"] == Metadata("previous_customer_id")
    assert (found["Description"], found["Email"], found["Name"]) == (NOTE, EMAIL, NAME)
    assert found["tag (metadata)"] == Metadata("tag")
    read_only = ("Created (UTC)", "Delinquent", "Plan", "Status", "Total Spend", "Payment Count", "Refunded Volume")
    assert all(isinstance(found[column], Ignored) for column in (*read_only, "Dispute Losses"))


def test_the_card_columns_of_an_older_stripe_export_are_never_sent() -> None:
    header = (
        "id,Email,Created (UTC),Card ID,Card Last4,Card Brand,Card Funding,Card Exp Month,Card Exp Year,Card Name,"
        "Card Address Line1,Card Address Zip,Card Issue Country,Card Fingerprint,Card CVC Status,Card AVS Zip Status,"
        "Card Tokenization Method,Cancel At Period End,Account Balance,Currency,Average Order,Business Vat ID"
    )
    found = targets(header)
    assert all(isinstance(found[column], Refused) for column in found if column.startswith("Card "))
    assert found["Business Vat ID"] == VatNumber()
    assert found["Account Balance"] == Metadata("Account Balance"), "its unit is unknown, so it is no balance"
    assert all(isinstance(found[column], Ignored) for column in ("Cancel At Period End", "Currency", "Average Order"))


def test_a_payments_export_of_stripe_names_its_customers() -> None:
    header = (
        "Customer ID,Customer Description,Customer Email,Customer Phone,Shipping Name,Shipping Address Line1,"
        "Shipping Address Line2,Shipping Address City,Shipping Address State,Shipping Address Country,"
        "Shipping Address Postal Code"
    )
    found = targets(header)
    assert found["Customer ID"] == Metadata("previous_customer_id")
    assert (found["Customer Description"], found["Customer Email"], found["Customer Phone"]) == (NOTE, EMAIL, PHONE)
    assert found["Shipping Name"] == Param(("shipping", "name"))
    assert [found[column] for column in list(found)[5:]] == [
        SHIPPING[part] for part in ("line1", "line2", "city", "state", "country", "postal_code")
    ]


def test_what_belongs_to_the_account_that_a_dump_of_stripes_api_came_from_is_not_sent() -> None:
    columns = ("id", "object", "livemode", "email", "balance", "invoice_settings.default_payment_method", "test_clock")
    plan = settle_mapping(None).plan(columns)
    found = {each.column: each.target for each in plan.assignments}
    assert found["balance"] == Param(("balance",))
    assert isinstance(found["invoice_settings.default_payment_method"], Ignored)
    assert isinstance(found["test_clock"], Ignored)


def test_card_numbers_of_a_card_data_export_are_never_sent() -> None:
    header = "description,name,email,id,card.address_city,card.exp_month,card.id,card.number,default_source"
    found = targets(header)
    assert all(isinstance(found[column], Refused) for column in found if column.startswith("card."))
    assert found["id"] == Metadata("previous_customer_id")


@pytest.mark.parametrize(
    "column",
    [
        "pass",
        "user_pass",
        "wp_pass",
        "pw",
        "hashed_pw",
        "pswd",
        "userPassword",
        "user_activation_key",
        "recovery_codes",
        "backup_codes",
        "security_answer",
        "pin",
        "user_pin",
        "passcode",
        "session_id",
        "md5",
        "sha1_password",
        "mot_de_passe",
        "contraseña",
        "senha",
        "Kennwort",
        "パスワード",
        "пароль",
        "kartennummer",
        "numero_carte",
        "Kreditkarte",
        "account_number",
        "customer_iban",
        "Kontonummer",
        "metadata.user_pass",
    ],
)
def test_secrets_are_never_sent_whatever_language_names_them(column: str) -> None:
    assert isinstance(targets(f"email,{column}")[column], Refused)


@pytest.mark.parametrize(
    "column",
    [
        "passport",
        "bypass",
        "compass",
        "season_pass",
        "ski_pass",
        "pin_code",
        "pinned",
        "spin",
        "opinion",
        "weekly_digest",
        "sharing",
        "shape",
        "company",
        "pan_european",
        "passed",
        "passenger",
        "accounting",
        "account_manager",
        "hashtag",
        "sandwich",
    ],
)
def test_words_that_only_look_like_secrets_are_kept(column: str) -> None:
    assert not isinstance(targets(f"email,{column}")[column], Refused)


def test_a_column_named_with_a_card_number_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError, match="column 2") as refused:
        settle_mapping(["email", "4242424242424242"])
    assert "424242424242" not in str(refused.value)


def test_a_shopify_export_is_mapped() -> None:
    header = (
        "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,Default Address Company,Default Address Address1,"
        "Default Address Address2,Default Address City,Default Address Province Code,Default Address Country Code,"
        "Default Address Zip,Default Address Phone,Phone,Accepts SMS Marketing,Total Spent,Total Orders,Note,Tax Exempt,Tags"
    )
    found = targets(header)
    assert found["First Name"] == NamePart("first")
    assert found["Last Name"] == NamePart("last")
    assert found["Default Address Company"] == COMPANY
    assert [found[column] for column in list(found)[6:12]] == [
        ADDRESS[part] for part in ("line1", "line2", "city", "state", "country", "postal_code")
    ]
    assert found["Phone"] == PHONE
    assert found["Default Address Phone"] == Metadata("Default Address Phone"), "the plain phone is surer"
    assert (found["Note"], found["Tax Exempt"]) == (NOTE, Param(("tax_exempt",)))
    assert (found["Customer ID"], found["Tags"]) == (Metadata("Customer ID"), Metadata("Tags"))


def test_codes_win_over_names_in_the_older_shopify_form() -> None:
    found = targets("Email,Company,Address1,Address2,City,Province,Province Code,Country,Country Code,Zip,Phone")
    assert (found["Country Code"], found["Country"]) == (ADDRESS["country"], Metadata("Country"))
    assert (found["Province Code"], found["Province"]) == (ADDRESS["state"], Metadata("Province"))


def test_woocommerce_analytics_is_mapped() -> None:
    header = "Name,Username,Last Active,Sign Up,Email,Orders,Total Spend,AOV,Country / Region,City,Region,Postal Code"
    found = targets(header)
    assert (found["Name"], found["Username"], found["Email"]) == (NAME, Metadata("Username"), EMAIL)
    assert (found["Country / Region"], found["Region"]) == (ADDRESS["country"], ADDRESS["state"])
    assert (found["City"], found["Postal Code"]) == (ADDRESS["city"], ADDRESS["postal_code"])
    assert isinstance(found["Total Spend"], Ignored)


def test_woocommerce_user_meta_fills_billing_and_shipping() -> None:
    parts = "first_name last_name company address_1 address_2 city state postcode country"
    header = ",".join(f"{kind}_{part}" for kind in ("billing", "shipping") for part in parts.split())
    found = targets(f"{header},billing_email,billing_phone")
    assert found["billing_first_name"] == NamePart("first")
    assert found["shipping_last_name"] == NamePart("last", "shipping.name")
    assert (found["billing_address_1"], found["billing_postcode"]) == (ADDRESS["line1"], ADDRESS["postal_code"])
    assert (found["shipping_address_2"], found["shipping_country"]) == (SHIPPING["line2"], SHIPPING["country"])
    assert (found["billing_email"], found["billing_phone"], found["billing_company"]) == (EMAIL, PHONE, COMPANY)


def test_recurly_accounts_are_mapped() -> None:
    header = (
        "account_code,account_email,account_username,account_company_name,account_first_name,account_last_name,"
        "account_has_billing_info,account_created_at,account_address1,account_address2,account_city,account_state,"
        "account_zip,account_country,account_phone,vat_number,parent_account_code,billing_info_id"
    )
    found = targets(header)
    assert (found["account_email"], found["account_phone"], found["account_company_name"]) == (EMAIL, PHONE, COMPANY)
    assert (found["account_first_name"], found["account_username"]) == (NamePart("first"), Metadata("account_username"))
    assert (found["account_address1"], found["account_state"]) == (ADDRESS["line1"], ADDRESS["state"])
    assert (found["account_zip"], found["vat_number"]) == (ADDRESS["postal_code"], VatNumber())


def test_a_braintree_vault_keeps_its_card_columns_to_itself() -> None:
    header = (
        "id,first_name,last_name,company,email,phone,fax,website,credit_card.token,credit_card.cardholder_name,"
        "credit_card.number,credit_card.expiration_date,credit_card.last_4"
    )
    found = targets(header)
    assert all(isinstance(found[column], Refused) for column in found if column.startswith("credit_card."))
    assert (found["id"], found["fax"]) == (Metadata("id"), Metadata("fax"))


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("customer[first_name]", NamePart("first")),
        ("customers.first_name", NamePart("first")),
        ("First Name", NamePart("first")),
        ("customer[email]", EMAIL),
        ("billing_address_line1", ADDRESS["line1"]),
        ("Billing Address Line 1", ADDRESS["line1"]),
        ("billing_address[zip]", ADDRESS["postal_code"]),
        ("customer[billing_address][city]", ADDRESS["city"]),
        ("billing_address[company]", COMPANY),
        ("vat_number", VatNumber()),
        ("locale", Param(("preferred_locales",))),
        ("taxability", Param(("tax_exempt",))),
        ("net_term_days", Metadata("net_term_days")),
    ],
)
def test_chargebee_names_are_known_in_every_spelling(column: str, target: Target) -> None:
    assert targets(column)[column] == target


def test_a_user_dump_of_an_identity_provider_gives_names_and_no_secrets() -> None:
    header = (
        "user_id,email,email_verified,name,given_name,family_name,nickname,picture,primary_phone_number,passwordHash,"
        "password_digest,totp_secret,access_token,ssn,created_at"
    )
    found = targets(header)
    assert (found["email"], found["name"], found["primary_phone_number"]) == (EMAIL, NAME, PHONE)
    assert found["given_name"] == Metadata("given_name"), "a whole name is surer than its parts"
    secrets = ("passwordHash", "password_digest", "totp_secret", "access_token", "ssn")
    assert all(isinstance(found[column], Refused) for column in secrets)
    assert (found["email_verified"], found["created_at"]) == (Metadata("email_verified"), Metadata("created_at"))


@pytest.mark.parametrize(
    ("column", "target"),
    [
        ("\ufeffE-mail", EMAIL),
        ("E-Mail-Adresse", EMAIL),
        ("primary_email_address", EMAIL),
        ("Full Name", NAME),
        ("Vorname", NamePart("first")),
        ("Prénom", NamePart("first")),
        ("Straße", ADDRESS["line1"]),
        ("PLZ", ADDRESS["postal_code"]),
        ("zip_code", ADDRESS["postal_code"]),
        ("province", ADDRESS["state"]),
        ("county", ADDRESS["state"]),
        ("address_line_1", ADDRESS["line1"]),
        ("organization", COMPANY),
        ("mobile", PHONE),
        ("tax_id", VatNumber()),
        ("tax_id_type", Param(("tax_id_data", 0, "type"))),
        ("metadata_plan", Metadata("plan")),
        ("metadata.Plan Name", Metadata("Plan Name")),
        ("metadata[plan]", Metadata("plan")),
        ("Lifetime (metadata)", Metadata("Lifetime")),
        ("favourite colour", Metadata("favourite colour")),
        ("user_name", Metadata("user_name")),
        ("Email Address [Required]", Param(("email",))),
        ("Phone (optional)", PHONE),
        ("New Primary Email [UPLOAD ONLY]", Metadata("New Primary Email .UPLOAD ONLY")),
    ],
)
def test_everyday_names_are_known(column: str, target: Target) -> None:
    assert targets(column)[column] == target


@pytest.mark.parametrize("path", sorted(PARAMETERS))
def test_every_parameter_maps_by_its_own_name_in_dots_and_in_brackets(path: str) -> None:
    dotted = path.replace("[]", ".0")
    first, *rest = dotted.split(".")
    bracketed = first + "".join(f"[{part}]" for part in rest)
    for column in (dotted, bracketed, *([] if dotted in TO_THE_LETTER else [dotted.upper()])):
        found = targets(column)[column]
        assert isinstance(found, Param)
        assert spelled(found.path) == dotted


def test_brackets_without_a_place_name_the_whole_list() -> None:
    assert parse_path("preferred_locales[]") == ("preferred_locales",)
    assert parse_path("tax_id_data") is None
    assert parse_path("tax_id_data[].type") is None


@settings(deadline=None)
@given(st.text(max_size=60).filter(lambda name: "\0\0" not in name))
def test_any_column_name_has_a_meaning_and_no_key_breaks_the_limits(name: str) -> None:
    (found,) = targets(name, separator="\0\0").values() if name else (Ignored("x"),)
    if isinstance(found, Metadata):
        assert 0 < len(found.key) <= 40
        assert not set("[]") & set(found.key)
        assert found.key != "bulk_import"


def test_two_names_for_one_field_are_told_apart_aloud() -> None:
    mapping = settle_mapping(["billing_email", "email", "zip", "postal code"])
    assert fields(mapping) == {
        "billing_email": "metadata.billing_email",
        "email": "email",
        "zip": "metadata.zip",
        "postal code": "address.postal_code",
    }
    assert any('"billing_email"' in notice and '"email"' in notice for notice in mapping.notices)


def test_dropped_columns_are_said_aloud_with_the_reason() -> None:
    mapping = settle_mapping(["email", "password", "Total Spend", "metadata.bulk_import"])
    said = " ".join(mapping.notices)
    for column in ("password", "Total Spend", "metadata.bulk_import"):
        assert f'"{column}"' in said
        assert any(
            isinstance(mapping.plan(mapping.columns or ()).assignments[n].target, Ignored | Refused) for n in (1, 2, 3)
        )


def test_the_columns_of_our_own_failed_export_are_recognised() -> None:
    mapping = settle_mapping(["email", *OWN_COLUMNS])
    assert mapping.from_own_export
    with pytest.raises(UsageError, match="retry LEDGER --with FILE, export it once more with --format jsonl"):
        settle_mapping(("profile", *OWN_COLUMNS))
    assert {fields(mapping)[column] for column in OWN_COLUMNS} == {"not sent"}


def test_a_name_that_our_own_failed_export_made_safe_is_what_it_was() -> None:
    own = "_ledger,_row,_status,_error_code,_error_param,_error"
    found = targets(f"email,'=total,'@id,'+phone,'-,{own}")
    assert [found[name] for name in ("'=total", "'@id", "'+phone")] == [Metadata("=total"), Metadata("@id"), PHONE]
    assert targets("email,'=total")["'=total"] == Metadata("'=total")


def test_a_guess_is_marked_as_one() -> None:
    lines = {line.column: line for line in settle_mapping(["email", "zip", "plan"]).lines()}
    assert (lines["email"].guess, lines["zip"].guess, lines["plan"].guess) == (False, True, True)


def test_the_key_is_kept_in_the_metadata_and_may_be_the_email_too() -> None:
    assert targets("email,user_id", key="User ID")["user_id"] == SourceKey()
    mapping = settle_mapping(["email"], MappingOptions(key="email"))
    assert fields(mapping) == {"email": "email and metadata.source_id (the key)"}


def test_a_column_called_like_the_key_gives_way_to_it() -> None:
    mapping = settle_mapping(["email", "user_id", "source_id"], MappingOptions(key="user_id"))
    assert fields(mapping)["source_id"] != "metadata.source_id"
    assert any('"source_id"' in notice for notice in mapping.notices)


def test_what_was_asked_for_beats_every_guess() -> None:
    found = targets("email,mail,name,Rufname", maps=(("mail", "email"), ("rufname", "first_name"), ("email", "ignore")))
    assert found == {
        "email": Ignored("is left out as you asked"),
        "mail": EMAIL,
        "name": Metadata("name"),
        "Rufname": NamePart("first"),
    }


@pytest.mark.parametrize(
    ("word", "target"),
    [
        ("metadata", Metadata("Col")),
        ("metadata.plan", Metadata("plan")),
        ("metadata[plan]", Metadata("plan")),
        ("ADDRESS.CITY", ADDRESS["city"]),
        ("shipping.last_name", NamePart("last", "shipping.name")),
        ("vat_number", VatNumber()),
        ("ignore", Ignored("is left out as you asked")),
        ("", Ignored("is left out as you asked")),
        ("tax_id_data[1][value]", Param(("tax_id_data", 1, "value"))),
    ],
)
def test_a_map_understands_each_kind_of_field(word: str, target: Target) -> None:
    assert targets("Col", maps=(("Col", word),))["Col"] == target


@pytest.mark.parametrize(
    ("columns", "options", "words"),
    [
        ("email,plan", {"maps": (("paln", "name"),)}, ["--map", '"paln"', 'did you mean "plan"', '"email"']),
        ("email,plan", {"maps": (("plan", "adress.city"),)}, ['"adress.city"', "did you mean address.city"]),
        ("email,a,b", {"maps": (("a", "name"), ("b", "name"))}, ['"a"', '"b"', "both fill name"]),
        ("email,a,b", {"maps": (("a", "name"), ("b", "first_name"))}, ['"a"', '"b"', "both fill"]),
        ("email,a", {"maps": (("a", "name"), ("a", "phone"))}, ['"a"', "two fields"]),
        ("email,user_id", {"key": "userid_"}, None),
        ("email,user_id", {"key": "customer"}, ["--key", '"customer"', "does not have"]),
        ("email,a", {"maps": (("a", "metadata.bulk_import"),)}, ["metadata.bulk_import", "another key"]),
        ("email,a", {"maps": (("a", "metadata." + "k" * 41),)}, ["40 characters"]),
        ("email,card_number", {"maps": (("card_number", "metadata.card"),)}, ["card data", "=ignore"]),
        ("email,a", {"sets": (("tax_exempt", "maybe"),)}, ["--set tax_exempt=maybe", "none, exempt, reverse"]),
        ("email,a", {"sets": (("emial", "x"),)}, ['"emial"', "did you mean email"]),
        ("email,a", {"sets": (("email", "a@example.com"),)}, ["every customer the same"]),
        ("email,a", {"sets": (("metadata.a", ""),)}, ["needs a value"]),
        ("email,a", {"sets": (("phone", "1"),), "maps": (("a", "phone"),)}, ["--set phone", '"a"', "both fill phone"]),
        ("email,a", {"sets": (("metadata.source_id", "1"),), "key": "a"}, ["--key", "both fill metadata.source_id"]),
        ("email,Plan,Zip,Tier", {"unmapped": "refuse"}, ["2 columns have", '"Plan", "Tier"', "--unmapped metadata"]),
        ("Mail Id 2,name", {}, ['"Mail Id 2"', '--map "Mail Id 2=email"', "--allow-no-email"]),
        ("a,b", {}, ['"a", "b"', '--map "COLUMN=email"']),
        ("email;name", {}, ["--delimiter ';'"]),
    ],
)
def test_what_cannot_be_done_as_asked_is_said_in_one_sentence(
    columns: str, options: dict[str, object], words: list[str] | None
) -> None:
    asked = MappingOptions(**options)  # type: ignore[arg-type] # test data
    if words is None:
        settle_mapping(columns.split(","), asked)
        return
    with pytest.raises(UsageError) as raised:
        settle_mapping(columns.split(","), asked)
    said = str(raised.value)
    assert "\n" not in said
    for word in words:
        assert word in said


def test_a_file_without_an_email_column_is_allowed_when_asked_for() -> None:
    assert settle_mapping(["name"], allow_no_email=True).lines()


def test_unmapped_columns_can_be_left_out() -> None:
    assert targets("email,plan", unmapped="ignore")["plan"] == Ignored("is not mapped")


def test_a_value_set_for_every_row_is_listed_and_takes_the_place_of_a_guess() -> None:
    mapping = settle_mapping(["email", "Country"], MappingOptions(sets=(("address.country", "Germany"),)))
    assert fields(mapping) == {"email": "email", "Country": "metadata.Country", None: "address.country"}
    assert mapping.constants[0].value == "DE"


def test_long_and_bracketed_names_are_fitted_aloud_and_stay_apart() -> None:
    long = "How did you hear about our wonderful product"
    mapping = settle_mapping(["email", f"{long} (1)", f"{long} (2)", "tags[new]"])
    keys = list(fields(mapping).values())[1:]
    assert len(set(keys)) == 3
    assert all(len(key.removeprefix("metadata.")) <= 40 for key in keys)
    assert keys[2] == "metadata.tags.new"
    assert sum("at most 40 characters" in notice for notice in mapping.notices) == 3


def test_a_balance_column_is_pointed_out() -> None:
    assert any("balance" in notice for notice in settle_mapping(["email", "balance"]).notices)
    assert not settle_mapping(["email", "Balance"]).notices, "in whatever unit it is"


def test_places_of_a_list_stand_side_by_side_and_a_whole_list_beats_them() -> None:
    both = targets("preferred_locales.0,preferred_locales.1")
    assert both == {f"preferred_locales.{n}": Param(("preferred_locales", n)) for n in (0, 1)}
    mixed = targets("preferred_locales.0,preferred_locales")
    assert mixed["preferred_locales"] == Param(("preferred_locales",))
    assert isinstance(mixed["preferred_locales.0"], Metadata)


def test_the_digest_changes_with_the_mapping_and_with_nothing_else() -> None:
    columns = ["email", "plan"]
    digest = settle_mapping(columns).digest()
    assert digest == settle_mapping(columns, MappingOptions(maps=(("plan", "metadata.plan"),))).digest()
    others = [
        settle_mapping(columns, MappingOptions(unmapped="ignore")),
        settle_mapping(columns, MappingOptions(sets=(("tax_exempt", "none"),))),
        settle_mapping(columns, MappingOptions(key="plan")),
        settle_mapping(["email", "plan", "tier"]),
    ]
    assert len({digest, *(other.digest() for other in others)}) == 5


def test_without_a_header_the_mapping_is_settled_as_columns_are_met() -> None:
    mapping = settle_mapping(None, MappingOptions(maps=(("tier", "metadata.level"), ("gone", "name")), key="uid"))
    digest = mapping.digest()
    assert mapping.lines() == ()
    first = mapping.plan(("email", "uid", "password"))
    assert mapping.plan(("email", "uid", "password")) is first
    mapping.plan(("email", "tier"))
    assert fields(mapping) == {
        "email": "email",
        "uid": "metadata.source_id (the key)",
        "password": "never sent, never kept",
        "tier": "metadata.level",
    }
    assert mapping.unmet() == ('"gone"',)
    assert mapping.digest() == digest
    assert any('"password"' in notice for notice in mapping.notices)


PROFILE = """
unmapped = "ignore"
key = "CRM Id"

[map]
"E-Mail 2" = "email"
billing.zip = "address.postal_code"

[set]
address.country = "DE"
metadata.wave = 3
"""


def test_a_profile_gives_renames_and_constants_and_the_command_line_wins(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text(PROFILE, encoding="utf-8")
    profile = load_profile(path)
    assert profile == MappingOptions(
        maps=(("E-Mail 2", "email"), ("billing.zip", "address.postal_code")),
        sets=(("address.country", "DE"), ("metadata.wave", "3")),
        unmapped="ignore",
        key="CRM Id",
    )
    merged = MappingOptions(sets=(("address.country", "AT"),), unmapped="refuse").over(profile)
    assert merged.sets == (("metadata.wave", "3"), ("address.country", "AT"))
    assert (merged.unmapped, merged.key, merged.maps) == ("refuse", "CRM Id", profile.maps)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[mapp]\na = 'b'", "did you mean map?"),
        ("map = 'b'", "[map]"),
        ("[map]\na = true", '"a"'),
        ("unmapped = 'drop'", "metadata, ignore, refuse"),
        ("key = 3", "key"),
        ("[map", "not valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_profile_that_says_nothing_sensible_is_refused(tmp_path: Path, text: str | None, word: str) -> None:
    path = tmp_path / "mapping.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        load_profile(path)
    assert word in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[map]\nPlan = 'nmae'", '[map] "Plan" names "nmae", which is no field of a customer; did you mean name?'),
        ("[map]\nTown = 'name'", '[map] names the column "Town", which the file does not have'),
        ("[map]\nPlan = 'metadata.bulk_import'", '[map] "Plan" would overwrite metadata.bulk_import'),
        ("[set]\nnmae = 'Ann'", '[set] names "nmae", which is no field of a customer; did you mean name?'),
        ("[set]\n'address.country' = 'Atlantis'", "[set] address.country=Atlantis cannot be sent"),
        ("[set]\nname = ''", "[set] name has no value"),
        ("key = 'Id'", 'key names the column "Id", which the file does not have'),
        ("[map]\nPlan = 'name'\n[set]\nname = 'Ann'", '[set] name and mapping.toml, [map] "Plan" both fill name'),
    ],
)
def test_what_a_profile_gets_wrong_is_told_with_its_file_and_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mapping.toml").write_text(text, encoding="utf-8")
    profile = load_profile("mapping.toml")
    for options in (profile, MappingOptions(sets=(("description", "moved"),)).over(profile)):
        with pytest.raises(UsageError) as raised:
            settle_mapping(("email", "Plan"), options)
        assert str(raised.value).startswith(f"mapping.toml, {said}")


def test_what_the_command_line_says_over_a_profile_is_told_as_said_there(tmp_path: Path) -> None:
    path = tmp_path / "mapping.toml"
    path.write_text("key = 'Id'\n[map]\nPlan = 'name'", encoding="utf-8")
    profile = load_profile(path)
    for mine, said in (
        (MappingOptions(maps=(("Plan", "nmae"),)), '--map "Plan" names "nmae"'),
        (MappingOptions(key="Id"), '--key names the column "Id"'),
    ):
        with pytest.raises(UsageError) as raised:
            settle_mapping(("email", "Plan"), mine.over(profile))
        assert str(raised.value).startswith(said)


@pytest.mark.parametrize("sign", ["•", "@@", "+", "\\", ";"])
def test_a_header_read_as_one_cell_is_told_apart_and_not_mapped(sign: str) -> None:
    with pytest.raises(UsageError) as refused:
        settle_mapping((sign.join(("id", "email", "name")),))
    assert f"--delimiter '{sign}'" in str(refused.value)
    assert "=email" not in str(refused.value)


LONG = "preference_of_the_customer_about_newsletter"


@pytest.mark.parametrize(
    ("first", "second", "keys"),
    [
        (f"metadata.{LONG}_a", f"metadata.{LONG}_b", (LONG[:40], f"{LONG[:36]}_2")),
        (f"{LONG}_a", f"metadata.{LONG}_b", (f"{LONG[:36]}_2", LONG[:40])),
        ("metadata.a.b", "metadata.a[b]", ("a.b", "a.b_2")),
        ("metadata.a[b]", "metadata.a.b", ("a.b_2", "a.b")),
        ("metadata.plan", "metadata[plan]", ("plan", "plan_2")),
    ],
)
@pytest.mark.parametrize("header", [True, False])
def test_two_keys_that_become_one_are_both_kept_and_it_is_said(
    first: str, second: str, keys: tuple[str, str], header: bool
) -> None:
    columns = ("email", first, second)
    mapping = settle_mapping(columns if header else None)
    plan = mapping.plan(columns)
    assert tuple(each.target for each in plan.assignments[1:]) == tuple(map(Metadata, keys))
    assert all(len(key) <= 40 for key in keys)
    renamed = second if keys[1].endswith("_2") else first
    assert any(renamed in notice and "_2" in notice for notice in mapping.notices)


@pytest.mark.parametrize("leftover", ["ignore", "refuse"])
def test_a_key_that_clashes_is_not_left_out_with_the_columns_nobody_asked_for(leftover: str) -> None:
    found = targets("email,metadata.a.b,metadata.a[b]", unmapped=leftover)
    assert found["metadata.a[b]"] == Metadata("a.b_2")


@pytest.mark.parametrize(
    "column", ["CCV", "CSC", "metadata.ccv", "ccv no", "card code", "exp month/year", "2fa", "2FA", "otp secret"]
)
def test_security_codes_by_their_other_names_are_never_sent(column: str) -> None:
    assert isinstance(targets(f"email,{column}")[column], Refused)


@pytest.mark.parametrize("column", ["Expiry", "Expiry Date", "CID"])
@pytest.mark.parametrize(
    "card", ["CCV", "Card Number", "metadata.card_last4", "Last Four of Credit Card", "Card Type", "Name on Card"]
)
def test_an_ambiguous_name_beside_something_of_a_card_is_the_cards(column: str, card: str) -> None:
    assert isinstance(targets(f"email,{column},{card}")[column], Refused)
    assert isinstance(targets(f"email,{column},plan")[column], Metadata)


@pytest.mark.parametrize(
    ("header", "name", "said"),
    [
        ("email", "shipping.name", True),
        ("email,shipping.address.city", "shipping.name", False),
        ("email,plan", "tax_id_data.0.type", True),
        ("email,vat_number", "tax_id_data.0.type", False),
    ],
)
def test_a_value_for_every_row_that_no_row_can_be_given_is_said(header: str, name: str, said: bool) -> None:
    value = "eu_vat" if name.startswith("tax") else "Ann"
    mapping = settle_mapping(header.split(","), MappingOptions(sets=((name, value),)))
    assert any(name in notice and "sent with no row" in notice for notice in mapping.notices) == said


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("Nmae", "name"),
        ("Phne", "phone"),
        ("adress.city", "address.city"),
        ("address.ctiy", "address.city"),
        ("metdata.x", "metadata.x"),
        ("tax_id_data.type", "tax_id_data.0.type"),
        ("shiping.name", "shipping.name"),
    ],
)
def test_a_column_one_slip_away_from_a_field_is_asked_about_and_stays_metadata(column: str, field: str) -> None:
    mapping = settle_mapping(["email", column])
    line = mapping.lines()[1]
    assert (line.field, line.why) == (f"metadata.{column}", f"has no known meaning; did you mean {field}?")
    assert any(f'--map "{column}={field}"' in notice for notice in mapping.notices)


def test_ordinary_words_and_second_columns_are_no_slips() -> None:
    words = "count stage site date game plan role rate node vote status code tags type size store phase total score"
    words += " rank amount tier group source_name phone_2 counter male title price order image usage level segment"
    words += " birthday gender points tenant team campaign signup referrer address_3 land lead value rating username user_name port sort direction Balance voice"
    mapping = settle_mapping(["email", "phone", *words.split()])
    assert not [line for line in mapping.lines() if "did you mean" in line.why]
    assert not any("did you mean" in line.why for line in settle_mapping(["email", "name", "Nmae"]).lines())


@pytest.mark.parametrize(
    ("columns", "state"),
    [
        ("email,state,address1,city,address_state,zip", Metadata("state")),
        ("email,name,state", Metadata("state")),
        ("email,state,zip", ADDRESS["state"]),
        ("email,state,country", ADDRESS["state"]),
        ("email,state,street,billing_city", ADDRESS["state"]),
        ("email,state,address_1,billing_city", ADDRESS["state"]),
        ("email,billing_address_1,billing_city,billing_postcode,state", Metadata("state")),
        ("email,state,billing_city,billing_state", Metadata("state")),
        ("email,shipping_city,shipping_zip,state", Metadata("state")),
        ("email,address_city,address_zip,state", Metadata("state")),
        ("email,State,City (Billing)", Metadata("state")),
    ],
)
def test_a_state_is_of_an_address_only_where_there_is_one_without_a_state(columns: str, state: Target) -> None:
    found = {
        each.column: each.target
        for each in settle_mapping(columns.split(",")).plan(tuple(columns.split(","))).assignments
    }
    assert found.get("state", found.get("State")) == state
    for other in ("address_state", "billing_state"):
        assert found.get(other, ADDRESS["state"]) == ADDRESS["state"]


@pytest.mark.parametrize(
    ("whose", "others"),
    [
        ("business_street business_city business_zip business_country", "home_street home_city"),
        ("billing_city billing_zip billing_country", "mailing_street mailing_city mailing_state"),
        ("billing_street billing_city billing_zip", "mailing_street mailing_city mailing_zip mailing_address_2"),
        ("mailing_street mailing_city mailing_zip", "billing_country"),
        ("Billing_Street City_(Billing)", "home_zip"),
        ("billto_street invoice_city billing_zip address_country", "home_line2"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_an_address_is_not_put_together_of_two(whose: str, others: str, turned: bool) -> None:
    one, two = ([name.replace("_(", " (") for name in listed.split()] for listed in (whose, others))
    columns = ["email", *two, *one] if turned else ["email", *one, *two]
    mapping = settle_mapping(columns)
    found = {each.column: each.target for each in mapping.plan(tuple(columns)).assignments}
    address = [column for column, target in found.items() if isinstance(target, Param) and target.path[0] == "address"]
    assert sorted(address) == sorted(one)
    assert [found[column] for column in two] == [Metadata(column) for column in two]
    (said,) = [notice for notice in mapping.notices if "more than one address" in notice]
    assert all(f'"{column}"' in said for column in two)
    left = settle_mapping(columns, MappingOptions(unmapped="ignore"))
    assert [line.field for line in left.lines() if line.column in two] == ["not sent"] * len(two)


@pytest.mark.parametrize("kinds", ["billing mailing", "home business", "mailing home business"])
def test_whole_addresses_side_by_side_are_told_apart_as_ever(kinds: str) -> None:
    first, *_ = kinds.split()
    columns = [f"{kind}_{part}" for kind in kinds.split() for part in ("street", "city", "zip", "country")]
    mapping = settle_mapping(["email", *columns])
    found = {each.column: each.target for each in mapping.plan(("email", *columns)).assignments}
    address = [column for column, target in found.items() if isinstance(target, Param) and target.path[0] == "address"]
    assert address == [column for column in columns if column.startswith(first)]


def test_what_an_object_of_the_person_holds_is_the_persons() -> None:
    header = (
        "user.email,user.name,user.phone,user.address.city,user.company.name,user.state,user.balance,user.password,plan"
    )
    found = targets(header)
    assert [found[f"user.{name}"] for name in ("email", "name", "phone", "address.city", "company.name")] == [
        EMAIL,
        NAME,
        PHONE,
        ADDRESS["city"],
        COMPANY,
    ]
    assert [found[f"user.{name}"] for name in ("state", "balance")] == [
        Metadata("user.state"),
        Metadata("user.balance"),
    ]
    assert isinstance(found["user.password"], Refused)
    beside = targets("name,user.name,phone,user.phone,user_name,user")
    assert (beside["name"], beside["phone"], beside["user_name"]) == (NAME, PHONE, Metadata("user_name"))
    assert (beside["user.name"], beside["user.phone"]) == (Metadata("user.name"), Metadata("user.phone"))


def test_a_column_that_only_says_whether_there_is_a_secret_is_none() -> None:
    found = targets("email,cognito:mfa_enabled,password_reset_required,mfa")
    assert isinstance(found["cognito:mfa_enabled"], Metadata)
    assert isinstance(found["password_reset_required"], Metadata)
    assert isinstance(found["mfa"], Refused)


@pytest.mark.parametrize(
    "column",
    [
        "Password [Required]",
        "Password (required)",
        "Card Number [Required]",
        "PIN (optional)",
        "Kontonummer (Pflichtfeld)",
        "Sort Code (UK)",
    ],
)
def test_a_note_behind_the_name_of_a_secret_hides_none(column: str) -> None:
    assert isinstance(targets(f"email,{column}")[column], Refused)
    assert is_card_number(column) is column.startswith("Card")


def test_a_key_that_holds_entries_is_told_by_them() -> None:
    mapping = settle_mapping(None, MappingOptions(key="_id"))
    mapping.plan(("_id.$oid", "email"))
    assert mapping.unmet() == ('"_id" (what it holds are columns of their own: "_id.$oid")',)
    assert mapping.met == ("_id.$oid", "email")
