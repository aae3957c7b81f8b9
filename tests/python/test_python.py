#!/usr/bin/env python3
"""The Python package over the library of this build: what its calls give is what the command gives; wrong arguments, dead handles, two threads."""
import collections
import copy
import inspect
import json
import os
import pickle
import sys
import threading
import types

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, run, scratch, tenon as command  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402

FOLDER = scratch("python")
MLP, CNN = (os.path.join(MODELS, name, "model.onnx") for name in ("mnist-mlp", "mnist-cnn"))
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
ONE = {"dim": {"batch": 1}}


def digit(i=0):
    return (np.load(DIGITS)["input"][i].astype(np.float32) / 255).reshape(1, 1, 28, 28)


def raises(checks, name, kind, text, call, *words, **named):
    try:
        call(*words, **named)
    except kind as error:
        return checks.check(name, text in str(error), f"{type(error).__name__}: {error}")
    except BaseException as error:  # noqa: B902
        return checks.check(name, False, f"{type(error).__name__}: {error}")
    return checks.check(name, False, "nothing was raised")


def test_run(checks):
    x = digit()
    np.save(os.path.join(FOLDER, "input.npy"), x)
    done = command("run", MLP, "--input", f"input={FOLDER}/input.npy", "-o", FOLDER, "--dim", "batch=1")
    want = np.load(os.path.join(FOLDER, "logits.npy")) if checks.check("tenon run", done.status == 0, done.last) else None
    model = tenon.load(MLP, **ONE).compile()
    checks.equal("inputs", [(t.name, t.dtype.str, t.shape) for t in model.inputs], [("input", "<f4", (1, 1, 28, 28))])
    checks.equal("outputs", [(t.name, t.dtype.str, t.shape) for t in model.outputs], [("logits", "<f4", (1, 10))])
    ways = {"in order": model.run(x), "by name": model.run(input=x), "as a dict": model.run({"input": x}), "as a list": model.run(x.tolist()),
            "not contiguous": model.run(np.asfortranarray(np.repeat(x, 2, axis=3))[:, :, :, ::2])}
    frozen = x.copy()
    frozen.setflags(write=False)
    ways["read-only"] = model.run(frozen)
    for name, got in ways.items():
        checks.check(f"run {name}: the bits of tenon run", list(got) == ["logits"] and got["logits"].tobytes() == want.tobytes(), str(got))
    first = model.run(x)["logits"]
    model.run(digit(1))
    checks.check("outputs are arrays of their own", first.tobytes() == want.tobytes())
    for backend in ("object", "interp", "c"):
        checks.check(f"backend={backend}", tenon.load(MLP, **ONE).compile(backend=backend).run(x)["logits"].tobytes() == want.tobytes())


def test_wrong_arguments(checks):
    x, graph = digit(), tenon.load(MLP, **ONE)
    model = graph.compile()
    raises(checks, "another shape", ValueError, "has shape (1, 1, 28, 28), not (28, 28)", model.run, x.reshape(28, 28))
    raises(checks, "another type", TypeError, "float32, not float64", model.run, x.astype(np.float64))
    raises(checks, "no input", TypeError, "1 inputs (input)", model.run)
    raises(checks, "two inputs", TypeError, "not 2", model.run, x, x)
    raises(checks, "another name", TypeError, "there is no 'image'", model.run, image=x)
    raises(checks, "words", Exception, "", model.run, "what")
    raises(checks, "None", Exception, "", model.run, None)
    raises(checks, "no file", tenon.ResourceError, "cannot be read", tenon.load, "nowhere.onnx")
    raises(checks, "no text", TypeError, "", tenon.load, 5)
    raises(checks, "a zero byte", ValueError, "zero byte", tenon.load, "a\0b")
    raises(checks, "unbound", tenon.UsageError, "batch", tenon.load(MLP).compile)
    raises(checks, "an unknown option", tenon.UsageError, "did you mean --dim", tenon.load, MLP, dmi={"batch": 1})
    raises(checks, "an option of a wrong type", TypeError, "dim", tenon.load, MLP, dim={"batch": object()})
    raises(checks, "an unknown pass", tenon.UsageError, "dead_inputs", graph.pipeline("dead_input").inspect)
    raises(checks, "a pass that is no text", TypeError, "-p", graph.pipeline, 7)
    raises(checks, "no data", tenon.ResourceError, "nowhere.npz", graph.eval, "nowhere.npz")
    raises(checks, "an unknown form", tenon.UsageError, "emit", graph.compile, emit="fortran")
    not_onnx = os.path.join(FOLDER, "not.onnx")
    with open(not_onnx, "wb") as f:
        f.write(b"nothing")
    raises(checks, "not ONNX", tenon.InvalidError, "not.onnx", tenon.load, not_onnx)
    try:
        tenon.load("nowhere.onnx")
    except tenon.Error as error:
        checks.equal("messages and status", (error.status, len(error.messages)), (5, 1))
    model.close()
    model.close()
    raises(checks, "a closed model", ValueError, "closed", model.run, x)


