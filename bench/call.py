#!/usr/bin/env python3
"""What a call from Python costs: tenon's Model.run beside the same tenon_code_run called in C, and beside ONNX Runtime's run, in turns, on one core.

    ./dev build && build/venv/bin/python bench/call.py            # mnist-mlp
"""
import argparse
import ctypes
import os
import statistics
import sys
import time

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from subjects import BUILD, ROOT, repeat_library, run_script  # noqa: E402

os.environ.setdefault("TENON_LIBRARY", os.path.join(BUILD, "lib", "libtenon.so"))
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402
from tenon._library import lib  # noqa: E402


def python_ns(call, argument, n):
    begin = time.perf_counter_ns()
    for _ in range(n):
        call(argument)
    return (time.perf_counter_ns() - begin) / n


def c_call(model, array):
    """A function that calls tenon_code_run n times in C, and says how many nanoseconds one takes."""
    repeat, out = repeat_library().repeat_3, np.empty(model.outputs[0].shape, model.outputs[0].dtype)
    lists = [(ctypes.c_void_p * 1)(a.ctypes.data) for a in (array, out)]
    code = ctypes.cast(lib.code_run, ctypes.c_void_p)
    words = (ctypes.c_void_p * 3)(model._code.value, *(ctypes.addressof(one) for one in lists))
    kept = (array, out, lists, words)
    return lambda n, _=kept: repeat(code, words, n) / n


def onnxruntime_call(path, name):
    try:
        import onnxruntime
    except ImportError:
        return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])
    return lambda x: session.run(None, {name: x})


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--model", default=os.path.join(ROOT, "models", "mnist-mlp", "model.onnx"), help="of one input and one output (default: mnist-mlp)")
    p.add_argument("--rounds", type=int, default=400, help="in which the callers take turns (default: 400)")
    p.add_argument("--calls", type=int, default=200, help="of each in a round (default: 200)")
    a = p.parse_args()
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    model = tenon.load(a.model, dim={"batch": 1}).compile()
    x = np.zeros(model.inputs[0].shape, model.inputs[0].dtype)
    in_c, other = c_call(model, x), onnxruntime_call(a.model, model.inputs[0].name)
    rows = []
    for _ in range(a.rounds):
        rows.append((in_c(a.calls), python_ns(model.run, x, a.calls), python_ns(other, x, a.calls) if other else float("nan")))
    c, run, ort = (statistics.median(column) / 1000 for column in zip(*rows))
    low, more, _ = (q / 1000 for q in statistics.quantiles((r[1] - r[0] for r in rows), n=4))
    print(f"tenon_code_run in C {c:.2f} us, Model.run {run:.2f} us: {more:.2f} us more (lower quartile {low:.2f}); ONNX Runtime's run {ort:.2f} us")
    return 0


if __name__ == "__main__":
    run_script("call.py", main)
