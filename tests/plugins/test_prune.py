#!/usr/bin/env python3
"""prune: masks and weights against numpy for every method and granularity; masks in ONNX and back; what leaves the graph, in ONNX Runtime; determinism."""
import base64
import json
import os
import re
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, ROOT, TENON, Checks, run, scratch, tenon  # noqa: E402
from onnx_models import save_model, unoptimised  # noqa: E402
from passes import constants_of, report_of, through  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
FOLDER = scratch("prune")
F, I64 = TensorProto.FLOAT, TensorProto.INT64
info = helper.make_tensor_value_info
node = helper.make_node
RANDOM = np.random.default_rng(11)


def save(name, *parts):
    return save_model(os.path.join(FOLDER, f"{name}.onnx"), *parts)


def pruned(model, options, *words, name="out"):
    """The model after -p prune:OPTIONS: its path, what ONNX holds, what was said."""
    return through("prune", model, options, os.path.join(FOLDER, f"{name}.onnx"), *words)


def constant_of(model, name, index=1):
    """What a node reads as its input `index`."""
    return constants_of(model)[next(n for n in model.graph.node if n.name == name).input[index]]


def notes_of(model, name):
    return {p.key: p.value for n in model.graph.node if n.name == name for p in n.metadata_props}


# ---- two networks ----

W1 = (RANDOM.standard_normal((24, 20)) * np.geomspace(0.3, 1, 20)).astype(np.float32)
W2 = RANDOM.standard_normal((6, 20)).astype(np.float32)
B1, B2 = RANDOM.standard_normal(20).astype(np.float32), RANDOM.standard_normal(6).astype(np.float32)
X = (RANDOM.standard_normal((96, 5)) @ RANDOM.standard_normal((5, 24)) + 0.5 * RANDOM.standard_normal((96, 24)) + 0.3).astype(np.float32)
DATA = os.path.join(FOLDER, "x.npz")
PLANES = os.path.join(FOLDER, "planes.npz")
P = (RANDOM.standard_normal((12, 6, 9, 8)) * np.geomspace(0.2, 2, 6).reshape(1, 6, 1, 1)).astype(np.float32)


def two_layers():
    """y = relu(x W1 + b1) W2^T + b2."""
    nodes = [node("MatMul", ["x", "w1"], ["a"], name="first"), node("Add", ["a", "b1"], ["b"], name="bias"),
             node("Relu", ["b"], ["c"], name="relu"), node("Gemm", ["c", "w2", "b2"], ["y"], name="second", transB=1)]
    np.savez(DATA, x=X, label=np.int64(np.arange(len(X)) % 6))
    return save("two_layers", nodes, [info("x", F, ["n", 24])], [info("y", F, ["n", 6])], [("w1", W1), ("w2", W2), ("b1", B1), ("b2", B2)])


def one_conv(label, shape, **attributes):
    np.savez(PLANES, x=P)
    w = RANDOM.standard_normal(shape).astype(np.float32)
    return save(label, [node("Conv", ["x", "w"], ["y"], name="conv", **attributes)], [info("x", F, ["n", *P.shape[1:]])], [info("y", F, None)], [("w", w)]), w


# ---- pruning, by numpy alone ----

