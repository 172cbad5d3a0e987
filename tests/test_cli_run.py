from __future__ import annotations

import itertools
import json
import shlex
import sys
from pathlib import Path
from typing import Any

import pytest

from bulk_import.errors import LedgerRefuses, OutOfReach
from bulk_import.model import Endpoint
from bulk_import.options import STRIPE, Progress, RunOptions, Start
from bulk_import.report.summary import COUNTS, Summary
from tests.cli_calls import FakeJob, Program, calling, small_ledger, summary

START = Start("people.csv", "l.db", "acct_1", None, False, True, 3, 1, 20.0, 20.0, "all requests", "auto", False)
PROGRESS = Progress(3, 2, {"created": 1, "failed": 1}, 5, 1, 2, 1, 19.5, 1.0, 4.0)

FINISH = [
    "event", "exit_code", "rows", "created", "existing", "updated", "duplicate", "invalid", "failed", "in_doubt", "pending",
    "requests", "requests_by_endpoint", "rate_limited", "seconds", "requests_per_second", "rows_per_second", "ledger", "next",
]  # fmt: skip


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setattr(sys, "argv", ["elsewhere"])
    return calling(capsys, monkeypatch)


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> FakeJob:
    return FakeJob(lambda options, observer, confirm: summary()).install(
        monkeypatch, "bulk_import.job.importing", "run_job"
    )


@pytest.fixture
def retry(monkeypatch: pytest.MonkeyPatch) -> FakeJob:
    fake = FakeJob(lambda options, observer, confirm: summary())
    return fake.install(monkeypatch, "bulk_import.job.retrying", "retry_job")


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def asked(call: Program, job: FakeJob, *words: str) -> RunOptions:
    said = call("run", "people.csv", "--simulate", *words)
    assert said.code == 0, said.err
    options = job.asked[-1]
    assert isinstance(options, RunOptions)
    return options


def test_nothing_asked_is_the_documented_defaults(call: Program, job: FakeJob) -> None:
    options = asked(call, job)
    assert options == RunOptions(
        source="people.csv",
        ledger=Path("people.csv.simulated.db"),
        connecting=options.connecting,
        command_line="bulk-import run people.csv --simulate",
    )
    assert (options.connecting.simulate, options.connecting.key, options.connecting.api_base) == (True, None, STRIPE)


@pytest.mark.parametrize(
    ("words", "ending"), [([], ".ledger.db"), (["--dry-run"], ".dry-run.db"), (["--simulate"], ".simulated.db")]
)
def test_the_ledger_lies_beside_the_source_under_its_full_name(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch, words: list[str], ending: str
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    assert call("run", "data/people.csv.gz", *words).code == 0
    assert job.asked[0].ledger == Path(f"data/people.csv.gz{ending}")


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        ([], 100),
        (["--rate", "0.1"], 20),
        (["--rate", "7.5"], 38),
        (["--rate", "20"], 100),
        (["--rate", "100"], 100),
        (["--rate", "150.5"], 151),
        (["--rate", "500"], 300),
        (["--rate", "none"], 300),
        (["--rate", "none", "--batch-size", "7"], 7),
    ],
)
def test_a_batch_holds_what_is_sent_in_five_seconds_or_at_a_high_rate_in_one_within_bounds_unless_said(
    call: Program, job: FakeJob, words: list[str], rows: int
) -> None:
    assert asked(call, job, "--simulate", *words).batch_size == rows


def test_what_is_asked_reaches_the_job(call: Program, job: FakeJob) -> None:
    options = asked(
        call, job, "--ledger", "l.db", "--rate", "100", "--endpoint-rate", "create=100", "--endpoint-rate", "search=5",
        "--concurrency", "7", "--batch-size", "50", "--max-errors", "5", "--max-attempts", "3", "--timeout", "10s",
        "--give-up-after", "2m", "--format", "csv", "--encoding", "cp1252", "--delimiter", "tab", "--quote", "none",
        "--skip-lines", "2", "--no-header", "--max-bytes", "1kB", "--map", "Mail=email", "--set", "metadata.a=b",
        "--unmapped", "ignore", "--key", "id", "--dedupe", "lookup", "--on-existing", "refuse", "--limit", "9",
        "--allow-no-email", "--email-check", "off", "--no-default-payment-method", "--no-marker", "--hash-emails",
    )  # fmt: skip
    pacing, preparing = options.pacing, options.preparing
    assert (pacing.rate, pacing.rate_is_explicit, pacing.concurrency) == (100.0, True, 7)
    assert pacing.endpoint_rates == {Endpoint.CREATE: 100.0, Endpoint.SEARCH: 5.0}
    assert (pacing.max_errors, pacing.max_error_share, pacing.max_attempts) == (5, None, 3)
    assert (pacing.timeout, pacing.give_up_after, options.batch_size) == (10.0, 120.0, 50)
    found = preparing.overrides
    assert (found.format, found.encoding, found.delimiter, found.quote) == ("csv", "cp1252", "\t", "none")
    assert (found.skip_lines, found.header, found.max_bytes) == (2, False, 1000)
    mapping = preparing.mapping
    assert (mapping.maps, mapping.sets) == ((("Mail", "email"),), (("metadata.a", "b"),))
    assert (mapping.unmapped, mapping.key) == ("ignore", "id")
    assert (preparing.allow_no_email, preparing.email_check, preparing.default_payment_method) == (True, "off", False)
    assert (options.dedupe, options.on_existing, options.limit, options.sample) == ("lookup", "refuse", 9, None)
    assert (options.marker, options.hash_emails, options.ledger) == (False, True, Path("l.db"))


