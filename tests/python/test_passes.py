#!/usr/bin/env python3
"""Passes written in Python: the same graph text as a C plugin's, options, failures, reports; walking and editing; handles that are dead; other threads."""
import functools
import os
import sys
import threading
import warnings

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, run, scratch  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402

FOLDER = scratch("python_passes")
MLP = os.path.join(MODELS, "mnist-mlp", "model.onnx")
ONE = {"dim": {"batch": 1}}


def small():
    """x -> Relu "a" -> Identity "drop" -> MatMul "b" -> Dropout -> y"""
    path = os.path.join(FOLDER, "small.onnx")
    w = numpy_helper.from_array(np.arange(6, dtype=np.float32).reshape(3, 2), "w")
    nodes = [helper.make_node("Relu", ["x"], ["r"], name="a"), helper.make_node("Identity", ["r"], ["i"], name="drop"),
             helper.make_node("MatMul", ["i", "w"], ["m"], name="b"), helper.make_node("Dropout", ["m"], ["y"], name="out")]
    graph = helper.make_graph(nodes, "small", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 2])], [w])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@tenon.transform(keeps_numbers=True, name="example-python")
def example(graph, nodes=tenon.Option("*", help="only these", selector=True)):
    """Dropout and Identity are removed

    What uses the output of such a node uses its input instead."""
    removed = 0
    for node in graph.nodes:
        spare = [v for v in node.outputs[1:] if v is not None and v.uses]
        if not (node.op == "Identity" or node.op == "Dropout" and len(node.inputs) < 3 and not spare) or not nodes(node):
            continue
        node.output.replace(node.inputs[0])
        node.erase()
        removed += 1
    graph.report(f"{removed} nodes removed", removed=removed)


def raises(checks, name, kind, text, call, *words, **named):
    try:
        call(*words, **named)
    except kind as error:
        checks.check(name, text in str(error), f"{type(error).__name__}: {error}")
        return error
    except BaseException as error:  # noqa: B902
        checks.check(name, False, f"{type(error).__name__}: {error}")
    else:
        checks.check(name, False, "nothing was raised")
    return None


def text_of(graph):
    return graph.compile(emit="graph").data.decode()


def c_example():
    path = os.path.join(FOLDER, "example.so")
    made = run(["cc", "-shared", "-fPIC", "-O1", f"-I{ROOT}/plugins/include", f"{ROOT}/plugins/example/example.c", "-o", path])
    if made.status != 0:
        raise SystemExit(made.err)
    return path


def test_beside_c(checks):
    model, plugin = tenon.load(small(), shape={"x": (1, 3)}), c_example()
    for options in ({}, {"nodes": "op:Identity"}, {"nodes": "out"}):
        words = ",".join(f"{k}={v}" for k, v in options.items())
        in_c = model.pipeline("example" + (f":{words}" if words else ""), plugin=[plugin])
        in_python = model.pipeline(example(**options) if options else example)
        checks.equal(f"the same graph text as the C plugin, {options}", in_python.visit(str), in_c.visit(str))
        reports = [g.inspect()["passes"][0] for g in (in_python, in_c)]
        checks.equal(f"the same report, {options}", [{k: v for k, v in r.items() if k != "pass"} for r in reports][0], {k: v for k, v in reports[1].items() if k != "pass"})
    both = model.pipeline(example(nodes="drop"), "example", plugin=[plugin], verify_passes=True)
    checks.equal("a Python pass, then a C pass, proved", [n for n in both.visit(lambda g: [n.op for n in g.nodes])], ["Relu", "MatMul"])
    first = model.pipeline("example:nodes=drop", example, plugin=[plugin])
    checks.equal("a C pass, then a Python pass", text_of(first), text_of(both))
    x = np.array([[1, -2, 3]], np.float32)
    checks.equal("and it runs", both.compile().run(x)["y"].tolist(), (np.maximum(x, 0) @ np.arange(6, dtype=np.float32).reshape(3, 2)).tolist())


