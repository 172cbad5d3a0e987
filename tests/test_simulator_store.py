"""The state file: nothing that was answered is lost, a torn line is cut off, and a restart is the same account."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bulk_import.simulator import Account
from bulk_import.simulator.opening import open_account
from bulk_import.simulator.options import Options
from bulk_import.simulator.store import Journal, Opening, StateUnusable
from tests.simulator_support import NOON, call, create

T = TypeVar("T")
OPENING = Opening(seed=1, existing=2, account="acct_1SimulatedAccount", opened=NOON)


def _started(path: Path, act: Callable[[Account], T], **options: Any) -> T:
    account, journal = open_account(Options(state=path, **options), NOON)
    try:
        return act(account)
    finally:
        if journal is not None:
            journal.close()


def _busy(account: Account) -> dict[str, Any]:
    kept = create(account, NOON, "k1", email="a@example.com", payment_method="pm_1OwnMethod").body["id"]
    create(account, NOON + 1, "k2", payment_method="pm_card_chargeDeclined")
    gone = create(account, NOON + 2, email="b@example.com").body["id"]
    create(account, NOON + 3, email="c@example.com", test_clock="clock_1")
    account.handle(call("POST", f"/v1/customers/{kept}", {"name": "N", "metadata": {"a": "é"}}), NOON + 4)
    account.handle(call("POST", f"/v1/customers/{kept}/tax_ids", {"type": "eu_vat", "value": "DE123"}), NOON + 4)
    account.handle(call("DELETE", f"/v1/customers/{gone}"), NOON + 5)
    return account.customers


def test_a_restart_finds_the_same_customers_keys_and_payment_methods(tmp_path: Path) -> None:
    path = tmp_path / "state"
    before = _started(path, _busy, existing=3, seed=9)
    after = _started(path, lambda account: account.customers)
    assert after == before
    assert len(after) == 3 + 2

    def replayed(account: Account) -> list[Any]:
        first = create(account, NOON + 9, "k1", email="a@example.com", payment_method="pm_1OwnMethod")
        declined = create(account, NOON + 9, "k2", payment_method="pm_card_chargeDeclined")
        taken = create(account, NOON + 9, payment_method="pm_1OwnMethod")
        new = create(account, NOON + 9, email="new@example.com")
        return [first, declined, taken, new]

    first, declined, taken, new = _started(path, replayed)
    assert (first.status, first.body["name"], "Idempotent-Replayed" in first.headers) == (200, None, True)
    assert (declined.status, taken.status) == (402, 400)
    assert new.body["id"] not in before


def test_request_ids_and_payment_methods_do_not_come_twice_after_a_restart(tmp_path: Path) -> None:
    def made(account: Account) -> set[str]:
        answers = [create(account, payment_method="pm_card_visa") for _ in range(3)]
        methods = {method for _, record in account.records() for method in record.methods}
        return {answer.headers["Request-Id"] for answer in answers} | methods

    first, second = (_started(tmp_path / "state", made) for _ in range(2))
    assert (len(first), len(second - first)) == (6, 6)


def test_forgotten_keys_stay_forgotten_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "state"

    def forget(account: Account) -> None:
        create(account, NOON, "k1", email="a@example.com")
        account.forget_keys()

    _started(path, forget)
    again = _started(path, lambda account: create(account, NOON, "k1", email="a@example.com"))
    assert "Idempotent-Replayed" not in again.headers


@pytest.mark.parametrize("torn", [b'{"shelf":["acct', b"{", b"\xff\xfe", b'{"complete":"but without its newline"}'])
def test_a_torn_last_line_is_cut_off_and_what_follows_is_whole(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "state"
    before = _started(path, _busy)
    with path.open("ab") as file:
        file.write(torn)
    assert _started(path, lambda account: account.customers) == before
    assert _started(path, lambda account: account.customers) == before


def test_every_prefix_of_a_journal_is_a_state_the_account_was_in(tmp_path: Path) -> None:
    path = tmp_path / "state"
    _started(path, _busy)
    whole = path.read_bytes()
    first_line = whole.index(b"\n") + 1
    sizes = set()
    for end in range(first_line, len(whole), 37):
        cut = tmp_path / "cut"
        cut.write_bytes(whole[:end])
        sizes.add(_started(cut, lambda account: len(account.customers)))
    assert sizes == {0, 1, 2, 3}


def test_a_damaged_line_in_the_middle_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "state"
    _started(path, _busy)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = b"garbage\n"
    path.write_bytes(b"".join(lines))
    with pytest.raises(StateUnusable, match="Line 4"):
        _started(path, lambda account: account.customers)


@pytest.mark.parametrize("content", ["no json\n", "[]\n", '{"other": 1}\n'])
def test_a_file_that_is_no_state_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "state"
    path.write_text(content)
    with pytest.raises(StateUnusable):
        Journal(path, OPENING)


def test_a_state_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text(json.dumps({"seed": 0, "existing": 0, "account": "a", "opened": 0, "format": 99}) + "\n")
    with pytest.raises(StateUnusable, match="another version"):
        Journal(path, OPENING)


def test_a_state_file_is_for_its_owner_only_and_for_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "state"
    journal = Journal(path, OPENING)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    with pytest.raises(StateUnusable, match="in use"):
        Journal(path, OPENING)
    journal.close()
    Journal(path, OPENING).close()


def test_a_change_that_does_not_fit_on_the_disk_leaves_no_half_a_line(tmp_path: Path) -> None:
    path = tmp_path / "state"
    journal = Journal(path, OPENING)
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 10, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            journal.append({"forget": True, "why": "much more than ten characters"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == before
    journal.append({"forget": True})
    assert list(journal.entries()) == [{"forget": True}]
    journal.close()


def test_a_symbolic_link_and_a_folder_are_no_state_file(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (link, tmp_path):
        with pytest.raises(StateUnusable):
            Journal(path, OPENING)


def test_the_files_own_opening_wins_and_another_account_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "state"
    before = _started(path, lambda account: account.customers, existing=2, seed=5)
    assert _started(path, lambda account: account.customers, existing=7, seed=6) == before
    with pytest.raises(StateUnusable, match="acct_1SimulatedAccount"):
        _started(path, lambda account: account.id, account="acct_1Another123")
