"""How this process was called: the words typed, and how much it is to say."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bulk_import.cli.terminal import Messages, Output, messages, output
from bulk_import.errors import UsageError
from bulk_import.wording import pastable, terminal_safe

if TYPE_CHECKING:
    import click

PROGRAM = "bulk-import"

SAYING = frozenset({"--json", "--json-rows", "-q", "--quiet", "-v", "-vv", "--verbose"})
"""Words that change only what is said: what to type next needs none of them."""

NOWHERE = "the folder that this command was started in is gone; go to another one, then give the command again."


@dataclass(slots=True)
class Invocation:
    """One call of the program; `verbosity` counts -v, `quiet` leaves only errors.

    `arguments` are the words typed and, once the command is known, what the environment said, as if it had been typed:
    whoever pastes the line into another terminal means the same.
    """

    arguments: Sequence[str]
    verbosity: int = 0
    quiet: bool = False
    messages: Messages = field(default_factory=messages)
    output: Output = field(default_factory=output)

    @property
    def command_line(self) -> str:
        """The words that would call it again, quoted for a shell."""
        return shlex.join([PROGRAM, *self.arguments])

    @property
    def kept_line(self) -> str:
        """The command line as a ledger keeps it; raises `UsageError` for words that are no text, which it cannot."""
        for word in (*self.arguments, _here()):
            try:
                word.encode()
            except UnicodeEncodeError:
                raise UsageError(
                    f"{terminal_safe(word)} is a name that is not UTF-8, which a ledger cannot keep; rename the file or "
                    "folder, then give the command again."
                ) from None
        return self.command_line

    def hear(self, words: Sequence[str]) -> None:
        """Take *words* for typed, too."""
        end = self.arguments.index("--") if "--" in self.arguments else len(self.arguments)
        self.arguments = (*self.arguments[:end], *words, *self.arguments[end:])

    def tell(self, *lines: str) -> None:
        """Say something to a person, unless only errors are wanted."""
        if not self.quiet:
            self.messages.say(*lines)


def _here() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError(NOWHERE) from None


def next_line(command: str) -> str:
    """The last line that a person reads: what to type next, so that it can be copied."""
    return f"next: {pastable(command)}"


def invocation(ctx: click.Context) -> Invocation:
    """The call that *ctx* belongs to."""
    found = ctx.find_object(Invocation)
    return found if found is not None else Invocation(())


def typed(*words: str | Path) -> str:
    """A command to type next, quoted for a shell; a path that looks like an option is made to look like a path."""
    return shlex.join(
        [PROGRAM, *(f"./{word}" if isinstance(word, Path) and str(word)[0] == "-" else str(word) for word in words)]
    )