def units_of(outputs, inputs, grain, channels=None):
    """A number for each element of an outputs x inputs matrix: which unit it goes with."""
    rows, columns = {"element": (1, 1), "row": (1, inputs), "column": (outputs, 1)}.get(grain) or tuple(map(int, grain.split(":")[1].split("x")))
    channels = channels or inputs
    i = np.arange(inputs)
    along = i // channels * -(-channels // columns) + i % channels // columns if grain != "row" else 0 * i
    return (np.arange(outputs) // rows)[:, None] * (along.max() + 1) + along[None, :]


def least_gone(scores, units, share):
    """What is kept where the least units go, the first of equal ones."""
    sums = np.bincount(units.ravel(), np.float64(scores).ravel())
    gone = np.argsort(sums, kind="stable")[:int(share * len(sums) + 0.5)]
    return ~np.isin(units, gone)


def best_kept(scores, n, m, channels=None):
    keep = np.zeros(scores.shape, bool)
    channels = channels or scores.shape[1]
    for begin in range(0, scores.shape[1], channels):
        for i in range(begin, begin + channels, m):
            part = scores[:, i:min(i + m, begin + channels)]
            order = np.argsort(-part, axis=1, kind="stable")[:, :n]
            np.put_along_axis(keep[:, i:i + part.shape[1]], order, True, 1)
    return keep


def mixed(x):
    with np.errstate(over="ignore"):
        x = np.uint64(x) + np.uint64(0x9e3779b97f4a7c15)
        x = (x ^ x >> np.uint64(30)) * np.uint64(0xbf58476d1ce4e5b9)
        x = (x ^ x >> np.uint64(27)) * np.uint64(0x94d049bb133111eb)
        return x ^ x >> np.uint64(31)


def random_scores(shape, seed, name):
    h = mixed(seed)
    for c in name.encode():
        h = mixed(h ^ np.uint64(c))
    return (mixed(h ^ np.arange(np.prod(shape), dtype=np.uint64)) >> np.uint64(11)).reshape(shape) * 2.0 ** -53


def brain_surgery(w, x, share, grain, centred=False, was=None):
    """SparseGPT on a matrix of at most 128 inputs: mask and weights. was: what x was in the dense model, whose outputs are aimed at."""
    w, x, was = np.float64(w), np.float64(x), np.float64(x if was is None else was)
    if centred:
        x, was = x - x.mean(0), was - was.mean(0)
    h = x.T @ x
    h += np.eye(len(h)) * (0.01 * np.diag(h).mean() + 1e-9)
    w = w + w @ (was - x).T @ x @ np.linalg.inv(h)
    u = np.linalg.cholesky(np.linalg.inv(h)).T
    keep = least_gone(np.square(w / np.diag(u)), units_of(*w.shape, grain), share)
    for i in range(w.shape[1]):
        error = np.where(keep[:, i], 0, w[:, i] / u[i, i])
        w = w - error[:, None] * u[i] * (np.arange(w.shape[1]) > i)
        w[~keep[:, i], i] = 0
    return keep, w


GRAINS = ("element", "column", "block:1x4", "block:4x1", "block:3x5")
SCORES = {"l1": lambda w, x: np.abs(w), "l2": lambda w, x: np.float64(w) ** 2, "random": lambda w, x: random_scores(w.shape, 7, "w1"),
          "wanda": lambda w, x: np.abs(np.float64(w)) * np.sqrt(np.square(np.float64(x)).mean(0))}


def test_masks(checks):
    """What is zero, and that the rest is as it was: of a MatMul's constant, whose inputs come first."""
    model = two_layers()
    for method, score in SCORES.items():
        for share in (0.3, 0.5, 0.85):
            common = f"method={method},sparsity={share},seed=7,calibration={DATA},bias_correction=false"
            for grain in GRAINS:
                _, made, done = pruned(model, f"{common},granularity={grain}")
                name = f"{method}, {grain}, {share}"
                if not checks.check(name, made is not None, done.err):
                    continue
                keep = least_gone(score(W1.T, X), units_of(20, 24, grain), share).T
                checks.check(f"{name}: zeros and numbers", np.array_equal(constant_of(made, "first"), W1 * keep), np.argwhere((constant_of(made, "first") != 0) != keep)[:3])
                checks.check(f"{name}: something goes, something stays", 0 < keep.sum() < keep.size)
        for n, m in ((2, 4), (1, 2), (4, 8), (1, 5)):
            _, made, done = pruned(model, f"method={method},seed=7,calibration={DATA},bias_correction=false,granularity={n}:{m}")
            checks.check(f"{method}, {n}:{m}", made is not None and np.array_equal(constant_of(made, "first"), W1 * best_kept(score(W1.T, X), n, m).T), done.err)
    _, made, _ = pruned(model, "method=l1,sparsity=0.5")
    checks.check("a Gemm's constant, whose outputs come first", np.array_equal(constant_of(made, "second"), W2 * least_gone(np.abs(W2), units_of(6, 20, "element"), 0.5)))


def patches(x, shape, strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1)):
    """What each place of a convolution's output sees: places x (kernel's places, channels)."""
    c, kh, kw = shape[1:]
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    h = (x.shape[2] - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    w = (x.shape[3] - dilations[1] * (kw - 1) - 1) // strides[1] + 1
    parts = [x[:, :, ky * dilations[0]:ky * dilations[0] + strides[0] * (h - 1) + 1:strides[0], kx * dilations[1]:kx * dilations[1] + strides[1] * (w - 1) + 1:strides[1]]
             for ky in range(kh) for kx in range(kw)]
    return np.stack(parts, 1).transpose(0, 3, 4, 1, 2).reshape(-1, kh * kw * c)


def test_convolutions(checks):
    """Kernels as matrices whose inputs are the channels of each place; what they see, strided, padded, dilated."""
    for label, shape, attributes in (("plain", (10, 6, 3, 3), {}), ("strided", (8, 6, 2, 3), {"strides": [2, 1], "pads": [1, 0, 2, 1]}), ("dilated", (8, 6, 3, 2), {"dilations": [2, 3]})):
        model, w = one_conv(label, shape, **attributes)
        flat = w.transpose(0, 2, 3, 1).reshape(shape[0], -1)
        x = patches(P, shape, **{k: tuple(v) for k, v in attributes.items()})
        for method in ("l1", "wanda"):
            for grain in ("element", "column", "block:1x4", "2:4"):
                _, made, done = pruned(model, f"method={method},granularity={grain},calibration={PLANES},bias_correction=false")
                scores = SCORES[method](flat, x)
                keep = best_kept(scores, 2, 4, 6) if grain == "2:4" else least_gone(scores, units_of(*flat.shape, grain, 6), 0.5)
                have = constant_of(made, "conv").transpose(0, 2, 3, 1).reshape(flat.shape) if made else None
                checks.check(f"{label} Conv, {method}, {grain}", made is not None and np.array_equal(have, flat * keep), done.err)
        _, made, done = pruned(model, f"method=hessian,calibration={PLANES},bias_correction=false")
        keep, want = brain_surgery(flat, x, 0.5, "element")
        have = constant_of(made, "conv").transpose(0, 2, 3, 1).reshape(flat.shape)
        checks.check(f"{label} Conv, hessian", np.array_equal(have != 0, keep) and np.allclose(have, want, atol=1e-4), done.err)
    model, w = one_conv("depthwise", (6, 1, 3, 3), group=6)
    for method, share in (("wanda", 0.5), ("hessian", 0.6)):
        _, made, done = pruned(model, f"method={method},sparsity={share},calibration={PLANES}")
        checks.check(f"depthwise Conv, {method}: so many zeros", made is not None and (constant_of(made, "conv") == 0).sum() == int(share * w.size + 0.5), done.err)


def test_surgery(checks):
    """method=hessian: numpy's masks and numbers, with and without corrected biases; the error at the output is the least."""
    model = two_layers()
    for share in (0.4, 0.7):
        for grain in ("element", "block:1x4", "block:4x1"):
            for corrected in ("false", "true"):
                _, made, done = pruned(model, f"method=hessian,sparsity={share},granularity={grain},calibration={DATA},bias_correction={corrected}")
                keep, want = brain_surgery(W1.T, X, share, grain, centred=corrected == "true")
                have = constant_of(made, "first").T
                checks.check(f"hessian, {grain}, {share}, corrected {corrected}", np.array_equal(have != 0, keep) and np.allclose(have, want, atol=2e-4), np.abs(have - want).max())
    for corrected in ("false", "true"):
        made = pruned(model, f"method=hessian,sparsity=0.6,calibration={DATA},bias_correction={corrected}")[1]
        now = np.maximum(X @ constant_of(made, "first") + constant_of(made, "bias"), 0)
        keep, want = brain_surgery(W2, now, 0.6, "element", corrected == "true", was=np.maximum(X @ W1 + B1, 0))
        have = constant_of(made, "second")
        checks.check(f"hessian, the layer behind aims at the dense model's outputs, corrected {corrected}", np.array_equal(have != 0, keep) and np.allclose(have, want, atol=1e-3), np.abs(have - want).max())
    errors = {}
    for method in ("random", "l1", "wanda", "hessian"):
        made = pruned(model, f"method={method},sparsity=0.6,calibration={DATA},bias_correction=false")[1]
        errors[method] = float(np.square(X @ (constant_of(made, "first") - W1)).sum())
    checks.check("errors at the output: hessian, wanda, random", errors["hessian"] < 0.5 * min(errors["wanda"], errors["l1"]) and errors["wanda"] < errors["random"], errors)
    r = report_of("prune", model, f"method=hessian,sparsity=0.6,calibration={DATA},bias_correction=false", "--dim", "n=1")
    checks.check("the report's error at the output", abs(r["weights"][0]["output_error"] - errors["hessian"] / np.square(X @ W1).sum()) < 1e-4, r["weights"][0])
    checks.check("the report's error", abs(r["weights"][0]["error"] - np.square(constant_of(pruned(model, f"method=hessian,sparsity=0.6,calibration={DATA},bias_correction=false")[1], "first") - W1).sum() / np.square(W1).sum()) < 1e-4)
    columns = pruned(model, f"method=hessian,granularity=column,sparsity=0.5,calibration={DATA},bias_correction=false")[1]
    kept = (constant_of(columns, "first") != 0)
    plain = pruned(model, f"method=wanda,granularity=column,sparsity=0.5,calibration={DATA},bias_correction=false")[1]
    off = [np.square(X @ (constant_of(m, "first") - W1)).sum() for m in (columns, plain)]
    checks.check("columns by hessian: whole ones, at less than half of wanda's error", kept.all(1).sum() == 12 and kept.any(1).sum() == 12 and off[0] < off[1] / 2, off)


def test_means(checks):
    """With corrected biases, layers have the mean output that they had; a MatMul without a bias gets one."""
    bare = save("bare", [node("MatMul", ["x", "w"], ["y"], name="only")], [info("x", F, ["n", 24])], [info("y", F, ["n", 20])], [("w", W1)])
    for model, want in ((two_layers(), np.maximum(X @ W1 + B1, 0) @ W2.T + B2), (bare, X @ W1)):
        for method in ("l1", "wanda", "hessian"):
            off = {}
            for corrected in ("true", "false"):
                path, _, done = pruned(model, f"method={method},sparsity=0.6,calibration={DATA},bias_correction={corrected}")
                off[corrected] = np.abs(unoptimised(path).run(None, {"x": X})[0].mean(0) - want.mean(0)).max()
            checks.check(f"{os.path.basename(model)}, {method}: mean output", off["true"] < 1e-4 < 1e-2 < off["false"], off)


def test_scopes(checks):
    model = two_layers()
    pool = np.concatenate([np.abs(W1.T).ravel(), np.abs(W2).ravel()])
    bound = np.sort(pool)[int(0.6 * pool.size + 0.5) - 1]
    made = pruned(model, "method=l1,sparsity=0.6,scope=global")[1]
    for name, w in (("first", W1), ("second", W2)):
        checks.check(f"global, l1: {name}", np.array_equal(constant_of(made, name), w * (np.abs(w) > bound)))
    hidden = np.maximum(X @ W1 + B1, 0)
    scores = [SCORES["wanda"](W1.T, X), SCORES["wanda"](W2, hidden)]
    pool = np.concatenate([(s / s.mean()).ravel() for s in scores])
    gone = np.argsort(pool, kind="stable")[:int(0.6 * pool.size + 0.5)]
    made = pruned(model, f"method=wanda,sparsity=0.6,scope=global,calibration={DATA},bias_correction=false")[1]
    have = [(constant_of(made, "first") == 0).sum(), (constant_of(made, "second") == 0).sum()]
    checks.equal("global, wanda: zeros of each", have, [int((gone < W1.size).sum()), int((gone >= W1.size).sum())])
    pipeline = os.path.join(FOLDER, "pipeline.toml")
    with open(pipeline, "w") as f:
        f.write('[[pass]]\nname = "prune"\nsparsity = 0.25\n[[pass.override]]\nselect = ["op:Gemm"]\nsparsity = 0.75\ngranularity = "block:1x4"\n')
    to = os.path.join(FOLDER, "piped.onnx")
    tenon("compile", model, "--pipeline", pipeline, "--emit", "onnx", "-o", to)
    made = onnx.load(to)
    checks.equal("a pipeline file: zeros by node", [int((constant_of(made, n) == 0).sum()) for n in ("first", "second")], [120, 92])


def test_tables(checks):
    """Tables only where they are selected."""
    table = RANDOM.standard_normal((30, 8)).astype(np.float32)
    w = RANDOM.standard_normal((8, 8)).astype(np.float32)
    model = save("table", [node("Gather", ["t", "ids"], ["a"], name="look"), node("MatMul", ["a", "w"], ["y"], name="mix")],
                 [info("ids", I64, ["n", 5])], [info("y", F, ["n", 5, 8])], [("t", table), ("w", w)])
    made = pruned(model, "")[1]
    checks.check("a table stays as it is", np.array_equal(constant_of(made, "look", 0), table) and (constant_of(made, "mix") == 0).sum() == 32)
    made = pruned(model, "select=op:Gather")[1]
    checks.check("unless it is selected", np.array_equal(constant_of(made, "look", 0), table * least_gone(np.abs(table), units_of(30, 8, "element"), 0.5)) and np.array_equal(constant_of(made, "mix"), w))


def test_shared(checks):
    """A weight of two nodes stays one."""
    w = RANDOM.standard_normal((8, 8)).astype(np.float32)
    model = save("shared", [node("MatMul", ["x", "w"], ["a"], name="one"), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "w"], ["y"], name="two")],
                 [info("x", F, ["n", 8])], [info("y", F, ["n", 8])], [("w", w)])
    made = pruned(model, "")[1]
    names = {n.input[1] for n in made.graph.node if n.op_type == "MatMul"}
    checks.check("one constant, half of it zero", len(names) == 1 and (constant_of(made, "two") == 0).sum() == 32 and len(made.graph.initializer) == 1)


