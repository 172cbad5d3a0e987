"""What a person may ask of the mapping, on the command line or in a TOML profile, and what it means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from bulk_import.customer.cleaning import cleaner_of
from bulk_import.customer.parameters import MAX_METADATA_KEY, MAX_METADATA_VALUE, parameter_at, parse_path
from bulk_import.customer.verdicts import Fault, Noted
from bulk_import.errors import UsageError
from bulk_import.mapping.assignment import Slot, Wishes, fitting_key, place_of, slot_of
from bulk_import.mapping.neversent import is_card_number
from bulk_import.mapping.targets import (
    Metadata,
    Param,
    SourceKey,
    Target,
    described,
    field_words,
    metadata_key,
    parse_field,
)
from bulk_import.model import MARKER
from bulk_import.wording import listed, nearest, terminal_safe

Unmapped = Literal["metadata", "ignore", "refuse"]
_UNMAPPED: tuple[Unmapped, ...] = ("metadata", "ignore", "refuse")
Places = Mapping[tuple[str, str], str]
"""Where an option's entry was said, by option and name, for those that were not said as an option."""

_PROFILE_WORDS = ("map", "set", "unmapped", "key")


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """The options `--map`, `--set`, `--unmapped` and `--key`; None means that nothing was said.

    `places` tells where a column of `map`, a field of `set` or the `key` was named, if in a file; it means nothing else.
    """

    maps: tuple[tuple[str, str], ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    unmapped: Unmapped | None = None
    key: str | None = None
    places: Places = field(default_factory=dict, compare=False)

    def over(self, base: MappingOptions) -> MappingOptions:
        """These options laid over *base* (a profile): what both say is taken from these."""
        return MappingOptions(
            maps=_laid_over(self.maps, base.maps),
            sets=_laid_over(self.sets, base.sets),
            unmapped=self.unmapped if self.unmapped is not None else base.unmapped,
            key=self.key if self.key is not None else base.key,
            places={each: place for each, place in base.places.items() if each not in self._named()},
        )

    def _named(self) -> frozenset[tuple[str, str]]:
        maps, sets = (
            {(option, name) for name, _ in pairs} for option, pairs in (("map", self.maps), ("set", self.sets))
        )
        return frozenset(maps | sets | ({("key", self.key)} if self.key is not None else set()))


@dataclass(frozen=True, slots=True)
class Constant:
    """A clean value that every row is given."""

    target: Param | Metadata
    value: Any


def wished(options: MappingOptions) -> tuple[Wishes, tuple[Constant, ...]]:
    """What the options mean, for any columns; raises `UsageError` where they contradict themselves or say nothing."""
    places = options.places
    constants = tuple(_constant(name, value, place_of(places, "set", name)) for name, value in options.sets)
    owners: dict[Slot, str] = {}
    for each, (name, _) in zip(constants, options.sets, strict=True):
        _own(owners, each.target, f"{place_of(places, 'set', name)} {described(each.target)}")
    if options.key is not None:
        _own(owners, SourceKey(), f"{place_of(places, 'key', options.key)} {listed([options.key])}")
    targets: dict[str, Target] = {}
    for column, field_name in options.maps:
        place = place_of(places, "map", column)
        target = _target(column, field_name, f"{place} {listed([column])}")
        if targets.get(column, target) != target:
            raise UsageError(f"{place} gives the column {listed([column])} two fields; name the one that is meant.")
        if column not in targets:
            _own(owners, target, f"{place} {listed([column])}")
        targets[column] = target
    fixed = frozenset(slot for each in constants if (slot := slot_of(each.target)) is not None)
    return Wishes(targets, options.key, fixed, options.unmapped or "metadata", places=places), constants


def load_profile(path: str | Path) -> MappingOptions:
    """The options in a TOML file: tables `map` (column = field) and `set` (field = value), `unmapped` and `key`.

    Raises `UsageError` when the file cannot be read or says something else.
    """
    profile = _read_toml(Path(path))
    for word in profile:
        if word not in _PROFILE_WORDS:
            close = nearest(word, _PROFILE_WORDS)
            meant = f" (did you mean {close}?)" if close is not None else ""
            raise UsageError(
                f"{path} says {listed([word])}, which a mapping does not know{meant}; use map, set, unmapped, key."
            )
    unmapped, key = profile.get("unmapped"), profile.get("key")
    if unmapped is not None and unmapped not in _UNMAPPED:
        raise UsageError(f"{path} sets unmapped to something else than {', '.join(_UNMAPPED)}.")
    if key is not None and not isinstance(key, str):
        raise UsageError(f"{path} sets key to something that is no column's name.")
    maps, sets = (tuple(_pairs(profile.get(table, {}), table, path)) for table in ("map", "set"))
    places = {
        (table, name): f"{path}, [{table}]" for table, pairs in (("map", maps), ("set", sets)) for name, _ in pairs
    }
    if key is not None:
        places["key", key] = f"{path}, key"
    return MappingOptions(maps, sets, cast("Unmapped | None", unmapped), key, places)


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"the mapping {path} cannot be read ({error.strerror}); give --mapping the path of a TOML file, such as the one "
            "that bulk-import template writes."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"the mapping {path} is not valid TOML ({error}); mend it there, or compare it with the one that bulk-import "
            "template writes."
        ) from error


