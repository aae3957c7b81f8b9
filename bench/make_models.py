#!/usr/bin/env python3
"""Writes the models of the benchmarks that models/ does not have: known architectures with seeded weights, as exporters write them.

usage: make_models.py [NAME...]       into build/bench/models; a model that is there from the same script stays

Weights are He-initialised (variance 2 / fan-in before a ReLU, 1 / fan-in elsewhere), so that values keep their size from layer to layer.
Each model is checked: ONNX's checker, and a run by ONNX Runtime without optimisation in which every value between nodes has to be
finite and below 1,000, and the output not constant, and to which its optimised run has to agree.
"""
import hashlib
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(os.environ.get("TENON_BUILD", os.path.join(ROOT, "build")), "bench", "models")
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


class Net:
    """A graph that grows node by node."""

    def __init__(self, name, opset):
        self.name, self.opset = name, opset
        self.random = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little"))
        self.nodes, self.weights, self.inputs = [], [], []

    def input(self, name, dims, element_type=FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, element_type, dims))
        return name

    def constant(self, array, hint="constant"):
        name = f"{hint}_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array, order="C"), name))
        return name

    def normal(self, dims, deviation, hint="weight"):
        return self.constant((self.random.standard_normal(dims) * deviation).astype(np.float32), hint)

    def node(self, op, *inputs, outputs=1, **attributes):
        name = f"{op}_{len(self.nodes)}"
        made = [name + "_output" + (f"_{i}" if i else "") for i in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), made, name=name, **attributes))
        return made[0] if outputs == 1 else made

    def model(self, output, dims):
        self.nodes[-1].output[0] = "output"
        assert self.nodes[-1].name + "_output" == output
        result = helper.make_tensor_value_info("output", FLOAT, dims)
        graph = helper.make_graph(self.nodes, self.name, self.inputs, [result], self.weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8, producer_name="tenon bench")

    # ---- layers ----

    def gemm(self, x, n_in, n_out, gain=2):
        """Linear, as PyTorch exports it for two dimensions."""
        return self.node("Gemm", x, self.normal((n_out, n_in), (gain / n_in) ** 0.5), self.normal((n_out,), 0.02, "bias"), transB=1)

    def linear(self, x, n_in, n_out, gain=1):
        """Linear, as PyTorch exports it for three dimensions."""
        product = self.node("MatMul", x, self.normal((n_in, n_out), (gain / n_in) ** 0.5))
        return self.node("Add", self.normal((n_out,), 0.02, "bias"), product)

    def conv(self, x, n_in, n_out, size, stride=1, group=1, gain=2, has_bias=True, pad=None):
        pad = size // 2 if pad is None else pad
        fan_in = n_in // group * size * size
        parts = [self.normal((n_out, n_in // group, size, size), (gain / fan_in) ** 0.5)]
        if has_bias:
            parts.append(self.normal((n_out,), 0.05, "bias"))
        return self.node("Conv", x, *parts, kernel_shape=[size, size], strides=[stride, stride], pads=[pad] * 4, dilations=[1, 1], group=group)

    def batch_norm(self, x, n):
        """With what training leaves: scales about 1, means and variances about those of the values."""
        scale, mean = self.random.uniform(0.8, 1.2, n), self.random.normal(0, 0.2, n)
        bias, variance = self.random.normal(0, 0.2, n), self.random.uniform(0.8, 1.5, n)
        return self.node("BatchNormalization", x, *(self.constant(a.astype(np.float32), "norm") for a in (scale, bias, mean, variance)), epsilon=1e-5)

    def layer_norm(self, x, n):
        """LayerNormalization in parts, as PyTorch exports it before opset 17."""
        centred = self.node("Sub", x, self.node("ReduceMean", x, axes=[-1]))
        squares = self.node("Pow", centred, self.constant(np.float32(2)))
        variance = self.node("Add", self.node("ReduceMean", squares, axes=[-1]), self.constant(np.float32(1e-12)))
        scaled = self.node("Div", centred, self.node("Sqrt", variance))
        scale = self.constant((1 + 0.1 * self.random.standard_normal(n)).astype(np.float32), "norm")
        return self.node("Add", self.node("Mul", scaled, scale), self.normal((n,), 0.1, "bias"))

    def gelu(self, x):
        erf = self.node("Erf", self.node("Div", x, self.constant(np.float32(2 ** 0.5))))
        return self.node("Mul", self.node("Mul", x, self.node("Add", erf, self.constant(np.float32(1)))), self.constant(np.float32(0.5)))


# ---- models ----

def relu():
    net = Net("relu", 13)
    return net.model(net.node("Relu", net.input("input", [1, 16])), [1, 16])


def perceptron(name, widths):
    net = Net(name, 13)
    x = net.input("input", [1, widths[0]])
    for i, (n_in, n_out) in enumerate(zip(widths, widths[1:])):
        is_last = i == len(widths) - 2
        x = net.gemm(x, n_in, n_out, 1 if is_last else 2)
        x = x if is_last else net.node("Relu", x)
    return net.model(x, [1, widths[-1]])


def lenet():
    net = Net("lenet", 13)
    x = net.input("input", [1, 1, 28, 28])
    for n_in, n_out, pad in ((1, 6, 2), (6, 16, 0)):
        x = net.node("Relu", net.conv(x, n_in, n_out, 5, pad=pad))
        x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.node("Flatten", x, axis=1)
    x = net.node("Relu", net.gemm(x, 400, 120))
    x = net.node("Relu", net.gemm(x, 120, 84))
    return net.model(net.gemm(x, 84, 10, 1), [1, 10])


def lstm():
    """64 steps of 64 values through an LSTM of 128, batch first, then a linear layer on the last step; as PyTorch exports it."""
    net, steps, n_in, hidden = Net("lstm", 14), 64, 64, 128
    x = net.node("Transpose", net.input("input", [1, steps, n_in]), perm=[1, 0, 2])
    zero = net.constant(np.zeros((1, 1, hidden), np.float32), "state")
    weights = [net.normal((1, 4 * hidden, n), n ** -0.5) for n in (n_in, hidden)]
    y = net.node("LSTM", x, *weights, net.normal((1, 8 * hidden), 0.05, "bias"), "", zero, zero, outputs=3, hidden_size=hidden)[0]
    y = net.node("Transpose", net.node("Squeeze", y, net.constant(np.array([1]), "axes")), perm=[1, 0, 2])
    last = net.node("Gather", y, net.constant(np.array(-1), "index"), axis=1)
    return net.model(net.gemm(last, hidden, 10, 1), [1, 10])


def resnet18():
    """As torchvision's, exported for inference: BatchNormalization is in the convolutions' weights."""
    net = Net("resnet18", 13)
    x = net.node("Relu", net.conv(net.input("input", [1, 3, 224, 224]), 3, 64, 7, 2))
    x, n_in = net.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4), 64
    for n_out, first_stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first_stride, 1):
            y = net.conv(net.node("Relu", net.conv(x, n_in, n_out, 3, stride)), n_out, n_out, 3, gain=0.5)
            x = x if stride == 1 and n_in == n_out else net.conv(x, n_in, n_out, 1, stride, gain=1)
            x, n_in = net.node("Relu", net.node("Add", y, x)), n_out
    x = net.node("Flatten", net.node("GlobalAveragePool", x), axis=1)
    return net.model(net.gemm(x, 512, 1000, 1), [1, 1000])


def mobilenet_v2():
    """As torchvision's, exported for training: each convolution is followed by its BatchNormalization; ReLU6 is a Clip."""
    net = Net("mobilenet_v2", 13)
    zero, six = net.constant(np.float32(0), "low"), net.constant(np.float32(6), "high")

    def layer(x, n_in, n_out, size=1, stride=1, group=1, has_relu=True):
        x = net.batch_norm(net.conv(x, n_in, n_out, size, stride, group, 2 if has_relu else 1, has_bias=False), n_out)
        return net.node("Clip", x, zero, six) if has_relu else x

    x, n_in = layer(net.input("input", [1, 3, 224, 224]), 3, 32, 3, 2), 32
    for expansion, n_out, count, first_stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)):
        for stride in [first_stride] + [1] * (count - 1):
            wide = n_in * expansion
            y = x if expansion == 1 else layer(x, n_in, wide)
            y = layer(layer(y, wide, wide, 3, stride, wide), wide, n_out, has_relu=False)
            x, n_in = net.node("Add", x, y) if stride == 1 and n_in == n_out else y, n_out
    x = net.node("Flatten", net.node("GlobalAveragePool", layer(x, 320, 1280)), axis=1)
    return net.model(net.gemm(x, 1280, 1000, 1), [1, 1000])


