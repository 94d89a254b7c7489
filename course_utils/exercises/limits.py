"""What a learner's code may not do to the rest of the notebook: run for ever, disturb the dice."""

import contextlib
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

_AGAIN = 0.05  # seconds between alarms: a bare `except:` swallows one, and meets the next


class TooLong(BaseException):
    """The time is up. Not an Exception, so that `except Exception` in a loop cannot hold it."""


def call_within(seconds: float, fn: Callable, *arguments: Any) -> Any:
    """``fn(*arguments)``, stopped with TooLong after ``seconds``.

    Stops loops and sleeps, not a single long call into compiled code. On Windows and off the
    main thread, where Python knows no such alarm, there is no limit. An alarm that was set
    before (pytest-timeout sets one) goes on afterwards, less the time that passed.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    if not (main_thread and hasattr(signal, "setitimer")):
        return fn(*arguments)
    alarm, trace, started = _Alarm(), sys.gettrace(), time.monotonic()
    handler = signal.signal(signal.SIGALRM, alarm)
    left, interval = signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        return fn(*arguments)
    finally:
        alarm.armed = False  # first of all: from here on no alarm may raise
        sys.settrace(trace)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            left -= time.monotonic() - started
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), interval)
        if alarm.rang:  # also where the code swallowed the alarm and returned something
            raise alarm.rang


class _Alarm:
    """The signal handler: raises in whatever code runs, as long as it is armed."""

    def __init__(self):
        self.armed, self.rang = True, None

    def __call__(self, signum, frame):
        if not self.armed:
            return
        if self.rang:
            self._raise_at_next_line(frame)
        self.rang = self.rang or TooLong()
        raise self.rang

    def _raise_at_next_line(self, frame):
        """The last alarm was swallowed by an `except:`. Raise this one there too, a line later."""

        def trace(frame, event, argument):
            if self.armed and event == "line":
                raise self.rang
            return trace

        sys.settrace(trace)
        while frame and frame.f_code is not call_within.__code__:
            frame.f_trace = trace
            frame = frame.f_back


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Leave the global random state of random, numpy and torch as it was at the start."""
    restores = [
        (random.setstate, random.getstate()),
        (np.random.set_state, np.random.get_state()),
        (torch.set_rng_state, torch.get_rng_state()),
    ]
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        restores.append((torch.cuda.set_rng_state_all, torch.cuda.get_rng_state_all()))
    if torch.backends.mps.is_available():
        restores.append((torch.mps.set_rng_state, torch.mps.get_rng_state()))
    try:
        yield
    finally:
        for restore, state in restores:
            restore(state)


@contextlib.contextmanager
def plain_defaults() -> Iterator[None]:
    """Inputs and answers in torch's first precision and on the processor, whatever is set.

    A learner may have called ``torch.set_default_dtype`` or ``torch.set_default_device``.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.device("cpu"):
            yield
    finally:
        torch.set_default_dtype(before)


def seed_the_processor(seed: int) -> None:
    """Seed the global random numbers that are drawn without an accelerator.

    Unlike torch.manual_seed it leaves no order for a graphics card that starts later.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
