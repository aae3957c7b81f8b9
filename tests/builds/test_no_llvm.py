#!/usr/bin/env python3
"""A build without LLVM and without drawing: the command works, emits C, runs it, and says clearly what the JIT needs."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, run, scratch  # noqa: E402

checks = Checks()
tree = os.path.join(BUILD, "no-llvm")
configured = run(["cmake", "--preset", "no-llvm", "-B", tree, "-DTENON_TESTS=OFF", "-DTENON_DRAW=OFF"], cwd=ROOT)
if checks.check("no-llvm: configured", configured.status == 0, configured.last):
    built = run(["cmake", "--build", tree], timeout=1400)
    if checks.check("no-llvm: built", built.status == 0, built.last):
        command = os.path.join(tree, "bin", "tenon")
        folder = os.path.join(MODELS, "mnist-cnn")
        model = os.path.join(folder, "model.onnx")
        out = scratch("no-llvm")
        checks.check("no-llvm: no module", not os.path.exists(os.path.join(tree, "lib", "tenon", "tenon-llvm.so")))
        for words in (["compile", model, "--dim", "batch=1", "--emit", "c", "-o", out], ["check", model, folder, "--backend", "c"],
                      ["check", model, folder, "--backend", "interp"], ["doctor"],
                      ["draw", model, "-o", os.path.join(out, "cnn.dot")]):
            done = run([command, *words])
            checks.check("no-llvm: tenon " + " ".join(words[:1] + words[3:5]), done.status == 0, done.last)
        jit = run([command, "check", model, folder, "--backend", "jit"])
        checks.check("no-llvm: the JIT is refused with status 5 and one line", jit.status == 5 and len(jit.err.splitlines()) <= 2 and "error[" in jit.err,
                     jit.last)
        svg = run([command, "draw", model, "-o", os.path.join(out, "cnn.svg")])
        checks.check("no-llvm: drawing is refused with status 5, and names DOT", svg.status == 5 and "error[no-drawing]" in svg.err and ".dot" in svg.err,
                     svg.last)
checks.finish()