def test_walking(checks):
    def look(g):
        b = g.find_node("b")
        return {"name": g.name, "ops": [n.op for n in g.nodes], "inputs": [v.name for v in g.inputs], "outputs": g.output_names, "shape": g.inputs[0].shape,
                "type": g.find_value("x").type, "is_input": [g.find_value("x").is_input, g.find_value("w").is_input], "constant": g.find_value("w").constant.tolist(),
                "not constant": g.find_value("x").constant, "same": g.find_node("b") is b and b == b.inputs[0].uses[0][0], "uses": b.output.uses[0][1],
                "producer": b.inputs[1].producer, "no node": g.find_node("nothing"), "next": b.next.name, "element_type": g.inputs[0].element_type,
                "has": b.has("axis"), "n values": len(g.values)}
    found = tenon.load(small()).visit(look)
    checks.equal("walking", found, {
        "name": "main", "ops": ["Relu", "Identity", "MatMul", "Dropout"], "inputs": ["x"], "outputs": ["y"], "shape": ("n", 3), "type": "f32[n,3]", "is_input": [True, False],
        "constant": [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]], "not constant": None, "same": True, "uses": 0, "producer": None, "no node": None, "next": "out", "element_type": 1,
        "has": False, "n values": found["n values"]})
    n = tenon.load(MLP).visit(lambda g: sum(v.constant.size for v in g.values if v.constant is not None))
    checks.check("mnist-mlp: parameters", n >= 109386, n)


def test_editing(checks):
    @tenon.transform
    def edit(g):
        a = g.find_node("a")
        half = g.constant(np.array(0.5, np.float32), "half")
        mul = g.node("Mul", [a.output, half], before=a.next)
        mul.name = "scaled"
        for user, i in a.output.uses:
            if user is not mul:
                user.set_input(i, mul.output)
        mul.annotate("why", "half")
        soft = g.find_node("b").output.insert_after("Softmax", axis=-1)
        soft.set(axis=1)
        g.find_node("b").insert_before(0, "Transpose", perm=[0, 1])
        g.add_output(mul.output, "halves")

    graph = tenon.load(small(), shape={"x": (1, 3)}).pipeline(edit)
    seen = graph.visit(lambda g: ([n.op for n in g.nodes], g.find_node("scaled").annotation("why"), g.output_names,
                                  [n.int("axis") for n in g.nodes if n.op == "Softmax"], [n.ints("perm") for n in g.nodes if n.op == "Transpose"]))
    checks.equal("what it made", seen, (["Relu", "Mul", "Identity", "Transpose", "MatMul", "Softmax", "Dropout"], "half", ["y", "halves"], [1], [[0, 1]]))
    x = np.array([[1, -2, 3]], np.float32)
    got, h = graph.compile().run(x), np.maximum(x, 0) / 2
    e = np.exp(h @ np.arange(6, dtype=np.float32).reshape(3, 2))
    checks.check("what it computes", np.allclose(got["halves"], h) and np.allclose(got["y"], e / e.sum(), rtol=1e-5), str(got))
    before = tenon.load(small()).visit(str)
    tenon.load(small()).visit(lambda g: g.find_node("drop").output.replace(g.find_node("a").output))
    checks.equal("visit changes nothing", tenon.load(small()).visit(str), before)

    @tenon.transform
    def bind(g):
        g.inputs[0].bind(np.array([[1, 2, 3]], np.float32))
        g.clean_up()

    types = tenon.load(small()).visit(lambda g: [g.constant(x).type for x in (3.0, [3.0], np.float64(3), np.float32(3), np.int32(3), np.zeros(1))])
    checks.equal("constants: types", types, ["f32[]", "f32[1]", "f64[]", "f32[]", "i32[]", "f64[1]"])
    bound = tenon.load(small()).pipeline(bind)
    checks.equal("bind and clean_up", bound.visit(lambda g: (len(g.inputs), len(g.nodes))), (0, 0))
    checks.equal("its output", bound.compile().run()["y"].tolist(), [[16, 22]])