def bert(layers=6, hidden=384, heads=12, wide=1536, length=128, words=30522):
    """A classifier on BERT, as PyTorch exports it at opset 14: LayerNorm, GELU and attention in parts."""
    net, width = Net("bert_6x384", 14), hidden // heads
    ids, mask, kinds = (net.input(name, [1, length], INT64) for name in ("input_ids", "attention_mask", "token_type_ids"))
    for axis in (1, 2):
        mask = net.node("Unsqueeze", mask, net.constant(np.array([axis]), "axes"))
    mask = net.node("Sub", net.constant(np.float32(1)), net.node("Cast", mask, to=FLOAT))
    mask = net.node("Mul", mask, net.constant(np.finfo(np.float32).min))
    x = net.node("Add", net.node("Gather", net.normal((words, hidden), 0.5), ids), net.node("Gather", net.normal((2, hidden), 0.1), kinds))
    places = net.constant(np.arange(length)[None], "places")
    x = net.layer_norm(net.node("Add", x, net.node("Gather", net.normal((512, hidden), 0.1), places)), hidden)

    def split(x, perm):
        x = net.node("Reshape", x, net.constant(np.array([1, length, heads, width]), "shape"))
        return net.node("Transpose", x, perm=perm)

    for _ in range(layers):
        query, key, value = (net.linear(x, hidden, hidden) for _ in range(3))
        scores = net.node("MatMul", split(query, [0, 2, 1, 3]), split(key, [0, 2, 3, 1]))
        scores = net.node("Add", net.node("Div", scores, net.constant(np.float32(width ** 0.5))), mask)
        y = net.node("MatMul", net.node("Softmax", scores, axis=-1), split(value, [0, 2, 1, 3]))
        y = net.node("Reshape", net.node("Transpose", y, perm=[0, 2, 1, 3]), net.constant(np.array([1, length, hidden]), "shape"))
        x = net.layer_norm(net.node("Add", net.linear(y, hidden, hidden), x), hidden)
        y = net.linear(net.gelu(net.linear(x, hidden, wide, 2)), wide, hidden)
        x = net.layer_norm(net.node("Add", y, x), hidden)
    first = net.node("Gather", x, net.constant(np.array(0), "index"), axis=1)
    return net.model(net.gemm(net.node("Tanh", net.gemm(first, hidden, hidden, 1)), hidden, 2, 1), [1, 2])


