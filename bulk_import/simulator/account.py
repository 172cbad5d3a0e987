"""The simulated account: call and time in, answer out; no I/O, no clock, no randomness but its seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from bulk_import.simulator import changes
from bulk_import.simulator.catalogue import Book
from bulk_import.simulator.credentials import connected, identify, permit
from bulk_import.simulator.envelope import Envelope, answer, refusal, replay
from bulk_import.simulator.exchange import Answer, Call, Refused, rate_limited, server_error
from bulk_import.simulator.idempotency import Keys, Stored, fingerprint, key_of
from bulk_import.simulator.ids import Ids, Minted
from bulk_import.simulator.limits import UNLIMITED, Limits, Turnstile
from bulk_import.simulator.operations import Effect, Scene
from bulk_import.simulator.records import Record, show
from bulk_import.simulator.routes import Operation, route

DEFAULT_ACCOUNT = "acct_1SimulatedAccount"

Breaks = Literal["before", "after"]


@dataclass(slots=True)
class Shelf:
    """What one account and mode holds: its customers, its keys, its limiters."""

    account: str
    book: Book
    keys: Keys
    turnstile: Turnstile


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request that was let in and is still running: give it to `Account.finish` once."""

    call: Call
    operation: Operation
    target: str
    shelf: Shelf
    key: str | None
    fingerprint: str
    began: float
    headers: Mapping[str, str]


