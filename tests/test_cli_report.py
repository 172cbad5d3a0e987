from __future__ import annotations

import ast
import json
import re
import stat
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import bulk_import
from bulk_import.model import Created, Duplicate, Failed, Invalid, Refusal, Settled
from bulk_import.report.advice import advice_for
from bulk_import.report.page import share
from bulk_import.series import Interval, Sample, Slow, step_of
from tests.cli_calls import DECLINED, Program, bad, calling, claim_of, purpose, row, settled, small_ledger, written

EVIL = '<script>alert("x")</script>'


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    return calling(capsys, monkeypatch)


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Six rows, twelve requests in two seconds, one of them slow."""
    path = small_ledger(tmp_path / "l.db", account_name=EVIL)
    sample = Sample(
        tuple(
            Interval(1_700_000_000 + at, 1, 3, 20.0, Counter({"create 200": 5, "create 429": 1}), Counter({step_of(0.1): 6}))
            for at in (0, 1)
        ),
        (Slow(7.5, 3, 4),),
    )  # fmt: skip
    with written(path, purpose(6, account_name=EVIL)) as writer:
        command = writer.begin_command("run", None, None, "bulk-import run people.csv")
        writer.write((), (), sample)
        writer.end_command(command, 1, "it met p1@example.com", {"line": "bulk-import run people.csv"})
    return path


class Page(HTMLParser):
    """What of a page could load, run or look wrong."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.links: list[str] = []
        self.styled: list[str] = []
        self.policy = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        values = dict(attrs)
        self.links += [str(values[name]) for name in ("src", "href", "action", "data") if name in values]
        self.styled += [name for name in values if name == "style" or name.startswith("on")]
        if values.get("http-equiv") == "Content-Security-Policy":
            self.policy = str(values["content"])


def test_the_table_says_what_happened_and_what_to_do(call: Program, ledger: Path) -> None:
    said = call("report", ledger)
    assert (said.code, said.out) == (0, "")
    first = said.err.splitlines()[0]
    assert first.startswith("2 of the 6 rows of people.csv have a customer in ")
    assert "4 have none: 1 invalid, 1 failed, 1 never sent, 1 following a failed row" in first
    assert "requests   12 (create 12, 2 answered 429)" in said.err
    assert re.search(r"card_declined +payment_method +1 +3 +The bank refused the card", said.err)
    assert re.search(r"3 +7.5 s +4", said.err)
    assert "rate       too short to tell, at most 20 allowed" in said.err


def test_the_page_is_one_private_file_that_loads_and_runs_nothing(call: Program, ledger: Path, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    said = call("report", ledger, "--html", target)
    assert (said.code, said.out) == (0, "")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir()} >= {"l.db", "report.html"}
    assert not list(tmp_path.glob("*.part"))
    found = Page(target.read_text())
    assert found.policy.startswith("default-src 'none'; style-src 'sha256-")
    assert (found.links, found.styled, found.tags["script"], found.tags["link"], found.tags["img"]) == ([], [], 0, 0, 0)
    assert found.tags["svg"] >= 5


def test_the_page_escapes_whatever_comes_from_outside(call: Program, ledger: Path) -> None:
    text = call("report", ledger, "--html", "-").out
    assert EVIL not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("how", ["--html", "--json"])
def test_personal_data_is_told_only_when_asked_for(call: Program, ledger: Path, how: str) -> None:
    words = ("--html", "-") if how == "--html" else ("--json",)
    plain, full = call("report", ledger, *words).out, call("report", ledger, *words, "--include-data").out
    assert "example.com" not in plain
    assert "Your card was declined." not in plain
    assert "p3@example.com" in full
    assert "Your card was declined." in full
    table, whole = call("report", ledger).err, call("report", ledger, "--include-data").err
    assert ("example.com" in table, "p3@example.com" in whole) == (False, True)


def test_json_has_the_same_as_values(call: Program, ledger: Path) -> None:
    found = json.loads(call("report", ledger, "--json").out)
    assert (found["exit_code"], f"next: {found['next']}") == (0, call("report", ledger).err.splitlines()[-1])
    assert (found["rows"], found["created"], found["orphans"], found["requests"]) == (6, 1, 1, 12)
    assert found["requests_by_endpoint"] == {"create": {"200": 10, "429": 2}}
    assert [problem["code"] for problem in found["problems"]] == ["card_declined", "email", "owner-failed"]
    assert found["slowest"] == [{"row": 3, "seconds": 7.5, "attempts": 4}]
    assert [one["requests"] for one in found["series"]] == [6, 6]


