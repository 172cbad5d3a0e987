"""Which rows of a source a run is about: all, the first N, or N drawn evenly (pure)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Selection:
    """`--limit` and `--sample`; the same rows are chosen however often they are asked for."""

    rows: int
    limit: int | None = None
    sample: int | None = None

    def holds(self, number: int) -> bool:
        """Whether the row with this number (from 1) is chosen."""
        if number > self.among:
            return False
        if self.sample is None or self.sample >= self.among:
            return True
        # The k-th of S rows drawn from T: each row that takes the running share k·S/T past a whole number.
        return number * self.sample // self.among > (number - 1) * self.sample // self.among

    @property
    def among(self) -> int:
        """How many rows a sample is drawn from."""
        return self.rows if self.limit is None else min(self.limit, self.rows)

    @property
    def count(self) -> int:
        """How many rows are chosen."""
        return self.among if self.sample is None else min(self.sample, self.among)

    @property
    def is_whole(self) -> bool:
        """Whether every row is chosen."""
        return self.limit is None and self.sample is None

    def left(self, looked_at: bytearray) -> int:
        """How many chosen rows were never looked at; *looked_at* has a byte for each row number."""
        if self.is_whole:
            return looked_at.count(0) - 1
        return sum(1 for n in range(1, len(looked_at)) if not looked_at[n] and self.holds(n))


CHOOSING = ("--limit", "--sample")
REHEARSING = ("--dry-run-payment-method", "--ledger", "--api-base", "--api-key-file")
REHEARSING_FLAGS = ("--dry-run", "--cleanup", "--yes")


def for_all_rows(line: str) -> str:
    """A command line as it was typed, without what chose some of the rows."""
    return shlex.join(_without(line, CHOOSING))


def for_live(line: str) -> str:
    """The live run that a rehearsal was for: all rows, and nothing of the test account's key, server and ledger."""
    words = _without(line, CHOOSING + REHEARSING)
    if "none" in words and words[words.index("none") - 1] == "--rate":  # only a server on this machine takes that
        words = _without(shlex.join(words), ("--rate",))
    return shlex.join([*(word for word in words if word not in REHEARSING_FLAGS), "--live"])


RETRYING = (
    "--with",
    "--only",
    "--code",
    "--format",
    "--encoding",
    "--delimiter",
    "--quote",
    "--skip-lines",
    "--max-bytes",
)
RETRYING_FLAGS = ("--no-header", "--header")


def for_code(line: str, code: str) -> str:
    """A retry as it was typed, without its file and what chose its rows: for those with one error code."""
    words = _without(line, RETRYING)
    return shlex.join([*(word for word in words if word not in RETRYING_FLAGS), "--code", code])


def _without(line: str, options: tuple[str, ...]) -> list[str]:
    """The words of a command line without these options and their values."""
    kept: list[str] = []
    words = iter(shlex.split(line))
    for word in words:
        if word in options:
            next(words, None)
        elif not word.startswith(tuple(f"{option}=" for option in options)):
            kept.append(word)
    return kept
