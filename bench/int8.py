#!/usr/bin/env python3
"""int8 models: tenon beside ONNX Runtime, OpenVINO and its own floats, one core, one thread, in one process, taking turns as in bench.py.

Each model of the benchmarks is quantised by ONNX Runtime's quantiser: QDQ, uint8 data by int8 weights with a scale a channel (static), or with
scales that are found in each run (dynamic). Subjects: tenon with what it takes by default, with all in integers (`--int force`), the same model
before it was quantised, and the peers on the quantised one. Shown are medians over the rounds of tenon's time as a part of each other's.
"""
import argparse
import os
import sys

import numpy as np
import onnx

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
from cases import CASES, bound_copy  # noqa: E402
from peers import PEERS, reference  # noqa: E402
from subjects import BUILD, Jit, SubjectError, run_script  # noqa: E402

LEFT_OUT = ("relu", "lstm", "autoencoder-bn", "mobilenet-v1-025-bn", "resnet8-bn")
CALIBRATION = 4
FAR = 0.05  # of the range of an output, from ONNX Runtime without optimisation


def calibration_feeds(feeds):
    """The data, and others of their kind."""
    random = np.random.default_rng(0)
    for k in range(CALIBRATION):
        yield {n: a if k == 0 or a.dtype != np.float32 else (a + random.normal(0, 0.1 * a.std() + 1e-6, a.shape)).astype(np.float32) for n, a in feeds.items()}


def quantised(name, model, feeds, form):
    """The path of the quantised model, which is made unless it is there."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_dynamic, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):
        def __init__(self):
            self.left = calibration_feeds(feeds)

        def get_next(self):
            return next(self.left, None)

    folder = os.path.join(BUILD, "bench", "int8")
    ready, to = os.path.join(folder, f"{name}.ready.onnx"), os.path.join(folder, f"{name}.{form}.onnx")
    if os.path.exists(to) and os.path.getmtime(to) > os.path.getmtime(CASES[name].path()):
        return to
    os.makedirs(folder, exist_ok=True)
    quant_pre_process(model, ready, skip_symbolic_shape=True)
    if form == "dynamic":
        quantize_dynamic(ready, to, weight_type=QuantType.QInt8, per_channel=True)
    else:
        quantize_static(ready, to, Reader(), quant_format=QuantFormat.QDQ, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True)
    os.remove(ready)
    return to


def keyed(subject, key, name):
    subject.key, subject.name = key, name
    return subject


def measure(name, options):
    feeds = CASES[name].feeds(CASES[name].path())
    floats = bound_copy(name, feeds)
    model = quantised(name, floats, feeds, options.form)
    onnx.checker.check_model(model)
    makers = [lambda: keyed(Jit(model, feeds, options.target), "best", "tenon"),
              lambda: keyed(Jit(model, feeds, options.target, options={"int": "force"}), "force", "tenon, all in integers"),
              lambda: keyed(Jit(floats, feeds, options.target), "float", "tenon, before it was quantised"),
              *(lambda p=p: PEERS[p](model, feeds, 1) for p in options.peers)]
    subjects, refused = [], []
    for maker in makers:
        try:
            subjects.append(maker())
            subjects[-1].call()
        except SubjectError as error:
            refused.append(str(error))
    rows, _ = bench.run_rounds(subjects, options.rounds, options.seconds)
    want = reference(model, feeds)
    times = {s.key: rows[:, i] for i, s in enumerate(subjects)}
    far = {s.key: distance(s, want) for s in subjects}
    for s in subjects:
        s.close()
    return times, far, refused


def distance(subject, want):
    """Of the outputs from what they should be, as a part of their range; the largest."""
    got = subject.outputs()
    return max(float(np.abs(got[n].astype(np.float64) - a).max() / max(np.ptp(a.astype(np.float64)), 1e-9)) for n, a in want.items() if a.size)


def line(name, times, options):
    best = np.min([times[p] for p in options.peers if p in times], axis=0) if any(p in times for p in options.peers) else None
    cells = [f"{np.median(times['best']) / 1000:,.1f}"]
    for key in ("best", "force"):
        cells += [f"{np.median(times[key] / times[p]):.2f}" if p in times else "-" for p in options.peers]
        cells += [f"{np.median(times[key] / best):.2f}" if best is not None else "-", f"{np.median(times[key] / times['float']):.2f}"]
    return f"| {name} | " + " | ".join(cells) + " |"


def head(options):
    cells = ["model", "tenon, us"]
    for what in ("tenon", "all in integers"):
        cells += [f"{what} / {PEERS[p].name}" for p in options.peers] + [f"{what} / best", f"{what} / own floats"]
    return "| " + " | ".join(cells) + " |\n|" + "---|" * len(cells)


def parse_options():
    known = [n for n in CASES if n not in LEFT_OUT]
    parser = argparse.ArgumentParser(prog="bench --int8", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=bench.some_of(known), default=known, help="which, with commas between (all): " + ", ".join(known))
    parser.add_argument("--peers", type=bench.some_of(PEERS), default=list(PEERS), help="beside which: " + ", ".join(PEERS))
    parser.add_argument("--form", choices=("static", "dynamic"), default="static", help="how the models are quantised (static)")
    parser.add_argument("--rounds", type=bench.at_least(1, int), default=15, help="at least so many for each model (15)")
    parser.add_argument("--seconds", type=bench.at_least(0, float), default=3, help="at least so long for each model (3)")
    parser.add_argument("--target", default="host", help="what tenon compiles for (host)")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, choices=cores, default=cores[-1], help="the core to run on (the last)")
    return parser.parse_args()


def main():
    options = parse_options()
    os.sched_setaffinity(0, {options.core})
    wrong, lines = [], []
    for name in options.models:
        times, far, refused = measure(name, options)
        for text in refused:
            print(f"bench: {name}: {text}", file=sys.stderr)
        if not {"best", "force", "float"} <= set(times):
            wrong.append(name)
            continue
        wrong += [f"{name} ({key}: {x:.3f} of the range)" for key, x in far.items() if key in ("best", "force") and not x <= FAR]
        lines.append(line(name, times, options))
        print(lines[-1], flush=True)
    print("\n" + "\n".join([head(options), *lines]))
    if wrong:
        print(f"bench: not as they should be: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    run_script("bench", main)
