"""Element by element, moving, reducing, normalising. The functions are as in contractions.py."""
import numpy as np
from onnx import helper, numpy_helper

from net import F16, F32, SPECIAL, TAME

# Name, least opset, attributes to draw from.
ACTIVATIONS = [
    ("Relu", 7, {}), ("Relu", 7, {}), ("Sigmoid", 7, {}), ("Tanh", 7, {}), ("LeakyRelu", 7, {"alpha": (0.01, 0.3, -0.2)}), ("Elu", 7, {"alpha": (1.0, 0.5)}),
    ("Selu", 7, {}), ("Softplus", 7, {}), ("Softsign", 7, {}), ("HardSigmoid", 7, {"alpha": (0.2, 0.4), "beta": (0.5, 0.1)}), ("Abs", 7, {}), ("Neg", 7, {}),
    ("Exp", 7, {}), ("Sin", 7, {}), ("Cos", 7, {}), ("Atan", 7, {}), ("ThresholdedRelu", 10, {"alpha": (1.0, 0.25)}), ("Erf", 9, {}), ("Celu", 12, {"alpha": (1.0, 0.6)}), ("HardSwish", 14, {}),
    ("Mish", 18, {}), ("Gelu", 20, {"approximate": ("none", "tanh")}), ("Identity", 7, {}),
]


def as_constant(net, number):
    return net.constant(np.array(number, net.dtype))


def activation(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)))
    if x.dtype != net.dtype:
        return None
    if net.chance(0.35):
        return spelled_activation(net, x)
    op, _, choices = net.pick(*[a for a in ACTIVATIONS if a[1] <= net.opset])
    return net.add(op, [x], **{k: net.pick(*v) for k, v in choices.items()})


def spelled_activation(net, x):
    """What exporters write for Clip, Gelu, Swish and PRelu, in any order of the factors."""
    turn = lambda *pair: list(pair if net.chance() else reversed(pair))
    way = net.pick("clip", "gelu", "swish", "prelu", "square")
    if way == "clip":
        low, high = net.pick((0.0, 6.0), (-1.0, 1.0), (-0.5, 2.0))
        if net.opset < 11:
            return net.add("Clip", [x], min=low, max=high)
        ends = [as_constant(net, low), as_constant(net, high)]
        return net.add("Clip", [x, *net.pick(ends, ends, [None, ends[1]], ends[:1])])
    if way == "gelu" and net.opset >= 9:
        inner = net.add("Erf", [net.add("Div", [x, as_constant(net, np.sqrt(2))])])
        return net.add("Mul", turn(net.add("Mul", turn(x, as_constant(net, 0.5))), net.add("Add", turn(inner, as_constant(net, 1.0)))))
    if way == "prelu" and x.rank:
        return net.add("PRelu", [x, net.weight(net.pick((1,), x.shape[-1:], (x.shape[1],) + (1,) * (x.rank - 2)) if x.rank > 1 else (1,))])
    if way == "square":
        return net.add("Pow", [x, as_constant(net, 2)])
    return net.add("Mul", turn(x, net.add("Sigmoid", [x])))


def broadcast_shape(net, shape):
    """A shape that broadcasts to this one: the same, a scalar, one along an axis, a tail."""
    if not shape:
        return ()
    axis = net.whole(0, len(shape) - 1)
    along = tuple(d if k == axis else 1 for k, d in enumerate(shape))
    return net.pick(shape, shape, (), (1,), along, along, shape[axis:], along[axis:], tuple(1 if net.chance() else d for d in shape))


def binary(net, x=None, other=None):
    """With a constant, a fed tensor, or a value from before (a residual)."""
    x = x or net.feed(net.shape(net.whole(0, 4)))
    if x.dtype != net.dtype:
        return None
    op = net.pick("Add", "Add", "Add", "Mul", "Mul", "Sub", "Div", *(["Max", "Min"] if net.opset >= 8 else []))
    if other is None:
        shape = broadcast_shape(net, x.shape)
        other = net.weight(shape, 0.5, 2.0) if op == "Div" else net.pick(net.weight, net.feed)(shape)
    elif op == "Div":
        op = "Add"
    ordered = [x, other] if op == "Div" or net.chance() else [other, x]
    return net.add(op, ordered)


