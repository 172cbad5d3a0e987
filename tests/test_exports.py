"""What other products' exports call things, column by column; what is not listed here becomes metadata or is said."""

from __future__ import annotations

import pytest

from bulk_import.mapping import settle_mapping
from bulk_import.mapping.targets import Ignored, Metadata, Refused
from bulk_import.model import Invalid, Record, Row
from bulk_import.prepare import Preparation, prepare

FIRST, MIDDLE, LAST = "name (first part)", "name (middle part)", "name (last part)"
STREET = ("address.line1 (first part)", "address.line1 (middle part)", "address.line1 (last part)")
VAT = "tax_id_data (type from the country)"
NEVER = "never sent, never kept"
KEPT = "metadata"
EXPORTS: dict[str, str] = {
    "HubSpot": "Record ID=KEPT|First Name=FIRST|Email=email|Mobile Phone Number=phone|State/Region=address.state"
    "|Country/Region=address.country|Postal Code=address.postal_code|Lead Status=KEPT|Job Title=KEPT",
    "Salesforce accounts": "Account ID=KEPT|Account Name=name|Billing Street=address.line1"
    "|Billing State/Province=address.state|Billing Zip/Postal Code=address.postal_code|Type=KEPT|Email=email"
    "|Shipping Street=shipping.address.line1|Shipping Zip/Postal Code=shipping.address.postal_code",
    "Stripe customers": "id=metadata.previous_customer_id|Email=email|Created (UTC)=not sent|Plan=not sent"
    "|Status=not sent|Total Spend=not sent|Card Last4=NEVER|Business Vat ID=VAT|Account Balance=KEPT|tag (metadata)=KEPT",
    "Stripe payments": "id=KEPT|Amount Refunded=KEPT|Description=KEPT|Customer ID=metadata.previous_customer_id"
    "|Customer Description=description|Customer Email=email|Shipping Address Line1=shipping.address.line1",
    "Shopify orders": "Name=metadata.order|Email=email|Financial Status=KEPT|Billing Name=name|Source=KEPT"
    "|Billing Address1=address.line1|Payment Method=metadata.paid_by|Id=KEPT",
    "WooCommerce orders": "Order Status=KEPT|First Name (Billing)=FIRST|Last Name (Billing)=LAST"
    "|Address 1&2 (Billing)=address.line1|State Code (Billing)=address.state|Email (Billing)=email"
    "|First Name (Shipping)=shipping.name (first part)|Postcode (Shipping)=shipping.address.postal_code",
    "Braintree": "Customer ID=KEPT|Customer First Name=FIRST|Customer Email=email|Billing City (Locality)=address.city"
    "|Billing State/Province (Region)=address.state|Card Number=NEVER|Cardholder Name=NEVER",
    "Squarespace": "Email=email|First Name=FIRST|Last Name=LAST|Billing Name=KEPT|Shipping Name=shipping.name"
    "|Shipping Province/State=shipping.address.state|Billing Zip=address.postal_code|Total Spent=not sent",
    "Salesforce contacts": "First Name=FIRST|Last Name=LAST|Account Name=KEPT|Mailing Street=address.line1|Email=email",
    "Paddle": "email=email|first_line=address.line1|second_line=address.line2|region=address.state|status=KEPT",
    "Xero": "*ContactName=name|EmailAddress=email|POAddressLine1=address.line1|POCity=address.city"
    "|PORegion=address.state|SACity=shipping.address.city|BankAccountNumber=NEVER|BankAccountName=NEVER|TaxNumber=VAT",
    "QuickBooks": "Customer full name=name|Email=email|Balance=KEPT|Opening Balance=KEPT|Company=business_name"
    "|Billing Address State=address.state|Phone=phone",
    "Magento": "email=email|firstname=FIRST|_address_street=address.line1|_address_country_id=address.country"
    "|_address_telephone=phone|taxvat=VAT|password_hash=NEVER|rp_token=NEVER|group_id=KEPT",
    "PrestaShop": "id_customer=KEPT|email=email|passwd=NEVER|secure_key=NEVER|note=description|total_spent=not sent",
    "Google contacts": "First Name=FIRST|E-mail 1 - Value=email|Phone 1 - Value=phone|Address 1 - Street=address.line1"
    "|Address 1 - Extended Address=address.line2|Address 1 - City=address.city|Address 1 - Region=address.state"
    "|Address 1 - Postal Code=address.postal_code|Address 1 - Country=address.country|Organization Name=business_name"
    "|Address 1 - Formatted=KEPT|Address 2 - City=KEPT|E-mail 2 - Value=KEPT",
    "Dynamics": "emailaddress1=email|address1_line1=address.line1|address1_line2=address.line2|address1_city=address.city"
    "|address1_stateorprovince=address.state|address1_postalcode=address.postal_code|address1_country=address.country",
    "Chargebee": "customers.email=email|billing_address.state_code=address.state|billing_address.state=KEPT"
    "|billing_address.country=address.country|billing_address.line1=address.line1",
    "QuickBooks Desktop": "Main Email=email|First Name=FIRST|Last Name=LAST|Main Phone=phone|Balance=KEPT",
    "PayPal": "Name=name|Contact Phone Number=phone|Address Line 1=address.line1|Town/City=address.city"
    "|Address Line 2/District/Neighborhood=address.line2|Zip/Postal Code=address.postal_code|Country Code=address.country"
    "|State/Province/Region/County/Territory/Prefecture/Republic=address.state|Country=KEPT|Email=email|Gross=KEPT",
    "BigCommerce": "Email=email|Address Line 1 - 1=address.line1|City/Suburb - 1=address.city"
    "|State Abbreviation - 1=address.state|Zip/Postcode - 1=address.postal_code|Country - 1=address.country",
    "GoCardless": "email=email|given_name=FIRST|swedish_identity_number=NEVER|metadata.xero=KEPT"
    "|customer_bank_account.account_holder_name=NEVER",
    "German": "Kundennummer=KEPT|Vorname=FIRST|Name=LAST|Straße=STREET1|Hausnummer=STREET2|PLZ=address.postal_code"
    "|Ort=address.city|Mobil=phone|E-Mail=email|USt-IdNr.=VAT|IBAN=NEVER|BIC=NEVER|Passwort=NEVER|Prüfziffer=NEVER"
    "|Bemerkung=description|Steuernummer=KEPT|Sozialversicherungsnummer=NEVER|Status=KEPT",
    "French": "Prénom=FIRST|Nom=LAST|Société=business_name|Adresse e-mail=email|Complément d'adresse=address.line2"
    "|N° TVA intracommunautaire=VAT|Ville=address.city|Mot de passe=NEVER|Langue=preferred_locales|Cryptogramme=NEVER",
    "Spanish": "Nombre=FIRST|Apellidos=LAST|Población=address.city|Móvil=phone|Correo electrónico=email|NIF/CIF=VAT"
    "|Contraseña=NEVER|Idioma=preferred_locales|Cuenta bancaria=NEVER|Número de tarjeta=NEVER|Notas=description",
    "Italian": "Nome=FIRST|Cognome=LAST|Ragione sociale=business_name|Indirizzo=address.line1|CAP=address.postal_code"
    "|Nazione=address.country|Cellulare=phone|Indirizzo email=email|Codice fiscale=KEPT|Titolare carta=NEVER",
    "Dutch": "Voornaam=FIRST|Tussenvoegsel=MIDDLE|Achternaam=LAST|Straat=STREET1|Huisnummer=STREET2|Toevoeging=STREET3"
    "|Plaats=address.city|Telefoonnummer=phone|E-mailadres=email|BTW-nummer=VAT|Wachtwoord=NEVER|BSN=NEVER",
    "Portuguese": "Nome=FIRST|Sobrenome=LAST|Endereço=STREET1|Número=STREET2|Complemento=address.line2"
    "|Cidade=address.city|Estado=address.state|CEP=address.postal_code|Celular=phone|E-mail=email|Senha=NEVER|CPF=KEPT",
    "American": "House Number=STREET1|Street Name=STREET2|Email=email|SSN=NEVER|CVV Code=NEVER|Name on Card=NEVER",
}
WORDS = {
    "KEPT": KEPT, "NEVER": NEVER, "VAT": VAT, "FIRST": FIRST, "MIDDLE": MIDDLE, "LAST": LAST,
    "STREET1": STREET[0], "STREET2": STREET[1], "STREET3": STREET[2],
}  # fmt: skip


