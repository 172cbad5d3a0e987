"""Standard output that is a pipe: everything arrives, and a reader that has stopped reading keeps nobody from ending."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

import anyio
import pytest

from bulk_import import early
from bulk_import.cli import pipes
from bulk_import.cli.pipes import Pipe, pipe_of
from bulk_import.engine.listening import listen
from bulk_import.engine.parts import Ended
from bulk_import.engine.stopping import Stop


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for number in (reading, writing):
        with suppress(OSError):
            os.close(number)


@pytest.fixture(autouse=True)
def nothing_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(early, "caught", [])
    monkeypatch.setattr(early, "heard", [])


def test_everything_arrives_in_its_order_at_a_reader_slower_than_the_writer(ends: tuple[int, int]) -> None:
    lines = b"".join(b"%d\n" % number for number in range(60_000))
    arrived = bytearray()

    def read() -> None:
        while piece := os.read(ends[0], 10_007):
            arrived.extend(piece)

    reader = threading.Thread(target=read)
    reader.start()
    pipe = Pipe(ends[1])
    for start in range(0, len(lines), 1_001):
        pipe.write(lines[start : start + 1_001])
    pipe.flush()
    os.close(ends[1])
    reader.join()
    assert arrived == lines


def test_a_reader_that_takes_nothing_is_given_up_once_a_signal_came(
    ends: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "LOOK_EVERY", 0.01)
    monkeypatch.setattr(pipes, "PATIENCE", 0.03)
    threading.Timer(0.1, early.hear, (signal.SIGTERM, None)).start()
    pipe = Pipe(ends[1])
    with pytest.raises(BrokenPipeError):
        pipe.write(b"x" * 1_000_000)
    assert early.heard == [signal.SIGTERM], "it was waited for until then"


def test_a_reader_that_has_gone_away_is_told_at_once(ends: tuple[int, int]) -> None:
    os.close(ends[0])
    pipe = Pipe(ends[1])
    pipe.write(b"x")
    with pytest.raises(BrokenPipeError):
        pipe.flush()


def test_only_pipes_and_sockets_are_waited_for(ends: tuple[int, int]) -> None:
    with open(ends[1], "wb", closefd=False) as pipe, open(os.devnull, "wb") as nowhere:
        assert (pipe_of(pipe) is not None, pipe_of(nowhere), pipe_of(None)) == (True, None, None)


def test_a_signal_is_known_even_while_the_loop_that_listens_is_blocked() -> None:
    ended = Ended()

    async def blocked() -> list[int]:
        stop = Stop(ended)
        async with anyio.create_task_group() as tasks:
            await tasks.start(partial(listen, (signal.SIGTERM,), stop, ended))
            os.kill(os.getpid(), signal.SIGTERM)
            known = [*early.heard]  # before the loop has its next turn
            with anyio.fail_after(5):
                await stop.nap(5)
            tasks.cancel_scope.cancel()
        return known

    before = signal.signal(
        signal.SIGTERM, lambda number, frame: None
    )  # not ignored, as an earlier run may have left it
    try:
        assert anyio.run(blocked) == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.signal == signal.SIGTERM
