"""Criteria written in Python: what weights are worth, for `-p prune:criterion=NAME` and other passes that ask for one.

    @tenon.criterion
    def magnitude(graph, node, i, samples, n):
        \"\"\"the least in absolute value go first\"\"\"
        return abs(node.inputs[i].constant)

    tenon.load("model.onnx").pipeline(magnitude, "prune:criterion=magnitude,sparsity=0.5")
"""
from __future__ import annotations

import ctypes
import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable, Optional, Union, overload

import numpy as np

from . import _plugin as abi
from . import editing
from .samples import Samples
from .transform import called

if TYPE_CHECKING:
    from .context import Context

Score = Callable[..., Any]


class Criterion:
    """A criterion written in Python, which a pipeline takes before the passes that name it. `function` is the function itself."""

    def __init__(self, function: Score, name: str, help: Optional[str]) -> None:
        self.function, self.name = function, name
        self.help = help or inspect.cleandoc(function.__doc__ or "").partition("\n")[0] or "a criterion written in Python"
        code = getattr(function, "__code__", None)
        self.where = f"{code.co_filename}:{code.co_firstlineno}" if code else "Python"
        self.__doc__, self.__wrapped__ = function.__doc__, function

    def _plugin(self, context: Context) -> abi.Plugin:
        """A tenon_plugin with this criterion alone, for one context; whoever takes it keeps it."""
        one = abi.Criterion(ctypes.sizeof(abi.Criterion), self.name.encode(), self.help.encode(), abi.SCORE(functools.partial(self._score, context)))
        return abi.Plugin(ctypes.sizeof(abi.Plugin), abi.ABI, self.name.encode(), b"1.0", abi.pointers(abi.Pass, []), None, None, None, abi.pointers(abi.Criterion, [one]))

    def _score(self, context: Context, host: int, _: object, at: int, node: int, i: int, samples: Optional[int], n: int, scores: Any) -> int:
        """Called by the library. Whatever is raised becomes the failure of the pass that asked."""
        def work(graph: editing.Graph) -> None:
            of = graph._made(graph._node(node))
            found = np.asarray(self.function(graph, of, i, None if samples is None else Samples._lent(graph, samples), n), np.float64)
            value = of.inputs[i]
            shape = None if value is None else value.shape
            if found.shape != shape:
                raise ValueError(f"criterion '{self.name}' gave an array of the shape {found.shape} for a constant of the shape {shape}")
            ctypes.memmove(scores, np.ascontiguousarray(found).ctypes.data, found.nbytes)

        return called(context, lambda: editing.Graph(host, at, context, {}, fixed=True), work)


@overload
def criterion(function: Score) -> Criterion: ...
@overload
def criterion(*, name: Optional[str] = None, help: Optional[str] = None) -> Callable[[Score], Criterion]: ...
def criterion(function: Optional[Score] = None, *, name: Optional[str] = None, help: Optional[str] = None) -> Union[Criterion, Callable[[Score], Criterion]]:
    """Makes a criterion of a function that is given the graph (tenon.editing.Graph, which it cannot change), a node, which of its inputs is the constant, calibration
    samples (tenon.samples.Samples, or None) and how many of them to use, and returns an array of the constant's shape: the least are worth least."""
    if function is None:
        return lambda given: Criterion(given, name or given.__name__, help)
    if not callable(function):
        raise TypeError(f"a criterion is a function, not {function!r}")
    return Criterion(function, name or function.__name__, help)
