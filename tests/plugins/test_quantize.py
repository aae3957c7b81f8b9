#!/usr/bin/env python3
"""quantize: options and their errors; each format against numpy; tables, packing; bias correction; every back end; ONNX Runtime; determinism."""
import json
import os
import re
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, TENON, Checks, accuracy_of, run, scratch, tenon  # noqa: E402
from onnx_models import save_model, unoptimised  # noqa: E402
from passes import constants_of, report_of, through  # noqa: E402

FOLDER = scratch("quantize")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx")
TRAINED = os.path.join(MODELS, "bert-tiny-imdb", "train_5000.npz")
CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
F, I64 = TensorProto.FLOAT, TensorProto.INT64
info = helper.make_tensor_value_info


def save(name, *parts):
    return save_model(os.path.join(FOLDER, f"{name}.onnx"), *parts)


def write(name, text):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as f:
        f.write(text)
    return path


def quantised(model, options, *words, name="out"):
    """The model after -p quantize:OPTIONS: its path, what ONNX holds, what was said."""
    return through("quantize", model, options, os.path.join(FOLDER, f"{name}.onnx"), *words)


# ---- a network of two layers ----

RANDOM = np.random.default_rng(5)
W1 = (RANDOM.standard_normal((24, 20)) * np.geomspace(0.1, 1, 20)).astype(np.float32)
W2 = RANDOM.standard_normal((6, 20)).astype(np.float32)
B1, B2 = RANDOM.standard_normal(20).astype(np.float32), RANDOM.standard_normal(6).astype(np.float32)
X = (RANDOM.standard_normal((64, 24)) * 2).astype(np.float32)


def two_layers():
    """y = relu(x W1 + b1) W2^T + b2."""
    nodes = [helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"), helper.make_node("Add", ["a", "b1"], ["b"], name="bias"),
             helper.make_node("Relu", ["b"], ["c"], name="relu"), helper.make_node("Gemm", ["c", "w2", "b2"], ["y"], name="second", transB=1)]
    np.savez(os.path.join(FOLDER, "x.npz"), x=X, label=np.zeros(len(X), np.int64))
    return save("two_layers", nodes, [info("x", F, ["n", 24])], [info("y", F, ["n", 6])], [("w1", W1), ("w2", W2), ("b1", B1), ("b2", B2)])


# ---- the formats, by numpy alone ----

def ends(width, signed):
    return (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)


def rounded(x, scale, zero, width, signed):
    """What QuantizeLinear and DequantizeLinear of this width make of x."""
    low, high = ends(width, signed)
    q = np.clip(np.rint(np.float32(x) / np.float32(scale)).astype(np.float64) + zero, low, high)
    return (q - zero).astype(np.float32) * np.float32(scale)


def best_fraction(x, width, signed):
    errors = {f: float(np.square(np.float64(x - rounded(x, 2.0 ** -f, 0, width, signed))).sum()) for f in range(-12, 24)}
    return min(errors, key=errors.get)


def covering_fraction(x, width, signed):
    low, high = ends(width, signed)
    return max(f for f in range(-12, 40) if np.rint(x.max() * 2.0 ** f) <= high and np.rint(min(x.min(), 0) * 2.0 ** f) >= low)


def weight_of(model, input_of):
    """Codes, scales and zero points of the weight of a node, and the axis of the scales."""
    makers = {o: n for n in model.graph.node for o in n.output}
    node = next(n for n in model.graph.node if n.name == input_of)
    made = makers[node.input[1]]
    c = constants_of(model)
    axis = next((a.i for a in made.attribute if a.name == "axis"), 1)
    block = next((a.i for a in made.attribute if a.name == "block_size"), 0)
    codes, scales = np.float64(c[made.input[0]]), np.float64(c[made.input[1]])
    zeros = np.float64(c[made.input[2]]) if len(made.input) > 2 else np.zeros_like(scales)
    return codes, scales, zeros, axis, block, made


def spread(p, axis, block, shape):
    """Scales or zero points, one for each element."""
    if p.ndim == 0:
        return np.broadcast_to(p, shape)
    if block:
        return np.repeat(p, block, axis)[tuple(slice(0, n) for n in shape)]
    return np.broadcast_to(p.reshape([-1 if i == axis else 1 for i in range(len(shape))]), shape)


