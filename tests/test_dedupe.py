"""Who owns an e-mail, and what becomes of a row whose person is in Stripe already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.dedupe import meet, sort_out
from bulk_import.model import Customer, Duplicate, Existing, Failed, Invalid, Prepared, Row
from bulk_import.options import OnExisting
from tests.ledger_samples import TOKEN, invalid, row

ADA, BOB = "ada@example.com", "bob@example.com"


def told(batch: list[Prepared], owned: dict[str, int] | None = None) -> tuple[list[int], dict[int, object]]:
    found = sort_out(batch, owned or {})
    return [r.number for r in found.owners], {s.number: s.outcome for s in found.settled}


def nameless(number: int) -> Row:
    return replace(row(number), email=None, email_key=None)


@pytest.mark.parametrize(
    ("batch", "owned", "owners", "settled"),
    [
        ([row(1, ADA), row(2, BOB)], {}, [1, 2], {}),
        ([row(1, ADA), row(2, ADA), row(3, ADA)], {}, [1], {2: Duplicate(1), 3: Duplicate(1)}),
        ([row(5, ADA)], {ADA: 2}, [], {5: Duplicate(2)}),
        ([row(5, ADA)], {ADA: 5}, [5], {}),
        ([row(5, ADA), row(6, ADA)], {ADA: 5}, [5], {6: Duplicate(5)}),
        ([row(5, ADA), row(6, ADA)], {ADA: 6}, [6], {5: Duplicate(6)}),
        ([nameless(1), nameless(2)], {}, [1, 2], {}),
        # Rows that come again with corrected e-mails: their old ones are free, and they may even swap.
        ([row(5, BOB), row(6, ADA)], {ADA: 5, BOB: 6}, [5, 6], {}),
        ([row(5, BOB), row(6, ADA)], {ADA: 5}, [5, 6], {}),
        ([row(4, ADA), row(5, BOB)], {ADA: 5}, [4, 5], {}),
        ([row(4, ADA), nameless(5)], {ADA: 5}, [4, 5], {}),
    ],
)
def test_the_first_row_with_an_email_owns_it(
    batch: list[Prepared], owned: dict[str, int], owners: list[int], settled: dict[int, object]
) -> None:
    assert told(batch, owned) == (owners, settled)


def test_an_invalid_row_owns_nothing_and_gives_up_what_it_owned() -> None:
    bad = invalid(1)
    assert told([bad, row(2, ADA)]) == ([2], {1: bad})
    assert told([row(2, ADA), bad], {ADA: 1}) == ([2], {1: bad})


@given(st.lists(st.sampled_from([ADA, BOB, "cy@example.com", None, "bad"]), max_size=12), st.booleans())
def test_every_row_is_told_once_and_every_duplicate_follows_an_owner_of_its_email(
    emails: list[str | None], known: bool
) -> None:
    batch: list[Prepared] = [
        invalid(n) if e == "bad" else nameless(n) if e is None else row(n, e) for n, e in enumerate(emails, 10)
    ]
    owners, settled = told(batch, {ADA: 3} if known else {})
    assert sorted([*owners, *settled]) == [one.number for one in batch]
    by_number = {one.number: one for one in batch}
    keys = {3: ADA, **{n: one.email_key for n in owners if isinstance(one := by_number[n], Row)}}
    for number, outcome in settled.items():
        one = by_number[number]
        if isinstance(one, Invalid):
            assert outcome == one
        else:
            assert isinstance(outcome, Duplicate)
            assert keys[outcome.owner] == one.email_key
    owned = [key for key in keys.values() if key]
    assert len(owned) == len(set(owned)) or not known


OLD = Customer("cus_old", ADA, 10, livemode=False)
NEW = Customer("cus_new", ADA, 20, livemode=False)
OURS = Customer("cus_ours", ADA, 30, livemode=False, marker=f"{TOKEN}:7:0")


def test_nobody_there_means_create() -> None:
    assert all(meet(row(7, ADA), [], policy, TOKEN) is None for policy in ("skip", "refuse", "create"))


def test_skip_takes_the_oldest_and_says_how_many_there_were() -> None:
    assert meet(row(7, ADA), [OLD], "skip", TOKEN) == Existing("cus_old")
    met = meet(row(7, ADA), [OLD, NEW], "skip", TOKEN)
    assert isinstance(met, Existing)
    assert met.customer_id == "cus_old"
    assert "2 customers" in (met.note or "")


def test_refuse_names_the_customer() -> None:
    met = meet(row(7, ADA), [OLD, NEW], "refuse", TOKEN)
    assert isinstance(met, Failed)
    assert "cus_old" in (met.refusal.message or "")


def test_create_makes_another() -> None:
    assert meet(row(7, ADA), [OLD], "create", TOKEN) is None


@pytest.mark.parametrize("policy", ["skip", "refuse", "create"])
def test_a_customer_with_our_own_marker_is_ours_whatever_the_policy(policy: OnExisting) -> None:
    met = meet(row(7, ADA), [OLD, replace(OURS, marker=f"{TOKEN}:7:2")], policy, TOKEN)
    assert isinstance(met, Existing)
    assert met.customer_id == "cus_ours"


@pytest.mark.parametrize("marker", [f"{TOKEN}:70:0", f"{TOKEN}:8:0", "fedcba9876543210:7:0", "", TOKEN])
def test_a_marker_of_another_row_or_ledger_does_not_make_it_ours(marker: str) -> None:
    assert meet(row(7, ADA), [replace(OURS, marker=marker)], "create", TOKEN) is None
