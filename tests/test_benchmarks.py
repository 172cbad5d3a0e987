"""The benchmarks' own footing: the light server is honest, and the frame measures a real run."""

from __future__ import annotations

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest

import bulk_import
from bulk_import.ledger.believing import believed
from bulk_import.ledger.claims import write_claims
from bulk_import.ledger.database import transaction
from bulk_import.ledger.keeping import keep_or_drop
from bulk_import.ledger.owning import give_up
from bulk_import.ledger.sampling import keep
from bulk_import.ledger.settling import settle
from tests.benchmarks import BENCHMARKS, server
from tests.benchmarks.capped import most_in_flight
from tests.benchmarks.figures import Figure
from tests.benchmarks.running import Ran, counts, people, served, settled_per_second
from tests.benchmarks.sampled import PRE_FLIGHT, STAGES, stage
from tests.benchmarks.server import Account
from tests.benchmarks.uncapped import imported

FORM = b"email=a%40example.com&address[city]=Bern&metadata[plan]=gold"


def test_the_light_server_makes_one_customer_of_one_key_and_echoes_what_was_sent() -> None:
    account = Account()
    first, replayed = account.create("k1", FORM)
    again, replayed_then = account.create("k1", FORM)
    other, _ = account.create("k2", FORM)
    customer = json.loads(first)
    assert (replayed, replayed_then, again) == (False, True, first)
    assert (customer["email"], customer["address"]["city"], customer["metadata"]) == (
        "a@example.com", "Bern", {"plan": "gold"},
    )  # fmt: skip
    assert json.loads(other)["id"] != customer["id"]
    assert account.made == 2


def test_the_light_server_lists_page_by_page_the_newest_first() -> None:
    account = Account()
    ids = [json.loads(account.create(str(n), FORM)[0])["id"] for n in range(5)]
    _, first = account.read("/v1/customers?limit=3")
    page = json.loads(first)
    _, rest = account.read(f"/v1/customers?limit=3&starting_after={page['data'][-1]['id']}")
    assert [c["id"] for c in page["data"] + json.loads(rest)["data"]] == ids[::-1]
    assert (page["has_more"], json.loads(rest)["has_more"]) == (True, False)


def test_a_measured_import_makes_every_row_a_customer(tmp_path: Path) -> None:
    source, ledger = people(tmp_path / "people.csv", 900), tmp_path / "ledger.db"
    with served() as url:
        cost = imported(source, url, ledger)
        held = counts(url)
    assert held["made"] == 900
    assert held["most_open"] <= 64
    assert settled_per_second(ledger) > 0
    assert cost.cpu > 0


def test_the_light_server_forgets_its_oldest_customer_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "KEPT", 3)
    account = Account()
    for n in range(5):
        account.create(str(n), f"email={n}%40example.com".encode())
    assert [customer["email"][0] for customer in account.customers] == ["4", "3", "2"]
    assert len(account.by_email) == len(account.answers) == 3


def test_what_a_process_had_used_at_a_moment_is_the_last_look_before_it() -> None:
    ran = Ran(2.0, 1.5, 50.0, "", [(10.0, 0.5), (11.0, 1.25)])
    assert [ran.cpu_at(moment) for moment in (9.0, 10.0, 10.9, 12.0)] == [None, 0.5, 0.5, 1.25]


def test_every_stage_is_a_part_that_is_there() -> None:
    parts = [part for part, _, _ in STAGES if part.startswith("/bulk_import/")] + [PRE_FLIGHT]
    root = Path(bulk_import.__file__).parents[1]
    assert [part for part in parts if not Path(f"{root}{part}").exists()] == []


def test_what_the_ledgers_writer_calls_belongs_to_a_stage_of_the_ledger() -> None:
    called = (write_claims, give_up, believed, settle, keep_or_drop, keep, transaction)
    codes = [inspect.unwrap(each).__code__ for each in called]
    stages = [stage(code.co_filename, code.co_name) for code in codes]
    assert stages == ["claim", "claim", "settle", "settle", "settle", "settle", "commit"]


def test_requests_in_flight_are_counted_between_arrival_and_answer() -> None:
    arrivals: list[dict[str, Any]] = [
        {"t": 1.0, "answered": 3.0},
        {"t": 2.0, "answered": None},
        {"t": 3.5, "answered": 4.0},
    ]
    assert most_in_flight(arrivals) == 2


def test_every_benchmark_can_be_run_by_its_name() -> None:
    for name in BENCHMARKS:
        assert callable(importlib.import_module(f"tests.benchmarks.{name}").measure)


def test_a_figure_knows_whether_its_target_is_met() -> None:
    figures = [Figure("a", 2.0, "×", at_least=1), Figure("b", 2.0, "ms", at_most=1), Figure("c", 12345.0)]
    assert [figure.is_met for figure in figures] == [True, False, None]
    assert figures[1].line == "| b | 2 ms | at most 1 | **missed** |"
    assert "| c | 12,345" in figures[2].line
