#!/usr/bin/env python3
"""prune on the shipped models: what leaves them, in ONNX Runtime; sizes and predicted time, auto=latency; accuracy on reviews, pictures and words; the sweep."""
import json
import os
import sys

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, Checks, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402
from passes import report_of  # noqa: E402
from test_prune import F, FOLDER, RANDOM, accuracy_of, info, node, pruned, same_as_ort, save  # noqa: E402

BERT = os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx")
REVIEWS = os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz")
TRAINED = os.path.join(MODELS, "bert-tiny-imdb", "train_5000.npz")
TINY = os.path.join(MODELS, "mlperf-tiny")
PICTURES, WORDS = os.path.join(TINY, "cifar10_2000.npz"), os.path.join(TINY, "words_312.npz")


def test_shipped(checks):
    """bert-tiny's heads, neurons and its stream; ResNet-8's and DS-CNN's channels."""
    z = np.load(REVIEWS)
    review = {k: np.int64(z[k][:2]) for k in ("input_ids", "attention_mask", "token_type_ids")}
    for options, bytes_most in (("granularity=head", 17.4e6), ("granularity=neuron,select=*intermediate*", 17.1e6), ("granularity=row", 8.7e6)):
        path, made, done = pruned(BERT, f"{options},method=l2,sparsity=0.5", name="bert")
        if checks.check(f"bert-tiny, {options}", made is not None and os.path.getsize(path) < bytes_most, done.err):
            same_as_ort(checks, f"bert-tiny, {options}", path, review)
    path, made, done = pruned(BERT, "granularity=head,method=l2", "--skip", "fuse-attention", name="bert")
    if checks.check("bert-tiny's heads, attention in its parts", made is not None, done.err):
        same_as_ort(checks, "bert-tiny's heads, attention in its parts", path, review)
    for name, data in (("resnet8", PICTURES), ("resnet8_bn", PICTURES), ("kws_dscnn_bn", WORDS)):
        model = os.path.join(TINY, name, "model.onnx")
        x = np.load(data)
        feed = {i.name: np.float32(x[i.name if i.name in x.files else "input_1"][:1]) for i in onnx.load(model).graph.input}
        path, made, done = pruned(model, "granularity=channel,method=l2,sparsity=0.5", name=name)
        if checks.check(f"{name}: below a third of its size", made is not None and os.path.getsize(path) < os.path.getsize(model) / 2.5, done.err):
            same_as_ort(checks, name, path, feed)


def test_sizes(checks):
    """Half of bert-tiny's heads and of its neurons, half of ResNet-8's channels: what the layers hold, what is multiplied, and the predicted time."""
    half = "sparsity=0.5,method=l2"
    bert = [f"prune:granularity=head,{half}", f"prune:granularity=neuron,select=*intermediate*,{half}"]
    for name, model, dims, passes in (("bert-tiny", BERT, ["--dim", "batch=1", "--dim", "sequence=128"], bert), ("ResNet-8", os.path.join(TINY, "resnet8", "model.onnx"), [], [f"prune:granularity=channel,{half}"])):
        words = [w for p in passes for w in ("-p", p)]
        for target in ("generic", "x86-64-v3"):
            before, after = (json.loads(tenon("inspect", model, *dims, *w, "--target", target, "--json").out) for w in ([], words))
            a, b = before["totals"], after["totals"]
            for p in after["passes"]:
                checks.check(f"{name}: at most 0.55 of the numbers of the layers concerned", 0 < p["numbers_after"] <= 0.55 * p["numbers_before"], p)
            checks.check(f"{name}, {target}: the predicted time falls by 35 % or more", b["predicted"]["cycles"] <= 0.65 * a["predicted"]["cycles"] and b["macs"] <= 0.55 * a["macs"], f"{a} {b}")
        to = os.path.join(FOLDER, "half.onnx")
        done = tenon("compile", model, *words, "--emit", "onnx", "-o", to)
        if checks.check(f"{name}: exported", done.status == 0, done.err):
            x = np.load(REVIEWS if name == "bert-tiny" else PICTURES)
            feed = {i.name: (np.int64 if name == "bert-tiny" else np.float32)(x[i.name][:1]) for i in onnx.load(model).graph.input}
            same_as_ort(checks, f"{name}, half", to, feed)
    weights = sum(numpy_helper.to_array(t).size for t in onnx.load(to).graph.initializer)
    checks.check("ResNet-8: its numbers, counted in the file", weights <= 0.3 * 77706, weights)