def test_options(checks):
    got = {}

    @tenon.transform
    def given(g, flag=False, bits=tenon.Option(8, least=2, most=16), rate=0.5, word=tenon.Option("a", choices=["a", "b"]), text="x", names=[], numbers=[1.0, 2.0]):
        got.update(flag=flag, bits=bits, rate=rate, word=word, text=text, names=names, numbers=numbers)
        got["of a node"] = g.option("bits", g.nodes[0])

    graph = tenon.load(small())
    graph.pipeline(given).visit(str)
    checks.equal("defaults", got, {"flag": False, "bits": 8, "rate": 0.5, "word": "a", "text": "x", "names": [], "numbers": [1.0, 2.0], "of a node": 8})
    graph.pipeline(given(flag=True, bits=3, rate=0.25, word="b", text="longer", names=["p", "q"], numbers=[0.5])).visit(str)
    checks.equal("given", got, {"flag": True, "bits": 3, "rate": 0.25, "word": "b", "text": "longer", "names": ["p", "q"], "numbers": [0.5], "of a node": 3})
    raises(checks, "out of range", tenon.UsageError, "bits", graph.pipeline(given(bits=17)).visit, str)
    raises(checks, "no such choice", tenon.UsageError, "word", graph.pipeline(given(word="c")).visit, str)
    raises(checks, "an unknown option", TypeError, "no option 'bit'", given, bit=3)
    raises(checks, "an option without a default", TypeError, "needs a default", tenon.transform(name="lacking"), lambda g, x: None)
    raises(checks, "no function", TypeError, "a pass is a function", tenon.transform, 5)
    raises(checks, "no graph", TypeError, "takes the graph", tenon.transform(name="lacking"), lambda: None)
    raises(checks, "a name that is none", tenon.InvalidError, "name of letters", graph.pipeline(tenon.transform(lambda g: None, name="a b")).visit, str)
    raises(checks, "the name of another", tenon.InvalidError, "two passes 'fold'", graph.pipeline(tenon.transform(lambda g: None, name="fold")).visit, str)


def test_texts(checks):
    """What is given is what the pass gets, whatever is in it."""
    got = {}

    @tenon.transform
    def given(g, text="x", n=1, flag=False, names=["a"], numbers=[1.0], nodes=tenon.Option("*", selector=True), data=""):
        got.update(text=text, n=n, flag=flag, names=names, numbers=numbers, data=data)
        got["nodes"] = [node.name for node in g.nodes if nodes(node)]

    graph = tenon.load(small())
    plain = {"text": "x", "n": 1, "flag": False, "names": ["a"], "numbers": [1.0], "nodes": ["a", "drop", "b", "out"], "data": ""}
    for text in ("x,n=5", "a,flag", 'say "hi"', '"', '""', '",n=5,"', "", "[]", "/data/a,b.npz", "a=b:c", " a ", "\n", "ä", "true", "\\"):
        graph.pipeline(given(text=text)).visit(str)
        checks.equal(f"the text {text!r}", got, {**plain, "text": text})
        graph.pipeline(given(names=[text, "n=7"])).visit(str)
        checks.equal(f"the text {text!r} in a list", got, {**plain, "names": [text, "n=7"]})
        graph.pipeline(given(names=[text])).visit(str)
        checks.equal(f"the text {text!r} alone in a list", got, {**plain, "names": [text]})
    graph.pipeline(given(names=[], numbers=[])).visit(str)
    checks.equal("empty lists", got, {**plain, "names": [], "numbers": []})
    graph.pipeline(given(nodes=["a", "op:MatMul"])).visit(str)
    checks.equal("selectors", got, {**plain, "nodes": ["a", "b"]})
    graph.pipeline(given(nodes="re:^(a|b,n=5)$")).visit(str)
    checks.equal("a selector with a comma", got, {**plain, "nodes": ["a"]})
    graph.pipeline(given(n=np.int64(3), flag=np.bool_(True), numbers=[np.float32(0.5)], names=("p",))).visit(str)
    checks.equal("numpy's scalars", got, {**plain, "n": 3, "flag": True, "numbers": [0.5], "names": ["p"]})
    checks.equal("numpy's scalars as defaults", [tenon.Option(d).kind for d in (np.int64(3), np.float64(1), np.bool_(False))], [tenon.Option(d).kind for d in (3, 1.0, False)])
    raises(checks, "a zero byte in an option", ValueError, "zero byte", lambda: given(text="a\0b"))
    raises(checks, "a choice with a zero byte", ValueError, "zero byte", graph.pipeline(tenon.transform(lambda g, w=tenon.Option("a", choices=["a", "b\0"]): None, name="w")).visit, str)
    raises(checks, "a list in a list", TypeError, "neither a number nor a text", given, names=[["a"]])
    raises(checks, "nothing behind =", tenon.UsageError, "needs a value", graph.pipeline(given, "given:text=").visit, str)
    raises(checks, "no selector", tenon.UsageError, "needs a value", graph.pipeline(given(nodes=[])).visit, str)


