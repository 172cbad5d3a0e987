"""A person at a terminal: sees what the program shows on it, and types."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.leaks import hear

PATIENCE = 60.0
"""Seconds after which what was awaited will not come."""


@dataclass(slots=True)
class Person:
    """Sits before one program; `seen` is every byte that it wrote to the terminal."""

    process: subprocess.Popen[bytes]
    terminal: int
    seen: bytes = b""
    _gone: bool = field(default=False)

    def sees(self, text: str) -> None:
        """Wait until *text* stands on the terminal."""
        wanted, until = text.encode(), time.monotonic() + PATIENCE
        while wanted not in self.seen:
            assert not self._gone, f"{text!r} never came:\n{self.screen}"
            assert time.monotonic() < until, f"{text!r} has not come yet:\n{self.screen}"
            self._look(until)

    def types(self, line: str) -> None:
        """Type a line and press Enter."""
        os.write(self.terminal, line.encode() + b"\n")

    def presses(self, key: str) -> None:
        """Press one key, such as Ctrl-C, which is `\\x03`."""
        os.write(self.terminal, key.encode())

    def interrupts(self) -> int:
        """Press Ctrl-C until the program ends; its exit code.

        Python forgets one that strikes between its look at the signals and its waiting for a line, until another comes.
        """
        until = time.monotonic() + PATIENCE
        while not self._gone:
            assert time.monotonic() < until, f"it does not end:\n{self.screen}"
            self.presses("\x03")
            again = time.monotonic() + PATIENCE / 4
            while time.monotonic() < again:
                self._look(again)
                if self._gone:
                    break
        return self.process.wait(timeout=PATIENCE)

    def leaves(self) -> int:
        """Watch the program to its end; its exit code."""
        until = time.monotonic() + PATIENCE
        while not self._gone:
            assert time.monotonic() < until, f"it does not end:\n{self.screen}"
            self._look(until)
        return self.process.wait(timeout=PATIENCE)

    @property
    def screen(self) -> str:
        """Everything that was shown, as text."""
        return self.seen.decode(errors="replace").replace("\r\n", "\n")

    def _look(self, until: float) -> None:
        ready, _, _ = select.select([self.terminal], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return
        try:
            piece = os.read(self.terminal, 1 << 16)
        except OSError:  # how Linux says that nobody holds the other end any more
            piece = b""
        self._gone = not piece
        self.seen += piece


@contextmanager
def at_terminal(
    words: list[str], env: Mapping[str, str], *, columns: int = 80, cwd: Path | None = None
) -> Iterator[Person]:
    """Start the program on a terminal of its own, which is also what it gets its signals from."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        words, env=dict(env), cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(theirs)
    person = Person(process, ours)
    try:
        yield person
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(ours)
        hear(words, person.screen)
