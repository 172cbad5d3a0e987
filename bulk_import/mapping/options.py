"""What a person may ask of the mapping, on the command line or in a TOML profile, and what it means."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from bulk_import.customer.cleaning import cleaner_of
from bulk_import.customer.parameters import MAX_METADATA_KEY, MAX_METADATA_VALUE, parameter_at, parse_path
from bulk_import.customer.verdicts import Fault, Noted
from bulk_import.errors import UsageError
from bulk_import.mapping.assignment import Slot, Wishes, fitting_key, slot_of
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
_PROFILE_WORDS = ("map", "set", "unmapped", "key")


@dataclass(frozen=True, slots=True)
class MappingOptions:
    """The options `--map`, `--set`, `--unmapped` and `--key`; None means that nothing was said."""

    maps: tuple[tuple[str, str], ...] = ()
    sets: tuple[tuple[str, str], ...] = ()
    unmapped: Unmapped | None = None
    key: str | None = None

    def over(self, base: MappingOptions) -> MappingOptions:
        """These options laid over *base* (a profile): what both say is taken from these."""
        return MappingOptions(
            maps=_laid_over(self.maps, base.maps),
            sets=_laid_over(self.sets, base.sets),
            unmapped=self.unmapped if self.unmapped is not None else base.unmapped,
            key=self.key if self.key is not None else base.key,
        )


@dataclass(frozen=True, slots=True)
class Constant:
    """A clean value that every row is given."""

    target: Param | Metadata
    value: Any


def wished(options: MappingOptions) -> tuple[Wishes, tuple[Constant, ...]]:
    """What the options mean, for any columns; raises `UsageError` where they contradict themselves or say nothing."""
    constants = tuple(_constant(name, value) for name, value in options.sets)
    owners: dict[Slot, str] = {}
    for each in constants:
        _own(owners, each.target, f"--set {described(each.target)}")
    if options.key is not None:
        _own(owners, SourceKey(), f"--key {listed([options.key])}")
    targets: dict[str, Target] = {}
    for column, field in options.maps:
        target = _target(column, field)
        if targets.get(column, target) != target:
            raise UsageError(f"--map gives the column {listed([column])} two fields; name the one that is meant.")
        if column not in targets:
            _own(owners, target, f"--map {listed([column])}")
        targets[column] = target
    fixed = frozenset(slot for each in constants if (slot := slot_of(each.target)) is not None)
    return Wishes(targets, options.key, fixed, options.unmapped or "metadata"), constants


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
    return MappingOptions(maps=maps, sets=sets, unmapped=cast("Unmapped | None", unmapped), key=key)


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


def _target(column: str, field: str) -> Target:
    target = parse_field(field, column)
    if target is None:
        close = nearest(field, field_words())
        meant = (
            f"; did you mean {close}?"
            if close is not None
            else "; write a parameter such as name or address.city, metadata.NAME, or ignore."
        )
        raise UsageError(f"--map {listed([column])} names {listed([field])}, which is no field of a customer{meant}")
    if is_card_number(column) and slot_of(target) is not None:
        raise UsageError(f"--map {listed([column])} would send card data, which must never pass through; use =ignore.")
    if isinstance(target, Metadata):
        _refuse_key(target.key, f"--map {listed([column])}")
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


def _constant(name: str, value: str) -> Constant:
    key, path = metadata_key(name), parse_path(name)
    if path is None and key is not None:
        _refuse_key(key, f"--set {name}")
        if not value.strip() or len(value) > MAX_METADATA_VALUE:
            raise UsageError(f"--set {name} needs a value of 1 to {MAX_METADATA_VALUE} characters.")
        return Constant(Metadata(key), value.strip())
    if path is None:
        close = nearest(name, field_words())
        meant = f"; did you mean {close}?" if close is not None else "."
        raise UsageError(f"--set names {listed([name])}, which is no field of a customer{meant}")
    return Constant(Param(path), _constant_value(name, path, value.strip()))


def _constant_value(name: str, path: tuple[str | int, ...], value: str) -> Any:
    if path == ("email",) or (path[-1] in ("payment_method", "source") and not value.startswith("pm_card_")):
        raise UsageError(f"--set {name} would give every customer the same one; map a column to it instead.")
    if not value:
        raise UsageError(f"--set {name} has no value; write --set {name}=VALUE.")
    cleaned = cleaner_of(parameter_at(path), "off")(value)
    if isinstance(cleaned, Fault):
        raise UsageError(f"--set {name}={terminal_safe(value)} cannot be sent: {cleaned.message}")
    return cleaned.value if isinstance(cleaned, Noted) else cleaned
