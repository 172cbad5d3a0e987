"""Ids that look random, can be reversed into the number they stand for, and therefore never collide."""

from __future__ import annotations

import random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_PAIR_VALUES = {pair: value for value, pair in enumerate(_PAIRS)}
_BASE = len(_PAIRS)


class Ids:
    """A one-to-one map between whole numbers and ids of *length* letters and digits (an even number).

    The map depends only on *seed* and *scope*, so an id can be made without storing it and is the same
    after a restart.
    """

    def __init__(self, prefix: str, length: int, seed: int, scope: str = "") -> None:
        self._prefix = prefix
        self._digits = length // 2
        self._size = len(prefix) + length
        self._space = _BASE**self._digits
        generator = random.Random(f"{seed}:{prefix}:{scope}")  # noqa: S311 - reproducible on purpose, guards nothing
        stride = generator.randrange(self._space // 3, self._space // 2)
        while stride % 2 == 0 or stride % 31 == 0:  # the space is 62 to some power: only these two may not divide it
            stride += 1
        self._stride = stride
        self._back = pow(stride, -1, self._space)
        self._start = generator.randrange(self._space)

    def of(self, number: int) -> str:
        """The id that stands for *number*."""
        rest = (self._start + number * self._stride) % self._space
        digits = []
        for _ in range(self._digits):
            rest, digit = divmod(rest, _BASE)
            digits.append(_PAIRS[digit])
        return self._prefix + "".join(digits)

    def number(self, id_: str) -> int | None:
        """The number that *id_* stands for, None when it has another shape; it may stand for nothing made yet."""
        if len(id_) != self._size or not id_.startswith(self._prefix):
            return None
        value = 0
        for at in range(self._size - 2, len(self._prefix) - 1, -2):
            digit = _PAIR_VALUES.get(id_[at : at + 2])
            if digit is None:
                return None
            value = value * _BASE + digit
        return int((value - self._start) * self._back % self._space)


class Minted:
    """Fresh ids of one kind; *epoch* counts the starts of the server, so that none comes twice after a restart."""

    def __init__(self, ids: Ids, epoch: int) -> None:
        self._ids = ids
        self._next = epoch << 40

    def next(self) -> str:
        """An id that was never given out before."""
        self._next += 1
        return self._ids.of(self._next)
