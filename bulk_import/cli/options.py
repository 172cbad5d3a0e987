"""The options that commands share, grouped by what they are about; each name is also one in the environment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bulk_import.cli.environment import Either
from bulk_import.cli.help import LAST, OWN, put_under
from bulk_import.cli.invocation import invocation
from bulk_import.cli.quantities import (
    Choice,
    ColumnToField,
    Duration,
    EndpointRate,
    ErrorBudget,
    FieldToValue,
    Mark,
    Rate,
    Size,
)

Function = Callable[..., Any]
Group = Callable[[Function], Function]

PATH = click.Path(path_type=Path, allow_dash=False)


def group(section: str, *options: Group) -> Group:
    """Several options as one decorator, shown by `--help` in this order under the heading *section*."""

    def apply(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
            put_under(section, _newest_of(function))
        return function

    return apply


def _newest_of(function: Function) -> click.Parameter:
    """The option that was added last, where click keeps it until the command is made."""
    kept: list[click.Parameter] = vars(function)["__click_params__"]
    return kept[-1]


def examples(*lines: str) -> str:
    """What `--help` begins with; the mark at the start keeps the lines apart."""
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


def _remember_verbosity(ctx: click.Context, param: click.Parameter, value: int) -> None:
    invocation(ctx).verbosity = value
    _refuse_both(ctx)


def _remember_quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    invocation(ctx).quiet = value
    _refuse_both(ctx)


def _refuse_both(ctx: click.Context) -> None:
    if invocation(ctx).quiet and invocation(ctx).verbosity:
        raise click.UsageError("-q and -v exclude each other; give one of them.", ctx)


output_options = group(
    LAST,
    click.option("--json", "json", is_flag=True, help="Write JSON for programs to standard output."),
    click.option(
        "-v", "--verbose", count=True, expose_value=False, is_eager=True, callback=_remember_verbosity, help="Say more."
    ),
    click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, is_eager=True, callback=_remember_quiet,
        help="Say nothing but errors.",
    ),
)  # fmt: skip


def reading(name: str) -> Group:
    """How the table called *name* is read, where detection is not to choose."""
    return group(
        f"How {name} is read",
        click.option(
            "--format",
            type=Choice(["csv", "tsv", "jsonl", "json", "xlsx"]),
            help=f"How {name} is written.  [detected]",
        ),
        click.option("--encoding", metavar="NAME", help="Its encoding, such as utf-8 or cp1252.  [detected]"),
        click.option(
            "--delimiter", type=Mark(), metavar="TEXT", help="What separates cells; tab for a tab.  [detected]"
        ),
        click.option("--quote", type=Mark(), metavar="CHAR", help="What encloses cells; none for nothing.  [detected]"),
        click.option(
            "--skip-lines", type=click.IntRange(min=0), metavar="N", help="Lines above the header.  [detected]"
        ),
        click.option(
            "--header/--no-header",
            cls=Either,
            default=None,
            help="Whether the table begins with a header.  [detected]",
        ),
        click.option("--max-bytes", type=Size(), metavar="SIZE", help="Most to read after unpacking, such as 20GB."),
    )


reading_options = reading("SOURCE")

mapping_options = group(
    "Columns to fields",
    click.option(
        "--map", type=ColumnToField(), multiple=True, metavar="COLUMN=FIELD",
        help="Column to field, such as 'Post code=address.postal_code' or 'Notes=ignore'; may be repeated.",
    ),
    click.option("--mapping", type=PATH, metavar="FILE.toml", help="A profile that says the same."),
    click.option(
        "--set", type=FieldToValue(), multiple=True, metavar="FIELD=VALUE",
        help="The same value for every row, such as metadata.source=crm; may be repeated.",
    ),
    click.option(
        "--unmapped", type=Choice(["metadata", "ignore", "refuse"]),
        help="What becomes of other columns.  [metadata; with a live key refuse]",
    ),
    click.option("--key", metavar="COLUMN", help="The row's own id in the system it comes from."),
)  # fmt: skip

row_options = group(
    "Rows",
    click.option("--allow-no-email", is_flag=True, help="Import rows without an e-mail address too."),
    click.option(
        "--email-check", type=Choice(["strict", "basic", "off"]), default="strict", show_default=True,
        help="How e-mail addresses are judged.",
    ),
    click.option(
        "--no-default-payment-method", is_flag=True, help="Attach payment methods without making them the default."
    ),
)  # fmt: skip

pacing_options = group(
    "Pace and patience",
    click.option(
        "--rate", type=Rate(), default="20", show_default=True, metavar="N|none",
        help="Most requests started in any second; none only against a server on this machine.",
    ),
    click.option(
        "--endpoint-rate", type=EndpointRate(), multiple=True, metavar="NAME=N",
        help="Most for one endpoint; may be repeated.  [25 each, search 20]",
    ),
    click.option("--concurrency", type=click.IntRange(min=1), metavar="N", help="Most requests in flight.  [from the rate]"),
    click.option(
        "--batch-size", type=click.IntRange(1, 10_000), metavar="N",
        help="Rows claimed in one commit.  [what is sent in 5 s, 20 to 100; up to 300 at a rate above 100]",
    ),
    click.option(
        "--max-errors", type=ErrorBudget(), default="10%", show_default=True, metavar="N|P%",
        help="Stop when Stripe refused more rows than this.",
    ),
    click.option(
        "--max-attempts", type=click.IntRange(min=1), default=8, show_default=True, metavar="N",
        help="Attempts of one row before it is in doubt.",
    ),
    click.option(
        "--timeout", type=Duration(), default="30s", show_default=True, metavar="TIME", help="Deadline of one attempt."
    ),
    click.option(
        "--give-up-after", type=Duration(), default="15m", show_default=True, metavar="TIME",
        help="How long to wait for a Stripe that is out of reach.",
    ),
)  # fmt: skip

connecting_options = group(
    "Key and server",
    click.option(
        "--api-key-file", type=PATH, metavar="FILE",
        help="Where the API key is; else STRIPE_API_KEY, STRIPE_SECRET_KEY, or a question.",
    ),
    click.option("--live", is_flag=True, allow_from_autoenv=False, help="Allow a live key: real customers."),
    click.option("--yes", is_flag=True, allow_from_autoenv=False, help="Go ahead without asking."),
    click.option("--api-base", metavar="URL", help="Another server than Stripe's; test keys only."),
    click.option("--stripe-account", metavar="ACCT", help="Act for this connected account."),
)  # fmt: skip

import_options = group(
    OWN,
    click.option("--ledger", type=PATH, metavar="PATH", help="The ledger.  [SOURCE.ledger.db]"),
    pacing_options,
    click.option(
        "--dedupe", type=Choice(["auto", "snapshot", "search", "lookup", "off"]), default="auto",
        show_default=True, help="How to learn who is in Stripe already.",
    ),
    click.option(
        "--on-existing", type=Choice(["skip", "update", "refuse", "create"]), default="skip",
        show_default=True, help="What to do with those.",
    ),
    click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Only the first N rows."),
    click.option("--sample", type=click.IntRange(min=1), metavar="N", help="Only N rows, drawn evenly."),
    click.option(
        "--dry-run", is_flag=True, help="Rehearse with a test key; payment methods become pm_card_visa."
    ),
    click.option("--simulate", is_flag=True, help="Rehearse against a simulated Stripe; needs no key."),
    connecting_options,
    reading_options,
    mapping_options,
    row_options,
    click.option(
        "--no-marker", is_flag=True, help="Leave metadata.bulk_import out; rows in doubt are then found by e-mail."
    ),
    click.option(
        "--hash-emails", is_flag=True, help="Keep only keyed hashes of settled rows' e-mails in the ledger."
    ),
)  # fmt: skip


def unlisted(function: Function, *names: str) -> Function:
    """Options that are taken but not shown by `--help`: what a command has in common with others and no use for."""
    for option in vars(function)["__click_params__"]:
        if isinstance(option, click.Option) and option.name in names:
            option.hidden = True
    return function


def ledger_options(function: Function) -> Function:
    """What a command takes that asks Stripe about a ledger."""
    taken = pacing_options(connecting_options(output_options(function)))
    unlisted(taken, "max_errors", "max_attempts")  # of rows that are sent, and here none is
    return click.argument("ledger", type=PATH)(taken)