def test_conversions(checks):
    """Numbers and lists of them become an input's type where nothing changes but by rounding; any mapping names inputs."""
    info, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    path = os.path.join(FOLDER, "gather.onnx")
    kinds = {"x": onnx.TensorProto.FLOAT, "i": onnx.TensorProto.INT64, "b": onnx.TensorProto.INT8, "f": onnx.TensorProto.BOOL}
    graph = onnx.helper.make_graph([node("Identity", [n], [n + "y"]) for n in kinds], "g", [info(n, t, [2] if n != "x" else []) for n, t in kinds.items()],
                                   [info(n + "y", t, [2] if n != "x" else []) for n, t in kinds.items()])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), path)
    model = tenon.load(path).compile()
    good = {"x": 2.5, "i": [1, 2], "b": [-128, 127], "f": [True, False]}

    def result(**changed):
        return {n[:-1]: a.tolist() for n, a in model.run({**good, **changed}).items()}

    for changed in ({}, {"x": 0.1}, {"x": 3}, {"x": np.float64(2)}, {"i": (3, 4)}, {"i": [1.0, 2.0]}, {"f": [1, 0]}, {"x": float("nan")}):
        want = {n: np.asarray(v, np.float32 if n == "x" else None).tolist() for n, v in {**good, **changed}.items()}
        checks.check(f"as given: {changed}", str(result(**changed)) == str(want) or "f" in changed or "i" in changed and result(**changed) == want, str(result(**changed)))
    for changed, kind, text in (({"x": None}, TypeError, "input 'x' takes an array of float32"), ({"x": "2"}, TypeError, "not '2'"), ({"i": [1.7, 2]}, TypeError, "input 'i' is int64, which cannot hold 1.7"),
                                ({"b": [1, 300]}, TypeError, "input 'b' is int8, which cannot hold 300"), ({"f": [2, 0]}, TypeError, "cannot hold 2"), ({"x": 1e300}, TypeError, "cannot hold 1e+300"),
                                ({"i": [float("nan"), 1]}, TypeError, "cannot hold nan"), ({"i": [[1, 2], [3]]}, ValueError, "input 'i': "), ({"i": [2**70, 1]}, TypeError, "input 'i'"),
                                ({"x": 1j}, TypeError, "input 'x'"), ({"i": {"a": 1}}, TypeError, "input 'i'"), ({"i": [1]}, ValueError, "has shape (2,), not (1,)")):
        raises(checks, f"refused: {changed}", kind, text, result, **changed)
    one, x = tenon.load(MLP, **ONE).compile(), digit()
    want = one.run(x)["logits"].tobytes()
    for kind in (collections.OrderedDict, types.MappingProxyType, collections.ChainMap, collections.UserDict):
        for each, given in ((one, {"input": x}), (model, good)):
            checks.check(f"run: {kind.__name__}, {len(given)} inputs", len(each.run(kind(given))) == len(given))
    checks.equal("run: a mapping's bits", one.run(types.MappingProxyType({"input": x}))["logits"].tobytes(), want)
    raises(checks, "a mapping with another name", TypeError, "there is no 'image'", one.run, types.MappingProxyType({"image": x}))


