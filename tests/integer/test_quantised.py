#!/usr/bin/env python3
"""Random quantised graphs over widths of 2 to 16 bits: the same bits on every back end and from the naive schedule, one step from floats.

    test_quantised.py [--seed N] [--cases N] [--first N] [--write FOLDER]
"""
import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, scratch, tenon  # noqa: E402
from quantised_cases import pack  # noqa: E402

PACK = 40
TARGETS = ("host", "x86-64-v3", "generic", "x86-64")
SIGNED_BITS = {onnx.TensorProto.INT4: 4, onnx.TensorProto.INT2: 2}
# How integers are computed may not matter.
EXACT = (("--schedule", "naive", "--backend", "jit"), ("--backend", "all", "--target", None))


def outputs(model, feeds, folder, *options):
    words = [word for name, path in feeds.items() for word in ("--input", f"{name}={path}")]
    done = tenon("run", model, *words, "-o", folder, "--int", "force", *options, timeout=900)
    if done.status != 0:
        raise RuntimeError(f"{' '.join(options)}: {done.err.strip()[:600] or done.last}")
    return {f[:-4]: np.load(os.path.join(folder, f)) for f in sorted(os.listdir(folder)) if f.endswith(".npy")}


def signed(outputs, model):
    """With the numbers of narrow signed types, which are bits of a byte in files, as numbers."""
    bits = {o.name: SIGNED_BITS[o.type.tensor_type.elem_type] for o in model.graph.output if o.type.tensor_type.elem_type in SIGNED_BITS}
    for name, n in bits.items():
        x = outputs[name].astype(np.int64)
        outputs[name] = np.where(x >= 1 << (n - 1), x - (1 << n), x)
    return outputs


def distance(x, y):
    return np.abs(x.astype(np.int64) - y.astype(np.int64))


def differing(got, want, allowed):
    return [name for name in want if got[name].shape != want[name].shape or (want[name].size and distance(got[name], want[name]).max() > allowed)]


def judge(seed, numbers, folder):
    """(failures, elements, elements that equal those computed in floats)."""
    os.makedirs(folder, exist_ok=True)
    model, feeds = pack(seed, numbers)
    path = os.path.join(folder, "model.onnx")
    onnx.save(model, path)
    files = {}
    for name, array in feeds.items():
        files[name] = os.path.join(folder, f"{name}.npy")
        np.save(files[name], array.astype(np.int64 if array.dtype.kind not in "iu" else array.dtype) if array.dtype.itemsize == 1 and array.dtype.kind == "V" else array)
    made = signed(outputs(path, files, os.path.join(folder, "best")), model)
    failures = []
    for k, way in enumerate(EXACT):
        options = [TARGETS[numbers[0] // PACK % len(TARGETS)] if word is None else word for word in way]
        wrong = differing(signed(outputs(path, files, os.path.join(folder, f"way{k}"), *options), model), made, 0)
        failures += [f"{name} differs with {' '.join(options)}" for name in wrong]
    floats = signed(outputs(path, files, os.path.join(folder, "floats"), "--skip", "integer"), model)
    firsts = {name: y for name, y in floats.items() if name.endswith("_first")}
    failures += [f"{name} is more than a step from what floats give" for name in differing(made, firsts, 1)]
    equal = sum(int((distance(made[name], y) == 0).sum()) for name, y in firsts.items())
    return failures, sum(y.size for y in firsts.values()), equal


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    folder, checks = scratch("quantised"), Checks()
    packs = [list(range(first, min(first + PACK, options.first + options.cases))) for first in range(options.first, options.first + options.cases, PACK)]

    def run(numbers):
        try:
            return judge(options.seed, numbers, os.path.join(folder, str(numbers[0])))
        except Exception as e:
            return [f"{type(e).__name__}: {e}"], 0, 0

    elements = equal = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for numbers, (failures, n, same) in zip(packs, pool.map(run, packs)):
            for number in numbers:
                why = [f for f in failures if f.startswith(f"c{number}_")]
                checks.check(f"seed {options.seed} case {number}", not why, "; ".join(why))
            rest = [f for f in failures if not f.startswith("c")]
            checks.check(f"seed {options.seed} cases {numbers[0]} to {numbers[-1]}", not rest, "; ".join(rest))
            elements, equal = elements + n, equal + same
    # A third of the scales are powers of two, where ties are common: integers round them up, floats to even.
    checks.check("99.5 % of all results are those of floats", equal >= 0.995 * elements, f"{equal} of {elements}")
    print(f"{equal} of {elements} results are those of floats")
    checks.finish()


if __name__ == "__main__":
    main()
