"""A ledger that is gone on with keeps what its rows rest on, and says what changed; the oracle is what the account holds."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulk_import.errors import LedgerRefuses
from bulk_import.job.adopting import changes, with_kept_key
from bulk_import.job.simulating import simulator, state_file
from bulk_import.mapping.settled import MappingOptions
from bulk_import.options import Preparing, RunOptions
from tests.cli_calls import Program, calling
from tests.rig import KEY, Simulated, exported, simulated


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    program = calling(capsys, monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    return program


@pytest.fixture(scope="module")
def server() -> Iterator[Simulated]:
    with simulated("--rate-limit", "none", "--endpoint-rate-limit", "none") as running:
        yield running


def people(path: Path, count: int = 10) -> Path:
    path.write_text("Nr,email,Town\n" + "".join(f"{n:05},{path.stem}{n}@example.com,x{n}\n" for n in range(count)))
    return path


def keyed(key: str | None) -> RunOptions:
    return RunOptions("x.csv", preparing=Preparing(mapping=MappingOptions(key=key)))


def test_the_key_column_of_a_ledger_is_kept_where_none_is_given() -> None:
    stored = {"mapping": {"key": "Nr"}}
    for asked in (None, "Nr"):
        assert with_kept_key(keyed(asked), stored, used=True).preparing.mapping.key == "Nr"
    with pytest.raises(LedgerRefuses, match=r"'Nr'.*'Town'"):
        with_kept_key(keyed("Town"), stored, used=True)
    assert with_kept_key(keyed("Town"), stored, used=False).preparing.mapping.key == "Town"
    assert with_kept_key(keyed("Nr"), {}, used=True).preparing.mapping.key == "Nr"


def test_every_change_is_named_with_what_was_and_what_is() -> None:
    was = {"mapping": {"maps": [["a", "b"]], "key": None}, "dedupe": "auto", "marker": True}
    now = {"mapping": {"maps": (), "key": None}, "dedupe": "lookup", "marker": False}
    assert changes(was, was) == []
    assert changes(was, now) == [
        "--dedupe was auto and is lookup",
        "--map was a=b and is not given",
        "the marker was on and is off",
    ]


def test_going_on_without_the_key_keeps_it(call: Program, server: Simulated, tmp_path: Path) -> None:
    source = people(tmp_path / "k.csv")
    words = ("run", source, "--api-base", server.url)
    assert call(*words, "--key", "Nr", "--limit", "4").code == 0
    refused = call(*words, "--key", "Town")
    assert (refused.code, "'Town'" in refused.err) == (5, True)
    went_on = call(*words)
    assert (went_on.code, "options changed" in went_on.err) == (0, False)
    ledger = tmp_path / "k.csv.ledger.db"
    assert [line["source_id"] for line in exported(ledger)] == [f"{n:05}" for n in range(10)]
    ours = [c["metadata"]["source_id"] for c in server.customers() if c["email"].startswith("k")]
    assert sorted(ours) == [f"{n:05}" for n in range(10)]
    assert call(*words, "--dedupe", "lookup", "--on-existing", "refuse").code == 0
    assert "--on-existing" not in call("report", ledger).err
    assert call("export", ledger, "--what", "stripe-map").code == 0


def test_a_refused_command_leaves_no_trace_in_what_is_to_be_typed_next(
    call: Program, server: Simulated, tmp_path: Path
) -> None:
    source, other = people(tmp_path / "a.csv"), people(tmp_path / "b.csv")
    ledger = tmp_path / "a.csv.ledger.db"
    first = ("run", source, "--api-base", server.url, "--rate", "7", "--limit", "4")
    assert call(*first).code == 0
    following = call("status", ledger).err.splitlines()[-1]
    refused = call("run", other, "--api-base", server.url, "--ledger", ledger)
    assert (refused.code, "next:" in refused.err) == (5, False)
    source.write_text(source.read_text().replace("x1", "y1"))
    changed = call(*first)
    assert (changed.code, f"{source} was changed since this ledger was begun" in changed.err) == (5, True)
    assert call("status", ledger).err.splitlines()[-1] == following


def test_fewer_rows_chosen_than_before_count_as_those(call: Program, server: Simulated, tmp_path: Path) -> None:
    source = people(tmp_path / "s.csv", 30)
    words = ("run", source, "--api-base", server.url)
    assert call(*words, "--sample", "10").code == 0
    fewer = call(*words, "--limit", "5")
    assert "4 of 5 rows to go" in fewer.err, fewer.err
    more = call(*words, "--limit", "7")
    assert "1 of 7 rows to go" in more.err, more.err
    plan = call("plan", *words[1:])
    assert f"going on with the ledger {tmp_path / 's.csv.ledger.db'}" in plan.err
    assert "bulk-import-plan" not in plan.err
    assert len([c for c in server.customers() if c["email"].startswith("s")]) == 15


def test_rows_that_are_invalid_for_one_reason_make_the_mapping_doubtful(
    call: Program, server: Simulated, tmp_path: Path
) -> None:
    words = ("run", people(tmp_path / "w.csv"), "--api-base", server.url)
    wrong = call(*words, "--map", "Town=email", "--map", "email=ignore")
    assert wrong.code == 1
    assert "10 of 10 rows are invalid for one reason (email of email)" in wrong.err
    mended = call(*words)
    assert (mended.code, "for one reason" in mended.err) == (0, False)
    assert len([c for c in server.customers() if c["email"].startswith("w")]) == 10


def test_standard_input_is_kept_until_every_row_is_settled_not_only_the_chosen_ones(
    call: Program, server: Simulated, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, ledger, nothing = people(tmp_path / "s.csv"), tmp_path / "s.db", tmp_path / "nothing"
    nothing.touch()
    words = ("run", "-", "--ledger", ledger, "--api-base", server.url, "--rate", "none")
    for piped, chosen in ((source, ("--limit", "3")), (nothing, ("--limit", "3")), (nothing, ())):
        with piped.open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            done = call(*words, *chosen)
        assert done.code == 0, done.err
    assert len(exported(ledger)) == 10
    assert not list(tmp_path.glob("s.db.source*")), "the spool holds personal data"


def test_standard_input_that_is_refused_is_called_that_and_not_kept(
    call: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for text, said in (("email,name\n", "Error: standard input holds no rows"), ("x,y\n1,2\n", "No column")):
        (tmp_path / "refused").write_text(text)
        with (tmp_path / "refused").open() as stdin:
            monkeypatch.setattr("sys.stdin", stdin)
            done = call("run", "-", "--ledger", tmp_path / "r.db", "--api-base", "http://127.0.0.1:9")
        assert (done.code, said in done.err) == (2, True), done.err
        assert not list(tmp_path.glob("r.db*")), "the spool holds personal data, and without a ledger nobody reads it"


def test_verify_of_an_undone_ledger_leads_to_the_import(call: Program, server: Simulated, tmp_path: Path) -> None:
    words = ("run", people(tmp_path / "u.csv"), "--api-base", server.url, "--rate", "30")
    ledger = tmp_path / "u.csv.ledger.db"
    assert call(*words).code == 0
    assert call("undo", ledger, "--yes").code == 0
    looked = call("verify", ledger)
    assert (looked.code, looked.err.splitlines()[-1]) == (0, f"next: bulk-import {' '.join(map(str, words))}")


def test_a_rehearsal_may_lie_beside_a_file_that_looks_like_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with simulator(state_file(Path("-users.csv.simulated.db"))) as url:
        assert url.startswith("http://127.0.0.1:")
    assert (tmp_path / "-users.csv.simulated.db.account").exists()


def test_a_rehearsal_that_was_moved_is_verified_against_the_account_beside_it_and_never_against_an_empty_one(
    call: Program, tmp_path: Path
) -> None:
    source, elsewhere = people(tmp_path / "m.csv", 2), tmp_path / "elsewhere"
    assert call("run", source, "--simulate", "--rate", "none").code == 0
    elsewhere.mkdir()
    for file in tmp_path.glob("*.simulated.db*"):
        file.rename(elsewhere / file.name)
    ledger = elsewhere / f"{source.name}.simulated.db"
    account = ledger.with_name(f"{ledger.name}.account")
    moved = call("verify", ledger, "--json", "--rate", "none")
    assert (moved.code, json.loads(moved.out)["proven"]) == (0, 2), moved.err
    account.unlink()
    for lost in (call("verify", ledger), call("undo", ledger, "--yes")):
        assert lost.code == 5
        assert f"put its file {account} back" in lost.err
    assert not list(tmp_path.rglob("*.account")), "an account was made up"
