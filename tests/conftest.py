from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest

from tests import leaks


def pytest_configure() -> None:
    """Signals that whoever started the tests ignores are heeded here: children inherit that, and some are to be stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


@pytest.fixture(autouse=True)
def nothing_leaks(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test: no key in any file that it left or log that its commands wrote, no address in such a log."""
    leaks.heard.clear()
    folder = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    found = [*leaks.spoken(), *(leaks.written(folder) if folder is not None else ())]
    assert not found, "\n".join(found)
