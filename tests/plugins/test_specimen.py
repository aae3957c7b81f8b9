#!/usr/bin/env python3
"""The plugin that was built when the ABI became 1.0 loads still, and does what its source, built today, does: the model, the report, messages; its criterion prunes."""
import json
import os
import platform
import shutil
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, run, scratch, tenon  # noqa: E402
from onnx_models import save_model  # noqa: E402

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "specimen")
KEPT = os.path.join(HERE, "specimen-1.0.so")
FOLDER = scratch("specimen")
DATA = os.path.join(FOLDER, "x.npz")
RANDOM = np.random.default_rng(3)
W1, W2 = (RANDOM.standard_normal(s).astype(np.float32) for s in ((6, 5), (5, 4)))
X = RANDOM.standard_normal((7, 6)).astype(np.float32)


def model():
    info, node = helper.make_tensor_value_info, helper.make_node
    nodes = [node("MatMul", ["x", "w1"], ["a"], name="first"), node("Relu", ["a"], ["b"], name="relu"), node("MatMul", ["b", "w2"], ["y"], name="second")]
    np.savez(DATA, x=X)
    return save_model(os.path.join(FOLDER, "model.onnx"), nodes, [info("x", TensorProto.FLOAT, [1, 6])], [info("y", TensorProto.FLOAT, [1, 4])], [("w1", W1), ("w2", W2)])


def used(library, path, options):
    """What comes of the pass: the exported model, its report, messages."""
    to = os.path.join(FOLDER, "out.onnx")
    words = ["--plugin", library, "-p", f"specimen:{options}"]
    done = tenon("compile", path, *words, "--emit", "onnx", "-o", to)
    report = json.loads(tenon("inspect", path, *words, "--json").out or "{}").get("passes", [{}])[0]
    return open(to, "rb").read() if done.status == 0 else b"", report, done


def test_kept(checks, library, path):
    """What it does, by numpy."""
    made, report, done = used(library, path, f"by=3,data={DATA}")
    if not checks.check("it loads, and its pass runs", made != b"", done.err):
        return
    constants = {t.name: numpy_helper.to_array(t) for t in onnx.load_from_string(made).graph.initializer}
    nodes = {n.name: n for n in onnx.load_from_string(made).graph.node}
    checks.check("it has changed both constants", all(np.array_equal(constants[nodes[n].input[1]], w * 3) for n, w in (("first", W1), ("second", W2))))
    checks.equal("and annotated both nodes", [p.value for n in ("first", "second") for p in nodes[n].metadata_props if p.key == "specimen"], ["changed"] * 2)
    want = {"changed": 2, "scores": sum(n * (n + 1) / 2 for n in (W1.size, W2.size)), "axes": [-1, 1, -1], "relus": 1, "macs": W1.size + W2.size, "takes_time": 1, "text": "is there", "nearest": "times", "samples": 7}
    checks.equal("its report", {k: report.get(k) for k in want}, want)
    checks.check("the sum of the outputs", abs(report.get("sum", 0) - np.maximum(X @ (3 * W1), 0).dot(3 * W2).sum()) < 1e-3 * X.size, report)
    checks.check("a warning and its note, at a node", "warning[several]" in done.err and "'first'" in done.err and "this is said of the first" in done.err, done.err)
    made, _, done = used(library, path, "by=0.5,way=plus,nodes=second")
    checks.check("options of other kinds", any(np.array_equal(numpy_helper.to_array(t), W2 + np.float32(0.5)) for t in onnx.load_from_string(made).graph.initializer), done.err)
    for options, says in (("by=1000", "-100"), ("way=tims", "did you mean 'times'?"), ("nodes=op:Conv", "selects none of 3 nodes"), ("bye=3", "did you mean 'by'?"), (f"data={FOLDER}/none.npz", "none.npz")):
        done = used(library, path, options)[2]
        checks.check(f"specimen:{options}", done.status != 0 and says in done.err, done.err)
    checks.check("tenon passes --check finds nothing", tenon("passes", "--check", library).status == 0, tenon("passes", "--check", library).out)
    done = tenon("compile", path, "--plugin", library, "-p", "prune:criterion=from-the-end,sparsity=0.5,select=first", "--emit", "onnx", "-o", os.path.join(FOLDER, "pruned.onnx"))
    gone = [numpy_helper.to_array(t) for t in onnx.load(os.path.join(FOLDER, "pruned.onnx")).graph.initializer if tuple(t.dims) == W1.shape] if done.status == 0 else []
    checks.check("its criterion prunes", len(gone) == 1 and np.array_equal((gone[0] != 0).ravel(), np.arange(30) < 15), done.err)
    checks.equal("the same bytes with --isolate", tenon("compile", path, "--plugin", library, "--isolate", "-p", "specimen:by=3", "--emit", "graph").out, tenon("compile", path, "--plugin", library, "-p", "specimen:by=3", "--emit", "graph").out)


def test_source(checks, library, path):
    """The source, with today's header, is the same plugin."""
    built = os.path.join(FOLDER, "specimen.so")
    done = run([os.path.join(HERE, "specimen.sh"), built])
    if not checks.check("the source compiles with today's header", done.status == 0, done.err):
        return
    for options in ("", "by=-1,way=plus", f"data={DATA}"):
        old, new = used(library, path, options), used(built, path, options)
        checks.check(f"today's build does the same, specimen:{options}", old[0] == new[0] and old[1] == new[1] and old[2].err.replace(library, built) == new[2].err, f"{old[1:]} {new[1:]}")


if __name__ == "__main__":
    checks = Checks()
    if platform.machine() == "x86_64":
        shutil.rmtree(FOLDER, ignore_errors=True)
        os.makedirs(FOLDER)
        name = model()
        test_kept(checks, KEPT, name)
        test_source(checks, KEPT, name)
    else:
        print("skipped: the specimen is for x86-64")
        checks.passed += 1
    checks.finish()
