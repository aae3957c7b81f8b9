#!/usr/bin/env python3
"""tenon diff: figures against ONNX Runtime and numpy, the first node that departs, matching, exit statuses."""
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, TENON, Checks, run, scratch, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402
from samples import BERT, TINY  # noqa: E402

RESNET, RESNET_BN, RESNET_INT8 = (os.path.join(TINY, name, "model.onnx") for name in ("resnet8", "resnet8_bn", "resnet8_int8_qdq"))
PICTURES = os.path.join(TINY, "cifar10_2000.npz")
CNN, DIGITS = os.path.join(MODELS, "mnist-cnn", "model.onnx"), os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
FOLDER = scratch("diff")
F, I8 = TensorProto.FLOAT, TensorProto.INT8


def diff(checks, name, status, *words):
    """The report of a run that ends with this status."""
    done = tenon("diff", *words, "--json")
    ok = checks.check(f"{name}: status {status}", done.status == status, done.last)
    return json.loads(done.out) if ok else {"nodes": [], "first": None, "a": {}, "b": {}}


def row_of(report, value, by=None):
    """The line of a value; with `by`, the one that was matched so."""
    found = [r for r in report["nodes"] if r["value"] == value and by in (None, r["matched_by"])]
    return found[0] if found else {}


def saved(model, name):
    path = os.path.join(FOLDER, name + ".onnx")
    onnx.save(model, path)
    return path


def made(name, nodes, inputs, outputs, constants):
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info(*i) for i in inputs], [helper.make_tensor_value_info(*o) for o in outputs],
                              [numpy_helper.from_array(np.asarray(a), n) for n, a in constants])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return saved(model, name)


def data(name, **arrays):
    path = os.path.join(FOLDER, name + ".npz")
    np.savez(path, **arrays)
    return path


def scaled(path, tensor, factor, name):
    """The model with one initializer multiplied."""
    model = onnx.load(path)
    for t in model.graph.initializer:
        if t.name == tensor:
            array = numpy_helper.to_array(t)
            t.CopyFrom(numpy_helper.from_array((array * factor).astype(array.dtype), tensor))
    return saved(model, name)


# ---- figures ----

class Values:
    """Every value of a model that ONNX Runtime gives, by name, all samples."""

    def __init__(self, path, samples):
        model = onnx.shape_inference.infer_shapes(onnx.load(path))
        self.model, there = model, {o.name for o in model.graph.output}
        kinds = {v.name: v for v in model.graph.value_info}
        model.graph.output.extend(kinds[o] for n in model.graph.node for o in n.output if o not in there)
        session = unoptimised(model)
        name = session.get_inputs()[0].name
        runs = [session.run(None, {name: s}) for s in samples]
        self.by_name = {o.name: np.stack([r[i] for r in runs]) for i, o in enumerate(session.get_outputs())}
        self.by_name[name] = np.stack(samples)
        constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
        self.quantum = {}
        for n in model.graph.node:
            if n.op_type in ("QuantizeLinear", "DequantizeLinear") and n.input[0] not in constants:
                value = n.input[0] if n.op_type == "DequantizeLinear" else n.output[0]
                self.quantum[value] = [constants[i] for i in n.input[1:]]

    def real(self, name):
        x = self.by_name[name].astype(np.float64)
        if name not in self.quantum:
            return x
        scale, zero = self.quantum[name]
        return (x - float(zero)) * float(scale)

    def saturation(self, name):
        x, zero = self.by_name[name], int(self.quantum[name][1])
        ends = [end for end in (np.iinfo(x.dtype).min, np.iinfo(x.dtype).max) if end != zero]
        return sum(float(np.mean(x == end)) for end in ends)


