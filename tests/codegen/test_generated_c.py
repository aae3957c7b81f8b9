#!/usr/bin/env python3
"""Generated C: one result to the bit from every compiler at every level, no warning, nothing undefined, clean under sanitizers."""
import glob
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import CLANG, Checks, run, scratch, tenon  # noqa: E402
from samples import SHIPPED, hash_of, inputs, shape_options  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
TARGETS = ("x86-64", "x86-64-v3")
LIBRARY = {"memcpy", "memset", "memmove"}


class Case:
    """A model's generated C for one target, its raw inputs, and the hashes that the JIT's outputs have."""

    def __init__(self, checks, name, model, data_set, target, weights="inline"):
        self.name, self.target, self.weights = f"{name} {target}" + ("" if weights == "inline" else f" --weights {weights}"), target, weights
        self.prefix = "m" + name.replace("-", "_")
        self.folder = scratch(f"codegen-{name}-{target}-{weights}")
        pairs = inputs(model, data_set)
        self.raw = []
        for i, (_, array) in enumerate(pairs):
            self.raw.append(os.path.join(self.folder, f"{i}.raw"))
            array.tofile(self.raw[-1])
            np.save(os.path.join(self.folder, f"{i}.npy"), array)
        options = ["--target", target, *shape_options(pairs)]
        made = tenon("compile", model, "--emit", "c", "--name", self.prefix, "--weights", weights, "-o", self.folder, *options)
        self.good = checks.check(f"{self.name}: tenon compile", made.status == 0, made.last)
        feeds = [w for i, (n, _) in enumerate(pairs) for w in ("--input", f"{n}={self.folder}/{i}.npy")]
        ran = tenon("run", model, *feeds, "--target", target, "-o", os.path.join(self.folder, "jit"))
        self.good &= checks.check(f"{self.name}: tenon run", ran.status == 0, ran.last)
        self.want = {}
        if self.good:
            for file in sorted(os.listdir(os.path.join(self.folder, "jit"))):
                self.want[file[:-4]] = hash_of(np.load(os.path.join(self.folder, "jit", file)))

    def sources(self):
        names = [self.prefix + ".c"] + ([self.prefix + "_weights.c"] if self.weights == "c" else [])
        return [os.path.join(self.folder, n) for n in names]

    def build(self, program, compiler, *flags):
        """Compiles the model with `flags` and the harness without them, so that only the model is under test."""
        objects = []
        for i, source in enumerate(self.sources()):
            objects.append(f"{program}.{i}.o")
            done = run([compiler, *flags, "-I", self.folder, "-c", source, "-o", objects[-1]], timeout=300)
            if done.status != 0:
                return done
        shared = [f for f in flags if f.startswith("-fsanitize")]
        return run([compiler, "-O1", *shared, "-I", self.folder, f"-DMODEL={self.prefix}_model", os.path.join(HERE, "harness.c"), *objects,
                    "-o", program, "-lpthread"])

    def arguments(self, *more):
        weights = ["-w", os.path.join(self.folder, self.prefix + ".weights")] if self.weights == "bin" else []
        return [*weights, *more, *self.raw]


def same_bits(checks, case, compiler, flags, more=(), env=None):
    name = f"{case.name}: {compiler} {' '.join(flags)} {' '.join(more)}".rstrip()
    program = os.path.join(case.folder, "run_" + "".join(c if c.isalnum() else "_" for c in compiler + "".join([*flags, *more])) + ".exe")
    built = case.build(program, compiler, *flags)
    if not checks.check(f"{name}: compiles without a word", built.status == 0 and built.err == "", built.last):
        return
    ran = run([program, *case.arguments(*more)], env=env, timeout=120)
    got = dict(line.split() for line in ran.out.splitlines()) if ran.status == 0 else {}
    checks.check(f"{name}: the JIT's bits", ran.status == 0 and got == case.want, f"{ran.last}; want {case.want}")
    for made in glob.glob(program + "*"):  # the objects hold the weights; many of them fill a disk
        os.unlink(made)


