#!/usr/bin/env python3
"""Weights most of which are zero: tenon's time for them beside its own for weights that are all there, and ONNX Runtime's, one core, one thread, in one
process, taking turns as in bench.py. `--plot FILE` draws the gain against the part that is zero: where it crosses 1, leaving zeros out pays.
"""
import argparse
import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import bench  # noqa: E402
from peers import PEERS, reference  # noqa: E402
from subjects import BUILD, Jit, SubjectError, run_script  # noqa: E402

TARGETS = ("x86-64-vnni", "x86-64-v4", "x86-64-v3", "generic")
SPARSITIES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
GRANULARITIES = ("element", "1x4", "n:m")  # 1x4: one input by four neighbouring outputs; n:m: so many of each four inputs are left
FAR = 1e-3


def product(random, length, widths):
    """Linear layers with Relu between: (nodes, weights, shape of the data)."""
    nodes, weights, x = [], [], "x"
    for i, (k, n) in enumerate(zip(widths, widths[1:])):
        weights += [(f"w{i}", random.standard_normal((k, n)) * (2 / k) ** 0.5), (f"b{i}", random.standard_normal(n))]
        nodes += [helper.make_node("MatMul", [x, f"w{i}"], [f"m{i}"]), helper.make_node("Add", [f"m{i}", f"b{i}"], [f"a{i}"])]
        x = f"a{i}"
        if i + 2 < len(widths):
            nodes.append(helper.make_node("Relu", [x], [f"r{i}"]))
            x = f"r{i}"
    nodes.append(helper.make_node("Identity", [x], ["y"]))
    return nodes, weights, (length, widths[0])