def check_row(checks, name, row, a, b, decibel, relative):
    """SQNR within `decibel`, everything else within `relative` of numpy's."""
    x, y = a.real(row["a"]["value"]), b.real(row["b"]["value"])
    error = np.abs(x - y)
    name = f"{name}: {row['a']['value']} against {row['b']['value']}"
    checks.equal(f"{name}: elements", row["elements"], x.size)
    if row["sqnr_db"] is None:
        checks.check(f"{name}: no error", error.max() == 0 and row["max_error"] == 0, str(error.max()))
    else:
        want = 10 * np.log10(np.sum(x * x) / np.sum(error ** 2))
        checks.check(f"{name}: SQNR", abs(row["sqnr_db"] - want) < decibel, f"{row['sqnr_db']}, want {want}")
        cosine = np.sum(x * y) / np.sqrt(np.sum(x * x) * np.sum(y * y))
        checks.check(f"{name}: cosine", abs((1 - row["cosine"]) - (1 - cosine)) < relative * (1 - cosine) + 1e-12, f"{row['cosine']}, want {cosine}")
        for key, right in (("max_error", error.max()), ("mean_error", error.mean())):
            checks.check(f"{name}: {key}", abs(row[key] - right) <= relative * right, f"{row[key]}, want {right}")
    for side, values, array in (("a", a, x), ("b", b, y)):
        span = array.max() - array.min()
        checks.check(f"{name}: range of {side}", abs(row[side]["least"] - array.min()) <= relative * span and abs(row[side]["largest"] - array.max()) <= relative * span,
                     f"{row[side]['least']} .. {row[side]['largest']}, want {array.min()} .. {array.max()}")
        if "saturation" in row[side]:
            want = values.saturation(row[side]["value"])
            checks.check(f"{name}: saturation of {side}", abs(row[side]["saturation"] - want) < 2e-3, f"{row[side]['saturation']}, want {want}")


def test_figures(checks):
    """Each line of three comparisons, computed again from what ONNX Runtime gives for every value."""
    pictures = np.load(PICTURES)["input_1"][:12]
    floats = [p[None].astype(np.float32) for p in pictures]
    integers = [(p[None].astype(np.int16) - 128).astype(np.int8) for p in pictures]
    plain, words = Values(RESNET, floats), ["--data", PICTURES, "--limit", 12]
    edited = scaled(RESNET, "conv5_weight", 1.02, "edited")
    report = diff(checks, "float against edited float", 1, RESNET, edited, *words)
    rows = [r for r in report["nodes"] if not r["same_bits"]]
    checks.check("float against edited float: lines", len(rows) > 12, str(len(rows)))
    other = Values(edited, floats)
    for row in rows:
        check_row(checks, "float against edited float", row, plain, other, 0.01, 1e-3)
    report = diff(checks, "float against int8", 1, RESNET, RESNET_INT8, *words, "--map", "input_1_int8=input_1")
    integer = Values(RESNET_INT8, integers)
    checks.equal("float against int8: lines", len(report["nodes"]), 41)
    pooled = [r["value"] for r in report["nodes"]].index("averagepool_out")
    for i, row in enumerate(report["nodes"]):
        # Averages of integers often lie between two steps; which one it becomes depends on the last bit of a float.
        check_row(checks, "float against int8", row, plain, integer, *((0.1, 0.03) if i < pooled else (1, 0.25)))
    half = scaled(RESNET_INT8, "model/activation_3/Relu", 0.25, "half")
    report = diff(checks, "int8 against coarser int8", 1, RESNET_INT8, half, *words, "--map", "input_1_int8=input_1")
    row = row_of(report, "quantizelinear_out_4")
    check_row(checks, "int8 against coarser int8", row, integer, Values(half, integers), 0.05, 0.01)
    checks.check("int8 against coarser int8: it saturates", row["b"]["saturation"] > 1e-3 > row["a"]["saturation"], str(row))


# ---- the first that departs ----

