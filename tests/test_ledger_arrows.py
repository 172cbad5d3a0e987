"""The table of states, pair by pair, through the real writer on a real file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bulk_import.engine import Stopped
from bulk_import.errors import LedgerRefuses
from bulk_import.ledger import ARROWS, Reader, Writer, allowed_from, is_allowed
from bulk_import.model import (
    Claim,
    Created,
    Doubt,
    Duplicate,
    Existing,
    Failed,
    InDoubt,
    Outcome,
    Prepared,
    Released,
    Settled,
    Status,
    Updated,
)
from tests.ledger_samples import NOW, claim, email_of, invalid, ledger, refusal, row

S = Status
N = 7
OTHER = "elsewhere@example.com"

# design.md, "Exactly once", and the arrows that follow from its other paragraphs: a claim at rest is in doubt, a
# claim that was never sent goes back, a mapping mistake takes its refusals back, `undo` puts rows back, a changed mapping takes up
# rows that were never sent, an update whose customer was deleted has failed, and a duplicate that is mended, or whose owner
# is, has failed until a retry sends it as a row of its own, or is invalid.
EXPECTED = {
    S.PENDING: {S.INVALID, S.DUPLICATE, S.EXISTING, S.FAILED, S.CLAIMED},
    S.CLAIMED: {S.CREATED, S.UPDATED, S.EXISTING, S.FAILED, S.IN_DOUBT, S.CLAIMED, S.PENDING},
    S.IN_DOUBT: {S.CLAIMED, S.CREATED, S.UPDATED, S.EXISTING, S.IN_DOUBT, S.FAILED},
    S.FAILED: {S.CLAIMED, S.EXISTING, S.DUPLICATE, S.INVALID, S.FAILED, S.PENDING},
    S.INVALID: {S.CLAIMED, S.EXISTING, S.DUPLICATE, S.INVALID, S.FAILED, S.PENDING},
    S.DUPLICATE: {S.PENDING, S.FAILED, S.INVALID},
    S.CREATED: {S.PENDING},
    S.UPDATED: {S.PENDING},
    S.EXISTING: set(),
}
PAIRS = [(source, target) for source in S for target in S]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[tuple[Writer, Reader]]:
    with ledger(tmp_path / "l.db") as opened:
        yield opened


def outcome(status: Status) -> Outcome | Released:
    match status:
        case S.CREATED:
            return Created("cus_1", "req_1")
        case S.UPDATED:
            return Updated("cus_1")
        case S.EXISTING:
            return Existing("cus_1")
        case S.DUPLICATE:
            return Duplicate(1)
        case S.FAILED:
            return Failed(refusal())
        case S.IN_DOUBT:
            return InDoubt(refusal(), Doubt.REPLAYED)
        case S.INVALID:
            return invalid(N)
        case _:
            return Released(1)


def bring_to(writer: Writer, status: Status) -> None:
    """Put row N where it stands, by allowed arrows only; its e-mail's owner is row 1 where it is a duplicate."""
    if status in (S.INVALID, S.DUPLICATE):
        if status is S.DUPLICATE:
            writer.write([claim(1)], [])
        writer.write([], [Settled(N, outcome(status), invalid(N) if status is S.INVALID else row(N, email_of(1)))])
        return
    writer.write([claim(N)], [])
    if status is not S.CLAIMED:
        writer.write([], [Settled(N, outcome(status))])


def status_of(reader: Reader, number: int = N) -> str:
    [line] = reader.lines([number])
    return line.status


def shown(status: Status) -> str:
    return (S.IN_DOUBT if status is S.CLAIMED else status).value


def step(writer: Writer, target: Status) -> None:
    if target is S.CLAIMED:
        writer.write([claim(N, 1, OTHER)], [])
    else:
        writer.write([], [Settled(N, outcome(target))])


def test_the_table_is_exactly_the_one_of_the_design() -> None:
    assert {pair for pair in PAIRS if is_allowed(*pair)} == {(s, t) for s, to in EXPECTED.items() for t in to}


def test_every_arrow_has_a_reason_of_its_own_words() -> None:
    assert all(len(reason.split()) >= 3 for reason in ARROWS.values())


@pytest.mark.parametrize("target", list(S))
def test_allowed_from_turns_the_table_around(target: Status) -> None:
    assert set(allowed_from(target)) == {source for source, to in EXPECTED.items() if target in to}