def test_weights(checks):
    model = two_layers()
    for scheme in ("fixed", "affine", "symmetric"):
        for per in ("tensor", "channel", "block"):
            for width in range(2, 17):
                name = f"{scheme}, {width} bits per {per}"
                _, made, done = quantised(model, f"data_width=0,weight_width={width},format={scheme},per={per},block=8")
                if not checks.check(name, made is not None, done.err):
                    continue
                for node, w in (("first", W1), ("second", W2)):
                    codes, scales, zeros, axis, block, dq = weight_of(made, node)
                    s, z = spread(scales, axis, block, w.shape), spread(zeros, axis, block, w.shape)
                    low, high = ends(width, True)
                    want = np.clip(np.rint(w / np.float32(s)) + z, low, high)
                    checks.check(f"{name}: codes of {node}", np.array_equal(codes, want), f"{np.abs(codes - want).max()}")
                    checks.check(f"{name}: bits of {node}", codes.min() >= low and codes.max() <= high and {p.key: p.value for p in dq.metadata_props}["tenon.width"] == str(width))
                    stored = next(t for t in made.graph.initializer if t.name == dq.input[0])
                    bits = {2: "INT2", 3: "INT4", 4: "INT4"}.get(width, "INT8" if width <= 8 else "INT16")
                    checks.equal(f"{name}: type of {node}", TensorProto.DataType.Name(stored.data_type), bits)
                    groups = {"tensor": 1, "channel": w.shape[axis] if per == "channel" else 0, "block": s.size // 8}[per]
                    checks.check(f"{name}: scales of {node}", scales.size == (groups if per != "block" else scales.size) and (scales.size > 1) == (per != "tensor"))
                    checks.check(f"{name}: zero points of {node}", scheme == "affine" or not zeros.any())
                    checks.check(f"{name}: powers of two in {node}", scheme != "fixed" or np.array_equal(np.log2(scales), np.rint(np.log2(scales))))


def test_choices(checks):
    model = two_layers()
    for width in range(2, 13):
        for method, want in (("mse", lambda x: best_fraction(x, width, True)), ("range", lambda x: covering_fraction(x, width, True)), ("half", lambda x: width // 2)):
            _, made, _ = quantised(model, f"data_width=0,weight_width={width},frac={method},per=channel")
            scales = weight_of(made, "first")[1]
            checks.equal(f"frac={method}, {width} bits", [-int(np.log2(s)) for s in scales], [want(W1[:, i]) for i in range(W1.shape[1])])
    # Affine and symmetric: no worse than the whole range, and better where that is wasteful.
    for scheme in ("affine", "symmetric"):
        errors = {}
        for method in ("range", "mse"):
            codes, s, z, axis, block, _ = weight_of(quantised(model, f"data_width=0,weight_width=3,format={scheme},frac={method}")[1], "first")
            errors[method] = np.square((codes - spread(z, axis, 0, W1.shape)) * spread(s, axis, 0, W1.shape) - W1).sum()
        checks.check(f"{scheme}: the least squared error is below that of the range", errors["mse"] < errors["range"], errors)
    _, made, _ = quantised(model, "data_width=0,weight_width=8,weight_frac=5,per=tensor")
    checks.equal("weight_frac=5", float(weight_of(made, "first")[1]), 2.0 ** -5)


def test_data(checks):
    """The whole network against numpy, every width; and against ONNX Runtime."""
    model, data = two_layers(), os.path.join(FOLDER, "x.npz")
    hidden = np.maximum(X @ W1 + B1, 0)
    for scheme in ("fixed", "affine", "symmetric"):
        for width in range(2, 17):
            name = f"{scheme} data, {width} bits"
            options = f"format={scheme},data_width={width},weight_width=0,calibration={data},bias_correction=false"
            path, made, done = quantised(model, options)
            if not checks.check(name, made is not None, done.err):
                continue
            c = constants_of(made)
            makers = {o: n for n in made.graph.node for o in n.output}
            at = []
            for node in ("first", "second"):
                q = makers[makers[next(n for n in made.graph.node if n.name == node).input[0]].input[0]]
                signed = c[q.input[2]].dtype.name.startswith("int")
                at.append((float(c[q.input[1]]), int(c[q.input[2]]), width, signed))
            checks.check(f"{name}: unsigned where never negative", at[0][3] == (scheme != "affine") and not at[1][3], at)
            if scheme == "fixed":
                for (scale, _, _, signed), x in zip(at, (X, hidden)):
                    checks.equal(f"{name}: fraction", -int(np.log2(scale)), best_fraction(x, width, signed))
            want = rounded(np.maximum(rounded(X, *at[0]) @ W1 + B1, 0), *at[1]) @ W2.T + B2
            np.save(os.path.join(FOLDER, "x.npy"), X)
            ran = tenon("run", path, "--input", f"x={FOLDER}/x.npy", "-o", FOLDER)
            have = np.load(os.path.join(FOLDER, "y.npy")) if ran.status == 0 else np.zeros_like(want)
            step = at[1][0] * np.abs(W2).sum(1).max()
            near = np.abs(have - want).max()
            checks.check(f"{name}: numpy's values", ran.status == 0 and np.mean(np.abs(have - want) < 1e-4 * np.abs(want).max()) > 0.98 and near < step, f"{ran.err} off by {near}")
            theirs = unoptimised(path).run(None, {"x": X})[0]
            checks.check(f"{name}: ONNX Runtime's values", np.mean(np.abs(have - theirs) < 1e-4 * np.abs(want).max()) > 0.98, np.abs(have - theirs).max())


def test_tables(checks):
    """Rows of a table, packed below 8 bits, are what numpy makes of them."""
    table = RANDOM.standard_normal((50, 12)).astype(np.float32)
    odd = RANDOM.standard_normal((50, 7)).astype(np.float32)
    ids = RANDOM.integers(0, 50, (3, 5))
    np.save(os.path.join(FOLDER, "ids.npy"), ids)
    for label, t in (("table", table), ("odd", odd), ("list", odd[:, 0])):
        model = save(label, [helper.make_node("Gather", ["t", "ids"], ["y"], name="look")], [info("ids", I64, ["n", 5])], [info("y", F, ["n", 5, *t.shape[1:]])], [("t", t)])
        for scheme in ("fixed", "affine"):
            for width in (2, 3, 4, 5, 8, 16):
                path, made, done = quantised(model, f"data_width=0,table_width={width},weight_width=0,format={scheme}")
                name = f"{label}, {scheme}, {width} bits"
                if not checks.check(name, made is not None, done.err):
                    continue
                c = constants_of(made)
                dq = next(n for n in made.graph.node if n.op_type == "DequantizeLinear")
                bytes_each = next(v.nbytes for n, v in c.items() if v.shape[:1] == (50,)) / t.size
                checks.equal(f"{name}: bytes for each number", bytes_each, (2 if width > 8 else 1) if width > 4 or label != "table" else (0.25 if width == 2 else 0.5))
                shift = (1 << (1 if width == 2 else 3)) if width <= 4 and label == "table" else 0
                zero = np.float64(c[dq.input[2]]) - shift if len(dq.input) > 2 else 0
                want = rounded(t, c[dq.input[1]], zero, width, True)[ids]
                tenon("run", path, "--input", f"ids={FOLDER}/ids.npy", "-o", FOLDER)
                checks.check(f"{name}: numpy's rows", np.array_equal(np.load(os.path.join(FOLDER, "y.npy")), want))
                checks.check(f"{name}: ONNX Runtime's rows", np.array_equal(unoptimised(path).run(None, {"ids": ids})[0], want))


def test_means(checks):
    """With corrected biases every layer has its float mean output; a MatMul without a bias gets one."""
    model, data = two_layers(), os.path.join(FOLDER, "x.npz")
    bare = save("bare", [helper.make_node("MatMul", ["x", "w"], ["y"], name="only")], [info("x", F, ["n", 24])], [info("y", F, ["n", 20])], [("w", W1)])
    floats = {"two_layers": np.maximum(X @ W1 + B1, 0) @ W2.T + B2, "bare": X @ W1}
    for path in (model, bare):
        name = os.path.basename(path)[:-5]
        shifts = {}
        for corrected in ("true", "false"):
            to, made, done = quantised(path, f"data_width=3,weight_width=3,calibration={data},bias_correction={corrected}")
            y = unoptimised(to).run(None, {"x": X})[0]
            shifts[corrected] = np.abs(y.mean(0) - floats[name].mean(0)).max()
        checks.check(f"{name}: mean output", shifts["true"] < 1e-4 < 1e-2 < shifts["false"], shifts)


def test_bias(checks):
    """bias_width and bias_frac: codes of the given width."""
    model = two_layers()
    _, made, done = quantised(model, "data_width=0,weight_width=8,bias_width=6,bias_frac=3")
    makers = {o: n for n in made.graph.node for o in n.output}
    c = constants_of(made)
    for node, at, b in (("second", 2, B2), ("bias", 1, B1)):
        dq = makers[next(n for n in made.graph.node if n.name == node).input[at]]
        checks.check(f"bias of {node}", np.array_equal(np.float32(c[dq.input[0]]), np.clip(np.rint(b * 8), -32, 31)) and float(c[dq.input[1]]) == 0.125)


def test_hessian(checks):
    """Correlated inputs: the output's error is below that of rounding to the nearest."""
    mix = RANDOM.standard_normal((6, 24))
    x = (RANDOM.standard_normal((512, 6)) @ mix + 0.1 * RANDOM.standard_normal((512, 24))).astype(np.float32)
    np.savez(os.path.join(FOLDER, "mixed.npz"), x=x)
    model = two_layers()
    errors = {}
    for rounding in ("nearest", "hessian"):
        path, _, done = quantised(model, f"data_width=0,weight_width=3,rounding={rounding},samples=512,bias_correction=false,keep=second,calibration={FOLDER}/mixed.npz")
        codes, s, z, axis, block, _ = weight_of(onnx.load(path), "first")
        errors[rounding] = np.square(x @ ((codes - spread(z, axis, 0, W1.shape)) * spread(s, axis, 0, W1.shape) - W1)).sum()
    checks.check("hessian: less than half of the error at the output", errors["hessian"] < errors["nearest"] / 2, errors)


def test_hessian_of_convolutions(checks):
    """The same of convolutions: strided, padded, dilated, in groups, depthwise."""
    base = RANDOM.standard_normal((96, 8, 4, 4)).repeat(3, 2).repeat(3, 3)
    x = (base + 0.1 * RANDOM.standard_normal(base.shape)).astype(np.float32)
    data = os.path.join(FOLDER, "planes.npz")
    np.savez(data, x=x)
    for label, shape, attributes in (("strided", (6, 8, 3, 3), {"strides": [2, 1], "pads": [1, 0, 2, 1]}), ("dilated", (6, 8, 3, 2), {"dilations": [2, 1]}),
                                     ("groups", (6, 4, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}), ("depthwise", (8, 1, 3, 3), {"group": 8})):
        model = save(label, [helper.make_node("Conv", ["x", "w"], ["y"], name="conv", **attributes)], [info("x", F, ["n", 8, 12, 12])], [info("y", F, None)],
                     [("w", RANDOM.standard_normal(shape).astype(np.float32))])
        floats, errors = unoptimised(model).run(None, {"x": x})[0], {}
        for rounding in ("nearest", "hessian"):
            path, _, done = quantised(model, f"data_width=0,weight_width=3,rounding={rounding},bias_correction=false,calibration={data}")
            errors[rounding] = np.square(unoptimised(path).run(None, {"x": x})[0] - floats).sum() if done.status == 0 else np.nan
        checks.check(f"hessian of a convolution, {label}", errors["hessian"] < 0.85 * errors["nearest"], errors)


def factors_of(made, scale):
    """Is there such a Mul, and what does it multiply with?"""
    c = constants_of(made)
    return next((c[i] for n in made.graph.node if n.op_type == "Mul" for i in n.input if i in c and i.endswith(scale)), None)


def test_smooth(checks):
    """Channels of very different size: the float model stays the same, and less is lost; a LayerNormalization takes the factors where nobody else reads it."""
    spread_x = (X * np.geomspace(0.01, 100, 24)).astype(np.float32)
    spread_w = (W1 / np.geomspace(0.01, 100, 24)[:, None]).astype(np.float32)
    data = os.path.join(FOLDER, "spread.npz")
    np.savez(data, x=spread_x)
    ends = [info("x", F, ["n", 24])], [info("y", F, ["n", 20])]
    model = save("spread", [helper.make_node("MatMul", ["x", "w"], ["y"], name="only")], *ends, [("w", spread_w)])
    want, errors = spread_x @ spread_w, {}
    for smooth in ("", "smooth=0,", "smooth=0.5,", "smooth=1,"):
        path, made, done = quantised(model, f"{smooth}format=symmetric,per=tensor,data_width=8,weight_width=8,bias_correction=false,calibration={data}")
        if checks.check(f"{smooth or 'not smoothed'}", made is not None, done.err):
            errors[smooth] = np.square(unoptimised(path).run(None, {"x": spread_x})[0] - want).mean() / np.square(want).mean()
    checks.check("smooth=0.5: less than a hundredth of the error", errors["smooth=0.5,"] < 1e-3 < 1e-1 < errors[""], errors)
    checks.check("smooth=1: data alike", errors["smooth=1,"] < errors[""] / 10, errors)
    factors = factors_of(quantised(model, f"smooth=0.25,format=symmetric,calibration={data}")[1], "factors")
    largest = np.abs(spread_x).max(0) ** 0.25 / np.abs(spread_w).max(1) ** 0.75
    checks.check("smooth=0.25: max|x|^a / max|w|^(1-a)", factors is not None and np.allclose(factors, 1 / largest, rtol=1e-4), factors)
    norm = helper.make_node("LayerNormalization", ["x", "g", "b"], ["n"], name="norm")
    gain = [("g", np.geomspace(0.1, 10, 24).astype(np.float32)), ("b", RANDOM.standard_normal(24).astype(np.float32)), ("w", W1)]
    own = save("own_norm", [norm, helper.make_node("MatMul", ["n", "w"], ["y"], name="only")], *ends, gain)
    shared = save("shared_norm", [norm, helper.make_node("MatMul", ["n", "w"], ["m"], name="only"), helper.make_node("ReduceMean", ["n"], ["r"], axes=[1]),
                                  helper.make_node("Add", ["m", "r"], ["y"])], *ends, gain)
    for path, muls in ((own, 0), (shared, 1)):
        name = os.path.basename(path)
        to, made, done = quantised(path, f"smooth=0.5,data_width=16,weight_width=16,calibration={FOLDER}/x.npz", name="smoothed")
        if checks.check(f"{name}: smoothed", made is not None, done.err):
            checks.equal(f"{name}: Muls", sum(n.op_type == "Mul" for n in made.graph.node), muls)
            far = np.abs(unoptimised(to).run(None, {"x": X})[0] - unoptimised(path).run(None, {"x": X})[0]).max()
            checks.check(f"{name}: the same numbers", far < 5e-3, far)
    checks.check("smooth= without data is refused", "no-calibration" in quantised(model, "smooth=0.5")[2].err)
    checks.check("smooth=2 is refused", "0 to 1" in quantised(model, "smooth=2")[2].err)


def test_equalise(checks):
    """A network whose channels have been scaled against each other is as good as before, through depthwise convolutions, pooling and products, too."""
    def conv(name, x, *inputs, **attributes):
        return helper.make_node("Conv", [x, *inputs], [name], name=name, **attributes)
    scale = np.geomspace(0.01, 100, 8).astype(np.float32)
    w1, w2, w3 = (RANDOM.standard_normal(s).astype(np.float32) for s in ((8, 3, 3, 3), (8, 1, 3, 3), (5, 8, 1, 1)))
    b1, b2 = RANDOM.standard_normal(8).astype(np.float32), RANDOM.standard_normal(8).astype(np.float32)
    nodes = [conv("a", "x", "w1", "b1"), helper.make_node("Relu", ["a"], ["ra"]), conv("b", "ra", "w2", "b2", group=8), helper.make_node("LeakyRelu", ["b"], ["rb"]),
             helper.make_node("MaxPool", ["rb"], ["p"], kernel_shape=[2, 2]), conv("y", "p", "w3")]
    shape = (-1, 1, 1, 1)
    scaled = [("w1", w1 * scale.reshape(shape)), ("b1", b1 * scale), ("w2", w2 / scale.reshape(shape) * scale[::-1].reshape(shape)), ("b2", b2 * scale[::-1]),
              ("w3", w3 / scale[::-1].reshape(1, -1, 1, 1))]
    convolutions = save("convolutions", nodes, [info("x", F, ["n", 3, 9, 9])], [info("y", F, None)], scaled)
    x1 = np.geomspace(0.01, 100, 20).astype(np.float32)
    products = save("products", [helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"), helper.make_node("Add", ["a", "b1"], ["b"]), helper.make_node("Relu", ["b"], ["c"]),
                                 helper.make_node("Gemm", ["c", "w2", "b2"], ["y"], name="second", transB=1)],
                    [info("x", F, ["n", 24])], [info("y", F, ["n", 6])], [("w1", W1 * x1), ("b1", B1 * x1), ("w2", W2 / x1), ("b2", B2)])
    planes = RANDOM.standard_normal((16, 3, 9, 9)).astype(np.float32)
    for path, x, pairs in ((convolutions, planes, 2), (products, X, 1)):
        name, want, errors = os.path.basename(path), unoptimised(path).run(None, {"x": x})[0], {}
        for equalise in ("false", "true"):
            to, made, done = quantised(path, f"equalise={equalise},per=tensor,format=symmetric,frac=range,data_width=0,weight_width=8", name="equalised")
            if checks.check(f"{name}: equalise={equalise}", made is not None, done.err):
                errors[equalise] = np.square(unoptimised(to).run(None, {"x": x})[0] - want).mean() / np.square(want).mean()
        checks.check(f"{name}: less than a hundredth of the error", errors["true"] < 1e-3 and errors["true"] < errors["false"] / 100, errors)
        r = report_of("quantize", path, "equalise=true,data_width=0", "--dim", "n=1")
        checks.check(f"{name}: pairs", r is not None and r["pairs_equalised"] == pairs, r)
    both = save("both_read", [helper.make_node("MatMul", ["x", "w1"], ["a"], name="first"), helper.make_node("Relu", ["a"], ["c"]), helper.make_node("Gemm", ["c", "w2"], ["d"], name="second", transB=1),
                              helper.make_node("ReduceSum", ["c"], ["s"]), helper.make_node("Add", ["d", "s"], ["y"])], [info("x", F, ["n", 24])], [info("y", F, ["n", 6])], [("w1", W1), ("w2", W2)])
    checks.equal("not where another reads what is between", report_of("quantize", both, "equalise=true,data_width=0", "--dim", "n=1")["pairs_equalised"], 0)


def test_dynamic(checks):
    """data=dynamic: rows of very different size lose alike; numpy's values, ONNX Runtime's, the same bits on every back end, integers in the compiled code."""
    rows = (X * np.geomspace(1e-3, 1e3, len(X))[:, None]).astype(np.float32)
    rows[7] = 0
    model = two_layers()
    hidden = np.maximum(rows @ W1 + B1, 0)
    want = hidden @ W2.T + B2
    np.save(os.path.join(FOLDER, "x.npy"), rows)

    def codes(x, width):
        step = np.maximum(np.abs(x).max(1, keepdims=True), np.float32(1e-30)) * np.float32(1 / ((1 << width - 1) - 1))
        return np.rint(x / step) * step

    def weights(made):
        """What the integers of both products stand for: the scales are the constant of the second Mul behind."""
        c = constants_of(made)
        readers = {i: n for n in made.graph.node for i in n.input}
        for n in (n for n in made.graph.node if n.op_type == "MatMulInteger"):
            last = readers[readers[readers[n.output[0]].output[0]].output[0]]
            yield (np.float32(c[n.input[1]]) - (c[n.input[3]] if len(n.input) > 3 else 0)) * next(c[i] for i in last.input if i in c)

    for scheme in ("fixed", "affine", "symmetric"):
        for width in range(2, 9):
            name = f"dynamic, {scheme}, {width} bits"
            path, made, done = quantised(model, f"data=dynamic,format={scheme},data_width={width},weight_width=8")
            if not checks.check(name, made is not None, done.err):
                continue
            ran = tenon("run", path, "--input", f"x={FOLDER}/x.npy", "-o", FOLDER)
            have = np.load(os.path.join(FOLDER, "y.npy")) if ran.status == 0 else np.full_like(want, np.nan)
            far = np.abs(have - unoptimised(path).run(None, {"x": rows})[0]) / (np.abs(want) + np.abs(want).max(1, keepdims=True))
            checks.check(f"{name}: ONNX Runtime's values", np.mean(far < 1e-5) > 0.98 and far.max() < 0.7, f"{ran.err} {far.max()}")
            first, second = weights(made)
            checks.check(f"{name}: weights", np.abs(first - W1).max() < 0.06 and np.abs(second - W2.T).max() < 0.06)
            step = codes(np.maximum(codes(rows, width) @ first + B1, 0), width) @ second + B2
            off = np.abs(have - step) / (np.abs(want) + np.abs(want).max(1, keepdims=True))
            checks.check(f"{name}: numpy's values", np.mean(off < 1e-4) > 0.98 and off.max() < 2.0 ** (2 - width), off.max())
    path, made, done = quantised(model, f"data=dynamic,data_width=4,weight_width=4,calibration={FOLDER}/x.npz")
    y = unoptimised(path).run(None, {"x": X})[0]
    floats = np.maximum(X @ W1 + B1, 0) @ W2.T + B2
    checks.check("dynamic: corrected biases give the float mean", np.abs(y.mean(0) - floats.mean(0)).max() < 1e-3, np.abs(y.mean(0) - floats.mean(0)).max())
    np.savez(os.path.join(FOLDER, "dynamic.npz"), x=X, label=np.int64(y.argmax(1)))
    every = tenon("eval", path, "--data", f"{FOLDER}/dynamic.npz", "--backend", "all")
    checks.check("dynamic: the same bits on every back end, ONNX Runtime's classes", every.status == 0 and accuracy_of(every) == len(X), every.out + every.err)
    seen = tenon("inspect", path, "--dim", "n=1")
    checks.check("dynamic: products of bytes", seen.out.count("i8xi8->i32") == 2, seen.out)
    for words, says in (("data_width=12", "8 at most"), ("weight_width=9", "8 at most"), ("per=block", "per=channel"), ("data_frac=3", "data_frac")):
        checks.check(f"data=dynamic,{words} is refused", says in quantised(model, f"data=dynamic,{words}")[2].err)


def test_selection(checks):
    model, data = two_layers(), os.path.join(FOLDER, "x.npz")
    for words, want in (("select=first", 1), ("select=op:Gemm", 1), ("keep=re:^sec", 1), ("select=*", 2), ("keep=first", 1)):
        r = report_of("quantize", model, f"calibration={data},{words}", "--dim", "n=1")
        checks.check(words, r is not None and len(r["weights"]) == want and len(r["data"]) == want, r)
    pipeline = write("mixed.toml", f'[[pass]]\nname = "quantize"\nweight_width = 8\ndata_width = 8\ncalibration = "{data}"\n'
                     '[[pass.override]]\nselect = ["second"]\nweight_width = 3\nformat = "affine"\ndata_width = 5\n')
    done = tenon("inspect", model, "--pipeline", pipeline, "--json", "--dim", "n=1")
    r = json.loads(done.out)["passes"][0]
    checks.equal("overrides: weights", [w["width"] for w in r["weights"]], [8, 3])
    checks.equal("overrides: data", [d["width"] for d in r["data"]], [8, 5])
    for line in ('ends = "integer"', 'calibration = "none.npz"', "samples = 3", 'calibration_map = ["x=y"]', 'calibration_scale = ["x=2"]', 'auto = "accuracy:1"', 'auto_widths = "all"',
                 "auto_samples = 3", 'label = "classes"', "bias_correction = false", 'data = "all"'):
        pipeline = write("whole.toml", f'[[pass]]\nname = "quantize"\ncalibration = "{data}"\n[[pass.override]]\nselect = ["second"]\n{line}\n')
        done = tenon("inspect", model, "--pipeline", pipeline, "--dim", "n=1")
        name = line.split(" = ")[0] if "data = " not in line else "data=all"
        checks.check(f"an override with {line} is refused", done.status == 2 and "'second' (Gemm-13): error[usage]: " + name in done.err and "is of the pass as a whole" in done.err and f"note: {pipeline}: line 4 gives" in done.err, done.err)


def test_errors(checks):
    model, data = two_layers(), os.path.join(FOLDER, "x.npz")
    cases = [("weight_widht=3", 2, "did you mean 'weight_width'?"), ("frac=mes", 2, "did you mean 'mse'?"), ("format=fixd", 2, "did you mean 'fixed'?"),
             ("data_width=17", 2, "0 to 16"), ("data_width=1", 2, "one bit"), ("weight_width=x", 2, "weight_width"), ("", 2, "calibration=FILE.npz"),
             ("format=affine,frac=half", 2, "format=fixed"), ("format=symmetric,data_frac=3", 2, "format=fixed"), ("data_width=0,weight_width=0", 2, "nothing-to-do"),
             ("calibration=none.npz", 5, "none.npz"), (f"calibration={data},calibration_map=x=q", 3, "no array 'q'"), (f"calibration={data},calibration_map=q=x", 2, "no input 'q'"),
             (f"calibration={data},calibration_scale=x", 2, "INPUT=X"), (f"calibration={data},calibration_scale=x=big", 2, "number"), ("percentile=20", 2, "50 to 100"),
             ("data_width=0,select=re:(", 2, "select"), ("data_width=0,keep=frist", 2, "did you mean 'first'?"), ("data_width=0,select=first,nobody", 2, "'select=nobody': the model has no node of this name"), (f"calibration={model}", 3, "error[npz]")]
    before = tenon("compile", model, "--emit", "graph").out
    for options, status, says in cases:
        _, _, done = quantised(model, options)
        checks.check(f"quantize:{options} is refused", done.status == status and "error[" in done.err and says in done.err, f"{done.status} {done.err}")
    checks.equal("a refused pass changes nothing", tenon("compile", model, "--emit", "graph").out, before)
    np.savez(os.path.join(FOLDER, "odd.npz"), x=np.where(X > 1, np.inf, X).astype(np.float32))
    checks.check("data that are not finite", "of input 'x' has inf" in quantised(model, f"calibration={FOLDER}/odd.npz")[2].err)
    np.savez(os.path.join(FOLDER, "empty.npz"), x=X[:0])
    checks.check("no samples", "error[no-data]" in quantised(model, f"calibration={FOLDER}/empty.npz")[2].err)
    help_text = tenon("passes", "quantize").out
    checks.check("tenon passes quantize lists the options", all(f"  {o}=" in help_text for o in ("data_width", "frac", "calibration", "keep")))


def without_llvm():
    """A copy of tenon that has no LLVM: it calibrates by the interpreter."""
    folder = os.path.join(FOLDER, "plain")
    for name in ("bin/tenon", "lib/tenon/plugins/quantize.so", *(f"lib/{n}" for n in os.listdir(os.path.join(BUILD, "lib")) if n.startswith("libtenon.so"))):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy(os.path.join(BUILD, name), os.path.join(folder, name))
    return os.path.join(folder, "bin", "tenon"), {"LD_LIBRARY_PATH": os.path.join(folder, "lib")}


def test_determinism(checks):
    model, data = two_layers(), os.path.join(FOLDER, "x.npz")
    asked = f"quantize:data_width=5,weight_width=3,calibration={data},rounding=hessian"
    plain, env = without_llvm()
    bytes_of = {}
    for name, command, words, more in (("once", TENON, (), {}), ("again", TENON, (), {}), ("isolated", TENON, ("--isolate",), {}), ("without LLVM", plain, (), env)):
        to = os.path.join(FOLDER, "same.onnx")
        done = run([command, "compile", model, "-p", asked, "--emit", "onnx", "-o", to, *words], env=more)
        if checks.check(f"quantised, {name}", done.status == 0, done.err):
            bytes_of[name] = open(to, "rb").read()
    checks.check("the same bytes each time, with --isolate, from the JIT and the interpreter", len(set(bytes_of.values())) == 1)


def test_digits(checks):
    """Real weights: convolutions, int8."""
    scale = 1 / 255
    floats = accuracy_of(tenon("eval", CNN, "--data", DIGITS, "--scale", f"input={scale}", "--limit", 1000))
    for options in ("format=symmetric", "format=fixed", "format=affine,data_width=4,weight_width=4"):
        done = tenon("eval", CNN, "--data", DIGITS, "--scale", f"input={scale}", "--limit", 1000, "-p", f"quantize:{options},calibration={DIGITS},calibration_scale=input={scale}")
        checks.check(f"digits, {options}: at most 5 of 1,000 lost", floats - accuracy_of(done) <= 5 and floats > 970, f"{floats} {done.err} {done.out}")


def test_everywhere(checks):
    """data=all: nothing is left for floats; the integers of the model's ends are fed and read."""
    scores = save("scores", [helper.make_node("Cast", ["keep"], ["k"], name="cast", to=F), helper.make_node("Sub", ["one", "k"], ["s"], name="invert"),
                             helper.make_node("Mul", ["s", "huge"], ["m"], name="scale"), helper.make_node("Add", ["x", "m"], ["a"], name="mask"), helper.make_node("Softmax", ["a"], ["y"], name="soft")],
                  [info("x", F, [1, 24]), info("keep", I64, [1, 24])], [info("y", F, [1, 24])], [("one", np.float32(1)), ("huge", np.float32(-3.4e38))])
    keep = np.int64(RANDOM.integers(0, 4, X.shape) > 0)
    data = os.path.join(FOLDER, "masked.npz")
    np.savez(data, x=X, keep=keep)
    path, made, done = quantised(scores, f"data=all,ends=integer,format=symmetric,calibration={data}", "--float", "none", "--target", "generic")
    if checks.check("scores with a mask: quantised", made is not None, done.err):
        checks.equal("scores with a mask: inputs", [i.name for i in made.graph.input], ["keep", "x_i8"])
        c = constants_of(made)
        ends = {n.input[0]: n for n in made.graph.node if n.op_type == "DequantizeLinear"}["x_i8"]
        out = next(n for n in made.graph.node if n.op_type == "QuantizeLinear" and n.output[0] == made.graph.output[0].name)
        codes = np.int8(np.clip(np.rint(X / c[ends.input[1]]), -128, 127))
        ran = unoptimised(path)
        y = np.concatenate([ran.run(None, {"x_i8": codes[i:i + 1], "keep": keep[i:i + 1]})[0] for i in range(len(X))])
        masked = np.where(keep, X, -np.inf)
        want = np.exp(masked - masked.max(1, keepdims=True))
        want /= want.sum(1, keepdims=True)
        checks.check("scores with a mask: probabilities", np.abs(y * c[out.input[1]] - want).max() < 0.06 and (y[keep == 0] == 0).all(), np.abs(y * c[out.input[1]] - want).max())
    checks.check("ends=integer alone is refused", "data=all" in quantised(scores, f"ends=integer,calibration={data}")[2].err)
    tiny, pictures = os.path.join(MODELS, "mlperf-tiny"), os.path.join(MODELS, "mlperf-tiny", "cifar10_2000.npz")
    asked = f"quantize:data=all,ends=integer,format=symmetric,calibration={pictures}"
    model = os.path.join(tiny, "resnet8", "model.onnx")
    right = [accuracy_of(tenon("eval", model, "--data", pictures, "--limit", 1000, *words)) for words in ((), ("-p", asked, "--map", "input_1_u8=input_1", "--int", "force"))]
    checks.check("ResNet-8 in integers: at most 10 of 1,000 lost", right[0] > 700 and right[0] - right[1] <= 10, right)
    cortex = ("--float", "none", "--emit", "obj", "--triple", "thumbv6m-none-eabi", "--cpu", "cortex-m0plus")
    done = tenon("compile", model, "-p", asked, *cortex, "-o", os.path.join(FOLDER, "resnet8"))
    checks.check("ResNet-8 without floats: an object for cortex-m0plus", done.status == 0, done.err)
    done = tenon("compile", BERT, "--dim", "batch=1", "--dim", "sequence=256", "--skip", "fuse-attention", "-p", f"quantize:data=all,ends=integer,format=symmetric,samples=8,calibration={TRAINED}",
                 *cortex, "--name", "bert", "-o", os.path.join(FOLDER, "bert"))
    size = os.path.getsize(os.path.join(FOLDER, "bert", "bert.o")) if done.status == 0 else 0
    checks.check("bert-tiny without floats: an object for cortex-m0plus below 4.7 MB", 4e6 < size < 4.7e6, f"{size} {done.err}")


def test_auto(checks):
    """Fewer bits, no more points lost than allowed; more bits where less is allowed."""
    scale = f"input={1 / 255}"
    common = f"data_width=0,calibration={DIGITS},calibration_scale={scale}"
    sizes = {}
    for points in ("0", "3"):
        r = report_of("quantize", CNN, f"{common},auto=accuracy:{points},auto_samples=400", "--dim", "batch=1")
        if checks.check(f"auto=accuracy:{points}", r is not None):
            sizes[points] = sum(w["width"] * w["numbers"] for w in r["weights"]) / sum(w["numbers"] for w in r["weights"])
    print(f"mnist-cnn: bits of a weight with auto=accuracy: {sizes}")
    checks.check("fewer bits than 8, the fewer the more may be lost", len(sizes) == 2 and sizes["3"] <= sizes["0"] < 6, sizes)
    right = [accuracy_of(tenon("eval", CNN, "--data", DIGITS, "--scale", scale, "--limit", 1000, *words)) for words in ((), ("-p", f"quantize:{common},auto=accuracy:3,auto_samples=400"))]
    checks.check("at most so many points lost", right[0] - right[1] <= 30, right)
    both = f"calibration={DIGITS},calibration_scale={scale},auto=accuracy:1,auto_samples=400,auto_widths=all"
    r = report_of("quantize", CNN, both, "--dim", "batch=1")
    wide = {k: [x["width"] for x in r[k]] for k in ("data", "weights")} if r else {"data": [8], "weights": [8]}
    checks.check("auto_widths=all: fewer bits of data, too", max(wide["weights"]) <= 6 and sum(wide["data"]) < 8 * len(wide["data"]) * 0.75, wide)
    done = tenon("eval", CNN, "--data", DIGITS, "--scale", scale, "--limit", 1000, "-p", f"quantize:{both}")
    checks.check("auto_widths=all: at most so many points lost, and twice the chance", right[0] - accuracy_of(done) <= 20, (right, done.out, done.err))
    made = quantised(CNN, both)[1]
    left = {t.name for t in made.graph.initializer} - {i for n in made.graph.node for i in n.input} if made else {"nothing made"}
    checks.check("auto_widths=all: nothing is left of what was tried", made is not None and not left and not any(re.search("tried|quantised.*_[0-9]+$", t.name) for t in made.graph.initializer), left)
    for words, says in (("auto_widths=all,data=all", "data=operands"), ("auto=speed", "accuracy:POINTS"), ("auto=accuracy:much", "0 to 100"), ("auto=accuracy:1,label=no", "no array 'no'")):
        checks.check(f"{words} is refused", says in quantised(CNN, f"{common},auto=accuracy:1,{words}" if "auto=" not in words else f"{common},{words}")[2].err)


def test_header(checks):
    folder = os.path.join(ROOT, "plugins", "quantize")
    for name in sorted(os.listdir(folder)):
        found = re.findall(r'#include [<"]([^>"]+)[>"]', open(os.path.join(folder, name)).read())
        checks.equal(f"{name} includes nothing of tenon but plugin.h", [h for h in found if "/" in h and h != "tenon/plugin.h"], [])
    done = tenon("passes", "--check", os.path.join(BUILD, "lib", "tenon", "plugins", "quantize.so"))
    checks.check("tenon passes --check", done.status == 0, done.out)


if __name__ == "__main__":
    checks = Checks()
    for test in (test_weights, test_choices, test_data, test_tables, test_means, test_bias, test_hessian, test_hessian_of_convolutions, test_smooth, test_equalise, test_dynamic, test_selection, test_errors, test_determinism, test_digits,
                 test_everywhere, test_auto, test_header):
        test(checks)
    checks.finish()
