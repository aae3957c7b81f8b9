#!/usr/bin/env python3
"""Nothing crashes, whatever it is called with: every function of the package, with wrong types, shapes and numbers, dead handles and foreign ones, from two
threads at once, in processes of their own. An exception is an answer; a signal is not.

usage: test_crash.py [SEED]      with a seed: the calls themselves, in this process
"""
import faulthandler
import os
import random
import sys
import threading
import warnings

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, run, scratch  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
sys.path.insert(0, os.path.join(ROOT, "python"))
import tenon  # noqa: E402
import tenon.editing  # noqa: E402

MLP = os.path.join(MODELS, "mnist-mlp", "model.onnx")
SEEDS, CALLS = 6, 1500
# What would leave the process's ground: these write files, wait, or end processes by design.
LEFT_OUT = {"write", "draw", "doctor", "bench", "eval", "explain", "check", "diff"}


class Odd:
    """Raises wherever it is looked at."""

    def __getattr__(self, name):
        raise RuntimeError(name)


def words(r):
    """Arguments of all kinds."""
    huge = np.broadcast_to(np.float32(0), (2**20, 2**20))
    return [None, True, -1, 0, 1, 3, 2**31, 2**63, -2**70, 0.5, float("nan"), float("inf"), "", "a", "input", "logits", "Relu", "Identity", "MatMul(x, $c)", "((", "f32[1,2]",
            "f32[" + "9" * 30 + "]", "\0", "\ud800", "x" * 5000, b"bytes", [], [1], ["a"], [None], (), {}, {"batch": 1}, {"batch": "x"}, object(), Odd(), str, lambda *_: None,
            np.zeros((1, 1, 28, 28), np.float32), np.zeros(0, np.float32), np.zeros((2, 3), np.float64), np.zeros(3, "U3"), np.zeros((1,) * 20, np.float32), huge,
            np.array(None), np.zeros(2, np.complex64), np.float32(2), MLP, "/", "/dev/null", range(3), iter([1, 2]), r.random()]


def members(thing):
    """Names that may be called or read."""
    return [n for n in dir(type(thing)) if not n.startswith("_") and n not in LEFT_OUT] if not isinstance(thing, type(tenon)) else \
        [n for n in tenon.__all__ if n not in LEFT_OUT and n != "errors"]


def poke(r, things, pool, mine):
    """One call of something, with arguments from the pool and from the handles that there are; what comes of it may be called next."""
    thing = r.choice(things)
    name = r.choice(members(thing) or ["nothing"])
    every = pool + things[-40:]
    try:
        found = getattr(thing, name)
        if callable(found):
            given = [r.choice(every) for _ in range(r.choice([0, 1, 1, 2, 2, 3, 4]))]
            named = {r.choice(["axis", "before", "outputs", "each", "first", "dim", "emit", "backend", "name", "node", "p", "nothing"]): r.choice(every) for _ in range(r.choice([0, 0, 0, 1]))}
            found = found(*given, **named)
        elif r.random() < 0.1:
            setattr(thing, name, r.choice(every))
    except Exception:
        return
    for one in found if isinstance(found, (list, tuple)) and len(found) < 100 else [found]:
        if type(one).__module__.startswith("tenon.") and not isinstance(one, (tenon.Report, tenon.Files)):
            mine.append(one)


def work(seed, calls, shared):
    r = random.Random(seed)
    pool, things = words(r), [tenon, *shared]

    def within(graph):
        """The same inside of a pass, on its graph."""
        inner = [graph, *graph.nodes[:4], *graph.values[:6], graph.samples(os.path.join(MODELS, "mnist-cnn", "test_10000.npz"))]
        for _ in range(60):
            poke(r, inner + things[-20:], pool, inner)
        things.extend(inner)  # dead, soon
        if r.random() < 0.3:
            raise r.choice([ValueError("v"), tenon.PassError("p", r.choice(inner)), RuntimeError("\0\ud800"), OSError()])

    def worth(graph, node, i, *samples):
        """The same inside of a criterion."""
        for _ in range(20):
            poke(r, [graph, node, *graph.nodes[:4], *graph.values[:6]], pool, things)
        return abs(node.inputs[i].constant) if r.random() < 0.5 else r.choice(pool)

    for i in range(calls):
        if i % 25 == 0:
            try:
                made = [tenon.criterion(worth, name="worth"), "prune:criterion=worth,sparsity=0.5"] if i % 50 else [tenon.transform(within, name="within")]
                tenon.load(MLP, dim={"batch": 1}).pipeline(*made).inspect()
            except tenon.Error:
                pass
        poke(r, things, pool, things)
        del things[200:-200]


def child(seed):
    faulthandler.enable()
    warnings.simplefilter("ignore")
    os.chdir(scratch(f"crash_{seed}"))
    graph = tenon.load(MLP, dim={"batch": 1})
    model = graph.compile()
    closed = graph.compile()
    closed.close()
    kept = graph.visit(lambda g: [g, *g.nodes, *g.values])
    shared = [graph, model, closed, *model.inputs, tenon.load(MLP), tenon.Option(3), tenon.transform(lambda g, n=3: None, name="shared"),
              *kept]
    threads = [threading.Thread(target=work, args=(seed * 2 + k, CALLS, shared)) for k in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    image = np.zeros((1, 1, 28, 28), np.float32)
    assert tenon.load(MLP, dim={"batch": 1}).compile().run(image)["logits"].shape == (1, 10)
    print("alive")


def main():
    if len(sys.argv) > 1:
        return child(int(sys.argv[1]))
    checks = Checks()
    for seed in range(SEEDS):
        done = run([sys.executable, os.path.abspath(__file__), str(seed)], timeout=400)
        checks.check(f"seed {seed}: alive after {2 * CALLS} calls", done.status == 0 and "alive" in done.out.split("\n"), f"status {done.status}\n{done.err[-3000:]}")
    return checks.finish()


if __name__ == "__main__":
    main()
