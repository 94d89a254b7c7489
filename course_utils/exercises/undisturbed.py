"""What a learner's code may change and print while it is tried: it comes back as it was found."""

import contextlib
import gc
import io
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

_SCREENFUL = 1000  # characters of what an attempt prints


# --- settings --------------------------------------------------------------------------------


def _from_attribute(holder: Any, name: str) -> tuple[Callable, Callable]:
    return lambda: getattr(holder, name), lambda value: setattr(holder, name, value)


def _set_deterministic(value):
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _set_environment(value):
    for name in os.environ.keys() - value.keys():
        del os.environ[name]
    os.environ.update(value)


def _shell():
    """The notebook's shell; None outside of notebooks."""
    return getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()


# How each setting is read, and how it is set.
_SETTINGS: tuple[tuple[Callable, Callable], ...] = (
    (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        _set_deterministic,
    ),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    *(
        _from_attribute(torch.backends.cudnn, name)
        for name in ("enabled", "benchmark", "deterministic")
    ),
    _from_attribute(torch.backends.mkldnn, "enabled"),
    (np.geterr, lambda value: np.seterr(**value)),
    (np.get_printoptions, lambda value: np.set_printoptions(**value)),
    (
        lambda: dict(vars(torch._tensor_str.PRINT_OPTS)),
        lambda value: vars(torch._tensor_str.PRINT_OPTS).update(value),
    ),
    (lambda: list(sys.path), lambda value: sys.path.__setitem__(slice(None), value)),
    (lambda: list(sys.argv), lambda value: sys.argv.__setitem__(slice(None), value)),
    (sys.getrecursionlimit, sys.setrecursionlimit),
    (sys.getswitchinterval, sys.setswitchinterval),
    (sys.gettrace, sys.settrace),
    (sys.getprofile, sys.setprofile),
    (gc.isenabled, lambda value: gc.enable() if value else gc.disable()),
    (os.getcwd, os.chdir),
    (lambda: dict(os.environ), _set_environment),
    *(
        _from_attribute(sys, name)
        for name in ("stdout", "stderr", "stdin", "displayhook", "excepthook", "__stdout__")
    ),
    # The end of the time can fall between holding displays and showing them again; a kernel that
    # is left without its publisher answers no further cell.
    (lambda: _shell().display_pub, lambda value: setattr(_shell(), "display_pub", value)),
)


@contextlib.contextmanager
def settings_kept() -> Iterator[None]:
    """Leave torch's, numpy's and Python's settings as they were at the start."""
    before = []
    for read, write in _SETTINGS:
        with contextlib.suppress(Exception):  # no such setting here, or a folder that is gone
            before.append((read, write, read()))
    try:
        with torch.inference_mode(False), warnings.catch_warnings(), _signals_kept():
            yield
    finally:
        for read, write, value in before:
            with contextlib.suppress(Exception):
                if read() != value:
                    write(value)


@contextlib.contextmanager
def _signals_kept():
    """What happens at the stop button and at a request to end, as it was."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if masks else None
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in kept.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


# --- what is printed -------------------------------------------------------------------------


class Held(io.TextIOBase):
    """A text stream that keeps a screenful of what is written to it, and cannot be closed."""

    encoding = "utf-8"

    def __init__(self):
        self._parts, self._room, self._more = [], _SCREENFUL, False

    def write(self, text: str) -> int:
        """Keep as much of the text as there is room for."""
        if not isinstance(text, str):
            raise TypeError(f"write() takes a text, not {type(text).__name__}")
        kept = str(text[: self._room])
        if kept:
            self._parts.append(kept)
        self._room -= len(kept)
        self._more = self._more or len(kept) < len(text)
        return len(text)

    def writable(self) -> bool:
        """It is."""
        return True

    def close(self) -> None:
        """Do nothing: what runs next writes here too."""

    @property
    def text(self) -> str:
        """What was written, up to a screenful."""
        more = "\n... (your code prints more; the rest is left out)\n" if self._more else ""
        return "".join(self._parts) + more


@contextlib.contextmanager
def printing_held() -> Iterator[Held]:
    """Hold back what is printed, shown and warned of meanwhile."""
    held = Held()
    with (
        contextlib.redirect_stdout(held),
        contextlib.redirect_stderr(held),
        _displays_held(),
    ):
        yield held


@contextlib.contextmanager
def _displays_held():
    """Drop what is displayed in a notebook meanwhile: it would show once for each input."""
    shell = _shell()
    if shell is None:
        yield
        return
    from IPython.core.displaypub import CapturingDisplayPublisher

    publisher = shell.display_pub
    shell.display_pub = CapturingDisplayPublisher()
    try:
        yield
    finally:
        shell.display_pub = publisher
