"""Stripe's own address, answered on this machine: a proxy that ends TLS with a certificate of its own making.

A live key goes to https://api.stripe.com and nowhere else, so a test that needs one leaves the address as it is: the
program's proxy is a server on loopback, which answers for Stripe with a certificate that the program's environment trusts,
and hands everything on to a simulator. Whatever else it is asked for is refused, so nothing leaves this machine.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

STRIPE_AT = b"api.stripe.com:443"


@contextmanager
def stripe_at_home(folder: Path, simulator: str) -> Iterator[dict[str, str]]:
    """Play api.stripe.com with the simulator at that URL; what the program's environment needs to be led here."""
    authority = trustme.CA()
    trusted = folder / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("api.stripe.com").configure_cert(context)
    proxy = _Proxy(context, urlsplit(simulator).port or 80)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(proxy.listen(), loop).result(timeout=20)
    address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    leading_here = dict.fromkeys(("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"), address)
    try:
        yield {**leading_here, "NO_PROXY": "", "no_proxy": "", "SSL_CERT_FILE": str(trusted)}
    finally:
        asyncio.run_coroutine_threadsafe(proxy.close(server), loop).result(timeout=20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=20)
        loop.close()


class _Proxy:
    """Answers CONNECT for Stripe's address alone, with our certificate, and carries bytes to the simulator and back."""

    def __init__(self, context: ssl.SSLContext, port: int) -> None:
        self._context = context
        self._port = port
        self._calls: set[asyncio.Task[None]] = set()

    async def listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._met, "127.0.0.1", 0)

    async def close(self, server: asyncio.Server) -> None:
        server.close()
        for call in tuple(self._calls):
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await server.wait_closed()

    def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        call = asyncio.get_running_loop().create_task(self._carried(reader, writer))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _carried(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            if head.split(b" ")[:2] != [b"CONNECT", STRIPE_AT]:
                writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                return
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            await writer.start_tls(self._context)
            theirs, ours = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                await asyncio.gather(_copy(reader, ours), _copy(theirs, writer))
            finally:
                ours.close()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the program hung up
        finally:
            writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while piece := await source.read(1 << 16):
        target.write(piece)
        await target.drain()
    target.close()