def test_auto_latency(checks):
    """As many cycles as asked for, at most, as inspect predicts them; the layer whose zeros do less harm loses more."""
    wide = [("w1", RANDOM.standard_normal((256, 512)).astype(np.float32)), ("w2", RANDOM.standard_normal((512, 256)).astype(np.float32)), ("w3", RANDOM.standard_normal((256, 8)).astype(np.float32))]
    wide[1][1][:, :] *= np.where(RANDOM.random((512, 256)) < 0.1, 1, 0.001)  # most of which does nothing
    model = save("wide", [node("MatMul", ["x", "w1"], ["a"], name="first"), node("Relu", ["a"], ["b"]), node("MatMul", ["b", "w2"], ["c"], name="second"), node("Relu", ["c"], ["d"]),
                          node("MatMul", ["d", "w3"], ["y"], name="third")], [info("x", F, ["n", 256])], [info("y", F, ["n", 8])], wide)
    data, shares = os.path.join(FOLDER, "wide.npz"), {}
    np.savez(data, x=RANDOM.standard_normal((48, 256)).astype(np.float32))
    for target in ("x86-64-v3", "x86-64-v4"):
        def cycles(*words):
            return json.loads(tenon("inspect", model, "--dim", "n=1", "--target", target, "--json", *words).out)["totals"]["predicted"]["cycles"]
        before = cycles()
        done = tenon("inspect", model, "--dim", "n=1", "-p", f"prune:auto=latency:0.01,method=l1,target={target},calibration={data}")
        checks.check("auto=latency:0.01: cannot be", done.status == 2 and "gets there" in done.err, done.err)
        for asked in (0.8, 0.6):
            options = f"auto=latency:{asked},method=l1,bias_correction=false,target={target},calibration={data}"
            r = report_of("prune", model, options, "--dim", "n=1")
            if not checks.check(f"auto=latency:{asked}, {target}", r is not None):
                continue
            shares[asked] = [w["sparsity"] for w in r["weights"]]
            now = cycles("-p", f"prune:{options}") / before
            checks.check(f"auto=latency:{asked}, {target}: as inspect predicts", now <= asked and abs(now - r["predicted_cycles"]) < 1e-3, f"{now} {r['predicted_cycles']}")
        checks.check(f"{target}: the harmless go first, and more where less time is asked for", shares[0.8][0] < shares[0.8][1] and sum(shares[0.8]) < sum(shares[0.6]), shares)


def test_reviews(checks):
    """bert-tiny: accuracy, the same bits on every back end, ONNX Runtime's classes."""
    n, right = 400, {}
    right["dense"] = accuracy_of(tenon("eval", BERT, "--data", REVIEWS, "--limit", n))
    common = f"samples=64,calibration={TRAINED}"
    for name, options in (("random", "method=random,sparsity=0.7"), ("l1", "method=l1,sparsity=0.5"), ("wanda", f"method=wanda,sparsity=0.5,{common}"), ("hessian", f"method=hessian,sparsity=0.7,{common}"),
                          ("hessian, more than is kept at once", f"method=hessian,sparsity=0.7,samples=320,calibration={TRAINED}"),
                          ("neurons", f"granularity=neuron,select=*intermediate*,method=hessian,{common}")):
        right[name] = accuracy_of(tenon("eval", BERT, "--data", REVIEWS, "--limit", n, "-p", f"prune:{options}"))
    both = tenon("eval", BERT, "--data", REVIEWS, "--limit", n, "-p", f"prune:method=hessian,sparsity=0.7,{common}", "-p", f"quantize:data_width=0,weight_width=4,{common}")
    right["hessian and 4 bits"] = accuracy_of(both)
    print(f"bert-tiny, of {n} reviews: {right}")
    for name, lost in (("l1", 10), ("wanda", 6), ("hessian", 8), ("hessian, more than is kept at once", 8), ("neurons", 8), ("hessian and 4 bits", 10)):
        checks.check(f"bert-tiny, {name}: at most {lost} of {n} lost", right["dense"] - right[name] <= lost, right)
    checks.check("bert-tiny, random: at chance", right["random"] < 0.62 * n, right)
    small = os.path.join(FOLDER, "reviews.npz")
    z = np.load(REVIEWS)
    np.savez(small, **{k: z[k][:2] for k in z.files})
    for options in ("method=l1,sparsity=0.9", "granularity=2:4", "granularity=head"):
        done = tenon("eval", BERT, "--data", small, "--backend", "all", "-p", f"prune:{options}")
        checks.check(f"bert-tiny, {options}: the same bits on every back end", done.status == 0, done.err)
    path = pruned(BERT, "granularity=block:1x4,sparsity=0.6")[0]
    session = unoptimised(path)
    classes = [int(session.run(None, {i.name: np.int64(z[i.name][k:k + 1]) for i in session.get_inputs()})[0].argmax()) for k in range(20)]
    np.savez(small, **{k: (z[k][:20] if k != "label" else np.int64(classes)) for k in z.files})
    checks.equal("bert-tiny, blocks: ONNX Runtime's classes", accuracy_of(tenon("eval", path, "--data", small)), 20)