def test_functions(checks):
    """What can be a pass, and what it is called."""
    graph, seen = tenon.load(small()), []

    def work(g, word="a"):
        """one line"""
        seen.append(word)

    class Callable:
        def __call__(self, g, n=3):
            seen.append(n)

    partial = tenon.transform(functools.partial(work, word="b"))
    checks.equal("a partial: name, help", (partial.name, partial.help), ("work", "one line"))
    graph.pipeline(partial, tenon.transform(Callable(), name="object")).visit(str)
    checks.equal("a partial and an object with __call__ run", seen, ["b", 3])

    def generator(g):
        yield g

    async def coroutine(g):
        pass

    async def both(g):
        yield g

    raises(checks, "visit by a generator", TypeError, "what visit calls is a plain function", graph.visit, generator)
    for make, what in ((tenon.transform, "a pass"), (tenon.criterion, "a criterion")):
        for function in (generator, coroutine, both, functools.partial(generator)):
            raises(checks, f"{what}: {function}", TypeError, f"{what} is a plain function", make, function)
        raises(checks, f"{what}: a lambda", TypeError, 'give it one, name="my-name"', make, lambda *_: None)
        raises(checks, f"{what}: an object", TypeError, "give it one, name=", make, Callable())
        raises(checks, f"{what}: a number as its name", TypeError, f"the name of {what} is a text, not 3", make(name=3), work)
        raises(checks, f"{what}: a zero byte", ValueError, "zero byte", make(name="work", help="a\0b"), work)


def test_failures(checks):
    graph = tenon.load(small())

    def fail_by(error):
        def work(g):
            raise error(g) if callable(error) and not isinstance(error, type) else error
        return graph.pipeline(tenon.transform(work, name="failing"))

    error = raises(checks, "an exception", tenon.InvalidError, "ValueError: what", fail_by(ValueError("what")).inspect)
    checks.check("its cause, the pass, the place", isinstance(error.__cause__, ValueError) and "failing" in str(error) and "test_passes.py" in str(error), str(error))
    raises(checks, "not supported", tenon.UnsupportedError, "later", fail_by(NotImplementedError("later")).inspect)
    raises(checks, "no memory", tenon.ResourceError, "MemoryError", fail_by(MemoryError()).inspect)
    raises(checks, "at a node", tenon.UsageError, "bad-bits", fail_by(lambda g: tenon.PassError("too few", g.find_node("b"), id="bad-bits", status=2)).inspect)
    ended = raises(checks, "sys.exit", SystemExit, "7", fail_by(SystemExit(7)).inspect)
    checks.equal("sys.exit: its status", ended and ended.code, 7)
    mute = type("Mute", (Exception,), {"__str__": lambda self: 1 / 0})
    raises(checks, "no text", tenon.InvalidError, "Mute: (its text raises ZeroDivisionError)", fail_by(mute()).inspect)
    raises(checks, "no text in a PassError", tenon.InvalidError, "(its text raises ZeroDivisionError)", fail_by(tenon.PassError(mute(), id=mute())).inspect)
    raises(checks, "Ctrl-C", KeyboardInterrupt, "", fail_by(KeyboardInterrupt()).inspect)
    raises(checks, "a % in a message", tenon.InvalidError, "100 %s %n", fail_by(ValueError("100 %s %n")).inspect)

    def refused(name, text, work):
        error = raises(checks, name, tenon.Error, text, graph.pipeline(tenon.transform(work, name="refused")).visit, str)
        checks.check(f"{name}: a RefusedError inside", error is not None and isinstance(error.__cause__, tenon.RefusedError), repr(error and error.__cause__))

    refused("erasing what is used", "used", lambda g: g.find_node("a").erase())
    refused("an unknown operator", "Nothing", lambda g: g.node("Nothing", [g.inputs[0]]))
    refused("wrong attributes", "axis", lambda g: g.find_node("b").set(axis="text"))
    refused("a cycle", "", lambda g: g.find_node("a").set_input(0, g.find_node("b").output))
    refused("not a pattern", "pattern", lambda g: g.outputs[0].match("mul("))

    def swallow(g):
        try:
            g.find_node("a").erase()
        except tenon.RefusedError:
            pass
    raises(checks, "a refusal that is caught fails the pass all the same", tenon.InvalidError, "used", graph.pipeline(tenon.transform(swallow, name="swallow")).inspect)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        graph.pipeline(tenon.transform(lambda g: g.warn("mind this", g.nodes[0]), name="warning")).visit(str)
    checks.check("a warning", any("mind this" in str(w.message) for w in told), [str(w.message) for w in told])
    checks.equal("a warning: where it points", {os.path.basename(w.filename) for w in told}, {"test_passes.py"})
    own = []
    again = graph.pipeline(tenon.transform(lambda g: own[0].inspect(), name="itself"))
    own.append(again)
    raises(checks, "a pass that runs itself without end", tenon.Error, "", again.inspect)