def mask_of(model, name, shape):
    bits = np.unpackbits(np.frombuffer(base64.b64decode(notes_of(model, name)["tenon.mask"]), np.uint8))
    return bits[:np.prod(shape)].reshape(shape).astype(bool)


def test_annotations(checks):
    """Masks go into ONNX and come back, whatever has become of the weights."""
    model = two_layers()
    path, made, _ = pruned(model, "method=l1,sparsity=0.7", name="masked")
    onnx.checker.check_model(made, full_check=True)
    for name, w in (("first", W1), ("second", W2)):
        checks.check(f"mask of {name}", np.array_equal(mask_of(made, name, w.shape), constant_of(made, name) != 0))
        checks.equal(f"sparsity of {name}", notes_of(made, name)["tenon.sparsity"], "0.7000")
    # Trained elsewhere, where nobody held the zeros.
    trained = {}
    for t in made.graph.initializer:
        if numpy_helper.to_array(t).ndim == 2:
            trained[t.name] = (numpy_helper.to_array(t) + RANDOM.standard_normal(t.dims) * 0.1).astype(np.float32)
            t.CopyFrom(numpy_helper.from_array(trained[t.name], t.name))
    onnx.save(made, path)
    again = pruned(path, "sparsity=0", name="again")[1]
    for n in made.graph.node:
        if n.name in ("first", "second"):
            w = trained[n.input[1]]
            checks.check(f"retrained, {n.name}: the mask is put on again", np.array_equal(constant_of(again, n.name), w * mask_of(made, n.name, w.shape)))
    more = pruned(path, "sparsity=0.8", name="more")[1]
    before, after = mask_of(made, "first", W1.shape), mask_of(more, "first", W1.shape)
    checks.check("pruned further: what is gone stays gone", not (after & ~before).any() and (~after).sum() == 384)
    for n in made.graph.node:
        for p in n.metadata_props:
            if p.key == "tenon.mask":
                p.value = p.value[:-8] + "!" * 8
    onnx.save(made, path)
    _, again, done = pruned(path, "sparsity=0", name="again")
    checks.check("a mask that is none is said and left out", "warning[bad-mask]" in done.err and not (constant_of(again, "first") == 0).any(), done.err)


