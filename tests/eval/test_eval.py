#!/usr/bin/env python3
"""tenon eval: one model and two on the same samples, every figure computed again from what ONNX Runtime gives."""
import json
import math
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, Checks, scratch, tenon  # noqa: E402
from onnx_models import first_outputs, save_model  # noqa: E402
from samples import TINY  # noqa: E402

FOLDER = scratch("eval")
CNN, MLP = (os.path.join(MODELS, name, "model.onnx") for name in ("mnist-cnn", "mnist-mlp"))
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
RESNET, RESNET_INT8 = (os.path.join(TINY, name, "model.onnx") for name in ("resnet8", "resnet8_int8_qdq"))
PICTURES = os.path.join(TINY, "cifar10_2000.npz")
N, Z = 200, 1.959963984540054


def evaluate(checks, name, *words):
    done = tenon("eval", *words, "--json", timeout=300)
    ok = checks.check(name, done.status == 0, done.last)
    return json.loads(done.out) if ok else {}


def close(a, b, within=1e-3):
    return a is not None and abs(a - b) <= within * max(1e-9, abs(b))


def proportions(better, worse, n):
    """The interval of Agresti and Min, from the four cells with half a sample more in each."""
    cells = [[(n - better - worse) / 2 + 0.5, better + 0.5], [worse + 0.5, (n - better - worse) / 2 + 0.5]]
    total = n + 2
    p = (cells[0][1] - cells[1][0]) / total
    variance = ((cells[0][1] + cells[1][0]) / total - p * p) / total
    return p - Z * math.sqrt(variance), p + Z * math.sqrt(variance)


def margins(x, labels):
    own = x[np.arange(len(x)), labels]
    others = x.copy()
    others[np.arange(len(x)), labels] = -np.inf
    return own - others.max(axis=1)


def check_accuracy(checks, name, report, a, b, labels, within=1e-3):
    right = [x.argmax(axis=1) == labels for x in (a, b)]
    other = report.get("against", {})
    checks.equal(f"{name}: correct", (report.get("correct"), other.get("correct")), tuple(int(r.sum()) for r in right))
    better, worse = int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())
    checks.equal(f"{name}: right and wrong alone", (other.get("right_alone"), other.get("wrong_alone")), (better, worse))
    checks.check(f"{name}: difference", abs(other.get("difference", 9) - (better - worse) / len(labels)) < 1e-12)
    want = proportions(better, worse, len(labels))
    checks.check(f"{name}: interval", all(abs(x - y) < 1e-12 for x, y in zip(other.get("difference_ci95", (9, 9)), want)), f"{other} {want}")
    checks.equal(f"{name}: same class", other.get("same_class"), int((a.argmax(axis=1) == b.argmax(axis=1)).sum()))
    mse = float(np.mean((margins(a, labels) - margins(b, labels)) ** 2))
    checks.check(f"{name}: margin", close(other.get("margin_mse"), mse, within), f"{other.get('margin_mse')} {mse}")


def check_digits(checks):
    z = np.load(DIGITS)
    labels, samples = z["label"][:N].astype(int), [(x.astype(np.float64) / 255).astype(np.float32).reshape(1, 1, 28, 28) for x in z["input"][:N]]
    words = ("--data", DIGITS, "--scale", "input=0.00392156862745098", "--limit", N)
    a, b = first_outputs(MLP, samples), first_outputs(CNN, samples)
    report = evaluate(checks, "two models", MLP, "--against", CNN, *words)
    check_accuracy(checks, "two models", report, a, b, labels)
    both = evaluate(checks, "a model against itself", MLP, "--against", MLP, *words)
    checks.equal("against itself", tuple(both.get("against", {}).get(k) for k in ("difference", "margin_mse", "same_class")), (0, 0, N))
    sqnr = evaluate(checks, "sqnr of two models", MLP, "--against", CNN, "--metric", "sqnr", *words)
    checks.check("sqnr", close(sqnr.get("sqnr_db"), 10 * math.log10(np.sum(b * b) / np.sum((a - b) ** 2))), str(sqnr))
    text = tenon("eval", MLP, "--against", CNN, *words)
    checks.check("text", text.status == 0 and f"against   {report['against']['accuracy']:.4f}" in text.out and CNN in text.out, text.out)
    checks.check("text: difference", f"difference {100 * report['against']['difference']:+.2f} points" in text.out, text.out)


