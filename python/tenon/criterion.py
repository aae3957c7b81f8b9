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
import numpy.typing as npt

from . import _plugin as abi
from . import editing
from ._spelling import to_bytes
from .samples import Samples
from .transform import called, described

if TYPE_CHECKING:
    from .context import Context

Score = Callable[..., Any]


class Criterion:
    """A criterion written in Python, which a pipeline takes before the passes that name it. `function` is the function itself."""

    def __init__(self, function: Score, name: Optional[str], help: Optional[str]) -> None:
        own = described("a criterion", function, name)
        self.function, self.name, self.where = function, own.name, own.where
        self.help = help or inspect.cleandoc(own.doc).partition("\n")[0] or "a criterion written in Python"
        to_bytes(self.help, f"{self.name}: the help of the criterion")
        self.__doc__, self.__wrapped__ = own.doc, function

    def _plugin(self, context: Context) -> abi.Plugin:
        """A tenon_plugin with this criterion alone, for one context; whoever takes it keeps it."""
        one = abi.Criterion(ctypes.sizeof(abi.Criterion), self.name.encode(), self.help.encode(), abi.SCORE(functools.partial(self._score, context)))
        return abi.Plugin(ctypes.sizeof(abi.Plugin), abi.ABI, self.name.encode(), b"1.0", abi.pointers(abi.Pass, []), None, None, None, abi.pointers(abi.Criterion, [one]))

    def _score(self, context: Context, host: int, _: object, at: int, node: int, i: int, samples: Optional[int], n: int, scores: Any) -> int:
        """Called by the library. Whatever is raised becomes the failure of the pass that asked."""
        def work(graph: editing.Graph) -> None:
            if self in context.scoring:
                raise ValueError(f"criterion '{self.name}' asks for itself")
            context.scoring.append(self)
            try:
                of = graph._made(graph._node(node))
                found = self._checked(self.function(graph, of, i, None if samples is None else Samples._lent(graph, samples), n), of.inputs[i])
                ctypes.memmove(scores, found.ctypes.data, found.nbytes)
            finally:
                context.scoring.remove(self)

        return called(context, lambda: editing.Graph(host, at, context, {}, fixed=True), work, f"in criterion '{self.name}' ({self.where})")

    def _checked(self, given: Any, value: Optional[editing.Value]) -> npt.NDArray[np.float64]:
        """The scores as C reads them."""
        found, shape = np.asarray(given), None if value is None else value.shape
        if found.dtype.kind not in "biuf":
            raise TypeError(f"criterion '{self.name}' gave {found.dtype} for scores, which are real numbers")
        if found.shape != shape:
            raise ValueError(f"criterion '{self.name}' gave an array of the shape {found.shape} for a constant of the shape {shape}")
        if np.isnan(found).any():
            raise ValueError(f"criterion '{self.name}' gave {np.isnan(found).sum()} scores that are no numbers (NaN)")
        return np.ascontiguousarray(found, np.float64)


@overload
def criterion(function: Score) -> Criterion: ...
@overload
def criterion(*, name: Optional[str] = None, help: Optional[str] = None) -> Callable[[Score], Criterion]: ...
def criterion(function: Optional[Score] = None, *, name: Optional[str] = None, help: Optional[str] = None) -> Union[Criterion, Callable[[Score], Criterion]]:
    """Makes a criterion of a function that is given the graph (tenon.editing.Graph, which it cannot change), a node, which of its inputs is the constant, calibration
    samples (tenon.samples.Samples, or None) and how many of them to use, and returns an array of the constant's shape: the least are worth least."""
    if function is None:
        return lambda given: Criterion(given, name, help)
    return Criterion(function, name, help)
