"""Text that came to harm on its way here: decoded with a wrong encoding, letters lost, or written for a web page."""

from __future__ import annotations

import re

GARBLED_RULE = "garbled-text"

_MISREAD = "This was read in a wrong encoding on its way here, as Ã¼ is for ü, and is sent as it stands; export it again as UTF-8."
_LOST = "A letter was lost here (U+FFFD stands for it), and it is sent as it stands; export it again as UTF-8."
_ENTITIES = "This is written for a web page (&amp; for &), and it is sent as it stands; export it as plain text."

# What the second byte of a letter in UTF-8 looks like in Windows-1252: not what may as well follow a capital at a word's end.
_SECOND = "\x80-\xaa\xac\xad\xaf-\xba\xbc-\xbf€‚ƒ„†‡ˆ‰Š‹ŒŽ‘“•–—˜š›œžŸ"
_CLOSING = "«»®’”…™"
_PAIRS = "ÎÏÐÑ×ØÙ"  # first bytes of Greek, Cyrillic, Hebrew and Arabic: one alone may be a letter
_SIGNS = f"ÃÂÄÅâï√├┬{_PAIRS}"
_MOJIBAKE = re.compile(
    f"[{_SIGNS}](?:(?<=[ÃÂÄÅ])[{_SECOND}]|(?<=[ÃÂ])(?<![A-ZÀ-Þ].)[{_CLOSING}]|(?<=Å)’(?=[a-z])|(?<=â)(?:€|‚¬)|(?<=ï)(?:»¿|¿½)"
    f"|(?<=[{_PAIRS}])[{_SECOND}{_CLOSING}][{_PAIRS}][{_SECOND}{_CLOSING}]|(?<=[√├┬])[^\x00-\x7f])"
)
_ENTITY = re.compile(
    r"&(?:amp|lt|gt|quot|apos|nbsp|euro|[A-Za-z]{1,2}(?:uml|acute|grave|circ|tilde|cedil|ring|slash|lig|caron)"
    r"|#[0-9]{2,6}|#[xX][0-9A-Fa-f]{2,5});"
)

# None that join or part letters (U+200C, U+200D) or say in which direction one is written (U+200E, U+200F): names need them.
_INVISIBLE = re.compile("[\u00ad\u200b\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def is_garbled(text: str) -> bool:
    """Whether *text*, or one of many texts joined, is worth a look."""
    return garbled_message(text) is not None


def garbled_message(text: str) -> str | None:
    """What is to be said of *text*, None where nothing is wrong with it."""
    if not text.isascii():
        if "\ufffd" in text:
            return _LOST
        if not text.isprintable() and (found := _INVISIBLE.search(text)) is not None:
            return f"An invisible sign (U+{ord(found.group()):04X}) stands in this, and it is sent as it stands; take it out."
        if any(map(text.__contains__, _SIGNS)) and _MOJIBAKE.search(text):
            return _MISREAD
    return _ENTITIES if "&" in text and _ENTITY.search(text) else None
