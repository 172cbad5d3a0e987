"""How requests look: stripe-python decides on address, version, account and every other header.

The only module that imports stripe, which costs about a sixth of a second.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass

from bulk_import.keys import SecretKey


@contextmanager
def _quietly() -> Iterator[None]:
    """Hides the variable that makes stripe-python print parameters, and what it prints while it is imported."""
    asked_to_print = os.environ.pop("STRIPE_LOG", None)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        if asked_to_print is not None:
            os.environ["STRIPE_LOG"] = asked_to_print


with _quietly():
    import stripe

stripe.enable_telemetry = False  # it would write a file into the user's home and send timings

CERTIFICATES = stripe.ca_bundle_path
"""The file of certificates that stripe-python trusts."""

STRIPE_VERSION = "2026-10-28.endive"
"""The API version this tool is written for; a ledger records it and goes on with the recorded one."""


class _Specimen(stripe.HTTPClient):
    """Takes the place of a network: keeps the address and the headers of what stripe-python would send."""

    name = "aiohttp"

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.headers: Mapping[str, str] = {}

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        self.url, self.headers = url, dict(headers)
        return b"{}", 200, {}


ANY_PATH = "/v1/customers"


NEVER_SHARED = ("Authorization", "Idempotency-Key")
"""Headers of a specimen that no other request may have."""


@dataclass(frozen=True, slots=True)
class Head:
    """What all requests of one method have in common, as stripe-python writes it."""

    base: str
    headers: Mapping[str, str]


class Composer:
    """Has stripe-python write one request of each method; *account* is a connected one, *version* the API's."""

    def __init__(self, key: SecretKey, base: str, account: str | None, version: str | None) -> None:
        self._specimen = _Specimen()
        self._client = stripe.StripeClient(
            str(key),
            stripe_account=account,
            stripe_version=version or STRIPE_VERSION,
            base_addresses={"api": base},
            max_network_retries=0,
            http_client=self._specimen,
        )
        self._heads: dict[str, Head] = {}

    async def head(self, method: str) -> Head:
        """What all requests of this method have in common; they differ in path, form and key alone.

        Stripe-python would write every one of them anew, version, account and platform each time, log it twice and read
        each answer into objects that nobody asks for: more work than aiohttp has with the request itself. Raises
        `ValueError` for what has no form.
        """
        if (known := self._heads.get(method)) is not None:
            return known
        try:
            await self._client.raw_request_async(method.lower(), ANY_PATH)
        except stripe.StripeError as error:
            raise ValueError(type(error).__name__) from error
        kept = {name: value for name, value in self._specimen.headers.items() if name not in NEVER_SHARED}
        self._heads[method] = Head(self._specimen.url.removesuffix(ANY_PATH), kept)
        return self._heads[method]
