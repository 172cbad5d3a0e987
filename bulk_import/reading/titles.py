"""Names that columns of people usually have: enough to tell a header from a title above it."""

from __future__ import annotations

from collections.abc import Sequence

from bulk_import.wording import fold, names

_TITLES = names(
    """
    id userid customerid accountid memberid uid uuid guid key no nr number customernumber kundennummer externalid ref
    email emailaddress mail useremail primaryemail customeremail billingemail emailadresse courriel correo
    correoelectronico address1 address2
    name fullname firstname lastname middlename givenname familyname surname displayname username nickname contactname
    customername vorname nachname nom prenom nombre apellido apellidos
    company companyname organization organisation firma empresa societe
    phone phonenumber telephone tel mobile mobilephone telefon telefono fax
    address line1 line2 street streetaddress addressline1 addressline2 city town state province region zip zipcode
    postalcode postcode country countrycode strasse plz ort stadt land ville codepostal pays ciudad
    note notes comment comments description tag tags role roles group groups label labels segment interests
    plan status type title language locale currency timezone active enabled verified
    created createdat createdate signupdate signedup registered updated updatedat lastlogin birthday dateofbirth
    balance amount total vat vatnumber vatid taxid website url source paymentmethod stripeid
    """
)


def are_titles(cells: Sequence[str]) -> bool:
    """Whether a row is made of column names: half of all are known, and they are two or the address's."""
    filled = [fold(cell) for cell in cells if cell.strip()]
    known = [name for name in filled if name in _TITLES]
    enough = len(known) > 1 or any("mail" in name for name in known)
    return enough and 1 < len(filled) <= 2 * len(known) and len(set(filled)) == len(filled)