def test_the_page_never_replaces_what_the_import_needs(call: Program, ledger: Path) -> None:
    before = ledger.read_bytes()
    said = call("report", ledger, "--html", ledger)
    assert said.code == 2
    assert "choose another file" in said.err
    assert ledger.read_bytes() == before


def test_a_ledger_without_measurements_still_has_a_report(call: Program, tmp_path: Path) -> None:
    small = small_ledger(tmp_path / "s.db")
    assert call("report", small).code == 0
    assert call("report", small, "--html", tmp_path / "r.html").code == 0


def test_an_import_is_held_against_its_rehearsal_row_by_row(call: Program, ledger: Path, tmp_path: Path) -> None:
    rehearsal = tmp_path / "rehearsal.db"
    with written(rehearsal, purpose(6, dry_run=True, options={"dedupe": "off"})) as writer:
        rows = [row(n, {"E-mail": f"p{n}@example.com"}) for n in (1, 3, 5)]
        writer.write([claim_of(one) for one in rows], [])
        other = Failed(Refusal("card_error", "expired_card", "payment_method", "It has expired.", 402))
        writer.write(
            [], [Settled(1, Created("cus_9"), None, 1), Settled(3, other, None, 1), Settled(5, DECLINED, None, 1)]
        )
    said = call("report", ledger, "--against", rehearsal)
    assert said.code == 0
    assert re.search(r"alike +1\n", said.err)
    assert re.search(r"failed \(expired_card\) +failed \(card_declined\) +1 +3\n", said.err)
    assert re.search(r"failed \(card_declined\) +invalid \(email\) +1 +5\n", said.err)
    assert re.search(r"dedupe +off +not given", said.err)
    found = json.loads(call("report", ledger, "--against", rehearsal, "--json").out)
    assert (found["alike"], found["different"], found["unrehearsed"]) == (1, 2, 3)


def test_ledgers_of_different_sources_compare_only_by_their_own_ids(call: Program, tmp_path: Path) -> None:
    keyed: dict[str, Any] = {"options": {"mapping": {"key": "id"}}}
    one = small_ledger(tmp_path / "one.db", **keyed)
    other = small_ledger(tmp_path / "other.db", sha256="1" * 64, **keyed)
    unkeyed = small_ledger(tmp_path / "unkeyed.db", sha256="2" * 64)
    refused = call("report", one, "--against", unkeyed)
    assert (refused.code, "rehearse the same file" in refused.err) == (5, True)
    found = json.loads(call("report", one, "--against", other, "--json").out)
    assert (found["alike"], found["different"], found["matched_by"], found["rehearsed_only"]) == (4, 0, "id", 0)
    assert call("report", one, "--against", other).err.startswith("the sources differ (people.csv now, people.csv in")


@pytest.mark.parametrize("shared", [True, False])
def test_a_rehearsal_of_other_people_is_refused_by_name_though_ids_agree(
    call: Program, tmp_path: Path, shared: bool
) -> None:
    keyed: dict[str, Any] = {"options": {"mapping": {"key": "id"}}}
    ours = small_ledger(tmp_path / "ours.db", **keyed)
    theirs = tmp_path / "theirs.db"
    with written(theirs, purpose(2, sha256="1" * 64, source="/data/staff.csv", **keyed)) as writer:
        rows = [row(n if shared else n + 100, {}, f"staff{n}@example.com") for n in (1, 2)]
        writer.write([claim_of(one) for one in rows], [])
        writer.write([], [Settled(one.number, Created(f"cus_{one.number}"), None, 1) for one in rows])
    refused = call("report", ours, "--against", theirs)
    assert (refused.code, len(refused.err.splitlines())) == (5, 1)
    assert "(people.csv and, of the rehearsal, staff.csv)" in refused.err
    assert f"of the {2 if shared else 0} ids that both have 0 belong" in refused.err


