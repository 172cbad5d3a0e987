"""The names that columns of people have, in the exports of Stripe, shops and billing systems and in everyday files.

Within one parameter the names stand in order of preference: of two columns that mean the same, the earlier name wins.
All are folded (see `wording.fold`). Reading tells a header from a title by them, mapping finds the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

ADDRESS = {
    "line1": "line1 addressline1 address1 street1 streetaddress1 streetaddress addressstreet streetline1 street address"
    " addressline strasse strassenr strassehausnummer strassehausnr strasseundhausnummer strasseundnummer rue voie calle"
    " domicilio direccion adresse anschrift indirizzo straat straatnaam adres endereco logradouro morada firstline"
    " address12 streetname strassenname",
    "line2": "line2 addressline2 address2 street2 streetaddress2 streetline2 apartment suite adresszusatz secondline"
    " extendedaddress addressextended addressline2districtneighborhood complementdadresse complementadresse complemento adresstoevoeging",
    "city": "city addresscity town locality citylocality citysuburb citytown towncity suburb ort wohnort stadt gemeinde"
    " ville localite commune ciudad poblacion localidad municipio citta comune plaats woonplaats stad cidade localidade"
    " municipality",
    "state": "statecode provincecode regioncode stateabbreviation stateabbr state addressstate province stateprovince"
    " provincestate region stateregion regionstate stateprovinceregion stateprovinceregioncountyterritoryprefecturerepublic stateorprovince stateorregion bundesland kanton"
    " canton departement provincia county statecounty countystate estado provincie uf",
    "postal_code": "postalcode addresspostalcode postcode zip zipcode addresszip postal zippostalcode postalzip"
    " zippostcode postcodezip zippostal postalcodezip postalcodezipcode ziporpostalcode plz postleitzahl pincode codepostal codigopostal"
    " codicepostale cep",
    "country": "countrycode countryiso countryiso2 countryisocode countrycodealpha2 addresscountrycode country"
    " addresscountry addresscountryid countryname countryregion countrycodeiso landcode landiso land pays codepays pais"
    " codigopais paese nazione codicepaese staat",
}
BILLING_PREFIXES = (
    "",
    "billing",
    "billingaddress",
    "defaultaddress",
    "account",
    "address",
    "mailing",
    "mailingaddress",
    "home",
    "homeaddress",
    "invoice",
    "invoiceaddress",
    "primaryaddress",
    "contact",
    "billto",
    "bill",
    "business",
    "businessaddress",
    "rechnungs",
    "rechnungsadresse",
    "po",
    "companyaddress",
    "address1",
)
WHOSE_ADDRESS = {
    "billing": "billing billingaddress invoice invoiceaddress billto bill rechnungs rechnungsadresse",
    "mailing": "mailing mailingaddress",
    "home": "home homeaddress",
    "business": "business businessaddress companyaddress",
}
"""The prefixes that tell one address of a person from another; the others may be of any. The first address is the likeliest."""

SHIPPING_PREFIXES = (
    "shipping",
    "shippingaddress",
    "shipto",
    "delivery",
    "deliveryaddress",
    "ship",
    "liefer",
    "lieferadresse",
    "sa",
)

PLAIN: dict[tuple[str | int, ...], str] = {
    ("email",): "email emailaddress mail useremail primaryemail primaryemailaddress customeremail contactemail"
    " accountemail mainemail billingemail billingaddressemail workemail personalemail loginemail emailid mailaddress emailadresse"
    " courriel adressemail adresseemail correo correoelectronico emailadres indirizzoemail postaelettronica"
    " direccionemail enderecodeemail enderecoeletronico epost epostadresse emailprimary email1 email1value"
    " memberemail subscriberemail clientemail buyeremail purchaseemail owneremail useremailaddress"
    " contactemailaddress billingemailaddress billtoemail billtoworkemail emailaddress1 emailwork homeemail",
    ("name",): "name fullname customername displayname contactname clientname membername"
    " subscribername buyername completename nombrecompleto nombreyapellidos nomcomplet nomecompleto volledigenaam"
    " vollstandigername",
    ("business_name",): "businessname company companyname organization organisation organizationname"
    " organisationname organization1name accountcompanyname accountcompany billingcompany billingaddresscompany billtocompany"
    " defaultaddresscompany addresscompany firma firmenname unternehmen empresa razonsocial razaosocial nomedaempresa"
    " societe entreprise raisonsociale nomsociete azienda ragionesociale nomeazienda bedrijf bedrijfsnaam",
    ("individual_name",): "individualname",
    ("phone",): "phone phonenumber telephone telephonenumber tel primaryphone primaryphonenumber mobile mobilephone"
    " mobilenumber mobilephonenumber cell cellphone cellnumber customerphone contactphone contactphonenumber contactnumber accountphone billtophone"
    " billingphone billingphonenumber billingaddressphone defaultaddressphone addressphone addresstelephone phone1"
    " phone1value mainphone homephone workphone businessphone phonemobile phonehome phonework"
    " telefon telefonnummer telefonnr rufnummer mobil mobiltelefon mobilnummer handy handynummer telefono"
    " numerodetelefono telefonomovil movil numerotelephone numerodetelephone telephoneportable telephonemobile"
    " cellulare telefonocellulare telefoonnummer telefoon mobiel mobielnummer telefone telemovel celular",
    ("description",): "description customerdescription notes note bemerkung bemerkungen notiz notizen anmerkung"
    " anmerkungen kommentar remarques remarque commentaire commentaires notas observaciones observacoes opmerking"
    " opmerkingen",
    ("preferred_locales",): "preferredlocales preferredlocale locale preferredlanguage language languagecode lang"
    " langcode userlanguage sprache langue idioma lingua taal",
    ("tax_exempt",): "taxexempt istaxexempt taxexemption taxability accounttaxexempt",
    ("payment_method",): "paymentmethod paymentmethodid stripepaymentmethod stripepaymentmethodid",
    ("tax", "ip_address"): "taxipaddress",
    ("shipping", "name"): "shippingname shippingfullname shippingaddressname deliveryname shiptoname recipientname"
    " liefername",
    ("shipping", "phone"): "shippingphone shippingaddressphone shippingphonenumber deliveryphone shiptophone",
    ("tax_id_data", 0, "type"): "taxidtype taxidtype0 vattype",
    ("tax_id_data", 0, "value"): "taxidvalue",
}
NAME_PARTS: dict[Literal["first", "middle", "last"], str] = {
    "first": "firstname givenname fname forename firstnames givennames vorname prenom nombre voornaam primeironome",
    "middle": "middlename middleinitial tussenvoegsel",
    "last": "lastname familyname lname surname nachname familienname zuname apellido apellidos cognome nomdefamille"
    " achternaam sobrenome apelido apelidos",
}
WEAK_NAMES = "accountname legalname nom nome naam billingname billingfullname billtoname"
"""Whole names that give way to a first and a last name in the same file."""

HOUSE_NUMBERS = {
    "housenumber housenum houseno streetnumber streetno housenumberorname": "before",
    "hausnummer hausnr huisnummer huisnr numerocivico civico": "behind",
}
"""Columns that hold half of the first line of an address, and on which side of the street it is written."""

HOUSE_ADDITIONS = "toevoeging huisnummertoevoeging housenumberaddition housenumbersuffix hausnummerzusatz"

VAT = (
    "vatnumber vatid vat vatin taxid taxnumber taxidnumber businessvatid euvat euvatnumber vatregistrationnumber"
    " vatregistrationno vatregno vatno vatnr vatcode taxvat taxvatnumber addressvatid billingvatnumber"
    " accountvatnumber ustid ustidnr ustidnummer umsatzsteuerid uidnummer mwstnummer mwstnr nif nifcif cif tva"
    " numerotva numtva ntva tvaintracommunautaire numerotvaintracommunautaire ntvaintracommunautaire partitaiva piva"
    " btwnummer btwnr btwid abn gstin gstnumber"
)
NAME_PREFIXES = (
    "", "customer", "account", "billing", "billingaddress", "user", "contact", "billto", "member", "client",
)  # fmt: skip


_STEP = 100


def rank_of(step: int, place: int = 0) -> int:
    """The rank of the name at a *place* of a list, behind the prefix of a *step*."""
    return 1 + _STEP * step + place


def prefix_of(rank: int) -> int:
    """The place of the prefix behind which a name of this rank was found (see `spelled_with`)."""
    return rank // _STEP


def spelled_with(listed: str, prefixes: tuple[str, ...] = ("",)) -> Iterator[tuple[str, int]]:
    """Each listed name behind each prefix, with its rank: lower is preferred.

    `billing_address_state` is the state of the billing address, and no `address_state` behind a prefix.
    """
    every = listed.split()
    for step, prefix in enumerate(prefixes):
        longer = prefix and f"{prefix}address" in prefixes
        for place, name in enumerate(every):
            if longer and name.startswith("address") and name.removeprefix("address") in every:
                continue
            yield prefix + name, rank_of(step, place)


def known_names() -> frozenset[str]:
    """Every name there is, behind any prefix it may have."""
    plain = [(listed, ("",)) for listed in (*PLAIN.values(), VAT, WEAK_NAMES)]
    parts = [(listed, NAME_PREFIXES + SHIPPING_PREFIXES) for listed in NAME_PARTS.values()]
    address = [(listed, BILLING_PREFIXES + SHIPPING_PREFIXES) for listed in ADDRESS.values()]
    house = [(listed, ("",)) for listed in (*HOUSE_NUMBERS, HOUSE_ADDITIONS)]
    return frozenset(
        name for listed, prefixes in (*plain, *parts, *address, *house) for name, _ in spelled_with(listed, prefixes)
    )
