"""Text that is safe to print, and the two places it goes: people read standard error, programs standard output."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import IO, Any

from bulk_import.cli.pipes import pipe_of
from bulk_import.wording import terminal_safe, without_keys

LONGEST = 4000
"""Characters of one line that are shown."""

NARROW = 80


def safe(text: str) -> str:
    """*text* as one harmless line: controls escaped, API keys masked."""
    return terminal_safe(without_keys(text), LONGEST)


class Messages:
    """Standard error, for people; a reader that has gone away is no reason to stop working.

    It is file-like, so that a progress bar can draw on it too. *stream* may be None (closed at start).
    """

    def __init__(self, stream: IO[str] | None, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._dumb = environ.get("TERM") == "dumb"
        self.coloured = self.isatty() and not self._dumb and not environ.get("NO_COLOR")

    @property
    def encoding(self) -> str:
        """What the terminal understands."""
        return getattr(self._stream, "encoding", None) or "ascii"

    @property
    def draws(self) -> bool:
        """Whether a bar can be redrawn in place."""
        return self.isatty() and not self._dumb

    @property
    def is_unicode(self) -> bool:
        """Whether more than ASCII may be drawn."""
        return self.encoding.lower().replace("-", "") in ("utf8", "utf8sig")

    def say(self, *lines: str) -> None:
        """Print each of *lines*, made safe."""
        for line in lines:
            self.write(safe(line) + "\n")
        self.flush()

    def complain(self, sentence: str) -> None:
        """Print what went wrong."""
        word = "\x1b[31mError:\x1b[0m" if self.coloured else "Error:"
        self.write(f"{word} {safe(sentence)}\n")
        self.flush()

    def write(self, text: str) -> int:
        """Print *text* as it is, if anybody still reads."""
        if self._stream is not None:
            try:
                self._stream.write(text)
            except (OSError, ValueError):
                self._leave()
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered, if anybody still reads."""
        if self._stream is not None:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._leave()

    def _leave(self) -> None:
        silence(self._stream)
        self._stream = None

    def isatty(self) -> bool:
        """Whether this is a terminal."""
        return is_terminal(self._stream)

    @property
    def columns(self) -> int:
        """How wide the terminal is; 80 where it does not say."""
        try:
            return os.get_terminal_size(self.fileno()).columns or NARROW
        except (OSError, ValueError):
            return NARROW

    def fileno(self) -> int:
        """The descriptor, for asking a terminal its width; raises OSError without one."""
        if self._stream is None:
            raise OSError("standard error is closed")
        return self._stream.fileno()


class Output:
    """Standard output, for programs: UTF-8 lines, whatever the locale says.

    Once it cannot be written any more, `gone` is True and what follows is dropped; `error` tells a full
    disk from a reader that went away, which is no error.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.gone = stream is None
        self.told = False  # whether anything was written
        self.error: OSError | None = None
        self._pipe = pipe_of(stream)

    @property
    def is_closed(self) -> bool:
        """Whether there never was a standard output."""
        return self._stream is None

    def line(self, text: str) -> None:
        """Write one line and hand it on at once."""
        self.write(text + "\n")
        self.flush()

    def write(self, text: str) -> None:
        """Write *text*; what UTF-8 cannot hold is written as an escape, which JSON reads back."""
        self.told = True
        self._try(lambda: self._binary.write(text.encode("utf-8", "backslashreplace")))

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._try(lambda: self._binary.flush())

    @property
    def _binary(self) -> Any:
        return self._pipe if self._pipe is not None else getattr(self._stream, "buffer", self._stream)

    def _try(self, act: Any) -> None:
        if self.gone:
            return
        try:
            act()
        except BrokenPipeError:
            self._leave(None)
        except OSError as error:
            self._leave(error)

    def _leave(self, error: OSError | None) -> None:
        self.gone, self.error = True, error
        silence(self._stream)


def silence(stream: Any) -> None:
    """Point a standard stream to nowhere, so that what is buffered in it does not fail again at exit."""
    try:
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        os.dup2(nowhere, number)
        os.close(nowhere)
    except (OSError, ValueError, AttributeError):
        return


def is_terminal(stream: Any) -> bool:
    """Whether *stream*, which may be None or closed, is a terminal."""
    try:
        return stream is not None and bool(stream.isatty())
    except (OSError, ValueError):
        return False


def messages() -> Messages:
    """Standard error as it is now."""
    return Messages(sys.stderr, os.environ)


def output() -> Output:
    """Standard output as it is now."""
    return Output(sys.stdout)


def can_ask() -> bool:
    """Whether a person can be asked: the question is seen and the answer can be typed."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def occupy_standard_descriptors() -> None:
    """Fill descriptors 0, 1 and 2 where they are closed, so that no file of ours takes the place of one."""
    while True:
        number = os.open(os.devnull, os.O_RDWR)
        if number > 2:
            os.close(number)
            return