def test_clean_up_stage(checks):
    count = []

    @tenon.transform(stage="clean-up", name="count-nodes", keeps_numbers=True)
    def counted(g):
        count.append(len(g.nodes))

    graph = tenon.load(small(), shape={"x": (1, 3)}).pipeline(counted)
    graph.compile()
    checks.check("of stage clean-up: run with the built-in ones", len(count) >= 1, count)
    given = tenon.transform(lambda g, n=1: None, stage="clean-up", name="given")
    raises(checks, "of stage clean-up: no options", TypeError, "it cannot be given options", given, n=5)
    checks.check("of stage clean-up: called without options", "given" in repr(given()))


def test_run_once(checks):
    """A graph is opened once, whatever is asked of it."""
    count = []
    graph = tenon.load(small(), shape={"x": (1, 3)}).pipeline(tenon.transform(lambda g: count.append(1), name="counted"))
    graph.inspect()
    graph.compile()
    graph.options().inspect()
    checks.equal("inspect and compile: the pass has run once", len(count), 1)


def test_dead(checks):
    kept = {}

    def keep(g):
        np.savez(os.path.join(FOLDER, "x.npz"), x=np.zeros((2, 3), np.float32))
        kept.update(samples=g.samples(os.path.join(FOLDER, "x.npz")), graph=g, node=g.find_node("b"), value=g.find_value("w"), erased=g.find_node("drop"), gone=g.find_node("drop").output, used=g.find_node("a"))
        kept["erased"].output.replace(kept["used"].output)
        kept["erased"].erase()
        for name, call in (("op of an erased node", lambda: kept["erased"].op), ("its output", lambda: kept["gone"].name), ("erasing it again", kept["erased"].erase),
                           ("as an input", lambda: g.node("Relu", [kept["gone"]])), ("as a place", lambda: kept["node"].move_before(kept["erased"]))):
            raises(checks, name, tenon.DeadError, "no longer", call)
        other = tenon.load(small()).visit(lambda h: raises(checks, "of another graph", ValueError, "another graph", h.node, "Relu", [kept["value"]]))
        checks.check("a pass inside of a pass, on another model", isinstance(other, ValueError))
        found = []
        thread = threading.Thread(target=lambda: found.append(raises(checks, "another thread", tenon.ThreadError, "thread", lambda: kept["node"].op)))
        thread.start()
        thread.join()
        kept["node"].output.match("MatMul(x, $c)")
        g.clean_up()
        raises(checks, "after clean_up", tenon.DeadError, "no longer", lambda: kept["node"].op)

    tenon.load(small()).visit(keep)
    samples = kept["samples"]
    for name in ("graph", "node", "value"):
        handle = kept[name]
        for member in sorted(n for n in dir(type(handle)) if not n.startswith("_")):
            def touch(handle=handle, member=member):
                found = getattr(handle, member)
                if callable(found):
                    found(*{"node": ("Relu", []), "constant": (1.0,), "add_input": ("a", "f32[1]"), "add_output": (kept["value"], "o"), "set_output": (0, kept["value"]),
                            "remove_output": (0,), "find_node": ("a",), "find_value": ("a",), "warn": ("a",), "option": ("a",), "fail": ("a",), "has": ("a",), "int": ("a",),
                            "float": ("a",), "text": ("a",), "ints": ("a",), "annotation": ("a",), "annotate": ("a", "b"), "set_input": (0, kept["value"]),
                            "insert_before": (0, "Relu"), "move_before": (None,), "replace": (kept["value"],), "insert_after": ("Relu",), "match": ("Relu(x)",),
                            "make_constant": (1.0,), "bind": (1.0,), "given": ("a",), "nearest": ("a", ["b"]), "run": (samples, []), "samples": ("a",), "axis": (0, 0),
                            "score": ("a", kept["node"], 0), "change": ([],), "extract": ([], [])}.get(member, ()))
            if member not in ("fail", "option"):
                raises(checks, f"when the pass has returned: {name}.{member}", tenon.DeadError, "returned", touch)
        checks.check(f"repr of a dead {name}", "dead" in repr(handle), repr(handle))


def main():
    checks = Checks()
    for test in (test_beside_c, test_walking, test_editing, test_options, test_texts, test_functions, test_failures, test_clean_up_stage, test_run_once, test_dead):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