def test_first(checks):
    weights = {n.name: n.input[1] for n in onnx.load(RESNET).graph.node if n.op_type in ("Conv", "Gemm")}
    checks.check("resnet8 has ten nodes with weights", len(weights) == 10, str(weights))
    for name, tensor in weights.items():
        report = diff(checks, f"{name} edited", 1, RESNET, scaled(RESNET, tensor, 1.01, "one"), "--data", PICTURES, "--limit", 2)
        checks.equal(f"{name} edited: the first that departs", report["first"] and report["first"]["name"], name)
        at = [r["name"] for r in report["nodes"]].index(name) if report["nodes"] else 0
        checks.check(f"{name} edited: those before have the same bits", at > 0 and all(r["same_bits"] for r in report["nodes"][:at]))
        checks.check(f"{name} edited: it departs, and the output differs", report["nodes"] and report["nodes"][at]["departs"] and not report["nodes"][-1]["same_bits"])
        sqnr = report["nodes"][at]["sqnr_db"] if report["nodes"] else 0
        checks.check(f"{name} edited: about 40 dB (1 %, less a bias)", 35 < sqnr < 60, str(sqnr))
    done = tenon("diff", RESNET, scaled(RESNET, "conv5_weight", 1.01, "one"), "--data", PICTURES, "--limit", 2)
    checks.check("text: the first that departs", "\nfirst     Conv 'Conv_4' (node 10, value 'conv_out_4'): " in done.out, done.out[-600:])
    # The Conv that a BatchNormalization is folded into computes the value of that name.
    report = diff(checks, "a BatchNormalization edited", 1, RESNET_BN, scaled(RESNET_BN, "batch_normalization_3.weight", 1.01, "bn"),
                  "--data", PICTURES, "--map", "input=input_1", "--limit", 2)
    first = report["first"] or {}
    checks.equal("a BatchNormalization edited: the first that departs", first.get("name"), "conv2d_3")
    value = row_of(report, "batch_normalization_3_out")
    checks.check("a BatchNormalization edited: its value", value.get("departs") is True, str(value)[:200])
    report = diff(checks, "a QuantizeLinear edited", 1, RESNET_INT8, scaled(RESNET_INT8, "model/activation_3/Relu", 1.05, "step"),
                  "--data", PICTURES, "--map", "input_1_int8=input_1", "--limit", 2)
    checks.equal("a QuantizeLinear edited: the first that departs", report["first"] and report["first"]["name"], "QuantizeLinear_4")


# ---- one model, thresholds, back ends ----

def test_one_model(checks):
    words = [CNN, "--data", DIGITS, "--limit", 10]
    report = diff(checks, "-p that keeps the numbers", 0, *words, "-p", "input:type=uint8")
    checks.check("-p that keeps the numbers: the same bits", len(report["nodes"]) == 11 and all(r["same_bits"] for r in report["nodes"][1:]))
    # What the model was fed is what a Cast makes of the bytes now: the Conv that reads it says so.
    row = row_of(report, "input")
    checks.check("-p that keeps the numbers: the input", (row.get("matched_by"), row.get("max_error"), row["b"]["op"]) == ("place", 0, "Cast"), str(row)[:300])
    checks.check("-p that keeps the numbers: what was asked for", report["a"].get("passes") == [] and report["b"].get("passes") == ["input:type=uint8"])
    report = diff(checks, "-p that changes them", 1, *words, "-p", "input:scale=0.99")
    checks.equal("-p that changes them: the first that departs", report["first"] and report["first"]["name"], "/0/Conv")
    text = tenon("diff", *words, "-p", "input:type=uint8").out
    checks.check("text: none departs", "\nfirst     none departs\noutput    'logits': the same bits\n" in text, text[-400:])