@pytest.mark.parametrize("product", EXPORTS)
def test_the_columns_of_an_export_become(product: str) -> None:
    wanted = dict(pair.rsplit("=", 1) for pair in EXPORTS[product].split("|"))
    mapping = settle_mapping(list(wanted))
    assert mapping.columns is not None
    told = {line.column: line.field for line in mapping.lines()}
    for each in mapping.plan(mapping.columns).assignments:
        field, expected = told[each.column], WORDS.get(wanted[each.column], wanted[each.column])
        if expected == KEPT:
            assert isinstance(each.target, Metadata), each.column
        else:
            assert field == expected, each.column
        exact = isinstance(each.target, Refused | Ignored) or each.column.lower() == field or "metadata" in each.column
        assert each.guess or exact, f"{each.column} is mapped to {field} as if that were sure"


def made(fields: dict[str, str]) -> Row | Invalid:
    return prepare(Record(1, 2, fields), Preparation(settle_mapping(list(fields))))


def params(fields: dict[str, str]) -> dict[str, object]:
    row = made({"email": "a@example.com", **fields})
    assert isinstance(row, Row), row
    return dict(row.params)


def test_a_street_and_the_number_of_its_house_are_one_line_in_the_order_of_the_language() -> None:
    dutch = {"Straat": "Kerkstraat", "Huisnummer": "59", "Toevoeging": "bis"}
    assert params(dutch)["address"] == {"line1": "Kerkstraat 59 bis"}
    assert params({"House Number": "59", "Street": "Church Lane"})["address"] == {"line1": "59 Church Lane"}
    assert params({"Street": "Church Lane 59"})["address"] == {"line1": "Church Lane 59"}


