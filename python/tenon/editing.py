"""A model's graph inside a pass written in Python: walking and editing. Everything here is a handle of the running pass: what has been removed, and
everything once the pass has returned, raises a DeadError; so does another thread, a ThreadError."""
import ctypes
import operator
import threading

import numpy as np

from . import _plugin as abi
from .errors import DeadError, PassError, RefusedError, ThreadError
from .model import DTYPES, PACKED

ELEMENT_TYPES = {np.dtype(DTYPES[n]): n for n in sorted(DTYPES, reverse=True) if n <= 13}


def _bytes(text, what="a name"):
    if not isinstance(text, str):
        raise TypeError(f"{what} is a text, not {text!r}")
    if "\0" in text:
        raise ValueError(f"{what} has a zero byte: {text!r}")
    return text.encode()


def _quoted(text):
    return '"' + _bytes(text, "an attribute").decode().translate({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}) + '"'


def _number(x):
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return str(int(x))
    text = repr(float(x))
    return text if any(c in text for c in ".en") else text + ".0"


def _attribute(name, value):
    if isinstance(value, str):
        return f"{name}={_quoted(value)}"
    if isinstance(value, (bool, np.bool_, int, np.integer, float, np.floating)):
        return f"{name}={_number(value)}"
    if isinstance(value, (tuple, list, np.ndarray)):
        items = list(value)
        if items and all(isinstance(x, str) for x in items):
            return f"{name}=[{', '.join(map(_quoted, items))}]"
        if not all(isinstance(x, (bool, np.bool_, int, np.integer, float, np.floating)) for x in items):
            raise TypeError(f"attribute {name}: a list of numbers or of texts, not {value!r}")
        if any(isinstance(x, (float, np.floating)) for x in items):
            items = [float(x) for x in items]
        return f"{name}=[{', '.join(map(_number, items))}]" if items else f"{name}=ints []"
    raise TypeError(f"attribute {name}: a number, a text, or a list of such, not {value!r}")


def _attributes(given):
    return ", ".join(_attribute(n, v) for n, v in given.items()).encode() or None


def _index(i, n, what):
    i = operator.index(i)
    if not -n <= i < n:
        raise IndexError(f"there are {n} {what}, so none has the number {i}")
    return i % n if n else i


class _Handle:
    """A node or value: one object for each, as long as it lives."""
    __slots__ = ("_graph", "_at")

    def __init__(self, graph, at):
        self._graph, self._at = graph, at

    @property
    def _live(self):
        self._graph._check()
        if not self._at:
            raise DeadError(f"this {type(self).__name__.lower()} is no longer in the graph")
        return self._at


class Node(_Handle):
    """One operator at work."""
    __slots__ = ()

    @property
    def op(self):
        """"MatMul" """
        return self._graph._text(self._graph._g.op(self._live))

    @property
    def domain(self):
        """"" for ONNX's own operators."""
        return self._graph._text(self._graph._g.domain(self._live))

    @property
    def name(self):
        """May be "", and may be set."""
        return self._graph._text(self._graph._g.node_name(self._live))

    @name.setter
    def name(self, text):
        self._graph._done(self._graph._g.set_node_name(self._graph._host, self._live, _bytes(text)))

    @property
    def inputs(self):
        """Values; None where one is left out."""
        g = self._graph._g
        return [self._graph._value(g.node_input(self._live, i)) for i in range(g.node_inputs(self._live))]

    @property
    def outputs(self):
        """Values; None where one is left out."""
        g = self._graph._g
        return [self._graph._value(g.node_output(self._live, i)) for i in range(g.node_outputs(self._live))]

    @property
    def output(self):
        """The first output."""
        return self._graph._value(self._graph._g.node_output(self._live, 0))

    @property
    def next(self):
        """The node behind it in the graph's order; None at the end."""
        return self._graph._node(self._graph._g.next(self._live))

    def has(self, attribute):
        """Has the node itself an attribute of this name?"""
        return bool(self._graph._g.has_attribute(self._live, _bytes(attribute)))

    def int(self, attribute):
        """An attribute that is an integer: the node's, else the operator's default, else 0."""
        return self._graph._g.attribute_int(self._live, _bytes(attribute))

    def float(self, attribute):
        """An attribute that is a float: the node's, else the operator's default, else 0."""
        return self._graph._g.attribute_float(self._live, _bytes(attribute))

    def text(self, attribute):
        """An attribute that is a text: the node's, else the operator's default, else None."""
        found = self._graph._g.attribute_text(self._live, _bytes(attribute))
        return None if found is None else self._graph._text(found)

    def ints(self, attribute):
        """An attribute that is a list of integers; None where there is none."""
        n = ctypes.c_size_t()
        found = self._graph._g.attribute_ints(self._live, _bytes(attribute), ctypes.byref(n))
        return found[:n.value] if found else None

    def annotation(self, key):
        """What has been noted of the node under this key; None."""
        found = self._graph._g.annotation(self._live, _bytes(key))
        return None if found is None else self._graph._text(found)

    def annotate(self, key, text):
        """Notes a text, which inspect and draw show and ONNX gets as metadata; None takes it away."""
        self._graph._done(self._graph._g.annotate(self._graph._host, self._live, _bytes(key), None if text is None else _bytes(text, "an annotation")))

    def set(self, **attributes):
        """Adds and replaces attributes: node.set(axis=1, perm=[0, 2, 1]). Types behind follow."""
        self._graph._done(self._graph._g.set_attributes(self._graph._host, self._live, _attributes(attributes) or b""))

    def set_input(self, i, value):
        """Input i is the value from now on."""
        n = self._graph._g.node_inputs(self._live)
        self._graph._done(self._graph._g.set_input(self._graph._host, self._live, _index(i, n, "inputs"), self._graph._own(value, Value)))

    def insert_before(self, i, op, **attributes):
        """A node of one input and one output between input i and this node."""
        n = self._graph._g.node_inputs(self._live)
        made = self._graph._g.insert_before(self._graph._host, self._graph._live, self._live, _index(i, n, "inputs"), _bytes(op), _attributes(attributes))
        return self._graph._made(self._graph._node(made))

    def move_before(self, other):
        """Changes its place in the order; None is the end."""
        to = None if other is None else self._graph._own(other, Node)
        self._graph._done(self._graph._g.move_before(self._graph._host, self._graph._live, self._live, to))

    def erase(self):
        """Takes it out; refused while an output is used: replace comes first."""
        outputs = [v for v in self.outputs if v is not None]
        self._graph._done(self._graph._g.erase(self._graph._host, self._graph._live, self._live))
        for handle in (self, *outputs):
            self._graph._forget(handle)

    def __repr__(self):
        return f"<Node {self.name or '(no name)'}: {self.op}>" if self._graph._alive and self._at else "<Node, dead>"


