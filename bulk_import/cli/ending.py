"""What an exception means to the shell: one sentence on standard error and an exit code."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator, Sequence

import click
from click.core import ParameterSource
from click.shell_completion import shell_complete

from bulk_import import early
from bulk_import.cli.events import to_json
from bulk_import.cli.invocation import NOWHERE, PROGRAM, Invocation, next_line
from bulk_import.cli.process import too_few_files
from bulk_import.cli.program import program
from bulk_import.cli.terminal import occupy_standard_descriptors, silence
from bulk_import.errors import BulkImportError, StoppedEarly
from bulk_import.wording import terminal_safe, without_addresses

COMPLETE = "_BULK_IMPORT_COMPLETE"
"""The environment variable through which a shell asks what may be typed next."""

USAGE, UNEXPECTED, UNTOLD = 2, 3, 3
NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})
TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)
UNUSABLE = frozenset({errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENAMETOOLONG, errno.ENOTDIR})
"""What the system says of a path that was given, which only its giver can mend."""
LONGEST_PATH = 200
OUTRANKED = (0, 1, 6)
"""Exit codes that say less than that a program could not be told."""


def run_program(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; no exception leaves it but SystemExit."""
    occupy_standard_descriptors()
    if instruction := os.environ.get(COMPLETE):
        return shell_complete(program, {}, PROGRAM, COMPLETE, instruction)
    invocation = Invocation(tuple(arguments))
    code = _carried_out(invocation)
    invocation.messages.flush()
    invocation.output.flush()
    _flush()
    return _with_output(invocation, code)


def _with_output(invocation: Invocation, code: int) -> int:
    """The code where standard output does not hold all that it should: what was done is done, but was not told."""
    output = invocation.output
    if code not in OUTRANKED:
        return code
    if output.is_closed and output.told:
        invocation.messages.complain(
            "standard output is closed, so what it should hold went nowhere; open it and give the same command again."
        )
        return USAGE
    return code if output.error is None else _untold(invocation, output.error)


def _untold(invocation: Invocation, error: OSError) -> int:
    invocation.messages.complain(
        f"standard output cannot be written ({error.strerror}), so what it should hold is not whole; nothing else is "
        "lost: make room and give the same command again."
    )
    return UNTOLD


def _carried_out(invocation: Invocation) -> int:
    try:
        return _invoke(invocation)
    except click.exceptions.Exit as ending:
        return ending.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        invocation.messages.write(error.format_message() + "\n")
        return USAGE
    except click.ClickException as error:
        return _refused(invocation, _explain(invocation, error), USAGE)
    except (KeyboardInterrupt, click.Abort):
        return _interrupted(invocation)
    except BulkImportError as error:
        invocation.messages.complain(str(error))
        if isinstance(error, StoppedEarly) and not _watched(invocation):
            invocation.tell(next_line(invocation.command_line))
        return _refused(invocation, str(error), error.exit_code)
    except BrokenPipeError:
        silence(sys.stdout)
        return 0
    except OSError as error:
        return _refused_by_the_system(invocation, error)
    except Exception as error:
        # After a signal, whatever it left half made may fail, in an error that shows no trace of it.
        if early.caught or early.is_interruption(error):
            return _interrupted(invocation)
        if any(isinstance(one, OSError) and one.errno in TOO_MANY_OPEN for one in _within(error)):
            return _refused(invocation, _complained(invocation, too_few_files()), UNEXPECTED)
        _confess(invocation, error)
        return UNEXPECTED


def _refused_by_the_system(invocation: Invocation, error: OSError) -> int:
    if error.errno in TOO_MANY_OPEN:
        return _refused(invocation, _complained(invocation, too_few_files()), UNEXPECTED)
    if error.errno in NO_ROOM and error.filename is None:
        silence(sys.stdout)  # what click prints itself: help, version
        return _untold(invocation, error)
    if error.errno == errno.ENOENT and error.filename is None and not _stands_somewhere():
        return _refused(invocation, _complained(invocation, NOWHERE), USAGE)
    if error.errno in UNUSABLE and isinstance(error.filename, str):
        path = terminal_safe(error.filename, LONGEST_PATH)
        sentence = f"{path} cannot be used ({error.strerror}); put that right, or give another path."
        return _refused(invocation, _complained(invocation, sentence), USAGE)
    _confess(invocation, error)
    return UNEXPECTED


def _stands_somewhere() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _within(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it is made of or came from."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _within(one)
        error = error.__cause__ or error.__context__


def _interrupted(invocation: Invocation) -> int:
    invocation.messages.say("", "Interrupted.")
    return early.exit_code()


def _invoke(invocation: Invocation) -> int:
    with program.make_context(PROGRAM, list(invocation.arguments), obj=invocation) as ctx:
        if invocation.messages.coloured is False:
            ctx.color = False
        code = program.invoke(ctx)
    return code if isinstance(code, int) else 0


def _complained(invocation: Invocation, sentence: str) -> str:
    invocation.messages.complain(sentence)
    return sentence


def _refused(invocation: Invocation, error: str, code: int) -> int:
    """Tell a program why nothing came of the command, unless it was told already; the code."""
    if _watched(invocation) and not invocation.output.told:
        invocation.output.line(to_json({"error": error, "exit_code": code}))
    return code


def _watched(invocation: Invocation) -> bool:
    """Whether a program reads what comes of the command."""
    return bool({"--json", "--json-rows"} & {*invocation.arguments})


def _explain(invocation: Invocation, error: click.ClickException) -> str:
    text = re.sub(r"\s*\n\s*", " ", error.format_message()) + _origin(error)
    invocation.messages.complain(text)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        invocation.messages.say(f"Try '{error.ctx.command_path} --help'.")
    return text


def _origin(error: click.ClickException) -> str:
    """Which environment variable the value came from, if it was one."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None or not error.param.name:
        return ""
    if error.ctx.get_parameter_source(error.param.name) is not ParameterSource.ENVIRONMENT:
        return ""
    return f" (read from {error.ctx.auto_envvar_prefix}_{error.param.name.upper()})"


def _confess(invocation: Invocation, error: Exception) -> None:
    """Tell of an error of our own; a traceback only with -vv, and never with the values of variables or an address."""
    name = type(error).__name__
    invocation.messages.complain(
        f"bulk-import met an error it does not know ({name}); nothing that was sent is lost and the same command "
        "continues; please report it with the output of -vv."
    )
    if invocation.verbosity >= 2:
        invocation.messages.say(*without_addresses("".join(traceback.format_exception(error))).splitlines())


def _flush() -> None:
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except (OSError, ValueError):
        silence(sys.stdout)
