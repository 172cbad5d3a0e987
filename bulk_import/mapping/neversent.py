"""Columns that must never leave the file: secrets, and the data of cards and bank accounts, told by their names."""

from __future__ import annotations

from bulk_import.wording import fold, names, words_of

_SECRET_PARTS = ("password", "passwd", "passwort", "passphrase", "socialsecurity", "privatekey", "apikey")
_SECRET_WORDS = names("pwd secret secrets token tokens salt hash ssn totp otp mfa credential credentials cookie bcrypt")
# "Do not store bank account numbers or card details in metadata" is Stripe's own rule.
_BANK = names("iban bankaccount bankaccountnumber routingnumber sortcode bankroutingnumber bankaccountiban")
_CARD_NUMBER = names(
    "cardnumber creditcardnumber debitcardnumber ccnumber ccnum pan primaryaccountnumber cardno creditcard"
    " kreditkartennummer paymentcardnumber"
)
_CARD_CODE = names("cvc cvv cvv2 cvc2 securitycode cardcode cardverificationvalue cardsecuritycode")
_CARD_PARTS = names(
    """
    number name holder cardholdername holdername expmonth expyear exp expiry expiration expirationmonth expirationyear
    expirationdate expirydate expdate last4 lastfour lastfourdigits first6 bin brand type funding fingerprint id token
    addressline1 addressline2 addresscity addressstate addresscountry addresszip issuecountry issuer cvcstatus
    avszipstatus avsline1status tokenizationmethod maskednumber transactionids country uniquenumberidentifier
    """
)
_EXPIRY = names("expmonth expyear expirymonth expiryyear expirationmonth expirationyear ccexp expdate")
_CARD_PREFIXES = ("creditcard", "debitcard", "paymentcard", "card", "cc")


def never_sent(column: str) -> str | None:
    """Why a column of this name is never sent, as the end of a sentence, or None when it may be."""
    folded = fold(column)
    if _is_number(folded):
        return "is for card numbers, which must never pass through this tool"
    if folded in _CARD_CODE or _after_card(folded) in _CARD_CODE:
        return "is for card security codes, which nobody may keep"
    if folded in _EXPIRY or _after_card(folded) in _CARD_PARTS:
        return "belongs to a card; cards come as payment methods only"
    if folded in _BANK:
        return "belongs to a bank account, which Stripe does not want in metadata"
    if any(part in folded for part in _SECRET_PARTS) or not _SECRET_WORDS.isdisjoint(words_of(column)):
        return "looks like a secret"
    return None


def is_card_number(column: str) -> bool:
    """Whether a column of this name is for raw card numbers or security codes, which no option lets through."""
    folded = fold(column)
    return _is_number(folded) or folded in _CARD_CODE or _after_card(folded) in _CARD_CODE


def _is_number(folded: str) -> bool:
    return folded in _CARD_NUMBER


def _after_card(folded: str) -> str:
    for prefix in _CARD_PREFIXES:
        if folded.startswith(prefix) and len(folded) > len(prefix):
            return folded[len(prefix) :]
    return ""
