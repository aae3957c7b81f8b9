#!/usr/bin/env python3
"""tenon inspect on every shipped model: the arena and its lower bound computed again from the loop program, parameters from the file,
sums over nodes and operators."""
import json
import os
import re
import sys
from collections import Counter

import numpy as np
import onnx
from onnx import numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, tenon  # noqa: E402
from samples import SHIPPED, inputs, shape_options  # noqa: E402

ALIGN = 64
BYTES = {"f32": 4, "i32": 4, "i64": 8, "u8": 1, "i8": 1, "bool": 1, "f64": 8}


def plan_of(text):
    """[(offset, bytes, first step, last step)] of the arena buffers that steps use."""
    buffers = {m[1]: (int(m[4]), -(-int(m[3]) * BYTES[m[2]] // ALIGN) * ALIGN)
               for m in re.finditer(r"^  arena (\w+): (\w+)\[(\d+)\] at (\d+)", text, re.M)}
    life = {}
    for step, arguments in enumerate(re.findall(r"^  step \w+\(([^)]*)\)", text, re.M)):
        for name in arguments.split(", "):
            if name in buffers:
                life[name] = (life.get(name, (step, step))[0], step)
    return [(*buffers[name], *life[name]) for name in life]


def check_arena(checks, name, totals, plan):
    end = max((offset + size for offset, size, _, _ in plan), default=0)
    steps = range(max((last for *_, last in plan), default=-1) + 1)
    least = max((sum(size for _, size, first, last in plan if first <= s <= last) for s in steps), default=0)
    clash = [(a, b) for i, a in enumerate(plan) for b in plan[:i]
             if a[2] <= b[3] and b[2] <= a[3] and a[0] < b[0] + b[1] and b[0] < a[0] + a[1]]
    checks.check(f"{name}: what lives at a time does not overlap", not clash, str(clash[:1]))
    checks.equal(f"{name}: arena", totals["arena_bytes"], end)
    checks.equal(f"{name}: the most that lives at a time", totals["arena_least_bytes"], least)
    checks.check(f"{name}: arena within 5 % of that", end <= 1.05 * least, f"{end} of {least}")


def file_parameters(model):
    """Elements of the constants that nodes use: floats and integers of more than one element, but no indices."""
    graph = onnx.load(model).graph
    tensors = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    tensors |= {n.output[0]: numpy_helper.to_array(a.t) for n in graph.node if n.op_type == "Constant" for a in n.attribute if a.name == "value"}
    used = {i for n in graph.node for i in n.input}
    return sum(a.size for name, a in tensors.items() if name in used and a.size > 1 and a.dtype not in (np.int64, np.bool_))


def check_cost(checks, name, report):
    totals, nodes = report["totals"], report["nodes"]
    lowered = sum(totals["macs_by_precision"].values())
    checks.check(f"{name}: MACs by precision are those of the code", 0 < lowered <= 1.25 * totals["macs"] + 1e6, f"{lowered} of {totals['macs']}")
    checks.check(f"{name}: predicted cycles of the nodes", 0 < sum(n["cycles"] for n in nodes) <= totals["predicted"]["cycles"] * (1 + 1e-9))
    checks.check(f"{name}: bytes moved by the nodes", 0 < sum(n["moved_bytes"] for n in nodes) <= totals["moved_bytes"])
    bits = [n[what] for n in nodes for what in ("weight_bits", "data_bits")]
    checks.check(f"{name}: bits of nodes", all(b == 0 or 1 <= b <= 64 for b in bits), str(bits))
    quantised = "int8" in name
    checks.check(f"{name}: bits of a weight", (8 <= totals["weight_bits"] < 14) if quantised else 30 <= totals["weight_bits"] <= 33, str(totals["weight_bits"]))
    computed = [n for n in nodes if n["macs"] > 0 and n["precision"] not in ("", "int", "table")]
    checks.check(f"{name}: MACs say what they multiply", bool(computed) and set(totals["macs_by_precision"]) <= {"float", "8x8", "int"}, str(totals["macs_by_precision"]))


def check_order(checks, costs):
    """Predictions for the last target: more work takes longer; nothing is measured."""
    cycles = {name: t["predicted"]["cycles"] for name, t in costs.items()}
    for name, t in costs.items():
        least = t["macs"] / 64
        checks.check(f"{name}: no faster than its MACs allow", cycles[name] > least, f"{cycles[name]} cycles, {t['macs']} MACs")
    for more, less in (("bert", "resnet8"), ("resnet8", "kws"), ("vww", "kws"), ("vww", "mnist-mlp"), ("resnet8", "mnist-cnn")):
        pairs = [(m, n) for m in costs for n in costs if more in m and less in n and costs[m]["macs"] > 2 * costs[n]["macs"] and ("int8" in m) == ("int8" in n)]
        checks.check(f"{more} takes longer than {less}", bool(pairs) and all(cycles[m] > cycles[n] for m, n in pairs), f"{pairs}")


def main():
    checks = Checks()
    costs = {}
    for name, model, folder in SHIPPED:
        words = [model, *shape_options(inputs(model, os.path.join(folder, "test_data_set_0")))]
        for target in ("x86-64-v3", "generic"):
            done = tenon("inspect", *words, "--target", target, "--json")
            loops = tenon("compile", *words, "--target", target, "--emit", "loops")
            if not checks.check(f"{name} {target}: tenon inspect", done.status == 0 and loops.status == 0, done.last):
                continue
            report = json.loads(done.out)
            check_arena(checks, f"{name} {target}", report["totals"], plan_of(loops.out))
        totals, nodes, operators = report["totals"], report["nodes"], report["operators"]
        checks.equal(f"{name}: operators", {o["op"]: o["nodes"] for o in operators}, dict(Counter(n["op"] for n in nodes)))
        for what in ("macs", "params"):
            checks.equal(f"{name}: {what} by operator", sum(o[what] for o in operators), sum(n[what] for n in nodes))
        checks.equal(f"{name}: MACs of all nodes", sum(n["macs"] for n in nodes), totals["macs"])
        checks.equal(f"{name}: parameters of the file", totals["params"], file_parameters(model))
        check_cost(checks, name, report)
        costs[name] = totals
        rows = [line.split() for line in tenon("inspect", *words).out.splitlines()]
        checks.check(f"{name}: the text has every operator's sum", all([o["op"], str(o["nodes"])] in [r[:2] for r in rows] for o in operators))
    check_order(checks, costs)
    checks.finish()


if __name__ == "__main__":
    main()
