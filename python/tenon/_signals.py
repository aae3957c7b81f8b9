"""Signals during a call of libtenon's: it calls Python back, and what a handler raises there cannot pass through C."""
from __future__ import annotations

import functools
import signal
import threading
from types import CodeType, FrameType
from typing import Any, Callable, List, Optional, Tuple, TypeVar

Handler = Callable[[int, Optional[FrameType]], Any]
_T = TypeVar("_T")
NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


class Signals:
    """Handlers are called at once, as ever. What they raise is raised at once in a pass's own code, and where C waits it is kept in `raised`, which the
    library is told by its host's stop, until C has returned."""

    def __init__(self, stop: CodeType) -> None:
        self._stop = stop  # the code of the host's stop, which the library calls in a pass's own calls, too
        self.raised: Optional[BaseException] = None
        self._in_c = False

    def _handle(self, previous: Handler, number: int, frame: Optional[FrameType]) -> None:
        try:
            previous(number, frame)
        except BaseException as error:  # noqa: B902 - a handler may raise anything
            if not self._in_c and not (frame and frame.f_code is self._stop):
                raise
            self.raised = self.raised or error.with_traceback(None)

    def _install(self) -> List[Tuple[int, Handler, Handler]]:
        """(signal, its handler, ours in its place); only the main thread has handlers."""
        if threading.current_thread() is not threading.main_thread():
            return []
        made: List[Tuple[int, Handler, Handler]] = [(n, before, functools.partial(self._handle, before)) for n in NUMBERS if callable(before := signal.getsignal(n))]
        for number, _, own in made:
            signal.signal(number, own)
        return made

    @staticmethod
    def _restore(made: List[Tuple[int, Handler, Handler]]) -> None:
        for number, before, own in made:
            if signal.getsignal(number) is own:  # a pass may have set another
                signal.signal(number, before)

    def _look(self) -> None:
        if self.raised is not None:
            raise self.raised

    def call(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """A call of the library's from outside."""
        self.raised = None
        made = self._install()
        try:
            return self.within_c(function, *arguments)
        finally:
            self._restore(made)
            self.raised = None

    def within_c(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls what calls Python back; what was raised meanwhile is raised behind it."""
        before, self._in_c = self._in_c, True
        try:
            result = function(*arguments)
        finally:
            self._in_c = before
        self._look()
        return result

    def within_python(self, function: Callable[..., _T], *arguments: Any) -> _T:
        """Calls the user's code from a function that C has called."""
        self._look()
        self._in_c = False
        try:
            return function(*arguments)
        finally:
            self._in_c = True