def built_criterion(checks):
    """The plugin of criterion.c: its path."""
    library = os.path.join(FOLDER, "criterion.so")
    built = run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-I", os.path.join(ROOT, "plugins", "include"), os.path.join(HERE, "criterion.c"), "-o", library])
    checks.check("a plugin with a criterion compiles", built.status == 0, built.err)
    return library


def test_criterion(checks):
    model, library = two_layers(), built_criterion(checks)
    _, made, done = pruned(model, "criterion=last,sparsity=0.25", "--plugin", library)
    want = W1.copy().ravel()
    want[360:] = 0
    checks.check("its criterion says what goes", made is not None and np.array_equal(constant_of(made, "first").ravel(), want), done.err)
    checks.check("the nearest name is said", "did you mean 'last'?" in pruned(model, "criterion=lost", "--plugin", library)[2].err)
    checks.check("tenon passes --check", tenon("passes", "--check", library).status == 0)


def without_llvm():
    """A copy of tenon that has no LLVM: it calibrates by the interpreter."""
    folder = os.path.join(FOLDER, "plain")
    for name in ("bin/tenon", "lib/tenon/plugins/prune.so", *(f"lib/{n}" for n in os.listdir(os.path.join(BUILD, "lib")) if n.startswith("libtenon.so"))):
        os.makedirs(os.path.dirname(os.path.join(folder, name)), exist_ok=True)
        shutil.copy(os.path.join(BUILD, name), os.path.join(folder, name))
    return os.path.join(folder, "bin", "tenon"), {"LD_LIBRARY_PATH": os.path.join(folder, "lib")}


