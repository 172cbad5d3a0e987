"""A sign-up endpoint: POST /sign-up with {"email": ..., "name": ...} answers with the Stripe customer, made at most once.

    STRIPE_API_KEY=sk_test_... python samples/sign_up.py --port 8080
    curl -d '{"email": "jenny@example.com", "name": "Jenny"}' http://127.0.0.1:8080/sign-up

Rehearse it without Stripe: `bulk-import simulate`, then add `--api-base` with the address it prints.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import AsyncIterator

from aiohttp import web

from bulk_import import (
    BulkImportError,
    Client,
    CustomerInvalid,
    CustomerRefused,
    OutOfReach,
    UsageError,
    find_or_create,
)

CLIENT = web.AppKey("client", Client)


async def sign_up(request: web.Request) -> web.Response:
    """201 for a new customer, 200 for one who was there, 400 for a body that is of no use, 5xx when Stripe will not."""
    try:
        body = await request.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return failure(400, "the body is not JSON")
    email, name, method = (body.get(field) if isinstance(body, dict) else None for field in FIELDS)
    if not isinstance(email, str) or not email.strip():
        return failure(400, "an email is needed")
    if not all(value is None or isinstance(value, str) for value in (name, method)):
        return failure(400, "name and payment_method are text")
    try:
        found = await find_or_create(
            request.app[CLIENT], email, name=name, payment_method=method, metadata={"source": "sign-up"}
        )
    except BulkImportError as error:
        return explained(error)
    return web.json_response({"customer": found.customer_id, "new": found.is_new}, status=201 if found.is_new else 200)


FIELDS = ("email", "name", "payment_method")


def explained(error: BulkImportError) -> web.Response:
    """What each error means to whoever signs up; nothing of Stripe's own words but the code leaves this server."""
    match error:
        case CustomerInvalid():
            return failure(400, str(error))
        case CustomerRefused():
            return failure(502, "Stripe refused this customer", error.refusal.code)
        case OutOfReach():
            return failure(503, "Stripe gave no clear answer; try again, nobody is signed up twice")
        case _:
            return failure(502, "Stripe refuses this server; whoever runs it has to look at its key")


def failure(status: int, message: str, code: str | None = None) -> web.Response:
    """An error as JSON."""
    headers = {"Retry-After": "30"} if status == 503 else {}
    return web.json_response({"error": message, "code": code}, status=status, headers=headers)


def create_app(api_key: str, **options: object) -> web.Application:
    """The application; *options* go to the client."""

    async def with_client(app: web.Application) -> AsyncIterator[None]:
        async with Client(api_key, **options) as client:  # type: ignore[arg-type]  # they come from our own command line
            app[CLIENT] = client
            yield

    app = web.Application()
    app.cleanup_ctx.append(with_client)
    app.router.add_post("/sign-up", sign_up)
    return app


def main() -> None:
    """Serve on loopback until stopped."""
    parser = argparse.ArgumentParser(description="A sign-up endpoint that finds or creates the Stripe customer.")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--api-base", default="https://api.stripe.com")
    parser.add_argument("--live", action="store_true")
    parser.add_argument("--patience", type=float, default=20.0, help="longest time for one sign-up, in seconds")
    given = parser.parse_args()
    options = {"api_base": given.api_base, "live": given.live, "patience": given.patience}
    try:
        Client(os.environ.get("STRIPE_API_KEY", ""), live=given.live, api_base=given.api_base)
    except UsageError as error:
        parser.error(str(error))
    app = create_app(os.environ["STRIPE_API_KEY"], **options)
    web.run_app(app, host="127.0.0.1", port=given.port)


if __name__ == "__main__":
    main()
