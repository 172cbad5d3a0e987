"""How many refusals a run may collect before it stops."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_import.budget import FIRST_ALIKE, SMALLEST_SAMPLE, Budget
from bulk_import.model import Created, Duplicate, Existing, Failed, InDoubt, Outcome, Refusal, Updated

OK = Created("cus_1")


def no(code: str | None = "parameter_unknown", param: str | None = "nmae") -> Failed:
    return Failed(Refusal("invalid_request_error", code, param, "no", 400))


def after(budget: Budget, *outcomes: Outcome) -> Budget:
    for outcome in outcomes:
        budget = budget.after(outcome)
    return budget


@pytest.mark.parametrize(
    ("outcomes", "mistake"),
    [
        ([no()] * 19, False),
        ([no()] * 20, True),
        ([no()] * 25, True),
        ([no(None, None)] * 20, True),
        ([no()] * 19 + [no("email_invalid", "email")], False),
        ([no("email_invalid", "email")] + [no()] * 30, False),
        ([no(param="a"), *[no(param="b")] * 20], False),
        ([OK, *[no()] * 20], False),
        ([Updated("cus_1"), *[no()] * 20], False),
        ([Existing("cus_1"), *[no()] * 20], False),
        ([*[no()] * 19, OK, no()], False),
        ([*[no()] * 10, InDoubt(Refusal()), *[no()] * 10], True),
    ],
)
def test_the_first_twenty_refused_alike_before_any_success_are_a_mapping_mistake(
    outcomes: list[Outcome], mistake: bool
) -> None:
    assert after(Budget(share=None), *outcomes).is_mistake is mistake


def test_twenty_is_what_the_design_says() -> None:
    assert (FIRST_ALIKE, SMALLEST_SAMPLE) == (20, 100)


def test_a_success_of_an_earlier_run_rules_a_mapping_mistake_out() -> None:
    assert not after(Budget(succeeded=True), *[no()] * 20).is_mistake


@pytest.mark.parametrize(
    ("budget", "good", "bad", "spent"),
    [
        (Budget(), 0, 99, False),
        (Budget(), 0, 100, True),
        (Budget(), 90, 10, False),
        (Budget(), 89, 11, True),
        (Budget(), 899, 100, True),
        (Budget(), 900, 100, False),
        (Budget(most=0, share=None), 50, 0, False),
        (Budget(most=0, share=None), 0, 1, True),
        (Budget(most=5, share=None), 0, 5, False),
        (Budget(most=5, share=None), 1000, 6, True),
        (Budget(most=None, share=None), 0, 5000, False),
        (Budget(share=0.5), 50, 50, False),
        (Budget(share=0.5), 49, 51, True),
        (Budget(share=1.0), 0, 500, False),
        (Budget(share=0.0), 99, 1, True),
    ],
)
def test_the_budget_is_spent_by_more_refusals_than_the_count_or_the_share_allows(
    budget: Budget, good: int, bad: int, spent: bool
) -> None:
    assert after(budget, *[OK] * good, *[no(str(n)) for n in range(bad)]).is_spent is spent


@pytest.mark.parametrize("outcome", [InDoubt(Refusal()), Duplicate(1)])
def test_what_is_no_answer_of_stripes_is_not_counted(outcome: Outcome) -> None:
    assert after(Budget(), outcome) == Budget()


@given(st.lists(st.sampled_from([OK, no(), no("other"), InDoubt(Refusal())]), max_size=60))
def test_the_order_of_answers_never_changes_what_the_share_says(outcomes: list[Outcome]) -> None:
    forth, back = after(Budget(share=0.1), *outcomes), after(Budget(share=0.1), *reversed(outcomes))
    assert (forth.answered, forth.refused, forth.is_spent) == (back.answered, back.refused, back.is_spent)
    assert forth.refused == sum(isinstance(o, Failed) for o in outcomes)
