import signal


def pytest_configure() -> None:
    """Signals that whoever started the tests ignores are heeded here: children inherit that, and some are to be stopped."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
