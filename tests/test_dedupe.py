"""Who owns an e-mail, and what becomes of a row whose person is in Stripe already."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.dedupe import Holder, meet, sort_out
from bulk_import.model import Customer, Duplicate, Existing, Failed, Invalid, Method, Prepared, Row
from bulk_import.options import OnExisting
from tests.ledger_samples import TOKEN, invalid, row

ADA, BOB = "ada@example.com", "bob@example.com"


def told(batch: list[Prepared], owned: dict[str, int] | None = None) -> tuple[list[int], dict[int, object]]:
    found = sort_out(batch, owned or {}, {})
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


def paying(number: int, method: str, email: str | None = None) -> Row:
    return replace(row(number, email), method=Method(method, "Method"))


@pytest.mark.parametrize(
    ("batch", "taken", "owners", "refused"),
    [
        ([paying(1, "pm_1"), paying(2, "pm_2")], {}, [1, 2], {}),
        ([paying(1, "pm_1"), paying(2, "pm_1"), paying(3, "pm_1")], {}, [1], {2: 1, 3: 1}),
        ([paying(5, "pm_1")], {"pm_1": 2}, [], {5: 2}),
        ([paying(5, "pm_1")], {"pm_1": 5}, [5], {}),
        # A row that is not sent leaves its payment method, and a row refused for its method leaves its e-mail.
        ([replace(invalid(1), method=Method("pm_1", "Method")), paying(2, "pm_1")], {}, [2], {}),
        ([paying(1, "pm_2", ADA), paying(2, "pm_1", ADA), paying(3, "pm_1", BOB)], {}, [1, 3], {}),
        ([paying(1, "pm_1", ADA), paying(2, "pm_1", BOB), paying(3, "pm_2", BOB)], {}, [1, 3], {2: 1}),
        ([paying(1, "pm_1", ADA), paying(2, "pm_1", ADA)], {}, [1], {}),
        # Rows that come again with corrected methods: their old ones are free.
        ([paying(5, "pm_2"), paying(6, "pm_1")], {"pm_1": 5, "pm_2": 6}, [5, 6], {}),
        ([row(5), paying(6, "pm_1")], {"pm_1": 5}, [5, 6], {}),
    ],
)
def test_the_first_row_that_is_sent_with_a_payment_method_has_it_alone(
    batch: list[Prepared], taken: dict[str, int], owners: list[int], refused: dict[int, int]
) -> None:
    found = sort_out(batch, {}, {id_: Holder(n, n + 1) for id_, n in taken.items()})
    assert [r.number for r in found.owners] == owners
    told = {s.number: s.outcome.problems[-1] for s in found.settled if isinstance(s.outcome, Invalid)}
    same = {number: problem for number, problem in told.items() if problem.rule == "same-payment-method"}
    assert same.keys() == refused.keys()
    for number, problem in same.items():
        assert f"row {refused[number]} (line {refused[number] + 1})" in problem.message
        assert (problem.column, problem.value, problem.param) == ("Method", "pm_1", "payment_method")


@pytest.mark.parametrize(
    ("batch", "owners", "settled"),
    [
        ([paying(5, "pm_1", ADA), row(6, ADA)], [6], {5: Invalid}),
        ([row(4, ADA), paying(5, "pm_1", ADA), row(6, ADA)], [4], {5: Duplicate, 6: Duplicate}),
        ([paying(4, "pm_2", BOB), paying(5, "pm_2", ADA), row(6, ADA)], [4, 6], {5: Invalid}),
        ([paying(4, "pm_1", ADA), paying(5, "pm_1", ADA), row(6, ADA)], [6], {4: Invalid, 5: Invalid}),
    ],
)
def test_nobody_follows_a_row_that_came_again_and_is_refused_for_its_method(
    batch: list[Prepared], owners: list[int], settled: dict[int, type]
) -> None:
    found = sort_out(batch, {ADA: 5}, {"pm_1": Holder(2, 3)})
    assert [r.number for r in found.owners] == owners
    assert {s.number: type(s.outcome) for s in found.settled} == settled
    followed = {s.outcome.owner for s in found.settled if isinstance(s.outcome, Duplicate)}
    assert followed <= set(owners)


def test_a_row_that_is_invalid_anyway_is_told_of_its_payment_method_too() -> None:
    bad = replace(invalid(2), method=Method("pm_1", "Method"))
    (settled,) = sort_out([paying(1, "pm_1"), bad], {}, {}).settled
    assert isinstance(settled.outcome, Invalid)
    assert [problem.rule for problem in settled.outcome.problems] == ["email", "same-payment-method"]


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
