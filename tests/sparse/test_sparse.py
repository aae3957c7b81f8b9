#!/usr/bin/env python3
"""Weights most of which are zero: every back end and target gives the same bits, and ONNX Runtime's values; integers are those of the naive schedule;
what is stored grows with the weights that are left; threads; a small network."""
import json
import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, scratch, tenon  # noqa: E402
from onnx_models import save_model, unoptimised  # noqa: E402

TARGETS = ("x86-64-v4", "x86-64-v3", "x86-64", "generic")
# what is computed, the shape of the data, results (channels), window, the pattern of what is left
CASES = [
    ("MatMul", (1, 96), 64, 0, "random 0.1"),
    ("MatMul", (1, 300), 37, 0, "random 0.3"),
    ("MatMul", (7, 64), 48, 0, "random 0.05"),
    ("MatMul", (2, 19, 128), 72, 0, "random 0.2"),
    ("MatMul", (128, 96), 100, 0, "2:4"),
    ("MatMul", (1, 128), 256, 0, "2:4"),
    ("MatMul", (35, 700), 36, 0, "2:4"),
    ("MatMul", (2, 40, 520), 37, 0, "random 0.3"),
    ("Gemm", (130, 300), 260, 0, "random 0.4"),
    ("MatMul", (1, 64), 64, 0, "blocks 0.2"),
    ("MatMul", (5, 40), 16, 0, "none"),
    ("MatMul", (3, 64), 32, 0, "one column"),
    ("MatMul", (4, 5), 24, 0, "random 0.4"),
    ("MatMul", (33,), 20, 0, "random 0.2"),
    ("Gemm", (1, 256), 10, 0, "random 0.1"),
    ("Gemm", (9, 65), 33, 0, "random 0.15"),
    ("Conv", (1, 24, 28, 28), 16, 1, "random 0.1"),
    ("Conv", (1, 256, 12, 12), 48, 1, "random 0.4"),
    ("Conv", (1, 16, 14, 14), 32, 3, "random 0.1"),
    ("Conv", (2, 17, 7, 7), 19, 3, "random 0.05"),
    ("Conv", (1, 8, 20, 9), 12, 5, "random 0.1"),
    ("Conv", (1, 3, 32, 32), 16, 3, "random 0.2"),
    ("Conv stride", (1, 16, 15, 17), 24, 3, "random 0.1"),
    ("Conv group", (1, 16, 12, 12), 16, 3, "random 0.1"),
    ("ConvTranspose", (1, 16, 8, 8), 12, 3, "random 0.1"),
]
DENSE = {12, 23}  # computed as if nothing were zero: so few products, and a group of channels alone
CODES = [("uint8", 0), ("uint8", 131), ("int8", 0), ("int8", -7)]  # of the data: type, zero point