def test_determinism(checks):
    model = two_layers()
    plain, env = without_llvm()
    for options in (f"method=hessian,sparsity=0.7,calibration={DATA}", f"granularity=neuron,method=hessian,calibration={DATA}", "method=random,seed=3"):
        bytes_of = {}
        for name, command, words, more in (("once", TENON, (), {}), ("again", TENON, (), {}), ("isolated", TENON, ("--isolate",), {}), ("without LLVM", plain, (), env)):
            to = os.path.join(FOLDER, "same.onnx")
            done = run([command, "compile", model, "-p", f"prune:{options}", "--emit", "onnx", "-o", to, *words], env=more)
            if checks.check(f"{options}, {name}", done.status == 0, done.err):
                bytes_of[name] = open(to, "rb").read()
        checks.check(f"{options}: the same bytes each time, with --isolate, from the JIT and the interpreter", len(set(bytes_of.values())) == 1)
    one, other = (constant_of(pruned(model, f"method=random,seed={s}")[1], "first") for s in (1, 2))
    checks.check("another seed, another mask", not np.array_equal(one != 0, other != 0))


# ---- what leaves the graph ----

def structures_of(model, options, *words):
    return {s["node"]: s for s in report_of("prune", model, options, *words)["structures"]}


def test_neurons(checks):
    """Hidden neurons go from both layers; numpy says which."""
    model = two_layers()
    hidden = np.maximum(X @ W1 + B1, 0)
    for method, scores in (("l1", np.abs(W1).sum(0)), ("l2", np.square(np.float64(W1)).sum(0)),
                           ("wanda", (np.abs(np.float64(W2)) * np.sqrt(np.square(np.float64(hidden)).mean(0))).sum(0)), ("random", random_scores((20,), 5, "first"))):
        path, made, done = pruned(model, f"granularity=neuron,method={method},sparsity=0.4,seed=5,calibration={DATA},bias_correction=false")
        if not checks.check(f"neurons, {method}", made is not None, done.err):
            continue
        stay = np.sort(np.argsort(scores, kind="stable")[8:])
        checks.check(f"neurons, {method}: which stay", np.array_equal(constant_of(made, "first"), W1[:, stay]) and np.array_equal(constant_of(made, "second"), W2[:, stay]) and np.array_equal(constant_of(made, "bias"), B1[stay]))
        want = np.maximum(X @ W1[:, stay] + B1[stay], 0) @ W2[:, stay].T + B2
        checks.check(f"neurons, {method}: ONNX Runtime's outputs", np.allclose(unoptimised(path).run(None, {"x": X})[0], want, atol=1e-4))
    want, off = hidden @ W2.T + B2, {}
    for method in ("l1", "wanda", "hessian"):
        path = pruned(model, f"granularity=neuron,method={method},sparsity=0.5,calibration={DATA}")[0]
        off[method] = float(np.square(unoptimised(path).run(None, {"x": X})[0] - want).sum())
    checks.check("neurons by hessian: those that stay make up for the others", off["hessian"] < 0.5 * off["wanda"], off)
    barred = structures_of(model, "granularity=neuron", "--dim", "n=1")
    checks.check("what the model gives out stays", barred["second"]["gone"] == 0 and "gives it out" in barred["second"]["barrier"] and barred["first"]["gone"] == 10)
    bare = save("bare", [node("MatMul", ["x", "w1"], ["h"], name="first"), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "w2"], ["result"], name="second")], [info("x", F, ["n", 24])], [info("result", F, ["n", 6])],
                [("w1", W1), ("w2", np.ascontiguousarray(W2.T))])
    done = tenon("inspect", bare, "-p", f"prune:granularity=row,calibration={DATA}", "--dim", "n=1")
    checks.check("an output goes by its own name, also behind a bias that was added", "all 6 stay: the model gives it out (result)" in done.err, done.err)


