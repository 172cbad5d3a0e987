"""How a ledger stands in a few words: a table of states, read from the top (pure)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import TYPE_CHECKING

from bulk_import.wording import counted

if TYPE_CHECKING:
    from bulk_import.ledger import Command


class End(StrEnum):
    """How a command ended; one that was killed, or could not write its end, counts as cut off."""

    FINISHED = auto()
    CUT_OFF = auto()


@dataclass(frozen=True, slots=True)
class Facts:
    """What the headline is about. `deciding` is the last `run` or `undo`: it decides why rows were never sent.

    `last` is the last command that changed anything, and each comes with its end. `failed` rows are those that a retry
    would try again, `undone` those that an undo took back, `kept` those whose customer it could have taken back, and
    `begun` those among the latter of which only Stripe knows.
    """

    rows: int
    pending: int
    in_doubt: int
    failed: int
    undone: int
    kept: int
    begun: int
    deciding: tuple[str, End] | None
    last: tuple[str, End] | None

    @property
    def undoable(self) -> int:
        """What an undo was about."""
        return self.undone + self.kept


RUN_FINISHED = ("run", End.FINISHED)
RETRY_CUT_OFF = ("retry", End.CUT_OFF)
UNDO_CUT_OFF, UNDO_FINISHED = ("undo", End.CUT_OFF), ("undo", End.FINISHED)

Condition = Callable[[Facts], object]
Words = Callable[[Facts], str]

TABLE: Sequence[tuple[Condition, Words]] = (
    # Before any row is known there is nothing else to say.
    (lambda f: not f.rows, lambda _: "no run has got so far as to know its rows"),
    # An undo outlives the retries after it: they make no customers for the rows that it took back.
    (
        lambda f: f.deciding == UNDO_CUT_OFF,
        lambda f: f"undo stopped before its end: {_undone(f)} of {f.undoable:,} undone",
    ),
    (
        lambda f: f.deciding == UNDO_FINISHED and f.kept,
        lambda f: f"undo finished: {f.undone:,} of {f.undoable:,} undone, {f.kept:,} left",
    ),
    (
        lambda f: f.deciding == UNDO_FINISHED and f.in_doubt,
        lambda f: f"undone, but for {counted(f.in_doubt, 'row')} in doubt",
    ),
    (lambda f: f.deciding == UNDO_FINISHED, lambda _: "undone; a new run does it all again"),
    # A command that was cut off leaves work behind: rows never sent or in doubt, and a retry what it did not come to.
    (
        lambda f: f.last == RETRY_CUT_OFF and (f.pending or f.in_doubt or f.failed),
        lambda _: "stopped before its end",
    ),
    (
        lambda f: f.deciding != RUN_FINISHED and (f.pending or (f.in_doubt and f.last == f.deciding)),
        lambda _: "stopped before its end",
    ),
    (lambda f: f.pending, lambda _: "finished with the rows that were chosen; the others were never sent"),
    (lambda f: f.in_doubt, lambda _: "finished, with rows in doubt"),
    (lambda _: True, lambda _: "finished"),
)
"""The first line whose condition holds says it."""


def _undone(facts: Facts) -> str:
    most = f" to {facts.undone + facts.begun:,}" if facts.begun else ""
    return f"{facts.undone:,}{most}"


def headline(facts: Facts) -> str:
    """How it stands."""
    return next(words(facts) for holds, words in TABLE if holds(facts))


def ended(command: Command | None) -> tuple[str, End] | None:
    """A command's name and how it ended."""
    from bulk_import.job.history import FINISHED

    if command is None:
        return None
    return command.verb, End.FINISHED if command.exit_code in FINISHED else End.CUT_OFF
