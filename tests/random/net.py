"""A small random graph under construction: drawing numbers, adding nodes, and the models made of it."""
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

F32, F64, F16 = np.float32, np.float64, np.float16
FLOATS = (F32, F64, F16)
LIKE_INPUT = ("GroupNormalization", "MeanVarianceNormalization")  # functions, for which onnx infers no shape
SIZES = (1, 1, 2, 3, 3, 4, 5, 5, 7, 8, 9, 11, 13, 16, 17, 19)
LARGE = (23, 24, 31, 32, 33, 37, 47, 48, 61, 64, 65, 67, 96, 97, 127, 130)
SPECIAL = (np.inf, -np.inf, np.nan, 0.0, -0.0, 1e-40, -3e-42, 1e-45, 1e15, -1e15)
TAME = (0.0, -0.0, 1e-40, -3e-42, 1e-45, 1e6)


class NotThere(Exception):
    """The operator is not there for this type in this operator set."""


class Value:
    """A tensor of the graph."""

    def __init__(self, name, dtype, shape):
        self.name, self.dtype, self.shape = name, np.dtype(dtype), tuple(shape)

    @property
    def rank(self):
        return len(self.shape)

    @property
    def count(self):
        return int(np.prod(self.shape))


def type_of(value):
    return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)


def model_of(name, nodes, inputs, outputs, initializers, opset):
    graph = helper.make_graph(nodes, name, inputs, outputs, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8 if opset < 19 else 10)


