"""Seeded misbehaviour: which request meets which fault, and what the client sees of it."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

from bulk_import.simulator.exchange import Refused, key_in_use, lock_timeout, rate_limited, server_error

Acts = Literal["never", "now", "later"]
Seen = Literal["nothing", "reset", "closed", "canned", "stored-500", "half", "other-mode"]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Whether the account acts on the request, and what the client sees."""

    acts: Acts
    seen: Seen
    meaning: str


BEHAVIOURS: Mapping[str, Behaviour] = {
    "refuse": Behaviour("never", "closed", "the connection closes before the body is read"),
    "reset": Behaviour("never", "reset", "the connection is reset before anything is done"),
    "act-then-drop": Behaviour("now", "closed", "the request is carried out, the connection closes unanswered"),
    "act-after-giveup": Behaviour("later", "closed", "the connection closes at once, the request is carried out later"),
    "500": Behaviour("now", "stored-500", "a 500 is answered and stored under the key; half of them were carried out"),
    "502html": Behaviour("never", "canned", "a proxy's 502 with an HTML page"),
    "503": Behaviour("never", "canned", "a 503 in Stripe's shape"),
    "hang": Behaviour("never", "nothing", "no answer for two minutes"),
    "truncate": Behaviour("now", "half", "carried out; half of the answer under its full Content-Length"),
    "429": Behaviour("never", "canned", "429 global-rate"),
    "429storm": Behaviour("never", "canned", "everything is 429 for some seconds"),
    "409": Behaviour("never", "canned", "409, as if the key were in use"),
    "lock": Behaviour("never", "canned", "429 lock_timeout, without a request id"),
    "401": Behaviour("never", "canned", "401, as if the key had just been revoked"),
    "403": Behaviour("never", "canned", "403, as if a permission had just been taken away"),
    "redirect": Behaviour("never", "canned", "a 302 to another host"),
    "null200": Behaviour("never", "canned", "200 with null"),
    "list200": Behaviour("never", "canned", "200 with an empty list"),
    "html200": Behaviour("never", "canned", "200 with an HTML page, as a captive portal gives"),
    "noid200": Behaviour("never", "canned", "200 with an object without an id"),
    "error200": Behaviour("never", "canned", "200 with an error object"),
    "other-livemode": Behaviour("now", "other-mode", "carried out; the answer shows the other mode"),
}


