"""Every customer of one mode: by sequence number (oldest first) and by e-mail; the ones there from the start cost nothing."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator

from bulk_import.simulator.ids import Ids
from bulk_import.simulator.records import Record

TWO_YEARS = 2 * 365 * 86400
_LOCAL = ("Existing", "existing", "EXISTING", "existing")
_DOMAIN = ("example.com", "example.com", "Example.com", "EXAMPLE.com")


class Existing:
    """*count* customers who were there before the account was opened, computed from their number when looked at.

    They are spread evenly over the two years before *opened*; the letter case of their e-mails varies.
    """

    def __init__(self, count: int, opened: int, ids: Ids) -> None:
        self.count = count
        self._first = opened - TWO_YEARS
        self._ids = ids

    def created(self, number: int) -> int:
        """When a customer was created, in whole seconds since the epoch."""
        return self._first + number * TWO_YEARS // self.count

    def record(self, number: int) -> Record:
        """The customer with this number, from 0 (the oldest) to count - 1."""
        name = f"Existing Customer {number + 1}"
        fields = {"email": self._email(number), "name": name}
        return Record(number, self._ids.of(number), self.created(number), fields)

    def _email(self, number: int) -> str:
        variant = number % 4
        return f"{_LOCAL[variant]}.{number + 1:06d}@{_DOMAIN[variant]}"

    def number_of(self, lowered: str) -> int | None:
        """Whose e-mail this is, in lower case."""
        digits = lowered.removeprefix("existing.").removesuffix("@example.com")
        if len(digits) > 12 or not (digits.isascii() and digits.isdigit()):
            return None
        number = int(digits) - 1
        there = 0 <= number < self.count and self._email(number).lower() == lowered
        return number if there else None


class Catalogue:
    """Customers by number and by lower-cased e-mail; deleted ones keep their number."""

    def __init__(self, existing: Existing) -> None:
        self._existing = existing
        self._records: dict[int, Record] = {}
        self._by_email: dict[str, list[int]] = {}

    def get(self, number: int) -> Record | None:
        """The customer with this number, None when there is none (yet)."""
        record = self._records.get(number)
        if record is None and 0 <= number < self._existing.count:
            return self._existing.record(number)
        return record

    def put(self, record: Record) -> None:
        """Take in a new or changed customer."""
        old = self._records.get(record.number)
        old_key = None if old is None else _email_key(old)
        new_key = _email_key(record)
        if old_key != new_key:
            if old_key is not None:
                self._by_email[old_key].remove(record.number)
            if new_key is not None:
                self._by_email.setdefault(new_key, []).append(record.number)
        self._records[record.number] = record

    def with_email(self, lowered: str) -> list[int]:
        """The numbers of everyone with this e-mail in any letter case, oldest first."""
        numbers = list(self._by_email.get(lowered, ()))
        virtual = self._existing.number_of(lowered)
        if virtual is not None and virtual not in self._records:
            numbers.append(virtual)
        return sorted(numbers)


def _email_key(record: Record) -> str | None:
    return None if record.deleted or record.email is None else record.email.lower()


class Book:
    """All customers of one account and mode, as they are now and as search sees them *lag* seconds later."""

    def __init__(self, *, existing: int, opened: int, ids: Ids, livemode: bool, lag: float) -> None:
        self.livemode = livemode
        self.methods: dict[str, str] = {}
        """Payment method -> the customer it was attached to, for good."""
        self.attached_at: dict[str, int] = {}
        """Payment method -> when it was first attached, which is when a shared test card's own was made."""
        self._ids = ids
        self._lag = lag
        self._existing = Existing(existing, opened, ids)
        self._created = array("q")
        self._clocks: dict[str, list[int]] = {}
        self._unseen: deque[tuple[float, Record]] = deque()
        self.current = Catalogue(self._existing)
        self._searchable = Catalogue(self._existing)

    def __len__(self) -> int:
        """How many were ever created, deleted ones included: numbers run below this."""
        return self._existing.count + len(self._created)

    def new_record(self, now: float) -> Record:
        """An empty customer; times never run backwards within a book, so numbers are in order of creation."""
        number = len(self)
        newest = self._created[-1] if self._created else 0
        return Record(number, self._ids.of(number), max(int(now), newest), {})

    def find(self, id_: str) -> Record | None:
        """The customer with this id, deleted or not."""
        number = self._ids.number(id_)
        return None if number is None else self.current.get(number)

    def put(self, record: Record, now: float) -> None:
        """Take in a new or changed customer; search will see it later."""
        if record.number == len(self):
            self._created.append(record.created)
            if record.clock is not None:
                self._clocks.setdefault(record.clock, []).append(record.number)
        self.current.put(record)
        self._unseen.append((now + self._lag, record))
        self._catch_up(now)

    def searchable(self, now: float) -> Catalogue:
        """The customers as the search index has them at *now*."""
        self._catch_up(now)
        return self._searchable

    def _catch_up(self, now: float) -> None:
        while self._unseen and self._unseen[0][0] <= now:
            self._searchable.put(self._unseen.popleft()[1])

    def on_clock(self, clock: str) -> list[int]:
        """The numbers of everyone on a test clock, oldest first."""
        return self._clocks.get(clock, [])

    def first_created_from(self, moment: int) -> int:
        """The lowest number created at *moment* or later."""
        return bisect_left(range(len(self)), moment, key=self._created_at)

    def _created_at(self, number: int) -> int:
        count = self._existing.count
        return self._existing.created(number) if number < count else self._created[number - count]

    def ids(self, number: int) -> str:
        """The id that stands for a number."""
        return self._ids.of(number)

    def everyone(self) -> Iterator[Record]:
        """All customers that are not deleted, oldest first."""
        for number in range(len(self)):
            record = self.current.get(number)
            if record is not None and not record.deleted:
                yield record