def picture(random, channels, size, window):
    """Three convolutions of equal shape, between Relus."""
    nodes, weights, x = [helper.make_node("Relu", ["x"], ["x0"])], [], "x0"
    for i in range(3):
        shape = (channels, channels, window, window)
        weights += [(f"w{i}", random.standard_normal(shape) * (2 / (channels * window**2)) ** 0.5), (f"b{i}", random.standard_normal(channels))]
        nodes += [helper.make_node("Conv", [x, f"w{i}", f"b{i}"], [f"c{i}"], pads=[window // 2] * 4), helper.make_node("Relu", [f"c{i}"], [f"x{i + 1}"])]
        x = f"x{i + 1}"
    nodes.append(helper.make_node("Identity", [x], ["y"]))
    return nodes, weights, (1, channels, size, size)


CASES = {
    "mlp-3x512": lambda r: product(r, 1, (512, 512, 512, 512)),
    "ffn-1": lambda r: product(r, 1, (384, 1536, 384)),
    "ffn-128": lambda r: product(r, 128, (384, 1536, 384)),
    "conv1x1-256": lambda r: picture(r, 256, 14, 1),
    "conv3x3-64": lambda r: picture(r, 64, 56, 3),
    "conv3x3-512": lambda r: picture(r, 512, 7, 3),
}


def mask(random, shape, sparsity, granularity):
    """What is left of weights [inputs, outputs]."""
    inputs, outputs = shape
    if granularity == "1x4":
        return np.repeat(random.random((inputs, outputs // 4)) >= sparsity, 4, axis=1)
    if granularity == "n:m":
        order = np.argsort(np.argsort(random.random((inputs // 4, 4, outputs)), axis=1), axis=1)
        return order.reshape(shape) >= round(4 * sparsity)
    return random.random(shape) >= sparsity


def pruned(random, w, sparsity, granularity):
    if w.ndim < 2 or sparsity == 0:
        return w
    matrix = w if w.ndim == 2 else w.reshape(w.shape[0], -1).T
    left = matrix * mask(random, matrix.shape, sparsity, granularity)
    return left if w.ndim == 2 else left.T.reshape(w.shape)


def make(name, sparsity, granularity):
    """The path of the model, and its data."""
    random = np.random.default_rng(0)
    nodes, weights, shape = CASES[name](random)
    constants = [numpy_helper.from_array(np.float32(pruned(random, w, sparsity, granularity)), n) for n, w in weights]
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    path = os.path.join(BUILD, "bench", "sparse", f"{name}-{sparsity}-{granularity.replace(':', 'of')}.onnx")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path, {"x": random.standard_normal(shape).astype(np.float32)}


def settings(granularity, sparsities):
    return [s for s in sparsities if granularity != "n:m" or s in (0.5, 0.75)]


def subjects_of(name, options, target):
    """(key, subject): the dense model, by both Winograd and direct code where those differ, each setting, the peer."""
    dense, feeds = make(name, 0, "element")
    yield "dense", Jit(dense, feeds, target), dense, feeds
    if "3x3" in name:
        yield "direct", Jit(dense, feeds, target, options={"skip": "winograd"}), dense, feeds
    for granularity in options.granularities:
        for sparsity in settings(granularity, options.sparsities):
            model, feeds = make(name, sparsity, granularity)
            yield (granularity, sparsity), Jit(model, feeds, target), model, feeds
    if "onnxruntime" in PEERS:
        yield "onnxruntime", PEERS["onnxruntime"](dense, feeds, 1), dense, feeds


def measure(name, options, target):
    """The gain over the own dense code by setting, direct where there is Winograd's, too; and ONNX Runtime's time as a part of the dense one."""
    made = list(subjects_of(name, options, target))
    for key, subject, model, feeds in made:
        subject.call()
        want = reference(model, feeds)["y"]
        error = np.abs(subject.outputs()["y"] - want).max() / np.abs(want).max()
        if not error <= FAR:
            raise SubjectError(f"{name} {key} on {target}: off by {error:.2g} of the range")
    rows, _ = bench.run_rounds([s for _, s, _, _ in made], options.rounds, options.seconds)
    times = {key: rows[:, i] for i, (key, _, _, _) in enumerate(made)}
    for _, subject, _, _ in made:
        subject.close()
    direct = times.get("direct", times["dense"])
    return {key: float(np.median(direct / t)) for key, t in times.items()}


def table(results, options):
    for target in options.targets:
        columns = [(g, s) for g in options.granularities for s in settings(g, options.sparsities)]
        print(f"\n{target}: times faster than own direct dense code\n")
        print("| model | " + " | ".join(f"{g} {s:.0%}" for g, s in columns) + " | Winograd | ONNX Runtime, dense |")
        print("|---|" + "---:|" * (len(columns) + 2))
        for name in options.models:
            gains = results[target, name]
            cells = [f"{gains[c]:.2f}" for c in columns] + [f"{gains['dense']:.2f}" if "direct" in gains else "-", f"{gains['onnxruntime']:.2f}"]
            print(f"| {name} | " + " | ".join(cells) + " |")


def plot(results, options):
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    figure, axes = plt.subplots(len(options.targets), len(options.models), sharex=True, squeeze=False,
                                figsize=(3.2 * len(options.models), 2.8 * len(options.targets)))
    for row, target in zip(axes, options.targets):
        for at, name in zip(row, options.models):
            gains = results[target, name]
            for granularity, marker in zip(options.granularities, "os^"):
                points = settings(granularity, options.sparsities)
                at.plot([100 * s for s in points], [gains[granularity, s] for s in points], marker + "-", label=granularity)
            at.axhline(1, color="black", linewidth=0.8, label="own dense, direct")
            if "direct" in gains:
                at.axhline(gains["dense"], color="black", linestyle=":", linewidth=1, label="own Winograd")
            at.axhline(gains["onnxruntime"], color="grey", linestyle="--", linewidth=1, label="ONNX Runtime, dense")
            at.set_title(f"{name}, {target}", fontsize=9)
            at.set_yscale("log", base=2)
            at.yaxis.set_major_formatter(matplotlib.ticker.FormatStrFormatter("%g"))
            at.grid(alpha=0.3)
    for at in axes[-1]:
        at.set_xlabel("zeros, %")
    for row in axes:
        row[0].set_ylabel("times faster")
    handles, labels = {}, []
    for at in axes.flat:
        handles.update({label: handle for handle, label in zip(*at.get_legend_handles_labels())})
    figure.legend(handles.values(), handles.keys(), loc="lower center", ncols=len(handles), frameon=False)
    figure.tight_layout(rect=(0, 0.03 + 0.02 * (len(options.targets) == 1), 1, 1))
    figure.savefig(options.plot, metadata={"Date": None} if options.plot.endswith(".svg") else None)


def parse_options():
    parser = argparse.ArgumentParser(prog="bench --sparse", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=bench.some_of(CASES), default=list(CASES), help="which, with commas between (all): " + ", ".join(CASES))
    parser.add_argument("--targets", type=bench.some_of(TARGETS), default=["x86-64-vnni", "x86-64-v3"], help="what tenon compiles for: " + ", ".join(TARGETS))
    parser.add_argument("--granularities", type=bench.some_of(GRANULARITIES), default=list(GRANULARITIES), help=", ".join(GRANULARITIES) + " (all)")
    parser.add_argument("--rounds", type=bench.at_least(1, int), default=9, help="at least so many for each model (9)")
    parser.add_argument("--seconds", type=bench.at_least(0, float), default=2, help="at least so long for each model (2)")
    parser.add_argument("--plot", metavar="FILE", help="a picture, SVG or PNG")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, choices=cores, default=cores[-1], help="the core to run on (the last)")
    options = parser.parse_args()
    options.sparsities = SPARSITIES
    return options


def main():
    options = parse_options()
    os.sched_setaffinity(0, {options.core})
    results = {}
    for target in options.targets:
        for name in options.models:
            results[target, name] = measure(name, options, target)
            print(f"{target} {name}: {results[target, name]['element', 0.9]:.2f} times faster at 90 % zeros", file=sys.stderr, flush=True)
    table(results, options)
    if options.plot:
        plot(results, options)
    return 0


if __name__ == "__main__":
    run_script("bench", main)
