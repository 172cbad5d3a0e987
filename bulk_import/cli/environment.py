"""Options that come from the environment: a name for each spelling, and how they would have been typed."""

from __future__ import annotations

import os

import click
from click.core import ParameterSource


class Either(click.Option):
    """A flag with an opposite; the environment knows both spellings, as the command line does."""

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        """What was said of the flag, or the contrary of what was said of its opposite."""
        said = super().resolve_envvar_value(ctx)
        if said is not None:
            return said
        opposite = _longest(self.secondary_opts).lstrip("-").replace("-", "_").upper()
        contrary = os.environ.get(f"{ctx.auto_envvar_prefix}_{opposite}")
        return str(not click.BOOL.convert(contrary, self, ctx)) if contrary else None


def said_by_environment(ctx: click.Context) -> list[str]:
    """The words that would have said what the environment says to this command."""
    return [
        word
        for option in ctx.command.params
        if isinstance(option, click.Option) and option.name
        if ctx.get_parameter_source(option.name) is ParameterSource.ENVIRONMENT
        for word in _typed(option, ctx)
    ]


def _typed(option: click.Option, ctx: click.Context) -> list[str]:
    name, raw = _longest(option.opts), option.value_from_envvar(ctx)
    if option.is_flag:
        spelt = name if click.BOOL.convert(raw, option, ctx) else _longest(option.secondary_opts)
        return [spelt] if spelt else []
    if option.count:
        return [name] * int(raw)
    values = raw if option.multiple else [raw]
    return [word for value in values for word in ([f"{name}={value}"] if value.startswith("-") else [name, value])]


def _longest(spellings: list[str]) -> str:
    return max(spellings, key=len, default="")