@pytest.mark.parametrize(("source", "target"), [p for p in PAIRS if p[1] in EXPECTED[p[0]]])
def test_an_allowed_arrow_is_taken(book: tuple[Writer, Reader], source: Status, target: Status) -> None:
    writer, reader = book
    bring_to(writer, source)
    assert status_of(reader) == shown(source)
    step(writer, target)
    assert status_of(reader) == shown(target)


@pytest.mark.parametrize(("source", "target"), [p for p in PAIRS if p[1] not in EXPECTED[p[0]]])
def test_a_forbidden_arrow_is_refused_and_nothing_of_its_commit_is_written(
    book: tuple[Writer, Reader], source: Status, target: Status
) -> None:
    writer, reader = book
    bring_to(writer, source)
    before = list(reader.lines([N])), reader.records([N]), reader.next_generations([N])
    again = [claim(N, 1, OTHER)] if target is S.CLAIMED else []
    settled = [] if target is S.CLAIMED else [Settled(N, outcome(target))]
    with pytest.raises(LedgerRefuses):
        writer.write([claim(12), *again], settled)
    assert (list(reader.lines([N])), reader.records([N]), reader.next_generations([N])) == before
    assert list(reader.lines([12])) == []


@pytest.mark.parametrize("target", [t for t in S if t not in (S.CLAIMED, S.PENDING)])
def test_a_row_that_the_ledger_never_saw_is_not_settled(book: tuple[Writer, Reader], target: Status) -> None:
    writer, reader = book
    with pytest.raises(LedgerRefuses):
        writer.write([], [Settled(N, outcome(target))])
    assert list(reader.lines([N])) == []


@pytest.mark.parametrize("target", [t for t in S if t not in EXPECTED[S.PENDING] | {S.PENDING}])
def test_a_new_row_enters_only_by_an_arrow_from_pending(book: tuple[Writer, Reader], target: Status) -> None:
    writer, reader = book
    with pytest.raises(LedgerRefuses):
        writer.write([], [Settled(N, outcome(target), row(N))])
    assert list(reader.lines([N])) == []


# A key's generation: what was promised under one key is never promised anew under it.


@pytest.mark.parametrize("source", [S.CLAIMED, S.IN_DOUBT, S.FAILED, S.INVALID])
def test_a_row_is_claimed_anew_only_under_a_higher_generation(book: tuple[Writer, Reader], source: Status) -> None:
    writer, reader = book
    bring_to(writer, source)
    with pytest.raises(LedgerRefuses):
        writer.write([claim(N, 0, OTHER, claimed_at=NOW + 90_000)], [])
    assert status_of(reader) == shown(source)
    assert all(c.claimed_at == NOW for c in reader.claims([S.CLAIMED, S.IN_DOUBT]))


def test_a_released_row_may_not_fall_back_to_an_earlier_generation(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(N, 3)], [])
    writer.write([], [Settled(N, Released(0))])
    assert reader.next_generations([N]) == {N: 3}
    with pytest.raises(LedgerRefuses):
        writer.write([claim(N, 2)], [])


def test_a_row_that_was_surely_never_sent_keeps_its_generation(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(N)], [])
    writer.write([], [Settled(N, Released(0))])
    writer.write([claim(N, 0, OTHER)], [])
    [again] = reader.claims([S.CLAIMED])
    assert (again.generation, again.email) == (0, OTHER)