def test_odd_arguments(checks):
    graph, model = tenon.load(MLP, **ONE), tenon.load(MLP, **ONE).compile()
    raises(checks, "check without folders", TypeError, "one at least", graph.check)
    for name in ("eval", "explain"):
        raises(checks, f"{name} of a list", TypeError, "the path of an .npz file, or a dict of arrays, not [1, 2]", getattr(graph, name), [1, 2])
    raises(checks, "diff of a number", TypeError, "the path of an .npz file", graph.diff, data=5)
    raises(checks, "data: no numbers", ValueError, "array 'input': ", graph.eval, {"input": np.array([None])})
    raises(checks, "data: a name that is none", TypeError, "the name of an array", graph.eval, {3: np.zeros(2)})
    scaled = tenon.load(CNN, dim={"batch": np.int64(1)}).eval(DIGITS, scale={"input": np.float64(0.00392156862745098)}, limit=np.int64(50))
    checks.equal("numpy's scalars as options", scaled["samples"], 50)
    checks.check("numpy's scalars in a shape", tenon.load(MLP, shape={"input": tuple(np.array([1, 1, 28, 28]))}).compile().inputs[0].shape == (1, 1, 28, 28))
    checks.equal("numpy's bools", [tenon.load(MLP, verify_passes=np.bool_(b))._spelled for b in (True, False)], [(("verify-passes", None),), ()])
    z = np.load(DIGITS)
    arrays = {"file": z["input"][:20].astype(np.float32) / 255, "label": z["label"][:20], "allow_pickle": np.zeros(20)}
    checks.equal("data with the names of numpy's arguments", tenon.load(CNN).eval(arrays, map={"input": "file"})["samples"], 20)
    for name, call in (("operators", lambda: tenon.operators("a\0b")), ("load", lambda: tenon.load("a\0b")), ("draw", lambda: graph.draw("a\0b.dot")), ("diff", lambda: graph.diff("a\0b", data=DIGITS)),
                       ("check", lambda: graph.check("a\0b")), ("eval", lambda: graph.eval("a\0b")), ("an option", lambda: graph.options(target="a\0b").inspect()),
                       ("the data's name", lambda: graph.eval({"a\0": np.zeros(1)}))):
        raises(checks, f"a zero byte: {name}", ValueError, "zero byte", call)
    raises(checks, "load of bytes", TypeError, "a model is a text or a pathlib.Path, not b'm'", tenon.load, b"m")
    raises(checks, "operators of a number", TypeError, "an operator is a text, not 3", tenon.operators, 3)
    raises(checks, "a model cannot be copied", TypeError, "Its Graph can", copy.deepcopy, model)
    for name, made in (("copied", copy.deepcopy(graph)), ("pickled", pickle.loads(pickle.dumps(graph)))):
        checks.equal(f"a graph, {name}", made.compile().run(digit())["logits"].tobytes(), model.run(digit())["logits"].tobytes())


def test_folder(checks):
    """A relative path is one of the folder in which the model was loaded."""
    before = os.getcwd()
    try:
        os.chdir(os.path.dirname(MLP))
        graph = tenon.load("model.onnx", **ONE)
        raises(checks, "messages have the path as it was given", tenon.ResourceError, "none.onnx: error", tenon.load, "none.onnx")
        os.chdir("/")
        checks.equal("another folder", graph.compile(target="x86-64").inputs[0].name, "input")
        checks.equal("another folder, a pipeline", pickle.loads(pickle.dumps(graph)).pipeline("dead_inputs").inspect()["passes"][0]["pass"], "dead_inputs")
    finally:
        os.chdir(before)


