"""The group of commands; a command's module is imported when the command is typed."""

from __future__ import annotations

import importlib

import click

import bulk_import
from bulk_import.cli.invocation import PROGRAM

COMMANDS = {
    "template": "Write a starting CSV and its mapping.",
    "check": "Read, map and judge every row, offline.",
    "plan": "Say what a run would do; reads only.",
    "run": "Import SOURCE into Stripe; again, to continue.",
    "retry": "Send failed and doubtful rows of a ledger again.",
    "status": "Say how an import stands and what to type next.",
    "export": "Write a ledger's rows as CSV or JSON Lines.",
    "report": "Look back on an import: a table, or a page with plots.",
    "verify": "Prove from Stripe that every row has its customer.",
    "undo": "Delete what a ledger created, restore what it updated.",
    "simulate": "Serve a simulated Stripe on this machine.",
    "completion": "Print the completion script of a shell.",
}
"""Every command and what `--help` says of it, in the order in which a person meets them."""


class Program(click.Group):
    """Knows its commands by name without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name every command."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"bulk_import.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or suggest the one that was meant."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write usage, sentence, examples, options and commands, in this order."""
        self.format_usage(ctx, formatter)
        self.format_help_text(ctx, formatter)
        self.format_epilog(ctx, formatter)
        self.format_options(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


EXAMPLES = """\b
Examples:
  bulk-import check customers.csv              (offline)
  bulk-import run customers.csv --simulate     (a rehearsal that needs no key)
  bulk-import run customers.csv --dry-run      (a rehearsal with a test key in STRIPE_API_KEY)
  bulk-import run customers.csv --live         (for real, with a live key; asks first)
"""


@click.group(
    cls=Program,
    name=PROGRAM,
    epilog=EXAMPLES,
    context_settings={"auto_envvar_prefix": "BULK_IMPORT", "help_option_names": ["--help"], "max_content_width": 100},
)
# The environment may well tell which version is installed: that asks for nothing.
@click.version_option(bulk_import.__version__, prog_name=PROGRAM, allow_from_autoenv=False)
def program() -> None:
    """Import a user base into Stripe: once each, at the rate you allow, with a ledger that proves it."""