def expanding(net, x=None):
    """Both sides grow."""
    if x is not None:
        return None
    shape = net.shape(net.whole(1, 5), 6000)
    left, right = [tuple(1 if net.chance(0.4) else d for d in shape) for _ in range(2)]
    right = right[net.whole(0, len(right) - 1):]
    y = net.add(net.pick("Add", "Mul", "Sub"), [net.feed(left), net.pick(net.feed, net.weight)(right)])
    if net.opset >= 9 and net.chance(0.4):
        condition = net.add("Greater", [y, as_constant(net, 0.25)])
        y = net.add("Where", [condition, y, net.feed(broadcast_shape(net, y.shape))])
    return y


def whole_numbers(net, x=None):
    """Integer arithmetic: exact."""
    if x is not None or net.opset < 13 or net.dtype != F32:
        return None
    dtype = net.pick(np.int32, np.int64, np.uint8, np.int8)
    draw = lambda shape, low=0: net.feed_array(net.rng.integers(low if np.issubdtype(dtype, np.unsignedinteger) or low else -20, 20, shape).astype(dtype))
    shape = net.shape(net.whole(1, 4), 3000)
    a, b = draw(shape), draw(broadcast_shape(net, shape), 1)
    way = net.pick("binary", "binary", "matmul", "reduce", "cast")
    if way == "matmul" and dtype in (np.int32, np.int64):
        return matrix_of(net, draw)
    if way == "reduce" and dtype in (np.int32, np.int64):
        return reduce_with(net, a, net.pick("ReduceSum", "ReduceMax", "ReduceMin"))
    if way == "cast":
        real = net.add("Cast", [a], to=helper.np_dtype_to_tensor_dtype(np.dtype(F32)))
        return activation(net, real)
    if dtype in (np.uint8, np.int8):
        return net.add(net.pick("Max", "Min"), [a, b])
    return net.add(net.pick("Add", "Sub", "Mul", "Div", "Mod", "Max", "Min"), [a, b])


def matrix_of(net, draw):
    m, k, n = net.size(48), net.size(), net.size(48)
    return net.add("MatMul", [draw((m, k)), draw((k, n))])


# ---- moving ----

def transpose(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 5)))
    if x.rank == 0:
        return None
    return net.add("Transpose", [x], perm=None if net.chance(0.2) else [int(k) for k in net.rng.permutation(x.rank)])


def reshape(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)))
    if x.count == 0:
        return None
    if net.chance(0.2):
        return net.add("Flatten", [x], axis=net.whole(0, x.rank))
    rest, sizes = x.count, []
    while rest > 1 and len(sizes) < 4:
        d = net.pick(*[d for d in range(1, min(rest, 70) + 1) if rest % d == 0])
        sizes.append(d)
        rest //= d
    sizes.insert(net.whole(0, len(sizes)), rest)
    if net.chance(0.3):
        sizes[net.whole(0, len(sizes) - 1)] = -1
    return net.add("Reshape", [x, net.ints(*sizes)])


def slices(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)))
    if x.rank == 0:
        return None
    axes = [int(a) for a in net.rng.permutation(x.rank)[: net.whole(1, x.rank)]]
    if net.opset < 10:  # onnx infers no shape for others
        axes.sort()
    # Each keeps something: what is empty is for the tests of single operators.
    starts = [net.whole(0, x.shape[a] - 1) for a in axes]
    ends = [net.whole(s + 1, x.shape[a] + 3) for s, a in zip(starts, axes)]
    if net.opset < 10:
        return net.add("Slice", [x], axes=axes, starts=starts, ends=ends)
    steps = [net.pick(1, 1, 2, 3, -1) for _ in axes]
    starts, ends = zip(*((s, e) if t > 0 else (min(e, 10**6), s - x.shape[a] - 1) for s, e, t, a in zip(starts, ends, steps, axes)))
    return net.add("Slice", [x, net.ints(*starts), net.ints(*ends), net.ints(*axes), net.ints(*steps)])


