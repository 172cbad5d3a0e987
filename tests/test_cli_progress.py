from __future__ import annotations

import io
import json
import os
import pty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from bulk_import.cli.events import Events
from bulk_import.cli.progress import Bar, Count, PlainLines, Silent
from bulk_import.cli.standing import LESSER, is_shown, opening, standing
from bulk_import.cli.terminal import Messages, Output, safe
from bulk_import.options import Progress, Start
from tests.cli_calls import summary

START = Start("people.csv", "l.db", "acct_1", "Example", False, False, 2000, 500, 100.0, 25.0, "create", "auto", False)
PROGRESS = Progress(2000, 620, {"created": 100, "failed": 2, "in_doubt": 1}, 130, 4, 3, 9, 24.6, 5.0, 56.0)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Broken(io.StringIO):
    def write(self, text: str) -> int:
        raise BrokenPipeError

    def flush(self) -> None:
        raise BrokenPipeError


@contextmanager
def terminal(encoding: str = "utf-8") -> Iterator[tuple[Messages, list[str]]]:
    """Messages that go to a terminal 80 columns wide, and what was drawn on it once the block is left."""
    ours, theirs = pty.openpty()
    drawn: list[str] = []
    with os.fdopen(theirs, "w", encoding=encoding) as stream:
        yield Messages(stream, {}), drawn
    drawn.append(_all_of(ours).decode(encoding))
    os.close(ours)


def _all_of(terminal: int) -> bytes:
    """Everything that was written to a terminal whose other end is closed: one read may bring only a part."""
    seen = bytearray()
    with suppress(OSError):  # EIO is how a terminal says that there is no more
        while piece := os.read(terminal, 1 << 16):
            seen += piece
    return bytes(seen)


def test_plain_lines_come_every_thirty_seconds_of_progress() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = PlainLines(Messages(stream, {}), tick=clock)
    lines.start(START)
    stream.truncate(stream.seek(0))
    for second in range(91):
        clock.now = 100.0 + second
        lines.progress(replace(PROGRESS, settled=500 + second))
    assert [line.split(" of ")[0] for line in stream.getvalue().splitlines()] == ["530", "560", "590"]


def test_a_plain_line_says_rows_pace_time_left_and_outcomes() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = PlainLines(Messages(stream, {}), tick=clock)
    lines.start(START)
    clock.now += 30
    lines.progress(PROGRESS)
    assert stream.getvalue().splitlines()[-1] == (
        "620 of 2,000 rows (31 %), 24.6/100 req/s, 56 s left, 100 created, 2 failed, 1 in doubt, 3 retries, 4 429s"
    )


def test_reading_is_told_of_when_it_takes_long() -> None:
    stream, clock = io.StringIO(), Clock()
    lines = PlainLines(Messages(stream, {}), tick=clock)
    lines.read(1, 100, 5)
    clock.now += 31
    lines.read(50, 100, 5000)
    assert stream.getvalue() == "reading: 50 %, 5,000 rows\n"


def test_the_opening_names_account_mode_rows_and_the_cap_that_binds() -> None:
    assert opening(START) == [
        "people.csv -> acct_1 (Example), test mode",
        "1,500 of 2,000 rows to go, at most 25 requests/s (create), dedupe: auto",
        "ledger: l.db",
    ]
    told = opening(replace(START, most=1400, seconds=56.0))[1]
    assert told.startswith("1,500 of 2,000 rows to go, of which at most 1,400 are sent in 56 s or more, at most 25")
    assert opening(replace(START, most=1500, seconds=60.0))[1].startswith(
        "1,500 of 2,000 rows to go in 1 min 0 s or more, at"
    )
    assert "of which at most 1 is sent, at most 25" in opening(replace(START, most=1))[1]
    live = opening(replace(START, livemode=True, account_name=None, binding_rate=None))
    assert live[0] == "people.csv -> acct_1, LIVE"
    assert "no cap" in live[1]
    assert opening(replace(START, dry_run=True))[0].endswith("test mode, dry run")
    assert opening(replace(START, simulated=True))[0].endswith("simulated")


def test_pace_without_a_cap_or_an_estimate_is_just_the_pace() -> None:
    calm = replace(PROGRESS, by_status={}, retries=0, rate_limited=0, seconds_left=None)
    assert standing(calm, None) == "24.6 req/s"


def test_lesser_notices_need_v_and_v_names_codes() -> None:
    stream = io.StringIO()
    for verbosity in (0, 1):
        lines = PlainLines(Messages(stream, {}), verbosity)
        for code in ("slowed", next(iter(sorted(LESSER)))):
            lines.notice(code, "message")
    assert stream.getvalue().splitlines() == ["message", "[slowed] message", f"[{sorted(LESSER)[0]}] message"]
    assert [is_shown("concurrency", verbosity) for verbosity in (0, 1, 2)] == [False, True, True]


def test_the_bar_starts_where_an_earlier_run_stopped_and_ends_at_what_is_on_disk() -> None:
    with terminal() as (messages, drawn):
        bar = Bar(messages)
        bar.read(10, 20, 5)
        bar.start(START)
        bar.progress(PROGRESS)
        bar.notice("slowed", "Stripe asks for less\x1b[2J")
        bar.finish(summary(rows=2000, pending=1000, in_doubt=1))
    shown = drawn[0]
    assert "reading:" in shown
    assert "500/2000" in shown
    assert "999/2000" in shown
    assert "Stripe asks for less\\x1b[2J" in shown
    assert "█" in shown


