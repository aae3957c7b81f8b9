#!/usr/bin/env python3
"""Unit tests, and the shipped models through every back end's own code, under address, leak and undefined-behaviour sanitizers."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "unit")]
from checks import BUILD, MODELS, ROOT, Checks, run  # noqa: E402
from run_unit import count  # noqa: E402

checks = Checks()
tree = os.path.join(BUILD, "asan")
configured = run(["cmake", "--preset", "asan", "-B", tree], cwd=ROOT)
if checks.check("asan: configured", configured.status == 0, configured.last):
    built = run(["cmake", "--build", tree], timeout=1500)
    if checks.check("asan: built", built.status == 0, built.last):
        count(checks, tree, env={"ASAN_OPTIONS": "detect_leaks=1"}, timeout=1500)
        command = os.path.join(tree, "bin", "tenon")
        folder = os.path.join(MODELS, "mnist-cnn")
        for backend in ("interp", "c", "object", "jit"):
            done = run([command, "check", os.path.join(folder, "model.onnx"), folder, "--backend", backend], timeout=300)
            checks.check(f"asan: tenon check mnist-cnn --backend {backend}", done.status == 0, done.last)
checks.finish()