@dataclass(frozen=True, slots=True)
class FaultRule:
    """When a fault strikes: with a probability, on one endpoint or method, on the n-th to m-th request that matches.

    `seconds` is how long a storm lasts or how late a late request is carried out; `acted` is how probably
    a fault that acts did act.
    """

    name: str
    probability: float = 1.0
    endpoint: str | None = None
    method: str | None = None
    first: int = 1
    last: int | None = None
    seconds: float | None = None
    acted: float | None = None

    def concerns(self, endpoint: str, method: str) -> bool:
        """Whether a request is counted by this rule."""
        return self.endpoint in (None, endpoint) and self.method in (None, method)

    def strikes(self, count: int) -> bool:
        """Whether the *count*-th request that matches is within the rule's span."""
        return self.first <= count and (self.last is None or count <= self.last)


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to one request."""

    name: str
    acts: bool
    seconds: float = 2.0

    @property
    def behaviour(self) -> Behaviour:
        """The row of the table above."""
        return BEHAVIOURS[self.name]


class Faults:
    """Draws a fault for each request; the same rules, seed and requests give the same faults."""

    def __init__(self, rules: Iterable[FaultRule] = (), seed: int = 0) -> None:
        self._seed = seed
        self.replace(rules)

    def replace(self, rules: Iterable[FaultRule]) -> None:
        """Start anew with other rules: counts from zero, dice from the seed, no storm."""
        self._rules = tuple(rules)
        self._counts = [0] * len(self._rules)
        self._dice = random.Random(f"faults:{self._seed}")  # noqa: S311 - reproducible on purpose, guards nothing
        self._storm_ends = float("-inf")

    def draw(self, endpoint: str, method: str, now: float) -> Fault | None:
        """The fault of the request that arrives now; the first rule that strikes decides."""
        struck: FaultRule | None = None
        for at, rule in enumerate(self._rules):
            if rule.concerns(endpoint, method):
                self._counts[at] += 1
                hit = self._dice.random() < rule.probability
                if hit and struck is None and rule.strikes(self._counts[at]):
                    struck = rule
        if struck is not None and struck.name == "429storm":
            self._storm_ends = max(self._storm_ends, now + _or(struck.seconds, 3.0))
        if now < self._storm_ends:
            return Fault("429storm", acts=False)
        return None if struck is None else self._fault(struck)

    def _fault(self, rule: FaultRule) -> Fault:
        acts = BEHAVIOURS[rule.name].acts != "never"
        acted = _or(rule.acted, 0.5 if rule.name == "500" else 1.0)
        return Fault(rule.name, acts and self._dice.random() < acted, _or(rule.seconds, 2.0))


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def parse_spec(text: str) -> list[FaultRule]:
    """Read `name=probability,…`; a name alone always strikes. Raises ValueError with one sentence."""
    rules = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, probability = part.partition("=")
        rules.append(rule_from({"name": name.strip(), "probability": probability or 1}))
    return rules


_FIELDS = {"name", "probability", "endpoint", "method", "from", "to", "seconds", "acted"}


def rule_from(entry: Any) -> FaultRule:
    """Read one rule of a faults file. Raises ValueError with one sentence."""
    if not isinstance(entry, Mapping) or not _FIELDS.issuperset(entry):
        raise ValueError(f"A fault is an object with {', '.join(sorted(_FIELDS))}; got {entry!r}.")
    name = str(entry.get("name", ""))
    if name not in BEHAVIOURS:
        close = get_close_matches(name, BEHAVIOURS, n=1)
        meant = f"did you mean {close[0]}?" if close else f"there are {', '.join(BEHAVIOURS)}."
        raise ValueError(f"There is no fault named {name!r}; {meant}")
    try:
        return FaultRule(
            name=name,
            probability=_share(entry.get("probability", 1)),
            endpoint=entry.get("endpoint"),
            method=entry.get("method"),
            first=int(entry.get("from", 1)),
            last=None if entry.get("to") is None else int(entry["to"]),
            seconds=None if entry.get("seconds") is None else float(entry["seconds"]),
            acted=None if entry.get("acted") is None else _share(entry["acted"]),
        )
    except (TypeError, ValueError) as error:
        raise ValueError(f"The fault {name!r} has a value that is no number from its range: {error}.") from error


def _share(value: Any) -> float:
    share = float(value)
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is not between 0 and 1")
    return share


@dataclass(frozen=True, slots=True)
class Canned:
    """An answer made without asking the account: `body` is text that is sent as it is."""

    status: int
    body: str | Mapping[str, Any]
    headers: Mapping[str, str]
    content_type: str = "application/json"


_PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


def canned(fault: Fault) -> Canned:
    """What the client is told by a fault that never reaches the account."""
    match fault.name:
        case "502html":
            return Canned(502, _PAGE.format("502 Bad Gateway"), {}, "text/html")
        case "html200":
            return Canned(200, _PAGE.format("Welcome to the guest network"), {}, "text/html")
        case "redirect":
            return Canned(302, "", {"Location": "http://127.0.0.1:9/elsewhere"}, "text/html")
        case "null200":
            return Canned(200, "null", {})
        case "list200":
            return Canned(200, "[]", {})
        case "noid200":
            return Canned(200, {"object": "customer"}, {})
        case "error200":
            return _refused(server_error(), 200)
        case "503":
            return _refused(server_error(503))
        case "401":
            return _refused(Refused(401, "Invalid API Key provided: sk_test_****", code="api_key_expired"))
        case "403":
            return _refused(Refused(403, "The provided key does not have the required permissions: rak_customer_write"))
        case "409":
            return _refused(key_in_use())
        case "lock":
            return _refused(lock_timeout())
        case _:
            return _refused(rate_limited("global-rate"))


def _refused(refused: Refused, status: int | None = None) -> Canned:
    return Canned(status or refused.status, refused.body, refused.headers)
