"""The search language: text -> clauses joined by AND or OR (Stripe facts, section 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from bulk_import.simulator.exchange import Refused, invalid

MOST_CLAUSES = 10

_CLAUSE = re.compile(
    r"""(?P<negated>-?)
        (?P<field>email|name|phone|created|metadata)
        (?:\[(?P<key>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")\])?
        \s*(?P<operator>>=|<=|[:~<>])\s*
        (?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|null(?![A-Za-z0-9_])|-?[0-9]+)""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
_JOIN = re.compile(r"\s+(?:(AND|OR)\s+)?", re.IGNORECASE)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)

Operator = Literal[":", "~", "<", ">", "<=", ">="]
Field = Literal["email", "name", "phone", "created", "metadata"]


@dataclass(frozen=True, slots=True)
class Clause:
    """One condition; `value` is None for `field:null`, a number for `created`, else text in lower case."""

    field: Field
    operator: Operator
    value: str | int | None
    key: str | None = None
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """One to ten clauses, of which all (`AND`) or any (`OR`) must hold."""

    clauses: tuple[Clause, ...]
    any_of: bool


def parse(text: str) -> Query:
    """Read a query; raises a 400 that says what cannot be read. A space alone joins as AND does."""
    clauses: list[Clause] = []
    joins: set[str] = set()
    text = text.strip()
    at = 0
    while True:
        match = _CLAUSE.match(text, at)
        if match is None:
            raise _unreadable(text, at)
        clauses.append(_clause(match))
        at = match.end()
        if at == len(text):
            break
        join = _JOIN.match(text, at)
        if join is None or join.end() == at:
            raise _unreadable(text, at)
        joins.add((join[1] or "AND").upper())
        at = join.end()
    if len(clauses) > MOST_CLAUSES:
        raise invalid(f"A query can have at most {MOST_CLAUSES} clauses; this one has {len(clauses)}.", "query")
    if len(joins) > 1:
        raise invalid("A query can use AND or OR, not both.", "query")
    return Query(tuple(clauses), any_of=joins == {"OR"})


def _unreadable(text: str, at: int) -> Refused:
    return invalid(f"The search query cannot be understood at position {at}: {text[at : at + 20]!r}.", "query")


def _clause(match: re.Match[str]) -> Clause:
    name: Field = match["field"].lower()  # type: ignore[assignment]  # the pattern allows only these
    operator: Operator = match["operator"]  # type: ignore[assignment]  # as above
    key = None if match["key"] is None else _unquoted(match["key"])
    if (name == "metadata") != (key is not None):
        raise invalid(f"Write metadata['key'], and a key with no other field (near '{match[0]}').", "query")
    negated = match["negated"] == "-"
    value = match["value"]
    if value.lower() == "null":
        if operator != ":":
            raise invalid("Compare with null by ':' only.", "query")
        return Clause(name, operator, None, key, negated)
    if name == "created":
        return Clause(name, _numeric(operator), _number(value), key, negated)
    return Clause(name, _textual(operator, value), _unquoted(value).lower(), key, negated)


def _numeric(operator: Operator) -> Operator:
    if operator == "~":
        raise invalid("The operator '~' is for text, not for created.", "query")
    return operator


def _number(value: str) -> int:
    bare = value.strip("'\"")
    if not re.fullmatch(r"-?[0-9]{1,18}", bare):
        raise invalid(f"created is compared with a number, not with {value}.", "query")
    return int(bare)


def _textual(operator: Operator, value: str) -> Operator:
    if value[0] not in "'\"":
        raise invalid(f"Put text in quotes: {value}.", "query")
    if operator not in (":", "~"):
        raise invalid(f"The operator '{operator}' is for numbers.", "query")
    if operator == "~" and len(_unquoted(value)) < 3:
        raise invalid("A substring match needs at least 3 characters.", "query")
    return operator


def _unquoted(value: str) -> str:
    return _ESCAPE.sub(r"\1", value[1:-1])
