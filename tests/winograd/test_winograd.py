#!/usr/bin/env python3
"""Chains of 3x3 convolutions of odd shapes and borders: Winograd's kernels on every back end and target give the same bits, and ONNX Runtime's
values; what skips, refuses and reports the pass; the numbers of MACs, and names, of the convolutions themselves."""
import json
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, scratch, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402

TARGETS = ("x86-64-v4", "x86-64-v3", "x86-64")
# batch, height, width, channels of the data and of each layer, borders (top, left, bottom, right), what follows a layer
CASES = [
    (1, 16, 16, (16, 16, 32), (1, 1, 1, 1), "relu"),
    (2, 7, 7, (17, 19), (1, 1, 1, 1), "add"),
    (1, 9, 6, (33, 16, 17), (0, 1, 2, 1), "clip"),
    (1, 2, 5, (64, 64), (1, 1, 1, 1), "none"),
    (2, 14, 5, (16, 24), (2, 0, 0, 3), "add"),
    (1, 6, 6, (48, 16), (0, 0, 0, 0), "relu"),
    (1, 1, 1, (32, 32), (1, 1, 1, 1), "relu"),
    (1, 12, 12, (3, 16, 20, 16), (1, 1, 1, 1), "relu"),
    (1, 3, 3, (16, 16), (2, 2, 2, 2), "add"),
    (1, 28, 10, (40, 40), (1, 1, 1, 1), "transpose"),
]
WITHOUT = {6, 8}  # where no layer is a tile high, or it does not pay