def pad(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4), 6000))
    if x.rank == 0 or x.dtype != net.dtype:
        return None
    mode = net.pick("constant", "constant", "reflect", "edge")
    most = [min(3, d - 1) if mode == "reflect" else 3 for d in x.shape]
    pads = [net.whole(0, m) if net.chance(0.6) else 0 for m in most + most]
    if net.opset < 11:
        return net.add("Pad", [x], mode=mode, pads=pads, value=net.pick(0.0, 1.5) if mode == "constant" else None)
    value = [as_constant(net, net.pick(0.0, -2.5))] if mode == "constant" and net.chance() else []
    return net.add("Pad", [x, net.ints(*pads), *value], mode=mode)


def concat(net, x=None, other=None):
    x = x or net.feed(net.shape(net.whole(1, 4), 6000))
    if x.rank == 0:
        return None
    axis = net.whole(0, x.rank - 1)
    others = [other] if other is not None and other.rank == x.rank else []
    if not others and x.dtype == net.dtype:
        others = [net.pick(net.feed, net.weight)(tuple(net.size(20) if k == axis else d for k, d in enumerate(x.shape)))]
    parts = [x, *others] if net.chance() else [*others, x]
    if any(p.shape[:axis] != x.shape[:axis] or p.shape[axis + 1:] != x.shape[axis + 1:] or p.dtype != x.dtype for p in parts):
        return None
    return net.add("Concat", parts, axis=axis - x.rank if net.opset >= 11 and net.chance(0.3) else axis)


def split(net, x=None):
    """Parts that come together again, another way round."""
    x = x or net.feed(net.shape(net.whole(2, 4)))
    wide = [k for k in range(x.rank) if x.shape[k] > 1]
    if not wide:
        return None
    axis = net.pick(*wide)
    first = net.whole(1, x.shape[axis] - 1)
    sizes = [first, x.shape[axis] - first]
    parts = net.add("Split", [x, net.ints(*sizes)], 2, axis=axis) if net.opset >= 13 else net.add("Split", [x], 2, axis=axis, split=sizes)
    if x.dtype == net.dtype and net.chance():
        parts[0] = net.add("Relu", [parts[0]])
    return net.add("Concat", parts[::-1], axis=axis)


def expand(net, x=None):
    if x is not None and (net.opset < 8 or x.count > 4000):
        return None
    x = x or net.feed(tuple(1 if net.chance() else d for d in net.shape(net.whole(1, 4), 4000)))
    if net.opset < 8 or net.chance(0.3):
        return net.add("Tile", [x, net.ints(*[net.pick(1, 1, 2, 3) for _ in x.shape])])
    shape = [net.size(9) if d == 1 else d for d in x.shape]
    return net.add("Expand", [x, net.ints(*([2] if net.chance(0.3) else []), *shape)])


def gather(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)))
    if x.rank == 0:
        return None
    axis = net.whole(0, x.rank - 1)
    low = -x.shape[axis] if net.opset >= 11 else 0
    index = net.rng.integers(low, x.shape[axis], net.pick((), (1,), (net.size(9),), (2, 3))).astype(net.pick(np.int64, np.int32))
    return net.add("Gather", [x, net.constant(index) if net.chance() else net.feed_array(index)], axis=axis)


# ---- reducing ----

def reduce_with(net, x, op):
    attributes = {"keepdims": net.pick(0, 1)}
    axes = None if net.chance(0.15) else net.axes(x.rank) if x.rank else None
    if net.opset < 11 and axes:
        axes = [a % x.rank for a in axes]
    net.sums(x.count if axes is None else int(np.prod([x.shape[a] for a in axes])))
    if net.opset >= (13 if op == "ReduceSum" else 18):
        if axes is None and net.chance(0.3):
            return net.add(op, [x], noop_with_empty_axes=net.pick(0, 1), **attributes)
        return net.add(op, [x] if axes is None else [x, net.ints(*axes)], **attributes)
    return net.add(op, [x], axes=axes, **attributes)


