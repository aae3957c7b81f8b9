"""A model's graph inside a pass written in Python: walking and editing. Everything here is a handle of the running pass: what has been removed, and
everything once the pass has returned, raises a DeadError; so does another thread, a ThreadError."""
from __future__ import annotations

import ctypes
import operator
import threading
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Mapping, NoReturn, Optional, Sequence, SupportsIndex, Tuple, TypeVar, Union, cast

import numpy as np
import numpy.typing as npt

from . import _plugin as abi
from . import _reporting as reporting
from . import _spelling as spelling
from ._spelling import to_bytes
from .errors import DeadError, PassError, RefusedError, ThreadError
from .model import DTYPES, PACKED
from .samples import Samples

if TYPE_CHECKING:
    from .context import Context
    from .transform import Option

ELEMENT_TYPES = {np.dtype(DTYPES[n]): n for n in sorted(DTYPES, reverse=True) if n <= 13}
SUMMED, MIXED = -1, -2  # what Node.axis answers where an axis of the input is none of the output's
_Int = int  # Node has methods of these names
_Float = float
Array = npt.NDArray[Any]
_Made = TypeVar("_Made")


class _Handle:
    """A node or value: one object for each, as long as it lives."""
    __slots__ = ("_graph", "_at")

    def __init__(self, graph: Graph, at: Optional[int]) -> None:
        self._graph, self._at = graph, at

    @property
    def _live(self) -> int:
        self._graph._check()
        if not self._at:
            raise DeadError(f"this {type(self).__name__.lower()} is no longer in the graph")
        return self._at


