"""Who is in the file twice and who is in Stripe already: one customer for each person, whichever way it is learnt."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bulk_import.engine import inline
from bulk_import.existing import Choice, Means, choose
from bulk_import.model import Reply, Request, Slice
from bulk_import.options import Pacing
from bulk_import.simulator import Call, Fault
from bulk_import.simulator.faults import Canned
from tests.virtual_run import World, check_promises, people
from tests.virtual_stripe import EPOCH, Arrival, Distorted, Trouble, VirtualStripe, refused
from tests.virtual_time import run_virtual

LEARNING = ["snapshot", "search", "auto"]


def _there(*numbers: int) -> list[str]:
    """Rows for people who were in the account from the start, whatever letter case their e-mail has there."""
    return [f"existing.{n:06d}@example.com,There" for n in numbers]


def test_later_rows_with_an_email_follow_the_first_one_over_batches(tmp_path: Path) -> None:
    rows = people(7)
    rows += ["PERSON2@EXAMPLE.com,Again", "person7@example.com,Again", "nobody,Invalid", "person2@Example.com,Again"]
    rows += ["nobody,Invalid", *people(2, first=8)]
    world = World(tmp_path, rows)
    run = world.run(batch_size=3)
    assert check_promises(world, run) == {"created": 9, "duplicate": 3, "invalid": 2}
    owners = {line.row: line.duplicate_of for line in world.lines() if line.status == "duplicate"}
    assert owners == {8: 2, 9: 7, 11: 2}
    assert [line.customer_id for line in world.lines() if line.row in (2, 8, 11)] == [world.lines()[1].customer_id] * 3


@pytest.mark.parametrize("hashed", [False, True], ids=["plain", "hashed"])
@pytest.mark.parametrize("dedupe", LEARNING)
def test_people_in_the_account_are_found_in_any_letter_case(tmp_path: Path, dedupe: str, hashed: bool) -> None:
    rows = [*people(5), *_there(1, 2, 3, 4, 999), "Existing.000003@Example.com,Twice", *people(5, first=6)]
    world = World(tmp_path, rows, VirtualStripe(existing=1000))
    run = world.run(dedupe=dedupe, batch_size=3, hash_emails=hashed)
    assert check_promises(world, run) == {"created": 10, "existing": 5, "duplicate": 1}
    assert run.exit_code == 0


def test_lookup_finds_who_has_exactly_this_email(tmp_path: Path) -> None:
    rows = [*people(5), *_there(2, 6), *people(5, first=6)]
    world = World(tmp_path, rows, VirtualStripe(existing=1000))
    run = world.run(dedupe="lookup", batch_size=3)
    assert check_promises(world, run) == {"created": 10, "existing": 2}
    assert len([a for a in run.arrivals if a.endpoint == "list"]) == 12


@pytest.mark.parametrize("dedupe", ["snapshot", "search", "lookup"])
def test_of_several_customers_with_an_email_the_oldest_is_taken_and_the_line_says_so(
    tmp_path: Path, dedupe: str
) -> None:
    world = World(tmp_path, people(3), VirtualStripe(existing=20))
    oldest = world.stranger("person2@example.com")
    for _ in range(119):
        world.wait(1.0)
        world.stranger("person2@example.com")
    world.wait(60.0)
    run = world.run(dedupe=dedupe)
    assert check_promises(world, run) == {"created": 2, "existing": 1}
    line = world.lines()[1]
    assert line.customer_id == oldest
    assert "120 customers" in str(line.error_message)


def test_a_customer_from_an_impossible_time_does_no_harm(tmp_path: Path) -> None:
    world = World(tmp_path, people(5), VirtualStripe(existing=3))
    odd = Distorted(lambda body: {**body, "data": [{**c, "created": 10**30} for c in body["data"]]})
    world.stripe.misbehave = lambda a: odd if a.endpoint == "list" else None
    run = world.run(dedupe="snapshot")
    assert check_promises(world, run) == {"created": 5}


@pytest.mark.parametrize("dedupe", ["snapshot", "search"])
def test_somebody_who_signs_up_while_the_run_goes_on_is_seen(tmp_path: Path, dedupe: str) -> None:
    world = World(tmp_path, people(90), VirtualStripe(existing=500))
    world.stripe.misbehave = _signing_up_at(world, 1003.0, "Person80@Example.com")
    run = world.run(dedupe=dedupe, batch_size=5, pacing=Pacing(rate=20.0, concurrency=4))
    assert check_promises(world, run) == {"created": 89, "existing": 1}
    assert world.status(80) == "existing"


def _signing_up_at(world: World, moment: float, email: str) -> Callable[[Arrival], Trouble | None]:
    def look_on(arrival: Arrival) -> Trouble | None:
        if arrival.at >= moment and not done:
            done.append(world.stripe.create(email, EPOCH + arrival.at))
            world.strangers.update(done)
        return None

    done: list[str] = []
    return look_on


@pytest.mark.parametrize("clock_error", [-6 * 3600.0, 0.0, 6 * 3600.0])
@pytest.mark.parametrize("dedupe", ["search", "snapshot"])
def test_another_ledger_within_the_minute_makes_nobody_again_whatever_our_clock_says(
    tmp_path: Path, dedupe: str, clock_error: float
) -> None:
    first = World(tmp_path, people(20), VirtualStripe(existing=50, search_lag=3000.0), name="a")
    first.clock_error = clock_error
    check_promises(first, first.run(dedupe=dedupe))
    second = World(tmp_path, people(20), first.stripe, name="b")
    second.clock_error, second.seconds = clock_error, first.seconds + 20.0
    run = second.run(dedupe=dedupe)
    assert second.tally() == {"existing": 20}
    assert not run.creates()


def test_a_large_account_is_read_in_slices_side_by_side_and_whole(tmp_path: Path) -> None:
    rows = _there(*range(1, 3001, 7))
    world = World(tmp_path, rows, VirtualStripe(existing=3000))
    run = world.run(dedupe="snapshot", batch_size=100)
    assert check_promises(world, run) == {"existing": len(rows)}
    lists = [a for a in run.arrivals if a.endpoint == "list"]
    assert len({(a.params.get("created[gte]"), a.params.get("created[lt]")) for a in lists}) > 4
    assert 30 <= len(lists) <= 55


def test_search_does_not_read_the_whole_account_though_nobody_came_lately(tmp_path: Path) -> None:
    world = World(tmp_path, [*_there(5, 6), *people(10)], VirtualStripe(existing=2000))
    run = world.run(dedupe="search")
    assert check_promises(world, run) == {"created": 10, "existing": 2}
    assert len([a for a in run.arrivals if a.endpoint == "list"]) < 6


def test_auto_searches_a_large_account_and_lists_a_small_one(tmp_path: Path) -> None:
    large = World(tmp_path, people(10), VirtualStripe(existing=3000), name="a")
    small = World(tmp_path, people(10), VirtualStripe(existing=30), name="b")
    assert large.run(dedupe="auto").said("dedupe") == ["search"]
    assert small.run(dedupe="auto").said("dedupe") == ["snapshot"]
    check_promises(large)
    check_promises(small)


def test_fifty_rows_against_a_large_account_take_few_reads(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(45), *_there(3, 5_000, 12_000, 8, 9)], VirtualStripe(existing=12_000))
    run = world.run(dedupe="auto", batch_size=100)
    assert run.said("dedupe") == ["search"]
    assert run.exit_code == 0
    assert world.tally() == {"created": 45, "existing": 5}
    assert len([a for a in run.arrivals if a.method == "GET"]) < 20


@pytest.mark.parametrize("status", [400, 403, 404, 405, 501])
@pytest.mark.parametrize("dedupe", ["auto", "search"])
def test_where_search_is_not_available_the_account_is_listed(tmp_path: Path, dedupe: str, status: int) -> None:
    world = World(tmp_path, [*people(5), *_there(1, 2)], VirtualStripe(existing=30))
    world.stripe.misbehave = lambda a: refused(status, None) if a.endpoint == "search" else None
    run = world.run(dedupe=dedupe)
    assert run.said("dedupe") == ["snapshot"]
    assert check_promises(world, run) == {"created": 5, "existing": 2}


@pytest.mark.parametrize("status", [403, 404, 501])
def test_a_search_that_is_refused_half_way_gives_way_to_a_listing(tmp_path: Path, status: int) -> None:
    world = World(tmp_path, [*_there(1, 2), *people(20), *_there(28, 29)], VirtualStripe(existing=30))
    world.stripe.misbehave = lambda a: refused(status, None) if a.endpoint == "search" and a.nth > 2 else None
    run = world.run(dedupe="search", batch_size=5)
    assert "listed instead" in run.said("dedupe")[1]
    assert check_promises(world, run) == {"created": 20, "existing": 4}


def _first_clause_only(arrival: Arrival) -> Trouble | None:
    """A search that has not heard of OR."""
    query = str(arrival.params.get("query"))
    if arrival.endpoint != "search" or "email:" not in query:
        return None
    first = query.partition(" OR ")[0].removeprefix("email:").strip('"')
    return Distorted(lambda body: {**body, "data": [c for c in body["data"] if c["email"] == first]})


def _nobody(arrival: Arrival) -> Trouble | None:
    """A search that understands nothing and finds nobody."""
    return Distorted(lambda body: {**body, "data": []}) if arrival.endpoint == "search" else None


@pytest.mark.parametrize("odd", [_first_clause_only, _nobody])
@pytest.mark.parametrize("dedupe", ["auto", "search"])
def test_a_search_that_does_not_find_who_is_listed_gives_way_to_a_listing(
    tmp_path: Path, dedupe: str, odd: Callable[[Arrival], Trouble | None]
) -> None:
    world = World(tmp_path, [*_there(1, 2, 7), *people(10)], VirtualStripe(existing=3000))
    world.stripe.misbehave = odd
    run = world.run(dedupe=dedupe)
    assert "listed instead" in run.said("dedupe")[-1]
    assert check_promises(world, run) == {"created": 10, "existing": 3}


@pytest.mark.parametrize("dedupe", ["snapshot", "auto"])
def test_an_empty_account_is_filled_also_by_a_server_that_lists_by_no_dates(tmp_path: Path, dedupe: str) -> None:
    world = World(tmp_path, people(12), VirtualStripe())
    dated = refused(400, "parameter_unknown", "created")
    world.stripe.misbehave = lambda a: dated if a.endpoint == "list" and "created" in "".join(a.params) else None
    assert check_promises(world, world.run(dedupe=dedupe)) == {"created": 12}


@pytest.mark.parametrize("policy", ["skip", "update", "refuse"])
def test_somebody_deleted_whom_search_still_shows_is_nobody(tmp_path: Path, policy: str) -> None:
    world = World(tmp_path, [*people(4), *_there(1, 2)], VirtualStripe(existing=30, search_lag=3600.0))
    gone = [world.stranger(f"person{n}@example.com", name=f"Person {n}") for n in (1, 2)]
    world.wait(8000.0)
    for customer in gone:
        world.stripe.delete(customer, EPOCH + world.seconds)
    run = world.run(dedupe="search", on_existing=policy)
    verdict = {"skip": "existing", "update": "updated", "refuse": "failed"}[policy]
    assert world.tally() == {"created": 4, verdict: 2}
    assert len([a for a in run.arrivals if a.endpoint == "retrieve"]) == 4, "each match was looked at once"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_server_that_shows_no_single_customer_is_believed_about_whom_its_search_finds(
    tmp_path: Path, status: int
) -> None:
    world = World(tmp_path, [*people(4), *_there(1, 2)], VirtualStripe(existing=30))
    world.stripe.misbehave = lambda a: refused(status, None) if a.endpoint == "retrieve" else None
    assert check_promises(world, world.run(dedupe="search")) == {"created": 4, "existing": 2}


@pytest.mark.parametrize("length", [1, 2, 3])
def test_a_search_whose_pages_go_in_a_circle_is_an_error_and_no_end(tmp_path: Path, length: int) -> None:
    world = World(tmp_path, [*_there(1, 2), *people(3)], VirtualStripe(existing=30))

    def circle(arrival: Arrival) -> Trouble | None:
        assert arrival.nth < 100, "a search without end"
        page = {"object": "search_result", "data": [], "has_more": True, "next_page": f"page{arrival.nth % length}"}
        return Canned(200, page, {}) if "email:" in str(arrival.params.get("query")) else None

    world.stripe.misbehave = circle
    run = world.run(dedupe="search")
    assert (run.exit_code, run.creates()) == (4, [])


def test_nobody_is_missed_because_search_cannot_read_an_address(tmp_path: Path) -> None:
    world = World(tmp_path, [*_there(1, 2, 3, 4), *people(6)], VirtualStripe(existing=30))
    odd = "existing.000003@example.com"
    world.stripe.misbehave = lambda a: refused(400, None) if odd in str(a.params.get("query")) else None
    run = world.run(dedupe="search", batch_size=10)
    assert check_promises(world, run) == {"created": 6, "existing": 4}


def test_a_query_that_is_too_much_for_search_is_halved(tmp_path: Path) -> None:
    world = World(tmp_path, [*_there(1, 2, 3, 4), *people(6)], VirtualStripe(existing=30))
    world.stripe.misbehave = lambda a: refused(400, None) if str(a.params.get("query")).count("email:") > 4 else None
    run = world.run(dedupe="search", batch_size=10)
    assert check_promises(world, run) == {"created": 6, "existing": 4}
    assert run.said("dedupe") == ["search"]


@pytest.mark.parametrize(
    ("existing", "rows", "chosen", "snapshot"), [(900, 40, "search", 9), (900, 100, "snapshot", 9), (30_000, 4000, "snapshot", 300)]
)  # fmt: skip
def test_auto_says_what_each_strategy_would_cost(existing: int, rows: int, chosen: str, snapshot: int) -> None:
    choice, asked = _chosen("auto", rows, VirtualStripe(existing=existing))
    assert (choice.name, choice.customers) == (chosen, existing)
    assert choice.requests == {"off": 0, "lookup": rows, "search": rows // 10, "snapshot": snapshot}
    assert f"{existing:,} customers" in choice.reason
    assert asked <= 2 + (rows >= 1000) * 20


@pytest.mark.parametrize(("recent", "rows", "chosen", "search"), [(2800, 2, "snapshot", 29), (300, 2, "search", 4)])
def test_auto_counts_the_newest_customers_that_search_must_list(
    recent: int, rows: int, chosen: str, search: int
) -> None:
    stripe = VirtualStripe(existing=2800)
    stripe.misbehave = lambda a: (
        Distorted(lambda body: {**body, "total_count": recent})
        if str(a.params.get("query")).startswith("created>=")
        else None
    )
    choice, asked = _chosen("auto", rows, stripe)
    assert (choice.name, choice.requests["search"], choice.requests["snapshot"]) == (chosen, search, 28)
    assert f"({search - 1} of them for the newest customers)" in choice.reason
    assert asked == 2


@pytest.mark.parametrize("dedupe", ["snapshot", "search", "lookup"])
def test_a_domain_may_be_spelled_in_letters_or_in_idna_form(tmp_path: Path, dedupe: str) -> None:
    world = World(tmp_path, ["a@bücher.example,A", "b@xn--bcher-kva.example,B", *people(2)], VirtualStripe())
    world.stranger("a@xn--bcher-kva.example")
    world.stranger("b@bücher.example")
    world.wait(8000.0)
    run = world.run(dedupe=dedupe)
    assert run.exit_code == 0
    assert world.tally() == {"existing": 2, "created": 2}


@pytest.mark.parametrize("odd", ["cus_1", 7, None, {"id": "ch_1", "object": "charge"}, {"object": "customer"}])
@pytest.mark.parametrize("dedupe", ["snapshot", "search", "lookup"])
def test_a_list_of_anything_but_customers_creates_nobody(tmp_path: Path, dedupe: str, odd: Any) -> None:
    world = World(tmp_path, people(3), VirtualStripe())
    strange = Distorted(lambda body: {**body, "data": [odd]})
    world.stripe.misbehave = lambda a: strange if a.endpoint in ("list", "search") else None
    run = world.run(dedupe=dedupe)
    assert (run.exit_code, run.creates()) == (4, [])


def test_auto_stops_counting_once_it_does_not_matter_how_many_there_are() -> None:
    choice, asked = _chosen("auto", 5000, VirtualStripe(existing=1_000_000))
    assert (choice.name, choice.at_least) == ("search", True)
    assert asked <= 25


def _chosen(wanted: str, rows: int, stripe: VirtualStripe) -> tuple[Choice, int]:
    async def ask(request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        return await stripe.send(request, "sk_test_first", 30.0)

    async def main() -> Choice:
        means = Means(ask, None, inline, None, _EmptyLedger(), stripe.now, str)  # type: ignore[arg-type]  # unused here
        return await choose(wanted, rows, means)

    choice = run_virtual(main)
    return choice, len(stripe.arrivals)


class _EmptyLedger:
    def snapshot(self) -> None:
        return None

    def slices(self) -> tuple[list[Slice], float]:
        return [], 0.0


def test_auto_lists_the_account_where_search_is_refused(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(10), *_there(1)], VirtualStripe(existing=3000))
    world.stripe.misbehave = lambda a: refused(400, None) if a.endpoint == "search" else None
    run = world.run(dedupe="auto")
    assert run.said("dedupe") == ["snapshot"]
    assert check_promises(world, run) == {"created": 10, "existing": 1}


def test_a_reading_of_the_account_is_used_again_within_the_hour_and_what_it_says_is_confirmed(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(20), *_there(1, 2), "gone@example.com,Gone", "moved@example.com,Moved"])
    world.stripe = VirtualStripe(existing=1500)
    world.strangers = set(world.stripe.account.customers)
    gone, moved = world.stranger("gone@example.com"), world.stranger("moved@example.com")
    world.wait(10.0)
    world.stripe.misbehave = lambda a: refused(401, None) if a.endpoint == "create" and a.nth > 5 else None
    first = world.run(dedupe="snapshot", pacing=Pacing(rate=20.0, concurrency=1))
    assert first.exit_code == 4
    world.stripe.misbehave = None
    world.wait(1200.0)
    world.stripe.delete(gone, EPOCH + world.seconds)
    _change_email(world, moved, "elsewhere@example.com")
    run = world.run(dedupe="snapshot")
    assert check_promises(world, run) == {"created": 22, "existing": 2}
    assert len([a for a in run.arrivals if a.endpoint == "list"]) < 6
    assert len([a for a in run.arrivals if a.endpoint == "retrieve"]) >= 4


def test_an_update_by_a_kept_reading_retrieves_each_match_once_and_believes_none_that_is_gone(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(9), *_there(1, 2, 3), "gone@example.com,Gone", "moved@example.com,Moved"])
    world.stripe = VirtualStripe(existing=150)
    world.strangers = set(world.stripe.account.customers)
    gone, moved = world.stranger("gone@example.com"), world.stranger("moved@example.com")
    world.wait(10.0)
    world.stripe.misbehave = lambda a: refused(401, None) if a.endpoint == "create" and a.nth > 2 else None
    alone = Pacing(rate=20.0, concurrency=1)
    assert world.run(dedupe="snapshot", on_existing="update", pacing=alone).exit_code == 4
    world.stripe.misbehave = None
    world.wait(1200.0)
    world.stripe.delete(gone, EPOCH + world.seconds)
    _change_email(world, moved, "elsewhere@example.com")
    run = world.run(dedupe="snapshot", on_existing="update")
    assert run.exit_code == 0
    assert world.tally() == {"created": 11, "updated": 3}
    asked = Counter(a.path for a in run.arrivals if a.endpoint == "retrieve")
    assert set(asked.values()) == {1}
    assert len(asked) == 5


def _change_email(world: World, customer: str, email: str) -> None:
    headers = {"authorization": "Bearer sk_test_somebody_else"}
    call = Call("POST", f"/v1/customers/{customer}", {"email": email}, headers)
    assert world.stripe.account.handle(call, EPOCH + world.seconds).status == 200


def test_a_reading_of_newcomers_that_was_cut_short_hides_none_of_them(tmp_path: Path) -> None:
    world = World(tmp_path, people(20), VirtualStripe(existing=50))
    world.stripe.misbehave = lambda a: refused(401, None) if a.endpoint == "create" else None
    assert world.run(dedupe="snapshot").exit_code == 4
    world.wait(30.0)
    world.stranger("person15@example.com")
    world.wait(1500.0)
    for n in range(250):
        world.stranger(f"signup{n}@example.com")
    world.wait(5.0)
    # The first of the three pages arrives, the second one meets a server that refuses the key.
    world.stripe.misbehave = lambda a: refused(401, None) if "starting_after" in a.params else None
    assert world.run(dedupe="snapshot").exit_code == 4
    world.stripe.misbehave = None
    run = world.run(dedupe="snapshot")
    assert check_promises(world, run) == {"created": 19, "existing": 1}
    assert world.status(15) == "existing"


@pytest.mark.parametrize(("status", "endless"), [(404, False), (400, False), (404, True)])
def test_a_list_whose_cursor_was_deleted_meanwhile_is_read_anew(tmp_path: Path, status: int, endless: bool) -> None:
    world = World(tmp_path, [*people(5), *_there(7, 380)], VirtualStripe(existing=400))
    met: list[Arrival] = []

    def misbehave(arrival: Arrival) -> Trouble | None:
        if "starting_after" not in arrival.params or (met and not endless):
            return None
        met.append(arrival)
        return refused(status, "resource_missing", "starting_after")

    world.stripe.misbehave = misbehave
    run = world.run(dedupe="snapshot")
    assert met
    assert check_promises(world, run) == {"created": 5, "existing": 2}
    assert len(met) < 100


@pytest.mark.parametrize("dedupe", ["snapshot", "search"])
def test_refuse_fails_the_row_and_names_who_is_there(tmp_path: Path, dedupe: str) -> None:
    world = World(
        tmp_path, [*people(5), *_there(3, 4), "EXISTING.000003@example.com,Again"], VirtualStripe(existing=10)
    )
    run = world.run(dedupe=dedupe, on_existing="refuse", batch_size=3)
    assert check_promises(world, run) == {"created": 5, "failed": 2, "duplicate": 1}
    assert run.exit_code == 1
    assert "cus_" in str(world.lines()[5].error_message)


def test_create_makes_another_customer_for_who_is_there(tmp_path: Path) -> None:
    world = World(tmp_path, [*people(5), *_there(3, 4)], VirtualStripe(existing=10))
    run = world.run(dedupe="snapshot", on_existing="create")
    assert check_promises(world, run) == {"created": 7}
    assert len(world.stripe.account.customers) == 17


@pytest.mark.parametrize("marker", [True, False], ids=["marker", "no marker"])
def test_a_doubt_about_somebody_made_anew_is_not_settled_by_who_was_there_before(tmp_path: Path, marker: bool) -> None:
    world = World(tmp_path, people(5), VirtualStripe(existing=10))
    before = world.stranger("person3@example.com")
    world.wait(3600.0)
    unsure = Fault("500", acts=False)
    world.stripe.misbehave = lambda a: (
        unsure if a.endpoint == "create" and a.email == "person3@example.com" and a.nth == 3 else None
    )
    run = world.run(dedupe="snapshot", on_existing="create", marker=marker)
    assert run.exit_code == 0
    assert check_promises(world, run) == {"created": 5}
    assert world.lines()[2].customer_id != before


@pytest.mark.parametrize("policy", ["skip", "update", "refuse", "create"])
@pytest.mark.parametrize("dedupe", ["snapshot", "search", "lookup"])
def test_who_signs_up_while_claims_wait_out_an_outage_is_seen_before_they_are_sent(
    tmp_path: Path, dedupe: str, policy: str
) -> None:
    world = World(tmp_path, people(30), VirtualStripe(existing=20))
    began, came = world.seconds, list[str]()

    def signs_up(arrival: Arrival) -> None:
        if arrival.at > began + 290.0 and not came:
            made = {customer["email"] for customer in world.stripe.account.customers.values()}
            came.extend(email for email in (f"person{n}@example.com" for n in range(1, 31)) if email not in made)
            for email in came:
                world.strangers.add(world.stripe.create(email, EPOCH + arrival.at))

    world.stripe.misbehave = signs_up
    world.stripe.gone = (began + 2.0, began + 300.0)
    run = world.run(dedupe=dedupe, on_existing=policy, batch_size=30, pacing=Pacing(rate=10.0, concurrency=4))
    emails = Counter(customer["email"] for customer in world.stripe.account.customers.values())
    twins = [email for email in came if emails[email] > 1]
    assert len(came) >= 10
    assert len(twins) == (len(came) if policy == "create" else 0)
    verdicts = {"skip": ["existing"], "update": ["existing", "updated"], "refuse": ["failed"], "create": ["created"]}
    assert sum(world.tally().get(verdict, 0) for verdict in verdicts[policy]) >= len(came), run.notices


@pytest.mark.parametrize(("dedupe", "seconds", "most"), [("snapshot", 0.8, 50), ("search", 1.5, 50)])
def test_claims_that_waited_together_are_looked_at_together(
    tmp_path: Path, dedupe: str, seconds: float, most: int
) -> None:
    """Each look alone would read, and hold, all who came meanwhile."""
    world = World(tmp_path, people(200), VirtualStripe(existing=20))
    began, came = world.seconds, list[str]()

    def sign_up(arrival: Arrival) -> None:
        if arrival.at > began + 300.0 and not came:
            made = {customer["email"] for customer in world.stripe.account.customers.values()}
            came.extend(email for email in (f"person{n}@example.com" for n in range(1, 201)) if email not in made)
            others = [f"other{n}@example.com" for n in range(900)]
            for n, email in enumerate([*came, *others]):
                world.strangers.add(world.stripe.create(email, EPOCH + began + 50.0 + n / 5))

    world.stripe.misbehave = sign_up
    world.stripe.gone = (began + seconds, began + 300.0)
    world.run(dedupe=dedupe, batch_size=50, pacing=Pacing(rate=None, concurrency=32))
    emails = Counter(customer["email"] for customer in world.stripe.account.customers.values())
    assert len(came) >= 40
    assert not [email for email in came if emails[email] > 1]
    after = [a for a in world.stripe.arrivals if a.at > began + 300.0 and a.endpoint in ("list", "search")]
    assert len(after) <= most
