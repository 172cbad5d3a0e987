"""What a command was asked to do, settled and typed; the command line and the library both build these."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bulk_import.keys import SecretKey
from bulk_import.ledger import Line
from bulk_import.mapping.settled import MappingOptions
from bulk_import.model import Endpoint
from bulk_import.reading import Overrides

Dedupe = Literal["auto", "snapshot", "search", "lookup", "off"]
OnExisting = Literal["skip", "update", "refuse", "create"]
EmailCheck = Literal["strict", "basic", "off"]

STRIPE = "https://api.stripe.com"

DRY_RUN_METHOD = "pm_card_visa"
"""What every payment method becomes in a rehearsal: a real one belongs to another mode."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """How fast and how patiently: rates in requests per second (None: no gate), times in seconds.

    `endpoint_rates` holds only what was asked for. `max_errors` is a count and `max_error_share` a share
    of the answers; at most one of them is set.
    """

    rate: float | None = 20.0
    rate_is_explicit: bool = False
    endpoint_rates: Mapping[Endpoint, float] = field(default_factory=dict)
    concurrency: int | None = None
    timeout: float = 30.0
    give_up_after: float = 900.0
    max_attempts: int = 8
    max_errors: int | None = None
    max_error_share: float | None = 0.10


@dataclass(frozen=True, slots=True)
class Connecting:
    """Which server, with which key, for whom; `key` is None only for the simulator."""

    key: SecretKey | None = None
    api_base: str = STRIPE
    stripe_account: str | None = None
    live: bool = False
    yes: bool = False
    dry_run: bool = False
    simulate: bool = False


@dataclass(frozen=True, slots=True)
class Preparing:
    """How rows are read, mapped and judged before anything is sent."""

    overrides: Overrides = field(default_factory=Overrides)
    mapping: MappingOptions = field(default_factory=MappingOptions)
    allow_no_email: bool = False
    email_check: EmailCheck = "strict"
    default_payment_method: bool = True


@dataclass(frozen=True, slots=True)
class RunOptions:
    """Everything `run` was asked for; `source` is a path or `-`."""

    source: str
    ledger: Path | None = None
    pacing: Pacing = field(default_factory=Pacing)
    connecting: Connecting = field(default_factory=Connecting)
    preparing: Preparing = field(default_factory=Preparing)
    dedupe: Dedupe = "auto"
    on_existing: OnExisting = "skip"
    batch_size: int = 100
    limit: int | None = None
    sample: int | None = None
    marker: bool = True
    hash_emails: bool = False
    dry_run_method: str = DRY_RUN_METHOD
    command_line: str = "bulk-import run"


@dataclass(frozen=True, slots=True)
class RetryOptions:
    """Everything `retry` was asked for; account, mode and API base come from the ledger."""

    ledger: Path
    pacing: Pacing = field(default_factory=Pacing)
    connecting: Connecting = field(default_factory=Connecting)
    only: tuple[str, ...] = ("failed", "in_doubt")
    codes: tuple[str, ...] = ()
    fixed: Path | None = None
    overrides: Overrides = field(default_factory=Overrides)
    batch_size: int = 100
    command_line: str = "bulk-import retry"


@dataclass(frozen=True, slots=True)
class LedgerOptions:
    """Everything `verify` and `undo` were asked for; account, mode and API base come from the ledger."""

    ledger: Path
    pacing: Pacing = field(default_factory=Pacing)
    connecting: Connecting = field(default_factory=Connecting)
    batch_size: int = 100
    command_line: str = "bulk-import"


@dataclass(frozen=True, slots=True)
class Start:
    """What is about to happen, once it is known and before anything is sent.

    At most `most` rows come to be sent, which takes `seconds` or more at the caps (None without any).
    """

    source: str
    ledger: str
    account: str
    account_name: str | None
    livemode: bool
    simulated: bool
    rows: int
    settled: int
    rate: float | None
    binding_rate: float | None
    binding: str
    dedupe: str
    dry_run: bool
    most: int | None = None
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where the run stands: rows on disk out of `rows`, by status, and the pace in requests per second."""

    rows: int
    settled: int
    by_status: Mapping[str, int]
    requests: int
    rate_limited: int
    retries: int
    in_flight: int
    requests_per_second: float
    seconds: float
    seconds_left: float | None


class Observer(Protocol):
    """Who watches a run: the bar on a terminal, plain lines, JSON events, or nobody."""

    wants_rows: bool

    def read(self, bytes_read: int, size: int, rows: int) -> None:
        """Pre-flight has read so far."""

    def start(self, start: Start) -> None:
        """Everything is known; sending is about to begin."""

    def notice(self, code: str, message: str) -> None:
        """Something a person should know, in one sentence."""

    def progress(self, progress: Progress) -> None:
        """The run goes on; called a few times a second."""

    def lines(self, lines: Sequence[Line]) -> None:
        """These rows are on disk; called only when `wants_rows`."""


Confirm = Callable[[Start], bool]
"""Asked before the first write to a live account; False ends the command with nothing sent."""
