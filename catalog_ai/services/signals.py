"""Signals that ask a process to end: what is at hand is finished first."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING = (signal.SIGTERM, signal.SIGINT)


class StopRequest:
    """Which signal has asked this process to stop; None while none has."""

    number: int | None = None

    def __bool__(self) -> bool:
        return self.number is not None


@contextmanager
def asked_to_stop() -> Iterator[StopRequest]:
    """Yield what knows whether SIGTERM or SIGINT has come; a second SIGINT interrupts at once."""
    request = StopRequest()

    def note(number: int, _frame: object) -> None:
        if request and number == signal.SIGINT:
            raise KeyboardInterrupt
        request.number = number

    with signals_call(note):
        yield request


@contextmanager
def signals_call(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Let SIGTERM and SIGINT call `handler`; elsewhere than in the main thread, do nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in ENDING}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)