def test_the_bar_is_ascii_where_the_terminal_is_not_unicode() -> None:
    with terminal("ascii") as (messages, drawn):
        bar = Bar(messages)
        bar.start(START)
        bar.finish(summary(rows=2000, pending=1000))
    assert "#" in drawn[0]
    assert drawn[0].isascii()


def test_progress_before_the_start_does_not_move_the_reading_bar() -> None:
    with terminal() as (messages, drawn):
        bar = Bar(messages)
        bar.read(15, 20, 5)
        bar.progress(PROGRESS)
        bar.pause()
    assert "req/s" not in drawn[0]
    assert "15.0/20.0" in drawn[0]


def test_a_count_has_its_bar_without_a_start_and_ends_where_it_stands() -> None:
    with terminal() as (messages, drawn):
        count = Count(messages)
        count.progress(replace(PROGRESS, rows=0, settled=0))
        count.notice("first", "said before any bar")
        count.progress(replace(PROGRESS, rows=275, settled=0, by_status={}))
        count.progress(replace(PROGRESS, rows=275, settled=13, by_status={}))
        count.finish(summary(rows=275, pending=200))
    shown = drawn[0]
    assert shown.startswith("said before any bar")
    assert shown.rstrip().rpartition("| ")[2].startswith("13/275, 24.6 req/s, 56 s left")
    assert "created" not in shown


def test_a_bar_that_never_was_is_closed_without_a_trace() -> None:
    stream = io.StringIO()
    bar = Bar(Messages(stream, {}))
    bar.progress(PROGRESS)
    bar.finish(summary())
    bar.notice("finished", "nothing was sent")
    assert stream.getvalue() == "nothing was sent\n"


def test_nobody_watching_says_nothing() -> None:
    silent = Silent()
    silent.read(1, 2, 3)
    silent.start(START)
    silent.notice("a", "b")
    silent.progress(PROGRESS)
    silent.lines([])
    silent.pause()
    silent.finish(summary())
    assert (silent.wants_rows, silent.cap) == (False, None)


def test_progress_events_come_at_most_once_a_second_and_never_before_the_start() -> None:
    stream, clock = io.BytesIO(), Clock()
    events = Events(Output(stream), lambda line: None, tick=clock)
    events.progress(PROGRESS)
    events.start(START)
    for _ in range(50):
        events.progress(PROGRESS)
        clock.now += 0.25
    kinds = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
    assert kinds == ["start", *["progress"] * 13]


def test_a_program_that_stops_reading_does_not_stop_the_run_and_people_are_told_once() -> None:
    class Gone(io.BytesIO):
        def flush(self) -> None:
            raise BrokenPipeError

    output, said = Output(Gone()), list[str]()
    events = Events(output, said.append)
    events.notice("a", "b")
    events.finish(summary())
    assert ["Nobody reads standard output any more" in line for line in said] == [True]
    assert (output.gone, output.error) == (True, None)


def test_a_full_disk_under_standard_output_is_remembered() -> None:
    class Full(io.BytesIO):
        def write(self, data: object) -> int:
            raise OSError(28, "No space left on device")

    output = Output(Full())
    output.line("x")
    output.line("y")
    assert output.gone
    assert output.error is not None
    assert output.error.errno == 28


def test_text_that_utf_8_cannot_hold_reads_back_from_json() -> None:
    stream = io.BytesIO()
    Output(stream).line(json.dumps({"a": "\udc80"}, ensure_ascii=False))
    assert json.loads(stream.getvalue()) == {"a": "\udc80"}


def test_people_who_stop_reading_do_not_stop_the_run() -> None:
    messages = Messages(Broken(), {})
    messages.say("one", "two")
    messages.complain("three")
    assert not messages.isatty()
    with pytest.raises(OSError, match="closed"):
        messages.fileno()


@pytest.mark.parametrize(
    ("environ", "coloured", "draws"),
    [
        ({}, True, True),
        ({"NO_COLOR": "1"}, False, True),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_colours_and_bars_follow_the_environment(environ: dict[str, str], coloured: bool, draws: bool) -> None:
    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Screen()
    messages = Messages(stream, environ)
    messages.complain("x")
    assert (messages.coloured, messages.draws, "\x1b[31m" in stream.getvalue()) == (coloured, draws, coloured)


def test_safe_text_has_no_controls_no_bidi_and_no_keys() -> None:
    assert safe("a\x1b\u202e\nsk_live_abc123 rk_test_x") == "a\\x1b\\u202e\\nsk_live_… rk_test_…"


@pytest.mark.parametrize(
    ("room", "shown"),
    [
        (200, "24.6/20 req/s, 56 s left, 100 created, 2 failed, 1 in doubt, 3 retries, 4 429s"),
        (50, "24.6/20 req/s, 56 s left, 100 created, 2 failed"),
        (30, "24.6/20 req/s, 56 s left"),
        (5, "24.6/20 req/s"),
    ],
)
def test_a_narrow_terminal_loses_whole_figures_the_least_telling_first(room: int, shown: str) -> None:
    assert standing(PROGRESS, 20.0, room) == shown
