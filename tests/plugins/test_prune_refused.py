#!/usr/bin/env python3
"""prune: what it refuses, what it leaves as it is and why, other options for single nodes."""
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, tenon  # noqa: E402
from passes import report_of  # noqa: E402
from test_prune import DATA, F, FOLDER, RANDOM, W2, X, built_criterion, constant_of, info, node, pruned, save, two_layers  # noqa: E402


def test_errors(checks):
    model = two_layers()
    cases = [("granularity=blocks:1x4", 2, "did you mean 'block:1x4'?"), ("granularity=block:0x4", 2, "error[usage]"), ("granularity=4:2", 2, "with N below M"),
             ("granularity=2:4,sparsity=0.3", 2, "leave sparsity= away"), ("granularity=2:4,scope=global", 2, "scope=global chooses nothing"),
             ("granularity=neuron,scope=global", 2, "layer by layer"), ("method=wanda", 2, "error[no-calibration]"), ("method=hessian", 2, "calibration=FILE.npz"), ("method=l3", 2, "l1"), ("sparsity=1.5", 2, "sparsity"),
             ("sparsty=0.5", 2, "did you mean 'sparsity'?"), ("select=nobody", 2, "-p prune: 'select=nobody': the model has no node of this name"),
             ("keep=frist", 2, "did you mean 'first'?"), ("select=first,secnd", 2, "did you mean 'second'?"), ("keep=MatMul", 2, "op:MatMul selects by operator"), ("keep=*", 2, "error[nothing-to-do]: nothing is pruned: select= and keep= leave no"),
             ("target=z80", 2, "target= is of auto=latency"), (f"target=host,auto=accuracy:1,calibration={DATA}", 2, "target= is of auto=latency"),
             ("criterion=none", 2, "error[unknown-criterion]"), ("criterion=x,method=l1", 2, "give one of them"), ("activation_sparsity=0.5", 2, "nobody knows what values are small"),
             ("auto=speed:0.5", 2, "expected accuracy:POINTS or latency:SHARE"), ("auto=latency:1.5", 2, "from 0 to 1"), ("auto=latency:0.5", 2, "give calibration=FILE.npz"),
             (f"auto=latency:0.5,calibration={DATA}", 2, "dimension 'n' of input 'x' has no size: give it with --dim n=N"), ("auto=accuracy:much", 2, "expected points"), ("auto=accuracy:1", 2, "give calibration=FILE.npz"),
             (f"auto=accuracy:1,sparsity=0.5,calibration={DATA}", 2, "leave sparsity="), (f"auto=accuracy:1,granularity=neuron,calibration={DATA}", 2, "not for what leaves the graph"),
             (f"auto=accuracy:1,granularity=2:4,calibration={DATA}", 2, "nothing to choose"), (f"auto=accuracy:1,label=classes,calibration={DATA}", 2, "classes"),
             (f"calibration={FOLDER}/none.npz,method=wanda", 5, "none.npz")]
    before = tenon("compile", model, "--emit", "graph").out
    for options, status, says in cases:
        done = pruned(model, options)[2]
        checks.check(f"prune:{options}", done.status in (status, 3) and says in done.err, f"{done.status} {done.err}")
    done = pruned(model, f"auto=latency:0.5,target=z80,calibration={DATA}", "--dim", "n=1")[2]
    checks.check("no such target", done.status == 2 and "z80" in done.err, done.err)
    checks.equal("an open batch is said once", pruned(model, f"auto=latency:0.5,calibration={DATA}")[2].err.count("error["), 1)
    checks.check("a pattern that keeps nothing is a warning", "warning[no-node]: -p prune: 'keep=re:^third' selects no node" in pruned(model, "keep=re:^third")[2].err)
    checks.equal("a refused pass changes nothing", tenon("compile", model, "--emit", "graph").out, before)
    bad = os.path.join(FOLDER, "bad.npz")
    np.savez(bad, x=np.where(X > 1, np.nan, X).astype(np.float32))
    for method in ("l1", "wanda", "hessian"):
        done = pruned(model, f"method={method},calibration={bad}")[2]
        checks.check(f"data that are not finite, {method}", done.status == 3 and "of input 'x' has nan" in done.err, done.err)
    np.savez(bad, x=np.float32(1e38) * np.sign(X))
    checks.check("data that become too large within the model", "error[not-finite]" in pruned(model, f"method=wanda,calibration={bad}")[2].err)
    np.savez(bad, x=X, label=np.full(len(X), 99))
    checks.check("labels that are no classes", "the label of sample 0 is 99" in pruned(model, f"auto=accuracy:1,calibration={bad}")[2].err)
    np.savez(bad, other=X)
    checks.check("an array of another name", "note: calibration map INPUT=ARRAY names the array" in pruned(model, f"method=wanda,calibration={bad}")[2].err)
    holed = onnx.load(model)
    weights = numpy_helper.to_array(holed.graph.initializer[0]).copy()
    weights.flat[3] = np.nan
    holed.graph.initializer[0].CopyFrom(numpy_helper.from_array(weights, holed.graph.initializer[0].name))
    onnx.save(holed, os.path.join(FOLDER, "holed.onnx"))
    done = pruned(os.path.join(FOLDER, "holed.onnx"), "sparsity=0.5")[2]
    checks.check("weights that are not finite", done.status == 3 and "has nan: keep=" in done.err, done.err)
    np.savez(bad, x=X[:0])
    checks.check("no samples", "error[no-data]" in pruned(model, f"method=wanda,calibration={bad}")[2].err)
    for options, warns in (("granularity=block:99x99", True), ("granularity=block:99x99,sparsity=1", False), ("sparsity=0.9", False)):
        done = pruned(model, options)[2]
        checks.equal(f"{options}: is it said that nothing is left?", "warning[all-zero]: nothing of " in done.err, warns)
    help_text = tenon("passes", "prune").out
    checks.check("tenon passes prune lists the options", all(f"  {o}=" in help_text for o in ("method", "sparsity", "granularity", "criterion", "keep")))
    constant = os.path.join(FOLDER, "constant.npz")
    np.savez(constant, x=np.ones((8, 24), np.float32))
    checks.check("data that are constant are no error", pruned(model, f"method=hessian,calibration={constant}")[1] is not None)