def _pairs(table: object, name: str, path: str | Path, prefix: str = "") -> Iterator[tuple[str, str]]:
    """The entries of a table as text; a dotted name without quotes is a nested table to TOML and is joined again."""
    if not isinstance(table, Mapping):
        raise UsageError(f"{path} gives {name} as a value; write it as a table, [{name}].")
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _pairs(value, name, path, f"{prefix}{key}.")
        elif isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            yield f"{prefix}{key}", str(value)
        else:
            raise UsageError(
                f"{path} gives {listed([prefix + key])} in [{name}] a value that is neither text nor whole number."
            )


def _laid_over(upper: tuple[tuple[str, str], ...], lower: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    named = {name for name, _ in upper}
    return (*(pair for pair in lower if pair[0] not in named), *upper)


def _own(owners: dict[Slot, str], target: Target, who: str) -> None:
    slot = slot_of(target)
    if slot is None:
        return
    rival = next((owners[other] for other in owners if slot in (other, other[:1]) or other == slot[:1]), None)
    if rival is not None:
        raise UsageError(f"{rival} and {who} both fill {described(target)}; keep one of them.")
    owners[slot] = who


def _target(column: str, name: str, who: str) -> Target:
    target = parse_field(name, column)
    if target is None:
        close = nearest(name, field_words())
        meant = (
            f"; did you mean {close}?"
            if close is not None
            else "; write a parameter such as name or address.city, metadata.NAME, or ignore."
        )
        raise UsageError(f"{who} names {listed([name])}, which is no field of a customer{meant}")
    if is_card_number(column) and slot_of(target) is not None:
        raise UsageError(f"{who} would send card data, which must never pass through; use =ignore.")
    if isinstance(target, Metadata):
        _refuse_key(target.key, who)
    return target


def _refuse_key(key: str, who: str) -> None:
    if key == MARKER:
        raise UsageError(
            f"{who} would overwrite metadata.{MARKER}, which marks the customers of this tool; use another key."
        )
    if fitting_key(key) != key:
        raise UsageError(
            f"{who} names the metadata key {listed([key])}, but a key has at most {MAX_METADATA_KEY} characters "
            "and no brackets; use a shorter one."
        )


def _constant(name: str, value: str, place: str) -> Constant:
    who = f"{place} {name}"
    key, path = metadata_key(name), parse_path(name)
    if path is None and key is not None:
        _refuse_key(key, who)
        if not value.strip() or len(value) > MAX_METADATA_VALUE:
            raise UsageError(f"{who} needs a value of 1 to {MAX_METADATA_VALUE} characters.")
        return Constant(Metadata(key), value.strip())
    if path is None:
        close = nearest(name, field_words())
        meant = f"; did you mean {close}?" if close is not None else "."
        raise UsageError(f"{place} names {listed([name])}, which is no field of a customer{meant}")
    return Constant(Param(path), _constant_value(who, path, value.strip()))


def _constant_value(who: str, path: tuple[str | int, ...], value: str) -> Any:
    if path == ("email",) or (path[-1] in ("payment_method", "source") and not value.startswith("pm_card_")):
        raise UsageError(f"{who} would give every customer the same one; map a column to it instead.")
    if not value:
        raise UsageError(f"{who} has no value; write {who}=VALUE.")
    cleaned = cleaner_of(parameter_at(path), "off")(value)
    if isinstance(cleaned, Fault):
        raise UsageError(f"{who}={terminal_safe(value)} cannot be sent: {cleaned.message}")
    return cleaned.value if isinstance(cleaned, Noted) else cleaned
