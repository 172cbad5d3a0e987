"""The account's state in a file: a journal of changes, one JSON object a line, handed to the system before each answer.

A kill -9 loses nothing that was answered. A torn last line was never answered and is cut off.
"""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1


class StateUnusable(Exception):
    """The state file cannot be used; the sentence says why and what to do."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What an account was opened with, the first line of its journal; it holds for the account's whole life."""

    seed: int
    existing: int
    account: str
    opened: float
    format: int = FORMAT


class Journal:
    """An open state file, locked against a second process.

    `opening` is what the account was opened with, `starts` how often it was started before.
    """

    def __init__(self, path: Path, opening: Opening) -> None:
        """Open or begin the file; raises `StateUnusable`. An existing file's own opening wins."""
        self._path = path
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            self._fd = os.open(path, flags, 0o600)
        except OSError as error:
            raise StateUnusable(f"The state file {path} cannot be opened: {error.strerror}.") from error
        try:
            self._lock()
            self._cut_torn_line()
            self.opening, self.starts = self._first(opening)
        except BaseException:
            os.close(self._fd)
            raise
        self.append({"start": self.starts + 1})

    def _lock(self) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            raise StateUnusable(f"The state file {self._path} is no plain file; name another one.")
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateUnusable(
                f"The state file {self._path} is in use by another simulator; stop that one first."
            ) from error

    def _cut_torn_line(self) -> None:
        size = os.fstat(self._fd).st_size
        end, step = size, 65536
        while end > 0:
            begin = max(0, end - step)
            block = os.pread(self._fd, end - begin, begin)
            newline = block.rfind(b"\n")
            if newline >= 0:
                end = begin + newline + 1
                break
            end = begin
        if end < size:
            os.ftruncate(self._fd, end)

    def _first(self, opening: Opening) -> tuple[Opening, int]:
        lines = self._lines()
        first = next(lines, None)
        if first is None:
            self.append(asdict(opening))
            return opening, 0
        try:
            found = Opening(**first)
        except TypeError as error:
            raise StateUnusable(f"{self._path} is no state file of the simulator; name another one.") from error
        if found.format != FORMAT:
            raise StateUnusable(f"The state file {self._path} was written by another version; use a new one.")
        starts = max((int(line["start"]) for line in lines if "start" in line), default=0)
        return found, starts

    def _lines(self) -> Iterator[dict[str, Any]]:
        with open(os.dup(self._fd), "rb") as file:
            file.seek(0)
            for number, line in enumerate(file, 1):
                try:
                    value = json.loads(line)
                except ValueError as error:
                    raise StateUnusable(f"Line {number} of the state file {self._path} is damaged.") from error
                if not isinstance(value, dict):
                    raise StateUnusable(f"Line {number} of the state file {self._path} is damaged.")
                yield value

    def entries(self) -> Iterator[dict[str, Any]]:
        """The changes of earlier processes, in order."""
        lines = self._lines()
        next(lines)
        return (line for line in lines if "start" not in line)

    def append(self, entry: Mapping[str, Any]) -> None:
        """Write one change whole or not at all (OSError); it is with the operating system when this returns."""
        line = json.dumps(entry, separators=(",", ":")).encode() + b"\n"
        rest = memoryview(line)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - (len(line) - len(rest)))
            raise

    def close(self) -> None:
        """Give the file and its lock back."""
        os.close(self._fd)