def test_plugin_passes(checks):
    """What a plugin's passes do to a BERT: inputs bound, a node put behind the output."""
    library = os.path.join(FOLDER, "edits.so")
    done = run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I", os.path.join(ROOT, "plugins", "include"),
                os.path.join(ROOT, "tests", "diff", "edits.c"), "-o", library])
    if not checks.check("the plugin builds", done.status == 0, done.last):
        return
    model, reviews = os.path.join(BERT, "dynamic.onnx"), np.load(os.path.join(BERT, "test_5000.npz"))
    words = [model, "--plugin", library, "-p", "bind_masks"]
    ids = {"input_ids": reviews["input_ids"][:3, :64]}
    # No array for the bound inputs: the model before is fed what they were bound to.
    report = diff(checks, "bound inputs without data", 0, *words, "--data", data("ids", **ids))
    rows = report["nodes"]
    checks.check("bound inputs without data: the same bits", len(rows) > 60 and all(r["same_bits"] for r in rows))
    checks.check("bound inputs without data: the mask is a constant now", {"attention_mask", "token_type_ids"} <= {v["value"] for v in report["a"].get("unmatched", [])},
                 str(report["a"].get("unmatched"))[:300])
    masked = {"attention_mask": (np.arange(64) < 40)[None].repeat(3, 0).astype(np.int64), "token_type_ids": np.zeros((3, 64), np.int64)}
    report = diff(checks, "bound inputs against data that say otherwise", 1, *words, "--data", data("masked", **ids, **masked))
    text = tenon("diff", *words, "-p", "negate", "--data", data("ids", **ids)).out
    checks.check("text: both passes", "\nB         " + model + " after -p bind_masks -p negate\n" in "\n" + text, text[:300])
    report = diff(checks, "a node put behind the output", 1, *words, "-p", "negate", "--data", data("ids", **ids))
    first, last = report["first"] or {}, (report["nodes"] or [{}])[-1]
    checks.equal("a node put behind the output: the first that departs", (first.get("op"), first.get("model")), ("Neg", "b"))
    checks.check("a node put behind the output: 4 times the signal", last.get("role") == "output" and abs(last["sqnr_db"] + 20 * np.log10(2)) < 0.01
                 and abs(last["cosine"] + 1) < 1e-6, str(last)[:300])


def test_threshold(checks):
    words = [RESNET, scaled(RESNET, "fc14_weight", 1.01, "last"), "--data", PICTURES, "--limit", 3]
    report = diff(checks, "the default threshold", 1, *words)
    least = min(r["sqnr_db"] for r in report["nodes"] if r["sqnr_db"] is not None)
    below, above = (diff(checks, f"a threshold {what}", status, *words, "--threshold", f"{least + by:.3f}")
                    for what, status, by in (("below", 0, -0.01), ("above", 1, 0.01)))
    checks.check("a threshold below: none departs", below["departs"] is False and below["first"] is None)
    checks.check("a threshold above: one departs", above["departs"] is True and sum(r["departs"] for r in above["nodes"]) == 1)
    jit = diff(checks, "jit", 1, *words, "--target", "x86-64")
    for backend in ("interp", "c", "all"):
        other = diff(checks, backend, 1, *words, "--target", "x86-64", "--backend", backend)
        checks.check(f"{backend}: the same lines as jit", other["nodes"] == jit["nodes"])
    checks.equal("samples", jit["samples"], 3)


# ---- matching ----

def renamed(path, name, values=(), nodes=(), all_of_them=False):
    model = onnx.load(path)
    keep = {t.name for t in model.graph.initializer} | {i.name for i in model.graph.input}
    for n in model.graph.node:
        if all_of_them or n.name in nodes:
            n.name = "other " + n.name
        for names in (n.input, n.output):
            for i, v in enumerate(names):
                if v in values or (all_of_them and v not in keep):
                    names[i] = "other " + v
    for o in model.graph.output:
        o.name = "other " + o.name if all_of_them else o.name
    return saved(model, name)