def residual_net():
    """Convolutions with a shortcut, BatchNormalization, a depthwise one, pooling, Flatten and two Gemms."""
    np.savez(PLANES, x=P)

    def w(*shape):
        return (RANDOM.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
    nodes = [node("Conv", ["x", "w0"], ["a"], name="stem", pads=[1, 1, 1, 1]), node("BatchNormalization", ["a", "s", "b", "m", "v"], ["an"], name="norm"), node("Relu", ["an"], ["ar"]),
             node("Conv", ["ar", "w1"], ["c"], name="inner", pads=[1, 1, 1, 1]), node("Relu", ["c"], ["cr"]), node("Conv", ["cr", "w2"], ["d"], name="outer", pads=[1, 1, 1, 1]),
             node("Add", ["ar", "d"], ["e"]), node("Sigmoid", ["e"], ["er"]), node("Conv", ["er", "w3"], ["f"], name="depthwise", group=8, pads=[1, 1, 1, 1]), node("Relu", ["f"], ["fr"]),
             node("Conv", ["fr", "w4"], ["p"], name="pointwise"), node("MaxPool", ["p"], ["q"], kernel_shape=[2, 2], strides=[2, 2]), node("Flatten", ["q"], ["r"]),
             node("Gemm", ["r", "w5"], ["h"], name="hidden", transB=1), node("Tanh", ["h"], ["ht"]), node("Gemm", ["ht", "w6", "b6"], ["y"], name="last", transB=1)]
    constants = [("w0", w(8, 6, 3, 3)), ("s", np.abs(w(8, 1)).ravel() + 0.5), ("b", w(8, 1).ravel()), ("m", w(8, 1).ravel()), ("v", np.abs(w(8, 1)).ravel() + 0.5), ("w1", w(10, 8, 3, 3)),
                 ("w2", w(8, 10, 3, 3)), ("w3", w(8, 1, 3, 3)), ("w4", w(6, 8, 1, 1)), ("w5", w(14, 6 * 4 * 4)), ("w6", w(3, 14)), ("b6", w(3, 1).ravel())]
    return save("residual", nodes, [info("x", F, ["n", *P.shape[1:]])], [info("y", F, ["n", 3])], constants)


def same_as_ort(checks, name, path, feeds):
    """The exported model is valid, and gives in ONNX Runtime what tenon gives."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    words = []
    for k, v in feeds.items():
        np.save(os.path.join(FOLDER, f"{k}.npy"), v)
        words += ["--input", f"{k}={FOLDER}/{k}.npy"]
    session = unoptimised(path)
    theirs, out = session.run(None, feeds)[0], session.get_outputs()[0].name
    done = tenon("run", path, *words, "-o", FOLDER)
    ours = np.load(os.path.join(FOLDER, f"{out}.npy")) if done.status == 0 else None
    checks.check(f"{name}: ONNX Runtime's outputs", ours is not None and np.allclose(ours, theirs, rtol=1e-3, atol=1e-5), done.err)


def test_channels(checks):
    """Through a shortcut, a normalisation, a depthwise convolution, pooling and Flatten."""
    model = residual_net()
    for method in ("l2", "wanda", "hessian"):
        path, made, done = pruned(model, f"granularity=row,method={method},sparsity=0.5,calibration={PLANES}", "--skip", "fold-batch-norm", name="cut")
        if not checks.check(f"rows, {method}", made is not None, done.err):
            continue
        sizes = {n.name: constant_of(made, n.name).shape for n in made.graph.node if n.op_type in ("Conv", "Gemm")}
        checks.equal(f"rows, {method}: sizes", sizes, {"stem": (4, 6, 3, 3), "inner": (5, 4, 3, 3), "outer": (4, 5, 3, 3), "depthwise": (4, 1, 3, 3), "pointwise": (3, 4, 1, 1), "hidden": (7, 48), "last": (3, 7)})
        checks.check(f"rows, {method}: the depthwise one says its groups", next(a.i for n in made.graph.node if n.name == "depthwise" for a in n.attribute if a.name == "group") == 4)
        same_as_ort(checks, f"rows, {method}", path, {"x": P[:2]})
    made = pruned(model, "granularity=channel,method=l1,sparsity=0.5,keep=stem", name="cut")[1]
    checks.check("what goes with something that is kept stays, too", constant_of(made, "outer").shape == (8, 5, 3, 3) and constant_of(made, "hidden").shape == (14, 48))
    zeros = pruned(pruned(model, "method=l1,sparsity=0.5", name="sparse")[0], "granularity=channel,method=l1,sparsity=0.5", name="both")[1]
    w = constant_of(zeros, "inner")
    checks.check("masks from before are cut, too", np.array_equal(mask_of(zeros, "inner", w.shape), w != 0) and 0 < (w == 0).sum() < w.size)


# ---- together with others ----

def test_quantised(checks):
    """Zeros are codes that stand for zero, whatever the format, in a pipeline of both."""
    model = two_layers()
    for scheme in ("fixed", "symmetric", "affine"):
        for width in (2, 4, 8):
            to = os.path.join(FOLDER, "narrow.onnx")
            done = tenon("compile", model, "-p", f"prune:method=hessian,sparsity=0.8,calibration={DATA}", "-p", f"quantize:data_width=0,weight_width={width},format={scheme},calibration={DATA}", "--emit", "onnx", "-o", to)
            if not checks.check(f"pruned, then {scheme} of {width} bits", done.status == 0, done.err):
                continue
            made, makers = onnx.load(to), {}
            for n in made.graph.node:
                makers.update((o, n) for o in n.output)
            for name, w in (("first", W1), ("second", W2)):
                dq = makers[next(n for n in made.graph.node if n.name == name).input[1]]
                c = constants_of(made)
                codes, axis = np.int64(c[dq.input[0]]), next(a.i for a in dq.attribute if a.name == "axis")
                zero = np.int64(c[dq.input[2]]).reshape([-1 if i == axis else 1 for i in range(2)]) if len(dq.input) > 2 else 0
                checks.check(f"{scheme}, {width} bits: {name}'s zeros stay", ((codes - zero)[~mask_of(made, name, w.shape)] == 0).all() and ((codes - zero) != 0).any())


def test_activations(checks):
    model = two_layers()
    path, made, done = pruned(model, f"sparsity=0,activation_sparsity=0.7,calibration={DATA}")
    shrinks = [n for n in made.graph.node if n.op_type == "Shrink"]
    checks.equal("a Shrink in front of each layer", len(shrinks), 2)
    hidden = np.maximum(X @ W1 + B1, 0)
    for n, x in zip(shrinks, (X, hidden)):
        bound = next(a.f for a in n.attribute if a.name == "lambd")
        checks.check("its threshold leaves so many zeros", 0.69 < (np.abs(x) <= bound).mean() < 0.72, bound)
    bounds = [next(a.f for a in n.attribute if a.name == "lambd") for n in shrinks]
    cut = [np.where(np.abs(X) > bounds[0], X, 0)]
    cut.append(np.maximum(cut[0] @ W1 + B1, 0))
    want = np.where(np.abs(cut[1]) > bounds[1], cut[1], 0) @ W2.T + B2
    checks.check("numpy's outputs", np.allclose(unoptimised(path).run(None, {"x": X})[0], want, atol=1e-4))
    relu = pruned(model, f"sparsity=0,activation_sparsity=0.1,select=second,calibration={DATA}")[1]
    checks.check("none where a Relu has left enough zeros", not any(n.op_type == "Shrink" for n in relu.graph.node))


def test_inspect(checks):
    """tenon inspect says how much of the weights is zero, what they multiply then, and the bytes that are stored, of codes, too."""
    path = pruned(two_layers(), "sparsity=0.75,select=first")[0]
    done = tenon("inspect", path, "--dim", "n=1")
    checks.check("inspect: in all", f"sparsity    0.6000 (360 of {W1.size + W2.size} numbers" in done.out and "effective   240 (240 MACs" in done.out and "stored  effective" in done.out, done.out)
    found = json.loads(tenon("inspect", path, "--dim", "n=1", "--json").out)
    nodes = [n for n in found["nodes"] if n["op"] in ("MatMul", "Gemm")]
    checks.equal("inspect: by node", [n["sparsity"] for n in nodes], [0.75, 0])
    checks.equal("inspect: effective MACs", [n["effective_macs"] for n in nodes] + [found["totals"]["effective_macs"]], [120, 120, 240])
    stored = [n["stored_bytes"] for n in found["nodes"]]
    checks.check("inspect: stored bytes, by node and in all", nodes[0]["stored_bytes"] > 4 * 120 and nodes[1]["stored_bytes"] > 4 * W2.size and sum(stored) == found["totals"]["weight_bytes"], f"{stored} {found['totals']}")
    dense = tenon("inspect", two_layers(), "--dim", "n=1").out
    checks.check("inspect: nothing of that for dense models", "sparsity" not in dense and "effective" not in dense)
    for scheme, says in (("symmetric", "sparsity    0.6"), ("fixed", "sparsity    0.6")):
        done = tenon("inspect", path, "--dim", "n=1", "-p", f"quantize:data_width=0,weight_width=8,format={scheme}")
        checks.check(f"inspect: codes, {scheme}", says in done.out, done.out)


def test_auto(checks):
    model = two_layers()
    labels = (np.maximum(X @ W1 + B1, 0) @ W2.T + B2).argmax(1)
    np.savez(DATA, x=X, label=np.int64(labels))
    zeros = {}
    for points in ("3", "20"):
        r = report_of("prune", model, f"auto=accuracy:{points},method=hessian,calibration={DATA}", "--dim", "n=1")
        if checks.check(f"auto=accuracy:{points}", r is not None):
            zeros[points] = sum(w["zeros"] for w in r["weights"])
    checks.check("more may be lost, more goes", 0 < zeros.get("3", -1) < zeros.get("20", -1), zeros)


def accuracy_of(done):
    found = re.search(r"accuracy\s+\S+ \((\d+) of", done.out)
    return int(found[1]) if found else -1


def test_header(checks):
    folder = os.path.join(ROOT, "plugins", "prune")
    for name in sorted(os.listdir(folder)):
        found = re.findall(r'#include [<"]([^>"]+)[>"]', open(os.path.join(folder, name)).read())
        checks.equal(f"{name} includes nothing of tenon but plugin.h", [h for h in found if "/" in h and h != "tenon/plugin.h"], [])
    done = tenon("passes", "--check", os.path.join(BUILD, "lib", "tenon", "plugins", "prune.so"))
    checks.check("tenon passes --check", done.status == 0, done.out)


if __name__ == "__main__":
    checks = Checks()
    for test in (test_masks, test_convolutions, test_surgery, test_means, test_scopes, test_tables, test_shared, test_annotations, test_criterion, test_determinism,
                 test_neurons, test_channels, test_quantised, test_activations, test_inspect, test_auto, test_header):
        test(checks)
    checks.finish()
