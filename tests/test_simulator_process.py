"""The simulator as a program: what it prints, how it ends, and that kill -9 loses nothing it answered."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bulk_import.simulator.options import check_host, duration, parse
from bulk_import.simulator.server import running
from tests.simulator_support import connected, simulated

PROGRAM = [sys.executable, "-m", "bulk_import.simulator"]


@contextmanager
def _program(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    process = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout is not None
            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.asyncio
async def test_kill_9_loses_nothing_that_was_answered_and_the_next_start_goes_on(tmp_path: Path) -> None:
    state = str(tmp_path / "state")
    with _program("--state", state, "--account", "acct_1Chosen12345") as (process, told):
        assert told["account"] == "acct_1Chosen12345"
        assert told["url"].startswith("http://127.0.0.1:")
        async with connected(told["url"]) as wire:
            first = await wire.create("k1", email="a@example.com")
            await wire.create("k2", email="b@example.com")
        process.kill()
        assert process.wait(10) == -9
    with _program("--state", state) as (process, told):
        assert told["account"] == "acct_1Chosen12345"
        async with connected(told["url"]) as wire:
            again = await wire.create("k1", email="a@example.com")
            assert (again.body, again.headers["Idempotent-Replayed"]) == (first.body, "true")
            assert len(await wire.customers()) == 2
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.asyncio
async def test_the_end_of_standard_input_ends_it_when_asked() -> None:
    with _program("--exit-with-stdin", "--latency", "30") as (process, told):
        async with connected(told["url"]) as wire:
            assert await wire.customers() == []
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(10) == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ["--host", "0.0.0.0"],  # noqa: S104 - it is what must be refused
        ["--faults", "nonsense=1"],
        ["--latency", "soon"],
        ["--rate-limit", "0"],
        ["--endpoint-rate-limit", "nowhere=1"],
    ],
)
def test_wrong_options_end_it_with_2_and_one_sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(arguments)
    assert caught.value.code == 2
    assert "error:" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "seconds"), [("250ms", 0.25), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0), ("3", 3.0), ("0", 0.0)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "fast", "-1s", "1d", "1 2"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)


def test_all_options_arrive() -> None:
    options = parse(
        [
            "--port",
            "5",
            "--rate-limit",
            "none",
            "--endpoint-rate-limit",
            "create=100",
            "--limiter",
            "bucket",
            "--latency",
            "250ms",
            "--jitter",
            "80ms",
            "--existing",
            "7",
            "--faults",
            "reset=0.5",
            "--seed",
            "3",
            "--state",
            "s.jsonl",
            "--account",
            "acct_1A",
            "--exit-with-stdin",
            "--key-lifetime",
            "60",
            "--search-lag",
            "0",
        ]
    )
    assert (options.port, options.latency, options.jitter, options.existing) == (5, 0.25, 0.08, 7)
    assert (options.limits.rate, options.limits.of("create"), options.limits.shape) == (None, 100.0, "bucket")
    assert [rule.name for rule in options.faults] == ["reset"]
    assert (options.seed, options.state, options.account) == (3, Path("s.jsonl"), "acct_1A")
    assert (options.exit_with_stdin, options.key_lifetime, options.search_lag) == (True, 60.0, 0.0)


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::", "example.com"])  # noqa: S104 - must be refused
@pytest.mark.asyncio
async def test_it_binds_nothing_but_loopback(host: str) -> None:
    with pytest.raises(ValueError, match="loopback only"):
        async with simulated(host=host):
            raise AssertionError("it listened")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1", "localhost"])
def test_loopback_in_any_spelling_is_taken(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.asyncio
async def test_a_taken_port_is_told_by_an_os_error() -> None:
    options = parse([])
    async with running(options) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(OSError, match="address already in use"):
            async with running(parse(["--port", str(port)])):
                raise AssertionError("two listen on one port")