def test_matching(checks):
    words = ["--data", PICTURES, "--limit", 2]
    report = diff(checks, "a value renamed", 0, RESNET, renamed(RESNET, "value", ["conv_out_3"]), *words)
    row = row_of(report, "conv_out_3")
    checks.check("a value renamed: found by its node", row.get("matched_by") == "node" and row["same_bits"] and row["b"]["value"] == "other conv_out_3", str(row)[:200])
    report = diff(checks, "value and node renamed", 0, RESNET, renamed(RESNET, "node", ["conv_out_3"], ["Conv_3"]), *words)
    checks.equal("value and node renamed: found by its place", row_of(report, "conv_out_3").get("matched_by"), "place")
    everything = renamed(RESNET, "all", all_of_them=True)
    report = diff(checks, "everything renamed", 0, RESNET, everything, *words)
    checks.check("everything renamed: found by place", all(r["b"]["value"] in ("other " + r["value"], "input_1") for r in report["nodes"])
                 and [r["matched_by"] for r in report["nodes"]] == ["name", *["place"] * 23, "output"], str([r["value"] for r in report["nodes"]]))
    report = diff(checks, "everything renamed, one edited", 1, RESNET, scaled(everything, "conv6_weight", 1.01, "all_edited"), *words)
    checks.equal("everything renamed, one edited: the first that departs", report["first"] and report["first"]["name"], "Conv_5")
    # Two nodes more in B: what has no partner is listed, and the next that both have departs.
    model = onnx.load(RESNET)
    at = [n.name for n in model.graph.node].index("Relu_3")
    model.graph.node[at].input[0] = "twice"
    for op, read, result in (("Tanh", "once", "twice"), ("Atan", "conv_out_3", "once")):
        model.graph.node.insert(at, helper.make_node(op, [read], [result], op))
    path = saved(model, "more")
    report = diff(checks, "two nodes more", 1, RESNET, path, *words)
    checks.equal("two nodes more: the first that departs", report["first"] and report["first"]["name"], "Relu_3")
    checks.equal("two nodes more: unmatched", [[v["value"] for v in report[s].get("unmatched", [])] for s in "ab"], [[], ["once", "twice"]])
    text = tenon("diff", RESNET, path, *words).out
    checks.check("text: what only one has", "\nonly in B 2 not compared: once, twice\n" in text, text[-400:])
    # A LayerNormalization and the eight nodes that it stands for are read by the same nodes.
    short = np.load(os.path.join(BERT, "test_5000.npz"))
    file = data("short", **{k: short[k][:2, :128] for k in ("input_ids", "attention_mask", "token_type_ids") if k in short}, **(
        {} if "attention_mask" in short else {"attention_mask": (short["input_ids"][:2, :128] != 0).astype(np.int64), "token_type_ids": np.zeros((2, 128), np.int64)}))
    report = diff(checks, "bert, LayerNormalization in pieces", 0, os.path.join(BERT, "dynamic.onnx"), os.path.join(BERT, "static_1x128.onnx"), "--data", file, "--skip", "fuse")
    norms = [r for r in report["nodes"] if r["op"] == "LayerNormalization"]
    checks.check("bert, LayerNormalization in pieces: found by place", len(norms) == 5 and all(r["matched_by"] == "place" and r["b"]["op"] == "Add" and r["sqnr_db"] > 100 for r in norms),
                 str([(r["matched_by"], r["sqnr_db"]) for r in norms]))
    # Inputs that only one has; a model with other inputs, whose dimensions have names of their own.
    reviews = os.path.join(BERT, "test_5000.npz")
    report = diff(checks, "bert with and without labels", 0, os.path.join(BERT, "dynamic.onnx"), os.path.join(BERT, "labels.onnx"),
                  "--data", reviews, "--limit", 2, "--map", "labels=label")
    checks.check("bert with and without labels: the same bits", len(report["nodes"]) > 60 and all(r["same_bits"] for r in report["nodes"]))
    checks.check("bert with and without labels: labels", "labels" in [v["value"] for v in report["b"].get("unmatched", [])])
    zeros = os.path.join(FOLDER, "zeros.npy")
    np.save(zeros, np.zeros(1, np.int64))
    diff(checks, "an input of one of them frozen", 0, os.path.join(BERT, "dynamic.onnx"), os.path.join(BERT, "labels.onnx"),
         "--data", reviews, "--limit", 2, "--freeze", f"labels={zeros}")