def test_an_address_to_ship_to_goes_to_the_customer_where_the_file_names_nobody_else() -> None:
    fields = {"Account Name": "Ann Ltd", "Shipping Street": "High Street 1", "Shipping City": "Leeds"}
    shipping = params(fields)["shipping"]
    assert shipping == {"name": "Ann Ltd", "address": {"line1": "High Street 1", "city": "Leeds"}}
    assert any("ship to" in notice for notice in settle_mapping(["email", *fields]).notices)
    assert "shipping" not in params({**fields, "Shipping Street": "", "Shipping City": ""})
    nameless = made({"email": "a@example.com", **fields, "Account Name": ""})
    assert isinstance(nameless, Invalid)
    assert nameless.problems[0].rule == "shipping"
    own_name = made({"email": "a@example.com", "name": "Ann", "shipping.address.city": "Leeds"})
    assert isinstance(own_name, Invalid), "whoever names parameters is taken at their word"


@pytest.mark.parametrize("value", ["Visa", "PayPal", "manual", "cash on delivery", "pm-1"])
def test_how_somebody_pays_is_no_payment_method(value: str) -> None:
    row = made({"email": "a@example.com", "Payment Method": value})
    assert isinstance(row, Invalid)
    (found,) = row.problems
    assert (found.rule, found.column, found.value) == ("payment-method", "Payment Method", value)


@pytest.mark.parametrize(
    "column",
    ["secure_key", "userpass", "mdp", "Mật khẩu", "пароль", "kata sandi", "Passport No", "National ID", "Personnummer",
     "Führerschein", "NINO", "SWIFT", "bank_account_holder", "Codice CVV", "card_cvc", "Karteninhaber", "Name on card",
     "Numéro de sécurité sociale"],
)  # fmt: skip
def test_secrets_papers_and_accounts_are_never_sent_in_any_language(column: str) -> None:
    line = next(line for line in settle_mapping(["email", column]).lines() if line.column == column)
    assert line.field == NEVER


@pytest.mark.parametrize("column", ["Invoice State", "user_state", "Hometown", "user_name", "Amount Due", "Company ID"])
def test_what_only_reads_like_a_field_is_kept_as_metadata(column: str) -> None:
    line = next(line for line in settle_mapping(["email", column]).lines() if line.column == column)
    assert line.field == f"metadata.{column}"


@pytest.mark.parametrize("column", ["Swift deliveries", "nationality", "passenger", "Compass", "Bicycle", "Session"])
def test_words_that_only_begin_like_a_secret_are_kept(column: str) -> None:
    line = next(line for line in settle_mapping(["email", column]).lines() if line.column == column)
    assert line.field.startswith("metadata.")


