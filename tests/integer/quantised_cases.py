"""Random quantised graphs. case(seed, number) gives a model and its feeds, and depends on nothing else.

Values are integers with a scale and a zero point from end to end: each operator reads DequantizeLinear and is followed by
QuantizeLinear, over widths of 2 to 16 bits. A width that ONNX has no type for is stored in the next wider one, with a Clip before
QuantizeLinear.
"""
import ml_dtypes
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TYPES = {  # bits, signed -> ONNX's type, numpy's type
    (2, True): (TensorProto.INT2, ml_dtypes.int2), (2, False): (TensorProto.UINT2, ml_dtypes.uint2),
    (4, True): (TensorProto.INT4, ml_dtypes.int4), (4, False): (TensorProto.UINT4, ml_dtypes.uint4),
    (8, True): (TensorProto.INT8, np.int8), (8, False): (TensorProto.UINT8, np.uint8),
    (16, True): (TensorProto.INT16, np.int16), (16, False): (TensorProto.UINT16, np.uint16),
}
OPSET = 25


class Format:
    """bits stored in `stored` of them; real = (q - zero) * scale."""

    def __init__(self, rng, bits, signed, scale, symmetric=False, power=False):
        self.bits, self.signed = bits, signed
        self.stored = next(b for b in (2, 4, 8, 16) if b >= bits)
        self.lo, self.hi = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
        self.scale = np.float32(2.0 ** np.round(np.log2(scale)) if power else scale)
        self.zero = 0 if symmetric else int(rng.integers(self.lo, self.hi + 1))
        self.onnx, self.numpy = TYPES[self.stored, signed]

    def random(self, rng, shape):
        return rng.integers(self.lo, self.hi + 1, shape)