class Node(_Handle):
    """One operator at work."""
    __slots__ = ()

    @property
    def op(self) -> str:
        """"MatMul" """
        return self._graph._text(self._graph._g.op(self._live))

    @property
    def domain(self) -> str:
        """"" for ONNX's own operators."""
        return self._graph._text(self._graph._g.domain(self._live))

    @property
    def name(self) -> str:
        """May be "", and may be set."""
        return self._graph._text(self._graph._g.node_name(self._live))

    @name.setter
    def name(self, text: str) -> None:
        self._graph._done(self._graph._g.set_node_name(self._graph._host, self._live, to_bytes(text)))

    @property
    def inputs(self) -> List[Optional[Value]]:
        """Values; None where one is left out."""
        g = self._graph._g
        return [self._graph._value(g.node_input(self._live, i)) for i in range(g.node_inputs(self._live))]

    @property
    def outputs(self) -> List[Optional[Value]]:
        """Values; None where one is left out."""
        g = self._graph._g
        return [self._graph._value(g.node_output(self._live, i)) for i in range(g.node_outputs(self._live))]

    @property
    def output(self) -> Value:
        """The first output."""
        return cast(Value, self._graph._value(self._graph._g.node_output(self._live, 0)))

    @property
    def next(self) -> Optional[Node]:
        """The node behind it in the graph's order; None at the end."""
        return self._graph._node(self._graph._g.next(self._live))

    @property
    def previous(self) -> Optional[Node]:
        """The node before it in the graph's order; None at the beginning."""
        return self._graph._node(self._graph._g.previous(self._live))

    def has(self, attribute: str) -> bool:
        """Has the node itself an attribute of this name?"""
        return bool(self._graph._g.has_attribute(self._live, to_bytes(attribute)))

    def int(self, attribute: str) -> _Int:
        """An attribute that is an integer: the node's, else the operator's default, else 0."""
        return cast(_Int, self._graph._g.attribute_int(self._live, to_bytes(attribute)))

    def float(self, attribute: str) -> _Float:
        """An attribute that is a float: the node's, else the operator's default, else 0."""
        return cast(_Float, self._graph._g.attribute_float(self._live, to_bytes(attribute)))

    def text(self, attribute: str) -> Optional[str]:
        """An attribute that is a text: the node's, else the operator's default, else None."""
        found = self._graph._g.attribute_text(self._live, to_bytes(attribute))
        return None if found is None else self._graph._text(found)

    def ints(self, attribute: str) -> Optional[List[_Int]]:
        """An attribute that is a list of integers; None where there is none."""
        n = ctypes.c_size_t()
        found = self._graph._g.attribute_ints(self._live, to_bytes(attribute), ctypes.byref(n))
        return found[:n.value] if found else None

    def annotation(self, key: str) -> Optional[str]:
        """What has been noted of the node under this key; None."""
        found = self._graph._g.annotation(self._live, to_bytes(key))
        return None if found is None else self._graph._text(found)

    def annotate(self, key: str, text: Optional[str]) -> None:
        """Notes a text, which inspect and draw show and ONNX gets as metadata; None takes it away."""
        self._graph._done(self._graph._g.annotate(self._graph._host, self._live, to_bytes(key), None if text is None else to_bytes(text, "an annotation")))

    def set(self, **attributes: Any) -> None:
        """Adds and replaces attributes: node.set(axis=1, perm=[0, 2, 1]). Types behind follow."""
        self._graph._done(self._graph._g.set_attributes(self._graph._host, self._live, spelling.attributes(attributes) or b""))

    def set_input(self, i: SupportsIndex, value: Value) -> None:
        """Input i is the value from now on."""
        n = self._graph._g.node_inputs(self._live)
        self._graph._done(self._graph._g.set_input(self._graph._host, self._live, spelling.index(i, n, "inputs"), self._graph._own(value, Value)))

    def insert_before(self, i: SupportsIndex, op: str, **attributes: Any) -> Node:
        """A node of one input and one output between input i and this node."""
        n = self._graph._g.node_inputs(self._live)
        made = self._graph._g.insert_before(self._graph._host, self._graph._live, self._live, spelling.index(i, n, "inputs"), to_bytes(op), spelling.attributes(attributes))
        return self._graph._made(self._graph._node(made))

    def move_before(self, other: Optional[Node]) -> None:
        """Changes its place in the order; None is the end."""
        to = None if other is None else self._graph._own(other, Node)
        self._graph._done(self._graph._g.move_before(self._graph._host, self._graph._live, self._live, to))

    def erase(self) -> None:
        """Takes it out; refused while an output is used: replace comes first."""
        outputs = [v for v in self.outputs if v is not None]
        self._graph._done(self._graph._g.erase(self._graph._host, self._graph._live, self._live))
        for handle in (self, *outputs):
            self._graph._forget(handle)

    def axis(self, i: SupportsIndex, axis: SupportsIndex) -> _Int:
        """The axis of the first output that has, place by place, what comes from this axis of input i; SUMMED where it is summed over, place by place with another
        input's, so that zeros may be left out; MIXED where it is neither, or not known."""
        inputs = self.inputs
        place = spelling.index(i, len(inputs), "inputs")
        value = inputs[place]
        shape = value.shape if value is not None else None
        if shape is None:
            return MIXED
        return cast(_Int, self._graph._i.axis(self._graph._host, self._live, place, spelling.index(axis, len(shape), "axes")))

    @property
    def macs(self) -> Optional[_Int]:
        """Multiply-accumulates; None where a dimension is not known."""
        found = self._graph._c.macs(self._graph._host, self._live)
        return None if found < 0 else cast(_Int, found)

    def __repr__(self) -> str:
        return f"<Node {self.name or '(no name)'}: {self.op}>" if self._graph._alive and self._at else "<Node, dead>"