def test_rows_that_only_the_rehearsal_has_are_counted(call: Program, tmp_path: Path) -> None:
    keyed: dict[str, Any] = {"options": {"mapping": {"key": "id"}}}
    ours = small_ledger(tmp_path / "ours.db", **keyed)
    longer = small_ledger(tmp_path / "longer.db", 8, sha256="1" * 64, **keyed)
    with written(longer, purpose(8, sha256="1" * 64, **keyed)) as writer:
        rows = [row(n, {}) for n in (7, 8)]
        writer.write([claim_of(one) for one in rows], [])
        writer.write([], [Settled(one.number, Created(f"cus_{one.number}"), None, 1) for one in rows])
    said = call("report", ours, "--against", longer).err
    assert "only rehearsed  2" in re.sub(r" +(\d)", r"  \1", said)


def test_different_caps_are_told_as_what_they_were(call: Program, ledger: Path) -> None:
    with written(ledger, purpose(6)) as writer:
        writer.write((), (), Sample((Interval(1_700_000_005, 1, 1, 50.0, Counter({"create 200": 25})),), ()))
    assert "rate       too short to tell, at caps from 20 to 50" in call("report", ledger).err


def test_a_pace_is_told_once_there_is_enough_to_tell_it_from(call: Program, ledger: Path) -> None:
    with written(ledger, purpose(6)) as writer:
        intervals = tuple(Interval(1_700_000_002 + at, 1, 1, 20.0, Counter({"create 200": 20})) for at in range(4))
        writer.write((), (), Sample(intervals, ()))
    assert "rate       15.3 requests/s on average, at most 20 allowed" in call("report", ledger).err


def test_a_killed_command_worked_until_its_last_row_was_settled(call: Program, tmp_path: Path) -> None:
    ledger, clock = tmp_path / "l.db", iter([1000.0, 1040.0, 1040.0])
    with written(ledger, purpose(2), lambda: next(clock)) as writer:
        writer.begin_command("run", None, None, "bulk-import run people.csv")
        writer.write([], [settled(row(n, {}), Duplicate(1), 0) for n in (1, 2)])
    assert json.loads(call("report", ledger, "--json").out)["seconds"] == 40.0


@pytest.mark.parametrize(
    ("statuses", "words"),
    [
        ({1: "created"}, "The one row of people.csv has its customer in Example (acct_1, test mode): 1 created."),
        ({1: "invalid"}, "The one row of people.csv has no customer in Example (acct_1, test mode): 1 invalid."),
        ({1: "invalid", 2: "failed"}, "None of the 2 rows of people.csv has a customer in "),
        ({1: "created", 2: "duplicate"}, "Every one of the 2 rows of people.csv has its customer in "),
        ({1: "created", 2: "duplicate", 3: "failed"}, "1 created, 1 duplicate; 1 has none: 1 failed."),
    ],
)
def test_what_happened_is_one_sentence_however_few_rows_there_are(
    call: Program, tmp_path: Path, statuses: dict[int, str], words: str
) -> None:
    outcomes: dict[str, Any] = {"created": Created("cus_1"), "duplicate": Duplicate(1), "failed": DECLINED}
    with written(tmp_path / "l.db", purpose(len(statuses))) as writer:
        for number, status in statuses.items():
            one = row(number, {})
            if status in ("created", "failed"):
                writer.write([claim_of(one)], [])
            made = bad(number, {}) if status == "invalid" else one
            outcome = made if isinstance(made, Invalid) else outcomes[status]
            writer.write([], [Settled(number, outcome, made if status in ("invalid", "duplicate") else None, 1)])
    assert words in call("report", tmp_path / "l.db").err.splitlines()[0]


@pytest.mark.parametrize(
    ("part", "whole", "said"), [(0, 0, "none"), (0, 9, "none"), (9, 9, "all of them"), (1, 20_000, "0.1 %"), (19_999, 20_000, "99.9 %"), (1, 4, "25.0 %")]
)  # fmt: skip
def test_a_share_is_never_rounded_to_all_or_nothing(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


def test_every_problem_that_rows_are_refused_for_has_advice_of_its_own() -> None:
    root = Path(bulk_import.__file__).parent
    made = [
        call
        for path in (*root.glob("customer/*.py"), *root.glob("prepare/*.py"))
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in ("Fault", "Problem")
    ]
    codes = {str(call.args[0].value) for call in made if call.args and isinstance(call.args[0], ast.Constant)}
    assert len(codes) > 15
    general = advice_for("invalid", None)
    # The last two only make a row worth a look.
    assert {code for code in codes if advice_for("invalid", code) == general} <= {"key-missing", "duplicate"}