class Value(_Handle):
    """What flows: an input, a constant, an output of a node."""
    __slots__ = ()

    @property
    def name(self):
        """Unique in the graph."""
        return self._graph._text(self._graph._g.value_name(self._live))

    @property
    def type(self):
        """"f32[batch,128]" """
        return self._graph._text(self._graph._g.type_text(self._graph._host, self._live))

    @property
    def element_type(self):
        """A number of ONNX's TensorProto.DataType; 0 where it is not known."""
        return self._graph._g.element_type(self._live)

    @property
    def shape(self):
        """Dimensions: an int, or a text ("batch") where it is not known; None for an unknown rank."""
        g, at = self._graph._g, self._live
        rank = g.rank(at)
        sizes = [g.dim(at, i) for i in range(rank)]
        return None if rank < 0 else tuple(n if n >= 0 else self._graph._text(g.dim_text(self._graph._host, at, i)) for i, n in enumerate(sizes))

    @property
    def is_input(self):
        """Is it an input of the graph?"""
        return bool(self._graph._g.is_input(self._live))

    @property
    def constant(self):
        """The contents as an array of their own; None where it is no constant. Types of 4 and 2 bits are packed: a vector of bytes."""
        at = self._graph._g.constant(self._live)
        return self._graph._contents(at) if at else None

    @property
    def producer(self):
        """The node that computes it; None for inputs and constants."""
        return self._graph._node(self._graph._g.producer(self._live))

    @property
    def uses(self):
        """(node, number of its input) of all uses; node None: the output of the graph with this number."""
        g = self._graph._g
        found = [g.use(self._live, i) for i in range(g.uses(self._live))]
        return [(self._graph._node(u.node), u.index) for u in found]

    def replace(self, other):
        """Every use of it, outputs of the graph too, becomes a use of the other."""
        self._graph._done(self._graph._g.replace_all_uses(self._graph._host, self._graph._live, self._live, self._graph._own(other, Value)))

    def insert_after(self, op, **attributes):
        """A node of one input and one output behind it: who used the value uses the node's output from now on."""
        made = self._graph._g.insert_after(self._graph._host, self._graph._live, self._live, _bytes(op), _attributes(attributes))
        return self._graph._made(self._graph._node(made))

    def match(self, pattern):
        """Does what computes it have this form: "Mul(x, Sigmoid(x))"? (values, nodes, is_private), or None. plugin.h says what patterns there are."""
        found = abi.Match(struct_size=ctypes.sizeof(abi.Match))
        if not self._graph._g.match(self._graph._host, self._live, _bytes(pattern, "a pattern"), ctypes.byref(found)):
            self._graph._look()
            return None
        return ([self._graph._value(v) for v in found.values[:found.n_values]], [self._graph._node(n) for n in found.nodes[:found.n_nodes]], bool(found.is_private))

    def make_constant(self, array):
        """An output of a node becomes a constant of these contents; the node loses it."""
        if self.producer is None:
            raise ValueError(f"'{self.name}' is no output of a node")
        self._graph._done(self._graph._g.make_constant(self._graph._host, self._graph._live, self._live, self._graph._tensor(array)))
        self._graph._sweep()

    def bind(self, array):
        """An input becomes a constant: an array of its shape, or one number for all elements. The input is gone afterwards."""
        self._graph._done(self._graph._g.bind_input(self._graph._host, self._graph._live, self._live, self._graph._tensor(array)))
        self._graph._sweep()

    def remove(self):
        """Takes away an input or a constant that nobody uses."""
        self._graph._done(self._graph._g.remove_value(self._graph._host, self._graph._live, self._live))
        self._graph._forget(self)

    def __repr__(self):
        return f"<Value {self.name}: {self.type}>" if self._graph._alive and self._at else "<Value, dead>"


