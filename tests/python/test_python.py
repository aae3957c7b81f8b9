#!/usr/bin/env python3
"""The Python package over the library of this build: what its calls give is what the command gives; wrong arguments, dead handles, two threads."""
import inspect
import json
import os
import sys
import threading
import types

import numpy as np

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
    for test in (test_run, test_wrong_arguments, test_reports, test_files, test_threads, test_types, test_docstrings, test_tour):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