class Net:
    def __init__(self, case, seed):
        batch, height, width, channels, border, follows = case
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights = [], []
        data = self.real(batch, channels[0], height, width)
        self.inputs = [("x", data)]
        v = self.node("Neg", "x")
        for n_in, n_out in zip(channels, channels[1:]):
            v = self.conv(v, n_in, n_out, border)
            height, width = height + border[0] + border[2] - 2, width + border[1] + border[3] - 2
            if follows == "relu":
                v = self.node("Relu", v)
            elif follows == "clip":
                v = self.node("Clip", v, self.constant(np.float32(-0.5)), self.constant(np.float32(0.75)))
            elif follows == "add":
                name = f"rest{len(self.inputs)}"
                self.inputs.append((name, self.real(batch, n_out, height, width)))
                v = self.node("Relu", self.node("Add", v, name))
        if follows == "transpose":
            v = self.node("Transpose", v, perm=[0, 2, 3, 1])
        self.outputs = [v, self.node("GlobalAveragePool", v)]

    def real(self, *shape):
        return self.random.standard_normal(shape).astype(np.float32)

    def constant(self, array):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def node(self, op, *inputs, **attributes):
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name + "_out"], name=name, **attributes))
        return name + "_out"

    def conv(self, x, n_in, n_out, border):
        w = self.constant(self.real(n_out, n_in, 3, 3) / np.float32((9 * n_in) ** 0.5))
        return self.node("Conv", x, w, self.constant(self.real(n_out)), pads=list(border))

    def save(self, folder):
        inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, a.shape) for name, a in self.inputs]
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in self.outputs]
        graph = helper.make_graph(self.nodes, "net", inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        path, data = os.path.join(folder, "model.onnx"), os.path.join(folder, "test_data_set_0")
        os.makedirs(data, exist_ok=True)
        onnx.save(model, path)
        want = unoptimised(path).run(None, dict(self.inputs))
        for kind, arrays in (("input", [a for _, a in self.inputs]), ("output", want)):
            for i, a in enumerate(arrays):
                with open(os.path.join(data, f"{kind}_{i}.pb"), "wb") as f:
                    f.write(numpy_helper.from_array(a).SerializeToString())
        return path


def loops(model, target, *words):
    done = tenon("compile", model, "--target", target, "--emit", "loops", "-o", "-", *words)
    return done.out if done.status == 0 else done.err


def check_cases(checks, folder):
    for number, case in enumerate(CASES):
        where = os.path.join(folder, str(number))
        os.makedirs(where, exist_ok=True)
        model = Net(case, number).save(where)
        for target in TARGETS:
            done = tenon("check", model, where, "--target", target, "--backend", "all", timeout=300)
            checks.check(f"case {number} on {target}", done.status == 0, done.last)
            text = loops(model, target)
            checks.check(f"case {number} on {target}: Winograd's kernels", ("winograd_product" in text) == (number not in WITHOUT), text[:200])
            done = tenon("check", model, where, "--target", target, "--backend", "interp", "--schedule", "naive", timeout=300)
            checks.check(f"case {number} on {target}, naive", done.status == 0, done.last)


def check_words(checks, folder):
    model = os.path.join(folder, "0", "model.onnx")
    for words in (("--skip", "winograd"), ("--schedule", "naive")):
        checks.check(f"{' '.join(words)} leaves it out", "winograd" not in loops(model, "x86-64-v3", *words))
    for target in ("generic", "cortex-m4"):
        checks.check(f"not for {target}", "winograd" not in loops(model, target))
    graph = tenon("compile", model, "--target", "x86-64-v3", "--dump-after", "winograd", "--emit", "loops", "-o", os.devnull)
    checks.check("--dump-after winograd", graph.err.count('"tenon"::WinogradConv') == 2, graph.err[:300])
    done = tenon("bench", model, "--target", "x86-64-v3", "--verify-passes", "--time", "0.01")
    checks.check("--verify-passes", done.status == 0, done.last)
    out = os.path.join(folder, "out.onnx")
    done = tenon("compile", model, "--target", "x86-64-v3", "--emit", "onnx", "-o", out)
    checks.check("--emit onnx", done.status == 0, done.last)
    checks.equal("--emit onnx has ONNX's operators alone", {n.domain for n in onnx.load(out).graph.node}, {""})
    done = tenon("compile", model, "-p", "winograd", "--emit", "loops", "-o", os.devnull)
    checks.check("-p winograd is refused", done.status == 2 and "--skip winograd" in done.err, done.last)
    checks.check("tenon passes lists it", "winograd" in tenon("passes").out)
    rows = tenon("compile", model, "--print-pipeline").out.split("\n")
    stages = {}
    for row in rows:
        stage = row.split()[0] if row[:1].strip() else stage
        stages.setdefault(stage, []).append(row.split()[:1])
    checks.check("--print-pipeline has it under the stage lower", stages.get("lower", []).count(["winograd"]) == 1, str(rows))
    checks.check("tenon ops does not know the operator", tenon("ops", "WinogradConv").status == 2 and "Winograd" not in tenon("ops").out)


def check_numbers(checks, folder):
    model = os.path.join(folder, "0", "model.onnx")
    macs = 16 * 16 * 9 * (16 * 16 + 16 * 32)
    checks.equal("inspect counts the Convs", json.loads(tenon("inspect", model, "--json").out)["totals"]["macs"], macs)
    rows = {}
    for words in ((), ("--skip", "winograd")):
        done = tenon("bench", model, "--target", "x86-64-v3", "--per-node", "--time", "0.02", "--json", *words)
        rows[words] = json.loads(done.out)
        checks.equal(f"bench counts the Convs {' '.join(words)}", rows[words]["macs"], macs)
    names = [[(n["op"], n["name"], n["macs"]) for n in r["nodes"] if n["op"] == "Conv"] for r in rows.values()]
    checks.equal("the Convs' names and MACs, with and without", names[0], names[1])
    checks.equal("two Convs", len(names[0]), 2)


def check_refused(checks, folder):
    """A model that uses the internal operator is refused; a Conv whose data are dequantised is none of that."""
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, (1, 16, 8, 8)) for n in "xy")
    u = numpy_helper.from_array(np.ones((16, 16, 16), np.float32), "u")
    node = helper.make_node("WinogradConv", ["x", "u"], ["y"], domain="tenon", tile=2, pads=[1, 1, 1, 1])
    graph = helper.make_graph([node], "net", [x], [y], [u])
    path = os.path.join(folder, "internal.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("tenon", 1)], ir_version=8), path)
    done = tenon("compile", path, "--emit", "loops", "-o", os.devnull)
    checks.check("the internal operator in a file", done.status == 4 and "unsupported-operator" in done.err, done.last)
    scale, zero = numpy_helper.from_array(np.float32(0.05), "scale"), numpy_helper.from_array(np.uint8(128), "zero")
    w = numpy_helper.from_array(np.random.default_rng(1).standard_normal((16, 16, 3, 3)).astype(np.float32), "w")
    nodes = [helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]), helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["r"]),
             helper.make_node("Conv", ["r", "w"], ["y"], pads=[1, 1, 1, 1])]
    path = os.path.join(folder, "quantised.onnx")
    onnx.save(helper.make_model(helper.make_graph(nodes, "net", [x], [y], [scale, zero, w]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    checks.check("a Conv of what is dequantised, whose weights are floats", "winograd" in loops(path, "x86-64-v3"))


def main():
    checks = Checks()
    folder = scratch("winograd")
    check_cases(checks, folder)
    check_words(checks, folder)
    check_numbers(checks, folder)
    check_refused(checks, folder)
    checks.finish()


if __name__ == "__main__":
    main()
