"""Columns that must never leave the file: secrets, and the data of cards and bank accounts, told by their names."""

from __future__ import annotations

import re
from collections.abc import Iterable

from bulk_import.customer.cards import holds_card
from bulk_import.wording import fold, names, words_of

_LANGUAGES = """
    password passwd passwort passphrase passcode kennwort motdepasse contrasena contrasenya claveacceso clavesecreta
    motpasse contrasenya contrasinal pasahitza katasandi matkhau slaptazodis parool  парола
    รหัสผ่าน كلمةالمرور पासवर्ड wachtwoord losenord passord adgangskode salasana lozinka пароль 密码 密碼 パスワード 비밀번호 סיסמה
"""
_OTHER_SECRETS = """
    privatekey apikey secretkey accesskey activationkey authkey sessionkey sessionid phpsessid
    recoverycode recoveryphrase backupcode seedphrase securityanswer secretanswer resetcode resetkey onetimecode
    geheimzahl securekey userpass passhash pwhash pwdhash userpwd hashedpw
"""
_SECRET_PARTS = tuple(map(fold, names(_LANGUAGES + _OTHER_SECRETS)))
_SECRET_WORDS = names(
    """
    pwd pw pswd psw secret secrets token tokens salt hash md5 sha sha1 sha256 sha512 totp otp mfa credential
    credentials cookie cookies mdp bcrypt scrypt argon2 pbkdf2 jwt senha haslo heslo jelszo parola sifre geslo kodeord
    2fa tfa
    """
)
# `pass` and `pin` are secrets by themselves and beside these words; a ski pass and a PIN code (India's zip) are none.
_SHORT_WORDS = names("pass passe pin")
_BESIDE_SHORT = names(
    """
    user users wp db login account admin customer member client web site portal ftp my old new current temp temporary
    initial default plain hashed encrypted security card atm
    """
)
_NATIONAL_ID = tuple(
    map(
        fold,
        names(
            """
            socialsecurity nationalinsurance sozialversicherungs rentenversicherungs securitesociale seguridadsocial
            segurancasocial burgerservicenummer personnummer personnumber personennummer fodselsnummer henkilotunnus
            nationalid nationalidentity swedishidentitynumber danishidentitynumber passportn passportid passnummer
            reisepass ausweisn personalausweis driverslicen driverlicen drivinglicen fuhrerschein
            """
        ),
    )
)
_NATIONAL_ID_WORDS = names("ssn bsn nino pesel sozialversnr svnr")
# "Do not store bank account numbers or card details in metadata" is Stripe's own rule.
_BANK = names(
    """
    bankaccount bankaccountnumber bankaccountno accountnumber accountno acctnumber acctno routingnumber sortcode
    bankroutingnumber kontonummer kontonr bankkonto bankverbindung bankleitzahl blz numerodecuenta numerocuenta
    cuentabancaria numerocompte numerodecompte comptebancaire rib rekeningnummer numeroconto numerodiconto
    contocorrente numeroconta contabancaria bic bicswift swiftbic swift swiftcode swiftbiccode biccode kontoinhaber
    accountholder accountholdername numerodecuentabancaria numerocontocorrente
    """
)
_CARD_NUMBER = frozenset(
    map(
        fold,
        names(
            """
            cardnumber cardnum cardno cardnr creditcard creditcardnumber creditcardnum creditcardno
            creditcardnummer debitcard debitcardnumber ccnumber ccnum ccno ccnr pan primaryaccountnumber
            paymentcardnumber kartennummer kartennr kreditkarte kreditkartennummer kreditkartennr numerocarte
            numerodecarte nocarte numcarte cartebancaire cartebleue numerocartebancaire numerocartebleue
            cartedecredit numerotarjeta numerodetarjeta tarjetadecredito tarjetacredito numerocartao
            numerodocartao cartaodecredito cartaocredito numerocarta numerodicarta cartadicredito kaartnummer
            kortnummer numerkarty cislokarty kartnumarasi номеркарты 卡号 カード番号
            """
        ),
    )
)
_CARD_CODE = names(
    """
    cvc cvv ccv csc cvv2 cvc2 securitycode cardcode cardverificationvalue cardsecuritycode prufziffer kartenprufnummer
    codigoseguridad codigodeseguridad codesecurite cryptogramme cryptogrammevisuel codigodeseguranca
    codicesicurezza codicedisicurezza veiligheidscode sicherheitscode kartenprufziffer
    """
)
_CARD_PARTS = names(
    """
    number name holder cardholdername holdername expmonth expyear exp expiry expiration expirationmonth expirationyear
    expirationdate expirydate expdate last4 lastfour lastfourdigits first6 bin brand type funding fingerprint id token
    addressline1 addressline2 addresscity addressstate addresscountry addresszip issuecountry issuer cvcstatus
    avszipstatus avsline1status tokenizationmethod maskednumber transactionids country uniquenumberidentifier
    """
)
_CARD_CODE_WORDS = names("cvc cvv ccv cvc2 cvv2")
# A date of expiry is a subscription's, and a CID the customer's own id, unless something of a card stands beside it.
_BESIDE_CARD = names(
    "expiry expirydate expires expiration expirationdate validuntil exp cid ablaufdatum verfallsdatum gultigbis gueltigbis"
)
_CARD_HOLDER = names(
    """
    nameoncard nameofcardholder karteninhaber titulardelatarjeta titulartarjeta titolarecarta titolaredellacarta
    lastfourofcreditcard lastfourofcard last4ofcreditcard last4ofcard lastfourdigitsofcreditcard lastfourdigitsofcard
    last4digits lastfourdigits last4 lastfour
    kaarthouder porteurdelacarte titulairedelacarte nomsurlacarte titulardocartao validthru
    """
)
_EXPIRY = names(
    """
    expmonth expyear expirymonth expiryyear expirationmonth expirationyear ccexp expdate expmonthyear expirymonthyear
    expirationmonthyear
    """
)
_SWITCHES = ("enabled", "required")
"""Endings of names that only say whether there is a secret (`mfa_enabled`)."""

