"""What a learner's code may not do to the rest of the notebook: run for ever, disturb the dice."""

import contextlib
import ctypes
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

_LATE = 0.5  # seconds that the watching thread leaves to the alarm
_AGAIN = 0.05  # seconds between alarms: a bare `except:` swallows one, and meets the next


class TooLong(BaseException):
    """The time is up. Not an Exception, so that `except Exception` in a loop cannot hold it."""


def call_within(seconds: float, fn: Callable, *arguments: Any) -> Any:
    """``fn(*arguments)``, stopped with TooLong after ``seconds``.

    Stops loops and sleeps, not a single long call into compiled code; a sleep only where Python
    knows alarms, which is on the main thread and not on Windows. An alarm that was set before
    (pytest-timeout sets one) goes on afterwards, less the time that passed.
    """
    on_main = threading.current_thread() is threading.main_thread()
    alarm = _Alarm(threading.get_ident(), with_signal=on_main and hasattr(signal, "setitimer"))
    trace, clock = sys.gettrace(), _clock_as_found() if alarm.with_signal else None
    try:
        alarm.start(seconds)
        return fn(*arguments)
    finally:
        # An alarm may ring in here too, before it is disarmed; what is put back is put back all
        # the same. A trace that stays slows everything, a handler that stays rings for ever.
        try:
            alarm.disarm()
        finally:
            sys.settrace(trace)
            _put_back(clock)
            alarm.disarm()
        if alarm.rang:  # also where the code swallowed the alarm and returned something
            raise alarm.rang


def _clock_as_found():
    """The handler of alarms, and when the next one is due: (handler, (left, interval), now)."""
    now = time.monotonic()
    return signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL), now


def _put_back(clock):
    """Give back the operating system's clock, less the time that passed."""
    if clock is None:
        return
    handler, (left, interval), then = clock
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
    if left:
        left -= time.monotonic() - then
        signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), interval)


@contextlib.contextmanager
def stop_button_known() -> Iterator["StopButton"]:
    """Tell the stop button from a KeyboardInterrupt that the code raises by itself."""
    button = StopButton(signal.getsignal(signal.SIGINT))
    on_main = threading.current_thread() is threading.main_thread()
    if not on_main or not callable(button.handler):
        button.pressed = True  # not known: whatever comes may be the button
        yield button
        return
    signal.signal(signal.SIGINT, button)
    try:
        yield button
    finally:
        signal.signal(signal.SIGINT, button.handler)


class StopButton:
    """A handler of the signal that the button sends, which notes that it was pressed."""

    def __init__(self, handler: Any):
        self.handler, self.pressed = handler, False

    def __call__(self, signum: int, frame: Any) -> None:
        """Note it, and go on as if this were not here."""
        self.pressed = True
        self.handler(signum, frame)


class _Alarm:
    """The signal handler: raises in whatever code runs, as long as it is armed.

    ``watch`` runs in a thread of its own, for code that has silenced the operating system's clock
    and for where there is none.
    """

    def __init__(self, thread: int, with_signal: bool):
        self.armed, self.rang = True, None
        self.with_signal, self._thread, self._lock = with_signal, thread, threading.Lock()
        self._done = threading.Event()
        self._raised = False

    def start(self, seconds: float) -> None:
        """Ring after so many seconds, and again and again until it is disarmed."""
        threading.Thread(target=self.watch, args=(seconds,), daemon=True).start()
        if self.with_signal:
            signal.signal(signal.SIGALRM, self)
            signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)

    def disarm(self) -> None:
        """Raise no more."""
        self.armed = False  # before the lock: from here on the signal does nothing
        with self._lock:
            if self._raised:  # and take back what may still be under way
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self._thread), None)
        self._done.set()

    def watch(self, seconds: float) -> None:
        """Ring where nothing rang: a little after the time, so that a signal comes first."""
        late = _LATE if self.with_signal else 0.0
        while not self._done.wait(seconds + late):
            seconds, late = 5 * _AGAIN, 0.0
            with self._lock:
                if self.armed:
                    self._ring_from_outside()

    def _ring_from_outside(self):
        if self.with_signal and signal.getsignal(signal.SIGALRM) is self:
            signal.pthread_kill(self._thread, signal.SIGALRM)
            return
        self.rang, self._raised = self.rang or TooLong(), True
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread), ctypes.py_object(TooLong)
        )

    def __call__(self, signum, frame):
        if not self.armed:
            return
        if self.rang:
            self.rang.__traceback__ = None  # else it grows by every alarm that was swallowed
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

    A learner may have called ``torch.set_default_dtype`` or ``torch.set_default_device``; their
    settings come back afterwards, also where the code in between changed them.
    """
    dtype, device = torch.get_default_dtype(), _device_set()
    torch.set_default_dtype(torch.float32)
    if torch.get_default_device().type != "cpu":
        torch.set_default_device("cpu")
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if _device_set() != device:
            torch.set_default_device(device)


def _device_set():
    """The device that ``torch.set_default_device`` set, or None."""
    context = getattr(torch._GLOBAL_DEVICE_CONTEXT, "device_context", None)
    return context.device if context else None


def seed_the_processor(seed: int) -> None:
    """Seed the global random numbers that are drawn without an accelerator.

    Unlike torch.manual_seed it leaves no order for a graphics card that starts later.
    """
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
