"""`--dedupe lookup`: one list by e-mail for each row; strongly consistent, but exact in letter case."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from bulk_import.customer.emails import spellings
from bulk_import.existing.directory import Matches, Means, Piece
from bulk_import.existing.pages import by_key, pages
from bulk_import.model import Customer, Row

AT_ONCE = 16
"""Look-ups side by side; the gate decides how fast they start."""


class Lookup:
    """Asks for each e-mail as it was given, once, when its batch comes up."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def begin(self) -> None:
        """Nothing needs to be known beforehand."""

    async def find(self, rows: Sequence[Row]) -> Matches:
        """One request for each row with an e-mail."""
        found: list[Customer] = []
        emails = dict.fromkeys(each for row in rows if row.email for each in spellings(row.email))
        await self._means.together([partial(self._look_up, email, found) for email in emails], AT_ONCE)
        return by_key(self._means, found)

    async def _look_up(self, email: str, found: list[Customer]) -> Sequence[Piece]:
        async for page in pages(self._means.ask, {"email": email}):
            found += page
        return ()
