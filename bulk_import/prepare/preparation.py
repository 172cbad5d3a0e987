"""How records are made into rows, settled once for a source."""

from __future__ import annotations

from dataclasses import dataclass, field

from bulk_import.customer.emails import EmailCheck
from bulk_import.mapping.settled import Mapping
from bulk_import.prepare.recipes import Recipe, compile_recipe

_MOST_RECIPES = 1024


@dataclass(frozen=True, slots=True)
class Preparation:
    """How records are made into rows.

    `payment_method_override` takes the place of every payment method (a dry run's `pm_card_visa`); that it
    does is for the caller to say. `marker` is whether one metadata key is kept free for the marker.
    """

    mapping: Mapping
    allow_no_email: bool = False
    default_payment_method: bool = True
    payment_method_override: str | None = None
    email_check: EmailCheck = "strict"
    marker: bool = True
    _recipes: dict[tuple[str, ...], Recipe] = field(default_factory=dict, init=False, repr=False, compare=False)

    def recipe(self, columns: tuple[str, ...]) -> Recipe:
        """The recipe for these columns, made once."""
        known = self._recipes.get(columns)
        if known is None:
            known = compile_recipe(self.mapping.plan(columns), self.mapping.constants, self.email_check)
            if len(self._recipes) < _MOST_RECIPES:
                self._recipes[columns] = known
        return known
