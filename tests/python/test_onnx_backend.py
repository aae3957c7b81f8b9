#!/usr/bin/env python3
"""tenon.onnx_backend: ONNX's own test runner on it passes the very cases that `tenon check --suite` passes; models, nodes and what it refuses."""
import os
import sys
import unittest
import warnings

import numpy as np
import onnx
import onnx.backend.test
import onnx.backend.test.case.model
from onnx import TensorProto, helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402
import tenon.onnx_backend as backend  # noqa: E402

KNOWN = os.path.join(ROOT, "tests", "conformance", "known_failures.txt")
# What the runner calls the folders of the suite. Its models of the category Real are not there: their data come over the network.
KINDS = {"OnnxBackendNodeModelTest": "node", "OnnxBackendSimpleModelTest": "simple", "OnnxBackendPyTorchConvertedModelTest": "pytorch-converted",
         "OnnxBackendPyTorchOperatorModelTest": "pytorch-operator"}


class Interpreted(backend.Backend):
    """With the interpreter: 2,000 small models compile in no time. The bits are those of the JIT, which tests/conformance sees to."""
    options = {"backend": "interp"}


def run_left_out(case, runner):
    """A case that the package has and its runner does not know."""
    rep = Interpreted.prepare(case.model)
    for inputs, outputs in case.data_sets:
        runner.assert_similar_outputs(outputs, rep.run(inputs), case.rtol, case.atol)


def run_suite():
    """Names of the suite's cases, and of those that do not pass."""
    names, failed = [], {}
    runner = onnx.backend.test.BackendTest(Interpreted)
    for title, tests in runner.test_cases.items():
        for name in sorted(n for n in dir(tests) if n.startswith("test_") and n.endswith("_cpu") and title in KINDS):
            case = f"{KINDS[title]}/{name[:-len('_cpu')]}"
            result = unittest.TestResult()
            tests(name).run(result)
            names.append(case)
            for _, trace in result.errors + result.failures + result.skipped:
                failed[case] = trace.strip().splitlines()[-1]
    for case in onnx.backend.test.case.model.collect_testcases():
        name = f"{case.kind}/{case.name}"
        if case.kind == "simple" and name not in names:
            names.append(name)
            try:
                run_left_out(case, runner)
            except Exception as error:
                failed[name] = f"{type(error).__name__}: {error}"
    return names, failed


def test_suite(checks):
    known = {line.partition(": ")[0] for line in open(KNOWN, encoding="utf-8") if not line.startswith("#")}
    names, failed = run_suite()
    figure = f"{len(names) - len(failed):,} of the {len(names):,} cases"
    print(figure)
    checks.check("README.md's figure", figure in open(os.path.join(ROOT, "README.md"), encoding="utf-8").read(), figure)
    checks.check("there are cases", len(names) > 2000, len(names))
    for name in names:
        if name in failed:
            checks.check(name, name in known, failed[name])
        else:
            checks.check(name, name not in known, "passes here, and not with tenon check --suite")
    checks.equal("every known failure is a case", sorted(known - set(names)), [])


def test_model(checks):
    model = onnx.load(os.path.join(MODELS, "mnist-mlp", "model.onnx"))
    image = np.random.default_rng(1).random((1, 1, 28, 28), np.float32)
    want = tenon.load(os.path.join(MODELS, "mnist-mlp", "model.onnx"), dim={"batch": 1}).compile().run(image)["logits"]
    rep = backend.prepare(model)
    ways = {"a list": rep.run([image]), "an array": rep.run(image), "a dict": rep.run({"input": image}), "run_model": backend.run_model(model, [image]),
            "a TensorProto": rep.run([onnx.numpy_helper.from_array(image)])}
    for name, found in ways.items():
        checks.check(f"run: {name}", found[0].tobytes() == want.tobytes() and found["logits"] is found[0], str(found))
    two = rep.run([np.concatenate([image, image])])[0]
    checks.check("another batch: compiled anew", two.shape == (2, 10) and np.allclose(two, want, rtol=1e-5, atol=1e-6), str(two))
    for name, kind, call in (("no inputs", TypeError, lambda: rep.run([])), ("another name", TypeError, lambda: rep.run({"image": image})),
                             ("another type", TypeError, lambda: rep.run([image.astype(np.float64)])), ("a list of lists", TypeError, lambda: rep.run([[1, 2]])),
                             ("another rank", tenon.Error, lambda: rep.run([image[0, 0]])), ("another device", ValueError, lambda: backend.prepare(model, "CUDA"))):
        try:
            call()
            checks.check(name, False, "nothing was raised")
        except kind:
            checks.check(name, True)
    folder = os.path.dirname(rep._graph.path)
    del rep, ways, found
    checks.check("its file is gone with it", not os.path.exists(folder), folder)
    loop = helper.make_model(helper.make_graph([helper.make_node("NoSuchOperator", ["x"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])],
                                               [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]))
    checks.equal("is_compatible", (backend.is_compatible(model), backend.is_compatible(loop)), (True, False))
    checks.equal("supports_device", [backend.supports_device(d) for d in ("CPU", "CPU:0", "CUDA", "CUDA:1")], [True, True, False, False])


def test_node(checks):
    x, y = np.array([[1, 2], [3, 4]], np.float32), np.array([10, 20], np.float32)
    found = backend.run_node(helper.make_node("Add", ["x", "y"], ["z"]), [x, y])
    checks.equal("run_node", found[0].tolist(), (x + y).tolist())
    found = backend.run_node(helper.make_node("Clip", ["x", "", "most"], ["z"]), [x, np.float32(2)], opset_version=13)
    checks.equal("run_node: an input left out, an opset", found["z"].tolist(), [[1, 2], [2, 2]])
    twice, add = helper.make_node("Add", ["x", "x"], ["z"]), helper.make_node("Add", ["x", "y"], ["z"])
    checks.equal("run_node: one input twice", [backend.run_node(twice, given)[0].tolist() for given in ([x, x], {"x": x})], [(x + x).tolist()] * 2)
    checks.equal("run_node: by name", backend.run_node(add, {"y": y, "x": x})[0].tolist(), (x + y).tolist())
    for name, kind, text, call in (("too few", TypeError, "there are 2 inputs (x, y), not 1", lambda: backend.run_node(add, [x])),
                                   ("another name", TypeError, "inputs are x, y; given x, w", lambda: backend.run_node(add, {"x": x, "w": y})),
                                   ("twice, and not the same", ValueError, "'x' twice", lambda: backend.run_node(twice, [x, y])),
                                   ("no model", TypeError, "an onnx.ModelProto, not None", lambda: backend.prepare(None))):
        try:
            call()
            checks.check(f"run_node: {name}", False, "nothing was raised")
        except kind as error:
            checks.check(f"run_node: {name}", text in str(error), str(error))


def main():
    warnings.simplefilter("ignore")  # numpy's, of the cases that overflow on purpose
    checks = Checks()
    for test in (test_model, test_node, test_suite):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
