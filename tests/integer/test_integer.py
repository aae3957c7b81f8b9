#!/usr/bin/env python3
"""Integer programs: quantised models against ONNX Runtime node by node, sums at their extremes, programs without a float instruction."""
import json
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import MODELS, Checks, run, scratch, tenon  # noqa: E402
from native import Native  # noqa: E402
from onnx_models import unoptimised  # noqa: E402
from quantiser import FORMS, cut, quantise  # noqa: E402

TINY = os.path.join(MODELS, "mlperf-tiny")
FOLDER = scratch("integer")
INT8 = ("ad_autoencoder_int8_qdq", "kws_dscnn_int8_qdq", "resnet8_int8_qdq", "sww_int8_qdq", "vww_mobilenetv1_025_int8_qdq")
# A float model, the samples that it is calibrated and compared with, the forms that the quantiser writes.
SAMPLES = 12
FLOATS = (
    ("mnist-cnn", os.path.join(MODELS, "mnist-cnn"), "test_10000", "input", (1, 1, 28, 28), 1 / 255, FORMS),
    ("mnist-mlp", os.path.join(MODELS, "mnist-mlp"), "../mnist-cnn/test_10000", "input", (1, 1, 28, 28), 1 / 255, FORMS),
    ("ad_autoencoder", os.path.join(TINY, "ad_autoencoder"), "../toycar_196", "input_1", (1, 640), 1, FORMS),
    ("kws_dscnn_bn", os.path.join(TINY, "kws_dscnn_bn"), "../words_312", "input", (1, 49, 10, 1), 1, FORMS),
    ("resnet8", os.path.join(TINY, "resnet8"), "../cifar10_2000", "input_1", (1, 32, 32, 3), 1, FORMS),
)
# With DOT4 as the host has it, as products of pairs of two widths, and without vectors; columns that fill two vectors of each, and a half.
TARGETS, COLUMNS = ("host", "x86-64-v3", "x86-64-v4", "x86-64", "generic"), 40
MULTIPLIES = ("Conv", "MatMul", "Gemm", "QLinearConv", "QLinearMatMul", "MatMulInteger", "ConvInteger")


def proto(path):
    tensor = onnx.TensorProto()
    with open(path, "rb") as f:
        tensor.ParseFromString(f.read())
    return numpy_helper.to_array(tensor)


def bind_batch(model):
    for x in model.graph.input:
        for d in x.type.tensor_type.shape.dim:
            if d.dim_param:
                d.Clear()
                d.dim_value = 1
    return model


def compare(checks, name, model, feed):
    """Each quantised value from ONNX Runtime's values before it: one step at most, and 99.9 % equal; floats nearly."""
    pieces, feeds, want = cut(model, feed)
    folder = os.path.join(FOLDER, name)
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, "cut.onnx")
    onnx.save(pieces, path)
    got = [np.zeros_like(want[o.name]) for o in pieces.graph.output]
    Native(path, os.path.join(folder, "so")).run([feeds[i.name] for i in pieces.graph.input], got)
    total = equal = worst = 0
    for o, y in zip(pieces.graph.output, got):
        x = want[o.name]
        if x.dtype.kind in "iu":
            steps = np.abs(x.astype(np.int64) - y.astype(np.int64))
            total, equal, worst = total + steps.size, equal + int((steps == 0).sum()), max(worst, int(steps.max()))
        else:
            checks.check(f"{name}: {o.name}", np.allclose(y, x, rtol=1e-3, atol=1e-3), f"off by {np.abs(y - x).max()}")
    checks.check(f"{name}: no value off by more than a step", worst <= 1, worst)
    checks.check(f"{name}: 99.9 % of the values are equal", equal >= 0.999 * total, f"{equal} of {total}")
    return total, equal


