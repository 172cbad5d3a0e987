"""How `--help` of a command looks: usage and one sentence, examples, then the options by what they are about."""

from __future__ import annotations

from typing import Any

import click
from click.shell_completion import CompletionItem

from bulk_import.cli.environment import said_by_environment
from bulk_import.cli.invocation import invocation
from bulk_import.cli.process import allow_open_files

OWN = "Options"
"""The section of options that belong to one command only."""

LAST = "What is said"
"""The section that every command ends with."""

_SECTIONS: dict[click.Parameter, str] = {}


def put_under(section: str, parameter: click.Parameter) -> None:
    """Show an option under this heading, unless it has one."""
    _SECTIONS.setdefault(parameter, section)


class Verb(click.Command):
    """A command whose examples come first and whose options are grouped."""

    def invoke(self, ctx: click.Context) -> Any:
        """Carry the command out, with as many open files as it may have."""
        allow_open_files()
        invocation(ctx).hear(said_by_environment(ctx))
        return super().invoke(ctx)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, sentence, examples and options, in this order."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options under their headings, the command's own ones first."""
        sections: dict[str, list[tuple[str, str]]] = {OWN: []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                sections.setdefault(LAST if parameter.name == "help" else _SECTIONS.get(parameter, OWN), []).append(
                    record
                )
        for title, records in sections.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Source(click.ParamType[str]):
    """SOURCE: a path or `-`; a shell completes it with files."""

    name = "source"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Take the text as it is."""
        return value

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Ask the shell for files."""
        return [CompletionItem(incomplete, type="file")]