def test_shapes_and_types(checks):
    """A value whose shape or kind differs is told of, not compared."""
    x, c = ("x", F, [1, 4]), ("c", np.float32([[1, 2, 3, 4]]))
    node = helper.make_node
    a = made("kinds_a", [node("Mul", ["x", "c"], ["m"], "mul"), node("Reshape", ["m", "s"], ["r"], "re"), node("ReduceSum", ["r"], ["y"], "sum", keepdims=0)],
             [x], [("y", F, [])], [c, ("s", np.int64([2, 2]))])
    b = made("kinds_b", [node("Mul", ["x", "c"], ["m"], "mul"), node("Reshape", ["m", "s"], ["r"], "re"), node("ReduceSum", ["r"], ["y"], "sum", keepdims=0)],
             [x], [("y", F, [])], [c, ("s", np.int64([4, 1]))])
    file = data("kinds", x=np.random.default_rng(1).normal(size=(5, 4)).astype(np.float32))
    report = diff(checks, "other shapes", 0, a, b, "--data", file)
    checks.equal("other shapes: compared", [r["value"] for r in report["nodes"]], ["x", "m", "y"])
    checks.equal("other shapes: the reason", [v["reason"] for v in report["a"].get("unmatched", [])], ["f32[2,2] against f32[4,1]"])


def test_not_finite(checks):
    """A zero in the divisor of B: infinities in one form only depart, whatever the SQNR of the rest."""
    node = helper.make_node
    paths = [made(f"finite_{i}", [node("Div", ["x", "c"], ["d"], "div"), node("Relu", ["d"], ["y"], "relu")], [("x", F, [1, 4])], [("y", F, [1, 4])],
                  [("c", np.float32([[1, 2, 3, last]]))]) for i, last in enumerate((4, 0))]
    file = data("finite", x=np.float32([[1, 2, 3, 4], [1, 2, 3, -4], [1, 2, 3, 0]]))
    report = diff(checks, "infinities", 1, *paths, "--data", file)
    row = row_of(report, "d")
    checks.equal("infinities: three elements of d", (row.get("not_finite"), row.get("departs"), row.get("max_error")), (3, True, 0))
    row = row_of(report, "y")
    # Relu(-inf) is 0, as Relu(-1) is; a NaN stays one.
    checks.equal("infinities: two elements of y", row.get("not_finite"), 2)
    nans = [made(f"nan_{i}", [node("Div", ["x", "c"], ["y"], "div")], [("x", F, [1, 1])], [("y", F, [1, 1])], [("c", np.float32([[last]]))]) for i, last in enumerate((1, 0))]
    row = row_of(diff(checks, "no finite element", 1, *nans, "--data", data("nan", x=np.float32([[0]]))), "y")
    checks.check("no finite element: no range", row and row["b"]["least"] is None and row["b"]["largest"] is None and row["a"]["largest"] == 0, str(row))
    report = diff(checks, "infinities in both", 0, paths[1], paths[1], "--data", file)
    checks.check("infinities in both: the same bits", all(r["same_bits"] and r["not_finite"] == 0 for r in report["nodes"]))


def test_quantised_output(checks):
    """A QuantizeLinear per channel with nothing after it: compared as the real numbers that it means."""
    node, rng = helper.make_node, np.random.default_rng(3)
    scale, zero = np.float32([0.01, 0.02, 0.05]), np.int8([0, 3, -5])
    plain = made("plain", [node("Relu", ["x"], ["r"], "relu")], [("x", F, [1, 3, 5])], [("r", F, [1, 3, 5])], [])
    coarse = made("coarse", [node("Relu", ["x"], ["r"], "relu"), node("QuantizeLinear", ["r", "s", "z"], ["q"], "quant", axis=1)],
                  [("x", F, [1, 3, 5])], [("q", I8, [1, 3, 5])], [("s", scale), ("z", zero)])
    x = rng.normal(size=(20, 3, 5)).astype(np.float32)
    report = diff(checks, "by channel", 1, plain, coarse, "--data", data("channels", x=x))
    row = row_of(report, "q")
    r = np.maximum(x, 0)
    q = np.clip(np.rint(r / scale[:, None]) + zero[:, None], -128, 127)
    error = np.abs((q - zero[:, None]) * scale[:, None].astype(np.float64) - r)
    checks.check("by channel: the largest and the mean error", row and abs(row["max_error"] - error.max()) < 1e-6 and abs(row["mean_error"] - error.mean()) < 1e-6, str(row))
    checks.check("by channel: saturation", row and row["b"]["share_at_largest"] == np.mean(q == 127) > 0, str(row))
    checks.equal("by channel: the first that departs", report["first"] and report["first"]["name"], "quant")