MODELS = {
    "relu": relu,
    "lenet": lenet,
    "mlp_784": lambda: perceptron("mlp_784", [784, 512, 256, 10]),
    "mlp_3x512": lambda: perceptron("mlp_3x512", [512] * 4),
    "lstm": lstm,
    "mobilenet_v2": mobilenet_v2,
    "resnet18": resnet18,
    "bert_6x384": bert,
}


# ---- inputs and checks ----

def random_feeds(model):
    """Seeded inputs: floats N(0, 1), masks 1, kinds of token 0, other integers any word."""
    random, feeds = np.random.default_rng(0), {}
    weights = {w.name for w in model.graph.initializer}
    for value in model.graph.input:
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        if value.name in weights:
            continue
        if value.type.tensor_type.elem_type == FLOAT:
            feeds[value.name] = random.standard_normal(dims).astype(np.float32)
        elif value.name == "input_ids":
            feeds[value.name] = random.integers(0, 30522, dims)
        else:
            feeds[value.name] = np.full(dims, 1 if "mask" in value.name else 0, np.int64)
    return feeds


def session(model, is_optimised):
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if is_optimised else level.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def check(name, model):
    """Every value between nodes is of a sane size, and ONNX Runtime agrees with itself. Raises ValueError."""
    onnx.checker.check_model(model, full_check=True)
    feeds, traced = random_feeds(model), onnx.ModelProto()
    traced.CopyFrom(model)
    inner = [o for node in model.graph.node for o in node.output if o and o != "output"]
    traced.graph.output.extend(onnx.ValueInfoProto(name=o) for o in inner)
    want, *values = session(traced, False).run(["output", *inner], feeds)
    for value_name, value in zip(["output", *inner], [want, *values]):
        if value.dtype == np.float32 and not (np.isfinite(value).all() and np.abs(value[value > -1e38]).max(initial=0) < 1000):
            raise ValueError(f"{name}: {value_name} leaves its range: {value.min()} to {value.max()}")
    if not (np.std(want) > 1e-3 and np.allclose(session(model, True).run(None, feeds)[0], want, rtol=1e-3, atol=1e-5)):
        raise ValueError(f"{name}: the output is constant, or ONNX Runtime's optimised output another one")


def path_of(name):
    """The file of a generated model, which is written unless this script has written it before."""
    path, mark = (os.path.join(FOLDER, name + end) for end in (".onnx", ".made-from"))
    with open(os.path.abspath(__file__), "rb") as f:
        key = hashlib.sha256(f.read() + onnx.__version__.encode()).hexdigest()
    if not (os.path.exists(path) and os.path.exists(mark) and open(mark).read() == key):
        os.makedirs(FOLDER, exist_ok=True)
        model = MODELS[name]()
        check(name, model)
        onnx.save(model, path)
        with open(mark, "w") as f:
            f.write(key)
    return path


def main():
    names = sys.argv[1:] or list(MODELS)
    unknown = [n for n in names if n not in MODELS]
    if unknown:
        print(f"make_models.py: no model {', '.join(unknown)}; there are {', '.join(MODELS)}", file=sys.stderr)
        return 2
    for name in names:
        path = path_of(name)
        print(f"{os.path.getsize(path):12,} bytes  {os.path.relpath(path)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
