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


def for_all_rows(line: str) -> str:
    """A command line as it was typed, without what chose some of the rows."""
    kept: list[str] = []
    words = iter(shlex.split(line))
    for word in words:
        if word in ("--limit", "--sample"):
            next(words, None)
        elif not word.startswith(("--limit=", "--sample=")):
            kept.append(word)
    return shlex.join(kept)