_CARD_PREFIXES = ("creditcard", "debitcard", "paymentcard", "card", "cc")
_HEX = re.compile(r"(?:[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{56}|[0-9a-fA-F]{64}|[0-9a-fA-F]{128})")
# A stored password names its method: modular crypt ($2b$), PHPass ($P$), LDAP ({SSHA}), Django and Werkzeug (pbkdf2).
_HASH = re.compile(
    r"""(?<![^\s"':,=\[])(?:
      \$(?:2[abxy]?\$\d\d\$|argon2[a-z]*\$|scrypt\$|pbkdf2[-_a-z0-9]*\$|[156y]\$[^$\s]+\$|[PHS]\$)[./0-9A-Za-z=+,$-]{8}
    | \{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT|PBKDF2[-_A-Z0-9]*|BCRYPT|ARGON2)\}[./0-9A-Za-z=+$]{12}
    | (?:pbkdf2|scrypt|bcrypt|argon2)[_a-z0-9]*[$:]\S*\$\S{8}
    )""",
    re.VERBOSE,
)

# What forms and templates add behind a name: `Password [Required]`, `Sort Code (UK)`.
_NOTE = re.compile(r"\s+[\[(][^\])]*[\])]\s*\Z")

# 64 bytes in base64, as Firebase and others write the hash of a password where no column says so.
_BASE64 = re.compile("[A-Za-z0-9+/_-]{86}==")


def never_sent(column: str, others: Iterable[str] = ()) -> str | None:
    """Why a column of this name is never sent, as the end of a sentence, or None when it may be.

    *others* are the folded names of the columns beside it, by which an ambiguous name is told.
    """
    found = _never_sent(column, others)
    if found is None and column.rstrip()[-1:] in ("]", ")"):
        return _never_sent(_NOTE.sub("", column), others)
    return found


def _never_sent(column: str, others: Iterable[str]) -> str | None:
    folded = fold(column)
    if holds_card(column):
        return "is a card number by its very name, which must never pass through this tool"
    if _is_number(folded):
        return "is for card numbers, which must never pass through this tool"
    if folded in _CARD_CODE or _after_card(folded) in _CARD_CODE:
        return "is for card security codes, which nobody may keep"
    if folded in _EXPIRY or folded in _CARD_HOLDER or _after_card(folded) in _CARD_PARTS:
        return "belongs to a card; cards come as payment methods only"
    if folded in _BESIDE_CARD and any(map(_is_of_card, others)):
        return "stands beside a card's data and seems to belong to it; cards come as payment methods only"
    words = frozenset(map(fold, words_of(column)))
    if not _CARD_CODE_WORDS.isdisjoint(words):
        return "is for card security codes, which nobody may keep"
    if any(part in folded for part in _NATIONAL_ID) or not _NATIONAL_ID_WORDS.isdisjoint(words):
        return "is for numbers of identity papers, which no payment needs"
    if folded in _BANK or "iban" in words or "bankaccount" in folded:
        return "belongs to a bank account, which Stripe does not want in metadata"
    if any(part in folded for part in _SECRET_PARTS) or not _SECRET_WORDS.isdisjoint({*words, folded}):
        return None if folded.endswith(_SWITCHES) else "looks like a secret"
    if not _SHORT_WORDS.isdisjoint(words) and words <= _SHORT_WORDS | _BESIDE_SHORT:
        return "looks like a secret"
    return None


def is_card_number(column: str) -> bool:
    """Whether a column of this name is for raw card numbers or security codes, which no option lets through."""
    folded = fold(_NOTE.sub("", column))
    return holds_card(column) or _is_number(folded) or folded in _CARD_CODE or _after_card(folded) in _CARD_CODE


def is_hash(column: str, text: str) -> bool:
    """Whether a cell holds a stored password: a hash that names its method, or bare hex digits under a digest's name.

    A digest of news is a word, so that a column of that name is judged by its cells.
    """
    if "$" in text or "{" in text:
        return _HASH.search(text) is not None
    if text.endswith("=="):
        return _BASE64.fullmatch(text) is not None
    return _HEX.fullmatch(text) is not None and "digest" in words_of(column)


def _is_number(folded: str) -> bool:
    return folded in _CARD_NUMBER


def _is_of_card(folded: str) -> bool:
    name = folded.removeprefix("metadata")
    part = _after_card(name)
    return _is_number(name) or name in _CARD_CODE | _EXPIRY | _CARD_HOLDER or part in _CARD_CODE or part in _CARD_PARTS


def _after_card(folded: str) -> str:
    for prefix in _CARD_PREFIXES:
        if folded.startswith(prefix) and len(folded) > len(prefix):
            return folded[len(prefix) :]
    return ""