def test_unpruned(checks):
    """What is not pruned is said, layer by layer."""
    def layers(label, dtype, kind, names):
        nodes = [node(op, inputs, [y], name=name) for op, inputs, y, name in names]
        return save(label, nodes, [info("x", kind, [8, 8])], [info("y", kind, [8, 8])], [(w, RANDOM.standard_normal((8, 8)).astype(dtype)) for w in ("w", "v")])
    right = [("MatMul", ["x", "w"], "a", "m1"), ("Gemm", ["a", "v"], "y", "m2")]
    left = [("MatMul", ["w", "x"], "a", "m1"), ("Gemm", ["v", "a"], "y", "m2")]
    for label, dtype, kind, names, why in (("half", np.float16, TensorProto.FLOAT16, right, "its weights are float16"), ("double", np.float64, TensorProto.DOUBLE, right, "its weights are double"),
                                           ("left", np.float32, F, left, "its constant is the left operand")):
        done = pruned(layers(label, dtype, kind, names), "")[2]
        checks.check(f"{label}: nothing is pruned, and why", done.status == 4 and "error[nothing-to-do]" in done.err and all(f"note: '{m}': {why}" in done.err for m in ("m1", "m2")), f"{done.status} {done.err}")
    mixed = layers("mixed", np.float32, F, [left[0], right[1]])
    r = report_of("prune", mixed, "sparsity=0.5")
    checks.check("a part: what stays, in JSON", [w["node"] for w in r["weights"]] == ["m2"] and [(l["node"], "left operand" in l["why"]) for l in r["left"]] == [("m1", True)], r)
    checks.check("a part: what stays, for people", re.search(r"m1 +stays: its constant is the left operand", tenon("inspect", mixed, "-p", "prune").err) is not None)
    for options, why in (("granularity=channel", "'first': granularity=channel is of Conv"), ("granularity=head", "'second': granularity=head is of Attention")):
        done = pruned(two_layers(), options)[2]
        checks.check(f"{options}: no such layer", done.status == 2 and why in done.err, done.err)
    relu = save("relu", [node("Relu", ["x"], ["y"], name="r")], [info("x", F, [2])], [info("y", F, [2])], [])
    done = pruned(relu, "")[2]
    checks.check("no layer at all", done.status == 2 and "the model has no MatMul, Gemm or Conv" in done.err, done.err)
    many = save("many", [node("MatMul", ["w", "x" if i == 0 else f"a{i - 1}"], [f"a{i}" if i < 12 else "y"], name=f"m{i}") for i in range(13)],
                [info("x", F, [4, 4])], [info("y", F, [4, 4])], [("w", RANDOM.standard_normal((4, 4)).astype(np.float32))])
    done = pruned(many, "")[2]
    checks.check("at most ten are named", done.err.count("left operand") == 10 and "note: and so on for 3 more" in done.err, done.err)


