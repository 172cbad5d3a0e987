"""What to do about an error code, in one sentence: our own rules' and Stripe's."""

from __future__ import annotations

_MEND = "Mend it in the failed export and give that to `retry --with`."

_BY_CODE = {
    # Our own rules.
    "email": "The address is malformed: correct it, or clear the row if nobody can be reached there.",
    "email-missing": "The row has no e-mail address: add one, or import such rows with --allow-no-email.",
    "country": "Write the country as a two-letter code, such as DE.",
    "phone": "Stripe takes at most 20 characters: shorten the phone number.",
    "too-long": "Shorten the text, or map the column to a field that takes more.",
    "control-character": "Remove the invisible character, most often a line break or a tab that was pasted along.",
    "integer": "Write a whole number without separators.",
    "choice": "Use one of the values that Stripe knows.",
    "locale": "Write languages as codes, such as de or pt-BR.",
    "card-number": "Never send card numbers: take the number out of the file; cards are moved by Stripe's migration team.",
    "metadata-keys": "Stripe keeps at most 50 metadata keys: leave columns out with --map COLUMN=ignore.",
    "tax-id-type": "A tax id needs its type: add a column for it, or --set tax_id_data.0.type=eu_vat.",
    "tax-number": "The tax number cannot be one of its type: correct the number or the type.",
    "stored-password": "Never send passwords, not even hashed ones: leave the column out with --map COLUMN=ignore.",
    "both-halves": "A tax id is a type and a value: give both, or neither.",
    "same-payment-method": "Two rows name one payment method, which can belong to one customer only: keep it in one of them.",
    "payment-method": "Payment methods are ids (pm_...): a column that says how somebody pays is metadata, --map COLUMN=metadata.paid_by.",
    "shipping": "Shipping needs a name and an address: give both, or neither.",
    "custom-fields": "Custom fields of invoices have a name and a value each: give both, or neither.",
    "invoice-prefix": "Write the invoice prefix with 1 to 12 capital letters or digits.",
    "account-state": "A column that says how an account stands is no part of an address: keep it with --map COLUMN=metadata.",
    "twice": "Two columns feed one field: keep one of them with --map COLUMN=ignore.",
    "type": "The value has another shape than the field: give text or a number as the field needs it.",
    "unmapped": "Map the column with --map COLUMN=FIELD, or leave it out with --unmapped ignore.",
    "unreadable": "The line is damaged, most often by a stray quote or delimiter, or is nobody's, such as a total: correct it, or leave it be.",
    "lost-value": "The value cannot be read: take out the sign that is no text, or store long numbers of a workbook as text and save it again, or leave the column out with --map COLUMN=ignore.",
    "source": "Old-style sources are not imported: use a payment method (pm_...).",
    "empty": "Leave the cell empty altogether, or name a value.",
    # Stripe's.
    "card_declined": "The bank refused the card: ask the customer for another one, or import the row without it.",
    "expired_card": "The card has expired: ask the customer for another one, or import the row without it.",
    "incorrect_number": "The card's number is wrong: ask the customer for another one, or import the row without it.",
    "resource_missing": "What the row names does not exist in this account and mode, most often a payment method of another.",
    "email_invalid": "Stripe refuses the address: correct it.",
    "tax_id_invalid": "The tax id does not fit its type: correct the number or the type.",
    "parameter_unknown": "Stripe does not know this field: map the column to another one, or to metadata.",
    "parameter_invalid_empty": "The field may not be empty: leave it out or give it a value.",
    "parameter_invalid_integer": "The field takes a whole number only.",
    "invalid_characters": "Remove the characters that Stripe does not take.",
    "country_code_invalid": "Write the country as a two-letter code, such as DE.",
    "customer_tax_location_invalid": "Stripe cannot place the address for tax: complete country and postal code.",
    "payment_method_unexpected_state": "The payment method is in use elsewhere: each can belong to one customer.",
    "payment_method_unactivated": "Switch the kind of payment method on in the Stripe Dashboard, then retry.",
    "customer_max_payment_methods": "The customer holds as many payment methods as Stripe allows.",
    "livemode_mismatch": "The row names something of the other mode: test and live data never mix.",
    "lock_timeout": "Another request held the object: run the same command again.",
    "existing": "The person is in Stripe already and --on-existing refuse was given: use skip, or leave the row out.",
    "mended": "Mended and not sent yet: `retry` on this ledger sends them with the fields that it holds.",
    "owner-failed": "These repeat the e-mail of a row that failed: they follow once that row is mended.",
}

_BY_STATUS = {
    "in_doubt": "Stripe may have acted: run `retry` on this ledger (or the same import) again, which looks before it sends.",
    "invalid": _MEND,
    "failed": _MEND,
    "duplicate": "They follow the row whose e-mail they have.",
}


def advice_for(status: str, code: str | None) -> str:
    """What to do about rows in *status* with this error code."""
    if status != "in_doubt" and code in _BY_CODE:
        return _BY_CODE[code]
    return _BY_STATUS.get(status, _MEND)