def reduction(net, x=None):
    op = net.pick("ReduceSum", "ReduceSum", "ReduceMean", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceProd", "ReduceLogSum")
    if x is None:
        if op == "ReduceProd":
            x = net.feed(net.shape(net.whole(1, 5), 3000), 0.9, 1.1, special=None)
        elif op == "ReduceLogSum":
            x = net.feed(net.shape(net.whole(1, 5)), 0.2, 3.0, special=None)
        else:
            x = net.feed(net.shape(net.whole(0, 5)), special=TAME if op in ("ReduceMax", "ReduceMin") else SPECIAL)
    elif op in ("ReduceProd", "ReduceLogSum") or x.dtype != net.dtype or net.special and op in ("ReduceMax", "ReduceMin"):
        return None
    return reduce_with(net, x, op)


def arguments(net, x=None):
    """ArgMax, ArgMin, TopK: of values that are exact, with equal ones among them."""
    if x is not None:
        return None
    x = net.feed_array(net.rng.integers(-9, 9, net.shape(net.whole(1, 4))).astype(net.dtype))
    axis = net.axis(x.rank) if net.opset >= 11 else net.whole(0, x.rank - 1)
    attributes = {"select_last_index": 1} if net.opset >= 12 and net.chance(0.3) else {}
    return net.add(net.pick("ArgMax", "ArgMin"), [x], axis=axis, keepdims=net.pick(0, 1), **attributes)


def cumulative(net, x=None):
    if net.opset < 11 or x is not None and (x.rank == 0 or x.dtype != net.dtype or x.dtype == F16):
        return None
    x = x or net.feed(net.shape(net.whole(1, 4)))
    axis = net.axis(x.rank)
    net.sums(x.shape[axis])
    return net.add("CumSum", [x, net.constant(np.array(axis, net.pick(np.int32, np.int64)))], exclusive=net.pick(0, 1), reverse=net.pick(0, 1))


# ---- normalising ----

def softmax(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)), -6, 6)
    if x.rank == 0 or x.dtype != net.dtype:
        return None
    axis = None if net.chance(0.2) and x.rank > 1 else net.axis(x.rank) if net.opset >= 11 else net.whole(0, x.rank - 1)
    net.sums(x.count if net.opset < 13 else x.shape[-1 if axis is None else axis])
    return net.add(net.pick("Softmax", "Softmax", "LogSoftmax"), [x], axis=axis)


def batch_norm(net, x=None):
    x = x or net.feed(net.shape(net.whole(2, 5), 9000), special=None)
    if x.rank < 2 or x.dtype != net.dtype:
        return None
    parameters = [net.weight(x.shape[1:2], *net.pick((0.5, 2), (-2, 2))), net.weight(x.shape[1:2]), net.weight(x.shape[1:2]), net.weight(x.shape[1:2], 0.2, 2)]
    return net.add("BatchNormalization", [x, *parameters], epsilon=net.pick(None, 1e-3, 0.1))


def layer_norm(net, x=None):
    x = x or net.feed(net.shape(net.whole(1, 4)), special=None)
    if x.rank == 0 or x.dtype != net.dtype:
        return None
    if net.opset >= 17 and net.chance(0.7):
        axis = net.axis(x.rank)
        tail = x.shape[axis:]
        net.sums(int(np.prod(tail)))
        rms = net.opset >= 23 and net.chance(0.3)
        inputs = [x, net.weight(tail, 0.5, 2)] + ([net.weight(tail)] if not rms and net.chance(0.7) else [])
        return net.add("RMSNormalization" if rms else "LayerNormalization", inputs, axis=axis, epsilon=net.pick(None, 1e-3, 0.1))
    return spelled_layer_norm(net, x)