class Value(_Handle):
    """What flows: an input, a constant, an output of a node."""
    __slots__ = ()

    @property
    def name(self) -> str:
        """Unique in the graph."""
        return self._graph._text(self._graph._g.value_name(self._live))

    @property
    def type(self) -> str:
        """"f32[batch,128]" """
        return self._graph._text(self._graph._g.type_text(self._graph._host, self._live))

    @property
    def element_type(self) -> int:
        """A number of ONNX's TensorProto.DataType; 0 where it is not known."""
        return int(self._graph._g.element_type(self._live))

    @property
    def shape(self) -> Optional[Tuple[Union[int, str], ...]]:
        """Dimensions: an int, or a text ("batch") where it is not known; None for an unknown rank."""
        g, at = self._graph._g, self._live
        rank = g.rank(at)
        sizes = [g.dim(at, i) for i in range(rank)]
        return None if rank < 0 else tuple(n if n >= 0 else self._graph._text(g.dim_text(self._graph._host, at, i)) for i, n in enumerate(sizes))

    @property
    def is_input(self) -> bool:
        """Is it an input of the graph?"""
        return bool(self._graph._g.is_input(self._live))

    @property
    def constant(self) -> Optional[Array]:
        """The contents as an array of their own; None where it is no constant. Types of 4 and 2 bits are packed: a vector of bytes."""
        at = self._graph._g.constant(self._live)
        return self._graph._contents(at) if at else None

    @property
    def producer(self) -> Optional[Node]:
        """The node that computes it; None for inputs and constants."""
        return self._graph._node(self._graph._g.producer(self._live))

    @property
    def uses(self) -> List[Tuple[Optional[Node], int]]:
        """(node, number of its input) of all uses; node None: the output of the graph with this number."""
        g = self._graph._g
        found = [g.use(self._live, i) for i in range(g.uses(self._live))]
        return [(self._graph._node(u.node), u.index) for u in found]

    def replace(self, other: Value) -> None:
        """Every use of it, outputs of the graph too, becomes a use of the other."""
        self._graph._done(self._graph._g.replace_all_uses(self._graph._host, self._graph._live, self._live, self._graph._own(other, Value)))

    def insert_after(self, op: str, **attributes: Any) -> Node:
        """A node of one input and one output behind it: who used the value uses the node's output from now on."""
        made = self._graph._g.insert_after(self._graph._host, self._graph._live, self._live, to_bytes(op), spelling.attributes(attributes))
        return self._graph._made(self._graph._node(made))

    def match(self, pattern: str) -> Optional[Tuple[List[Optional[Value]], List[Node], bool]]:
        """Does what computes it have this form: "Mul(x, Sigmoid(x))"? (values, nodes, is_private), or None. plugin.h says what patterns there are."""
        found = abi.Match(struct_size=ctypes.sizeof(abi.Match))
        if not self._graph._g.match(self._graph._host, self._live, to_bytes(pattern, "a pattern"), ctypes.byref(found)):
            self._graph._look()
            return None
        return ([self._graph._value(v) for v in found.values[:found.n_values]], [n for at in found.nodes[:found.n_nodes] if (n := self._graph._node(at))], bool(found.is_private))

    def make_constant(self, array: npt.ArrayLike) -> None:
        """An output of a node becomes a constant of these contents; the node loses it."""
        if self.producer is None:
            raise ValueError(f"'{self.name}' is no output of a node")
        self._graph._done(self._graph._g.make_constant(self._graph._host, self._graph._live, self._live, self._graph._tensor(array)))
        self._graph._sweep()

    def bind(self, array: npt.ArrayLike) -> None:
        """An input becomes a constant: an array of its shape, or one number for all elements. The input is gone afterwards."""
        self._graph._done(self._graph._g.bind_input(self._graph._host, self._graph._live, self._live, self._graph._tensor(array)))
        self._graph._sweep()

    def remove(self) -> None:
        """Takes away an input or a constant that nobody uses."""
        self._graph._done(self._graph._g.remove_value(self._graph._host, self._graph._live, self._live))
        self._graph._forget(self)

    def __repr__(self) -> str:
        return f"<Value {self.name}: {self.type}>" if self._graph._alive and self._at else "<Value, dead>"