class Account:
    """A Stripe account with a test and a live mode that never see each other.

    *now* is when it is opened, in seconds since the epoch. *existing* customers are there from the start in
    each mode that is looked at. *epoch* counts its starts over one state file, so that no request id or
    payment method comes twice. *journal* is called with each change before the answer is given.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        existing: int = 0,
        now: float,
        search_lag: float = 2.0,
        key_lifetime: float = 86400.0,
        account: str = DEFAULT_ACCOUNT,
        limits: Limits = UNLIMITED,
        epoch: int = 0,
        journal: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.id = account
        self.journal = journal
        self._seed = seed
        self._existing = existing
        self._opened = int(now)
        self._search_lag = search_lag
        self._key_lifetime = key_lifetime
        self._limits = limits
        self._shelves: dict[tuple[str, bool], Shelf] = {}
        self._envelope = Envelope(Minted(Ids("req_", 14, seed), epoch))
        self._methods = Minted(Ids("pm_", 24, seed), epoch)
        self._suffixes = Minted(Ids("", 24, seed), epoch)

    def handle(self, call: Call, now: float) -> Answer:
        """Carry out a request in one instant."""
        begun = self.begin(call, now)
        return self.finish(begun, now) if isinstance(begun, Ticket) else begun

    def begin(self, call: Call, now: float) -> Answer | Ticket:
        """Let a request in: either it is answered at the door, or its key is in use until `finish`."""
        headers = self._envelope.around(call, now)
        try:
            caller = identify(call.headers)
            operation, target = route(call.method, call.path)
            shelf = self._shelf(connected(call.headers, self.id), livemode=caller.livemode)
            reason = shelf.turnstile.enter(operation.endpoint, now)
            if reason is not None:
                raise rate_limited(reason)
        except Refused as refused:
            return refusal(refused, headers)
        try:
            permit(caller, operation.endpoint, writes=operation.writes, account=shelf.account)
            key = key_of(call)
            print_ = "" if key is None else fingerprint(call)
            stored = None if key is None else shelf.keys.look_up(key, print_, now)
        except Refused as refused:
            shelf.turnstile.leave(operation.endpoint)
            return refusal(refused, headers)
        if stored is not None:
            shelf.turnstile.leave(operation.endpoint)
            return replay(stored, headers)
        if key is not None:
            shelf.keys.claim(key)
        return Ticket(call, operation, target, shelf, key, print_, now, headers)

    def finish(self, ticket: Ticket, now: float, breaks: Breaks | None = None) -> Answer:
        """Carry out a request that was let in.

        *breaks* makes it a 500 `before` or `after` acting; the 500 is stored under the key like any answer
        that came once execution had begun.
        """
        shelf, operation = ticket.shelf, ticket.operation
        shelf.turnstile.leave(operation.endpoint)
        if ticket.key is not None:
            shelf.keys.release(ticket.key)
        try:
            wanted = operation.accepts.cleaned(ticket.call.params)
        except Refused as refused:
            return refusal(refused, ticket.headers)
        return self._execute(ticket, wanted, now, breaks)

    def _execute(self, ticket: Ticket, wanted: Mapping[str, Any], now: float, breaks: Breaks | None) -> Answer:
        shelf = ticket.shelf
        scene = Scene(shelf.book, ticket.target, wanted, now, shelf.account, self._methods, self._suffixes)
        effect, refused = Effect(None), None
        try:
            if breaks != "before":
                effect = ticket.operation.act(scene)
        except Refused as error:
            refused = error
        if breaks is not None:
            refused = server_error()
        if refused is not None:
            effect = replace(effect, body=refused.body)
        status = 200 if refused is None else refused.status
        self._commit(ticket, effect, status, now)
        return answer(status, effect.body, {**ticket.headers, **(refused.headers if refused else {})})

    def _commit(self, ticket: Ticket, effect: Effect, status: int, now: float) -> None:
        stored = None
        if ticket.key is not None:
            stored = Stored(ticket.fingerprint, status, effect.body, ticket.headers["Request-Id"], ticket.began)
        if effect.record is None and stored is None:
            return
        change = changes.Change(
            (ticket.shelf.account, ticket.shelf.book.livemode), now, effect.record, effect.attached, ticket.key, stored
        )
        self._apply(change)
        if self.journal is not None:
            self.journal(changes.written(change))

    def _apply(self, change: changes.Change) -> None:
        account, livemode = change.shelf
        shelf = self._shelf(account, livemode=livemode)
        if change.record is not None:
            shelf.book.put(change.record, change.at)
        shelf.book.methods.update(change.attached)
        for method in change.attached:
            shelf.book.attached_at.setdefault(method, int(change.at))
        if change.key is not None and change.stored is not None:
            shelf.keys.store(change.key, change.stored)

    def restore(self, entry: Mapping[str, Any]) -> None:
        """Take in one entry that an earlier process gave to its journal."""
        if "forget" in entry:
            self._forget()
            return
        account, livemode = entry["shelf"]
        shelf = self._shelf(account, livemode=livemode)
        self._apply(changes.read(entry, shelf.book.ids))

    def forget_keys(self) -> None:
        """Drop all stored answers, as Stripe does a day later."""
        self._forget()
        if self.journal is not None:
            self.journal({"forget": True})

    def _forget(self) -> None:
        for shelf in self._shelves.values():
            shelf.keys.forget()

    @property
    def customers(self) -> dict[str, dict[str, Any]]:
        """Every customer that is not deleted, id -> object, of all modes looked at so far; for judging, not for calls."""
        return {record.id: show(record, livemode) for livemode, record in self.records()}

    def records(self) -> Iterator[tuple[bool, Record]]:
        """Every customer that is not deleted with its mode, oldest first in each mode."""
        if not self._shelves:
            self._shelf(self.id, livemode=False)
        for shelf in self._shelves.values():
            for record in shelf.book.everyone():
                yield shelf.book.livemode, record

    def request_id(self) -> str:
        """A fresh request id, for answers made outside the account."""
        return self._envelope.request_id()

    def _shelf(self, account: str, *, livemode: bool) -> Shelf:
        shelf = self._shelves.get((account, livemode))
        if shelf is None:
            scope = f"{account}:{livemode}"
            book = Book(
                existing=self._existing if account == self.id else 0,
                opened=self._opened,
                ids=Ids("cus_", 14, self._seed, scope),
                livemode=livemode,
                lag=self._search_lag,
            )
            shelf = Shelf(account, book, Keys(self._key_lifetime), Turnstile(self._limits))
            self._shelves[account, livemode] = shelf
        return shelf
