#!/usr/bin/env python3
"""What plugins can ask of the host, asked from Python: a pass and a criterion in Python give what the specimen plugin in C gives, text and report; the package's
tables are those of plugin.h; evaluation, sub-graphs, changes at once, costs; what is wrong with each."""
import ctypes
import os
import re
import sys
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, ROOT, Checks, run, scratch  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402
from tenon import _plugin, editing  # noqa: E402
from test_passes import raises  # noqa: E402

FOLDER = scratch("python_services")
DATA = os.path.join(FOLDER, "x.npz")
RANDOM = np.random.default_rng(3)
W1, W2 = (RANDOM.standard_normal(s).astype(np.float32) for s in ((6, 5), (5, 4)))
X = RANDOM.standard_normal((7, 6)).astype(np.float32)


def model(name="model", rows=1):
    """x -> MatMul "first" -> Relu "relu" -> MatMul "second" -> y"""
    info, node = helper.make_tensor_value_info, helper.make_node
    nodes = [node("MatMul", ["x", "w1"], ["a"], name="first"), node("Relu", ["a"], ["b"], name="relu"), node("MatMul", ["b", "w2"], ["y"], name="second")]
    np.savez(DATA, x=X, label=np.arange(7))
    path = os.path.join(FOLDER, f"{name}.onnx")
    weights = [numpy_helper.from_array(w, n) for n, w in (("w1", W1), ("w2", W2))]
    graph = helper.make_graph(nodes, "small", [info("x", TensorProto.FLOAT, [rows, 6])], [info("y", TensorProto.FLOAT, [rows, 4])], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


# ---- the specimen (tests/plugins/specimen/specimen.c), in Python ----

@tenon.criterion(name="from-the-end-python")
def from_the_end(graph, node, i, samples, n):
    """the last go first"""
    shape = node.inputs[i].shape
    return np.arange(np.prod(shape), 0, -1).reshape(shape)


@tenon.transform(name="specimen-python")
def specimen(graph, by=tenon.Option(2.0, "what the constants are multiplied by, or what is added", least=-100, most=100),
             way=tenon.Option("times", "times or plus", choices=["times", "plus"]),
             nodes=tenon.Option("op:MatMul", "whose constants are changed", selector=True), data=""):
    """changes constants, and says what it sees"""
    changed, scores = 0, 0.0
    for node in filter(nodes, graph.nodes):
        old = node.inputs[1]
        scores += graph.score("from-the-end-python", node, 1).sum()
        y = graph.option("by", node)
        x = old.constant.astype(np.float64)
        made = graph.constant((x * y if graph.option("way", node) == "times" else x + y).astype(np.float32), "changed")
        graph.change([(node, 1, made)])
        node.annotate("specimen", "changed")
        if not old.uses:
            old.remove()
        changed += 1
    if not changed:
        raise tenon.PassError(f"nodes= selects none of {len(graph.nodes)} nodes", id="nothing-to-do", status=2)
    if changed > 1:
        graph.warn(f"{changed} nodes are changed", graph.nodes[0], id="several", note="this is said of the first")
    graph.report(f"{changed} nodes changed, opened once", changed=changed, scores=scores, axes=[n.axis(0, 1) for n in graph.nodes],
                 relus=sum(n.output.match("Relu(x)") is not None for n in graph.nodes), macs=sum(n.macs for n in graph.nodes), text="is there" if str(graph) else "is not",
                 nearest=graph.nearest("tims", ["times", "plus"]))
    if graph.given("data"):
        samples = graph.samples(data)
        sums = graph.run(samples, graph.outputs)[0]
        # As the C does it: one number after the other, in double.
        graph.report(samples=samples.count, sum=sum(float(v) for one in sums for v in one.ravel()), takes_time=graph.cycles("generic") > 0)


def test_beside_c(checks):
    library = os.path.join(FOLDER, "specimen.so")
    built = run([os.path.join(ROOT, "tests", "plugins", "specimen", "specimen.sh"), library])
    if not checks.check("the specimen compiles", built.status == 0, built.err):
        return
    graph = tenon.load(model())
    for options in ({}, {"by": 3.0}, {"by": -1.0, "way": "plus"}, {"by": 0.5, "way": "plus", "nodes": "second"}, {"data": DATA}):
        words = ",".join(f"{k}={v}" for k, v in options.items())
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            in_c = graph.pipeline("specimen" + (f":{words}" if words else ""), plugin=[library])
            in_python = graph.pipeline(from_the_end, specimen(**options))
            checks.equal(f"the same graph text, {words}", in_python.visit(str), in_c.visit(str))
            reports = [{k: v for k, v in g.inspect()["passes"][0].items() if k != "pass"} for g in (in_python, in_c)]
        checks.equal(f"the same report, {words}", *reports)
        several = [str(w.message) for w in told if "several" in str(w.message)]
        checks.check(f"the same warning, {words}", len({re.sub("note: said by.*", "", t, flags=re.S) for t in several}) == (0 if "nodes" in options else 1) and len(several) % 2 == 0, several)
    raises(checks, "nothing is selected", tenon.UsageError, "selects none of 3 nodes", graph.pipeline(from_the_end, specimen(nodes="op:Conv")).inspect)
    raises(checks, "no file", tenon.ResourceError, "none.npz", graph.pipeline(from_the_end, specimen(data=f"{FOLDER}/none.npz")).inspect)
    raises(checks, "the criterion is not there", tenon.UsageError, "from-the-end-python", graph.pipeline(specimen).inspect)


def test_header(checks):
    """The package's tables beside plugin.h: the version, the interfaces, their functions in order, the structs' fields."""
    with open(os.path.join(ROOT, "plugins", "include", "tenon", "plugin.h"), encoding="utf-8") as f:
        header = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
    major, minor = (int(re.search(rf"define TENON_PLUGIN_ABI_{name} (\d+)u", header)[1]) for name in ("MAJOR", "MINOR"))
    checks.equal("the ABI", _plugin.ABI, major << 16 | minor)
    ids = dict(re.findall(r'#define TENON_(\w+)_1 "(tenon\.\w+/1)"', header))
    checks.equal("every interface", sorted(i.decode() for i, _ in _plugin.INTERFACES.values()), sorted(ids.values()))
    for identifier, kind in _plugin.INTERFACES.values():
        name = identifier.decode()[6:-2]
        body = re.search(rf"typedef struct tenon_{name}_1 {{(.*?)}} tenon_{name}_1;", header, re.S)[1]
        want = [n for n in re.findall(r"\(\*(\w+)\)\s*\(", body) if n != "each"]
        have = [n for n, _ in kind._fields_[1:]]
        checks.check(f"{name}: functions in order", have == want[:len(have)] and (len(have) == len(want) or name == "tensor"), f"{have} {want}")
        for (function, prototype), declared in zip(kind._fields_[1:], re.findall(r"\(\*(?!each)\w+\)\s*\(((?:[^()]|\([^()]*\)(?:\([^()]*\))?)*)\)", body)):
            n = len(re.split(r",(?![^(]*\))", re.sub(r"\(\*each\)\([^)]*\)", "each", declared)))
            own = len(prototype._argtypes_) + (1 if "..." in declared and prototype._argtypes_[-1] is not ctypes.c_char_p else 0)
            checks.check(f"{name}.{function}: as many arguments", own in (n, n - 1 if "..." in declared else n), f"{own} {n}: {declared}")
    for kind in (_plugin.Option, _plugin.Pass, _plugin.Plugin, _plugin.Criterion, _plugin.Use, _plugin.Change, _plugin.Match):
        body = re.search(rf"typedef struct {kind.__doc__} {{(.*?)}} {kind.__doc__};", header, re.S)[1]
        want = [n for line in re.sub(r"\([^()]*\)(?=;)", "", body).split(";") for n in re.findall(r"(\w+)\)?(?:\[\w+\])?(?=\s*(?:,|$))", line.strip())]
        checks.equal(f"{kind.__doc__}: fields", [n for n, _ in kind._fields_], want)


def test_evaluating(checks):
    seen = []

    def look(g):
        samples = g.samples(DATA)
        a, y = g.find_value("a"), g.outputs[0]
        first, last = g.run(samples, [a, y])
        part = g.extract([a], [y])
        only = g.run(samples, [y], 2, 3, each=lambda i, arrays: seen.append((i, arrays[0])))
        for name, kind, text, call in (
                ("beyond the end", IndexError, "7 samples", lambda: g.run(samples, [y], 5, 3)), ("before the beginning", IndexError, "7 samples", lambda: g.run(samples, [y], -1)),
                ("another graph's value", ValueError, "another graph", lambda: part.run(samples, [y])), ("no value", TypeError, "expected a Value", lambda: g.run(samples, [1])),
                ("an exception in each", ZeroDivisionError, "", lambda: g.run(samples, [y], each=lambda *_: 1 / 0)), ("no path", TypeError, "a path", lambda: g.samples(3)),
                ("no samples", TypeError, "expected samples, as graph.samples makes them, not 'x'", lambda: g.run("x", [])),
                ("no samples to score by", TypeError, "expected samples", lambda: g.score("x", g.find_node("first"), 1, samples=3)),
                ("the pass's own field", ValueError, "the field 'pass'", lambda: g.report("x", **{"pass": 1}))):
            raises(checks, f"run: {name}", kind, text, call)
        return np.stack(first), np.stack(last), samples.array("label").tolist(), samples.count, only, [n.op for n in part.nodes], part, samples

    a, y, labels, count, only, ops, part, samples = tenon.load(model()).visit(look)
    checks.check("what values are", np.allclose(a[:, 0], X @ W1, atol=1e-5) and np.allclose(y[:, 0], np.maximum(X @ W1, 0) @ W2, atol=1e-5), str(y))
    checks.equal("labels, how many, which part", (labels, count, only, ops), (list(range(7)), 7, [[]], ["Relu", "MatMul"]))
    checks.check("some of them", [i for i, _ in seen] == [2, 3, 4] and np.array_equal(seen[0][1], y[2]), str(seen))
    raises(checks, "samples of a pass that has returned", tenon.DeadError, "returned", lambda: samples.count)
    raises(checks, "a part of a pass that has returned", tenon.DeadError, "returned", lambda: part.nodes)
    graph = tenon.load(model())
    for name, text, work in (("no such array", "nothing", lambda g: g.samples(DATA).array("nothing")), ("no such file", "none.npz", lambda g: g.samples("none.npz")),
                             ("an array for the input", "'x'", lambda g: g.samples(DATA, maps={"x": "y"}).count), ("a factor", "could not convert", lambda g: g.samples(DATA, scales={"x": "much"})),
                             ("needs another input", "input 'x'", lambda g: g.extract([], [g.outputs[0]]))):
        raises(checks, name, tenon.Error, text, graph.visit, work)
    scaled = graph.visit(lambda g: g.run(g.samples(DATA, scales={"x": 2}), [g.inputs[0]])[0])
    checks.check("scaled", np.allclose(np.stack(scaled)[:, 0], 2 * X), "")

    @tenon.transform
    def own_part(g):
        cut = g.extract([g.find_value("a")], g.outputs)
        cut.find_node("relu").output.replace(cut.inputs[0])
        cut.find_node("relu").erase()
        g.report(str(len(cut.nodes)), nodes=len(g.nodes), part=len(cut.nodes))

    checks.equal("changing a part leaves the graph alone", [graph.pipeline(own_part).inspect()["passes"][0][k] for k in ("nodes", "part")], [3, 1])


def test_change(checks):
    """Half of the channels between both products: no order of single changes is valid."""
    @tenon.transform
    def halve(g):
        first, second = g.find_node("first"), g.find_node("second")
        keep = np.arange(0, 5, 2)
        small = [g.constant(first.inputs[1].constant[:, keep]), g.constant(second.inputs[1].constant[keep])]
        g.change([(first, 1, small[0]), (second, 1, small[1])])

    graph = tenon.load(model()).pipeline(halve)
    x = X[:1]
    checks.check("channels gone", np.allclose(graph.compile().run(x)["y"], np.maximum(x @ W1[:, ::2], 0) @ W2[::2], atol=1e-5))

    def softmax(g):
        made = g.find_value("b").insert_after("Softmax", axis=0)
        g.change([(made, {"axis": 1})])
        return made.int("axis"), g.find_node("first").macs, g.cycles() > 0, g.find_node("relu").previous.name, g.find_node("first").previous

    checks.equal("attributes; costs; the node before", tenon.load(model()).visit(softmax), (1, 30, True, "first", None))
    graph = tenon.load(model())
    raises(checks, "what does not fit", tenon.InvalidError, "", graph.visit, lambda g: g.change([(g.find_node("first"), 1, g.constant(np.zeros((3, 3), np.float32)))]))
    for name, kind, text, work in (("no change", TypeError, "a change is", lambda g: g.change([(g.nodes[0], 1)])), ("no such input", IndexError, "2 inputs", lambda g: g.change([(g.nodes[0], 2, g.inputs[0])])),
                                   ("no such axis", IndexError, "2 axes", lambda g: g.nodes[0].axis(0, 2)), ("no constant", ValueError, "no constant", lambda g: g.score("x", g.nodes[0], 0)),
                                   ("a report of what it cannot hold", TypeError, "a number", lambda g: g.report(a=[object()])), ("too large", ValueError, "64 bits", lambda g: g.report(a={"b": 2**64}))):
        def look(g, name=name, kind=kind, text=text, work=work):
            raises(checks, name, kind, text, work, g)
        graph.visit(look)
    checks.equal("axes", graph.visit(lambda g: [[n.axis(0, 0), n.axis(0, 1)] for n in g.nodes]), [[0, editing.SUMMED], [0, 1], [0, editing.SUMMED]])
    nested = graph.pipeline(tenon.transform(lambda g: g.report("said", list=[1, "a", 2.5, {"b": [True]}], empty={}), name="nested")).inspect()["passes"][0]
    checks.equal("lists and objects in a report", (nested["list"], nested["empty"]), ([1, "a", 2.5, {"b": [1]}], {}))


def test_criterion(checks):
    graph, seen = tenon.load(model()), []

    @tenon.criterion
    def magnitude(g, node, i, samples, n):
        """the least in absolute value go first"""
        seen.append((node.op, i, None if samples is None else samples.count, n))
        return abs(node.inputs[i].constant)

    asked = "prune:criterion=magnitude,sparsity=0.5,select=first"
    zeros = [g.visit(lambda g: g.find_node("first").inputs[1].constant == 0) for g in (graph.pipeline(magnitude, asked), graph.pipeline("prune:method=l1,sparsity=0.5,select=first"))]
    checks.check("prune by it: what l1 does", np.array_equal(*zeros) and zeros[0].sum() == 15, str(zeros))
    checks.equal("what it was given", seen[0], ("MatMul", 1, None, 0))
    graph.pipeline(magnitude, asked + f",calibration={DATA}").inspect()
    checks.equal("with calibration data", seen[-1], ("MatMul", 1, 7, 7))

    def odd(function):
        return tenon.criterion(name="odd")(function)

    for name, text, function in (("another shape", "shape (3,)", lambda *_: np.zeros(3)), ("an exception", "ValueError: no", lambda *_: (_ for _ in ()).throw(ValueError("no"))),
                                 ("it cannot change the graph", "cannot change", lambda g, node, *_: node.erase())):
        raises(checks, name, tenon.InvalidError, text, graph.pipeline(odd(function), "prune:criterion=odd,sparsity=0.5").inspect)
    places = raises(checks, "an exception: which criterion", tenon.InvalidError, "in criterion 'odd' (", graph.pipeline(odd(lambda *_: 1 / 0), "prune:criterion=odd,sparsity=0.5").inspect)
    checks.check("an exception: where it is", "test_services.py:" in str(places), str(places))
    raises(checks, "it asks for itself", tenon.InvalidError, "criterion 'odd' asks for itself",
           graph.pipeline(odd(lambda g, node, i, *_: g.score("odd", node, i)), "prune:criterion=odd,sparsity=0.5").inspect)
    for name, kind, text, given in (("NaN", tenon.InvalidError, "1 scores that are no numbers (NaN)", lambda c: np.where(c == c.max(), np.nan, c)),
                                    ("complex", tenon.InvalidError, "gave complex64 for scores", lambda c: c.astype(np.complex64)),
                                    ("none", tenon.InvalidError, "gave object for scores", lambda c: None)):
        raises(checks, f"scores: {name}", kind, text, graph.pipeline(odd(lambda g, node, i, *_, given=given: given(node.inputs[i].constant)), "prune:criterion=odd,sparsity=0.5").inspect)
    half = odd(lambda g, node, i, *_: g.score("magnitude", node, i))
    checks.check("a criterion that asks another", graph.pipeline(magnitude, half, "prune:criterion=odd,sparsity=0.5,select=first").visit(
        lambda g: (g.find_node("first").inputs[1].constant == 0).sum()) == 15)
    raises(checks, "no function", TypeError, "a criterion is a function", tenon.criterion, 5)
    raises(checks, "another name", tenon.UsageError, "did you mean 'magnitude'", graph.pipeline(magnitude, "prune:criterion=magnitud,sparsity=0.5").inspect)
    moved = tenon.transform(lambda g: g.inputs[0].insert_after("Neg"), name="negated", changes_inputs=True)
    checks.equal("changes_inputs", moved.flags, _plugin.CHANGES_INPUTS)


def main():
    checks = Checks()
    for test in (test_header, test_beside_c, test_evaluating, test_change, test_criterion):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