def test_a_rate_from_the_environment_is_explicit(call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BULK_IMPORT_RUN_RATE", "50")
    monkeypatch.setenv("BULK_IMPORT_RUN_MAP", "Post code=address.postal_code\nMail=email")
    options = asked(call, job)
    assert (options.pacing.rate, options.pacing.rate_is_explicit) == (50.0, True)
    assert options.preparing.mapping.maps == (("Post code", "address.postal_code"), ("Mail", "email"))


def test_the_environment_knows_an_opposite_by_its_own_name(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BULK_IMPORT_RUN_NO_HEADER", "1")
    assert asked(call, job).preparing.overrides.header is False
    monkeypatch.setenv("BULK_IMPORT_RUN_HEADER", "yes")
    assert asked(call, job).preparing.overrides.header is True


def test_what_the_environment_said_is_part_of_the_line_that_goes_on_in_another_terminal(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {
        "KEY": "id",
        "MAP": "Post code=address.postal_code\nMail=email",
        "NO_HEADER": "1",
        "HASH_EMAILS": "1",
        "NO_MARKER": "0",
    }
    for option, value in said.items():
        monkeypatch.setenv(f"BULK_IMPORT_RUN_{option}", value)
    words = shlex.split(asked(call, job, "--rate", "5").command_line)
    assert words[:2] == ["bulk-import", "run"]
    for pair in (("--key", "id"), ("--map", "Post code=address.postal_code"), ("--map", "Mail=email"), ("--rate", "5")):
        assert pair in itertools.pairwise(words)
    assert {"--no-header", "--hash-emails"} < {*words}
    assert not {"--header", "--no-marker"} & {*words}


def test_options_are_laid_over_a_profile(call: Program, job: FakeJob, tmp_path: Path) -> None:
    profile = tmp_path / "profile.toml"
    profile.write_text('unmapped = "ignore"\nkey = "id"\n[map]\nA = "name"\n')
    mapping = asked(call, job, "--mapping", str(profile), "--key", "no", "--map", "B=email").preparing.mapping
    assert (mapping.unmapped, mapping.key, mapping.maps) == ("ignore", "no", (("A", "name"), ("B", "email")))


@pytest.mark.parametrize(
    ("key", "unmapped"), [("sk_test_abcdefghijklmnop", None), ("sk_live_abcdefghijklmnop", "refuse")]
)
def test_a_live_key_refuses_columns_that_nobody_mapped(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch, key: str, unmapped: str | None
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", key)
    flags = ["--live", "--yes"] if "live" in key else []
    assert call("run", "people.csv", *flags).code == 0
    assert job.asked[0].preparing.mapping.unmapped == unmapped


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-", "--simulate"], "add --ledger PATH"),
        (["", "--simulate"], "names no file"),
        (["x.csv", "--limit", "1", "--sample", "2", "--simulate"], "--limit and --sample"),
        (["x.csv", "--rate", "none"], "--rate none"),
        (["x.csv", "--rate", "none", "--api-base", "http://10.0.0.1"], "--rate none"),
        (["x.csv", "--simulate", "--endpoint-rate", "list=1", "--endpoint-rate", "list=2"], "two rates"),
        (["x.csv", "--simulate", "--dry-run"], "two rehearsals"),
        (["x.csv", "--simulate", "--ledger", ""], "--ledger '.' is empty"),
        (["x.csv", "--simulate", "--ledger", "."], "a folder"),
        (["x.csv", "--simulate", "--ledger", "/"], "a folder"),
        (["x.csv", "--simulate", "--ledger", "/dev/null"], "a device"),
        (["/dev/null", "--simulate"], "a device"),
        (["bad\udcff.csv", "--simulate"], "not UTF-8"),
        (["x.csv", "--api-base", "http://example.com"], "unencrypted"),
        (["x.csv", "--live"], "test key"),
        (["x.csv", "--simulate", "--mapping", "no-such.toml"], "no-such.toml"),
    ],
)
def test_contradictions_are_code_2_and_nothing_is_sent(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch, words: list[str], sentence: str
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    said = call("run", *words)
    assert (said.code, job.asked) == (2, [])
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


@pytest.mark.parametrize("words", [["--api-base", "http://localhost:1"], ["--simulate"]])
def test_no_cap_is_allowed_on_this_machine(
    call: Program, job: FakeJob, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    assert call("run", "x.csv", "--rate", "none", *words).code == 0
    assert job.asked[0].pacing.rate is None


def test_the_ledger_may_not_be_the_source(call: Program, job: FakeJob, tmp_path: Path) -> None:
    source = tmp_path / "people.csv"
    source.write_text("email\n")
    said = call("run", source, "--ledger", source, "--simulate")
    assert (said.code, "SOURCE itself" in said.err, job.asked) == (2, True, [])


def test_a_person_gets_the_table_and_last_the_command_to_type_next(call: Program, job: FakeJob) -> None:
    said = call("run", "people.csv", "--simulate")
    lines = said.err.splitlines()
    assert said.out == ""
    assert lines[-1] == "next: bulk-import export people.csv.ledger.db --what map"
    assert "  created   3" in lines
    assert "  requests  4 (create 3, list 1)" in lines
    assert "  ledger    people.csv.ledger.db" in lines


def test_the_rate_is_held_against_the_cap(call: Program, job: FakeJob) -> None:
    def with_start(options: Any, observer: Any, confirm: Any) -> Summary:
        observer.start(START)
        return summary()

    job.answer = with_start
    said = call("run", "people.csv", "--simulate")
    assert "  rate      19.5 of 20 requests/s, 1.5 rows/s" in said.err.splitlines()
    assert "2 of 3 rows to go" in said.err


def test_the_summary_decides_on_code_reason_and_pairs(call: Program, job: FakeJob) -> None:
    job.answer = lambda *_: summary(
        exit_code=3,
        reason="the disk is full",
        unwritten=((7, "cus_7"), (9, "cus_9")),
        next="bulk-import run people.csv",
    )
    said = call("run", "people.csv", "--simulate")
    assert said.code == 3
    assert said.err.splitlines()[-4:] == [
        "Error: the disk is full", "row 7 -> cus_7", "row 9 -> cus_9", "next: bulk-import run people.csv",
    ]  # fmt: skip


def test_quiet_leaves_only_errors(call: Program, job: FakeJob) -> None:
    assert call("run", "people.csv", "--simulate", "-q").err == ""
    job.answer = lambda *_: summary(exit_code=3, reason="Stripe is away", unwritten=((7, "cus_7"),))
    assert call("run", "people.csv", "--simulate", "-q").err == "Error: Stripe is away\nrow 7 -> cus_7\n"


def test_a_program_gets_events_and_the_last_is_finish(call: Program, job: FakeJob) -> None:
    def eventful(options: Any, observer: Any, confirm: Any) -> Summary:
        observer.notice("dedupe", "snapshot")
        observer.start(START)
        observer.progress(PROGRESS)
        observer.progress(PROGRESS)
        return summary(exit_code=1, unwritten=((7, "cus_7"),))

    job.answer = eventful
    said = call("run", "people.csv", "--simulate", "--json")
    found = events(said.out)
    assert [event["event"] for event in found] == ["notice", "start", "progress", "finish"]
    assert found[0] == {"event": "notice", "code": "dedupe", "message": "snapshot"}
    assert (found[1]["account"], found[1]["rows"], found[1]["settled"]) == ("acct_1", 3, 1)
    assert (found[2]["created"], found[2]["failed"], found[2]["pending"], found[2]["seconds_left"]) == (1, 1, 1, 4.0)
    assert list(found[3])[: len(FINISH)] == FINISH
    assert (said.code, found[3]["exit_code"], found[3]["unwritten"]) == (1, 1, [[7, "cus_7"]])
    assert said.err == "row 7 -> cus_7\n"


def test_json_rows_asks_for_rows_and_writes_the_all_record(call: Program, job: FakeJob) -> None:
    from bulk_import.ledger import Line

    line = Line(1, 2, None, "a@example.com", "created", "cus_1", None, None, None, None, None, None, None, 1, 0.0)

    def with_rows(options: Any, observer: Any, confirm: Any) -> Summary:
        assert observer.wants_rows
        observer.lines([line])
        return summary()

    job.answer = with_rows
    found = events(call("run", "people.csv", "--simulate", "--json-rows").out)
    assert (found[0]["event"], found[0]["customer_id"], found[0]["settled_at"]) == (
        "row", "cus_1", "1970-01-01T00:00:00.000Z",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("error", "code"), [(OutOfReach("Stripe is away"), 3), (KeyboardInterrupt(), 130), (ZeroDivisionError(), 3)]
)
def test_a_run_that_ends_before_it_began_still_ends_with_finish(
    call: Program, job: FakeJob, error: BaseException, code: int
) -> None:
    def fail(*_: Any) -> Summary:
        raise error

    job.answer = fail
    said = call("run", "people.csv", "--simulate", "--json")
    last = events(said.out)[-1]
    assert said.code == code
    assert (last["event"], last["exit_code"], last["rows"], last["requests"]) == ("finish", code, 0, 0)
    assert (last["ledger"], last["next"]) == ("people.csv.simulated.db", "bulk-import run people.csv --simulate --json")


def test_wrong_usage_of_a_run_with_json_ends_with_finish_too(call: Program, job: FakeJob) -> None:
    said = call("run", "people.csv", "--json")
    assert (said.code, events(said.out)[-1]["exit_code"]) == (2, 2)
    assert "no API key" in said.err
    unread = call("run", "people.csv", "--json-rows", "--rate", "fast")
    assert (unread.code, events(unread.out)[-1]["exit_code"]) == (2, 2)


def test_retry_takes_server_account_and_kind_from_the_ledger(
    call: Program, retry: FakeJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_abcdefghijklmnop")
    ledger = small_ledger(tmp_path / "l.db", api_base="http://127.0.0.1:5", stripe_account="acct_c", dry_run=True)
    assert call("retry", ledger, "--rate", "none").code == 0
    options = retry.asked[0]
    found = options.connecting
    assert (found.api_base, found.stripe_account, found.dry_run) == ("http://127.0.0.1:5", "acct_c", True)
    assert (options.ledger, options.only, options.codes, options.fixed) == (ledger, ("failed", "in_doubt"), (), None)


def test_retry_of_a_simulation_needs_no_key(call: Program, retry: FakeJob, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db", state_file="/somewhere", api_base="http://127.0.0.1:5")
    assert call("retry", ledger, "--only", "invalid,failed", "--code", "card_declined").code == 0
    options = retry.asked[0]
    assert (options.connecting.simulate, options.connecting.key) == (True, None)
    assert (options.only, options.codes) == (("invalid", "failed"), ("card_declined",))


def test_corrected_rows_are_retried_whatever_was_wrong_with_them(call: Program, retry: FakeJob, tmp_path: Path) -> None:
    ledger = small_ledger(tmp_path / "l.db", state_file="/somewhere")
    assert call("retry", ledger, "--with", tmp_path / "fixed.csv").code == 0
    assert (retry.asked[0].fixed, retry.asked[0].only) == (tmp_path / "fixed.csv", ("invalid", "failed", "in_doubt"))


def test_retry_without_a_ledger_is_code_5(call: Program, retry: FakeJob, tmp_path: Path) -> None:
    said = call("retry", tmp_path / "no.db", "--json")
    assert (said.code, events(said.out)[-1]["exit_code"], retry.asked) == (5, 5, [])


@pytest.mark.parametrize("error", [LedgerRefuses("it is in use"), RuntimeError("unknown"), KeyboardInterrupt()])
def test_finish_tells_what_the_ledger_holds_however_early_the_command_ends(
    call: Program, job: FakeJob, tmp_path: Path, error: BaseException
) -> None:
    def end(*_: Any) -> Summary:
        raise error

    job.answer = end
    ledger = small_ledger(tmp_path / "l.db")
    last = events(call("run", "people.csv", "--simulate", "--ledger", ledger, "--json").out)[-1]
    counts = {name: last[name] for name in COUNTS}
    assert counts == {
        "rows": 6, "created": 1, "existing": 0, "updated": 0, "duplicate": 2, "invalid": 1, "failed": 1, "in_doubt": 0,
        "pending": 1,
    }  # fmt: skip
    ledger.write_text("no ledger")
    last = events(call("run", "people.csv", "--simulate", "--ledger", ledger, "--json").out)[-1]
    assert (last["event"], last["requests"], set(COUNTS) & set(last)) == ("finish", 0, set()), "nobody knows"


def test_mended_rows_come_from_a_file(call: Program, retry: FakeJob, tmp_path: Path) -> None:
    said = call("retry", small_ledger(tmp_path / "l.db", state_file="l.db.account"), "--with", "-")
    assert (said.code, "save what comes to a file" in said.err, retry.asked) == (2, True, [])