def check_changed(checks):
    """-p changes the model, and not the one against which it is compared."""
    words = ("--data", DIGITS, "--limit", 20)
    done = tenon("eval", CNN, "-p", "input:type=uint8,scale=0.00392156862745098", "--against", CNN, "--scale", "input=0.5", *words)
    checks.check("--scale of bytes is refused", done.status == 3 and "real numbers" in done.err, done.last)
    report = evaluate(checks, "-p", CNN, "-p", "input:type=uint8,scale=1", "--against", CNN, *words)
    checks.equal("-p: the same class everywhere", report.get("against", {}).get("same_class"), 20)
    stopped = evaluate(checks, "--stop-after", CNN, "--against", MLP, "--stop-after", "bind", *words)
    checks.equal("--stop-after", stopped, {"stopped": True})


def check_integers(checks):
    z = np.load(PICTURES)
    name = next(k for k in z if k != "label")
    labels, pictures = z["label"][:N].astype(int), z[name][:N].astype(np.float32)
    int8 = onnx.load(RESNET_INT8).graph
    constants = {t.name: numpy_helper.to_array(t) for t in int8.initializer}
    first = next(n for n in int8.node if n.op_type == "DequantizeLinear" and n.input[0] == int8.input[0].name)
    last = next(n for n in int8.node if int8.output[0].name in n.output)
    scale, zero = (constants[i] for i in first.input[1:])
    whole = [np.clip(np.rint(x / scale) + zero, -128, 127).astype(np.int8)[None] for x in pictures]
    scale, zero = (constants[i] for i in last.input[1:])
    a = (first_outputs(RESNET_INT8, whole) - float(zero)) * float(scale)
    b = first_outputs(RESNET, [x[None] for x in pictures])
    words = ("--data", PICTURES, "--limit", N, "--map", f"{int8.input[0].name}={name}", "--map", f"{onnx.load(RESNET).graph.input[0].name}={name}")
    report = evaluate(checks, "int8", RESNET_INT8, "--against", RESNET, *words)
    check_accuracy(checks, "int8", report, a, b, labels, 0.05)  # some integers are one step apart
    sqnr = evaluate(checks, "int8 sqnr", RESNET_INT8, "--against", RESNET, "--metric", "sqnr", *words)
    checks.check("int8: sqnr of what the integers stand for", close(sqnr.get("sqnr_db"), 10 * math.log10(np.sum(b * b) / np.sum((a - b) ** 2)), 0.01), str(sqnr))


def factor(name, k):
    """A model that multiplies its three numbers by k."""
    three = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy"]
    return save_model(os.path.join(FOLDER, name + ".onnx"), [helper.make_node("Mul", ["x", "k"], ["y"])], three[:1], three[1:], [("k", np.float32(k))])


def check_errors_of_numbers(checks):
    x = np.random.default_rng(1).normal(size=(40, 3)).astype(np.float32)
    y = (x * np.float32(1.5) + np.random.default_rng(2).normal(size=x.shape)).astype(np.float32)
    path = os.path.join(FOLDER, "numbers.npz")
    np.savez(path, x=x, want=y, label=np.full(40, 7))
    words = ("--data", path)
    report = evaluate(checks, "mse", factor("double", 2), "--against", factor("same", 1), "--metric", "mse", "--label", "want", *words)
    each = [np.mean((x.astype(np.float64) * k - y) ** 2, axis=1) for k in (2, 1)]
    checks.check("mse: both", close(report.get("mse"), each[0].mean(), 1e-5) and close(report["against"].get("mse"), each[1].mean(), 1e-5), str(report))
    apart = each[0] - each[1]
    half = Z * apart.std(ddof=1) / math.sqrt(len(apart))
    other = report.get("against", {})
    checks.check("mse: difference", close(other.get("difference"), apart.mean(), 1e-5), str(other))
    got = other.get("difference_ci95", [9, 9])
    checks.check("mse: interval", close(got[0], apart.mean() - half, 1e-5) and close(got[1], apart.mean() + half, 1e-5), str(other))
    one = evaluate(checks, "sqnr of one", factor("double", 2), "--metric", "sqnr", "--label", "want", *words)
    want = 10 * math.log10(np.sum(y.astype(np.float64) ** 2) / np.sum((2.0 * x - y) ** 2))
    checks.check("sqnr against the labels", close(one.get("sqnr_db"), want, 1e-5), f"{one} {want}")
    none = os.path.join(FOLDER, "none.npz")
    np.savez(none, x=x[:0], label=np.full(0, 1))
    for data, says in ((path, "array 'label' has label 7 for sample 0; output 'y' has classes 0 to 2"), (none, "none.npz has no samples")):
        done = tenon("eval", factor("double", 2), "--data", data)
        checks.check(f"refused: {says}", done.status == 3 and says in done.err, done.err)


def main():
    checks = Checks()
    check_digits(checks)
    check_changed(checks)
    check_integers(checks)
    check_errors_of_numbers(checks)
    checks.finish()


if __name__ == "__main__":
    main()
