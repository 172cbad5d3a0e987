"""One claim's trip: attempt after attempt and step after step, until it is settled or left as it is."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from bulk_import.customer_parts import METHOD
from bulk_import.engine.exchange import Exchange
from bulk_import.engine.looking import SharedLook, Waiting
from bulk_import.engine.parts import Outdated, Parts, Stopped, TooOld, Trip
from bulk_import.engine.stopping import Stop
from bulk_import.engine.viewing import VIEW_LIFE
from bulk_import.engine.weighing import Scales
from bulk_import.errors import BulkImportError, OutOfReach, StripeRefuses
from bulk_import.existing import UNSEEN, is_attached, reread
from bulk_import.model import (
    Claim,
    Created,
    Doubt,
    Failed,
    InDoubt,
    Outcome,
    Refusal,
    Released,
    Settled,
    Updated,
)
from bulk_import.replies import Halt, never_began
from bulk_import.settle import Again, Done, Expected, Taken, Tries, settle
from bulk_import.steps import Makes, Step, explained, steps_of

STORED_IS_FRESH = 60.0
"""Seconds in which nobody has found and deleted the customer that an earlier process made."""

LATE_LOOKS = 3
"""Looks in a row that are each believed for no longer than any other, though they came late."""


def patience_after(late: int) -> float:
    """How many seconds to believe the last of so many late looks in a row: where nothing helps, at last something is sent."""
    return VIEW_LIFE * 2.0 ** max(0, late - LATE_LOOKS)


class Carrying:
    """What a worker does with a claim; `second_look` is for one that waited too long for an attempt."""

    def __init__(self, parts: Parts, stop: Stop, scales: Scales, exchange: Exchange) -> None:
        self.parts = parts
        self.second_look = SharedLook()
        self._stop = stop
        self._scales = scales
        self._exchange = exchange

    async def carry_out(self, claim: Claim, token: str, *, fresh: bool, release: bool = True) -> list[Settled]:
        """Try one claim, step by step, until it is settled; an empty answer leaves it claimed."""
        trip = Trip(claim, resumed=not fresh, release=release, attached=claim.attached)
        self._believe(trip)
        while True:
            try:
                return await self._carry_out(trip, token)
            except Outdated:
                if (end := await self._look_again(trip)) is not None:
                    return end

    def _believe(self, trip: Trip) -> None:
        seen_at = trip.claim.seen_at
        trip.good_until = None if seen_at is None else seen_at + patience_after(trip.late_looks)

    def _judge_lateness(self, trip: Trip) -> None:
        """Count a look that leaves too little time to send anything upon it; however long a turn takes, others do not count."""
        seen_at, now = trip.claim.seen_at, self.parts.now()
        is_late = seen_at is not None and now - seen_at > VIEW_LIFE / 2
        trip.late_looks = trip.late_looks + 1 if is_late else 0

    async def _look_again(self, trip: Trip) -> list[Settled] | None:
        """Hold the claim against the account as it is now; what that settles, or leaves, None where it is to be sent."""
        waiting = Waiting(replace(trip.claim, attached=trip.attached), trip.fresh, trip.ended_at)
        try:
            found = await self.second_look.of(waiting)
        except Stopped:
            return _unsent(trip)
        except BulkImportError as error:
            self._stop.halt(error)
            return _unsent(trip)
        if not isinstance(found, Claim):
            return [trip.ends(found)]
        if found.generation != trip.claim.generation:
            trip.begin_anew()
        elif trip.untouched:
            trip.tries = Tries()  # an outage is no reason to give up
        trip.claim = found
        self._judge_lateness(trip)
        self._believe(trip)
        return None

    async def _carry_out(self, trip: Trip, token: str) -> list[Settled]:
        claim = trip.claim
        taken = Taken(claim.target or "", None)
        for step in steps_of(claim)[trip.done :]:
            if step.makes is Makes.PAYMENT_METHOD and trip.attached is not None:
                continue  # an earlier process has seen it done
            end = await self._take(step, trip, token)
            if not isinstance(end, Taken):
                return end
            taken, trip.done, trip.tries = end, step.number + 1, Tries()
            if step.makes is Makes.PAYMENT_METHOD:
                trip.attached = end.made
        return self._weighed(trip, Updated(claim.target or "", taken.request_id, claim.note))

    async def _take(self, step: Step, trip: Trip, token: str) -> Taken | list[Settled]:
        """Try one step until it is done, or until that settles the claim or leaves it."""
        claim = trip.claim
        request = step.request(claim, token, trip.attached)
        expected = Expected(self.parts.livemode, claim.marker, claim.email, claim.target, step.makes)
        while True:
            if self._stop.stopping:
                return _unsent(trip)
            try:
                started, reply = await self._exchange.attempt(request, claim, trip.good_until)
            except TooOld:
                why = Refusal(type="key_too_old", message="its idempotency key is too old to be sent again unseen")
                return [trip.ends(InDoubt(why))]
            except Stopped:
                continue
            except OutOfReach as error:
                self._stop.halt(error)
                continue
            trip.attempts, trip.late_looks, trip.ended_at = trip.attempts + 1, 0, self.parts.now()
            trip.begun = started if trip.begun is None else trip.begun
            trip.untouched = trip.untouched and never_began(reply)
            verdict = settle(
                reply, expected, trip.tries, self.parts.limits,
                started=started, ended=self.parts.tick(), chance=self.parts.chance(),
            )  # fmt: skip
            match verdict:
                case Taken():
                    return verdict
                case Done(Failed(refusal)) if claim.target is not None:
                    return await self._refused(step, trip, refusal)
                case Done(outcome):
                    if reply.replayed and isinstance(outcome, Created) and self._is_old_answer(trip):
                        seen = await self._if_there(outcome)
                        if seen is None:
                            return []
                        outcome = seen
                    if reply.status == 200 and isinstance(outcome, InDoubt):
                        self._exchange.saw_impossible(started)
                    return self._weighed(trip, outcome)
                case Halt(message):
                    self._stop.halt(StripeRefuses(message))
                case Again(delay, tries, impossible):
                    trip.tries = tries
                    if impossible:
                        self._exchange.saw_impossible(started)
                    await self._stop.nap(delay)
                case _:
                    assert_never(verdict)

    async def _refused(self, step: Step, trip: Trip, refusal: Refusal) -> Taken | list[Settled]:
        """A step of an update was refused; that a payment method is this customer's already is no refusal."""
        claim = trip.claim
        if step.makes is Makes.PAYMENT_METHOD:
            try:
                if await is_attached(self._exchange.ask, claim.params[METHOD], claim.target, accept=UNSEEN):
                    return Taken(claim.params[METHOD], refusal.request_id)
            except Stopped:
                return []
            except BulkImportError as error:
                self._stop.halt(error)
                return []
        return self._weighed(trip, Failed(explained(refusal, claim, step)))

    def _weighed(self, trip: Trip, outcome: Outcome) -> list[Settled]:
        if trip.begun is not None:
            self.parts.landed(trip.claim.row, self.parts.tick() - trip.begun, trip.attempts)
        settled, end = self._scales.weigh(trip, trip.ends(outcome))
        if end is not None:
            self._stop.halt(end)
        return settled

    def _is_old_answer(self, trip: Trip) -> bool:
        """Whether a stored answer is one to an earlier process, and so old that its customer may be deleted by now.

        The first attempt of a claim that this process made has one only where its ledger was put back from a backup.
        """
        if trip.resumed:
            return self.parts.now() - trip.claim.claimed_at >= STORED_IS_FRESH
        return not trip.tries.used

    async def _if_there(self, made: Created) -> Outcome | None:
        """Believe a stored answer to an earlier process only once its customer was seen."""
        try:
            shown = await reread(self._exchange.ask, made.customer_id)
        except Stopped:
            return None
        except BulkImportError as error:
            self._stop.halt(error)
            return None
        if shown is not None:
            return made
        why = f"{made.customer_id} was made for this row and has been deleted since"
        return InDoubt(Refusal(type="deleted", message=why), Doubt.REPLAYED)


def _unsent(trip: Trip) -> list[Settled]:
    """What a stop leaves of a claim that was never sent: the source's row again, or the claim itself."""
    claim = trip.claim
    return [Settled(claim.row, Released(claim.generation))] if trip.fresh and trip.release else []
