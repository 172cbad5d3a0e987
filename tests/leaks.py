"""What no test of the tool may leave behind: keys in any file or message, addresses in anything that is a log.

A log is what goes to standard error, whatever the verbosity, what `--json` writes without `--json-rows`, and a report
page that does not say that it holds personal data. Sources, ledgers, exports and the pages of `check` hold personal data
by their nature. Every test is looked at when it is over (see `conftest`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

KEY = re.compile(rb"[sr]k_(?:live|test)_\w{3,}")  # a masked key goes on with an asterisk or an ellipsis
ADDRESS = re.compile(r"[\w.+-]+@[\w-]+\.\w+")
PERSONAL = frozenset({"check", "--rows", "--json-rows", "--include-data"})
"""Words of a command that shows values because it is asked to."""

KEY_FILES = frozenset({"key", "key-file"})
"""Files that a test wrote a key into, for the tool to read."""

CHUNK = 1 << 20

heard: list[tuple[Sequence[str], str]] = []
"""Every command of the test that runs, and what it wrote to its log."""


def hear(words: Sequence[object], said: str) -> None:
    """Remember what one command wrote to its log."""
    heard.append((tuple(map(str, words)), said))


def spoken() -> Iterator[str]:
    """What commands wrote to their logs and must not have."""
    for words, said in heard:
        found = KEY.findall(said.encode(errors="replace"))
        if PERSONAL.isdisjoint(words):
            found += ADDRESS.findall(said)
        if found:
            yield f"{' '.join(words)}: {found[:3]}"


def written(folder: Path) -> Iterator[str]:
    """What files hold and must not."""
    for path in folder.rglob("*"):
        if path.name in KEY_FILES or path.is_symlink() or not path.is_file():
            continue
        found = keys_in(path)
        if path.suffix == ".html" and b"holds personal data" not in (page := path.read_bytes()):
            found += ADDRESS.findall(page.decode(errors="replace"))
        if found:
            yield f"{path.relative_to(folder)}: {found[:3]}"


def keys_in(path: Path) -> list[object]:
    """Every key in a file of any size."""
    found: list[object] = []
    with path.open("rb") as file:
        before = b""
        while piece := file.read(CHUNK):
            found += KEY.findall(before + piece)
            before = piece[-256:]
    return found
