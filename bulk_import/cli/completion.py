"""`completion`: the script that makes a shell complete our commands and options."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import get_completion_class

from bulk_import.cli.events import to_json
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import PROGRAM, invocation
from bulk_import.cli.options import examples, output_options
from bulk_import.cli.quantities import Choice

WHOLE_SENTENCES = ('string split ","', 'string split -m 1 ","')
"""Click's script for fish cuts each description off at its first comma; kind and word are split off alone."""


@click.command(
    "completion",
    cls=Verb,
    epilog=examples(
        'eval "$(bulk-import completion bash)"',
        "bulk-import completion fish > ~/.config/fish/completions/bulk-import.fish",
    ),
)
@click.argument("shell", type=Choice(["bash", "zsh", "fish"]))
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Print the completion script of SHELL."""
    from bulk_import.cli.ending import COMPLETE

    call, shell = invocation(ctx), given["shell"]
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the choices above are click's own
    script = kind(ctx.find_root().command, {}, PROGRAM, COMPLETE).source().replace(*WHOLE_SENTENCES)
    call.output.line(to_json({"shell": shell, "script": script}) if given["json"] else script)
    return 0
