"""`retry`: send failed and doubtful rows again, out of the ledger alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import invocation
from bulk_import.cli.options import PATH, connecting_options, examples, output_options, pacing_options, reading
from bulk_import.cli.quantities import Quantity

if TYPE_CHECKING:
    from bulk_import.cli.settling import Given
    from bulk_import.options import RetryOptions

RETRIED = ("invalid", "failed", "in_doubt")


class Statuses(Quantity):
    """Statuses with commas between them."""

    name = "statuses"

    def read(self, text: str) -> tuple[str, ...]:
        """The statuses, each once, in the order of `RETRIED`."""
        from bulk_import.wording import nearest

        words = [word.strip().replace("-", "_") for word in text.split(",")]
        for word in words:
            if word not in RETRIED:
                close = nearest(word, RETRIED)
                meant = f"did you mean {close}?" if close else f"choose from {', '.join(RETRIED)}."
                raise ValueError(f"{word!r} is no status that is retried; {meant}")
        return tuple(status for status in RETRIED if status in words)


@click.command(
    "retry",
    cls=Verb,
    epilog=examples(
        "bulk-import retry customers.csv.ledger.db",
        "bulk-import retry customers.csv.ledger.db --only failed --code card_declined",
        "bulk-import retry customers.csv.ledger.db --with fixed.csv",
        "bulk-import retry customers.csv.ledger.db --with fixed.csv --encoding cp1252",
    ),
)
@click.argument("ledger", type=PATH)
@click.option(
    "--only",
    type=Statuses(),
    default="failed,in_doubt",
    show_default=True,
    metavar="STATUS,...",
    help="Which rows: invalid, failed, in_doubt.",
)
@click.option("--code", multiple=True, metavar="CODE", help="Only rows with this error code; may be repeated.")
@click.option("--with", type=PATH, metavar="FIXED.csv", help="Corrected fields for the rows it names in _row.")
@reading("FIXED.csv")
@pacing_options
@connecting_options
@output_options
@click.option("--json-rows", is_flag=True, help="Like --json, with an event for every row.")
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Send rows of LEDGER again that failed or are in doubt; the source is not needed."""
    from bulk_import.cli.carrying import be_punctual, carry_out, watcher_for
    from bulk_import.cli.connecting import confirming
    from bulk_import.cli.following import in_this_folder

    call = invocation(ctx)
    watcher = watcher_for(call, events=given["json"], rows=given["json_rows"])

    def work() -> Any:
        options = retry_options(ctx, given)
        be_punctual(options.pacing.rate)
        from bulk_import.job.retrying import retry_job

        return in_this_folder(retry_job(options, watcher, confirming(call, given["yes"], watcher.pause)))

    return carry_out(call, watcher, given["ledger"], work)


def retry_options(ctx: click.Context, given: Given) -> RetryOptions:
    """Everything that was asked for; server, connected account and kind of run come from the ledger."""
    from bulk_import.cli.known import connecting_of, purpose_of
    from bulk_import.cli.settling import batch_size_of, is_explicit, settle_overrides, settle_pacing
    from bulk_import.errors import UsageError
    from bulk_import.options import RetryOptions
    from bulk_import.reading import Overrides

    connecting = connecting_of(given, purpose_of(given["ledger"]))
    fixed, overrides = given["with"], settle_overrides(given)
    if fixed is not None and str(fixed) == "-":
        raise UsageError("--with reads no standard input; save what comes to a file and name that.")
    if fixed is None and overrides != Overrides():
        raise UsageError("how a file is read can only be said of one that is given; add --with FIXED.csv.")
    only = given["only"]
    if fixed is not None and not is_explicit(ctx, "only"):
        only = RETRIED
    return RetryOptions(
        ledger=given["ledger"],
        pacing=settle_pacing(ctx, given, connecting),
        connecting=connecting,
        only=only,
        codes=given["code"],
        fixed=fixed,
        overrides=overrides,
        batch_size=batch_size_of(given),
        command_line=invocation(ctx).kept_line,
    )