def test_claiming_again_under_the_same_key_changes_neither_key_nor_age(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    bring_to(writer, S.IN_DOUBT)
    writer.claim_again([N], "fp")
    [again] = reader.claims([S.CLAIMED])
    assert (again.generation, again.claimed_at, again.params) == (0, NOW, claim(N).params)


def test_claiming_again_forgets_what_the_attempt_before_said(book: tuple[Writer, Reader]) -> None:
    # Killed right after, nobody knows when its last attempt began: an old replay must not prove absence then.
    writer, reader = book
    writer.write([claim(N)], [])
    writer.write([], [Settled(N, InDoubt(refusal(), Doubt.REPLAYED), attempts=3, attempted_at=NOW + 5)])
    [doubtful] = reader.claims([S.IN_DOUBT])
    assert (doubtful.doubt, doubtful.attempted_at) == (Doubt.REPLAYED, NOW + 5)
    writer.claim_again([N], "fp")
    [again] = reader.claims([S.CLAIMED])
    assert (again.doubt, again.attempted_at) == (None, None)


def test_a_claim_that_goes_out_again_keeps_the_fingerprint_of_the_key_it_goes_out_with(
    book: tuple[Writer, Reader],
) -> None:
    writer, reader = book
    writer.write([claim(N)], [])
    writer.claim_again([N], "another key's")
    [again] = reader.claims([S.CLAIMED])
    assert again.key_fingerprint == "another key's"


@pytest.mark.parametrize("status", [s for s in S if s not in (S.IN_DOUBT, S.PENDING)])
def test_only_rows_in_doubt_are_claimed_again(book: tuple[Writer, Reader], status: Status) -> None:
    writer, reader = book
    bring_to(writer, status)
    before = list(reader.lines([N]))
    writer.claim_again([N], "fp")
    assert list(reader.lines([N])) == before


@pytest.mark.parametrize("source", [S.FAILED, S.INVALID])
def test_a_row_that_is_retried_gets_the_next_generation(book: tuple[Writer, Reader], source: Status) -> None:
    writer, reader = book
    bring_to(writer, source)
    assert reader.next_generations([N]) == {N: 1}


def test_a_duplicate_that_was_once_sent_never_takes_its_old_key_again(book: tuple[Writer, Reader]) -> None:
    # Refused under generation 0, corrected to an e-mail that row 1 owns, then let go because row 1 was corrected.
    writer, reader = book
    bring_to(writer, S.FAILED)
    writer.write([claim(1)], [])
    writer.write([], [Settled(N, Duplicate(1), row(N, email_of(1)))])
    writer.write([], [Settled(N, Released(0))])
    assert reader.next_generations([N]) == {N: 1}


# One owner per e-mail.


def owner_of(reader: Reader, email: str) -> int | None:
    found = reader.owners([email]).get(email)
    return found.number if found else None


@pytest.mark.parametrize("status", [S.CLAIMED, S.IN_DOUBT, S.FAILED, S.CREATED, S.EXISTING, S.UPDATED])
def test_a_row_that_can_be_sent_owns_its_email(book: tuple[Writer, Reader], status: Status) -> None:
    writer, reader = book
    bring_to(writer, status)
    assert owner_of(reader, email_of(N)) == N


@pytest.mark.parametrize("refused", [Existing("cus_1"), Failed(refusal())])
def test_a_row_settled_without_being_sent_owns_its_email(book: tuple[Writer, Reader], refused: Outcome) -> None:
    writer, reader = book
    writer.write([], [Settled(N, refused, row(N))])
    assert owner_of(reader, email_of(N)) == N


def test_an_invalid_row_and_a_duplicate_own_nothing(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(1)], [Settled(2, Duplicate(1), row(2, email_of(1))), Settled(3, invalid(3), invalid(3))])
    owners = reader.owners([*map(email_of, (1, 2, 3)), "x"])
    assert {email: owner.number for email, owner in owners.items()} == {email_of(1): 1}


@pytest.mark.parametrize("claims", [[claim(1), claim(2, email=email_of(1))], [claim(2, email=email_of(1))]])
def test_two_rows_never_own_one_email(book: tuple[Writer, Reader], claims: Sequence[Claim]) -> None:
    writer, reader = book
    if len(claims) == 1:
        writer.write([claim(1)], [])
    with pytest.raises(LedgerRefuses):
        writer.write(claims, [])
    assert owner_of(reader, email_of(1)) == (1 if len(claims) == 1 else None)


def test_a_failed_owner_that_is_corrected_to_an_invalid_row_gives_its_email_up(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    bring_to(writer, S.FAILED)
    writer.write([], [Settled(N, invalid(N), invalid(N))])
    assert owner_of(reader, email_of(N)) is None


def test_two_corrected_rows_may_swap_their_emails_in_one_commit(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(1), claim(2)], [])
    writer.write([], [Settled(1, Failed(refusal())), Settled(2, Failed(refusal()))])
    writer.write([claim(1, 1, email_of(2)), claim(2, 1, email_of(1))], [])
    assert (owner_of(reader, email_of(1)), owner_of(reader, email_of(2))) == (2, 1)


def test_a_corrected_row_may_take_the_email_of_one_that_is_found_existing_in_the_same_commit(
    book: tuple[Writer, Reader],
) -> None:
    writer, reader = book
    writer.write([claim(1), claim(2)], [])
    writer.write([], [Settled(1, Failed(refusal())), Settled(2, Failed(refusal()))])
    writer.write([claim(1, 1, email_of(2))], [Settled(2, Existing("cus_9"), row(2, email_of(1)))])
    assert (owner_of(reader, email_of(1)), owner_of(reader, email_of(2))) == (2, 1)