def all_in_integers(checks, name, path):
    done = tenon("inspect", path, "--int", "force", "--json")
    if not checks.check(f"{name}: tenon inspect", done.status == 0, done.last):
        return
    floats = [n["name"] for n in json.loads(done.out)["nodes"] if n["op"] in MULTIPLIES and "->i" not in n["precision"]]
    checks.equal(f"{name}: what multiplies in floats", floats, [])


def shipped(checks):
    for name in INT8:
        path = os.path.join(TINY, name, "model.onnx")
        model = onnx.load(path)
        compare(checks, name, model, {model.graph.input[0].name: proto(os.path.join(TINY, name, "test_data_set_0", "input_0.pb"))})
        all_in_integers(checks, name, path)


def reviews(checks):
    """bert-tiny, whose attentions multiply data by data."""
    with np.load(os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz")) as arrays:
        feeds = [{key: arrays[key][k][None, :128].astype(np.int64) for key in ("input_ids", "attention_mask", "token_type_ids")} for k in range(6)]
    whole = os.path.join(FOLDER, "bert-tiny.onnx")  # its weights stand in a file of their own
    onnx.save(onnx.load(os.path.join(MODELS, "bert-tiny-imdb", "static_1x128.onnx")), whole)
    total = equal = 0
    for form in ("qdq-int8", "qoperator-uint8", "dynamic"):
        path = quantise(whole, form, feeds[:-1], os.path.join(FOLDER, "bert-tiny"))
        more = compare(checks, f"bert-tiny-{form}", onnx.load(path), feeds[-1])
        total, equal = total + more[0], equal + more[1]
        all_in_integers(checks, f"bert-tiny-{form}", path)
        if form != "dynamic":  # whose scales depend on all rows
            last_rows(checks, f"bert-tiny-{form}", path)
    return total, equal


def last_rows(checks, name, path):
    """What follows the attention of the last block is computed for the first token alone, in integers as in floats."""
    done = tenon("inspect", path, "--int", "force", "--json")
    totals = json.loads(done.out)["totals"] if done.status == 0 else {"macs": 0, "macs_by_precision": {}}
    left = sum(totals["macs_by_precision"].values())
    checks.check(f"{name}: rows that nobody reads are not computed", 0 < left < 0.62 * totals["macs"], f"{left} of {totals['macs']} MACs")



def quantised_here(checks):
    total, equal = reviews(checks)
    for name, folder, data, key, shape, scale, forms in FLOATS:
        with np.load(os.path.join(folder, data + ".npz")) as arrays:
            array = arrays[key if key in arrays.files else next(f for f in arrays.files if f != "label")]
            feeds = [{key: (x.astype(np.float32) * np.float32(scale)).reshape(shape)} for x in array[:SAMPLES]]
        for form in forms:
            path = quantise(os.path.join(folder, "model.onnx"), form, feeds[:-1], os.path.join(FOLDER, name))
            model = bind_batch(onnx.load(path))
            onnx.save(model, path)
            more = compare(checks, f"{name}-{form}", model, feeds[-1])
            total, equal = total + more[0], equal + more[1]
            all_in_integers(checks, f"{name}-{form}", path)
    print(f"models made by ONNX Runtime's quantiser: {equal} of {total} values equal")


# ---- sums at their extremes ----

def product(inner, x_type, x_zero, w, w_type, bias=None):
    """x[1, inner] times w, quantised with scales of 1 to 32 bits' worth of a 16-bit result."""
    kinds = {np.int8: TensorProto.INT8, np.uint8: TensorProto.UINT8, np.int16: TensorProto.INT16, np.uint16: TensorProto.UINT16}
    weights = [
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]), helper.make_tensor("xz", kinds[x_type], [], [x_zero]),
        numpy_helper.from_array(w.astype(w_type), "wq"), helper.make_tensor("wz", kinds[w_type], [], [0]),
        helper.make_tensor("ys", TensorProto.FLOAT, [], [float(2 ** 20)]), helper.make_tensor("yz", TensorProto.INT16, [], [0]),
    ]
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "one", "xz"], ["xr"]), helper.make_node("DequantizeLinear", ["wq", "one", "wz"], ["wr"]),
        helper.make_node("MatMul", ["xr", "wr"], ["p"]), helper.make_node("QuantizeLinear", ["p", "ys", "yz"], ["y"]),
    ]
    x = helper.make_tensor_value_info("x", kinds[x_type], [1, inner])
    y = helper.make_tensor_value_info("y", TensorProto.INT16, [1, w.shape[1]])
    return helper.make_model(helper.make_graph(nodes, "extreme", [x], [y], weights), opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def extremes(checks):
    """The largest and smallest sums that there can be: exact, with the widest accumulator that was chosen."""
    cases = (  # inner size, types, zero point, the sum's type
        (131071, np.int8, np.int8, 0, "i32"), (131072, np.int8, np.int8, 0, "i64"), (65536, np.uint8, np.int8, 0, "i32"),
        (65537, np.uint8, np.int8, 255, "i32"), (66000, np.int8, np.int8, 127, "i64"), (3, np.int16, np.int16, 0, "i64"), (1, np.int16, np.int16, 0, "i32"),
        (700, np.uint16, np.int8, 65535, "i64"), (200, np.int16, np.int8, -32768, "i32"),
        # by twos
        (256, np.uint8, np.int16, 0, "i32"), (510, np.int16, np.int8, 0, "i32"), (256, np.uint16, np.int8, 0, "i32"), (33024, np.uint8, np.uint8, 0, "i32"),
        (256, np.int8, np.int16, 127, "i32"),
    )
    for k, (inner, x_type, w_type, x_zero, sum_type) in enumerate(cases):
        x_info, w_info = np.iinfo(x_type), np.iinfo(w_type)
        w = np.tile(np.stack([np.full(inner, w_info.min), np.full(inner, w_info.max)], axis=1), COLUMNS // 2)
        model = product(inner, x_type, x_zero, w, w_type)
        folder = os.path.join(FOLDER, f"extreme{k}")
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "model.onnx")
        onnx.save(model, path)
        name = f"{inner} products of {np.dtype(x_type)} and {np.dtype(w_type)}, zero point {x_zero}"
        found = {n["precision"].split("->")[-1] for n in json.loads(tenon("inspect", path, "--int", "force", "--json").out)["nodes"] if n["op"] == "MatMul"}
        checks.equal(f"{name}: summed in", found, {sum_type})
        for target in TARGETS:
            native = Native(path, os.path.join(folder, target), "--target", target)
            for x in (np.full((1, inner), x_info.min, x_type), np.full((1, inner), x_info.max, x_type)):
                sums = [(int(x[0, 0]) - x_zero) * int(w[0, k]) * inner for k in range(COLUMNS)]
                want = [max(-32768, min(32767, (s + (1 << 19)) >> 20)) for s in sums]
                got = native.run([x], [np.zeros((1, COLUMNS), np.int16)])[0][0].tolist()
                checks.equal(f"{name}: x = {x[0, 0]}, {target}", got, want)


# Weights that meet in 16 bits where a target has such products: 128 of one sign are the most that bytes of data can be multiplied by.
MEETING = ((64, 64), (65, 64), (64, 65), (127, 1), (127, 2), (2, 127), (127, 127), (-64, -64), (-65, -64), (-128, 0), (-128, -1), (-1, -128), (0, -128),
           (-128, -128), (-127, -2), (127, -128), (-128, 127), (127, -127), (0, 0), (1, -1))


def sums_of_pairs(checks):
    """Pairs of weights at the most that 16 bits hold, and just above, against data at their ends: the sums are exact, as floats that hold them."""
    rng = np.random.default_rng(8)
    pairs = np.array(MEETING)

    def mixed(n):
        return pairs[rng.integers(len(pairs), size=(COLUMNS, n // 2))].reshape(COLUMNS, n).T

    def rarely(n):
        w = rng.integers(-64, 65, (n, COLUMNS))
        w[rng.random(w.shape) < 0.05] = 127
        return w

    tables = [(f"all {p}", np.tile(np.array([p]).T, (12, COLUMNS))) for p in MEETING]
    tables += [(f"mixed, {n} rows", mixed(n)) for n in (4, 24, 64)] + [(f"rarely large, {n} rows", rarely(n)) for n in (23, 64, 130)]
    folder = os.path.join(FOLDER, "pairs")
    os.makedirs(folder, exist_ok=True)
    spelt = 0
    for x_type in (np.uint8, np.int8):
        ends = np.array([np.iinfo(x_type).min, np.iinfo(x_type).max])
        names, models, feeds, wants = [], [], [], []
        for k, (name, w) in enumerate(tables):
            n = len(w)
            x = np.stack([np.full(n, ends[0]), np.full(n, ends[1]), np.resize(ends, n), np.resize(ends[::-1], n), *rng.choice(ends, (3, n))])
            names.append(name)
            models.append((f"x{k}", f"y{k}", x, w))
            feeds.append(x.astype(x_type))
            wants.append(x @ w)
        path = os.path.join(folder, f"{np.dtype(x_type)}.onnx")
        onnx.save(plain_products(models, x_type), path)
        spelt += tenon("compile", path, "--int", "force", "--target", "x86-64-v3", "--emit", "loops").out.count("pairs(")
        for target in TARGETS:
            native = Native(path, os.path.join(folder, f"{np.dtype(x_type)}-{target}"), "--int", "force", "--target", target)
            got = native.run(feeds, [np.zeros(w.shape, np.float32) for w in wants])
            for name, y, want in zip(names, got, wants):
                checks.check(f"{np.dtype(x_type)} by {name}, {target}", np.array_equal(y, want), f"off by {np.abs(y - want).max()}")
    checks.check("some of these are summed by PAIRS on x86-64-v3", spelt > 60, spelt)


# The least and the most of weights that share bytes: signed codes, those that count from 0, and those that count from another number.
CODES = ((-2, 1), (-1, 1), (0, 3), (-1, 2), (-8, 7), (-4, 3), (0, 15), (-3, 12), (-15, 0), (-8, 8))


def sums_of_codes(checks):
    """Weights of 2 to 4 bits at their ends, against data at theirs, in as many columns and rows as make all kinds of blocks."""
    rng = np.random.default_rng(9)
    shapes = ((1, 512, 512), (1, 301, 336), (1, 256, 160), (1, 1024, 24), (2, 512, 128), (7, 260, 130))
    folder = os.path.join(FOLDER, "codes")
    os.makedirs(folder, exist_ok=True)
    packed = {"x86-64-vnni": 0, "x86-64-avxvnni": 0, "x86-64-v3": 0}
    for x_type in (np.uint8, np.int8):
        ends = np.array([np.iinfo(x_type).min, np.iinfo(x_type).max])
        names, models, feeds, wants = [], [], [], []
        for least, most in CODES:
            for rows, inner, columns in shapes:
                w = rng.integers(least, most + 1, (inner, columns))
                w[:, 0], w[:, 1], w[:, -1] = least, most, np.resize((least, most), inner)
                x = np.stack([(np.full(inner, ends[0]), np.full(inner, ends[1]), np.resize(ends, inner), rng.integers(*ends, inner))[k % 4] for k in range(1, rows + 1)])
                names.append(f"{rows}x{inner}x{columns} weights of {least} to {most}")
                models.append((f"x{len(names)}", f"y{len(names)}", x, w))
                feeds.append(x.astype(x_type))
                wants.append(x @ w)
        path = os.path.join(folder, f"{np.dtype(x_type)}.onnx")
        onnx.save(plain_products(models, x_type), path)
        for target in packed:
            loops = tenon("compile", path, "--int", "force", "--target", target, "--emit", "loops").out
            packed[target] += len(re.findall(r"const w\d+: u8\[", loops))
        for target in TARGETS:
            native = Native(path, os.path.join(folder, f"{np.dtype(x_type)}-{target}"), "--int", "force", "--target", target)
            got = native.run(feeds, [np.zeros(w.shape, np.float32) for w in wants])
            for name, y, want in zip(names, got, wants):
                checks.check(f"{np.dtype(x_type)} by {name}, {target}", np.array_equal(y, want), f"off by {np.abs(y - want).max()}")
    for target, n in packed.items():
        checks.check(f"{target}: some of these weights share bytes", n >= 2 * 9 * 2, n)
    room_for_codes(checks)


def room_for_codes(checks):
    """Sums of codes times 16 and 64 that just fit 32 bits, and those that would not."""
    folder = os.path.join(FOLDER, "room")
    os.makedirs(folder, exist_ok=True)
    for bits, inner in ((4, 65792), (4, 65796), (2, 65792), (2, 65796)):
        least = -(1 << bits - 1)
        w = np.tile(np.stack([np.full(inner, least), np.full(inner, -1 - least)], axis=1), 16)
        x = np.full((1, inner), 255)
        path = os.path.join(folder, f"{bits}-{inner}.onnx")
        onnx.save(plain_products([("x", "y", x, w)], np.uint8), path)
        for target in TARGETS:
            got = Native(path, os.path.join(folder, f"{bits}-{inner}-{target}"), "--int", "force", "--target", target).run([x.astype(np.uint8)], [np.zeros((1, 32), np.float32)])
            checks.check(f"{inner} products by {bits} bits, {target}", np.array_equal(got[0], (x @ w).astype(np.float32)), got[0][0, :2])


def plain_products(products, x_type):
    """A MatMul for each, of integers with scale 1, which nobody quantises."""
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(x_type))
    inputs, outputs, weights, nodes = [], [], [helper.make_tensor("one", TensorProto.FLOAT, [], [1.0])], []
    for a, y, x, w in products:
        weights.append(numpy_helper.from_array(w.astype(np.int8), f"{y}w"))
        nodes += [helper.make_node("DequantizeLinear", [a, "one"], [f"{a}r"]), helper.make_node("DequantizeLinear", [f"{y}w", "one"], [f"{y}r"]),
                  helper.make_node("MatMul", [f"{a}r", f"{y}r"], [y])]
        inputs.append(helper.make_tensor_value_info(a, kind, x.shape))
        outputs.append(helper.make_tensor_value_info(y, TensorProto.FLOAT, [len(x), w.shape[1]]))
    return helper.make_model(helper.make_graph(nodes, "pairs", inputs, outputs, weights), opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


# ---- no float instruction ----

FLOAT_CALL = re.compile(r"__aeabi_[fdi]*2?[fd]|__aeabi_[fd]|__(add|sub|mul|div|float|fix|trunc|extend)\w*[sd]f")
FLOAT_INSTRUCTION = re.compile(r"\tv(add|sub|mul|div|ldr|str|mov|cvt|cmp|fma|sqrt)")


def without_floats(checks):
    for name in ("resnet8_int8_qdq", "kws_dscnn_int8_qdq", "ad_autoencoder_int8_qdq"):
        folder = os.path.join(FOLDER, "bare-" + name)
        model = os.path.join(TINY, name, "model.onnx")
        done = tenon("compile", model, "--float", "none", "--emit", "obj", "--triple", "thumbv6m-none-eabi", "--cpu", "cortex-m0plus", "--name", "m", "-o", folder)
        if not checks.check(f"{name}: an object for cortex-m0plus", done.status == 0, done.last):
            continue
        needs = run(["arm-none-eabi-nm", "-u", os.path.join(folder, "m.o")]).out
        code = run(["arm-none-eabi-objdump", "-d", os.path.join(folder, "m.o")]).out
        checks.check(f"{name}: there is code", code.count("\n") > 200, code[-300:])
        checks.equal(f"{name}: calls of float helpers", FLOAT_CALL.findall(needs), [])
        checks.equal(f"{name}: float instructions", FLOAT_INSTRUCTION.findall(code), [])
        done = tenon("check", model, os.path.join(TINY, name), "--steps", "1", "--float", "none", "--backend", "all")
        checks.check(f"{name}: --float none is within a step", done.status == 0, done.last)
    folder = os.path.join(FOLDER, "bare-floats")
    done = tenon("compile", os.path.join(TINY, "resnet8_int8_qdq", "model.onnx"), "--emit", "obj", "--triple", "thumbv6m-none-eabi", "--cpu", "cortex-m0plus", "--name", "m", "-o", folder)
    checks.check("with floats the same object does call float helpers", bool(FLOAT_CALL.search(run(["arm-none-eabi-nm", "-u", os.path.join(folder, "m.o")]).out)), done.last)
    done = tenon("compile", os.path.join(TINY, "ad_autoencoder", "model.onnx"), "--float", "none", "--emit", "c", "-o", os.path.join(FOLDER, "refused"))
    checks.equal("a float model with --float none: exit status", done.status, 4)
    checks.check("each node is named", done.err.count("error[needs-float]") >= 10 and "'Gemm" in done.err, done.err[:300])


# ---- functions of rows, in integers where there may be no floats ----

def row_model(op, shape, x_scale, y_scale, rng):
    """x, int8 -> op over the last dimension -> int8."""
    n = shape[-1]
    weights = [
        helper.make_tensor("xs", TensorProto.FLOAT, [], [x_scale]), helper.make_tensor("xz", TensorProto.INT8, [], [int(rng.integers(-128, 128))]),
        helper.make_tensor("ys", TensorProto.FLOAT, [], [y_scale]), helper.make_tensor("yz", TensorProto.INT8, [], [-128 if op == "Softmax" else 3]),
    ]
    inputs = ["xr"]
    if op == "LayerNormalization":
        weights += [numpy_helper.from_array(rng.normal(1, 0.5, n).astype(np.float32), "gain"), numpy_helper.from_array(rng.normal(0, 0.5, n).astype(np.float32), "bias")]
        inputs += ["gain", "bias"]
    nodes = [helper.make_node("DequantizeLinear", ["x", "xs", "xz"], ["xr"])]
    if op == "Gelu":  # as exporters write it
        weights += [helper.make_tensor(name, TensorProto.FLOAT, [], [v]) for name, v in (("root", 2 ** 0.5), ("one", 1.0), ("half", 0.5))]
        nodes += [helper.make_node("Div", ["xr", "root"], ["g1"]), helper.make_node("Erf", ["g1"], ["g2"]), helper.make_node("Add", ["g2", "one"], ["g3"]),
                  helper.make_node("Mul", ["xr", "g3"], ["g4"]), helper.make_node("Mul", ["g4", "half"], ["yr"])]
    else:
        nodes.append(helper.make_node(op, inputs, ["yr"], axis=-1))
    nodes.append(helper.make_node("QuantizeLinear", ["yr", "ys", "yz"], ["y"]))
    info = [helper.make_tensor_value_info(name, TensorProto.INT8, shape) for name in "xy"]
    return helper.make_model(helper.make_graph(nodes, op, info[:1], info[1:], weights), opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def rows_in_integers(checks):
    rng = np.random.default_rng(5)
    equal = total = 0
    for k, (op, shape, x_scale, y_scale) in enumerate((
            ("Softmax", [7, 10], 0.17, 1 / 256), ("Softmax", [3, 300], 0.05, 1 / 256), ("Softmax", [2, 1], 1.0, 1 / 256), ("LayerNormalization", [9, 128], 0.03, 0.02),
            ("LayerNormalization", [4, 5], 0.5, 0.04), ("LayerNormalization", [3, 384], 0.001, 0.03), ("Gelu", [3, 40], 0.05, 0.03))):
        folder = os.path.join(FOLDER, f"rows{k}")
        os.makedirs(folder, exist_ok=True)
        path, model = os.path.join(folder, "model.onnx"), row_model(op, shape, x_scale, y_scale, rng)
        onnx.save(model, path)
        x = rng.integers(-128, 128, shape).astype(np.int8)
        x[0] = x[0, 0]  # a row without differences
        want = unoptimised(model).run(None, {"x": x})[0].astype(int)
        got = Native(path, os.path.join(folder, "so"), "--float", "none").run([x], [np.zeros(shape, np.int8)])[0].astype(int)
        checks.check(f"{op} {shape} in integers: within a step", np.abs(got - want).max() <= 1, np.abs(got - want).max())
        equal, total = equal + int((got == want).sum()), total + got.size
    checks.check("rows in integers: 99 % of the values are equal", equal >= 0.99 * total, f"{equal} of {total}")


# ---- scales that leave only the ends of the range ----

def far_scales(checks):
    """A mask times the lowest float that there is, as attention has it: 0 stays 0, all else goes to an end."""
    x = np.arange(-128, 128, dtype=np.int8)
    for scale in (1e5, 1e10, 2.6793887e36):
        initializers = [numpy_helper.from_array(a, n) for n, a in (("one", np.float32(1)), ("zero", np.int8(0)), ("scale", np.float32(scale)), ("lowest", np.int8(-127)))]
        node = helper.make_node("QLinearMul", ["x", "one", "zero", "lowest", "scale", "zero", "one", "zero"], ["y"], domain="com.microsoft")
        path, ends = os.path.join(FOLDER, f"far{scale}.onnx"), [helper.make_tensor_value_info(n, TensorProto.INT8, [256]) for n in ("x", "y")]
        graph = helper.make_graph([node], "far", ends[:1], ends[1:], initializers)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)], ir_version=9), path)
        got = Native(path, os.path.join(FOLDER, f"far{scale}")).run([x], [np.zeros(256, np.int8)])[0]
        checks.check(f"times -127 x {scale}", (got == np.where(x == 0, 0, np.where(x > 0, -128, 127))).all(), str(got))


# ---- what stays inside ----

def stays_inside(checks):
    path = os.path.join(FOLDER, "out.onnx")
    done = tenon("compile", os.path.join(TINY, "resnet8_int8_qdq", "model.onnx"), "--emit", "onnx", "-o", path)
    checks.check("--emit onnx of an int8 model", done.status == 0, done.last)
    model = onnx.load(path)
    checks.equal("domains of the nodes", {n.domain for n in model.graph.node}, {""})
    checks.check("its weights are int8", any(t.data_type == TensorProto.INT8 and len(t.dims) == 4 for t in model.graph.initializer))
    own = helper.make_model(helper.make_graph([helper.make_node("IntegerMul", ["x", "x"], ["y"], domain="tenon")], "own",
                                              [helper.make_tensor_value_info("x", TensorProto.INT8, [2])],
                                              [helper.make_tensor_value_info("y", TensorProto.INT32, [2])]),
                            opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("tenon", 1)], ir_version=10)
    onnx.save(own, path)
    done = tenon("inspect", path, "--int", "force")
    checks.check("a file with an operator of tenon's own is refused", done.status == 4 and "unsupported-operator" in done.err, done.last)
    done = tenon("ops", "Requantize")
    checks.check("tenon ops does not know it", done.status == 2, done.last)


def main():
    checks = Checks()
    extremes(checks)
    sums_of_pairs(checks)
    sums_of_codes(checks)
    stays_inside(checks)
    far_scales(checks)
    without_floats(checks)
    rows_in_integers(checks)
    shipped(checks)
    quantised_here(checks)
    checks.finish()


if __name__ == "__main__":
    main()
