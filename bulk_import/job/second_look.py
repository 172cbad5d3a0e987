"""Claims that waited for minutes are held against the account once more, whether they were sent before or not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from bulk_import.dedupe import Differ, meet
from bulk_import.engine import Waiting
from bulk_import.engine.viewing import VIEW_LIFE
from bulk_import.existing import Directory, Nobody
from bulk_import.job.came import Came, is_for_a_person
from bulk_import.job.common import Common
from bulk_import.job.doubts import Doubts
from bulk_import.model import Claim, Customer, Existing, Failed, InDoubt, Outcome, Refusal, Row
from bulk_import.reconcile import Found, Sweep, still_in_doubt

Answers = dict[int, Claim | Outcome]
"""What becomes of some rows."""

Look = Callable[[Sequence[Waiting]], Awaitable[Answers]]
"""One kind of look at claims of one kind; who is in no answer stays as it is."""


class SecondLook:
    """What becomes of such claims.

    `directory` is who is asked whether the people of creates that nobody has acted upon have come meanwhile; with one that
    may have been carried out, who `came` is looked at.
    """

    def __init__(self, common: Common, sweep: Sweep, doubts: Doubts, came: Came) -> None:
        self.directory: Directory = Nobody()
        self._engine = common.engine
        self._terms = common.terms
        self._sweep = sweep
        self._doubts = doubts
        self._came = came

    async def look(self, waiting: Sequence[Waiting]) -> list[Claim | Outcome]:
        """What becomes of each: the claim itself, another one that is on disk by then, or how the row is settled."""
        creates = [each for each in waiting if each.claim.target is None]
        found = await self._seen(self._still_to_make, [each for each in creates if each.fresh])
        found |= await self._seen(self._maybe_made, [each for each in creates if not each.fresh])
        found |= await self._seen(self._still_to_update, [each for each in waiting if each.claim.target is not None])
        return [found[each.claim.row] for each in waiting]

    async def _seen(self, look: Look, waiting: Sequence[Waiting]) -> Answers:
        """What one look answers, each claim that is to be sent with when the account was seen for it."""
        if not waiting:
            return {}
        with self._engine.viewing() as view:
            found = await look(waiting)
        seen_at, longer = self._engine.seen_at(view), self._engine.life(view) - VIEW_LIFE
        answers: Answers = {each.claim.row: replace(each.claim, seen_at=view.began) for each in waiting}
        for row, answer in (answers | found).items():
            if isinstance(answer, Claim):
                at = answer.seen_at or 0.0  # of some seconds ago, where nothing had to be read anew
                answer = replace(answer, seen_at=(at if view.first is None else max(at, seen_at)) + longer)
            answers[row] = answer
        return answers

    async def _still_to_make(self, waiting: Sequence[Waiting]) -> Answers:
        """Their people may have come to Stripe meanwhile."""
        claims = [each.claim for each in waiting]
        rows = [Row(c.row, c.line, c.source_id, c.email, c.email_key, c.params, c.fields) for c in claims]
        matches = await self.directory.find(rows)
        met = [(row.number, self._met(row, matches.get(row.email_key or "", ()))) for row in rows]
        return {number: outcome for number, outcome in met if outcome is not None}

    def _met(self, row: Row, customers: Sequence[Customer]) -> Existing | Failed | None:
        match meet(row, customers, self._terms.on_existing, self._terms.token):
            case Differ(others):
                note = "came to Stripe while this row waited to be sent, and was not updated"
                return Existing(others[0].id, note)
            case outcome:
                return outcome

    async def _maybe_made(self, waiting: Sequence[Waiting]) -> Answers:
        """Somebody with the same e-mail may be their own customer or not: that is not for us to tell."""
        claims = self._came.rested([each.claim for each in waiting], self._engine.parts.now())
        if not claims:
            return {}
        look, verdicts = await self._came.look(claims)
        answers: Answers = {claim.row: replace(claim, seen_at=look.began) for claim in claims}
        for verdict in verdicts:
            row = verdict.claim.row
            if isinstance(verdict, Found):
                answers[row] = verdict.outcome
                self._doubts.tell_of_twins(verdict)
            elif is_for_a_person(verdict):
                answers[row] = still_in_doubt(verdict)
                self._doubts.leave_to_a_person(verdict)
        return answers

    async def _still_to_update(self, waiting: Sequence[Waiting]) -> Answers:
        """Somebody may have changed their customers meanwhile: what is there now is what an undo must bring back."""
        overtaken = await self._sweep.overtaken([each.claim for each in waiting])
        rows = {claim.row for claim in overtaken}
        acted = [each for each in waiting if each.claim.row in rows and not each.fresh]
        settled: Answers = {
            each.claim.row: _ever_changing() for each in acted if not self._doubts.renew(each.claim.row)
        }
        overtaken = [claim for claim in overtaken if claim.row not in settled]
        await self._until_nothing_acts([each for each in acted if each.claim.row not in settled])
        anew: dict[int, Claim] = {}
        for verdict in await self._sweep.renewed(overtaken):
            if isinstance(verdict, Found):
                settled[verdict.claim.row] = verdict.outcome
            else:
                anew[verdict.claim.row] = replace(verdict.claim, key_fingerprint=self._terms.fingerprint)
        if anew:
            await self._engine.record(list(anew.values()), [])
        return settled | anew

    async def _until_nothing_acts(self, waiting: Sequence[Waiting]) -> None:
        """Wait until every attempt at these, of whichever process, must have ended: they go out under new keys."""
        terms = self._terms
        last = max((max(each.attempted_at or 0.0, terms.process_started) for each in waiting), default=None)
        if last is not None:
            await self._engine.nap(last + terms.deadline - self._engine.parts.now())
            self._engine.check()


def _ever_changing() -> InDoubt:
    """An update that may have been carried out, whose customer is another one each time somebody looks."""
    why = "its customer is changed by somebody else again and again while its update gets no answer"
    return InDoubt(Refusal(type="overtaken", message=why))
