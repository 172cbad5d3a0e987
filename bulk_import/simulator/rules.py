"""The rules a parameter is checked by; each cleans one value or refuses it with Stripe's code."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from bulk_import.simulator.exchange import Refused, invalid

_WHOLE = re.compile(r"-?[0-9]{1,18}")


class Rule(Protocol):
    """Cleans one value or raises `Refused`; *param* is the value's name in bracket notation."""

    def clean(self, value: Any, param: str) -> Any:
        """Give back the value as the server keeps it."""


@dataclass(frozen=True, slots=True)
class Text:
    """A string of at most *longest* characters; *clearable* ones take an empty string as "unset"."""

    longest: int = 5000
    clearable: bool = False
    choices: tuple[str, ...] = ()
    check: Callable[[str, str], None] | None = None

    def clean(self, value: Any, param: str) -> str:
        """Refuse what is no string, empty, too long or not among the choices."""
        if not isinstance(value, str):
            raise invalid(f"Invalid string: {param} takes a single string.", param)
        if not value:
            if self.clearable:
                return value
            raise empty(param)
        if len(value) > self.longest:
            raise invalid(f"Invalid string: {param} can have at most {self.longest} characters.", param)
        if "\0" in value:
            raise invalid(f"Invalid characters in {param}.", param, "invalid_characters")
        if self.choices and value not in self.choices:
            raise invalid(f"Invalid {param}: must be one of {', '.join(self.choices)}", param)
        if self.check is not None:
            self.check(value, param)
        return value


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, given as digits; `5.0` is none."""

    least: int | None = None
    most: int | None = None

    def clean(self, value: Any, param: str) -> int:
        """Refuse anything but an integer within bounds."""
        if value == "":
            raise empty(param)
        if isinstance(value, bool) or not (
            isinstance(value, int) or (isinstance(value, str) and _WHOLE.fullmatch(value))
        ):
            raise invalid(f"Invalid integer: {value}", param, "parameter_invalid_integer")
        number = int(value)
        if self.least is not None and number < self.least:
            raise invalid(f"{param} must be at least {self.least}", param, "parameter_invalid_integer")
        if self.most is not None and number > self.most:
            raise invalid(f"{param} can be at most {self.most}", param, "parameter_invalid_integer")
        return number


@dataclass(frozen=True, slots=True)
class Group:
    """Named children; names that are not in the table are unknown parameters, and `whole` judges what hangs together."""

    children: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    clearable: bool = False
    whole: Callable[[Mapping[str, Any], str], None] | None = None

    def clean(self, value: Any, param: str) -> Any:
        """Clean every child that was given."""
        if value == "" and self.clearable:
            return value
        if value == "":
            raise empty(param)
        if not isinstance(value, Mapping):
            raise invalid(f"Invalid object: {param} takes named children.", param)
        return self.cleaned(value, param)

    def cleaned(self, params: Mapping[str, Any], param: str = "") -> dict[str, Any]:
        """Clean all children of an object, or of a whole request when *param* is empty."""
        children = self.children
        unknown = [_child(param, name) for name in params if name not in children]
        if unknown:
            noun = "parameter" if len(unknown) == 1 else "parameters"
            raise invalid(f"Received unknown {noun}: {', '.join(unknown)}", unknown[0], "parameter_unknown")
        for name in self.required:
            if name not in params:
                missing = _child(param, name)
                raise invalid(f"Missing required param: {missing}.", missing, "parameter_missing")
        cleaned = {
            name: children[name].clean(value, f"{param}[{name}]" if param else name) for name, value in params.items()
        }
        if self.whole is not None:
            self.whole(cleaned, param)
        return cleaned


@dataclass(frozen=True, slots=True)
class Many:
    """A list of at most *most* items."""

    item: Rule
    clearable: bool = False
    most: int | None = None

    def clean(self, value: Any, param: str) -> Any:
        """Clean every item."""
        if value == "" and self.clearable:
            return value
        if not isinstance(value, list | tuple):
            raise invalid(f"Invalid array: {param} takes a list.", param)
        if self.most is not None and len(value) > self.most:
            raise invalid(f"{param} can have at most {self.most} items.", param)
        return [self.item.clean(item, f"{param}[{at}]") for at, item in enumerate(value)]


@dataclass(frozen=True, slots=True)
class Metadata:
    """At most 50 keys of 40 characters with values of 500; an empty value removes its key."""

    def clean(self, value: Any, param: str) -> Any:
        """Refuse keys and values beyond the documented limits."""
        if value == "":
            return value
        if not isinstance(value, Mapping):
            raise invalid(f"Invalid object: {param} takes keys and values.", param)
        if len(value) > 50:
            raise invalid(f"You can only specify up to 50 metadata keys, but you passed in {len(value)}.", param)
        return {key: self._value(key, one) for key, one in value.items()}

    def _value(self, key: str, value: Any) -> str:
        if len(key) > 40:
            raise invalid(f"Metadata keys can have up to 40 characters; '{key[:40]}…' has {len(key)}.", "metadata")
        if "[" in key or "]" in key:
            raise invalid("Metadata keys can not contain square brackets.", "metadata")
        if isinstance(value, bool | int | float):
            value = str(value)
        if not isinstance(value, str):
            raise invalid(f"Invalid metadata value for '{key}': only strings are kept.", f"metadata[{key}]")
        if len(value) > 500:
            raise invalid(
                "Metadata values can have up to 500 characters, "
                f"but you passed in a value that is {len(value)} characters.",
                f"metadata[{key}]",
            )
        return value


@dataclass(frozen=True, slots=True)
class Either:
    """A plain value, or an object of named ones (`created=5`, `created[gte]=5`)."""

    plain: Rule
    group: Group = field(default_factory=lambda: Group({}))

    def clean(self, value: Any, param: str) -> Any:
        """Let the shape decide."""
        return self.group.clean(value, param) if isinstance(value, Mapping) else self.plain.clean(value, param)


def _child(param: str, name: str) -> str:
    return f"{param}[{name}]" if param else name


def empty(param: str) -> Refused:
    """An empty string where nothing can be unset."""
    return invalid(
        f"You passed an empty string for '{param}'; an empty value unsets a parameter, and '{param}' cannot be unset.",
        param,
        "parameter_invalid_empty",
    )