def pattern(random, shape, text):
    """1 where a weight is left; the last dimension is that of the results."""
    inputs, results = shape
    kind, _, part = text.partition(" ")
    if kind == "random":
        return random.random(shape) < float(part)
    if kind == "blocks":  # four neighbouring results
        return np.repeat(random.random((inputs, (results + 3) // 4)) < float(part), 4, axis=1)[:, :results]
    if kind == "2:4":
        return np.argsort(np.argsort(random.random((inputs // 4, 4, results)), axis=1), axis=1).reshape(shape) < 2
    kept = np.zeros(shape, bool)
    if text == "one column":
        kept[:, results // 2] = True
    return kept


def weights_of(random, case):
    kind, shape, results, window, text = case
    inputs = shape[-1] if not window else shape[1] * window * window // (4 if kind == "Conv group" else 1)
    w = random.standard_normal((inputs, results)) * pattern(random, (inputs, results), text)
    if not window:
        return np.float32(w.T if kind == "Gemm" else w)
    if kind == "ConvTranspose":
        return np.float32(w.reshape(shape[1], window, window, results).transpose(0, 3, 1, 2))
    return np.float32(w.T.reshape(results, -1, window, window))


def node_of(case, x, w, b, y):
    kind, _, _, window, _ = case
    if kind == "MatMul":
        return [helper.make_node("MatMul", [x, w], ["product"]), helper.make_node("Add", ["product", b], [y])]
    if kind == "Gemm":
        return [helper.make_node("Gemm", [x, w, b], [y], transB=1)]
    attributes = {"pads": [window // 2] * 4, "strides": [2, 2] if kind == "Conv stride" else [1, 1]}
    attributes["group"] = 4 if kind == "Conv group" else 1
    return [helper.make_node(kind.split()[0], [x, w, b], [y], **attributes)]


def save_data(folder, path, x):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    for name, a in (("input_0", x), ("output_0", unoptimised(path).run(None, {"x": x})[0])):
        with open(os.path.join(data, name + ".pb"), "wb") as f:
            f.write(numpy_helper.from_array(a).SerializeToString())


def make_float(folder, case, number):
    """A map before, so that the data come from a kernel, and one after."""
    random = np.random.default_rng(number)
    x, w, b = random.standard_normal(case[1]).astype(np.float32), weights_of(random, case), random.standard_normal(case[2])
    nodes = [helper.make_node("Neg", ["x"], ["data"]), *node_of(case, "data", "w", "b", "sum"), helper.make_node("Relu", ["sum"], ["y"])]
    path = save_model(os.path.join(folder, "model.onnx"), nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                      [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], [("w", w), ("b", np.float32(b))])
    save_data(folder, path, x)
    return path


def make_codes(folder, case, number, code, zero):
    """The same with QuantizeLinear and DequantizeLinear around it, by powers of two, so that nothing is a tie that floats decide."""
    random = np.random.default_rng(1000 + number)
    w = weights_of(random, case)
    codes = np.int8(np.clip(np.rint(w * 40), -127, 127))
    x = random.standard_normal(case[1]).astype(np.float32)
    kind = getattr(TensorProto, code.upper())
    constants = [("sx", np.float32(2**-5)), ("zx", np.asarray(zero, code)), ("sw", np.float32(2**-6)), ("zw", np.int8(0)), ("w8", codes),
                 ("sb", np.float32(2**-11)), ("b32", np.int32(random.integers(-3000, 3000, case[2]))), ("zb", np.int32(0)),
                 ("sy", np.float32(2**-3)), ("zy", np.asarray(5, code))]
    nodes = [helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]), helper.make_node("DequantizeLinear", ["q", "sx", "zx"], ["data"]),
             helper.make_node("DequantizeLinear", ["w8", "sw", "zw"], ["w"]), helper.make_node("DequantizeLinear", ["b32", "sb", "zb"], ["b"]),
             *node_of(case, "data", "w", "b", "sum"), helper.make_node("QuantizeLinear", ["sum", "sy", "zy"], ["y"])]
    path = save_model(os.path.join(folder, "model.onnx"), nodes, [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
                      [helper.make_tensor_value_info("y", kind, None)], constants)
    save_data(folder, path, x)
    return path


def is_sparse(model, target, *words):
    """Do kernels have lists of steps? Their lengths are loop bounds, which nothing else loads."""
    return "cast<i64>(load<i32>(" in tenon("compile", model, "--target", target, "--emit", "loops", "-o", "-", *words).out


def check_floats(checks, folder):
    for number, case in enumerate(CASES):
        where = os.path.join(folder, f"float{number}")
        os.makedirs(where)
        model, found = make_float(where, case, number), []
        for target in TARGETS:
            done = tenon("check", model, where, "--target", target, "--backend", "all", "--atol", "1e-4", timeout=300)
            checks.check(f"{case} on {target}", done.status == 0, done.last)
            found.append(is_sparse(model, target))
        checks.equal(f"{case}: zeros are left out", any(found), number not in DENSE)
        done = tenon("check", model, where, "--backend", "interp", "--schedule", "naive", "--atol", "1e-4", timeout=300)
        checks.check(f"{case}, naive", done.status == 0, done.last)
        checks.check(f"{case}, naive leaves nothing out", not is_sparse(model, "x86-64-v3", "--schedule", "naive"))


def check_codes(checks, folder):
    left_out = 0
    for number, case in enumerate(CASES):
        code, zero = CODES[number % len(CODES)]
        where = os.path.join(folder, f"code{number}")
        os.makedirs(where)
        model = make_codes(where, case, number, code, zero)
        for target in TARGETS:
            done = tenon("check", model, where, "--target", target, "--backend", "all", "--int", "force", timeout=300)
            checks.check(f"{code} {zero} {case} on {target}", done.status == 0, done.last)
            left_out += is_sparse(model, target, "--int", "force")
        done = tenon("check", model, where, "--backend", "interp", "--schedule", "naive", "--int", "force", timeout=300)
        checks.check(f"{code} {zero} {case}, naive", done.status == 0, done.last)
    checks.check("zeros are left out of integers", left_out >= len(CASES), f"in {left_out} programs")


def check_bytes(checks, folder):
    """Beside weights that are all there: of so many bytes a part that grows with what is left."""
    stored = {}
    for text in ("random 1.1", "random 0.3", "random 0.1", "random 0.02"):
        where = os.path.join(folder, text.replace(" ", ""))
        os.makedirs(where)
        model = make_float(where, ("MatMul", (1, 512), 512, 0, text), 7)
        for target in TARGETS:
            done = tenon("inspect", model, "--target", target, "--json")
            stored[target, text] = json.loads(done.out)["totals"]["weight_bytes"]
    for target in TARGETS:
        whole = stored[target, "random 1.1"]
        parts = [stored[target, text] / whole for text in ("random 0.3", "random 0.1", "random 0.02")]
        most = {"generic": (0.5, 0.16, 0.04), "x86-64": (1, 0.16, 0.04)}.get(target, (0.5, 0.2, 0.08))
        checks.check(f"bytes on {target}", all(p <= m for p, m in zip(parts, most)), str(parts))


def check_threads(checks, folder):
    """How long a sparse kernel takes is known where kernels are divided; the bits stay."""
    where = os.path.join(folder, "threads")
    os.makedirs(where)
    model = make_float(where, ("MatMul", (512, 512), 1024, 0, "random 0.1"), 8)
    for target in TARGETS[:2]:
        loops = tenon("compile", model, "--target", target, "--threads", 2, "--emit", "loops").out
        checks.check(f"{target}: a large sparse kernel is divided among threads", "parallel for" in loops and is_sparse(model, target))
        done = tenon("check", model, where, "--target", target, "--threads", 2, "--backend", "all", timeout=300)
        checks.check(f"{target}: two threads", done.status == 0, done.last)


def check_small_network(checks):
    """ResNet-8, of many layers that are faster by Winograd or with channels last: zeros never cost anything, by what is predicted."""
    model = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "models", "mlperf-tiny", "resnet8", "model.onnx")
    for target in TARGETS[:2]:
        cycles = [json.loads(tenon("inspect", model, "--target", target, "--json", *words).out)["totals"]["predicted"]["cycles"]
                  for words in ((), ("-p", "prune:sparsity=0.8"), ("-p", "prune:sparsity=0.9"))]
        checks.check(f"ResNet-8 on {target}: faster with 80 and with 90 % zeros", cycles[2] < 0.85 * cycles[0] and cycles[1] < cycles[0], str(cycles))


def main():
    checks = Checks()
    folder = scratch("sparse")
    check_floats(checks, folder)
    check_codes(checks, folder)
    check_bytes(checks, folder)
    check_threads(checks, folder)
    check_small_network(checks)
    checks.finish()


if __name__ == "__main__":
    main()
