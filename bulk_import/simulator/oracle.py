"""What a test may ask behind Stripe's back: who is really there, what arrived, and which faults strike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bulk_import.simulator.account import Account
from bulk_import.simulator.exchange import Answer
from bulk_import.simulator.faults import FaultRule, Faults, parse_spec, rule_from
from bulk_import.simulator.records import show

PREFIX = "/_simulator/"


@dataclass(slots=True)
class Arrival:
    """One request as it arrived; `status` stays None when it was never answered.

    `t` and `answered` are monotonic seconds.
    """

    t: float
    unix: float
    method: str
    path: str
    endpoint: str
    connection: int
    idempotency_key: str | None = None
    sha256: bytes = b""
    fault: str | None = None
    status: int | None = None
    replayed: bool = False
    answered: float | None = None

    def shown(self) -> dict[str, Any]:
        """The entry as the log shows it."""
        return {
            "t": self.t,
            "unix": self.unix,
            "method": self.method,
            "path": self.path,
            "endpoint": self.endpoint,
            "status": self.status,
            "idempotency_key": self.idempotency_key,
            "sha256": self.sha256.hex(),
            "fault": self.fault,
            "connection": self.connection,
            "replayed": self.replayed,
            "answered": self.answered,
        }


@dataclass(slots=True)
class Simulation:
    """Everything the server plays with."""

    account: Account
    faults: Faults
    log: list[Arrival] = field(default_factory=list)


def consult(simulation: Simulation, method: str, path: str, body: str) -> Answer:
    """Answer a question below `/_simulator/`; needs no key and is never limited."""
    match (method, path.removeprefix(PREFIX)):
        case ("GET", "customers"):
            return Answer(200, list(everyone(simulation.account)), {})
        case ("GET", "log"):
            return Answer(200, [arrival.shown() for arrival in simulation.log], {})
        case ("POST", "faults"):
            return _replace_faults(simulation, body)
        case ("POST", "forget-keys"):
            simulation.account.forget_keys()
            return Answer(200, {"ok": True}, {})
        case ("POST", "reset-log"):
            simulation.log.clear()
            return Answer(200, {"ok": True}, {})
        case _:
            return Answer(404, {"error": {"message": f"There is no {method} {path}."}}, {})


def everyone(account: Account) -> Iterator[dict[str, Any]]:
    """Every customer there is, with the attached payment methods and tax IDs under `_simulator`."""
    for livemode, record in account.records():
        behind = {"payment_methods": record.methods, "tax_ids": record.tax_ids}
        yield {**show(record, livemode), "_simulator": behind}


def _replace_faults(simulation: Simulation, body: str) -> Answer:
    try:
        rules = read_rules(body)
    except ValueError as error:
        return Answer(400, {"error": {"message": str(error)}}, {})
    simulation.faults.replace(rules)
    return Answer(200, {"ok": True, "rules": len(rules)}, {})


def read_rules(text: str) -> list[FaultRule]:
    """Read fault rules: `name=probability,…`, a JSON list of rules, or an object with that list under `faults`."""
    if not text.lstrip().startswith(("[", "{")):
        return parse_spec(text)
    value = json.loads(text)
    if isinstance(value, dict) and "faults" in value:
        value = value["faults"]
    if isinstance(value, str):
        return parse_spec(value)
    return [rule_from(entry) for entry in (value if isinstance(value, list) else [value])]
