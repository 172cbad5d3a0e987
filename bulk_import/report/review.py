"""Everything a report tells of one ledger, gathered once and judged without any I/O of its own but the ledger's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from bulk_import.ledger import Command, Purpose, Reader, Tally, Trouble
from bulk_import.model import Status
from bulk_import.report.table import STATUSES
from bulk_import.series import Interval, Slow, percentile
from bulk_import.wording import counted, without_addresses, without_keys

SUCCESSES = ("created", "existing", "updated", "duplicate")
PERCENTILES = (0.5, 0.95, 0.99)

TELLING = 5.0
"""Seconds of requests from which on their number tells a rate: a start and an end of less than a second blur it."""


@dataclass(frozen=True, slots=True)
class Review:
    """One ledger, looked back on. `purpose` is None while no run has got so far as to know its source."""

    ledger: str
    purpose: Purpose | None
    tally: Tally
    commands: Sequence[Command]
    intervals: Sequence[Interval]
    slowest: Sequence[Slow]
    troubles: Sequence[Trouble]
    last_settled: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        """Rows by status."""
        return {status: self.tally.count(Status(status)) for status in STATUSES}

    @property
    def homes(self) -> int:
        """Rows that have a customer, a duplicate its owner's."""
        return sum(self.counts[status] for status in SUCCESSES) - self.tally.orphans

    @property
    def answers(self) -> dict[str, Counter[str]]:
        """Requests by endpoint, and of each by its answer: an HTTP status, or what broke it."""
        found: dict[str, Counter[str]] = {}
        for interval in self.intervals:
            for name, count in interval.answers.items():
                endpoint, _, answer = name.partition(" ")
                found.setdefault(endpoint, Counter())[answer] += count
        return {name: found[name] for name in sorted(found, key=lambda name: -found[name].total())}

    @property
    def requests(self) -> int:
        """Requests that were measured."""
        return sum(counts.total() for counts in self.answers.values())

    @property
    def rate_limited(self) -> int:
        """Requests that were answered 429."""
        return sum(counts["429"] for counts in self.answers.values())

    @property
    def seconds(self) -> float:
        """How long commands worked: from each start to its end, or to the last thing measured of one that was killed."""
        return sum(max(0.0, end - command.started_at) for command, end in zip(self.commands, self._ends(), strict=True))

    @property
    def latencies(self) -> dict[float, float | None]:
        """The latency in seconds that each share of `PERCENTILES` did not exceed."""
        waits: Counter[int] = Counter()
        for interval in self.intervals:
            waits.update(interval.waits)
        return {share: percentile(waits, share) for share in PERCENTILES}

    @property
    def pace(self) -> float | None:
        """Requests a second on average, over the time at work in whole intervals; None where that is too short to tell."""
        measured = sum(interval.width for interval in self.intervals)
        return self.requests / max(self.seconds, measured) if measured >= TELLING else None

    @property
    def worked(self) -> tuple[float, float] | None:
        """When the first command began and the last one ended, in seconds since the epoch; None without commands."""
        return (self.commands[0].started_at, max(self._ends())) if self.commands else None

    @property
    def peak(self) -> float:
        """The most requests a second in any interval."""
        return max((i.answers.total() / i.width for i in self.intervals), default=0.0)

    @property
    def cap(self) -> float | None:
        """The cap that was in force last."""
        caps = [interval.cap for interval in self.intervals if interval.cap is not None]
        return caps[-1] if caps else None

    @property
    def caps(self) -> tuple[float, float] | None:
        """The lowest and the highest cap that were in force, None where there was none."""
        caps = [interval.cap for interval in self.intervals if interval.cap is not None]
        return (min(caps), max(caps)) if caps else None

    def _ends(self) -> list[float]:
        """When each command ended; one that was killed is taken to have ended with the last thing it measured."""
        starts = [*(command.started_at for command in self.commands[1:]), float("inf")]
        return [
            command.ended_at if command.ended_at is not None else self._last_before(command.started_at, following)
            for command, following in zip(self.commands, starts, strict=False)
        ]

    def _last_before(self, began: float, following: float) -> float:
        """The last thing measured or settled of a command that began then; what was settled came to disk sooner."""
        measured = (i.began + i.width for i in self.intervals if began - i.width < i.began < following)
        settled = [self.last_settled] if self.last_settled is not None and began < self.last_settled < following else []
        return max([*measured, *settled], default=began)


