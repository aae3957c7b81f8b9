"""A context of libtenon's with what was made from it: one thread at a time, freed in order."""
from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import warnings
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from . import errors
from ._library import NOTE, PROGRESS, STOP, Host, lib
from ._signals import Signals

DONE, DIFFER = 0, 1
FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "")


def _user_level() -> int:
    """The stacklevel by which the caller of this warns where the package was called."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and os.path.abspath(frame.f_code.co_filename).startswith(FOLDER):
        frame, level = frame.f_back, level + 1
    return level


class Report(Dict[str, Any]):
    """What a command found: the fields of its JSON, and `text` as the command prints it."""

    def __init__(self, fields: Mapping[str, Any], text: str) -> None:
        super().__init__(fields)
        self.text = text

    def __str__(self) -> str:
        return self.text


class Context:
    """Owns a tenon_context. Calls hold its lock; what a signal's handler raises during one, such as Ctrl-C, ends it at tenon's next look."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.busy = False
        self.signals = Signals(Context._stop.__code__)
        self.cause: Optional[BaseException] = None  # what a pass written in Python has raised
        self.notes: List[str] = []
        self.scoring: List[object] = []  # criteria at work, each asked for by the one before
        self.plugins: List[Any] = []  # descriptors that the library has pointers to
        self.made: Dict[int, Callable[[int], object]] = {}  # what is to be freed, in the order in which it was made: address, function
        self._host = Host(ctypes.sizeof(Host), None, None, STOP(self._stop), PROGRESS(), NOTE(self._note))
        self.handle: Optional[ctypes.c_void_p] = ctypes.c_void_p()
        if lib.context_new(ctypes.byref(self._host), ctypes.byref(self.handle)) != DONE:
            raise errors.ResourceError(["tenon: out of memory"])

    def __del__(self) -> None:
        # What the garbage collector finishes together it finishes in any order: so whoever comes first frees, and here is the last chance.
        handle, self.handle = getattr(self, "handle", None), None
        if handle:
            for address in reversed(list(self.made)):
                self.free(address)
            lib.context_free(handle)

    def free(self, address: int) -> None:
        """Frees something made here; a second time does nothing."""
        function = self.made.pop(address, None)
        if function:
            function(address)

    def _stop(self, _: object) -> int:
        return int(self.signals.raised is not None)

    def _note(self, _: object, text: bytes) -> None:
        self.notes.append(text.decode(errors="replace"))

    def call(self, function: Callable[..., int], *arguments: Any, accept: Sequence[int] = (DONE,)) -> int:
        """Calls; other statuses than those accepted become exceptions. Returns the status."""
        with self.lock:
            if self.busy:
                raise RuntimeError("a pass cannot use the very graph or model that it is run for")
            self.cause = None
            lib.messages_clear(self.handle)
            self.busy = True
            try:
                status = self.signals.call(function, *arguments)
            finally:
                self.busy = False
            if status in accept and not lib.message_count(self.handle):
                return status
            self._raise(status, accept)
            return status

    def message_count(self) -> int:
        """How many messages there are."""
        return int(lib.message_count(self.handle))

    def errors(self, first: int) -> List[str]:
        """Errors from number `first` on."""
        return [lib.message(self.handle, i).decode(errors="replace") for i in range(first, self.message_count()) if lib.message_is_error(self.handle, i)]

    def _raise(self, status: int, accept: Sequence[int]) -> None:
        handle, found, told = self.handle, list[str](), list[str]()
        for i in range(lib.message_count(handle)):
            (found if lib.message_is_error(handle, i) else told).append(lib.message(handle, i).decode(errors="replace"))
        lib.messages_clear(handle)
        if status not in accept:
            raise errors.BY_STATUS.get(status, errors.Error)(found) from self.cause
        for message in told:
            warnings.warn(message, errors.Warning, stacklevel=_user_level())

    def make(self, free: Callable[[int], object], function: Callable[..., int], *arguments: Any) -> Handle:
        """Calls a function whose last argument is the handle that it makes, and `free` frees."""
        handle = ctypes.c_void_p()
        try:
            self.call(function, *arguments, ctypes.byref(handle))
        finally:
            made = Handle(self, handle, free)
        return made

    def report(self, function: Callable[..., int], *arguments: Any, accept: Sequence[int] = (DONE,)) -> Report:
        """Calls a function that makes a report, and reads it."""
        handle = ctypes.c_void_p()
        with self.lock:
            try:
                self.call(function, *arguments, ctypes.byref(handle), accept=accept)
                return Report(json.loads(lib.report_json(handle)), lib.report_text(handle).decode())
            finally:
                lib.report_free(handle)


class Handle:
    """Something made from a context: freed once, and refused afterwards."""

    def __init__(self, context: Context, handle: ctypes.c_void_p, free: Callable[[int], object]) -> None:
        self.context, self._handle = context, handle.value
        if handle.value:
            context.made[handle.value] = free

    @property
    def value(self) -> int:
        """The address; a ValueError once it has been closed."""
        if not self._handle:
            raise ValueError("this object has been closed")
        return self._handle

    def close(self) -> None:
        """Frees it; a second time does nothing."""
        with self.context.lock:
            handle, self._handle = self._handle, None
            if handle:
                self.context.free(handle)

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()
