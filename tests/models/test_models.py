#!/usr/bin/env python3
"""The shipped models: reference outputs, the same bits on every back end, scheduled against naive, accuracy."""
import json
import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import MODELS, Checks, scratch, tenon  # noqa: E402
from samples import BERT, SHIPPED, TINY, outputs  # noqa: E402

REVIEWS = os.path.join(BERT, "test_5000.npz")
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
PICTURES, WORDS, WAKE, TOYCAR = (os.path.join(TINY, name + ".npz") for name in ("cifar10_2000", "words_312", "wake_word_45", "toycar_196"))
# Model of mlperf-tiny, data, samples that it gets right, further options.
ACCURACIES = [
    ("resnet8", PICTURES, 1528), ("resnet8_bn", PICTURES, 1528, "--map", "input=input_1"),
    ("resnet8_int8_qdq", PICTURES, 1523, "--map", "input_1_int8=input_1"),
    ("kws_dscnn_bn", WORDS, 272), ("kws_dscnn_int8_qdq", WORDS, 274, "--map", "input_1=input"),
    ("sww_bn", WAKE, 41), ("sww_int8_qdq", WAKE, 41, "--map", "serving_default_input_1=input"),
]
ERRORS = [("ad_autoencoder", 9.70709), ("ad_autoencoder_bn", 9.49129, "--map", "input=input_1")]


def evaluated(checks, name, correct, within, *words):
    done = tenon("eval", *words, "--json", timeout=500)
    if checks.check(f"{name}: tenon eval", done.status == 0, done.last):
        report = json.loads(done.out)
        checks.check(f"{name}: {correct} correct, give or take {within}", abs(report["correct"] - correct) <= within, f"{report['correct']} of {report['samples']}")


def mean_squared_error(checks, name, error, *words):
    done = tenon("eval", os.path.join(TINY, name, "model.onnx"), "--data", TOYCAR, "--label", "input_1", "--metric", "mse", "--json", *words)
    if checks.check(f"{name}: tenon eval", done.status == 0, done.last):
        got = json.loads(done.out)["mse"]
        checks.check(f"{name}: mean squared error {error}", abs(got - error) < 1e-4, str(got))


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


def each_pass_left_out(checks):
    """Whatever pass of the clean-up is missing, results are right. Without folding, some shapes are not known: that is said."""
    models = [one for one in SHIPPED if one[0] in ("mnist-cnn", "bert-static_1x128_labels", "bert-dynamic", "resnet8_bn", "kws_dscnn_bn", "sww_bn", "ad_autoencoder_bn", "kws_dscnn_int8_qdq")]
    listed = tenon("passes").out.split("Run on every model")[1].splitlines()[1:]
    names = [line.split()[0] for line in listed if " built in " in line]
    checks.check("the passes of the clean-up", len(names) >= 10 and "fold" in names, names)

    def judge(case):
        skipped, (name, model, folder) = case
        done = tenon("check", model, folder, "--skip", skipped, *(["--atol", "1"] if "int8" in name else []))
        refused = skipped == "fold" and done.status in (3, 4) and "error[not-constant]" in done.err
        return f"{name} --skip {skipped}", done.status == 0 or refused, done.last

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for what, ok, last in pool.map(judge, [(skipped, one) for skipped in names for one in models]):
            checks.check(what, ok, last)


def main():
    checks = Checks()
    total = sum(os.path.getsize(os.path.join(folder, f)) for folder, _, files in os.walk(MODELS) for f in files)
    checks.check("models/ is below 40 MB", total < 40e6, f"{total / 1e6:.1f} MB")
    for name, model, folder in SHIPPED:
        # int8 outputs: within one step.
        within = ["--atol", "1"] if "int8" in name else []
        for target in ("host", "x86-64", "generic"):
            done = tenon("check", model, folder, "--backend", "all", "--target", target, *within)
            checks.check(f"{name}: jit, object, c and interp agree to the bit for {target}", done.status == 0, done.last)
        done = tenon("check", model, folder, "--schedule", "naive", *within)
        checks.check(f"{name}: --schedule=naive", done.status == 0, done.last)
    wrong_reference_fails(checks, *SHIPPED[0])
    each_pass_left_out(checks)
    evaluated(checks, "mnist-cnn", 9859, 0, SHIPPED[1][1], "--data", DIGITS, "--scale", "input=0.00392157")
    evaluated(checks, "mnist-mlp", 9744, 0, SHIPPED[0][1], "--data", DIGITS, "--scale", "input=0.00392157")
    for name, data, correct, *words in ACCURACIES:
        evaluated(checks, name, correct, 1, os.path.join(TINY, name, "model.onnx"), "--data", data, *words)
        if "int8" in name:
            evaluated(checks, f"{name} in integers", correct, 1, os.path.join(TINY, name, "model.onnx"), "--data", data, "--int", "force", *words)
    for name, error, *words in ERRORS:
        mean_squared_error(checks, name, error, *words)
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