@pytest.mark.parametrize("empty", ["", " ", "NULL"])
def test_another_phone_of_the_person_is_sent_where_the_surest_is_empty_and_it_is_said(empty: str) -> None:
    outlook = {"Home Phone": "1", "Business Phone": "2", "Mobile Phone": "3", "Primary Phone": "4"}
    assert params(outlook)["phone"] == "4"
    assert params({**outlook, "Primary Phone": empty})["phone"] == "3"
    assert params({**outlook, "Primary Phone": empty, "Mobile Phone": ""})["phone"] == "1"
    assert "phone" not in params(dict.fromkeys(outlook, ""))
    said = settle_mapping(["email", *outlook]).notices
    assert sum("In a row that has no phone there, this is sent." in notice for notice in said) == 3
    too_long = made({"email": "a@example.com", "phone": empty, "mobile": "0" * 21})
    assert isinstance(too_long, Invalid)
    assert [(problem.rule, problem.column) for problem in too_long.problems] == [("too-long", "mobile")]


def test_a_state_or_country_is_sent_by_its_name_where_its_code_is_empty() -> None:
    address = {"city": "Leeds", "state_code": "", "state": "Kent", "country_code": "", "country": "United Kingdom"}
    assert params(address)["address"] == {"city": "Leeds", "state": "Kent", "country": "GB"}
    assert params({**address, "state_code": "KEN", "country_code": "IE"})["address"] == {
        "city": "Leeds",
        "state": "KEN",
        "country": "IE",
    }


def test_nothing_is_put_together_of_what_may_be_of_another() -> None:
    region = {"state": "", "region": "EMEA", "city": "Rome"}
    billing = {"country": "", "billing_country": "IT", "city": "Rome", "billing_city": "Milan"}
    assert params(region)["address"] == params(billing)["address"] == {"city": "Rome"}


def test_what_is_put_around_every_record_is_looked_through() -> None:
    for whose in ("fields", "attributes", "properties", "_source", "profile"):
        told = params_of_json(whose, "email first_name last_name city state")
        assert told == {
            "email": "email",
            "first_name": FIRST,
            "last_name": LAST,
            "city": "address.city",
            "state": "address.state",
        }
    assert params_of_json("fields", "name state")["name"] == "metadata.fields.name", "nothing tells that it is a person"
    assert params_of_json("source", "email name")["name"] == "metadata.source.name", "where somebody came from"


def params_of_json(whose: str, entries: str) -> dict[str, str]:
    columns = {f"{whose}.{entry}": entry for entry in entries.split()}
    mapping = settle_mapping(None)
    mapping.plan(("id", *columns))
    return {columns[line.column]: line.field for line in mapping.lines() if line.column in columns}


def test_a_street_and_its_number_are_one_line_behind_a_prefix_and_for_who_is_shipped_to() -> None:
    billing = {"billing_street": "Main St", "billing_house_number": "12", "billing_city": "Leeds"}
    assert params(billing)["address"] == {"city": "Leeds", "line1": "12 Main St"}
    german = {"Rechnungsstraße": "Ring", "Rechnungshausnummer": "7", "Rechnungsort": "Bonn"}
    assert params(german)["address"] == {"city": "Bonn", "line1": "Ring 7"}
    adyen = {"billingAddress.street": "Ring", "billingAddress.houseNumberOrName": "7"}
    assert params(adyen)["address"] == {"line1": "7 Ring"}
    shipped = params({"name": "Ann", "shipping_street": "Way", "shipping_house_number": "3", "shipping_city": "York"})
    assert shipped["shipping"] == {"name": "Ann", "address": {"city": "York", "line1": "3 Way"}}
    assert "address" not in params({"billing_house_number": "12", "shipping_street": "Way", "shipping_name": "Ann"})


def test_the_number_stands_where_the_country_writes_it() -> None:
    for country, line1 in (("NL", "Ring 7 A"), ("US", "7 Ring A"), ("", "7 Ring A"), ("Germany", "Ring 7 A")):
        street = {"street_name": "Ring", "house_number": "7", "house_number_suffix": "A", "country": country}
        assert dict(params(street)["address"])["line1"] == line1  # type: ignore[call-overload]  # it is an object
    odd = {"Straße": "17. Juni", "Hausnummer": "5", "country": "DE"}
    assert params(odd)["address"] == {"country": "DE", "line1": "17. Juni 5"}
    assert params({"first_name": "50", "last_name": "Cent", "country": "DE"})["name"] == "50 Cent"


def test_halves_of_streets_of_two_addresses_are_not_put_together() -> None:
    home = {"home_street": "Ring", "home_house_number": "7", "home_city": "Bonn", "home_zip": "53111"}
    found = params({"billing_street": "Way", "billing_house_number": "3", **home})
    assert found["address"] == {"line1": "7 Ring", "city": "Bonn", "postal_code": "53111"}