def spelled_layer_norm(net, x):
    """As exporters write it for older opsets."""
    net.sums(x.shape[-1])
    mean = lambda v: net.add("ReduceMean", [v], axes=[-1 if net.opset >= 11 else v.rank - 1]) if net.opset < 18 else net.add("ReduceMean", [v, net.ints(-1)])
    centred = net.add("Sub", [x, mean(x)])
    square = net.add("Pow", [centred, as_constant(net, 2)]) if net.chance() else net.add("Mul", [centred, centred])
    scale = net.add("Sqrt", [net.add("Add", [mean(square), as_constant(net, 1e-3)])])
    y = net.add("Div", [centred, scale])
    if net.chance(0.7):
        y = net.add("Mul", [y, net.weight(x.shape[-1:], 0.5, 2)])
        y = net.add("Add", [y, net.weight(x.shape[-1:])])
    return y


def instance_norm(net, x):
    """ONNX Runtime has it for float alone, and inexact: so its model has the operators that the specification says it with."""
    inputs, epsilon = [x, net.weight(x.shape[1:2]), net.weight(x.shape[1:2])], net.pick(1e-5, 1e-3, 0.1)
    y = net.add("InstanceNormalization", inputs, reference=False, epsilon=epsilon)
    axes = list(range(2, x.rank))

    def say(op, names, name, **attributes):
        net.reference_nodes.append(helper.make_node(op, names, [name], **attributes))
        return name

    def constant(array, name):
        return say("Constant", [], name, value=numpy_helper.from_array(np.asarray(array), name))

    def mean(name, of):
        if net.opset < 18:
            return say("ReduceMean", [of], name, axes=axes)
        return say("ReduceMean", [of, constant(np.array(axes, np.int64), name + "_axes")], name)

    def along(v, name):
        return say("Reshape", [v.name, constant(np.array([-1] + [1] * len(axes), np.int64), name + "_shape")], name)

    n = y.name
    centred = say("Sub", [x.name, mean(n + "_mean", x.name)], n + "_centred")
    variance = mean(n + "_variance", say("Mul", [centred, centred], n + "_squared"))
    least = as_constant(net, epsilon).name
    scale = say("Sqrt", [say("Add", [variance, least], n + "_above")], n + "_scale")
    unit = say("Div", [centred, scale], n + "_unit")
    say("Add", [say("Mul", [unit, along(inputs[1], n + "_factor")], n + "_scaled"), along(inputs[2], n + "_bias")], n)
    return y


def channel_norm(net, x=None):
    """InstanceNormalization, GroupNormalization, LRN, MeanVarianceNormalization, LpNormalization."""
    given = x is not None
    op = net.pick("InstanceNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "MeanVarianceNormalization", "LpNormalization")
    x = x or net.feed((net.pick(1, 1, 2, 3), *net.shape(3 if op in ("LRN", "MeanVarianceNormalization") else net.whole(2, 4), 9000)), special=None)
    if x.rank < 3 or x.dtype != net.dtype or op in ("LRN", "MeanVarianceNormalization") and x.rank != 4:
        return None
    if op == "LRN" and net.by_reference:  # it reads beyond the channels there
        return None
    # Equal elements have a variance of nothing but rounding errors, and MeanVarianceNormalization divides by that.
    if op == "MeanVarianceNormalization" and (given or net.opset < 9 or x.shape[0] * x.shape[2] * x.shape[3] < 8):
        return None
    channels = x.shape[1]
    net.sums(int(np.prod(x.shape[2:])))
    if op == "InstanceNormalization":
        return instance_norm(net, x)
    if op == "GroupNormalization":
        if net.opset < 21:  # that of 18 is deprecated
            return None
        groups = net.pick(*[d for d in range(1, channels + 1) if channels % d == 0])
        net.sums(x.count)
        return net.add(op, [x, net.weight((channels,)), net.weight((channels,))], num_groups=groups, epsilon=net.pick(1e-5, 1e-3))
    if op == "LRN":
        return net.add(op, [x], size=net.pick(1, 3, 5, 7), alpha=net.pick(None, 0.5), beta=net.pick(None, 0.5, 1.0), bias=net.pick(None, 2.0))
    if op == "MeanVarianceNormalization":
        return net.add(op, [x], axes=net.pick(None, [0, 2, 3], [2, 3, 0]))
    return net.add(op, [x], axis=net.axis(x.rank), p=net.pick(1, 2))
