"""Customers who were there before: computed, even, in mixed letter case, and real as soon as they are touched."""

from __future__ import annotations

import operator
import re
import time
import tracemalloc
from itertools import pairwise

import pytest

from bulk_import.simulator import Account
from bulk_import.simulator.catalogue import TWO_YEARS
from tests.simulator_support import NOON, call, create, ids


def _listed(account: Account, **params: object) -> list[str]:
    return ids(account.handle(call("GET", "/v1/customers", {"limit": "100", **params}), NOON))


def test_existing_customers_are_spread_evenly_over_two_years_up_to_the_opening() -> None:
    account = Account(now=NOON, existing=8)
    created = [customer["created"] for customer in account.customers.values()]
    assert created[0] == NOON - TWO_YEARS
    gaps = {later - earlier for earlier, later in pairwise(created)}
    assert gaps == {TWO_YEARS // 8}
    assert created[-1] < NOON


def test_their_addresses_vary_in_letter_case_only() -> None:
    emails = [customer["email"] for customer in Account(now=NOON, existing=8).customers.values()]
    assert emails[0] == "Existing.000001@example.com"
    assert [email.lower() for email in emails] == [f"existing.{n:06d}@example.com" for n in range(1, 9)]
    assert len({re.sub(r"[0-9]", "", email) for email in emails}) == 4


def test_they_are_the_same_for_the_same_seed_and_others_for_another() -> None:
    first, second, other = (Account(now=NOON, existing=5, seed=seed).customers for seed in (1, 1, 2))
    assert first == second
    assert set(first).isdisjoint(other)


def test_one_is_found_by_id_by_exact_email_and_by_search_in_any_case() -> None:
    account = Account(now=NOON, existing=300)
    [customer] = [one for one in account.customers.values() if one["email"] == "EXISTING.000007@Example.com"]
    assert account.handle(call("GET", f"/v1/customers/{customer['id']}"), NOON).body == customer
    assert _listed(account, email="EXISTING.000007@Example.com") == [customer["id"]]
    assert _listed(account, email="existing.000007@example.com") == []
    query = {"query": "email:'existing.000007@EXAMPLE.com'"}
    assert ids(account.handle(call("GET", "/v1/customers/search", query), NOON)) == [customer["id"]]
    assert _listed(account, email="Existing.000301@example.com") == []
    assert _listed(account, email="Existing.7@example.com") == []
    endless = {"query": f"email:'existing.{'9' * 4900}@example.com'"}
    assert ids(account.handle(call("GET", "/v1/customers/search", endless), NOON)) == []


def test_one_that_is_updated_or_deleted_is_no_longer_what_it_was() -> None:
    account = Account(now=NOON, existing=3)
    oldest, middle, _ = account.customers
    moved = account.handle(call("POST", f"/v1/customers/{oldest}", {"email": "new@example.com"}), NOON)
    assert moved.body["created"] == NOON - TWO_YEARS
    account.handle(call("DELETE", f"/v1/customers/{middle}"), NOON)
    assert _listed(account, email="Existing.000001@example.com") == []
    assert _listed(account, email="new@example.com") == [oldest]
    assert _listed(account, email="existing.000002@example.com") == []
    assert next(iter(account.customers)) == oldest
    assert len(account.customers) == 2


def test_new_customers_come_after_existing_ones_in_every_list() -> None:
    account = Account(now=NOON, existing=3)
    new = create(account, NOON, email="new@example.com").body["id"]
    assert _listed(account)[0] == new
    assert len(_listed(account)) == 4
    assert _listed(account, created={"gte": str(int(NOON))}) == [new]


@pytest.mark.parametrize("bound", ["ge", "gt", "lt", "le"])
def test_bounds_on_created_cut_existing_customers_exactly(bound: str) -> None:
    account = Account(now=NOON, existing=50)
    everyone = account.customers
    moment = sorted(one["created"] for one in everyone.values())[20]
    holds = getattr(operator, bound)
    expected = {id_ for id_, one in everyone.items() if holds(one["created"], moment)}
    name = bound.replace("e", "te")
    assert set(_listed(account, created={name: str(moment)})) == expected


def test_a_million_of_them_cost_no_memory_and_no_time() -> None:
    began = time.process_time()
    tracemalloc.start()
    account = Account(now=NOON, existing=1_000_000)
    assert len(_listed(account)) == 100
    cut = str(int(NOON) - TWO_YEARS // 2)
    assert len(_listed(account, created={"lt": cut})) == 100
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000
    assert time.process_time() - began < 2
