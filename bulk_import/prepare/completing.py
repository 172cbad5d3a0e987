"""Completes a row out of its cleaned values: what hangs together is judged together, and each problem has its column."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bulk_import.customer.cards import shown
from bulk_import.customer.completeness import whole_faults
from bulk_import.customer.leftovers import SHORTENED_RULE
from bulk_import.customer.tax_numbers import judge_number
from bulk_import.customer.verdicts import Fault
from bulk_import.customer.zip_codes import shortened_message
from bulk_import.model import Problem
from bulk_import.prepare.assembling import Draft, assemble
from bulk_import.prepare.preparation import Preparation
from bulk_import.prepare.recipes import METADATA, VAT, Recipe
from bulk_import.wording import typeable


def complete(
    draft: Draft, recipe: Recipe, how: Preparation, problems: list[Problem], warnings: list[Problem]
) -> dict[str, Any]:
    """The parameters that the draft makes, judged as a whole: what is wrong is added to *problems*, what is odd to *warnings*."""
    number = draft.get(VAT, {}).get("value")
    params, faults = assemble(draft, recipe.fixed, ship_to_name=recipe.ship_to_name)
    if "payment_method" in params or "invoice_settings" in params:
        _set_payment_method(params, how)
    faults += whole_faults(params, reserved_keys=1 if how.marker else 0)
    if faults:
        problems += [_problem_of_whole(fault, recipe, params, number) for fault in _news(faults, problems)]
    if "email" not in params and not how.allow_no_email:
        _miss_email(recipe, problems)
    for place, item in enumerate(params.get("tax_id_data", ())):
        _judge_tax_number(place, item, recipe, problems, warnings)
    if "address" in params:
        _judge_zip("address", params["address"], recipe, warnings)
    if "shipping" in params:
        _judge_zip("shipping.address", params["shipping"].get("address", {}), recipe, warnings)
    return params


def _judge_zip(where: str, address: Mapping[str, Any], recipe: Recipe, warnings: list[Problem]) -> None:
    """Holds a ZIP code against its country; one of which something was said before is left in peace."""
    code, country = address.get("postal_code"), address.get("country")
    if code is None or country is None or (message := shortened_message(code, country)) is None:
        return
    field = f"{where}.postal_code"
    if not any(said.param == field for said in warnings):
        column = next((step.column for step in recipe.steps if step.field == field), None)
        warnings.append(Problem(SHORTENED_RULE, message, column, shown(code), field))


def _judge_tax_number(
    place: int, item: Mapping[str, Any], recipe: Recipe, problems: list[Problem], warnings: list[Problem]
) -> None:
    """Holds a tax number against its type, which may come from elsewhere in the row."""
    if "type" not in item or "value" not in item or (found := judge_number(item["type"], item["value"])) is None:
        return
    field = f"tax_id_data.{place}.value"
    column = next((step.column for step in recipe.steps if step.field == field), None)
    told = problems if isinstance(found, Fault) else warnings
    told.append(Problem(found.rule, found.message, column, shown(item["value"]), field))


def _problem_of_whole(fault: Fault, recipe: Recipe, params: Any, number: str | None) -> Problem:
    """What is to be said of a customer as a whole.

    A tax *number* without a type has a column and a value to be shown; a half is said of the column of the other.
    """
    if fault.rule != "tax-id-type" or number is None:
        start = (fault.param or "").rpartition(".")[0]
        beside = [step for step in recipe.steps if start and step.field.startswith(f"{start}.")]
        beside.sort(key=lambda step: step.field != fault.param)
        found = ((step.column, value) for step in beside if (value := _given(params, step.field)) is not None)
        given, value = next(found, (None, None))
        return Problem(fault.rule, fault.message, given, shown(str(value)) if given is not None else None, fault.param)
    column = next((step.column for step in recipe.steps if step.group == VAT), None)
    return Problem(fault.rule, typeable(fault.message, column), column, shown(number), fault.param)


def _given(params: Any, field: str) -> Any:
    """What the parameters hold under a field's name, None for nothing."""
    for part in field.split("."):
        if isinstance(params, list):
            params = dict(enumerate(params)).get(int(part)) if part.isdecimal() else None
        else:
            params = params.get(part) if isinstance(params, Mapping) else None
    return params


def _set_payment_method(params: dict[str, Any], how: Preparation) -> None:
    """Makes the payment method the default one for invoices, in the same call that attaches it."""
    override = how.payment_method_override
    method = params.get("payment_method")
    settings = params.get("invoice_settings", {})
    if method is not None and override is not None:
        method = params["payment_method"] = override
    if override is not None and "default_payment_method" in settings:
        settings["default_payment_method"] = override
    if method is not None and how.default_payment_method:
        params.setdefault("invoice_settings", settings).setdefault("default_payment_method", method)


def _news(faults: list[Fault], problems: list[Problem]) -> list[Fault]:
    """The faults that say more than the problems: a refused shipping name is not missing, too."""
    if not faults or not problems:
        return faults
    known = [f"{problem.param}." for problem in problems if not (problem.param or "").startswith(f"{METADATA}.")]
    return [fault for fault in faults if not any(param.startswith(f"{fault.param}.") for param in known)]


def _miss_email(recipe: Recipe, problems: list[Problem]) -> None:
    """Says that the e-mail is missing, unless what is wrong with it has been said already."""
    if not any(problem.param == "email" for problem in problems):
        message = "This row has no e-mail address; fill it in, or import such rows with --allow-no-email."
        problems.append(Problem("email-missing", message, column=recipe.email_column, param="email"))
