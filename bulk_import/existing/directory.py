"""The face of every strategy, and what a strategy may use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, TypeVarTuple

from bulk_import.ledger import Reader, Writer
from bulk_import.model import Customer, Reply, Request, Row

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

Matches = Mapping[str, Sequence[Customer]]
"""Customers by the e-mail key they were found under, oldest first."""


class Ask(Protocol):
    """One read of Stripe's, paced and retried; statuses in *accept* come back as they are."""

    async def __call__(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        """Send *request* until there is an answer."""


class Piece(Protocol):
    """One piece of reading, which may find that more is to be read."""

    def __call__(self) -> Awaitable[Sequence[Piece]]:
        """Do it, and answer what is to be done next."""


class Together(Protocol):
    """Do pieces of work side by side, those they lead to included, and wait for all of them."""

    async def __call__(self, work: Sequence[Piece], at_once: int, /) -> None:
        """Raise the first error of any piece."""


class Offload(Protocol):
    """Where blocking ledger work goes."""

    async def __call__(self, work: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """Run *work* and answer what it answers."""


def say_nothing(code: str, message: str) -> None:
    """Drop a notice."""


def unknown() -> float | None:
    """Stripe's clock before its first answer."""
    return None


@dataclass(frozen=True, slots=True)
class Means:
    """What a strategy works with.

    `now` is our clock and `stripe_time` Stripe's own as last seen, both in seconds; `key` makes an e-mail
    comparable; `notice(code, message)` tells a person. `rereads` says that whoever asks looks at a match once more
    before anything is done with it.
    """

    ask: Ask
    together: Together
    offload: Offload
    writer: Writer
    reader: Reader
    now: Callable[[], float]
    key: Callable[[str], str]
    stripe_time: Callable[[], float | None] = unknown
    notice: Callable[[str, str], None] = say_nothing
    rereads: bool = False

    def stripe_now(self) -> float:
        """What bounds `created`: a wall clock that is ahead of Stripe's must not hide the newest customers."""
        seen = self.stripe_time()
        return self.now() if seen is None else min(self.now(), seen)


class Directory(Protocol):
    """Who is already in Stripe, asked once for each batch before it is claimed."""

    async def begin(self) -> None:
        """Learn what must be known before the first batch."""

    async def find(self, rows: Sequence[Row]) -> Matches:
        """Customers with the e-mails of *rows*, for those that have any."""


class Nobody:
    """`--dedupe off`: a new account, where nobody is there yet."""

    async def begin(self) -> None:
        """Nothing to learn."""

    async def find(self, rows: Sequence[Row]) -> Matches:
        """Nobody, whoever is asked for."""
        return {}
