"""Finds card numbers in text, so that raw card data never passes through.

A bare Luhn test would refuse a tenth of all long ids, so a number counts as a card's only with a known
issuer's prefix, a length that issuer uses, and a valid check digit (design.md, "What a customer may contain").
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bulk_import.wording import terminal_safe

SHORTEST = 14
"""Fewest characters that can hold a card number."""

# Pieces of any length, with a space or a dash between, that no letter or digit touches. The look behind comes second,
# as a pattern that starts with a digit is searched for much faster.
_RUN = re.compile(r"[0-9](?<![0-9A-Za-z][0-9])(?:[ \u00a0\u2010-\u2015-]?[0-9]){13,}(?![0-9A-Za-z])")
# One piece or groups as printed on cards, whatever signs stand between them and whatever letters touch them.
# It consumes the first four digits alone, so that a number behind four others is found, too.
_PRINTED = re.compile(
    r"""[2-6][0-9]{3}(?<![0-9]{5})(?=(
        [0-9]{10,15}
      | [^0-9A-Za-z]{1,3}(?:
            [0-9]{4}[^0-9A-Za-z]{1,3}[0-9]{4}[^0-9A-Za-z]{1,3}[0-9]{4}(?:[^0-9A-Za-z]{1,3}[0-9]{3}(?![0-9]))?
          | [0-9]{6}[^0-9A-Za-z]{1,3}[0-9]{4,5}
        )
    )(?![0-9]))""",
    re.VERBOSE,
)
_FOREIGN_DIGIT = re.compile("[\u0660-\u0669\u06f0-\u06f9\u0966-\u096f\uff10-\uff19]")
_LETTERS_AND_DIGITS = re.compile("[0-9A-Za-z]*")
_UUID = re.compile(r"(?<![0-9A-Za-z])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![0-9A-Za-z])")
_IBAN = re.compile(r"(?<![0-9A-Za-z])[A-Z]{2}[0-9]{2}(?: ?[0-9A-Z]){10,30}(?![0-9A-Za-z])")
_PIECE = re.compile(r"[0-9]+")
_ISSUER = re.compile(
    r"""(?:
      4(?:[0-9]{15}|[0-9]{18})                                            # Visa
    | (?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}  # Mastercard
    | 3[47][0-9]{13}                                                      # American Express
    | 3(?:0[0-59]|[689][0-9])[0-9]{11,16}                                 # Diners Club
    | (?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}                        # Discover
    | 35(?:2[89]|[3-8][0-9])[0-9]{12,15}                                  # JCB
    | 62[0-9]{14,17}                                                      # UnionPay
    | (?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{12,15}              # Maestro
    | 220[0-4][0-9]{12,15}                                                # Mir
    )""",
    re.VERBOSE,
)
_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def holds_card(text: str) -> bool:
    """Whether *text* contains a card number, in one piece or in groups.

    Letters may touch it (`x4242…`, `ch_4242…`) if their word has no other digit: any more is an opaque id, as UUIDs
    are. IBANs are told by their check digits.
    """
    text = _with_plain_digits(text)
    if _RUN.search(text) is None and _PRINTED.search(text) is None:
        return False
    return next(_card_spans(text), None) is not None


def mask_cards(text: str) -> str:
    """*text* with all but the last four digits of every card number replaced by asterisks."""
    plain = _with_plain_digits(text)
    while spans := sorted(_card_spans(plain)):  # what is left of one number may be the beginning of the next
        done = 0
        for start, end in spans:
            if start >= done:
                hidden = "".join(_PIECE.findall(plain[start:end]))[-4:].rjust(end - start, "*")
                text, plain = text[:start] + hidden + text[end:], plain[:start] + hidden + plain[end:]
                done = end
    return text


def shown(text: str) -> str:
    """A value of the source as a message may quote it: card numbers masked, shortened, safe for a terminal."""
    return terminal_safe(mask_cards(text))


def _with_plain_digits(text: str) -> str:
    """*text*, sign by sign, with full-width and other scripts' digits written as 0 to 9."""
    return text if text.isascii() else _FOREIGN_DIGIT.sub(lambda found: str(int(found.group())), text)


def _card_spans(text: str) -> Iterator[tuple[int, int]]:
    for start, end in _numbers(text):
        if not any(first <= start and end <= last for first, last in _other_numbers(text)):
            yield start, end


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(text):
        yield from _cards_in_run(run.group(), run.start())
    for printed in _PRINTED.finditer(text):
        for start, end in _cards_in_run(text[printed.start() : printed.end(1)], printed.start()):
            if _is_only_number_of_word(text, start, end):
                yield start, end


def _is_only_number_of_word(text: str, start: int, end: int) -> bool:
    around = text[max(0, start - 64) : start][::-1], text[end : end + 64]
    touching = "".join(_LETTERS_AND_DIGITS.match(each).group() for each in around)  # type: ignore[union-attr]
    return not any(map(str.isdigit, touching))


def _other_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Where the UUIDs and the IBANs are."""
    yield from (found.span() for found in _UUID.finditer(text))
    yield from (found.span() for found in _IBAN.finditer(text) if _is_iban(found.group().replace(" ", "")))


def _is_iban(text: str) -> bool:
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1


def _cards_in_run(run: str, offset: int) -> Iterator[tuple[int, int]]:
    pieces = [(piece.start(), piece.end()) for piece in _PIECE.finditer(run)]
    first = 0
    while first < len(pieces):
        last = next((last for last in range(first, len(pieces)) if _is_card(run, pieces[first : last + 1])), None)
        if last is not None:
            yield offset + pieces[first][0], offset + pieces[last][1]
            first = last
        first += 1


def _is_card(run: str, pieces: list[tuple[int, int]]) -> bool:
    digits = "".join(run[start:end] for start, end in pieces)
    return 14 <= len(digits) <= 19 and _ISSUER.fullmatch(digits) is not None and _has_check_digit(digits)


def _has_check_digit(digits: str) -> bool:
    total = sum(int(digit) for digit in digits[-1::-2])
    total += sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0
