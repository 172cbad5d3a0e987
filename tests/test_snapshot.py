"""A snapshot holds everybody exactly once, however the account is spread over time and whatever happens meanwhile."""

from __future__ import annotations

import asyncio
import sqlite3
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_import.customer.emails import email_key
from bulk_import.engine import inline
from bulk_import.errors import StripeRefuses
from bulk_import.existing import Means, Piece
from bulk_import.existing.newest import Newest
from bulk_import.existing.slices import cut, seams
from bulk_import.existing.snapshot import CURSORS, Snapshot
from bulk_import.ledger import Reader, Writer, open_for_writing
from bulk_import.model import MARKER, Created, Customer, Reply, Request, Settled, Slice, marker_of
from bulk_import.replies import refuses
from tests.ledger_samples import TOKEN, claim, purpose
from tests.virtual_time import run_virtual

NOW = 1_790_000_000


class Killed(Exception):
    """The process dies here."""


@dataclass
class Lister:
    """An account that lists; `created` by id, newest first, ids in the order of creation within a second.

    `meanwhile` happens after each page; the process dies at request `dies_at`. `forgets` makes the cursor of a deleted
    customer unusable.
    """

    customers: dict[str, int]
    meanwhile: Callable[[Lister], None] = lambda _: None
    dies_at: int | None = None
    forgets: bool = True
    asked: int = 0
    gone: dict[str, int] = field(default_factory=dict)
    order: list[tuple[int, str]] = field(default_factory=list)
    markers: dict[str, str] = field(default_factory=dict)

    async def ask(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        self.asked += 1
        if self.dies_at is not None and self.asked >= self.dies_at:
            raise Killed
        assert request.endpoint == "list", request
        await asyncio.sleep(0.25)
        reply = self._page(request.params)
        self.meanwhile(self)
        assert reply.status == 200 or refuses(request, reply) or reply.status in accept
        return reply

    def _page(self, params: Any) -> Reply:
        bounds = params.get("created", {})
        end = min(bounds.get("lt", NOW * 2), bounds.get("lte", NOW * 2) + 1)
        low = bounds.get("gte", 0)
        if after := params.get("starting_after"):
            if after not in self.customers and self.forgets:
                return Reply(400, {"error": {"code": "resource_missing", "message": f"No such customer: {after}"}})
            last = (self.customers.get(after, self.gone.get(after, 0)), after)
            fits = self._newest_below(min(last, (end, "")), low)
        else:
            fits = self._newest_below((end, ""), low)
        data = [
            {
                "id": cid, "created": at, "email": f"{cid}@example.com", "livemode": False,
                "metadata": {MARKER: self.markers.get(cid, "")},
            }
            for at, cid in fits[:100]
        ]  # fmt: skip
        return Reply(200, {"object": "list", "data": data, "has_more": len(fits) > 100})

    def _newest_below(self, top: tuple[int, str], low: int) -> list[tuple[int, str]]:
        if len(self.order) != len(self.customers):
            self.order = sorted((at, cid) for cid, at in self.customers.items())
        first, end = bisect_left(self.order, (low, "")), bisect_left(self.order, top)
        return self.order[max(first, end - 101) : end][::-1] if end > first else []

    def delete(self, cid: str) -> None:
        self.gone[cid] = self.customers.pop(cid)
        self.order = []


async def together(work: list[Piece], at_once: int, /) -> None:
    slots = asyncio.Semaphore(at_once)

    async def carry(piece: Piece) -> None:
        async with slots:
            more = await piece()
        for following in more:
            group.create_task(carry(following))

    async with asyncio.TaskGroup() as group:
        for piece in work:
            group.create_task(carry(piece))


def read(folder: Path, lister: Lister, customers: float = float("inf"), seconds: float = 0.0) -> float:
    """Let one process read the account into the ledger; how many seconds it took."""
    return _with_means(folder, lister, seconds, lambda means: Snapshot(means, customers).begin())


def refresh(folder: Path, lister: Lister) -> float:
    """Let one process read the newest customers into the ledger; how many seconds it took."""
    return _with_means(folder, lister, 0.0, lambda means: Newest(means).refresh())


def _with_means(
    folder: Path, lister: Lister, seconds: float, reading: Callable[[Means], Coroutine[Any, Any, None]]
) -> float:
    ledger = folder / "a.ledger.db"
    db = open_for_writing(ledger)

    async def main() -> float:
        loop = asyncio.get_running_loop()
        began = loop.time()
        now = lambda: NOW + seconds + loop.time() - began  # noqa: E731 - a clock
        means = Means(lister.ask, together, inline, Writer(db, ledger, now), Reader(db, ledger), now, email_key)  # type: ignore[arg-type]  # a list is a sequence
        await reading(means)
        return loop.time() - began

    try:
        return run_virtual(main)
    finally:
        db.close()


def held(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "a.ledger.db") as db:
        found = [row[0] for row in db.execute("SELECT id FROM customer ORDER BY id")]
    db.close()
    return found


def spread(count: int, since: float, until: float = NOW, each: int = 1) -> dict[str, int]:
    """*count* customers evenly between two moments, *each* of them in one second."""
    step = (until - since) / max(count // each, 1)
    return {f"cus_{n:07d}": int(since + n // each * step) for n in range(count)}


YEAR = 365 * 86_400


@pytest.mark.parametrize(
    ("since", "each"),
    [
        (NOW - 16 * YEAR, 1),
        (NOW - 600, 50),
        (NOW - YEAR, 3000),
        pytest.param(NOW - 2 * YEAR, 1, marks=pytest.mark.soak),
        pytest.param(NOW - 3600, 1, marks=pytest.mark.soak),
    ],
)
def test_an_account_is_read_whole_side_by_side_however_it_is_spread(tmp_path: Path, since: float, each: int) -> None:
    lister = Lister(spread(8_000, since, each=each))
    seconds = read(tmp_path, lister, 8_000)
    assert held(tmp_path) == sorted(lister.customers)
    assert lister.asked <= (105 if each < 1000 else 120)
    assert lister.asked / seconds >= (26 if each < 1000 else 8)


@pytest.mark.parametrize(("count", "most"), [(0, 1), (1, 1), (100, 1), (101, 2), (250, 4), (1000, 15)])
def test_a_small_account_of_known_size_costs_few_requests_more_than_its_pages(
    tmp_path: Path, count: int, most: int
) -> None:
    lister = Lister(spread(count, NOW - YEAR))
    read(tmp_path, lister, count)
    assert len(held(tmp_path)) == count
    assert lister.asked <= most


CHANGES = st.lists(st.tuples(st.sampled_from(["create", "delete", "delete last"]), st.integers(0, 10_000)), max_size=30)


ANY_READING = given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 350)), min_size=1, max_size=12),
    st.sampled_from([1, 60, 86_400, 20 * YEAR // 41]),
    st.one_of(st.none(), st.integers(2, 30)),
    CHANGES,
    st.booleans(),
)


def nobody_is_missed(
    tmp_path_factory: pytest.TempPathFactory,
    seconds: list[tuple[int, int]],
    apart: int,
    dies_at: int | None,
    changes: list[tuple[str, int]],
    forgets: bool,
) -> None:
    folder = tmp_path_factory.mktemp("snapshot")
    customers: dict[str, int] = {}
    for second, count in seconds:
        for n in range(count):
            customers[f"cus_{second:03d}x{n:04d}"] = NOW - (41 - second) * apart
    todo = iter(changes)

    def meanwhile(lister: Lister) -> None:
        kind, number = next(todo, ("nothing", 0))
        there = sorted(lister.customers)
        if kind == "create":
            lister.customers[f"cus_new{number:05d}"] = NOW + number
            lister.order = []
        elif kind.startswith("delete") and there:
            lister.delete(there[number % len(there)] if kind == "delete" else there[-1])

    always = set(customers)
    lister = Lister(dict(customers), meanwhile, dies_at, forgets)
    try:
        read(folder, lister)
    except* Killed:
        lister.dies_at = None
        read(folder, lister, seconds=30.0)
    there = held(folder)
    assert len(there) == len(set(there))
    missed = (always - set(lister.gone)) - set(there)
    assert not missed


test_nobody_is_missed_whoever_comes_or_goes_and_whenever_the_process_dies = settings(max_examples=4, deadline=None)(
    ANY_READING(nobody_is_missed)
)
test_nobody_is_missed_in_many_readings = pytest.mark.soak(
    settings(max_examples=200, deadline=None)(ANY_READING(nobody_is_missed))
)


def test_a_reading_that_was_cut_short_goes_on_where_it_was(tmp_path: Path) -> None:
    lister = Lister(spread(6_000, NOW - YEAR), dies_at=40)
    with pytest.raises(ExceptionGroup):
        read(tmp_path, lister, 6_000)
    before, lister.dies_at, lister.asked = len(held(tmp_path)), None, 0
    assert before > 2_500
    read(tmp_path, lister, seconds=1800)
    assert held(tmp_path) == sorted(lister.customers)
    assert lister.asked < 50


def test_a_reading_that_was_cut_short_more_than_an_hour_ago_begins_anew(tmp_path: Path) -> None:
    lister = Lister(spread(5_000, NOW - YEAR), dies_at=30)
    with pytest.raises(ExceptionGroup):
        read(tmp_path, lister, 5_000)
    lister.dies_at, lister.asked = None, 0
    gone = min(lister.customers)
    lister.delete(gone)
    read(tmp_path, lister, 5_000, seconds=4000)
    assert held(tmp_path) == sorted(lister.customers)
    assert lister.asked >= 50


def test_a_whole_reading_is_kept_for_an_hour(tmp_path: Path) -> None:
    lister = Lister(spread(500, NOW - YEAR))
    read(tmp_path, lister)
    asked = lister.asked
    read(tmp_path, lister, seconds=3000)
    assert lister.asked == asked
    read(tmp_path, lister, seconds=4000)
    assert lister.asked > asked


@pytest.mark.parametrize("data", [[], [{"id": "cus_1", "created": NOW, "email": None, "livemode": False}]])
def test_a_list_that_promises_more_and_gives_nothing_new_is_an_error_and_no_end(tmp_path: Path, data: Any) -> None:
    class Stuck(Lister):
        def _page(self, params: Any) -> Reply:
            return Reply(200, {"data": data, "has_more": True})

    with pytest.raises(ExceptionGroup) as caught:
        read(tmp_path, Stuck({}))
    assert isinstance(caught.value.exceptions[0], StripeRefuses)


@dataclass
class Heedless(Lister):
    """A list that pages and knows nothing of `created`, or not of all its bounds, while customers go on to be made."""

    unknown: frozenset[str] = frozenset()
    made: int = 0

    def _page(self, params: Any) -> Reply:
        assert self.asked < 1_000, "a list without end"
        for _ in range(20 if self.asked < 60 else 0):
            self.made += 1
            self.customers[f"cus_new{self.made:06d}"] = NOW + self.made // 30
        known = {name: at for name, at in params.get("created", {}).items() if name not in self.unknown}
        return super()._page({**params, "created": known})


BOUNDS = ("gte", "lt", "lte")


@pytest.mark.parametrize("unknown", [BOUNDS, ("gte",), ("lt", "lte"), ()])
def test_a_list_that_does_not_heed_created_is_read_to_its_end(tmp_path: Path, unknown: tuple[str, ...]) -> None:
    lister = Heedless(spread(1_500, NOW - YEAR), unknown=frozenset(unknown))
    read(tmp_path, lister)
    assert set(spread(1_500, NOW - YEAR)) <= set(held(tmp_path))


@pytest.mark.parametrize("unknown", [BOUNDS, pytest.param(("gte",), marks=pytest.mark.soak), ("lt", "lte")])
def test_the_newest_are_read_whole_from_a_list_that_does_not_heed_created(
    tmp_path: Path, unknown: tuple[str, ...]
) -> None:
    lister = Heedless(spread(300, NOW - YEAR), unknown=frozenset(unknown))
    read(tmp_path, lister)
    came = {f"cus_came{n:06d}": NOW + 30 + n // 30 for n in range(900)}
    lister.customers.update(came)
    lister.asked = 0
    refresh(tmp_path, lister)
    assert set(came) <= set(held(tmp_path))


@dataclass
class OldestFirst(Lister):
    """A list in the order of creation, as a stand-in keeps its customers; it may know nothing of `created`."""

    heeds: bool = True

    def _page(self, params: Any) -> Reply:
        assert self.asked < 1_000, "a list without end"
        low = params.get("created", {}).get("gte", 0) if self.heeds else 0
        end = params.get("created", {}).get("lt", NOW * 2) if self.heeds else NOW * 2
        after = params.get("starting_after", "")
        fits = [(at, cid) for cid, at in self.customers.items() if low <= at < end and cid > after]
        data = [{"id": cid, "created": at, "email": f"{cid}@example.com", "livemode": False} for at, cid in fits[:100]]
        return Reply(200, {"object": "list", "data": data, "has_more": len(fits) > 100})


@pytest.mark.parametrize("heeds", [True, False])
@pytest.mark.parametrize("each", [1, 500])
def test_the_newest_are_read_from_a_list_that_shows_the_oldest_first(tmp_path: Path, heeds: bool, each: int) -> None:
    lister = OldestFirst(spread(500, NOW - YEAR, each=each), heeds=heeds)
    came = {f"cus_came{n:06d}": NOW + n // 30 for n in range(900)}

    async def reading(means: Means) -> None:
        newest = Newest(means)
        means.writer.begin_snapshot()
        newest.begins_now()
        await newest.refresh()
        for first in range(0, 900, 450):
            lister.customers.update(list(came.items())[first : first + 450])
            await asyncio.sleep(6)
            await newest.refresh()
            assert set(list(came)[: first + 450]) <= set(held(tmp_path))

    _with_means(tmp_path, lister, 0.0, reading)


@pytest.mark.parametrize("length", [2, 3, 7])
def test_a_list_that_goes_in_a_circle_is_an_error_and_no_end(tmp_path: Path, length: int) -> None:
    class Circle(Lister):
        def _page(self, params: Any) -> Reply:
            assert self.asked < 1_000, "a list without end"
            one = {"id": f"cus_{self.asked % length}", "created": NOW, "email": None, "livemode": False}
            return Reply(200, {"data": [one], "has_more": True})

    with pytest.raises(ExceptionGroup) as caught:
        read(tmp_path, Circle({}))
    assert isinstance(caught.value.exceptions[0], StripeRefuses)
    with pytest.raises(ExceptionGroup) as caught:
        refresh(tmp_path, Circle({}))
    assert isinstance(caught.value.exceptions[0], StripeRefuses)


@given(st.integers(0, 10**6), st.integers(1, 10**9), st.integers(0, 10**7), st.integers(0, CURSORS))
def test_seams_lie_between_the_floor_and_what_was_read_and_slices_meet_at_them(
    low: int, span: int, page: int, most: int
) -> None:
    at = seams(low, low + span, low + span + page, most, float("inf"))
    mine, others = cut(Slice(1, low, None, "cus_1"), at, 2)
    assert len(at) <= most
    assert at == sorted(set(at), reverse=True)
    assert all(low < second < low + span for second in at)
    ends = [mine, *others]
    assert [s.low for s in ends[:-1]] == [s.high for s in ends[1:]]
    assert ends[-1].low == low
    assert mine.high is None
    assert len({s.id for s in ends}) == len(ends)


@dataclass
class Busy(Lister):
    """An account in which customers come all the time, *pace* of them a second; `late` ones show later than they say."""

    pace: int = 0
    until: int = NOW
    late: list[tuple[int, str, int]] = field(default_factory=list)

    async def live(self, seconds: int) -> None:
        """Let time pass."""
        for _ in range(seconds):
            await asyncio.sleep(1)
            self.until += 1
            self.customers.update({f"cus_{self.until}x{n:03d}": self.until for n in range(self.pace)})
            shown = [one for one in self.late if one[0] == self.until]
            self.customers.update({cid: created for _, cid, created in shown})


class Counted(Writer):
    """A ledger that counts how many customers are put into it at once."""

    most = 0

    def remember(self, customers: Sequence[Customer], keys: Sequence[str | None], newest: int) -> None:
        self.most = max(self.most, len(customers))
        super().remember(customers, keys, newest)


def test_the_newest_are_read_again_a_little_at_a_time_and_nobody_who_shows_late_is_missed(tmp_path: Path) -> None:
    late = [(NOW + shown, f"cus_late{shown}", NOW + shown - 30) for shown in (40, 41, 45, 100)]
    lister = Busy({}, pace=8, late=late)
    most = 0

    async def reading(means: Means) -> None:
        nonlocal most
        newest = Newest(means)
        means.writer.begin_snapshot()
        newest.begins_now()
        for _ in range(120):
            await lister.live(6)
            before = lister.asked
            await newest.refresh()
            most = max(most, lister.asked - before)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == {cid for cid, at in lister.customers.items()}
    assert most <= 6
    assert lister.asked <= 0.05 * len(lister.customers)


def test_an_account_that_does_not_heed_created_is_not_read_again_every_few_seconds(tmp_path: Path) -> None:
    lister = Heedless(spread(2_000, NOW - YEAR), unknown=frozenset(BOUNDS), asked=60)

    async def reading(means: Means) -> None:
        newest = Newest(means)
        means.writer.begin_snapshot()
        newest.begins_now()
        await newest.refresh()
        await asyncio.sleep(590)
        lister.asked = 60
        for _ in range(20):
            await asyncio.sleep(6)
            await newest.refresh()

    _with_means(tmp_path, lister, 0.0, reading)
    assert held(tmp_path) == sorted(lister.customers)
    assert lister.asked - 60 <= 20 + 25


def test_whoever_comes_while_nobody_looks_is_put_into_the_ledger_a_few_thousand_at_a_time(tmp_path: Path) -> None:
    lister, counted = Lister(spread(500, NOW - YEAR)), list[Counted]()
    read(tmp_path, lister)

    async def reading(means: Means) -> None:
        counted.append(Counted(means.writer._db, means.writer._path, means.now))
        newest = Newest(replace(means, writer=counted[0]))
        newest.begins_now()
        lister.customers.update({f"cus_came{n:06d}": NOW + n // 40 for n in range(30_000)})
        await newest.refresh()

    _with_means(tmp_path, lister, 0.0, reading)
    assert held(tmp_path) == sorted(lister.customers)
    assert counted[0].most <= 6_000


@pytest.mark.parametrize("hashing", [False, True], ids=["clear", "hashed"])
def test_our_own_customers_are_not_kept_twice_as_long_as_they_have_their_rows_email(
    tmp_path: Path, hashing: bool
) -> None:
    lister = Lister(dict.fromkeys(("cus_signedUp", "cus_ours", "cus_copied", "cus_anotherEmail", "cus_doubt"), NOW))
    made = {1: ("cus_ours", "cus_ours@example.com"), 2: ("cus_anotherEmail", "before@example.com")}
    lister.markers = {cid: marker_of(TOKEN, row, 0) for row, (cid, _) in made.items()}
    lister.markers |= {
        "cus_doubt": marker_of(TOKEN, 3, 0),
        "cus_signedUp": marker_of(TOKEN, 10**30, 0),
        "cus_copied": lister.markers["cus_ours"],
    }

    async def reading(means: Means) -> None:
        means.writer.found(purpose(hash_emails=hashing))
        means.writer.begin_snapshot()
        means.writer.write([claim(row, email=email_key(email)) for row, (_, email) in made.items()], [])
        means.writer.write([claim(3, email="cus_doubt@example.com")], [])
        means.writer.write([], [Settled(row, Created(customer)) for row, (customer, _) in made.items()])
        means.writer.remember([], [], NOW - 1)
        await Newest(means).refresh()
        await Newest(means).refresh()

    _with_means(tmp_path, lister, 0.0, reading)
    assert held(tmp_path) == ["cus_anotherEmail", "cus_copied", "cus_doubt", "cus_signedUp"]


def test_where_the_newest_are_all_our_own_a_list_that_does_not_heed_created_is_not_read_to_its_end(
    tmp_path: Path,
) -> None:
    lister = Heedless(spread(2_000, NOW - YEAR), unknown=frozenset(BOUNDS), asked=60)
    ours = dict(enumerate(lister.customers, 1))
    lister.markers = {cid: marker_of(TOKEN, row, 0) for row, cid in ours.items()}

    async def reading(means: Means) -> None:
        means.writer.found(purpose(rows=2_000))
        means.writer.begin_snapshot()
        means.writer.write([claim(row, email=f"{cid}@example.com") for row, cid in ours.items()], [])
        means.writer.write([], [Settled(row, Created(cid)) for row, cid in ours.items()])
        means.writer.remember([], [], NOW - 1)
        lister.customers["cus_signedUp"] = NOW
        newest = Newest(means)
        newest.begins_now()
        await newest.refresh()

    _with_means(tmp_path, lister, 0.0, reading)
    assert held(tmp_path) == ["cus_signedUp"]
    assert lister.asked == 61


@pytest.mark.parametrize("date", [0, NOW - 5], ids=["undated", "future"])
def test_whoever_signed_up_is_found_behind_our_own_in_a_list_whose_dates_tell_nothing(
    tmp_path: Path, date: int
) -> None:
    lister = Heedless({}, unknown=frozenset(BOUNDS), asked=60)
    asked: list[int] = []

    async def reading(means: Means) -> None:
        means = replace(means, stripe_time=means.now)
        means.writer.found(purpose(rows=1_000))
        means.writer.begin_snapshot()
        means.writer.remember([], [], date and NOW + 3_600)
        newest = Newest(means)
        newest.begins_now()
        for first in range(0, 1_000, 200):
            ours = {row: f"cus_{row:04d}" for row in range(first + 1, first + 201)}
            means.writer.write([claim(row, email=f"{cid}@example.com") for row, cid in ours.items()], [])
            means.writer.write([], [Settled(row, Created(cid)) for row, cid in ours.items()])
            lister.markers |= {cid: marker_of(TOKEN, row, 0) for row, cid in ours.items()}
            lister.customers |= dict.fromkeys((f"cus_{first:04d}a", *ours.values()), date)
            before = lister.asked
            await newest.refresh()
            asked.append(lister.asked - before)
            await asyncio.sleep(3)

    _with_means(tmp_path, lister, 0.0, reading)
    assert {f"cus_{first:04d}a" for first in range(0, 1_000, 200)} <= set(held(tmp_path))
    assert max(asked[1:]) <= 4


def test_a_reading_of_the_newest_that_was_cut_short_hides_nobody_from_the_next(tmp_path: Path) -> None:
    lister = Lister(spread(500, NOW - 4_000))
    read(tmp_path, lister)
    lister.customers.update({f"cus_came{n:06d}": NOW + 700 + n // 10 for n in range(12_000)})
    lister.asked, lister.dies_at = 0, 90
    with pytest.raises(ExceptionGroup):
        refresh(tmp_path, lister)
    assert len(held(tmp_path)) > 5_000
    lister.dies_at = None
    refresh(tmp_path, lister)
    assert held(tmp_path) == sorted(lister.customers)


async def goes_on(lister: Busy, newest: Newest, rounds: int) -> None:
    """Read the newest every six seconds while people come."""
    for _ in range(rounds):
        await lister.live(6)
        await newest.refresh()


def test_who_came_just_before_the_beginning_and_shows_after_it_is_found_in_ten_minutes(tmp_path: Path) -> None:
    lister = Busy({}, pace=1, late=[(NOW + 20, "cus_late", NOW - 10)])

    async def reading(means: Means) -> None:
        newest = Newest(means)
        means.writer.begin_snapshot()
        newest.begins_now()
        await goes_on(lister, newest, 110)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == set(lister.customers)


@pytest.mark.parametrize("came", [298, 301, 895])
def test_who_shows_late_is_not_hidden_by_a_process_that_died_before_looking_again(tmp_path: Path, came: int) -> None:
    lister = Busy({}, pace=1, late=[(NOW + came + 40, "cus_late", NOW + came)])

    async def reading(means: Means) -> None:
        means.writer.begin_snapshot()
        died, following = Newest(means), Newest(means)
        died.begins_now()
        for newest, rounds in ((died, 150), (following, 120)):
            await goes_on(lister, newest, rounds)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == set(lister.customers)


def test_a_clock_that_is_ahead_hides_nobody_where_the_server_tells_no_time(tmp_path: Path) -> None:
    lister = Busy({}, pace=1)

    async def reading(means: Means) -> None:
        ahead = replace(means, now=lambda: means.now() + 3_600.0, stripe_time=lambda: None)
        means.writer.begin_snapshot()
        newest = Newest(ahead)
        newest.begins_now()
        await goes_on(lister, newest, 5)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == set(lister.customers)


DATES = {"told": 0.0, "of years to come": 1e9, "of years ago": -1e9, "not told": None}
CLOCKS = [
    pytest.param(error, date, 1, id=f"{error / 3600:+.1f} h, {said}")
    for error in (-4 * 3_600.0, 0.0, 600.0)
    for said, date in DATES.items()
    if error <= 0.0 or date is not None  # else nothing shows how late it is
]


@pytest.mark.parametrize(("error", "date", "pace"), [*CLOCKS, pytest.param(0.0, 0.0, 0, id="nobody else comes")])
def test_who_shows_late_is_found_in_ten_minutes_whatever_our_clock_says(
    tmp_path: Path, error: float, date: float | None, pace: int
) -> None:
    lister = Busy({f"cus_{NOW - n}": NOW - n for n in range(5)}, pace=pace)
    lister.late = [(NOW + shown, f"cus_late{shown}", NOW + shown - 30) for shown in (40, 45, 100)]

    async def reading(means: Means) -> None:
        told = lambda: None if date is None else lister.until + date  # noqa: E731 - a clock
        wrong = replace(means, now=lambda: lister.until + error, stripe_time=told)
        means.writer.begin_snapshot()
        newest = Newest(wrong)
        newest.begins_now()
        await goes_on(lister, newest, 125)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) >= {cid for cid in lister.customers if "late" in cid}


def test_a_customer_of_years_to_come_hides_nobody(tmp_path: Path) -> None:
    lister = Busy({"cus_odd": NOW + YEAR}, pace=1)

    async def reading(means: Means) -> None:
        means.writer.begin_snapshot()
        newest = Newest(means)
        newest.begins_now()
        await goes_on(lister, newest, 5)

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == set(lister.customers)


@dataclass
class Stalling(Lister):
    """Nobody is answered for ten minutes in the middle of a reading, and somebody comes meanwhile."""

    async def ask(self, request: Request, *, accept: tuple[int, ...] = ()) -> Reply:
        if self.asked == 1:
            await asyncio.sleep(600)
            self.customers["cus_came"] = NOW + 300
        return await super().ask(request, accept=accept)


def test_who_comes_during_an_outage_in_the_middle_of_a_reading_is_found_by_the_next(tmp_path: Path) -> None:
    lister = Stalling({f"cus_{n:03d}": NOW + n // 100 for n in range(250)})

    async def reading(means: Means) -> None:
        means.writer.begin_snapshot()
        newest = Newest(means)
        newest.begins_now()
        await newest.refresh()
        assert "cus_came" not in held(tmp_path)
        await newest.refresh()

    _with_means(tmp_path, lister, 0.0, reading)
    assert set(held(tmp_path)) == set(lister.customers)
