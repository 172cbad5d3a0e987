"""How names are compared: folded to their letters, split into words, matched to the nearest."""

from __future__ import annotations

import difflib
import os
import re
import shlex
import unicodedata
from collections.abc import Iterable

_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\W_]+")
_SHARP_S = str.maketrans({"ß": "ss", "ø": "o", "Ø": "o", "ł": "l", "Ł": "l"})


def fold(name: str) -> str:
    """The letters and digits of *name*, lower-cased and without accents: `E-Mail ` and `e_mail` fold alike."""
    plain = unicodedata.normalize("NFKD", name.translate(_SHARP_S))
    return "".join(char for char in plain.lower() if char.isalnum())


def words_of(name: str) -> tuple[str, ...]:
    """The words of a column name, lower-cased: `passwordHash` and `password_hash` have the same two."""
    return tuple(word.lower() for word in _SEAM.split(name) if word)


def names(text: str) -> frozenset[str]:
    """The words of *text* as a set, so that a long table of names stays readable."""
    return frozenset(text.split())


def nearest(word: str, choices: Iterable[str]) -> str | None:
    """The choice most like *word*, or None when none is alike enough to be worth suggesting."""
    folded: dict[str, str] = {}
    for choice in choices:
        folded.setdefault(fold(choice), choice)
    found = difflib.get_close_matches(fold(word), folded, n=1, cutoff=0.62)
    return folded[found[0]] if found else None


def listed(names: Iterable[str], limit: int = 12) -> str:
    """Names for a message, quoted and separated by commas, the rest counted beyond *limit*."""
    every = list(names)
    shown = ", ".join(f'"{terminal_safe(name, 40)}"' for name in every[:limit])
    return shown if len(every) <= limit else f"{shown} and {len(every) - limit} more"


def typeable(advice: str, column: str | None) -> str:
    """*advice* on `"COLUMN=…"` with the column's own name, where that can be typed between double quotes as it is."""
    if column is None or not column.isprintable() or not column.strip() or _NOT_QUOTED.search(column):
        return advice
    return advice.replace('"COLUMN=', f'"{column}=')


def counted(count: int, one: str, many: str | None = None) -> str:
    """A number of things, *many* where an s does not make it so: `1 row is`, `1,234 rows are`."""
    return f"1 {one}" if count == 1 else f"{count:,} {many if many is not None else one + 's'}"


_NOT_QUOTED = re.compile(r'["$`\\!=]|.{41}')
_KEY = re.compile(r"([sr]k_(?:live|test)_)\w+")
_ADDRESS = re.compile(r"[^\s@\"'<>=,;]+@[^\s@\"'<>,;]+")


def without_keys(text: str) -> str:
    """*text* with everything masked that looks like an API key."""
    return _KEY.sub(r"\1…", text)


def without_addresses(text: str) -> str:
    """*text* with every e-mail address masked, as it may stand in a log."""
    return _ADDRESS.sub("…@…", text)


def terminal_safe(text: str, limit: int = 60) -> str:
    """*text* as it may be printed: control, bidi and other invisible characters escaped, shortened to *limit*."""
    if len(text) <= limit and text.isprintable():
        return text
    safe = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text[: limit + 1])
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def pastable(command: str) -> str:
    """A command, quoted for a shell, as it can be copied from a terminal: odd bytes of a name become `$'...'`."""
    if command.isprintable():
        return command
    return " ".join(_in_shell(word) for word in shlex.split(command))


def _in_shell(word: str) -> str:
    if word.isprintable():
        return shlex.quote(word)
    plain = (chr(byte) if 32 <= byte < 127 and byte not in b"\\'" else f"\\x{byte:02x}" for byte in os.fsencode(word))
    return f"$'{''.join(plain)}'"