def test_harder(checks):
    """ResNet-8 and DS-CNN: hessian at 0.5 loses at most a fifth of what l1 loses."""
    model, right = os.path.join(TINY, "resnet8", "model.onnx"), {}
    for name, options in (("dense", ""), ("l1", "method=l1"), ("hessian", f"method=hessian,calibration={PICTURES},samples=64")):
        right[name] = accuracy_of(tenon("eval", model, "--data", PICTURES, "--limit", 500, *(["-p", f"prune:{options}"] if options else [])))
    checks.check("ResNet-8: hessian loses at most a fifth of what l1 loses", 5 * (right["dense"] - right["hessian"]) <= right["dense"] - right["l1"], right)
    model, z, halves = os.path.join(TINY, "kws_dscnn_bn", "model.onnx"), np.load(WORDS), []
    order = np.random.default_rng(0).permutation(len(z["label"]))
    for name, part in (("words_a", order[:156]), ("words_b", order[156:])):
        halves.append(os.path.join(FOLDER, f"{name}.npz"))
        np.savez(halves[-1], **{k: z[k][part] for k in z.files})
    for name, options in (("dense", ""), ("l1", "method=l1"), ("hessian", f"method=hessian,calibration={halves[0]}")):
        right[name] = accuracy_of(tenon("eval", model, "--dim", "batch=1", "--data", halves[1], *(["-p", f"prune:{options}"] if options else [])))
    checks.check("keyword spotting, calibrated on other words: hessian loses at most a fifth of what l1 loses", 5 * (right["dense"] - right["hessian"]) <= right["dense"] - right["l1"], right)


def test_sweep(checks):
    """tenon sweep over sparsities: a curve for each method and scope, and its table is what tenon eval says."""
    os.environ["PYTHON"] = sys.executable
    done = tenon("sweep", BERT, "--data", REVIEWS, "--limit", 50, "--pass", "prune", "--over", "sparsity=0.6,0.9", "--and", "method=l1", "--and", "scope=local,global",
                 "-o", os.path.join(FOLDER, "sweep"), "--json")
    if not checks.check("tenon sweep", done.status == 0, done.err):
        return
    made = json.loads(done.out)
    checks.equal("its points", [p["values"] for p in made["points"]], [[x, "l1", s] for s in ("local", "global") for x in ("0.6", "0.9")])
    for p in made["points"][1:3]:
        own = tenon("eval", BERT, "--data", REVIEWS, "--limit", 50, "-p", p["pass"], "--against", BERT, "--json")
        against = json.loads(own.out)["against"] if checks.check(f"tenon eval {p['pass']}", own.status == 0, own.err) else {}
        for key in ("difference", "difference_ci95", "margin_mse"):
            checks.check(f"{p['pass']}: {key}", np.allclose(p["against"][key], against.get(key, np.inf), rtol=1e-5, atol=1e-9), f"{p} {against}")
    sizes = {tuple(p["values"]): p["size"]["weights"] for p in made["points"]}
    checks.check("what is pruned more is smaller", sizes["0.9", "l1", "local"] < sizes["0.6", "l1", "local"] < made["reference"]["size"]["weights"], sizes)


if __name__ == "__main__":
    checks = Checks()
    for test in (test_shipped, test_sizes, test_auto_latency, test_reviews, test_harder, test_sweep):
        test(checks)
    checks.finish()
