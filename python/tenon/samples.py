"""Samples of an .npz file inside a pass: what a graph is evaluated on."""
from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any, Callable, List, Mapping, Optional, Tuple

import numpy as np
import numpy.typing as npt

from . import _plugin as abi
from ._spelling import to_bytes

if TYPE_CHECKING:
    from .editing import Graph


class Samples:
    """Made by Graph.samples; lives until the pass returns. Parts of the graph (Graph.extract) run on them, too."""
    __slots__ = ("_graph", "_at")

    def __init__(self, graph: Graph, path: str, maps: Mapping[str, str], scales: Mapping[str, float]) -> None:
        pairs = [f"{to_bytes(k).decode()}={to_bytes(v).decode()}" for k, v in maps.items()], [f"{to_bytes(k).decode()}={float(v)!r}" for k, v in scales.items()]
        spelled = [abi.texts(words) for words in pairs]
        self._graph = graph
        self._at: int = graph._made(graph._e.open(graph._host, to_bytes(path, "a path"), *spelled))

    @classmethod
    def _lent(cls, graph: Graph, at: int) -> Samples:
        """Those that a criterion was handed."""
        made = cls.__new__(cls)
        made._graph, made._at = graph, at
        return made

    @staticmethod
    def _of(given: object) -> Samples:
        if not isinstance(given, Samples):
            raise TypeError(f"expected samples, as graph.samples makes them, not {given!r}")
        return given

    def _own(self, graph: Graph) -> int:
        self._graph._check()
        if graph is not self._graph and graph not in self._graph._parts:
            raise ValueError("these samples are of another graph")
        return self._at

    def _count(self, graph: Graph) -> int:
        found = graph._e.count(graph._host, self._own(graph), graph._live)
        graph._look()
        return int(found)

    def _range(self, graph: Graph, first: int, n: Optional[int]) -> Tuple[int, int]:
        count = self._count(graph)
        last = count if n is None else first + n
        if not 0 <= first <= last <= count:
            raise IndexError(f"there are {count} samples, so not those from {first} to {last}")
        return first, last - first

    @property
    def count(self) -> int:
        """How many there are for the inputs of the graph."""
        return self._count(self._graph)

    def array(self, name: str) -> npt.NDArray[Any]:
        """Another array of the file, such as the labels."""
        graph = self._graph
        return graph._contents(graph._made(graph._e.array(graph._host, self._own(graph), to_bytes(name))))

    def _run(self, graph: Graph, values: List[int], first: int, n: Optional[int], each: Callable[[int, List[npt.NDArray[Any]]], object]) -> None:
        first, n = self._range(graph, first, n)
        raised: List[BaseException] = []
        context = graph._context

        def see(_: object, number: int, tensors: Any) -> int:
            try:
                context.signals.within_python(each, number, [graph._contents(tensors[i]) for i in range(len(values))])
                return abi.OK
            except BaseException as error:  # noqa: B902 - nothing may pass through C
                raised.append(error)
                return abi.INVALID

        code = context.signals.within_c(graph._e.run, graph._host, graph._live, self._own(graph), first, n, (ctypes.c_void_p * max(1, len(values)))(*values), len(values), abi.EACH(see), None)
        if raised:
            raise raised[0]
        graph._done(code)

    def __repr__(self) -> str:
        return "<tenon Samples>" if self._graph._alive else "<tenon Samples, dead>"
