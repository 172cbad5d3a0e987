"""The names that columns of people have, in the exports of Stripe, shops and billing systems and in everyday files.

Within one parameter the names stand in order of preference: of two columns that mean the same, the earlier name wins.
All are folded (see `wording.fold`). Reading tells a header from a title by them, mapping finds the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

ADDRESS = {
    "line1": "line1 addressline1 address1 street1 streetaddress1 streetaddress addressstreet streetline1 street address"
    " addressline strasse rue calle direccion adresse anschrift",
    "line2": "line2 addressline2 address2 street2 streetaddress2 streetline2 apartment suite adresszusatz",
    "city": "city addresscity town locality suburb ort stadt ville ciudad citta",
    "state": "statecode provincecode regioncode state addressstate province stateprovince provincestate region"
    " bundesland provincia county",
    "postal_code": "postalcode addresspostalcode postcode zip zipcode addresszip postal zippostalcode postalzip plz"
    " postleitzahl pincode codepostal codigopostal",
    "country": "countrycode countryiso countryiso2 addresscountrycode country addresscountry countryname"
    " countryregion land pays pais paese",
}
BILLING_PREFIXES = (
    "",
    "billing",
    "billingaddress",
    "defaultaddress",
    "account",
    "address",
    "mailing",
    "home",
    "invoice",
)
SHIPPING_PREFIXES = ("shipping", "shippingaddress", "shipto", "delivery", "deliveryaddress")

PLAIN: dict[tuple[str | int, ...], str] = {
    ("email",): "email emailaddress mail useremail primaryemail primaryemailaddress customeremail contactemail"
    " accountemail billingemail billingaddressemail workemail personalemail loginemail emailid mailaddress emailadresse"
    " courriel adressemail correo correoelectronico",
    ("name",): "name fullname customername displayname contactname accountname legalname nombrecompleto",
    ("business_name",): "businessname company companyname organization organisation organizationname"
    " organisationname accountcompanyname accountcompany billingcompany billingaddresscompany defaultaddresscompany"
    " firma empresa societe",
    ("individual_name",): "individualname",
    ("phone",): "phone phonenumber telephone telephonenumber tel primaryphone primaryphonenumber mobile mobilephone"
    " mobilenumber cell cellphone customerphone contactphone accountphone billingphone billingaddressphone"
    " defaultaddressphone telefon telefonnummer telefono",
    ("description",): "description customerdescription notes note",
    ("preferred_locales",): "preferredlocales preferredlocale locale preferredlanguage language languagecode sprache",
    ("tax_exempt",): "taxexempt istaxexempt taxexemption taxability",
    ("payment_method",): "paymentmethod paymentmethodid stripepaymentmethod stripepaymentmethodid",
    ("tax", "ip_address"): "taxipaddress",
    ("shipping", "name"): "shippingname shippingfullname shippingaddressname deliveryname shiptoname recipientname",
    ("shipping", "phone"): "shippingphone shippingaddressphone shippingphonenumber deliveryphone shiptophone",
    ("tax_id_data", 0, "type"): "taxidtype taxidtype0 vattype",
    ("tax_id_data", 0, "value"): "taxidvalue",
}
NAME_PARTS: dict[Literal["first", "middle", "last"], str] = {
    "first": "firstname givenname fname forename vorname prenom nombre",
    "middle": "middlename middleinitial",
    "last": "lastname familyname lname surname nachname familienname apellido apellidos",
}
VAT = (
    "vatnumber vatid vat vatin taxid taxnumber taxidnumber businessvatid euvat euvatnumber vatregistrationnumber"
    " billingvatnumber accountvatnumber ustid ustidnr umsatzsteuerid nif tva numerotva partitaiva btwnummer"
)
NAME_PREFIXES = ("", "customer", "account", "billing", "billingaddress", "user")


def spelled_with(listed: str, prefixes: tuple[str, ...] = ("",)) -> Iterator[tuple[str, int]]:
    """Each listed name behind each prefix, with its rank: lower is preferred."""
    for step, prefix in enumerate(prefixes):
        for place, name in enumerate(listed.split()):
            yield prefix + name, 1 + 100 * step + place


def known_names() -> frozenset[str]:
    """Every name there is, behind any prefix it may have."""
    plain = [(listed, ("",)) for listed in (*PLAIN.values(), VAT)]
    parts = [(listed, NAME_PREFIXES + SHIPPING_PREFIXES) for listed in NAME_PARTS.values()]
    address = [(listed, BILLING_PREFIXES + SHIPPING_PREFIXES) for listed in ADDRESS.values()]
    return frozenset(
        name for listed, prefixes in (*plain, *parts, *address) for name, _ in spelled_with(listed, prefixes)
    )
