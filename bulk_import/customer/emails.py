"""What an e-mail address may look like, and the key by which two addresses are one person's."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal

EmailCheck = Literal["strict", "basic", "off"]
EMAIL_LIMIT = 512

# Clears the common case at once (0.3 µs against 30 µs); whatever it does not match is not wrong, only undecided.
_PLAIN = re.compile(
    r"[A-Za-z0-9_+-]++(?:\.[A-Za-z0-9_+-]++)*+@"
    r"(?:[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*\.)+"
    r"(?!(?i:test|local|localhost|invalid|onion|arpa)$)[A-Za-z]{2,24}"
)
is_plain = _PLAIN.fullmatch
"""Something true for an address that is one by any check, as long as it is no longer than `PLAIN_LIMIT`."""

PLAIN_LIMIT = 64
"""Local part and domain each have limits of their own (64 and 253) that nothing this short can break."""

_OTHER_DOTS = "．。｡"
"""What stands for a dot in domains by Unicode's rules, and by Stripe's not."""

_BASIC = re.compile(r"[^@\s]+@[^@\s.]+(?:\.[^@\s.]+)+")

_BETWEEN = re.compile(r"[\s;,|/&<>:]+")


def email_fault(email: str, check: EmailCheck = "strict") -> str | None:
    """Why *email* is no address, as the end of a sentence, or None when it is one.

    `strict` asks email-validator wherever a plain pattern cannot decide (no look-up on the network),
    `basic` only wants something on both sides of one `@` and a dot behind it, `off` only limits the length.
    """
    if len(email) > EMAIL_LIMIT:
        return f"it has {len(email)} characters and at most {EMAIL_LIMIT} are allowed"
    if check == "off":
        return None
    if check == "basic":
        return None if _BASIC.fullmatch(email) else "it is not of the form name@domain.tld"
    if len(email) <= PLAIN_LIMIT and is_plain(email):
        return None
    return _judged(email)


def email_key(email: str) -> str:
    """What e-mails are compared by: trimmed, NFC, lower-cased, the domain in IDNA form.

    Not case-folded (`weiß@` is not `weiss@`), and neither dots nor a `+tag` are removed (design.md,
    "Who is already in Stripe"). The key of a key is the key itself.
    """
    if email.isascii():
        return email.strip().lower()
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", email.strip()).lower()).strip()
    local, at, domain = text.rpartition("@")
    return text if domain.isascii() else local + at + _idna(domain)


def spellings(email: str) -> list[str]:
    """*email* as given and with its domain spelled the other way, in IDNA form or in letters: what exact searches need."""
    given = email.strip()
    local, at, domain = given.rpartition("@")
    found = [given]
    if not given.isascii():
        found += [unicodedata.normalize("NFC", given), email_key(given)]
    if domain.isascii() and "xn--" in domain.lower():
        found.append(local + at + _letters(domain))
    return list(dict.fromkeys(found))


def _letters(domain: str) -> str:
    import idna  # as below

    try:
        return idna.decode(domain)
    except (idna.IDNAError, UnicodeError):
        return domain


def _idna(domain: str) -> str:
    import idna  # costs milliseconds to import and is needed for very few addresses

    try:
        return idna.encode(domain, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError):
        return domain


def _judged(email: str) -> str | None:
    if (dot := next((sign for sign in _OTHER_DOTS if sign in email.rpartition("@")[2]), None)) is not None:
        return f"its domain has the sign {dot} (U+{ord(dot):04X}) for a dot, which Stripe refuses; write a plain one"
    held = [part for part in _BETWEEN.split(email) if "@" in part]
    if len(held) > 1 and all(map(_BASIC.fullmatch, held)):
        return f"it holds {len(held)} addresses, and a customer has one"
    import email_validator  # costs 40 ms to import, which `--help` must not pay

    try:
        email_validator.validate_email(email, check_deliverability=False)
    except email_validator.EmailNotValidError as error:
        return _as_clause(str(error))
    return None


def _as_clause(sentence: str) -> str:
    text = sentence.strip().rstrip(".")
    return text[:1].lower() + text[1:]
