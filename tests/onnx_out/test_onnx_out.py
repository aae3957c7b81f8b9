#!/usr/bin/env python3
"""--emit onnx: the checker is content, reading it back gives the same graph, ONNX Runtime gives the same outputs."""
import glob
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, Checks, run, scratch, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402
from operator_cases import operator_cases  # noqa: E402
from samples import SHIPPED, inputs, outputs  # noqa: E402

FOLDER = scratch("onnx_out")
# What the checker of an older opset's form does not follow, though it is valid: an ellipsis that stands for fewer dimensions; a function
# of the specification that has no body there.
UNCLEAN = ("Einsum/007", "MeanVarianceNormalization/001")
RANDOM = np.random.default_rng(3)


def text_of(model):
    """The graph as imported. Where a node stood in its file is left out: constants have no place among the nodes of ours."""
    done = tenon("compile", model, "--emit", "graph", "--dump-after", "import", "--stop-after", "import")
    return re.sub(r" source \d+", "", done.err) if done.status == 0 else None


def reads_back(model, to):
    """The same graph; what an import has made of one node shares its name, which is numbered in the file."""
    first, second = text_of(model), text_of(to)
    names = re.findall(r' name "(.*?)"', first or "")
    if len(set(names)) < len(names):
        first, second = (re.sub(r' name ".*?"', "", text) for text in (first, second or ""))
    return first is not None and first == second


def export(model, name, *words):
    to = os.path.join(FOLDER, name.replace("/", "-") + ".onnx")
    return to, tenon("compile", model, "--emit", "onnx", "-o", to, *words)


def feeds_of(model):
    """Random inputs: numbers for floats, small ones for integers; a dimension without size is 2."""
    feeds = {}
    for x in model.get_inputs():
        dims = [d if isinstance(d, int) else 2 for d in x.shape]
        kind = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}[x.type]
        feeds[x.name] = RANDOM.normal(size=dims).astype(kind) if kind == np.float32 else RANDOM.integers(0, 2, dims).astype(kind)
    return feeds


def same_outputs(x, y):
    first, second = unoptimised(x), unoptimised(y)
    feeds = feeds_of(first)
    return [o.name for o in first.get_outputs()] == [o.name for o in second.get_outputs()] and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(first.run(None, feeds), second.run(None, feeds)))


def checker_says(path):
    try:
        onnx.checker.check_model(path, full_check=True)
    except Exception as e:
        return str(e)[:300]
    return ""


def test_models(checks):
    models = [os.path.join(MODELS, "bert-tiny-imdb", f"{n}.onnx") for n in ("dynamic", "labels", "static_1x128", "static_1x128_labels")]
    models += [os.path.join(MODELS, n, "model.onnx") for n in ("mnist-cnn", "mnist-mlp")]
    tiny = os.path.join(MODELS, "mlperf-tiny")
    models += [os.path.join(tiny, n, "model.onnx") for n in sorted(os.listdir(tiny)) if os.path.isdir(os.path.join(tiny, n))]
    for model in models:
        name = os.path.relpath(model, MODELS)
        to, done = export(model, name)
        if not checks.check(f"{name}: --emit onnx", done.status == 0 and done.err == "", done.last):
            continue
        checks.equal(f"{name}: the checker", checker_says(to), "")
        checks.check(f"{name}: read back", reads_back(model, to))
        checks.check(f"{name}: ONNX Runtime", same_outputs(model, to))
        again, done = export(to, name + "-again")
        checks.check(f"{name}: the same bytes again", done.status == 0 and open(to, "rb").read() == open(again, "rb").read(), done.last)


def test_clean_up(checks):
    """The shipped models after the clean-up, whose Attention and folded weights ONNX Runtime has to take."""
    for name, model, folder in SHIPPED:
        to, done = export(model, f"{name}-clean", "-p", "dead-code")
        if not checks.check(f"{name}, cleaned up: --emit onnx", done.status == 0, done.last):
            continue
        checks.equal(f"{name}, cleaned up: the checker", checker_says(to), "")
        nodes = onnx.load(to).graph.node
        named = [n.name for n in nodes if n.name]
        checks.check(f"{name}, cleaned up: names of nodes", len(named) == len(set(named)))
        checks.equal(f"{name}, cleaned up: Attention", sum(n.op_type == "Attention" for n in nodes), 2 if "bert" in name else 0)
        checks.check(f"{name}, cleaned up: no BatchNormalization", not [n for n in nodes if n.op_type == "BatchNormalization"])
        within = dict(rtol=0, atol=1) if "int8" in name else dict(rtol=1e-4, atol=1e-4)
        for data_set in sorted(glob.glob(os.path.join(folder, "test_data_set_*"))):
            got = unoptimised(to).run(None, dict(inputs(model, data_set)))
            checks.check(f"{name}, cleaned up: {os.path.basename(data_set)}", all(np.allclose(a, b, **within) for a, b in zip(got, outputs(data_set))))
    to, done = export(SHIPPED[2][1], "skipped", "-p", "dead-code", "--skip", "fuse-attention")
    checks.check("--skip fuse-attention", done.status == 0 and "Attention" not in [n.op_type for n in onnx.load(to).graph.node], done.last)


