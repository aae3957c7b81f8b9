#!/usr/bin/env python3
"""dead_inputs: what goes, what stays and why, on small models; on bert-tiny against ONNX Runtime fed with the bound values."""
import json
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, Checks, scratch, tenon  # noqa: E402
from onnx_models import save_model, unoptimised  # noqa: E402

FOLDER = scratch("dead_inputs")
BERT = os.path.join(MODELS, "bert-tiny-imdb")
F, I64 = TensorProto.FLOAT, TensorProto.INT64
info = helper.make_tensor_value_info


def save(name, *parts):
    return save_model(os.path.join(FOLDER, f"{name}.onnx"), *parts)


def two_heads():
    """y from x through w; a loss from y and t; z is x as it was fed; u is used by nobody; m is a mask that is added as (1 - m) * -1e9."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="dense"), helper.make_node("Sub", ["one", "m"], ["a"], name="invert"),
             helper.make_node("Mul", ["a", "big"], ["b"], name="scale"), helper.make_node("Add", ["y", "b"], ["s"], name="mask"),
             helper.make_node("Relu", ["s"], ["r"], name="relu"), helper.make_node("Sub", ["r", "t"], ["d"], name="error"),
             helper.make_node("ReduceSum", ["d"], ["loss"], name="sum", keepdims=0)]
    return save("two_heads", nodes, [info("x", F, ["n", 3]), info("m", F, ["n", 1]), info("t", F, ["n", 2]), info("u", I64, [4])],
                [info("r", F, ["n", 2]), info("loss", F, []), info("x", F, ["n", 3])],
                [("w", np.arange(6, dtype=np.float32).reshape(3, 2)), ("one", np.float32(1)), ("big", np.float32(-1e9))])


def edited(model, asked, *words):
    """The model after the pass, as ONNX, and what was said."""
    to = os.path.join(FOLDER, re.sub(r"\W", "_", asked)[:60] + ".onnx")
    done = tenon("compile", model, "-p", asked, "--emit", "onnx", "-o", to, "--verify-passes", *words)
    return (onnx.load(to) if done.status == 0 else None), to, done


def ends(model):
    return [x.name for x in model.graph.input], [y.name for y in model.graph.output]


def test_small(checks):
    model = two_heads()
    cases = [("dead_inputs", ["x", "m", "t"], ["r", "loss"], None),
             ("dead_inputs:drop=t", ["x", "m"], ["r"], {"MatMul", "Sub", "Mul", "Add", "Relu"}),
             ("dead_inputs:drop=loss", ["x", "m"], ["r"], {"MatMul", "Sub", "Mul", "Add", "Relu"}),
             ("dead_inputs:drop=t,bind=m=1", ["x"], ["r"], {"MatMul", "Relu"}),
             ("dead_inputs:keep=x,m", ["x", "m"], None, None),
             ("dead_inputs:keep=r", ["x", "m"], ["r"], None)]
    for asked, inputs, outputs, ops in cases:
        made, to, done = edited(model, asked)
        if checks.check(f"-p {asked}", made is not None, done.err):
            checks.equal(f"-p {asked}: inputs", ends(made)[0], inputs)
            checks.check(f"-p {asked}: outputs", outputs is None or ends(made)[1] == outputs, ends(made)[1])
            checks.check(f"-p {asked}: operators", ops is None or {n.op_type for n in made.graph.node} == ops, [n.op_type for n in made.graph.node])
            onnx.checker.check_model(to, full_check=True)
    np.save(os.path.join(FOLDER, "m.npy"), np.ones((2, 1), np.float32))
    made, to, done = edited(model, f"dead_inputs:drop=t,bind=m={FOLDER}/m.npy", "--dim", "n=2")
    checks.check("bind= to a file", made is not None and ends(made) == (["x"], ["r"]) and {n.op_type for n in made.graph.node} == {"MatMul", "Relu"}, done.err)


def test_errors(checks):
    model = two_heads()
    cases = [("drop=los", 2, "did you mean 'loss'?"), ("drop=x", 2, None), ("bind=m", 2, None), ("bind=q=1", 2, None), ("bind=m=a.npy", 5, "a.npy"), ("bind=r=1", 2, None),
             ("keep=nothing", 2, None), ("drop=m,bind=m=1", 2, None), ("drp=t", 2, "did you mean 'drop'?")]
    before = tenon("compile", model, "--emit", "graph").out
    for items, status, says in cases:
        _, _, done = edited(model, f"dead_inputs:{items}")
        checks.check(f"-p dead_inputs:{items} is refused", done.status == status and "error[" in done.err and (says is None or says in done.err), f"{done.status} {done.err}")
    checks.equal("a refused pass changes nothing", tenon("compile", model, "--emit", "graph").out, before)


def test_report(checks):
    model = two_heads()
    done = tenon("inspect", model, "-p", "dead_inputs:drop=t,bind=m=1", "--dim", "n=2", "--json")
    if not checks.check("inspect --json", done.status == 0, done.err):
        return
    report = json.loads(done.out)["passes"][0]
    checks.equal("report: the pass", report["pass"], "dead_inputs")
    text = "\n".join(report["text"])
    for name in ("'t'", "'m'", "'loss'", "'u'"):
        checks.check(f"report: {name} is told of", name in text, text)
    checks.check("report: lines on stderr, too", "dead_inputs: " in done.err, done.err)
    checks.check("report: JSON beside the text", len(report) > 2, sorted(report))


def test_bert(checks):
    """The bar: one input and one output are left, nothing that the mask or the labels fed, and the logits of the full model."""
    asked = "dead_inputs:drop=labels,bind=attention_mask=1,token_type_ids=0"
    for name in ("labels", "static_1x128_labels"):
        full = os.path.join(BERT, f"{name}.onnx")
        made, to, done = edited(full, asked)
        if not checks.check(f"bert {name}: -p {asked}", made is not None, done.err):
            continue
        checks.equal(f"bert {name}: what is left", ends(made), (["input_ids"], ["logits"]))
        fed = [n.name for n in made.graph.node if n.op_type in ("Where", "Expand", "ConstantOfShape", "SoftmaxCrossEntropyLoss", "Sub") and "LayerNorm" not in n.name]
        checks.equal(f"bert {name}: no node of mask or labels", fed, [])
        ids = np.random.default_rng(1).integers(0, 30000, (1, 128)).astype(np.int64)
        feeds = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids), "labels": np.zeros(1, np.int64)}
        whole = unoptimised(full)
        want = whole.run(["logits"], {x.name: feeds[x.name] for x in whole.get_inputs()})[0]
        np.save(os.path.join(FOLDER, "ids.npy"), ids)
        done = tenon("run", full, "-p", asked, "--input", f"input_ids={FOLDER}/ids.npy", "-o", FOLDER, "--backend", "all")
        if checks.check(f"bert {name}: tenon run", done.status == 0, done.last):
            checks.check(f"bert {name}: logits by tenon", np.abs(np.load(os.path.join(FOLDER, "logits.npy")) - want).max() < 1e-5)
        checks.check(f"bert {name}: logits of the ONNX by ONNX Runtime", np.abs(unoptimised(to).run(None, {"input_ids": ids})[0] - want).max() < 1e-5)
        sets = [os.path.join(BERT, name)]
        done = tenon("check", full, *sets, "-p", "dead_inputs:drop=labels")
        checks.check(f"bert {name}: test data that still have the labels", done.status == 0, done.last)


def test_includes(checks):
    folder = os.path.join(ROOT, "plugins", "dead_inputs")
    for name in sorted(os.listdir(folder)):
        if name.endswith((".c", ".h")):
            found = re.findall(r'#include [<"]([^>"]+)[>"]', open(os.path.join(folder, name)).read())
            other = [h for h in found if "/" in h and h != "tenon/plugin.h"]
            checks.equal(f"{name} includes nothing of tenon but plugin.h", other, [])


def main():
    checks = Checks()
    test_includes(checks)
    test_small(checks)
    test_errors(checks)
    test_report(checks)
    test_bert(checks)
    checks.finish()


main()