# ---- what can go wrong ----

def test_errors(checks):
    file = data("wrong", x=np.zeros((2, 4), np.float32))
    node = helper.make_node
    small = made("small", [node("Relu", ["x"], ["y"], "relu")], [("x", F, [1, 4])], [("y", F, [1, 4])], [])
    other = made("other", [node("Shape", ["z"], ["n"], "shape"), node("Cast", ["n"], ["o"], "cast", to=TensorProto.INT32), node("Add", ["o", "w"], ["v"], "add")],
                 [("z", F, [1, 2, 2])], [("v", TensorProto.INT32, [3])], [("w", np.int32([1, 2, 3]))])
    digits = ["--data", DIGITS]
    library = scratch("diff-so")
    tenon("compile", CNN, "--dim", "batch=1", "--emit", "shared", "-o", library)
    for name, status, text, *words in (
            ("nothing in common", 3, "error[no-match]", small, other, "--data", data("both", x=np.zeros((2, 4), np.float32), z=np.zeros((2, 2, 2), np.float32))),
            ("no samples", 3, "error[no-data]", small, small, "--data", data("none", x=np.zeros((0, 4), np.float32))),
            ("other samples", 3, "error[shape-mismatch]", small, small, "--data", data("long", x=np.zeros((2, 5), np.float32))),
            ("an array that is not there", 3, "error[missing-array]", small, RESNET, "--data", file),
            ("a name that neither has", 2, "error[unknown-input]", small, small, "--data", file, "--map", "nope=x"),
            ("a dimension that neither has", 2, "error[unknown-dimension]", small, small, "--data", file, "--dim", "nope=1"),
            ("a second model that is not there", 5, "error[file]", small, os.path.join(FOLDER, "gone.onnx"), "--data", file),
            ("data that suit only one form", 3, "error[shape-mismatch]", RESNET, "--data", PICTURES, "-p", "input:layout=nchw"),
            ("a compiled model", 2, "error[compiled]", os.path.join(library, "model.so"), CNN, *digits),
            ("a compiled second model", 2, "error[compiled]", CNN, os.path.join(library, "model.so"), *digits)):
        done = tenon("diff", *words)
        lines = done.err.splitlines()
        checks.check(f"{name}: status {status}, {text}", done.status == status and done.out == "" and text in (lines or [""])[0]
                     and all(line.startswith("note: ") for line in lines[1:]), done.last)
    done = tenon("diff", CNN, CNN, *digits, "--stop-after", "fold", "--json")
    checks.check("--stop-after", done.status == 0 and json.loads(done.out) == {"stopped": True}, done.last)


def test_interrupt(checks):
    child = subprocess.Popen([TENON, "diff", RESNET, RESNET, "--data", PICTURES, "--backend", "interp"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(1.5)
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=60)
    checks.check("Ctrl-C", child.returncode == -signal.SIGINT and out == "" and "error[stopped]" in err and err.count("\n") == 1, f"{child.returncode}: {err[:200]}")


def main():
    checks = Checks()
    for test in (test_figures, test_first, test_one_model, test_plugin_passes, test_threshold, test_matching, test_shapes_and_types, test_not_finite, test_quantised_output,
                 test_errors, test_interrupt):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