class Graph:
    def __init__(self):
        self.nodes, self.weights, self.inputs, self.feeds, self.outputs, self.n = [], [], [], {}, [], 0

    def pick(self, *of):
        return of[int(self.rng.integers(len(of)))]

    def name(self, stem):
        self.n += 1
        return f"{stem}{self.n}"

    def constant(self, array, element_type):
        name = self.name("c")
        array = np.asarray(array)
        self.weights.append(helper.make_tensor(name, element_type, array.shape, array.reshape(-1).tolist()))
        return name

    def node(self, op, inputs, **attributes):
        name = self.name("v")
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def format(self, scale=None, symmetric=False):
        bits = int(self.pick(2, 3, 4, 5, 6, 7, 8, 8, 8, 8, 10, 12, 14, 16))
        return Format(self.rng, bits, bool(self.pick(True, False)), scale or float(10 ** self.rng.uniform(-3, 0)), symmetric, self.rng.random() < 0.3)

    def input(self, shape):
        f = self.format()
        name = self.name("in")
        self.inputs.append(helper.make_tensor_value_info(name, f.onnx, shape))
        self.feeds[name] = f.random(self.rng, shape).astype(f.numpy)
        return Value(name, shape, f)

    def dequantize(self, v):
        f = v.format
        return self.node("DequantizeLinear", [v.name, self.constant(f.scale, TensorProto.FLOAT), self.constant(f.zero, f.onnx)])

    def quantize(self, y, shape, format_):
        f = format_
        if f.stored != f.bits:
            bounds = [(np.float64(b) - f.zero) * np.float64(f.scale) for b in (f.lo, f.hi)]
            y = self.node("Clip", [y, *(self.constant(np.float32(b), TensorProto.FLOAT) for b in bounds)])
        name = self.node("QuantizeLinear", [y, self.constant(f.scale, TensorProto.FLOAT), self.constant(f.zero, f.onnx)])
        return Value(name, shape, f)

    def weight(self, shape, axis, inner_axis=None):
        """A dequantised constant: for the tensor, for each place of axis, or for blocks along inner_axis; and its mean scale."""
        f = self.format(symmetric=self.rng.random() < 0.6)
        f.bits = min(f.bits, 8) if f.stored == 8 else f.bits
        q = f.random(self.rng, shape)
        kind = self.pick("tensor", "channel", "channel", "block") if inner_axis is not None else self.pick("tensor", "channel")
        attributes, scales, zeros = {}, f.scale, f.zero
        if kind == "channel":
            scales = (f.scale * self.rng.uniform(0.5, 2, shape[axis])).astype(np.float32)
            zeros = np.full(shape[axis], f.zero)
            attributes = {"axis": axis}
        elif kind == "block":
            size = int(self.pick(2, 4, 8, 16))
            blocks = list(shape)
            blocks[inner_axis] = -(-shape[inner_axis] // size)
            scales = (f.scale * self.rng.uniform(0.5, 2, blocks)).astype(np.float32)
            zeros = np.full(blocks, f.zero)
            attributes = {"axis": inner_axis, "block_size": size}
        name = self.node("DequantizeLinear", [self.constant(q, f.onnx), self.constant(scales, TensorProto.FLOAT), self.constant(zeros, f.onnx)], **attributes)
        return name, scales, f

    def scale_for(self, terms, *spans):
        """A scale under which a sum of so many products mostly fits."""
        size = np.sqrt(terms)
        for f in spans:
            size *= (f.hi - f.lo) * float(f.scale) / 3
        return float(size * self.rng.uniform(0.5, 2))


class Value:
    def __init__(self, name, shape, format_):
        self.name, self.shape, self.format = name, shape and tuple(shape), format_


def finish(g, y, shape, scale):
    """Perhaps an activation, then QuantizeLinear to a format of about this range."""
    kind = g.pick(None, None, "Relu", "Clip", "LeakyRelu")
    if kind == "Clip":
        y = g.node("Clip", [y, g.constant(np.float32(-scale / 2), TensorProto.FLOAT), g.constant(np.float32(scale), TensorProto.FLOAT)])
    elif kind:
        y = g.node(kind, [y], **({"alpha": 0.2} if kind == "LeakyRelu" else {}))
    f = g.format()
    f = Format(g.rng, f.bits, f.signed, max(4 * scale / (f.hi - f.lo), 1e-6), False, g.rng.random() < 0.3)
    return g.quantize(y, shape, f)


def conv(g, x):
    if x is None or len(x.shape) != 4:
        x = g.input((1, g.pick(1, 2, 3, 4, 8), g.pick(4, 5, 7, 9), g.pick(4, 6, 8)))
    channels, group = x.shape[1], g.pick(1, 1, x.shape[1])
    out = group * g.pick(1, 2, 3) if group > 1 else g.pick(1, 3, 8, 16)
    kernel = [g.pick(1, 2, 3), g.pick(1, 3)]
    pads = [g.pick(0, 1), g.pick(0, 1), g.pick(0, 1), g.pick(0, 1)]
    w, scales, f = g.weight((out, channels // group, *kernel), 0)
    inputs = [g.dequantize(x), w]
    if g.rng.random() < 0.6:
        inputs.append(bias(g, x, scales, out))
    y = g.node("Conv", inputs, group=group, kernel_shape=kernel, pads=pads, strides=[g.pick(1, 1, 2)] * 2)
    return finish(g, y, None, g.scale_for(channels // group * kernel[0] * kernel[1], x.format, f))


def bias(g, x, scales, n):
    """int32 in the scale of the products, or a float."""
    if g.rng.random() < 0.7:
        both = (np.float64(x.format.scale) * np.broadcast_to(np.asarray(scales, np.float64), (n,))).astype(np.float32)
        return g.node("DequantizeLinear", [g.constant(g.rng.integers(-500, 500, n), TensorProto.INT32), g.constant(both, TensorProto.FLOAT)], axis=0)
    return g.constant(g.rng.normal(0, float(x.format.scale) * 10, n).astype(np.float32), TensorProto.FLOAT)


def conv_transpose(g, x):
    x = g.input((1, g.pick(1, 2, 4), g.pick(3, 5), g.pick(3, 4)))
    out = g.pick(1, 2, 5)
    w, scales, f = g.weight((x.shape[1], out, 3, 2), 1)
    y = g.node("ConvTranspose", [g.dequantize(x), w], strides=[g.pick(1, 2)] * 2, pads=[g.pick(0, 1), 0, 0, 0])
    return finish(g, y, None, g.scale_for(x.shape[1] * 4, x.format, f))


def product(g, x):
    rows, inner, columns = g.pick(1, 2, 5), g.pick(1, 3, 8, 16, 31, 64), g.pick(1, 2, 8, 17)
    x = g.input((rows, inner))
    if g.rng.random() < 0.25:
        other = g.input((inner, columns))
        y = g.node("MatMul", [g.dequantize(x), g.dequantize(other)])
        return finish(g, y, (rows, columns), g.scale_for(inner, x.format, other.format))
    if g.rng.random() < 0.5:
        w, scales, f = g.weight((columns, inner), 0)
        inputs = [g.dequantize(x), w] + ([bias(g, x, scales, columns)] if g.rng.random() < 0.6 else [])
        y = g.node("Gemm", inputs, transB=1)
    else:
        w, scales, f = g.weight((inner, columns), 1, 0)
        y = g.node("MatMul", [g.dequantize(x), w])
        if g.rng.random() < 0.4:
            y = g.node("Add", [y, g.constant(g.rng.normal(0, 1, columns).astype(np.float32), TensorProto.FLOAT)])
    return finish(g, y, (rows, columns), g.scale_for(inner, x.format, f))


def pair(g, x):
    shape = (2, g.pick(3, 5, 16))
    a, b = g.input(shape), g.input(g.pick(shape, shape[1:]))
    op = g.pick("Add", "Add", "Sub", "Mul")
    y = g.node(op, [g.dequantize(a), g.dequantize(b)])
    spans = [(f.hi - f.lo) * float(f.scale) for f in (a.format, b.format)]
    return finish(g, y, shape, (spans[0] * spans[1] if op == "Mul" else sum(spans)) / 3)


def function(g, x):
    if x is None or x.shape is None:
        x = g.input((3, g.pick(4, 9, 17)))
    y = g.dequantize(x)
    for _ in range(g.pick(1, 1, 2)):
        op = g.pick("Sigmoid", "Tanh", "HardSwish", "Erf", "Exp", "Elu", "Softsign", "Neg", "Abs")
        y = g.node(op, [y])
    return finish(g, y, x.shape, 2.0)


def moved(g, x):
    if x is None or x.shape is None:
        x = g.input((4, 6))
    y = g.dequantize(x)
    if g.rng.random() < 0.5:
        y = g.node("Transpose", [y], perm=list(reversed(range(len(x.shape)))))
    y = g.node("Reshape", [y, g.constant(np.array([-1], np.int64), TensorProto.INT64)])
    f = x.format if g.rng.random() < 0.5 else g.format()
    return g.quantize(y, (int(np.prod(x.shape)),), f)


def pool(g, x):
    x = g.input((1, g.pick(1, 3, 8), 6, 5))
    y = g.dequantize(x)
    kind = g.pick("AveragePool", "AveragePool", "GlobalAveragePool", "MaxPool", "ReduceMean")
    if kind == "GlobalAveragePool":
        y = g.node(kind, [y])
    elif kind == "ReduceMean":
        y = g.node(kind, [y, g.constant(np.array([1, 3], np.int64), TensorProto.INT64)])
    else:
        more = {"count_include_pad": g.pick(0, 1)} if kind == "AveragePool" else {}
        y = g.node(kind, [y], kernel_shape=[2, 3], strides=[g.pick(1, 2)] * 2, pads=[1, 1, 0, 1], **more)
    return finish(g, y, None, (x.format.hi - x.format.lo) * float(x.format.scale) / 3)


def concat(g, x):
    parts = [g.input((2, g.pick(2, 5))) for _ in range(g.pick(2, 3))]
    y = g.node("Concat", [g.dequantize(p) for p in parts], axis=1)
    return finish(g, y, (2, sum(p.shape[1] for p in parts)), max((p.format.hi - p.format.lo) * float(p.format.scale) for p in parts) / 3)


STEPS = (conv, conv, conv, product, product, product, conv_transpose, pair, pair, function, function, moved, pool, pool, concat)


def add_case(g, seed, number):
    """Its ends become outputs: NUMBER_first, and perhaps NUMBER_second, which is made of the first."""
    g.rng = np.random.default_rng([seed, number])
    ends = [g.pick(*STEPS)(g, None)]
    if ends[0].shape is not None and g.rng.random() < 0.4:
        ends.append(g.pick(function, moved)(g, ends[0]))
    for end, place in zip(ends, ("first", "second")):
        g.nodes.append(helper.make_node("Identity", [end.name], [f"c{number}_{place}"]))
        g.outputs.append(helper.make_tensor_value_info(f"c{number}_{place}", end.format.onnx, None))


def pack(seed, numbers):
    """One model of many cases, and its feeds."""
    g = Graph()
    for number in numbers:
        add_case(g, seed, number)
    graph = helper.make_graph(g.nodes, "quantised", g.inputs, g.outputs, g.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=11)
    return onnx.shape_inference.infer_shapes(model, strict_mode=True), g.feeds