def only_memory_functions(checks, case):
    """Nothing undefined but memcpy, memset and memmove, whatever the compiler and level."""
    for compiler, level in (("gcc", "-O0"), ("gcc", "-O3"), (CLANG, "-O0"), (CLANG, "-O3")):
        undefined = set()
        for i, source in enumerate(case.sources()):
            made = os.path.join(case.folder, f"nm_{compiler}{level}.{i}.o")
            done = run([compiler, level, "-std=c99", "-I", case.folder, "-c", source, "-o", made])
            if not checks.check(f"{case.name}: {compiler} {level} for nm", done.status == 0, done.last):
                return
            undefined |= {line.split()[-1] for line in subprocess.run(["nm", "-u", made], capture_output=True, text=True, check=True).stdout.splitlines()}
        extra = {u for u in undefined - LIBRARY if not u.startswith(case.prefix)}
        checks.check(f"{case.name}: {compiler} {level}: nothing undefined but memory functions", not extra, ", ".join(sorted(extra)))


def example_runs(checks, case):
    """PREFIX_example.c is a whole program."""
    program = os.path.join(case.folder, "example")
    sources = [*case.sources(), os.path.join(case.folder, case.prefix + "_example.c")]
    built = run(["gcc", "-std=c99", *WARNINGS, "-O2", "-I", case.folder, *sources, "-o", program])
    checks.check(f"{case.name}: the example compiles", built.status == 0, built.last)
    if built.status == 0:
        ran = run([program], cwd=case.folder, timeout=60)
        checks.check(f"{case.name}: the example runs", ran.status == 0 and ran.out.strip() != "", ran.last)


def header_from_cxx(checks, case):
    source = os.path.join(case.folder, "use.cpp")
    with open(source, "w") as f:
        f.write(f'#include "{case.prefix}.h"\nint use(const tenon_model **m) {{ *m = {case.prefix}_model(TENON_ABI); return {case.prefix}_ARENA_BYTES >= 0; }}\n')
    done = run([CLANG, "-x", "c++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I", case.folder, source])
    checks.check(f"{case.name}: the header is C++ too", done.status == 0, done.last)


def main():
    checks = Checks()
    matrix = [(compiler, [level, *std, *WARNINGS]) for compiler in ("gcc", CLANG) for std in ([], ["-std=c99"])
              for level in ("-O0", "-O2", "-O3")]
    matrix += [(compiler, ["-O3", "-march=native", *std, *WARNINGS]) for compiler in ("gcc", CLANG) for std in ([], ["-std=c99"])]
    short = [("gcc", ["-O2", *WARNINGS]), (CLANG, ["-O3", "-std=c99", *WARNINGS]), ("gcc", ["-O3", "-march=native", *WARNINGS])]
    sanitizers = [("gcc", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], ()),
                  ("gcc", ["-O1", "-fsanitize=thread"], ("-t",)),
                  (CLANG, ["-O2"], ("-t",))]
    jobs = []
    for name, model, folder in SHIPPED:
        for target in TARGETS:
            if target != TARGETS[-1] and name not in ("mnist-cnn", "mnist-mlp", "bert-static_1x128"):
                continue
            case = Case(checks, name, model, os.path.join(folder, "test_data_set_0"), target)
            if not case.good:
                continue
            full = name == "mnist-cnn" or (name == "bert-static_1x128" and target == TARGETS[-1])
            jobs += [(same_bits, (checks, case, c, f)) for c, f in (matrix if full else short)]
            if name in ("mnist-cnn", "bert-static_1x128"):
                jobs += [(only_memory_functions, (checks, case))]
            if full:
                jobs += [(same_bits, (checks, case, c, f, more, {"TSAN_OPTIONS": "halt_on_error=1"})) for c, f, more in sanitizers]
                jobs += [(example_runs, (checks, case)), (header_from_cxx, (checks, case))]
    for weights in ("c", "bin"):
        name, model, folder = SHIPPED[1]
        case = Case(checks, name, model, os.path.join(folder, "test_data_set_0"), "x86-64-v3", weights)
        jobs += [(same_bits, (checks, case, "gcc", ["-O2", "-std=c99", *WARNINGS]))] if case.good else []
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(what, *arguments) for what, arguments in jobs]:
            done.result()
    checks.finish()


if __name__ == "__main__":
    main()