class Graph:
    """The graph that a pass works on. Nodes stand in an order in which definitions come before uses; every change keeps it so, or is refused."""

    def __init__(self, host, graph, context, options):
        self._at, self._graph, self._context, self._options, self._alive, self._thread = host, graph, context, options, True, threading.get_ident()
        found = abi.interfaces(host)
        self._g, self._t, self._o, self._d, self._r = (found[n] for n in ("graph", "tensor", "option", "diag", "report"))
        self._handles, self._seen = {}, context.message_count()

    # ---- inside ----

    def _check(self):
        if not self._alive:
            raise DeadError("the pass that this belongs to has returned")
        if threading.get_ident() != self._thread:
            raise ThreadError("a graph belongs to the thread that its pass runs on")

    @property
    def _live(self):
        self._check()
        return self._graph

    @property
    def _host(self):
        self._check()
        return self._at

    def _end(self):
        self._alive = False
        self._at = self._graph = None
        self._handles.clear()

    @staticmethod
    def _text(raw):
        return "" if raw is None else raw.decode(errors="replace")

    def _look(self):
        """Has the host said something? Then the pass has failed, whatever it does."""
        n = self._context.message_count()
        if n > self._seen:
            fresh, self._seen = self._context.errors(self._seen), n
            if fresh:
                raise RefusedError(fresh)

    def _done(self, code):
        self._look()
        if code != abi.OK:
            raise RefusedError([], code)

    def _made(self, handle):
        self._look()
        if handle is None:
            raise RefusedError([], abi.RESOURCE)
        return handle

    def _handle(self, kind, at):
        if not at:
            return None
        found = self._handles.get((kind, at))
        if found is None:
            found = self._handles[kind, at] = kind(self, at)
        return found

    def _node(self, at):
        return self._handle(Node, at)

    def _value(self, at):
        return self._handle(Value, at)

    def _own(self, handle, kind):
        if not isinstance(handle, kind):
            raise TypeError(f"expected a {kind.__name__}, not {handle!r}")
        if handle._graph is not self:
            raise ValueError(f"{handle!r} is of another graph")
        return handle._live

    def _forget(self, handle):
        self._handles.pop((type(handle), handle._at), None)
        handle._at = None

    def _sweep(self):
        """Handles of what is no longer there are dead."""
        there = {(Node, at) for at in self._walk("first", "next")} | {(Value, at) for at in self._walk("first_value", "next_value")}
        for key, handle in list(self._handles.items()):
            if key not in there:
                self._forget(handle)

    def _walk(self, first, following):
        at, step = getattr(self._g, first)(self._live), getattr(self._g, following)
        while at:
            yield at
            at = step(at)

    def _contents(self, at):
        t = self._t
        number, data = t.element_type(at), ctypes.string_at(t.data(at), t.bytes(at)) if t.bytes(at) else b""
        array = np.frombuffer(data, DTYPES[number]).copy()
        return array if number in PACKED else array.reshape([t.dims(at)[i] for i in range(t.rank(at))])

    def _tensor(self, array):
        array = np.asarray(array)
        if array.dtype == np.float64 and not isinstance(array, np.ndarray):
            array = array.astype(np.float32)
        number = ELEMENT_TYPES.get(array.dtype)
        if number is None:
            raise TypeError(f"a constant cannot be of {array.dtype}")
        array = np.ascontiguousarray(array).reshape(array.shape)
        dims = (ctypes.c_int64 * max(1, array.ndim))(*array.shape)
        made = self._t.make(self._host, self._live, number, array.ndim, dims, array.__array_interface__["data"][0] if array.size else None)
        return self._made(made)

    # ---- walking ----

    @property
    def name(self):
        """The model's."""
        return self._text(self._g.name(self._live))

    @property
    def inputs(self):
        """Values."""
        return [self._value(self._g.input(self._live, i)) for i in range(self._g.inputs(self._live))]

    @property
    def outputs(self):
        """Values."""
        return [self._value(self._g.output(self._live, i)) for i in range(self._g.outputs(self._live))]

    @property
    def output_names(self):
        """What the outputs are called."""
        return [self._text(self._g.output_name(self._live, i)) for i in range(self._g.outputs(self._live))]

    @property
    def nodes(self):
        """All nodes in their order, as a list that changes of the graph leave alone."""
        return [self._node(at) for at in self._walk("first", "next")]

    @property
    def values(self):
        """All values: inputs, constants, outputs of nodes."""
        return [self._value(at) for at in self._walk("first_value", "next_value")]

    def find_node(self, name):
        """The node of this name; None."""
        return self._node(self._g.find_node(self._live, _bytes(name)))

    def find_value(self, name):
        """The value of this name; None."""
        return self._value(self._g.find_value(self._live, _bytes(name)))

    # ---- building and changing ----

    def node(self, op, inputs, *, before=None, outputs=1, **attributes):
        """A new node of ONNX's, before another (None: at the end); inputs may have None where one is left out. Types are inferred."""
        outputs = operator.index(outputs)
        if not 1 <= outputs <= 1024:
            raise ValueError(f"a node has 1 to 1024 outputs, not {outputs}")
        at = [None if v is None else self._own(v, Value) for v in inputs]
        place = None if before is None else self._own(before, Node)
        made = self._g.build(self._host, self._live, place, _bytes(op, "an operator"), (ctypes.c_void_p * max(1, len(at)))(*at), len(at), _attributes(attributes), outputs)
        return self._made(self._node(made))

    def constant(self, array, name=None):
        """A new constant."""
        made = self._g.add_constant(self._host, self._live, None if name is None else _bytes(name), self._tensor(array))
        return self._made(self._value(made))

    def add_input(self, name, type):
        """A new input: add_input("mask", "i64[batch,128]")."""
        return self._made(self._value(self._g.add_input(self._host, self._live, _bytes(name), _bytes(type, "a type"))))

    def add_output(self, value, name):
        """A value becomes an output, too."""
        self._done(self._g.add_output(self._host, self._live, self._own(value, Value), _bytes(name)))

    def set_output(self, i, value):
        """Output i is the value from now on."""
        i = _index(i, self._g.outputs(self._live), "outputs")
        self._done(self._g.set_output(self._host, self._live, i, self._own(value, Value)))

    def remove_output(self, i):
        """Output i is one no longer."""
        self._done(self._g.remove_output(self._host, self._live, _index(i, self._g.outputs(self._live), "outputs")))

    def clean_up(self):
        """What tenon does between passes: computes what is constant, removes what is unused. All handles are dead afterwards: walk anew."""
        self._done(self._g.clean_up(self._host, self._live))
        for handle in list(self._handles.values()):
            self._forget(handle)

    # ---- telling ----

    def option(self, name, node=None):
        """An option of the pass, as it was given for a node: a pipeline file may have others for some."""
        if name not in self._options:
            raise KeyError(f"the pass has no option '{name}'")
        self._check()
        return self._options[name]._read(self, name, None if node is None else self._own(node, Node))

    def warn(self, message, node=None, id="python-pass"):
        """A warning to the user, at a node or about the whole."""
        self._d.warning(self._host, None if node is None else self._own(node, Node), _bytes(id), b"%s", _bytes(message, "a message"))

    def report(self, line=None, **fields):
        """A line for people, and numbers or texts for the JSON of --json ("passes")."""
        self._check()
        if line is not None:
            self._r.line(self._host, b"%s", _bytes(line, "a line"))
        for key, value in fields.items():
            if isinstance(value, str):
                self._r.text(self._host, key.encode(), _bytes(value, key))
            elif isinstance(value, (bool, int, np.integer)):
                self._r.integer(self._host, key.encode(), int(value))
            elif isinstance(value, (float, np.floating)):
                self._r.real(self._host, key.encode(), float(value))
            else:
                raise TypeError(f"{key}: a number or a text, not {value!r}")

    def fail(self, message, node=None, id="python-pass"):
        """Ends the pass as a failure, with this message at the node; the model is as it was before."""
        raise PassError(message, node, id)

    def __str__(self):
        """The graph's text form."""
        return self._text(self._g.print(self._host, self._live))

    def __repr__(self):
        return f"<tenon.editing.Graph {self.name}>" if self._alive else "<tenon.editing.Graph, dead>"