class Graph:
    """The graph that a pass works on. Nodes stand in an order in which definitions come before uses; every change keeps it so, or is refused."""

    def __init__(self, host: int, graph: int, context: Context, options: Mapping[str, Option], fixed: bool = False) -> None:
        self._at, self._graph = host, graph
        self._context, self._options, self._alive, self._thread = context, options, True, threading.get_ident()
        found = abi.interfaces(host)
        self._g, self._t, self._o, self._d, self._r, self._i, self._e, self._c, self._k = (
            found[n] for n in ("graph", "tensor", "option", "diag", "report", "opinfo", "eval", "cost", "criterion"))
        if fixed:
            self._g = abi.Fixed(self._g)
        self._handles: Dict[Tuple[type, int], Any] = {}
        self._parts: List[Graph] = []  # that were extracted, and end with it
        self._seen = context.message_count()

    # ---- inside ----

    def _check(self) -> None:
        if not self._alive:
            raise DeadError("the pass that this belongs to has returned")
        if threading.get_ident() != self._thread:
            raise ThreadError("a graph belongs to the thread that its pass runs on")

    @property
    def _live(self) -> int:
        self._check()
        return self._graph

    @property
    def _host(self) -> int:
        self._check()
        return self._at

    def _end(self) -> None:
        for part in self._parts:
            part._end()
        self._alive = False
        self._at = self._graph = 0
        self._handles.clear()

    @staticmethod
    def _text(raw: Optional[bytes]) -> str:
        return "" if raw is None else raw.decode(errors="replace")

    def _look(self) -> None:
        """Has the host said something? Then the pass has failed, whatever it does."""
        n = self._context.message_count()
        if n > self._seen:
            fresh, self._seen = self._context.errors(self._seen), n
            if fresh:
                raise RefusedError(fresh)

    def _done(self, code: int) -> None:
        self._look()
        if code != abi.OK:
            raise RefusedError([], code)

    def _made(self, handle: Optional[_Made]) -> _Made:
        self._look()
        if handle is None:
            raise RefusedError([], abi.RESOURCE)
        return handle

    def _handle(self, kind: Any, at: Optional[int]) -> Any:
        if not at:
            return None
        found = self._handles.get((kind, at))
        if found is None:
            found = self._handles[kind, at] = kind(self, at)
        return found

    def _node(self, at: Optional[int]) -> Optional[Node]:
        return cast(Optional[Node], self._handle(Node, at))

    def _value(self, at: Optional[int]) -> Optional[Value]:
        return cast(Optional[Value], self._handle(Value, at))

    def _own(self, handle: object, kind: type[_Handle]) -> int:
        if not isinstance(handle, kind):
            raise TypeError(f"expected a {kind.__name__}, not {handle!r}")
        if handle._graph is not self:
            raise ValueError(f"{handle!r} is of another graph")
        return handle._live

    def _forget(self, handle: _Handle) -> None:
        self._handles.pop((type(handle), handle._at or 0), None)
        handle._at = None

    def _sweep(self) -> None:
        """Handles of what is no longer there are dead."""
        there = {(Node, at) for at in self._walk("first", "next")} | {(Value, at) for at in self._walk("first_value", "next_value")}
        for key, handle in list(self._handles.items()):
            if key not in there:
                self._forget(handle)

    def _walk(self, first: str, following: str) -> Iterator[int]:
        at, step = getattr(self._g, first)(self._live), getattr(self._g, following)
        while at:
            yield at
            at = step(at)

    def _contents(self, at: int) -> Array:
        t = self._t
        number, data = t.element_type(at), ctypes.string_at(t.data(at), t.bytes(at)) if t.bytes(at) else b""
        array = np.frombuffer(data, DTYPES[number]).copy()
        return array if number in PACKED else array.reshape([t.dims(at)[i] for i in range(t.rank(at))])

    def _tensor(self, given: npt.ArrayLike) -> int:
        array = np.asarray(given)
        if array.dtype == np.float64 and not isinstance(given, (np.ndarray, np.generic)):
            array = array.astype(np.float32)
        number = ELEMENT_TYPES.get(array.dtype)
        if number is None:
            raise TypeError(f"a constant cannot be of {array.dtype}")
        array = np.ascontiguousarray(array).reshape(array.shape)
        dims = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
        made = self._t.make(self._host, self._live, number, array.ndim, dims, array.__array_interface__["data"][0] if array.size else None)
        return self._made(cast(Optional[int], made))

    # ---- walking ----

    @property
    def name(self) -> str:
        """The model's."""
        return self._text(self._g.name(self._live))

    @property
    def inputs(self) -> List[Value]:
        """Values."""
        return [v for i in range(self._g.inputs(self._live)) if (v := self._value(self._g.input(self._live, i)))]

    @property
    def outputs(self) -> List[Value]:
        """Values."""
        return [v for i in range(self._g.outputs(self._live)) if (v := self._value(self._g.output(self._live, i)))]

    @property
    def output_names(self) -> List[str]:
        """What the outputs are called."""
        return [self._text(self._g.output_name(self._live, i)) for i in range(self._g.outputs(self._live))]

    @property
    def nodes(self) -> List[Node]:
        """All nodes in their order, as a list that changes of the graph leave alone."""
        return [n for at in self._walk("first", "next") if (n := self._node(at))]

    @property
    def values(self) -> List[Value]:
        """All values: inputs, constants, outputs of nodes."""
        return [v for at in self._walk("first_value", "next_value") if (v := self._value(at))]

    def find_node(self, name: str) -> Optional[Node]:
        """The node of this name; None."""
        return self._node(self._g.find_node(self._live, to_bytes(name)))

    def find_value(self, name: str) -> Optional[Value]:
        """The value of this name; None."""
        return self._value(self._g.find_value(self._live, to_bytes(name)))

    # ---- building and changing ----

    def node(self, op: str, inputs: Iterable[Optional[Value]], *, before: Optional[Node] = None, outputs: SupportsIndex = 1, **attributes: Any) -> Node:
        """A new node of ONNX's, before another (None: at the end); inputs may have None where one is left out. Types are inferred."""
        outputs = operator.index(outputs)
        if not 1 <= outputs <= 1024:
            raise ValueError(f"a node has 1 to 1024 outputs, not {outputs}")
        at = [None if v is None else self._own(v, Value) for v in inputs]
        place = None if before is None else self._own(before, Node)
        made = self._g.build(self._host, self._live, place, to_bytes(op, "an operator"), (ctypes.c_void_p * max(1, len(at)))(*at), len(at), spelling.attributes(attributes), outputs)
        return self._made(self._node(made))

    def constant(self, array: npt.ArrayLike, name: Optional[str] = None) -> Value:
        """A new constant."""
        made = self._g.add_constant(self._host, self._live, None if name is None else to_bytes(name), self._tensor(array))
        return self._made(self._value(made))

    def add_input(self, name: str, type: str) -> Value:
        """A new input: add_input("mask", "i64[batch,128]")."""
        return self._made(self._value(self._g.add_input(self._host, self._live, to_bytes(name), to_bytes(type, "a type"))))

    def add_output(self, value: Value, name: str) -> None:
        """A value becomes an output, too."""
        self._done(self._g.add_output(self._host, self._live, self._own(value, Value), to_bytes(name)))

    def set_output(self, i: SupportsIndex, value: Value) -> None:
        """Output i is the value from now on."""
        i = spelling.index(i, self._g.outputs(self._live), "outputs")
        self._done(self._g.set_output(self._host, self._live, i, self._own(value, Value)))

    def remove_output(self, i: SupportsIndex) -> None:
        """Output i is one no longer."""
        self._done(self._g.remove_output(self._host, self._live, spelling.index(i, self._g.outputs(self._live), "outputs")))

    def clean_up(self) -> None:
        """What tenon does between passes: computes what is constant, removes what is unused. All handles are dead afterwards: walk anew."""
        self._done(self._g.clean_up(self._host, self._live))
        for handle in list(self._handles.values()):
            self._forget(handle)

    def change(self, changes: Iterable[Union[Tuple[Node, SupportsIndex, Value], Tuple[Node, Mapping[str, Any]]]]) -> None:
        """Makes several changes at once, and infers types only when all are as they are to be: for what is not valid in between, as where channels go. Each is
        (node, number of an input, value) or (node, attributes): graph.change([(conv, 1, weights), (pool, {"axis": 1})])."""
        made = []
        for one in changes:
            at = self._own(one[0], Node)
            if len(one) == 2 and isinstance(one[1], Mapping):
                made.append(abi.Change(at, 0, None, spelling.attributes(one[1])))
            elif len(one) == 3:
                made.append(abi.Change(at, spelling.index(one[1], len(one[0].inputs), "inputs"), self._own(one[2], Value), None))
            else:
                raise TypeError(f"a change is (node, input, value) or (node, attributes), not {one!r}")
        self._done(self._g.change(self._host, self._live, (abi.Change * max(1, len(made)))(*made), len(made)))

    def extract(self, inputs: Iterable[Value], outputs: Iterable[Value]) -> Graph:
        """A graph of its own of what computes the outputs from the inputs, which become its inputs; constants come along. Changing it leaves this one alone. It
        lives until the pass returns."""
        ends = [[self._own(v, Value) for v in side] for side in (inputs, outputs)]
        arrays = [(ctypes.c_void_p * max(1, len(side)))(*side) for side in ends]
        made = self._made(self._g.extract(self._host, self._live, arrays[0], len(ends[0]), arrays[1], len(ends[1])))
        self._parts.append(Graph(self._at, made, self._context, self._options))
        return self._parts[-1]

    # ---- judging ----

    def samples(self, path: str, maps: Optional[Mapping[str, str]] = None, scales: Optional[Mapping[str, float]] = None) -> Samples:
        """The samples of an .npz file, for run and score: an array for each input, whose first dimension is the samples. maps: {"INPUT": "ARRAY"} where names
        differ, scales: {"INPUT": factor}."""
        return Samples(self, path, maps or {}, scales or {})

    def run(self, samples: Samples, values: Sequence[Value], first: int = 0, n: Optional[int] = None,
            each: Optional[Callable[[int, List[Array]], object]] = None) -> List[List[Array]]:
        """Computes what the values are on samples, from number `first` on, n of them (None: all that follow). Calls each(number, arrays) for every sample, an
        exception of which ends the run; without it the arrays are returned, a list for each value. Always computed as for one and the same target,
        whatever the machine, so that what is decided by it is the same everywhere."""
        found: List[List[Array]] = [[] for _ in values]

        def keep(_: int, arrays: List[Array]) -> None:
            for own, array in zip(found, arrays):
                own.append(array)

        Samples._of(samples)._run(self, [self._own(v, Value) for v in values], first, n, each or keep)
        return found

    def score(self, criterion: str, node: Node, i: SupportsIndex, samples: Optional[Samples] = None, n: int = 0) -> Array:
        """What the numbers of the constant that is input i of the node are worth, by the criterion of this name, a plugin's or one made by tenon.criterion: an
        array of its shape, in which the least are worth least. n samples go to it."""
        place = spelling.index(i, len(node.inputs), "inputs")
        value = node.inputs[place]
        at, constant = self._own(node, Node), None if value is None else value.constant
        if value is None or constant is None:
            raise ValueError(f"input {place} of {node!r} is no constant")
        scores = np.zeros([int(d) for d in value.shape or ()], np.float64)
        data, n = (None, 0) if samples is None else (Samples._of(samples)._own(self), samples._range(self, 0, n)[1])
        self._done(self._context.signals.within_c(self._k.score, self._host, to_bytes(criterion), self._live, at, place, data, n, scores.ctypes.data))
        return scores

    def cycles(self, target: Optional[str] = None) -> float:
        """Cycles that a run takes on the target (None: host) by the model of its core; nothing is measured. All shapes have to be known."""
        found = self._c.cycles(self._host, self._live, None if target is None else to_bytes(target, "a target"))
        self._look()
        return float(found)

    # ---- telling ----

    def _known(self, name: str) -> None:
        self._check()
        if name not in self._options:
            raise KeyError(f"the pass has no option '{name}'")

    def given(self, name: str, node: Optional[Node] = None) -> bool:
        """Has the user said this option, for the node or for the pass? A default is not said."""
        self._known(name)
        return bool(self._o.given_for(self._host, name.encode(), None if node is None else self._own(node, Node)))

    def option(self, name: str, node: Optional[Node] = None) -> Any:
        """An option of the pass, as it was given for a node: a pipeline file may have others for some."""
        self._known(name)
        return self._options[name]._read(self, name, None if node is None else self._own(node, Node))

    def nearest(self, wrong: str, names: Iterable[str]) -> Optional[str]:
        """The one of the names that `wrong` was perhaps meant to be; None where none is near."""
        known = [to_bytes(n) for n in names]
        found = self._d.nearest(self._host, to_bytes(wrong), (ctypes.c_char_p * max(1, len(known)))(*known), len(known))
        return None if found is None else self._text(found)

    def warn(self, message: str, node: Optional[Node] = None, id: str = "python-pass", note: Optional[str] = None) -> None:
        """A warning to the user, at a node or about the whole, and a line under it."""
        self._d.warning(self._host, None if node is None else self._own(node, Node), to_bytes(id), b"%s", to_bytes(message, "a message"))
        if note is not None:
            self._d.note(self._host, b"%s", to_bytes(note, "a note"))

    def report(self, line: Optional[str] = None, **fields: Any) -> None:
        """A line for people, and fields for the JSON of --json ("passes"): numbers, texts, and lists and dicts of such."""
        self._check()
        if "pass" in fields:
            raise ValueError("the field 'pass' of a report is the name of the pass: give this another name")
        reporting.check(fields, "a report")
        if line is not None:
            self._r.line(self._host, b"%s", to_bytes(line, "a line"))
        reporting.write(self._r, self._host, fields)

    def fail(self, message: str, node: Optional[Node] = None, id: str = "python-pass") -> NoReturn:
        """Ends the pass as a failure, with this message at the node; the model is as it was before."""
        raise PassError(message, node, id)

    def __str__(self) -> str:
        """The graph's text form."""
        return self._text(self._g.print(self._host, self._live))

    def __repr__(self) -> str:
        return f"<tenon.editing.Graph {self.name}>" if self._alive else "<tenon.editing.Graph, dead>"