def test_duplicates_of_a_row_that_is_taken_back_begin_anew_with_it(book: tuple[Writer, Reader]) -> None:
    # A mapping mistake may lie in the e-mail itself: under the mended mapping they may be nobody's duplicates.
    writer, reader = book
    writer.write([claim(1)], [Settled(2, Duplicate(1), row(2, email_of(1)))])
    writer.write([], [Settled(1, Failed(refusal()))])
    writer.write([], [Settled(3, Duplicate(1), row(3, email_of(1))), Settled(1, Released(1))])
    assert [line.status for line in reader.lines([1, 2, 3])] == ["pending"] * 3
    assert reader.records([1, 2, 3]) == []
    assert reader.looked_at()[1:4] == b"\0\0\0"


def mended(writer: Writer, *rows: Prepared) -> list[int]:
    return list(writer.mend(rows, writer.begin_command("retry", None, None), "a file").to_send)


def test_a_mended_duplicate_of_a_row_that_is_taken_back_keeps_what_was_mended(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(1)], [Settled(2, invalid(2), invalid(2)), Settled(3, Duplicate(1), row(3, email_of(1)))])
    repaired = replace(row(2, email_of(1)), fields={"E-mail": email_of(1), "name": "mended"})
    assert mended(writer, repaired) == [2]
    writer.write([], [Settled(2, Duplicate(1), repaired)])
    writer.write([], [Settled(1, Released(1))])
    assert [line.status for line in reader.lines([1, 2, 3])] == ["pending", "failed", "pending"]
    assert [record.fields for record in reader.records([1, 2, 3])] == [repaired.fields]


def test_a_changed_mapping_takes_up_no_row_that_was_mended(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([], [Settled(n, invalid(n), invalid(n)) for n in (1, 2)])
    still = replace(invalid(2), fields={"E-mail": "y", "name": "mended"})
    assert mended(writer, still) == []
    assert writer.reconsider() == 1
    assert [line.status for line in reader.lines([1, 2])] == ["pending", "invalid"]
    assert [record.fields for record in reader.records([1, 2])] == [still.fields]


def test_mended_rows_own_only_what_they_owned_and_let_the_others_go(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(1), claim(2)], [Settled(3, Duplicate(1), row(3, email_of(1)))])
    writer.write([], [Settled(1, Failed(refusal())), Settled(2, Failed(refusal()))])
    assert mended(writer, row(1, email_of(2)), row(2)) == [1, 2, 3]
    assert (owner_of(reader, email_of(1)), owner_of(reader, email_of(2))) == (None, 2)
    assert {(line.status, line.error_code, line.settled_at) for line in reader.lines([1, 2, 3])} == {
        ("failed", "mended", None)
    }
    assert reader.commands()[-1].facts["with"] == "a file"


@pytest.mark.parametrize("status", [s for s in S if s not in (S.FAILED, S.INVALID, S.DUPLICATE)])
def test_only_what_failed_here_or_there_is_mended_all_or_nothing(book: tuple[Writer, Reader], status: Status) -> None:
    writer, reader = book
    writer.write([claim(1)], [])
    writer.write([], [Settled(1, Failed(refusal()))])
    bring_to(writer, status) if status is not S.PENDING else None
    before = list(reader.lines([1, N])), reader.records([1, N])
    with pytest.raises(LedgerRefuses, match="nothing of this was written"):
        mended(writer, row(1, OTHER), row(N, OTHER))
    assert (list(reader.lines([1, N])), reader.records([1, N])) == before
    assert "with" not in reader.commands()[-1].facts


def test_a_stop_while_mended_rows_are_taken_over_takes_over_none(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([], [Settled(n, invalid(n), invalid(n)) for n in range(1, 601)])
    before = list(reader.lines(range(1, 601)))

    def stopped() -> Iterator[Prepared]:
        yield from (row(n) for n in range(1, 600))
        raise Stopped

    with pytest.raises(Stopped):
        writer.mend(stopped(), writer.begin_command("retry", None, None), "a file")
    assert list(reader.lines(range(1, 601))) == before


def test_a_duplicate_shows_its_owners_customer(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(1)], [Settled(2, Duplicate(1), row(2, email_of(1)))])
    writer.write([], [Settled(1, Created("cus_42"))])
    [line] = reader.lines([2])
    assert (line.status, line.customer_id, line.duplicate_of) == ("duplicate", "cus_42", 1)


def test_a_row_refused_and_taken_back_in_one_commit_is_pending(book: tuple[Writer, Reader]) -> None:
    writer, reader = book
    writer.write([claim(N)], [])
    writer.write([], [Settled(N, Released(1)), Settled(N, Failed(refusal()))])
    [line] = reader.lines([N])
    assert (line.status, line.error_code) == ("pending", None)
    assert reader.next_generations([N]) == {N: 1}
