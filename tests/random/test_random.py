#!/usr/bin/env python3
"""Random models of one to some operators: the same bits from every back end, and the values that ONNX Runtime or the reference gives.

    test_random.py [--seed N] [--cases N] [--first N]       all that the step does, for other cases
    test_random.py --seed N --case N [--write FOLDER]       one case: its text, and what is wrong with it

With --write the case goes to FOLDER as model.onnx with test_data_set_0, for tenon check.
"""
import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import onnx
from onnx import helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
import cases  # noqa: E402
import packs  # noqa: E402
from checks import CLANG, Checks, scratch  # noqa: E402

ALL = ("--backend", "all")
# Beside the host's, by the number of the pack: another target, another compiler or level for its C.
TARGETS = (None, "x86-64", None, "x86-64-v3", None, "generic")
COMPILERS = (("gcc", "-O2"), ("gcc", "-O0"), (CLANG, "-O1"), ("gcc", "-O1"))


def compilers(folder):
    """Scripts that set the level after tenon has; tenon itself says -O2."""
    made = []
    for compiler, level in COMPILERS:
        script = os.path.join(folder, f"{compiler}{level}.sh")
        with open(script, "w") as f:
            f.write(f'exec {compiler} "$@" {level}\n')
        made.append(f"sh {script}")
    return made


def ways(number, scripts):
    script = scripts[number % len(scripts)]
    chosen = [packs.Way(ALL, script), packs.Way(("--backend", "interp" if number % 2 else "jit", "--schedule", "naive"))]
    target = TARGETS[number % len(TARGETS)]
    return chosen + ([packs.Way((*ALL, "--target", target), script)] if target else [])


def run_pack(seed, numbers, scripts, folder):
    """[(case number, operators, what is wrong)] of a pack."""
    made, found = [], {}
    for number in numbers:
        try:
            made.append(cases.Case(seed, number))
        except Exception as e:
            found[number] = [f"no expected outputs: {type(e).__name__}: {str(e)[:400]}"]
    for way in ways(numbers[0] // cases.PACK, scripts) if made else []:
        for number, why in packs.judge(made, way, folder).items():
            found.setdefault(number, []).append(f"{way}: {why}")
    return found


def describe(seed, number):
    net = cases.build(seed, number)
    return f"operator set {net.opset}\n{onnx.printer.to_text(net.model())}"


def write_case(case, folder):
    data = os.path.join(folder, "test_data_set_0")
    os.makedirs(data, exist_ok=True)
    onnx.save(case.net.model(), os.path.join(folder, "model.onnx"))
    held = {"input": list(case.net.feeds().items()), "output": [(v.name, e.values.astype(v.dtype)) for v, e in zip(case.net.outputs, case.expected)]}
    for kind, arrays in held.items():
        for k, (name, array) in enumerate(arrays):
            with open(os.path.join(data, f"{kind}_{k}.pb"), "wb") as f:
                f.write(numpy_helper.from_array(array, name).SerializeToString())


def report(checks, seed, numbers, found):
    for number in numbers:
        why = found.get(number, [])
        if not checks.check(f"seed {seed} case {number}", not why, "\n    ".join(["", *why])):
            print(f"{describe(seed, number)}\n    {sys.argv[0]} --seed {seed} --case {number} --write FOLDER", flush=True)
    for why in found.get(None, []):
        checks.check(f"seed {seed} cases {numbers[0]} to {numbers[-1]}", False, why)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", type=int, default=3200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--case", type=int)
    parser.add_argument("--write", metavar="FOLDER")
    options = parser.parse_args()
    folder, checks = scratch("random"), Checks()
    scripts = compilers(folder)
    if options.case is not None:
        print(describe(options.seed, options.case))
        if options.write:
            write_case(cases.Case(options.seed, options.case), options.write)
        report(checks, options.seed, [options.case], run_pack(options.seed, [options.case], scripts, os.path.join(folder, "one")))
        checks.finish()
    starts = range(options.first, options.first + options.cases, cases.PACK)
    numbered = [[-1 - k for k in range(len(cases.regressions.REGRESSIONS))]] + [list(range(start, min(start + cases.PACK, options.first + options.cases))) for start in starts]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        work = pool.map(lambda numbers: (numbers, run_pack(options.seed, numbers, scripts, os.path.join(folder, str(numbers[0])))), numbered)
        for numbers, found in work:
            report(checks, options.seed, numbers, found)
    checks.finish()


if __name__ == "__main__":
    main()
