"""The ledger against a plain dict: whatever is claimed, settled, released, retried and reopened, both tell the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from bulk_import.errors import LedgerRefuses
from bulk_import.ledger import Reader, Writer, open_for_writing
from bulk_import.model import (
    Created,
    Doubt,
    Duplicate,
    Existing,
    Failed,
    InDoubt,
    Outcome,
    Released,
    Settled,
    Status,
    Updated,
)
from tests.ledger_samples import NOW, claim, email_of, invalid, purpose, refusal, row

ROWS = 8
EMAILS = [email_of(n) for n in range(1, 5)]
S = Status
numbers = st.integers(1, ROWS)
emails = st.sampled_from(EMAILS)
AT_REST = (S.CLAIMED, S.IN_DOUBT)
PAIRED = (S.CREATED, S.EXISTING, S.UPDATED)


@dataclass(frozen=True)
class Known:
    """What the model remembers of one row; `spent` is the highest generation that may have been sent, -1 for none.

    `claimed` is whether it ever was, `email` whose duplicate it is.
    """

    status: Status = S.PENDING
    generation: int = 0
    spent: int = -1
    owned: str | None = None
    owner: int | None = None
    email: str | None = None
    customer: str | None = None
    attempts: int = 0
    claimed: bool = False


class Ledger(RuleBasedStateMachine):
    """One ledger file and the dict it must agree with."""

    @initialize()
    def found(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")))
        self.path = self.folder / "l.db"
        self.rows: dict[int, Known] = {n: Known() for n in range(1, ROWS + 1)}
        self.made = 0
        self.open()
        self.writer.found(purpose(rows=ROWS))

    def open(self) -> None:
        db = open_for_writing(self.path)
        self.writer, self.reader = Writer(db, self.path, lambda: NOW), Reader(db, self.path)

    def teardown(self) -> None:
        if hasattr(self, "writer"):
            self.writer.close()
            shutil.rmtree(self.folder)

    # What the script asks before it claims: who owns the e-mail, and which generation comes next.

    def owner_of(self, email: str, other_than: int) -> int | None:
        found = [n for n, known in self.rows.items() if known.owned == email and n != other_than]
        return found[0] if found else None

    def set(self, number: int, **changes: object) -> None:
        self.rows[number] = replace(self.rows[number], **changes)  # type: ignore[arg-type]  # the fields of Known

    def can_enter(self, number: int) -> bool:
        return self.rows[number].status in (S.PENDING, S.FAILED, S.INVALID)

    @rule(number=numbers, email=emails)
    def feed(self, number: int, email: str) -> None:
        """A row comes in, new or retried: it owns its e-mail and is claimed, or it is the duplicate of the owner."""
        if not self.can_enter(number):
            return
        owner = self.owner_of(email, number)
        if owner is not None:
            self.writer.write([], [Settled(number, Duplicate(owner), row(number, email))])
            known = self.rows[number]
            spent = known.generation + known.claimed  # the key it was sent under before
            self.set(number, status=S.DUPLICATE, owned=None, owner=owner, email=email, generation=spent)
            self.follow_no_longer(number, all_own=True)
            return
        generation = self.reader.next_generations([number]).get(number, 0)
        assert generation > self.rows[number].spent, "a key that may have been sent is promised again"
        assert generation >= self.rows[number].generation
        self.writer.write([claim(number, generation, email)], [])
        if self.rows[number].owned != email:
            self.follow_no_longer(number, all_own=True)
        self.set(
            number, status=S.CLAIMED, generation=generation, owned=email, owner=None, customer=None, attempts=0, claimed=True
        )  # fmt: skip

    @rule(number=numbers, refused=st.booleans(), email=emails)
    def meet(self, number: int, refused: bool, email: str) -> None:
        """Its person is in Stripe already: mapped, or refused by policy."""
        if not self.can_enter(number) or self.owner_of(email, number) is not None:
            return
        outcome: Outcome = Failed(refusal("already_exists")) if refused else Existing(f"cus_old{number}")
        self.writer.write([], [Settled(number, outcome, row(number, email))])
        status = S.FAILED if refused else S.EXISTING
        if self.rows[number].owned != email:
            self.follow_no_longer(number, all_own=True)
        self.set(number, status=status, owned=email, customer=None if refused else f"cus_old{number}")

    @rule(number=numbers)
    def spoil(self, number: int) -> None:
        """A row that cannot be sent, new or after a correction."""
        if not self.can_enter(number):
            return
        self.writer.write([], [Settled(number, invalid(number), invalid(number))])
        self.set(number, status=S.INVALID, owned=None)
        self.follow_no_longer(number, all_own=True)

    @rule(number=numbers, ending=st.sampled_from([S.CREATED, S.UPDATED, S.EXISTING, S.FAILED, S.IN_DOUBT]))
    def land(self, number: int, ending: Status) -> None:
        """An answer comes in, or the sweep finds what there is."""
        known = self.rows[number]
        if known.status not in AT_REST or (ending is S.FAILED and known.status is S.IN_DOUBT):
            return
        self.made += 1
        name = f"cus_{self.made}"
        outcomes: dict[Status, Outcome] = {
            S.CREATED: Created(name),
            S.UPDATED: Updated(name),
            S.EXISTING: Existing(name),
            S.FAILED: Failed(refusal()),
            S.IN_DOUBT: InDoubt(refusal(), Doubt.OPEN),
        }
        self.writer.write([], [Settled(number, outcomes[ending], attempts=1, attempted_at=NOW)])
        customer = name if ending in PAIRED else None
        attempts = known.attempts + 1
        self.set(number, status=ending, customer=customer, attempts=attempts, spent=known.generation)

    @rule(first=numbers, second=numbers, email=emails)
    def refuse_with_a_duplicate(self, first: int, second: int, email: str) -> None:
        """What a retry often meets: a row that Stripe refused, and another that waits for it."""
        self.feed(first, email)
        self.feed(second, email)
        self.land(first, S.FAILED)

    @rule(nth=st.integers(0, ROWS), email=emails, way=st.sampled_from(["feed", "spoil", "meet", "refuse"]))
    def come_again(self, nth: int, email: str, way: str) -> None:
        """A refused row that others follow comes again: with this e-mail or another one, or it cannot be sent."""
        waiting = sorted({k.owner for k in self.rows.values() if k.owner and self.rows[k.owner].status is S.FAILED})
        if not waiting:
            return
        number = waiting[nth % len(waiting)]
        match way:
            case "feed":
                self.feed(number, email)
            case "spoil":
                self.spoil(number)
            case _:
                self.meet(number, way == "refuse", email)

    @rule(number=numbers)
    def send_again(self, number: int) -> None:
        self.writer.claim_again([number], "fp")
        if self.rows[number].status is S.IN_DOUBT:
            self.set(number, status=S.CLAIMED)

    @rule(number=numbers)
    def replace_key(self, number: int) -> None:
        """Absence is proven: the next generation."""
        known = self.rows[number]
        if known.status not in AT_REST:
            return
        assert known.owned is not None
        self.writer.write([claim(number, known.generation + 1, known.owned)], [])
        self.set(number, status=S.CLAIMED, generation=known.generation + 1, attempts=0, spent=known.generation)

    @rule(number=numbers, mistaken=st.booleans())
    def release(self, number: int, mistaken: bool) -> None:
        """A stop before it was sent, or a mapping mistake after it was refused; its duplicates go with it."""
        known = self.rows[number]
        if mistaken and known.status is S.FAILED:
            generation = known.generation + 1
        elif not mistaken and known.status is S.CLAIMED and known.spent < known.generation:
            generation = known.generation
        else:
            return
        self.writer.write([], [Settled(number, Released(generation))])
        self.set(number, status=S.PENDING, generation=generation)
        self.follow_no_longer(number)

    def follow_no_longer(self, number: int, *, all_own: bool = False) -> None:
        """What may have been mended goes its own way, with the ledger's fields; anything else begins anew with the source's."""
        for n, known in [(n, k) for n, k in self.rows.items() if k.owner == number and k.status is S.DUPLICATE]:
            if all_own or known.generation > 0:
                self.set(n, status=S.FAILED, owner=None, generation=known.generation + 1, attempts=0)
            else:
                self.set(n, status=S.PENDING, owner=None)

    @rule(number=numbers, email=emails, still=st.booleans())
    def mend(self, number: int, email: str, still: bool) -> None:
        """Its fields are taken over; unless it goes on following, it is to be sent, and owns only what it owned before.

        One that is *still* invalid is settled as that.
        """
        fixed = invalid(number) if still else row(number, email)
        known = self.rows[number]
        owner = self.rows[known.owner] if known.owner else None
        command = self.writer.begin_command("retry", None, None)
        if known.status not in (S.FAILED, S.INVALID, S.DUPLICATE):
            with pytest.raises(LedgerRefuses):
                self.writer.mend([fixed], command, None)
            return
        if owner is not None and owner.status is not S.FAILED:
            return
        to_send, spoiled = self.writer.mend([fixed], command, None)
        assert self.reader.records([number])[0].fields == fixed.fields
        assert list(spoiled) == [number] * still
        if still:
            self.set(number, status=S.INVALID, owned=None, owner=None, generation=known.generation + 1, attempts=0)
            self.follow_no_longer(number, all_own=True)
            assert number not in to_send
            return
        if known.status is S.DUPLICATE and owner is not None and owner.owned == email:
            assert list(to_send) == []
            return
        owned = email if known.owned == email else None
        self.set(number, status=S.FAILED, owned=owned, owner=None, generation=known.generation + 1, attempts=0)
        if owned is None:
            self.follow_no_longer(number, all_own=True)
        assert number in to_send

    @rule(number=numbers)
    def let_go(self, number: int) -> None:
        """The owner's e-mail is about to be corrected: its duplicate is a row of its own again."""
        if self.rows[number].status is S.DUPLICATE:
            self.writer.write([], [Settled(number, Released(0))])
            self.set(number, status=S.PENDING, owner=None)
            self.follow_no_longer(number)

    @rule(first=numbers, second=numbers)
    def swap(self, first: int, second: int) -> None:
        """Two refused rows are corrected to each other's e-mail in one commit."""
        one, two = self.rows[first], self.rows[second]
        if first == second or {one.status, two.status} != {S.FAILED} or not one.owned or not two.owned:
            return
        self.writer.write(
            [claim(first, one.generation + 1, two.owned), claim(second, two.generation + 1, one.owned)], []
        )
        for number, known, email in ((first, one, two.owned), (second, two, one.owned)):
            self.follow_no_longer(number, all_own=True)
            self.set(number, status=S.CLAIMED, generation=known.generation + 1, owned=email, customer=None, attempts=0)

    @rule(number=numbers)
    def break_a_promise(self, number: int) -> None:
        """A settled row is settled again, and a claim is made under a key that is taken: both are refused whole."""
        known = self.rows[number]
        if known.status in PAIRED:
            with pytest.raises(LedgerRefuses):
                self.writer.write([], [Settled(number, Created("cus_twin"))])
        if known.status is not S.PENDING:
            with pytest.raises(LedgerRefuses):
                self.writer.write([claim(number, known.generation, "else@example.com")], [])

    @rule()
    def reopen(self) -> None:
        self.writer.close()
        self.open()
        found = self.reader.purpose()
        assert found is not None
        self.writer.adopt(found)

    # What both must agree on.

    @invariant()
    def every_row_stands_where_the_dict_says(self) -> None:
        lines = {line.row: line for line in self.reader.lines()}
        assert list(lines) == list(range(1, ROWS + 1))
        for number, known in self.rows.items():
            shown = S.IN_DOUBT if known.status is S.CLAIMED else known.status
            line = lines[number]
            assert line.status == shown.value
            assert line.duplicate_of == known.owner
            assert line.customer_id == (self.rows[known.owner].customer if known.owner else known.customer)

    @invariant()
    def every_email_has_the_owner_the_dict_says(self) -> None:
        found = {email: owner.number for email, owner in self.reader.owners(EMAILS).items()}
        assert found == {known.owned: n for n, known in self.rows.items() if known.owned}

    @invariant()
    def every_duplicate_follows_the_row_that_owns_its_email(self) -> None:
        for number, known in self.rows.items():
            if known.status is S.DUPLICATE:
                assert known.owner is not None
                assert self.rows[known.owner].owned == known.email, f"row {number} follows somebody else"

    @invariant()
    def every_claim_at_rest_has_its_key_and_its_parameters(self) -> None:
        claims = {c.row: c for c in self.reader.claims(AT_REST)}
        assert set(claims) == {n for n, known in self.rows.items() if known.status in AT_REST}
        for number, found in claims.items():
            known = self.rows[number]
            assert known.owned is not None
            assert (found.generation, found.params) == (
                known.generation,
                claim(number, known.generation, known.owned).params,
            )

    @invariant()
    def the_tally_counts_what_the_dict_counts(self) -> None:
        tally = self.reader.tally()
        statuses = [known.status for known in self.rows.values()]
        for status in (S.CREATED, S.UPDATED, S.EXISTING, S.DUPLICATE, S.INVALID, S.FAILED, S.PENDING):
            assert tally.count(status) == statuses.count(status)
        assert tally.count(S.IN_DOUBT) == sum(status in AT_REST for status in statuses)
        orphans = [k for k in self.rows.values() if k.owner and self.rows[k.owner].status is S.FAILED]
        assert tally.orphans == len(orphans)

    @invariant()
    def fields_are_kept_exactly_where_a_retry_or_an_export_needs_them(self) -> None:
        kept = {record.number for record in self.reader.records(list(self.rows))}
        needed = {n for n, k in self.rows.items() if k.status in (S.FAILED, S.INVALID, *AT_REST)}
        orphans = {n for n, k in self.rows.items() if k.owner and self.rows[k.owner].status in (S.FAILED, *AT_REST)}
        assert needed | orphans <= kept
        assert not kept & {n for n, k in self.rows.items() if k.customer}
        promised = self.writer._db.execute("SELECT number FROM payload WHERE params IS NOT NULL").fetchall()
        assert {n for (n,) in promised} <= {n for n, k in self.rows.items() if k.status in (S.FAILED, *AT_REST)}


TestLedger = Ledger.TestCase
TestLedger.settings = settings(
    max_examples=30, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
