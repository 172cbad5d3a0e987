"""A ledger with a damaged page is refused, or told as it was: never fewer rows, and never a finished import that is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bulk_import.errors import LedgerRefuses
from bulk_import.ledger import Reader, open_for_reading, opening
from bulk_import.model import Created, Settled
from tests.cli_calls import Program, calling
from tests.ledger_samples import claim, ledger, purpose
from tests.rig import Simulated, simulated

PAGE = 4096
ROWS = 150

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "nothing is left of it": lambda page: bytes(PAGE),
    "its second half is gone": lambda page: page[: PAGE // 2] + bytes(PAGE // 2),
    "it forgot some of its cells": lambda page: page[:3] + (int.from_bytes(page[3:5]) * 2 // 3).to_bytes(2) + page[5:],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A ledger in which every row is created."""
    path = tmp_path_factory.mktemp("damaged") / "l.db"
    with ledger(path, purpose(rows=ROWS)) as (writer, _):
        writer.write([claim(n) for n in range(1, ROWS + 1)], [])
        writer.write([], [Settled(n, Created(f"cus_{n}")) for n in range(1, ROWS + 1)])
    return path.read_bytes()


def damaged(whole: bytes, path: Path) -> Iterator[Path]:
    """The ledger at *path* with one page after the other damaged in one way after the other."""
    for start in range(0, len(whole), PAGE):
        page = whole[start : start + PAGE]
        for damage in DAMAGES.values():
            path.write_bytes(whole[:start] + damage(page) + whole[start + PAGE :])
            yield path


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_rows_of_a_ledger_with_a_damaged_page_are_told_as_they_were_or_not_at_all(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(opening, "QUICK", 0)  # too large to be looked through by everybody who opens it
    expected = [f"cus_{n}" for n in range(1, ROWS + 1)]
    refused = [0, 0]
    for path in damaged(whole, tmp_path / "l.db"):
        for which, read in enumerate((_map_of, _customers_of)):
            try:
                found = read(path)
            except LedgerRefuses as error:
                refused[which] += "damaged" in str(error)
            else:
                assert found == expected
    assert min(refused) > 20


def _map_of(path: Path) -> list[str | None]:
    reader = Reader(open_for_reading(path), path)
    try:
        reader.check()
        return [mapped[-1] for mapped in reader.mapped()]
    finally:
        reader.close()


def _customers_of(path: Path) -> list[str | None]:
    reader = Reader(open_for_reading(path), path)
    try:
        return [line.customer_id for line in reader.lines()]
    finally:
        reader.close()


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


@pytest.fixture(scope="module")
def server() -> Iterator[Simulated]:
    with simulated("--rate-limit", "none", "--endpoint-rate-limit", "none") as server:
        yield server


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_finished_import_whose_rows_are_damaged_is_not_said_to_be_finished(
    call: Program, server: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    if large:
        monkeypatch.setattr(opening, "QUICK", 0)
    source, path = tmp_path / "p.csv", tmp_path / "p.db"
    source.write_text("email\n" + "".join(f"{large}{n}@example.com\n" for n in range(100)))
    words = ("run", source, "--ledger", path, "--api-base", server.url, "--rate", "none")
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_damaged")
    assert call(*words).code == 0
    whole = path.read_bytes()
    at = next(n for n in range(0, len(whole), PAGE) if whole[n] == 13 and whole.count(b"cus_", n, n + PAGE) > 5)
    path.write_bytes(whole[:at] + bytes(PAGE) + whole[at + PAGE :])
    for command in (words, ("verify", path), ("export", path, "--what", "all"), ("export", path), ("report", path)):
        said = call(*command)
        assert (said.code, "is damaged" in said.err) == (5, True), command
    assert len(server.customers()) == (200 if large else 100)
