"""What may delimit cells, stand around them, and escape, by what a text holds."""

from __future__ import annotations

import re

USUAL = (",", ";", "\t", "|")
RARE = {
    "^": 0.8,
    "~": 0.8,
    "\x1f": 1.0,
    "\x01": 1.0,
    "\x1e": 0.9,
    "\x1c": 0.9,
    "\x1d": 0.9,
    "\x02": 0.9,
    "þ": 0.8,
    "¦": 0.9,
    "§": 0.9,
    "¬": 0.9,
    "\\t": 0.9,
}
_POOR = {":": 0.6, " ": 0.5, "#": 0.5, "!": 0.5, "*": 0.5, "&": 0.5, "/": 0.5, "$": 0.5, "%": 0.5, "=": 0.5, "<>": 0.7}
_BETWEEN_QUOTES = re.compile(r'(["\'])((?!\1)[^\w\s@.]{1,3}|(?!\1)[^\w\s@.]?[ _-][^\w\s@.]?)\1')

_SEP = re.compile(r'"?sep=(.{1,3}?)"?')


def named_by_sep_line(line: str) -> str | None:
    """The delimiter that a spreadsheet's `sep=;` line names."""
    found = _SEP.fullmatch(line.rstrip("\r\n"))
    return found.group(1) if found else None


def delimiters_in(text: str, given: str | None) -> list[tuple[str, float]]:
    """The delimiters that *text* may have, each with its weight; one that is given is not questioned."""
    if given is not None:
        return [(given, 1.0)]
    weights = {**dict.fromkeys(_between_quotes(text), 0.9), **dict.fromkeys(USUAL, 1.0), **RARE, **_POOR}
    return [(mark, weight) for mark, weight in weights.items() if mark in text]


def _between_quotes(text: str) -> set[str]:
    """What stands between two quotes in the first line, when that line begins and ends with one: `"id"$"email"`."""
    first = text.split("\n", 1)[0].strip()
    if len(first) < 2 or first[0] not in "\"'" or first[-1] != first[0]:
        return set()
    return {mark for sign, mark in _BETWEEN_QUOTES.findall(first) if sign == first[0]}


def quotes_in(text: str, delimiter: str, given: str | None) -> list[str | None]:
    """The signs that may be around cells, None where quotes may be ordinary characters."""
    if given is not None:
        return [None if given in ("", "none") else given]
    others = [sign for sign in ("'", *_around_names(text, delimiter)) if _enclosing(text, delimiter, sign)]
    return ['"', *others, *([None] if _never_encloses(text, delimiter) else [])]


def _around_names(text: str, delimiter: str) -> set[str]:
    """The sign, other than quotes, that stands before and behind every cell of the first line: `` `email`,`name` ``."""
    cells = [cell.strip(" ") for cell in text.split("\n", 1)[0].split(delimiter)]
    ends = {end for cell in cells for end in (cell[:1], cell[-1:] if len(cell) > 1 else "")}
    sign = ends.pop() if len(ends) == 1 else ""
    names = any(len(cell) > 2 for cell in cells)
    return {sign} - {"", "'", '"', delimiter} if names and sign.isprintable() and not sign.isalnum() else set()


def _enclosing(text: str, delimiter: str, quote: str) -> bool:
    """Whether most lines have a cell between two *quote* signs, or fewer but one that only quoting explains."""
    mark = re.escape(delimiter)
    lines = [line for line in text.splitlines() if line.strip()]
    sign = re.escape(quote)
    inside = f"[^{sign}\\\\]*(?:(?:{sign}{sign}|\\\\.)[^{sign}\\\\]*)*"
    enclosed = re.compile(f"(?:^|{mark}) ?{sign}({inside}){sign}(?= ?{mark}|$)")
    found = [enclosed.findall(line) for line in lines]
    if sum(map(bool, found)) * 2 > len(lines) > 0:
        return True
    cells = [cell for each in found for cell in each]
    beginning = len(re.findall(f"(?:^|{mark}) ?{sign}", text, re.MULTILINE))
    explained = any(delimiter in cell or quote in cell for cell in cells)
    return explained and len(cells) >= 0.9 * beginning and not re.search(f'(?:^|{mark}) ?"', text, re.MULTILINE)


def _never_encloses(text: str, delimiter: str) -> bool:
    """Whether quotes begin several cells and end none, as inch marks and nicknames do in unquoted files.

    A single quote left open is damage, not a file without quoting.
    """
    mark = re.escape(delimiter)
    opening = len(re.findall(f'(?:^|{mark}) ?"', text, re.MULTILINE))
    closing = len(re.findall(f'" ?(?:{mark}|$)', text, re.MULTILINE))
    return (opening > 2 and closing == 0) or (closing > 2 and opening == 0)


def escapes_in(text: str, quote: str | None, delimiter: str) -> list[str]:
    """The escape styles that *text* may have."""
    escaped = any(f"\\{sign}" in text for sign in (quote, delimiter, "\n") if sign)
    return ["doubled", "backslash"] if escaped else ["doubled"]
