"""`template`: a starting CSV and the profile that says how its columns are mapped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bulk_import.cli.events import to_json
from bulk_import.cli.help import Verb
from bulk_import.cli.invocation import invocation, next_line, typed
from bulk_import.cli.options import examples, output_options
from bulk_import.errors import UsageError

CUSTOMERS = """\
user_id,email,name,phone,address.line1,address.city,address.postal_code,address.country,payment_method,plan
u-1001,ann@example.com,Ann Example,+44 20 7946 0000,1 High Street,London,SW1A 1AA,GB,,basic
u-1002,bert@example.com,Bert Example,,Hauptstr. 5,Berlin,01067,DE,pm_card_visa,pro
"""

MAPPING = """\
# How the columns of customers.csv become fields of a Stripe customer:
#     bulk-import check customers.csv --mapping mapping.toml

# Your own id of a row: kept in the ledger and in metadata.source_id.
key = "user_id"

# Columns that are named nowhere: "metadata", "ignore", or "refuse" (what a live key does unless told otherwise).
unmapped = "refuse"

# Column = field. A field is a parameter of a customer (email, name, phone, address.city, shipping.name, tax_exempt,
# preferred_locales.0, payment_method), metadata.ANYTHING, or ignore. Common names are recognised without a line here.
[map]
"email" = "email"
"name" = "name"
"phone" = "phone"
"plan" = "metadata.plan"

# The same value for every row.
[set]
"metadata.source" = "import"
"""

FILES = {"customers.csv": CUSTOMERS, "mapping.toml": MAPPING}


@click.command("template", cls=Verb, epilog=examples("bulk-import template", "bulk-import template migration"))
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=".")
@output_options
@click.pass_context
def command(ctx: click.Context, /, **given: Any) -> int:
    """Write customers.csv and mapping.toml into FOLDER, to be filled and changed; nothing is ever replaced."""
    call, folder = invocation(ctx), given["folder"]
    written = write_files(folder)
    source, mapping = written
    following = typed("check", source, "--mapping", mapping)
    if given["json"]:
        call.output.line(to_json({"files": [str(path) for path in written], "exit_code": 0, "next": following}))
        return 0
    call.tell(f"written: {source}, {mapping}")
    call.tell(next_line(following))
    return 0


def write_files(folder: Path) -> list[Path]:
    """Write every file of the template; raises `UsageError` where one is there already or cannot be written."""
    paths = [folder / name for name in FILES]
    for path in paths:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} is there already and is never replaced; name another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in paths:
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(FILES[path.name])
    except OSError as error:
        raise UsageError(f"{folder} cannot be written ({error.strerror}); name another folder.") from error
    return paths