def review(path: str, reader: Reader) -> Review:
    """Look back on the ledger at *path*."""
    return Review(
        path, reader.purpose(), reader.tally(), reader.commands(), reader.intervals(), reader.slowest(),
        reader.troubles(), reader.last_settled(),
    )  # fmt: skip


def sentence(found: Review) -> str:
    """What happened, in one sentence."""
    purpose, counts = found.purpose, found.counts
    if purpose is None:
        return "No run on this ledger has got so far as to know its rows."
    counts["duplicate"] -= found.tally.orphans
    homes = found.homes
    where = f"{place(purpose, mode(purpose))}"
    source = name_of(purpose)
    rows = found.tally.rows
    missing = [f"{n:,} {_WORDS[status]}" for status in _WORDS if (n := counts[status])]
    if found.tally.orphans:
        missing.append(f"{found.tally.orphans:,} following a failed row")
    if rows == 1:
        return f"The one row of {source} has {'its' if homes else 'no'} customer in {where}: {_made(counts) if homes else missing[0]}."
    if rows and not homes:
        return f"None of the {rows:,} rows of {source} has a customer in {where}: {', '.join(missing)}."
    if not missing:
        return f"Every one of the {rows:,} rows of {source} has its customer in {where}: {_made(counts)}."
    done = f"{homes:,} of the {rows:,} rows of {source} have a customer in {where}"
    none = "has none" if rows - homes == 1 else "have none"
    return f"{done}: {_made(counts)}; {rows - homes:,} {none}: {', '.join(missing)}."


_WORDS = {"invalid": "invalid", "failed": "failed", "in_doubt": "in doubt", "pending": "never sent"}


def _made(counts: Mapping[str, int]) -> str:
    words = {"created": "created", "existing": "there already", "updated": "updated"}
    made = [f"{counts[status]:,} {word}" for status, word in words.items() if counts[status]]
    return ", ".join([*made, *([counted(counts["duplicate"], "duplicate")] if counts["duplicate"] else [])])


def mode(purpose: Purpose) -> str:
    """In which mode the account was used."""
    kind = "simulated" if purpose.simulated else "LIVE" if purpose.livemode else "test mode"
    return f"{kind}, dry run" if purpose.dry_run else kind


def place(purpose: Purpose, *more: str) -> str:
    """The account by name and id, the connected account if there is one, and what *more* is to be said of it."""
    connected = [f"for {purpose.stripe_account}"] if purpose.stripe_account else []
    if purpose.account_name:
        return f"{purpose.account_name} ({', '.join([purpose.account, *connected, *more])})"
    said = ", ".join([*connected, *more])
    return f"{purpose.account} ({said})" if said else purpose.account


def name_of(purpose: Purpose) -> str:
    """The source's file name, without its folder."""
    return "standard input" if purpose.spooled else PurePath(purpose.source).name


def settings(purpose: Purpose) -> dict[str, str]:
    """What the import was asked for, as far as the ledger remembers it, in words."""
    stored = purpose.options
    mapping: Mapping[str, Any] = stored.get("mapping") or {}
    given = {
        "dedupe": stored.get("dedupe"),
        "on existing": stored.get("on_existing"),
        "key column": mapping.get("key"),
        "mapped": ", ".join(f"{column} = {target}" for column, target in mapping.get("maps") or ()),
        "set for every row": ", ".join(f"{target} = {value}" for target, value in mapping.get("sets") or ()),
        "other columns": mapping.get("unmapped"),
        "rows without e-mail": "imported" if stored.get("allow_no_email") else "invalid",
        "marker": "on" if stored.get("marker", True) else "off",
        "e-mails in the ledger": "hashed" if purpose.hash_emails else "as given",
    }
    return {name: str(value) for name, value in given.items() if value}


def redacted(text: str) -> str:
    """Free text without e-mail addresses and keys."""
    return without_keys(without_addresses(text))