class Net:
    """Everything in it is named after the case, so that cases can share a model."""

    def __init__(self, name, opset, rng, dtype=F32, budget=200_000):
        self.name, self.opset, self.rng, self.dtype, self.budget = name, opset, rng, np.dtype(dtype), budget
        self.nodes = []
        self.reference_nodes = []  # the same, said in a way that the reference knows
        self.arrays = {}           # name: array that is fed or a weight; errors in it are what results may show
        self.fed = []              # names among these
        self.values = {}           # name: value of each node's output
        self.special = False       # are there infinite, huge or no numbers among the inputs
        self.constants = {}        # name: array that steers an operator
        self.outputs = []
        self.length = 1            # of the longest sum
        self.steps = 0             # by which an integer may be off
        self.by_reference = False  # ONNX Runtime lacks the operator or computes something else

    # ---- drawing ----

    def pick(self, *choices):
        return choices[int(self.rng.integers(0, len(choices)))]

    def chance(self, probability=0.5):
        return bool(self.rng.random() < probability)

    def whole(self, low, high):
        return int(self.rng.integers(low, high, endpoint=True))

    def size(self, most=10**9):
        choices = [s for s in (LARGE if self.chance(0.15) else SIZES) if s <= most]
        return self.pick(*choices) if choices else max(1, self.whole(1, max(1, most)))

    def shape(self, rank, most=20_000):
        """Sizes of at most `most` elements together, the large ones anywhere."""
        sizes = [1] * rank
        for axis in self.rng.permutation(rank):
            sizes[axis] = self.size(max(1, most))
            most //= sizes[axis]
        return tuple(sizes)

    def axis(self, rank):
        """An axis, at times counted from the end."""
        axis = self.whole(0, rank - 1)
        return axis - rank if self.chance(0.4) else axis

    def axes(self, rank, least=1):
        chosen = self.rng.permutation(rank)[: self.whole(least, rank)]
        return [int(a) - rank if self.chance(0.3) else int(a) for a in chosen]

    def real(self, shape, low=-3.0, high=3.0, dtype=None):
        return self.rng.uniform(low, high, shape).astype(dtype or self.dtype)

    # ---- tensors ----

    def name_of(self, kind):
        return f"{self.name}_{kind}{len(self.arrays) + len(self.constants) + len(self.nodes)}"

    def feed(self, shape, low=-3.0, high=3.0, special=SPECIAL):
        """A fed tensor of floats; a few have elements that are not like other numbers."""
        array = self.real(shape, low, high)
        if special and array.size and self.chance(0.05):
            self.special = True
            with np.errstate(all="ignore"):
                array.flat[self.rng.integers(0, array.size, self.whole(1, 3))] = self.pick(*special)
        return self.feed_array(array)

    def feed_array(self, array):
        name = self.name_of("x")
        self.arrays[name] = array = np.asarray(array)
        self.fed.append(name)
        return Value(name, array.dtype, array.shape)

    def weight(self, shape, low=-1.0, high=1.0, length=1):
        """Mostly a constant; `length` terms of a sum share a weight of one."""
        array = self.real(shape, low, high) if length <= 1 else (self.real(shape, low, high) * 1.5 / np.sqrt(length)).astype(self.dtype)
        value = self.feed_array(array)
        if self.chance(0.8):
            self.fed.remove(value.name)
        return value

    def constant(self, array):
        name = self.name_of("c")
        self.constants[name] = array = np.asarray(array)
        return Value(name, array.dtype, array.shape)

    def ints(self, *values):
        return self.constant(np.array(values, np.int64))

    # ---- nodes ----

    def add(self, op, inputs, outputs=1, reference=True, **attributes):
        """Adds a node, whose types are inferred; its value, or a list of them where there may be several."""
        attributes = {k: v for k, v in attributes.items() if v is not None}
        names = [self.name_of("y") + "abcd"[k] for k in range(outputs)]
        node = helper.make_node(op, [v.name if v else "" for v in inputs], names, name=f"{self.name}_{op}{len(self.nodes)}", **attributes)
        schema = onnx.defs.get_schema(op, self.opset, "")
        types = {v.name: type_of(v) for v in inputs if v}
        data = {v.name: numpy_helper.from_array(self.constants[v.name], v.name) for v in inputs if v and v.name in self.constants}
        try:
            found = onnx.shape_inference.infer_node_outputs(schema, node, types, data, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=10)
        except onnx.checker.ValidationError as e:
            if "unsupported type" in str(e):
                raise NotThere(str(e)) from e
            raise
        values = [self.inferred(node, inputs[0], name, found) for name in names]
        self.values.update({v.name: v for v in values})
        self.nodes.append(node)
        if reference:
            self.reference_nodes.append(node)
        return values[0] if outputs == 1 else values

    def inferred(self, node, first, name, found):
        if node.op_type in LIKE_INPUT:
            return Value(name, first.dtype, first.shape)
        tensor = found[name].tensor_type
        if not tensor.HasField("shape") or any(not d.HasField("dim_value") for d in tensor.shape.dim):
            raise ValueError(f"{node.op_type}: the shape of output {name} cannot be inferred")
        return Value(name, helper.tensor_dtype_to_np_dtype(tensor.elem_type), [d.dim_value for d in tensor.shape.dim])

    def keep(self, *values):
        for v in values:
            if v not in self.outputs:
                self.outputs.append(v)

    def sums(self, length):
        self.length = max(self.length, int(length))

    # ---- models ----

    def parts(self):
        """Nodes, inputs, outputs, initializers of the model that is tested."""
        infos = [helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(self.arrays[n].dtype), self.arrays[n].shape) for n in self.fed]
        outputs = [helper.make_tensor_value_info(v.name, helper.np_dtype_to_tensor_dtype(v.dtype), v.shape) for v in self.outputs]
        held = {**{n: a for n, a in self.arrays.items() if n not in self.fed}, **self.constants}
        return self.nodes, infos, outputs, [numpy_helper.from_array(np.ascontiguousarray(a).reshape(a.shape), n) for n, a in held.items()]

    def feeds(self):
        return {n: self.arrays[n] for n in self.fed}

    def model(self):
        return model_of(self.name, *self.parts(), self.opset)

    def reference_model(self, dtype):
        """The model that the judge runs: its weights are fed, its floats are of this type, and each that a node makes is multiplied
        by an input, so that it can be made a little off; and the values that have such an input."""
        element = lambda t: helper.np_dtype_to_tensor_dtype(np.dtype(dtype if t == self.dtype else t))
        noisy = [v for v in self.values.values() if v.dtype == self.dtype]
        nodes = [retyped(n, self.dtype, dtype) for n in self.reference_nodes]
        for node in nodes:
            for k, name in enumerate(node.output):
                if any(v.name == name for v in noisy):
                    node.output[k] = name + "_exact"
        nodes = [n for node in nodes for n in [node, *(helper.make_node("Mul", [y, noise_of(y[:-6])], [y[:-6]]) for y in node.output if y.endswith("_exact"))]]
        inputs = [helper.make_tensor_value_info(n, element(a.dtype), a.shape) for n, a in self.arrays.items()]
        inputs += [helper.make_tensor_value_info(noise_of(v.name), element(v.dtype), None) for v in noisy]
        outputs = [helper.make_tensor_value_info(v.name, element(v.dtype), None) for v in self.outputs]
        constants = [numpy_helper.from_array(np.asarray(a.astype(dtype) if a.dtype == self.dtype else a), n) for n, a in self.constants.items()]
        return model_of(self.name, nodes, inputs, outputs, constants, self.opset), noisy


def noise_of(name):
    return name + "_noise"


def retyped(node, old, new):
    """A Cast to the old float type goes to the new one."""
    again = onnx.NodeProto()
    again.CopyFrom(node)
    for a in again.attribute:
        if node.op_type == "Cast" and a.name == "to" and a.i == helper.np_dtype_to_tensor_dtype(old):
            a.i = helper.np_dtype_to_tensor_dtype(np.dtype(new))
    return again


def join(name, nets, opset):
    """One model of all nets, side by side."""
    parts = [net.parts() for net in nets]
    return model_of(name, *([x for p in parts for x in p[k]] for k in range(4)), opset)
