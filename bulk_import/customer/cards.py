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

# No letter or digit may touch the run: digits inside an opaque id are not a card. The look behind comes second,
# as a pattern that starts with a digit is searched for much faster.
_RUN = re.compile(r"[0-9](?<![0-9A-Za-z][0-9])(?:[ \u00a0\u2010-\u2015-]?[0-9]){13,}(?![0-9A-Za-z])")
_PIECE = re.compile(r"[0-9]+")
_ISSUER = re.compile(
    r"""(?:
      4(?:[0-9]{15}|[0-9]{18})                                            # Visa
    | (?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}  # Mastercard
    | 3[47][0-9]{13}                                                      # American Express
    | 3(?:0[0-5]|[689][0-9])[0-9]{11}                                     # Diners Club
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
    """Whether *text* contains a card number, written in one piece or with spaces or dashes between."""
    return _RUN.search(text) is not None and next(_card_spans(text), None) is not None


def mask_cards(text: str) -> str:
    """*text* with all but the last four digits of every card number replaced by asterisks."""
    for start, end in _card_spans(text):
        number = "".join(_PIECE.findall(text[start:end]))
        text = text[:start] + number[-4:].rjust(end - start, "*") + text[end:]
    return text


def shown(text: str) -> str:
    """A value of the source as a message may quote it: card numbers masked, shortened, safe for a terminal."""
    return terminal_safe(mask_cards(text))


def _card_spans(text: str) -> Iterator[tuple[int, int]]:
    for run in _RUN.finditer(text):
        yield from _cards_in_run(run.group(), run.start())


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