def test_signals(checks):
    done = run([sys.executable, os.path.join(ROOT, "tests", "python", "run_signals.py"), MODELS], env={"PYTHONPATH": os.path.join(ROOT, "python")})
    told = dict(line.split(": ", 1) for line in done.out.splitlines())
    want = {n: "KeyboardInterrupt" for n in ("bench", "eval", "graph.run in a pass", "each of graph.run", "a pass's own code", "the main thread while another is in a call")}
    want.update({"the handler afterwards": "default_int_handler", "a handler that raises nothing": "nothing", "it was called": "2", "SIGALRM": "TimeoutError late",
                 "the other's call": "has ended", "and it still runs": "(1, 10)"})
    checks.equal("signals: what is raised", told, want)
    checks.equal("signals: nothing on stderr", (done.status, done.err), (0, ""))


def test_reports(checks):
    graph = tenon.load(MLP, **ONE)
    inspected = command("inspect", MLP, "--dim", "batch=1", "--json")
    report = graph.inspect()
    checks.equal("inspect", dict(report), json.loads(inspected.out))
    checks.equal("inspect: text", report.text, command("inspect", MLP, "--dim", "batch=1").out)
    evaluated = tenon.load(CNN).eval(DIGITS, scale={"input": 0.00392156862745098}, limit=200)
    own = json.loads(command("eval", CNN, "--data", DIGITS, "--scale", "input=0.00392156862745098", "--limit", 200, "--json").out)
    checks.equal("eval", [evaluated[k] for k in ("correct", "samples", "ci95")], [own[k] for k in ("correct", "samples", "ci95")])
    z = np.load(DIGITS)
    arrays = {"input": z["input"][:200].astype(np.float32) / 255, "label": z["label"][:200]}
    checks.equal("eval of arrays", tenon.load(CNN).eval(arrays)["correct"], own["correct"])
    against = tenon.load(CNN).eval(arrays, against=MLP)
    checks.equal("eval: against", against["against"]["same_class"] <= 200, True)
    timed = graph.bench(time=0.05)
    checks.check("bench", timed["latency_us"]["median"] > 0 and timed["threads"] == 1, str(timed))
    departs = tenon.load(MLP).diff(CNN, data=arrays, limit=3)
    checks.check("diff: they depart", departs["departs"] is True, str(departs)[:200])
    picture = os.path.join(FOLDER, "model.dot")
    graph.draw(picture)
    checks.check("draw", os.path.getsize(picture) > 100)
    checked = tenon.load(MLP).check(os.path.dirname(MLP))
    checks.check("check", checked["passed"] == checked["total"] > 0, str(checked)[:200])
    checks.check("operators", any(o["name"] == "Conv" for o in tenon.operators()["operators"]), "")
    checks.check("doctor", "items" in tenon.doctor() or len(tenon.doctor()) > 2, str(tenon.doctor())[:200])
    explained = tenon.load(CNN).pipeline("quantize:data_width=0,weight_width=4").explain(arrays, limit=20)
    checks.check("explain", len(explained["nodes"]) >= 3 and explained["samples"] == 20, str(explained)[:200])


def test_files(checks):
    graph = tenon.load(MLP, **ONE)
    out, own = os.path.join(FOLDER, "c"), os.path.join(FOLDER, "own")
    files = graph.compile(emit="c", name="model")
    files.write(out)
    done = command("compile", MLP, "--dim", "batch=1", "--name", "model", "-o", own)
    checks.check("tenon compile", done.status == 0, done.last)
    names = sorted(files)
    checks.equal("emit=c: the files", names, sorted(os.path.relpath(os.path.join(a, f), own) for a, _, fs in os.walk(own) for f in fs))
    for name in names:
        mine, theirs = (open(os.path.join(folder, name)).read() for folder in (out, own))
        checks.equal(f"emit=c: {name}", mine.split("*/", 1)[1], theirs.split("*/", 1)[1])
    text = graph.compile(emit="graph")
    checks.check("emit=graph", text.data.decode() == command("compile", MLP, "--dim", "batch=1", "--emit", "graph", "-o", "-").out)
    whole = graph.compile(emit="shared", name="mlp")
    whole.write(os.path.join(FOLDER, "shared"))
    x = digit()
    library = tenon.load(os.path.join(FOLDER, "shared", "mlp.so")).compile()
    checks.check("a .so in place of a model", library.run(x)["logits"].tobytes() == graph.compile(target="host").run(x)["logits"].tobytes() or
                 np.allclose(library.run(x)["logits"], graph.compile().run(x)["logits"], rtol=1e-4))
    raises(checks, "several files are not one", ValueError, "there are", lambda: files.data)


