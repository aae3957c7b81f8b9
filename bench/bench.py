#!/usr/bin/env python3
"""tenon beside ONNX Runtime on the shipped models: one core, one thread, taking turns.

Every subject runs in this process, pinned to one core. A round times a batch of calls of each subject, in an order that rotates; the
ratio of a round is tenon's time over ONNX Runtime's in that round, so that a slow moment of the machine hits both. Shown are
medians with quartiles. Outputs are compared before anything is timed. Times include the call from Python: a bound run for
ONNX Runtime, a ctypes call with prepared pointers for tenon; both are a few microseconds.
"""
import argparse
import json
import os
import platform
import sys
import time

import numpy as np
import onnx
from onnx import numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from subjects import BUILD, ROOT, CompiledC, Jit, OnnxRuntime, input_names, write_c  # noqa: E402

MODELS = os.path.join(ROOT, "models")


def review(length):
    """The first test review as the model's inputs."""
    data = np.load(os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz"))
    feeds = {name: data[name][:1, :length].astype(np.int64) for name in ("input_ids", "attention_mask", "token_type_ids")}
    if feeds["attention_mask"][0, -1]:
        feeds["input_ids"][0, -1] = 102
    return feeds


def digit():
    return {"input": np.load(os.path.join(MODELS, "mnist-cnn", "test_10000.npz"))["input"][:1].astype(np.float32) / np.float32(255)}


def sample(model):
    """The first sample input beside a model."""
    feeds = {}
    for i, name in enumerate(input_names(model)):
        made = onnx.TensorProto()
        with open(os.path.join(os.path.dirname(model), "test_data_set_0", f"input_{i}.pb"), "rb") as f:
            made.ParseFromString(f.read())
        feeds[name] = numpy_helper.to_array(made)
    return feeds


def tiny(name):
    """A case of models/mlperf-tiny."""
    model = os.path.join(MODELS, "mlperf-tiny", name, "model.onnx")
    return model, lambda: sample(model)


CASES = {
    "bert-static-128": (os.path.join(MODELS, "bert-tiny-imdb", "static_1x128.onnx"), lambda: review(128)),
    "bert-dynamic-256": (os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx"), lambda: review(256)),
    "mnist-cnn": (os.path.join(MODELS, "mnist-cnn", "model.onnx"), digit),
    "mnist-mlp": (os.path.join(MODELS, "mnist-mlp", "model.onnx"), digit),
    **{name: tiny(name) for name in ("resnet8", "resnet8_bn", "kws_dscnn_bn", "sww_bn", "ad_autoencoder", "ad_autoencoder_bn",
                                     "vww_mobilenetv1_025", "vww_bn")},
}


def timed(subject, calls):
    begin = time.perf_counter_ns()
    for _ in range(calls):
        subject.call()
    return (time.perf_counter_ns() - begin) / calls / 1000


def rounds_of(subjects, seconds):
    """Microseconds per call, [round][subject]."""
    for subject in subjects:
        timed(subject, 20)
    calls = [max(1, int(5000 / max(timed(s, 5), 1))) for s in subjects]
    rows, end = [], time.monotonic() + seconds
    while time.monotonic() < end or len(rows) < 10:
        row = [0.0] * len(subjects)
        for k in range(len(subjects)):
            i = (k + len(rows)) % len(subjects)
            row[i] = timed(subjects[i], calls[i])
        rows.append(row)
    return np.array(rows)


def agree(subject, reference):
    """The greatest difference of the outputs; None where they are beyond the tolerances of `tenon check`."""
    subject.call()
    pairs = [(subject.outputs()[name], want) for name, want in reference.items()]
    if not all(np.allclose(got, want, rtol=1e-3, atol=1e-5) for got, want in pairs):
        return None
    return max(float(np.abs(got - want).max()) for got, want in pairs)


def quartiles(values):
    return [float(q) for q in np.percentile(values, [50, 25, 75])]


def measure(name, seconds, target):
    model, make = CASES[name]
    feeds = make()
    assert list(feeds) == input_names(model)
    shared = write_c(model, feeds, os.path.join(BUILD, "bench", name), target=target)
    subjects = [OnnxRuntime(model, feeds), Jit(model, feeds, target), CompiledC(shared, feeds)]
    subjects[0].call()
    reference = subjects[0].outputs()
    differences = [agree(subject, reference) for subject in subjects]
    rows = rounds_of(subjects, seconds)
    result = {"case": name, "rounds": len(rows), "subjects": []}
    for i, subject in enumerate(subjects):
        entry = {"name": subject.name, "latency_us": quartiles(rows[:, i]), "min_us": float(rows[:, i].min())}
        if i > 0:
            entry |= {"ratio": quartiles(rows[:, i] / rows[:, 0]), "difference": differences[i]}
        result["subjects"].append(entry)
    return result


def show(result):
    print(f"\n{result['case']}   ({result['rounds']} rounds)")
    for entry in result["subjects"]:
        m, low, high = entry["latency_us"]
        line = f"  {entry['name']:14} {m:10.1f} us  [{low:.1f} .. {high:.1f}]"
        if "ratio" in entry:
            m, low, high = entry["ratio"]
            line += f"   {m:.3f} of ONNX Runtime's time  [{low:.3f} .. {high:.3f}]"
            line += "   OUTPUTS DIFFER" if entry["difference"] is None else f"   outputs within {entry['difference']:.1e}"
        print(line)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(CASES), help="which of " + ", ".join(CASES))
    parser.add_argument("--seconds", type=float, default=5, help="how long each case is measured (5)")
    parser.add_argument("--target", default="host")
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)), help="the core to run on (the last)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})
    results = []
    for name in options.cases.split(","):
        if name not in CASES:
            parser.error(f"no case {name}; there are {', '.join(CASES)}")
        results.append(measure(name, options.seconds, options.target))
        if not options.json:
            show(results[-1])
    if options.json:
        print(json.dumps({"machine": platform.machine(), "cases": results}, indent=1))
    wrong = [r["case"] for r in results for e in r["subjects"] if e.get("difference", 0) is None]
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
