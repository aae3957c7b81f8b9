#!/usr/bin/env python3
"""The arena of the shipped models, of the benchmarks' and of small graphs with branches: beside its lower bound, which it exceeds by at most
5 %; the small ones also computed: ONNX Runtime's values, one result to the bit on every back end, in one arena and in regions."""
import json
import os
import re
import sys

import numpy as np
import onnx

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "..", "bench")]
import make_models  # noqa: E402
from checks import Checks, scratch, tenon  # noqa: E402
from make_models import Net  # noqa: E402
from samples import SHIPPED, hash_of, inputs, shape_options  # noqa: E402
from test_inspect import plan_of  # noqa: E402

TARGETS = ("x86-64-v3", "generic")
MOST = 1.05


# ---- small graphs: what their arenas depend on is in their names ----

def residual_chain():
    net = Net("residual_chain", 13)
    x = net.node("Relu", net.conv(net.input("input", [1, 3, 20, 20]), 3, 16, 3))
    for _ in range(4):
        y = net.conv(net.node("Relu", net.conv(x, 16, 16, 3)), 16, 16, 3, gain=0.5)
        x = net.node("Relu", net.node("Add", y, x))
    return net.model(net.node("GlobalAveragePool", x), [1, 16, 1, 1])


def inception():
    net = Net("inception", 13)
    x = net.input("input", [1, 8, 16, 16])
    for _ in range(2):
        parts = [net.node("Relu", net.conv(x, 8, 2, 1)), net.conv(net.conv(x, 8, 12, 1), 12, 3, 3), net.conv(net.conv(x, 8, 20, 1), 20, 2, 5),
                 net.conv(net.node("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4), 8, 1, 1)]
        x = net.node("Concat", *parts, axis=1)
    return net.model(net.node("Relu", x), [1, 8, 16, 16])


def dense_block():
    net = Net("dense_block", 13)
    parts = [net.input("input", [1, 4, 12, 12])]
    for i in range(5):
        x = net.node("Concat", *parts, axis=1) if i else parts[0]
        parts.append(net.node("Relu", net.conv(x, 4 * (i + 1), 4, 3)))
    return net.model(net.node("Concat", *parts, axis=1), [1, 24, 12, 12])


def unet():
    net = Net("unet", 13)
    x, kept = net.node("Relu", net.conv(net.input("input", [1, 1, 32, 32]), 1, 8, 3)), []
    for n in (8, 16):
        kept.append(x)
        x = net.node("Relu", net.conv(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), n, 2 * n, 3))
    for n in (32, 16):
        x = net.node("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32), "scales"), mode="nearest", nearest_mode="floor",
                     coordinate_transformation_mode="asymmetric")
        x = net.node("Relu", net.conv(net.node("Concat", x, kept.pop(), axis=1), n + n // 2, n // 2, 3))
    return net.model(net.conv(x, 8, 1, 1), [1, 1, 32, 32])


def wide_branches():
    """All wide values come before the first is read: in the file's order they live together."""
    net = Net("wide_branches", 13)
    x = net.input("input", [1, 32])
    wide = [net.node("Relu", net.gemm(x, 32, 2000)) for _ in range(6)]
    sums = [net.gemm(w, 2000, 4, 1) for w in wide]
    return net.model(net.node("Concat", *sums, axis=1), [1, 24])


def attention():
    """Scores and their softmax are most of the memory: one takes the other's place."""
    net, length, heads, width = Net("attention", 14), 48, 4, 8
    x = net.input("input", [1, length, heads * width])

    def split(perm):
        y = net.linear(x, heads * width, heads * width)
        return net.node("Transpose", net.node("Reshape", y, net.constant(np.array([1, length, heads, width]), "shape")), perm=perm)

    scores = net.node("MatMul", split([0, 2, 1, 3]), split([0, 2, 3, 1]))
    y = net.node("MatMul", net.node("Softmax", scores, axis=-1), split([0, 2, 1, 3]))
    y = net.node("Reshape", net.node("Transpose", y, perm=[0, 2, 1, 3]), net.constant(np.array([1, length, heads * width]), "shape"))
    return net.model(net.layer_norm(net.node("Add", y, x), heads * width), [1, length, heads * width])


def softmax_twice():
    net = Net("softmax_twice", 13)
    x = net.node("Softmax", net.gemm(net.input("input", [30, 16]), 16, 48), axis=-1)
    return net.model(net.node("ReduceMax", net.node("Softmax", x, axis=-1), axes=[1]), [30, 1])


SMALL = [residual_chain, inception, dense_block, unet, wide_branches, attention, softmax_twice]


# ---- checks ----

def report(checks, name, words):
    """What inspect says of the arena; its plan is computed again from the loop program."""
    done = tenon("inspect", *words, "--json")
    loops = tenon("compile", *words, "--emit", "loops")
    if not checks.check(f"{name}: tenon inspect", done.status == 0 and loops.status == 0, done.last):
        return None, ""
    totals, plan = json.loads(done.out)["totals"], plan_of(loops.out)
    clash = [(a, b) for i, a in enumerate(plan) for b in plan[:i]
             if a[2] <= b[3] and b[2] <= a[3] and a[0] < b[0] + b[1] and b[0] < a[0] + a[1]]
    checks.check(f"{name}: what lives at a time does not overlap", not clash, str(clash[:1]))
    return totals, loops.out


def near_the_bound(checks, name, words):
    for target in TARGETS:
        totals, _ = report(checks, f"{name} {target}", [*words, "--target", target])
        if totals is not None:
            arena, least = totals["arena_bytes"], totals["arena_least_bytes"]
            checks.check(f"{name} {target}: arena within {MOST} of the bound", arena <= MOST * least, f"{arena} of {least}")
            print(f"   {name:24} {target:10} arena {arena:9,} B, bound {least:9,} B", flush=True)


def computed(checks, name, path, model):
    """The small graph's output by ONNX Runtime, and by every back end in one arena and in regions."""
    feeds = make_models.random_feeds(model)
    want = make_models.session(model, False).run(None, feeds)[0]
    given = []
    for key, array in feeds.items():
        np.save(os.path.join(os.path.dirname(path), f"{name}-{key}.npy"), array)
        given += ["--input", f"{key}={os.path.dirname(path)}/{name}-{key}.npy"]
    for target in TARGETS:
        arena = json.loads(tenon("inspect", path, "--target", target, "--json").out)["totals"]["arena_bytes"]
        half = ["--region", f"first={max(arena // 2, 64)}", "--region", "second=1M"]
        hashes = []
        for title, more in (("one arena", []), ("regions", half)):
            out = scratch("arena-run")
            done = tenon("run", path, *given, "--target", target, "--backend", "all", *more, "-o", out, timeout=300)
            if checks.check(f"{name} {target}, {title}: every back end", done.status == 0, done.last):
                got = np.load(os.path.join(out, "output.npy"))
                hashes.append(hash_of(got))
                checks.check(f"{name} {target}, {title}: ONNX Runtime's values", np.allclose(got, want, 1e-3, 1e-5))
        checks.check(f"{name} {target}: regions give the same bits", len(set(hashes)) == 1)
        regions_hold(checks, f"{name} {target}", [path, "--target", target, *half], arena // 2)


def regions_hold(checks, name, words, limit):
    totals, text = report(checks, f"{name}, regions", words)
    if totals is None:
        return
    first, second = totals["regions"]
    checks.check(f"{name}: the first region holds no more than it may", 0 <= first["bytes"] <= max(limit, 64) == first["limit_bytes"], str(first))
    checks.equal(f"{name}: the regions are the arena", first["bytes"] + second["bytes"], totals["arena_bytes"])
    across = [p for p in plan_of(text) if p[0] < first["bytes"] < p[0] + p[1]]
    checks.check(f"{name}: no buffer lies in two regions", not across, str(across[:1]))


def what_made_it_small(checks, paths):
    """The order of steps and results in place, each where it shows."""
    loops = {name: tenon("compile", paths[name], "--target", "x86-64-v3", "--emit", "loops").out for name in ("wide_branches", "softmax_twice")}
    checks.check("softmax_twice: one softmax in place of the other's operand", "_in_place(" in loops["softmax_twice"])
    arena = int(re.search(r"^program .* arena (\d+)", loops["wide_branches"])[1])
    checks.check("wide_branches: the wide values do not live together", arena < 2 * 8000, str(arena))


def main():
    checks = Checks()
    for name, model, folder in SHIPPED:
        near_the_bound(checks, name, [model, *shape_options(inputs(model, os.path.join(folder, "test_data_set_0")))])
    for name in make_models.MODELS:
        near_the_bound(checks, name, [make_models.path_of(name)])
    folder, paths = scratch("arena"), {}
    for make in SMALL:
        model, name = make(), make.__name__
        paths[name] = os.path.join(folder, name + ".onnx")
        onnx.save(model, paths[name])
        near_the_bound(checks, name, [paths[name]])
        computed(checks, name, paths[name], model)
    what_made_it_small(checks, paths)
    checks.finish()


if __name__ == "__main__":
    main()