def test_cases(checks):
    """Every attribute kind, element type and absent input that the operators' cases have."""
    folder = operator_cases()
    names = sorted(os.path.join(op, case) for op in os.listdir(folder) if os.path.isdir(os.path.join(folder, op)) for case in os.listdir(os.path.join(folder, op)))

    def judge(name):
        model = os.path.join(folder, name, "model.onnx")
        to, done = export(model, name)
        if name.startswith("Upsample") and done.status == 4:
            to, done = export(model, name, "-p", "expand")
            return name, done.last if done.status != 0 else checker_says(to)
        if done.status != 0:
            return name, done.last
        faults = checker_says(to) if checker_says(model) == "" and name not in UNCLEAN else ""
        return name, faults or ("" if reads_back(model, to) else "reads back as another graph")

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for name, wrong in pool.map(judge, names):
            checks.equal(f"case {name}", wrong, "")


def test_names(checks):
    """Annotations, metadata, outputs that are inputs, constants or given twice, dimensions with odd names, and stdout."""
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Relu", ["x"], ["h"], name="r"), helper.make_node("Add", ["h", "c"], ["y"], name="a")]
    prop = nodes[0].metadata_props.add()
    prop.key, prop.value = "who", 'said "so"\n'
    shape = ["odd name-1", 3]
    graph = helper.make_graph(nodes, "g", [info("x", TensorProto.FLOAT, shape)],
                              [info(n, TensorProto.FLOAT, s) for n, s in (("y", shape), ("x", shape), ("c", [3]))],
                              [numpy_helper.from_array(np.array([1, 2, 3], np.float32), "c")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10, producer_name="me", producer_version="7")
    helper.set_model_props(made, {"licence": "none", "empty": ""})
    model = os.path.join(FOLDER, "names-before.onnx")
    onnx.save(made, model)
    to, done = export(model, "names")
    checks.check("names: --emit onnx", done.status == 0, done.last)
    got = onnx.load(to)
    checks.equal("names: the checker", checker_says(to), "")
    checks.check("names: read back", text_of(model) == text_of(to) and 'note "who"' in text_of(to), text_of(to))
    checks.equal("names: annotations", [(p.key, p.value) for p in got.graph.node[0].metadata_props], [("who", 'said "so"\n')])
    checks.equal("names: metadata", {p.key: p.value for p in got.metadata_props}, {"licence": "none", "empty": ""})
    checks.equal("names: producer, opset, IR", (got.producer_name, got.producer_version, got.opset_import[0].version, got.ir_version), ("me", "7", 21, 10))
    checks.equal("names: dimension", got.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "odd name-1")
    done = run([os.path.join(os.environ.get("TENON_BUILD", os.path.join(ROOT, "build")), "bin", "tenon"), "compile", model, "--emit", "onnx", "-o", "-"], text=False)
    checks.check("names: -o -", done.status == 0 and done.out == open(to, "rb").read(), done.status)


def test_passes(checks):
    """After passes and with bound dimensions; a fused or removed output keeps its name."""
    cnn = os.path.join(MODELS, "mnist-cnn", "model.onnx")
    to, done = export(cnn, "bound", "--dim", "batch=4")
    checks.check("--dim", done.status == 0 and unoptimised(to).get_inputs()[0].shape == [4, 1, 28, 28], done.last)
    to, done = export(cnn, "bytes", "-p", "input:type=uint8,scale=0.00392157,layout=nhwc")
    picture = RANDOM.integers(0, 256, (2, 28, 28, 1)).astype(np.uint8)
    if checks.check("-p input", done.status == 0 and checker_says(to) == "", done.last + checker_says(to)):
        want = unoptimised(cnn).run(None, {"input": (picture.astype(np.float32) * np.float32(0.00392157)).transpose(0, 3, 1, 2)})
        got = unoptimised(to).run(None, {"input": picture})
        checks.check("-p input: ONNX Runtime", np.allclose(got[0], want[0], rtol=1e-5, atol=1e-6))
    info = helper.make_tensor_value_info
    nodes = [helper.make_node("Identity", ["x"], ["y"]), helper.make_node("Relu", ["x"], ["h"]), helper.make_node("Identity", ["h"], ["z"]),
             helper.make_node("Identity", ["h"], ["z2"])]
    made = helper.make_model(helper.make_graph(nodes, "g", [info("x", 1, [2])], [info(n, 1, [2]) for n in ("y", "z", "z2")]),
                             opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    crossed = helper.make_model(helper.make_graph([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Identity", ["y"], ["i"]), helper.make_node("Neg", ["i"], ["z"])],
                                                  "g", [info("x", 1, [2])], [info("z", 1, [2]), info("y", 1, [2])]), opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(crossed, os.path.join(FOLDER, "crossed-before.onnx"))
    to, done = export(os.path.join(FOLDER, "crossed-before.onnx"), "crossed", "-p", "canonicalise")
    checks.check("crossed: outputs keep their names", done.status == 0 and same_outputs(os.path.join(FOLDER, "crossed-before.onnx"), to), done.last)
    model = os.path.join(FOLDER, "aliases-before.onnx")
    onnx.save(made, model)
    to, done = export(model, "aliases", "-p", "dead-code")
    checks.check("aliases: outputs keep their names", done.status == 0 and same_outputs(model, to) and checker_says(to) == "", done.last)


def main():
    checks = Checks()
    test_models(checks)
    test_names(checks)
    test_passes(checks)
    test_clean_up(checks)
    test_cases(checks)
    checks.finish()


if __name__ == "__main__":
    main()
