"""`simulate`: serve a simulated Stripe on this machine until it is stopped."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import Invocation, invocation
from bulk_import.cli.options import PATH, examples, output_options
from bulk_import.cli.quantities import Choice, Duration, Quantity
from bulk_import.errors import UsageError

if TYPE_CHECKING:
    from bulk_import.simulator.options import Options


class Delay(Duration):
    """A duration that may be nothing at all."""

    def read(self, text: str) -> float:
        """The seconds."""
        return 0.0 if text in ("0", "0s", "0ms") else super().read(text)


class Unsplit(Quantity):
    """Text as it is, one value a line in the environment."""

    name = "text"

    def read(self, text: str) -> str:
        """The text."""
        return text


@click.command(
    "simulate",
    cls=Verb,
    epilog=examples(
        "bulk-import simulate --port 12111 --latency 250ms --jitter 80ms",
        "bulk-import simulate --faults reset=0.02,500=0.02 --existing 300",
        "STRIPE_API_KEY=sk_test_x bulk-import run customers.csv --api-base http://127.0.0.1:12111",
    ),
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="The port; 0 takes a free one.  [0]"
)
@click.option(
    "--rate-limit", default="100", show_default=True, metavar="N|none", help="Requests a second, all together."
)
@click.option(
    "--endpoint-rate-limit",
    type=Unsplit(),
    multiple=True,
    metavar="NAME=N",
    help="Requests a second of one endpoint; a bare N or none is for all; may be repeated.  [25, search 20]",
)
@click.option(
    "--limiter",
    type=Choice(["sliding", "bucket", "calendar"]),
    default="sliding",
    show_default=True,
    help="How the limits are counted.",
)
@click.option("--latency", type=Delay(), default="0", show_default=True, metavar="TIME", help="How long answers take.")
@click.option("--jitter", type=Delay(), default="0", show_default=True, metavar="TIME", help="How much that varies.")
@click.option(
    "--existing", type=click.IntRange(min=0), default=0, metavar="N", help="Customers there from the start.  [0]"
)
@click.option("--faults", default="", metavar="FILE|NAME=P,...", help="What goes wrong, and how often.")
@click.option("--seed", type=int, default=0, metavar="N", help="Makes faults and customers the same again.  [0]")
@click.option("--state", type=PATH, metavar="FILE", help="Keep the account in this file.")
@click.option("--account", metavar="ID", help="The account's id.")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Serve a simulated Stripe on 127.0.0.1, with rate limits, latency and faults to order; Ctrl-C ends it."""
    from bulk_import.simulator.server import serve
    from bulk_import.simulator.store import StateUnusable

    call = invocation(ctx)
    try:
        serve(simulator_options(given), announcing(call, as_json=given["json"]))
    except (StateUnusable, OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            raise UsageError(f"port {given['port']} is in use; give another --port, or 0 for a free one.") from error
        raise UsageError(f"the simulator cannot be started: {error}") from error
    return 0


def simulator_options(given: Mapping[str, Any]) -> Options:
    """What the simulator is to play; raises ValueError, or OSError for a fault file that cannot be read."""
    from bulk_import.simulator.options import Options, faults_from, limits_from

    return Options(
        port=given["port"],
        limits=limits_from(given["rate_limit"], given["endpoint_rate_limit"], given["limiter"]),
        latency=given["latency"],
        jitter=given["jitter"],
        existing=given["existing"],
        faults=faults_from(given["faults"]),
        seed=given["seed"],
        state=given["state"],
        account=given["account"],
    )


def announcing(call: Invocation, *, as_json: bool) -> Callable[[str], None]:
    """Tell where the server is, to a program or to a person."""

    def announce(line: str) -> None:
        if as_json:
            call.output.line(line)
            return
        facts = json.loads(line)
        call.tell(
            f"simulated Stripe account {facts['account']} at {facts['url']}; any test key will do; Ctrl-C ends it"
        )
        if not call.quiet:  # as it is: what looks like a key is masked elsewhere, and this is to be copied
            call.messages.write(f"next: STRIPE_API_KEY=sk_test_x bulk-import run SOURCE --api-base {facts['url']}\n")
            call.messages.flush()

    return announce