def test_overrides(checks):
    """What holds for the pass cannot differ by node; an override's N:M supersedes the share of the pass."""
    model, path = two_layers(), os.path.join(FOLDER, "override.toml")

    def piped(lines, *words, of=f'sparsity = 0.8\ncalibration = "{DATA}"'):
        with open(path, "w") as f:
            f.write(f'[[pass]]\nname = "prune"\n{of}\n[[pass.override]]\nselect = ["first"]\n{lines}\n')
        to = os.path.join(FOLDER, "overridden.onnx")
        done = tenon("compile", model, "--pipeline", path, "--emit", "onnx", "-o", to, *words)
        return done, onnx.load(to) if done.status == 0 else None
    for line in ('scope = "global"', 'calibration = "nofile.npz"', "samples = 3", 'calibration_map = ["x=y"]', 'calibration_scale = ["x=2"]', "seed = 3", "bias_correction = false",
                 'auto = "accuracy:1"', 'target = "generic"', "auto_samples = 3", 'label = "classes"'):
        for words in ((), ("--isolate",)):
            done = piped(line, *words)[0]
            name = line.split()[0]
            checks.check(f"override: {line} {words}", done.status == 2 and f"'first' (MatMul-13): error[usage]: {name}= is of the pass as a whole" in done.err and f"note: {path}: line 5 gives this node other options" in done.err, done.err)
    checks.check("override: the pass's own value", piped(f'calibration = "{DATA}"\nsamples = 256')[0].status == 0)
    done, made = piped('granularity = "2:4"')
    if checks.check("override: N:M", done.status == 0, done.err):
        zeros = constant_of(made, "first").reshape(6, 4, 20) == 0
        checks.check("override: N:M beside the share of the others", (zeros.sum(1) == 2).all() and (constant_of(made, "second") == 0).sum() == round(0.8 * W2.size))
    done = piped('granularity = "2:4"\nsparsity = 0.3')[0]
    checks.check("override: N:M and a share of its own", done.status == 2 and "leave sparsity= away" in done.err and "line 5 gives this node" in done.err, done.err)
    library = built_criterion(checks)
    for of, line, want in (('method = "l2"', 'criterion = "last"', ["last", "l2"]), ('criterion = "last"', 'method = "l1"', ["l1", "last"])):
        done = piped(line, "--plugin", library, of=of)[0]
        checks.equal(f"override: {line} where the pass has {of}", (done.status, re.findall(r"(?:first|second) +(\w+) ", done.err)), (0, want))
    done = piped('method = "l2"\ncriterion = "last"', "--plugin", library)[0]
    checks.check("override: a method and a criterion of its own", done.status == 2 and "give one of them" in done.err, done.err)
    done = piped("sparsity = 0.3", of='granularity = "2:4"')[0]
    checks.check("override: a share where the pass has N:M", done.status == 2 and "leave sparsity= away" in done.err, done.err)


if __name__ == "__main__":
    checks = Checks()
    for test in (test_errors, test_unpruned, test_overrides):
        test(checks)
    checks.finish()
