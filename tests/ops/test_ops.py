#!/usr/bin/env python3
"""Single-node models of every operator against onnxruntime's or the reference's outputs: each interpreted and compiled, the loops also as
the operators define them, and every 25th on all back ends, which must give the same bits."""
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, tenon  # noqa: E402
from operator_cases import operator_cases  # noqa: E402

EVERY = 25


def judge(job):
    """The case's name and what went wrong, by way of tenon check."""
    number, folder, name = job
    model = os.path.join(folder, name, "model.onnx")
    ways = [("interp", "--schedule", "naive"), ("all",) if number % EVERY == 0 else ("jit",)]
    limits = json.load(open(os.path.join(folder, name, "data.json")))
    tolerances = ("--rtol", limits["rtol"], "--atol", limits["atol"])
    wrong = []
    for backend, *more in ways:
        done = tenon("check", model, os.path.join(folder, name), "--backend", backend, *tolerances, *more, timeout=60)
        if done.status != 0:
            wrong.append(f"{backend}: {done.last}")
    return name, wrong


def main():
    checks = Checks()
    folder = operator_cases()
    names = sorted(os.path.join(op, case) for op in os.listdir(folder) if os.path.isdir(os.path.join(folder, op))
                   for case in os.listdir(os.path.join(folder, op)))
    checks.check("there are cases", len(names) > 1000, f"only {len(names)}")
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, wrong in pool.map(judge, [(k, folder, name) for k, name in enumerate(names)]):
            checks.check(name, not wrong, "; ".join(wrong))
    checks.finish()


if __name__ == "__main__":
    main()