def test_threads(checks):
    """Models of their own side by side, and one model from two threads."""
    x = [digit(i) for i in range(8)]
    model = tenon.load(MLP, **ONE).compile()
    want = [model.run(one)["logits"].tobytes() for one in x]
    wrong = []

    def work(own):
        for i in range(400):
            if own.run(x[i % 8])["logits"].tobytes() != want[i % 8]:
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(m,)) for m in (model, model, tenon.load(MLP, **ONE).compile())]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    checks.equal("three threads, two models: no wrong output", wrong, [])


def test_types(checks):
    """Type hints everywhere, as mypy --strict wants them; py.typed says that they are there."""
    done = run([sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.path.join(FOLDER, "mypy"), "-p", "tenon"], cwd=FOLDER, env={"MYPYPATH": os.path.join(ROOT, "python")})
    checks.check("mypy --strict", done.status == 0 and "no issues" in done.out, done.out + done.err)
    checks.check("py.typed", os.path.exists(os.path.join(ROOT, "python", "tenon", "py.typed")))


def public(thing, where):
    """(name, what it is) of everything public of ours in a module or class."""
    for name, member in vars(thing).items():
        own = getattr(inspect.unwrap(member) if callable(member) else member, "__module__", "tenon")
        if name.startswith("_") or isinstance(member, (types.ModuleType, int, str, float, dict, set, tuple, list)) or not str(own).startswith("tenon"):
            continue
        if inspect.isclass(member) or callable(member) or isinstance(member, (property, staticmethod, classmethod)):
            yield f"{where}.{name}", member
        if inspect.isclass(member) and member.__module__.startswith("tenon"):
            yield from public(member, f"{where}.{name}")


def test_docstrings(checks):
    import tenon.editing
    import tenon.onnx_backend
    import tenon.samples
    import tenon.sweep
    seen = {}
    for module in (tenon, tenon.editing, tenon.samples, tenon.errors, tenon.onnx_backend, tenon.sweep, sys.modules["tenon.graph"], sys.modules["tenon.model"],
                   sys.modules["tenon.transform"], sys.modules["tenon.criterion"], sys.modules["tenon.context"]):
        checks.check(f"{module.__name__}: a docstring", module.__doc__)
        seen.update(public(module, module.__name__))
    for name, member in sorted(seen.items()):
        checks.check(f"{name}: a docstring", (member.__func__ if isinstance(member, (staticmethod, classmethod)) else member).__doc__)
    checks.check("they were found", len(seen) > 100 and "tenon.editing.Graph.extract" in seen and "tenon.model.Model.run" in seen, f"{len(seen)}")


def test_tour(checks):
    """The cells of docs/tour.ipynb, one after the other."""
    done = run([sys.executable, os.path.join(ROOT, "tests", "python", "run_tour.py")], cwd=ROOT, env={"PYTHONPATH": os.path.join(ROOT, "python")})
    checks.check("tour", done.status == 0 and done.err == "", done.err)
    for text in ("7 is 7", "did you mean", "weights rounded", "the pass that this belongs to has returned", "digits.c"):
        checks.check(f"tour: says '{text}'", text in done.out, done.out)


def main():
    checks = Checks()
    for test in (test_run, test_wrong_arguments, test_conversions, test_odd_arguments, test_folder, test_signals, test_reports, test_files, test_threads, test_types, test_docstrings, test_tour):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
