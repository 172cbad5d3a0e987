"""Which lists show every customer of some doubtful rows, be they a few or a million (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from bulk_import.model import Claim, Params
from bulk_import.reconcile.judging import OVERLAP

BY_EMAIL = 25
"""Up to so many doubtful rows are looked for by e-mail, one request each, instead of by a window of time."""

MOST_EMAILS = 1000
"""E-mails that are kept; with more of them nobody is looked for by e-mail."""


@dataclass(slots=True)
class Scope:
    """What is known of `count` claims together; updates are only counted, since they are judged by their targets.

    `since` is the earliest moment of the creates by Stripe's own clock, in seconds; zero where that is not known of one.
    """

    count: int = 0
    since: float = math.inf
    all_have_emails: bool = True
    emails: set[str] = field(default_factory=set)
    clocks: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, claims: Iterable[Claim]) -> Scope:
        """The scope of just these."""
        scope = cls()
        scope.add(claims)
        return scope

    def add(self, claims: Iterable[Claim]) -> None:
        """Take these in as well."""
        for claim in claims:
            self.count += 1
            if claim.target is None:
                self._add_create(claim)

    def _add_create(self, claim: Claim) -> None:
        self.all_have_emails &= bool(claim.email)
        if claim.email and len(self.emails) <= MOST_EMAILS:
            self.emails.add(claim.email)
        self.since = min(self.since, claim.stripe_time or 0.0)
        if clock := claim.params.get("test_clock"):
            self.clocks.add(clock)

    @property
    def is_cheaper_by_email(self) -> bool:
        """Whether to ask for each e-mail takes no more requests than a window of time may."""
        return self.all_have_emails and len(self.emails) <= BY_EMAIL

    def lists(self, *, by_email: bool, with_clocks: bool = True) -> list[Params]:
        """The lists that show every customer of these claims, and every stranger with their e-mails.

        Customers on a test clock appear only in that clock's own list, and people who come by themselves are on none.
        """
        if by_email:
            lists: list[Params] = [{"email": email} for email in sorted(self.emails)]
        else:
            lists = [self._window()] if self.since < math.inf else []
        return lists + [{"test_clock": clock} for clock in sorted(self.clocks if with_clocks else ())]

    def _window(self) -> Params:
        """List from the oldest claim on; without Stripe's own time for it, everything."""
        return came_since(self.since - OVERLAP)


def came_since(moment: float) -> Params:
    """The list of who came from then on; of everybody where that is not known."""
    return {"created": {"gte": int(moment)}} if moment > 0 else {}
