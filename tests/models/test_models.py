#!/usr/bin/env python3
"""The shipped models: reference outputs, the same bits on every back end, scheduled against naive, accuracy."""
import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import MODELS, Checks, scratch, tenon  # noqa: E402
from samples import BERT, SHIPPED, outputs  # noqa: E402

REVIEWS = os.path.join(BERT, "test_5000.npz")
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")


def evaluated(checks, name, correct, within, *words):
    done = tenon("eval", *words, "--json", timeout=500)
    if checks.check(f"{name}: tenon eval", done.status == 0, done.last):
        report = json.loads(done.out)
        checks.check(f"{name}: {correct} correct, give or take {within}", abs(report["correct"] - correct) <= within, f"{report['correct']} of {report['samples']}")


def wrong_reference_fails(checks, name, model, folder):
    """A reference with one value moved: `tenon check` can fail."""
    from onnx import numpy_helper
    copy = os.path.join(scratch("wrong-reference"), "test_data_set_0")
    shutil.copytree(os.path.join(folder, "test_data_set_0"), copy)
    array = outputs(copy)[0].copy()
    array.reshape(-1)[3] += 0.05
    with open(os.path.join(copy, "output_0.pb"), "wb") as f:
        f.write(numpy_helper.from_array(array, "output").SerializeToString())
    done = tenon("check", model, copy)
    checks.check(f"{name}: a wrong reference gives exit status 1", done.status == 1, done.last)


def main():
    checks = Checks()
    total = sum(os.path.getsize(os.path.join(folder, f)) for folder, _, files in os.walk(MODELS) for f in files)
    checks.check("models/ is below 40 MB", total < 40e6, f"{total / 1e6:.1f} MB")
    for name, model, folder in SHIPPED:
        for target in ("host", "x86-64"):
            done = tenon("check", model, folder, "--backend", "all", "--target", target)
            checks.check(f"{name}: jit, c and interp agree to the bit for {target}", done.status == 0, done.last)
        done = tenon("check", model, folder, "--schedule", "naive")
        checks.check(f"{name}: --schedule=naive", done.status == 0, done.last)
    wrong_reference_fails(checks, *SHIPPED[0])
    evaluated(checks, "mnist-cnn", 9859, 0, SHIPPED[1][1], "--data", DIGITS, "--scale", "input=0.00392157")
    evaluated(checks, "mnist-mlp", 9744, 0, SHIPPED[0][1], "--data", DIGITS, "--scale", "input=0.00392157")
    dynamic = os.path.join(BERT, "dynamic.onnx")
    evaluated(checks, "bert-dynamic", 4202, 1, dynamic, "--data", REVIEWS)
    for backend, limit in (("c", 500), ("interp", 20)):
        # `all` fails unless the outputs are the same bits; the interpreter is slow, so it sees fewer.
        with_jit = tenon("eval", dynamic, "--data", REVIEWS, "--limit", limit, "--json", timeout=300)
        other = tenon("eval", dynamic, "--data", REVIEWS, "--limit", limit, "--backend", backend, "--json", timeout=300)
        ok = with_jit.status == 0 and other.status == 0
        checks.check(f"bert-dynamic: {limit} reviews by {backend} as by jit",
                     ok and json.loads(other.out)["correct"] == json.loads(with_jit.out)["correct"], other.last)
    done = tenon("eval", dynamic, "--data", REVIEWS, "--limit", 20, "--backend", "all", timeout=300)
    checks.check("bert-dynamic: 20 reviews, the same bits on all back ends", done.status == 0, done.last)
    checks.finish()


if __name__ == "__main__":
    main()
