#!/usr/bin/env python3
"""Objects and libraries: the interpreter's bits, three symbols and nothing else, no writable data, the same bytes again; and .so files in
place of models."""
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import MODELS, Checks, run, scratch, tenon  # noqa: E402
from operator_cases import operator_cases  # noqa: E402
from samples import SHIPPED, fed, hash_of, inputs, output_types, packed, shape_options  # noqa: E402

LIBRARY = {"memcpy", "memset", "memmove"}
FORMS = ("inline", "c", "obj", "bin")
CNN = next(row for row in SHIPPED if row[0] == "mnist-cnn")
# Operators whose objects might want a library: square roots, rounding, powers, narrow floats, wide integers, checks.
OPERATORS = ("Sqrt", "Round", "Floor", "Pow", "Erf", "Mod", "Div", "Cast", "Gather", "CumSum", "QuantizeLinear", "DequantizeLinear", "Softmax",
             "ReduceMean", "BitShift", "Exp", "Where", "OneHot", "Conv")


class Case:
    """A model, one set of inputs as raw files, and the hashes of the interpreter's outputs for a target."""

    def __init__(self, checks, name, model, data_set, target, more=()):
        self.name, self.model, self.target = f"{name} {target}", model, target
        self.prefix = "m" + "".join(c if c.isalnum() else "_" for c in name)
        self.folder = scratch(f"objects-{self.prefix}-{target}")
        pairs = inputs(model, data_set)
        self.raw, feeds = [], []
        for i, (key, array) in enumerate(pairs):
            self.raw.append(os.path.join(self.folder, f"{i}.raw"))
            with open(self.raw[-1], "wb") as f:
                f.write(packed(array.tobytes(), array.dtype))
            np.save(os.path.join(self.folder, f"{i}.npy"), fed(array))
            feeds += ["--input", f"{key}={self.folder}/{i}.npy"]
        self.options = ["--target", target, "--name", self.prefix, *shape_options(pairs), *more]
        ran = tenon("run", model, *feeds, "--target", target, "--backend", "interp", "-o", os.path.join(self.folder, "interp"), timeout=300)
        self.good = checks.check(f"{self.name}: tenon run", ran.status == 0, ran.last)
        self.feeds, self.want = feeds, {}
        if self.good:
            types = dict(output_types(model))
            for file in sorted(os.listdir(os.path.join(self.folder, "interp"))):
                array = np.load(os.path.join(self.folder, "interp", file))
                narrow = packed(array.tobytes(), types.get(file[:-4], array.dtype))
                self.want[file[:-4]] = hash_of(array if len(narrow) == array.nbytes else np.frombuffer(narrow, np.uint8))

    def emit(self, form, weights="inline", folder=None, **more):
        """tenon compile into a folder of its own; the folder."""
        folder = os.path.join(self.folder, folder or f"{form}-{weights}")
        return folder, tenon("compile", self.model, "--emit", form, "--weights", weights, "-o", folder, *self.options, **more)


def symbols(file):
    """(defined globals, undefined) of an object."""
    lines = [line.split() for line in subprocess.run(["nm", "-g", file], capture_output=True, text=True, check=True).stdout.splitlines()]
    return {w[-1] for w in lines if w[-2] != "U"}, {w[-1] for w in lines if w[-2] == "U"}


def writable(file):
    """Sections with data that a program could change."""
    out = subprocess.run(["readelf", "-SW", file], capture_output=True, text=True, check=True).stdout
    found = []
    for line in out.splitlines():
        words = line.replace("[ ", "[").split()
        if len(words) > 7 and words[0].startswith("[") and "W" in words[7] and int(words[5], 16) > 0 and not words[1].startswith((".data.rel.ro", ".dyn", ".got")):
            found.append(words[1])
    return found


def entry_points(case):
    return {f"{case.prefix}_{what}" for what in ("run", "run_env", "model")}


def clean_object(checks, case, file, weights):
    defined, undefined = symbols(file)
    checks.equal(f"{case.name}: defined symbols, --weights {weights}", defined, entry_points(case))
    own = {u for u in undefined if weights in ("c", "obj") and u.startswith(case.prefix + "_w_")}
    checks.check(f"{case.name}: undefined symbols, --weights {weights}", undefined - own <= LIBRARY, str(sorted(undefined - own)))
    checks.check(f"{case.name}: weights are outside, --weights {weights}", bool(own) == (weights in ("c", "obj")), str(sorted(own)))
    checks.equal(f"{case.name}: no writable data, --weights {weights}", writable(file), [])


def same_bits(checks, case, name, parts, folder, weights="inline", more=()):
    """The harness linked with the parts gives the interpreter's bits."""
    program = os.path.join(folder, "harness")
    built = run(["gcc", "-O1", "-I", folder, f"-DMODEL={case.prefix}_model", os.path.join(HERE, "harness.c"), *parts, "-o", program, "-lpthread"])
    if not checks.check(f"{case.name}: {name} links", built.status == 0 and built.err == "", built.last):
        return
    given = ["-w", os.path.join(folder, case.prefix + ".weights")] if weights == "bin" else []
    ran = run([program, *given, *more, *case.raw], timeout=120)
    got = dict(line.split() for line in ran.out.splitlines()) if ran.status == 0 else {}
    checks.check(f"{case.name}: {name} gives the interpreter's bits", got == case.want and bool(got), f"{ran.last}; want {case.want}")
    os.unlink(program)


def object_is_right(checks, case, weights="inline"):
    folder, made = case.emit("obj", weights)
    if not checks.check(f"{case.name}: --emit obj --weights {weights}", made.status == 0, made.last):
        return
    file = os.path.join(folder, case.prefix + ".o")
    parts = [file]
    if case.want and weights == "inline":
        checks.check(f"{case.name}: no more files", {"tenon", case.prefix + ".h", case.prefix + ".o", case.prefix + "_example.c"} == set(os.listdir(folder)))
    if weights == "obj":
        parts.append(os.path.join(folder, case.prefix + "_weights.o"))
        checks.equal(f"{case.name}: no writable data in the weights", writable(parts[-1]), [])
        checks.equal(f"{case.name}: nothing undefined in the weights", symbols(parts[-1])[1], set())
    if weights == "c":
        parts.append(os.path.join(folder, case.prefix + "_weights.c"))
    clean_object(checks, case, file, weights)
    same_bits(checks, case, f"the object, --weights {weights}", parts, folder, weights)
    again = case.emit("obj", weights, folder="again-" + weights)[0]
    same = all(open(os.path.join(folder, n), "rb").read() == open(os.path.join(again, n), "rb").read() for n in os.listdir(again) if n != "tenon")
    checks.check(f"{case.name}: the same bytes again, --weights {weights}", same)


def some_cases(folder, op):
    """A few cases of an operator, more of Cast, whose cases are pairs of types."""
    names = sorted(os.listdir(os.path.join(folder, op)))
    return names[::-(-len(names) // (12 if op == "Cast" else 3))]


def operator_is_right(checks, folder, op, name, target):
    model = os.path.join(folder, op, name, "model.onnx")
    case = Case(checks, f"{op}/{name}", model, os.path.join(folder, op, name, "test_data_set_0"), target)
    if not case.good:
        return
    made_folder, made = case.emit("obj")
    file = os.path.join(made_folder, case.prefix + ".o")
    if checks.check(f"{case.name}: --emit obj", made.status == 0, made.last):
        clean_object(checks, case, file, "inline")
        same_bits(checks, case, "the object", [file], made_folder)


def two_threads(checks, case):
    folder = case.emit("obj", folder="threads")[0]
    same_bits(checks, case, "the object in two threads", [os.path.join(folder, case.prefix + ".o")], folder, more=("-t",))


def example_runs(checks, case, weights):
    folder = os.path.join(case.folder, f"obj-{weights}")
    program = os.path.join(folder, "example")
    parts = [os.path.join(folder, case.prefix + end) for end in ("_example.c", ".o")]
    built = run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-I", folder, *parts, "-o", program])
    words = [program] + ([os.path.join(folder, case.prefix + ".weights")] if weights == "bin" else [])
    ran = run(words) if built.status == 0 else built
    checks.check(f"{case.name}: the example with the object, --weights {weights}", ran.status == 0 and ran.out != "", ran.last)


# ---- libraries ----

def archive_is_right(checks, case, weights):
    folder, made = case.emit("lib", weights)
    if not checks.check(f"{case.name}: --emit lib --weights {weights}", made.status == 0, made.last):
        return
    library = os.path.join(folder, case.prefix + ".a")
    same_bits(checks, case, f"the archive, --weights {weights}", [library], folder, weights)
    again = os.path.join(case.emit("lib", weights, folder="again-lib")[0], case.prefix + ".a")
    checks.check(f"{case.name}: the same archive again, --weights {weights}", open(library, "rb").read() == open(again, "rb").read())


def shared_is_right(checks, case, data_set, weights):
    name = f"{case.name}: shared, --weights {weights}"
    folder, made = case.emit("shared", weights)
    if not checks.check(f"{name}: --emit", made.status == 0, made.last):
        return
    library = os.path.join(folder, case.prefix + ".so")
    shown = {line.split()[-1] for line in subprocess.run(["nm", "-D", "--defined-only", library], capture_output=True, text=True, check=True).stdout.splitlines()}
    checks.equal(f"{name}: what it exports", shown, entry_points(case))
    checks.equal(f"{name}: no writable data", writable(library), [])
    again = os.path.join(case.emit("shared", weights, folder=f"again-shared-{weights}")[0], case.prefix + ".so")
    checks.check(f"{name}: the same bytes again", open(library, "rb").read() == open(again, "rb").read())
    works_as_model(checks, case, name, library, data_set)


def works_as_model(checks, case, name, library, data_set):
    """Every command that takes a compiled model, on this one."""
    out = os.path.join(os.path.dirname(library), "run")
    ran = tenon("run", library, *case.feeds, "-o", out)
    got = {f[:-4]: hash_of(np.load(os.path.join(out, f))) for f in sorted(os.listdir(out))} if ran.status == 0 else {}
    checks.check(f"{name}: tenon run gives the interpreter's bits", got == case.want, f"{ran.last}; want {case.want}")
    checked = tenon("check", library, data_set)
    checks.check(f"{name}: tenon check", checked.status == 0, checked.last)
    bench = tenon("bench", library, "--time", "0", "--json", cwd=os.path.dirname(library))
    made = json.loads(bench.out) if bench.status == 0 else {}
    checks.check(f"{name}: tenon bench", made.get("code_bytes", 0) > 0 and made.get("weight_bytes", 0) > 0 and made["latency_us"]["runs"] >= 5, bench.last)
    looked = tenon("inspect", library, "--json")
    made = json.loads(looked.out) if looked.status == 0 else {}
    checks.equal(f"{name}: tenon inspect", [t["name"] for t in made.get("outputs", [])], list(case.want))


def evaluates(checks, case):
    library = os.path.join(case.folder, "shared-inline", case.prefix + ".so")
    words = ["--data", os.path.join(MODELS, "mnist-cnn", "test_10000.npz"), "--scale", "input=0.00392157", "--limit", "500", "--json"]
    mine, theirs = tenon("eval", library, *words), tenon("eval", case.model, *words)
    ok = mine.status == theirs.status == 0
    checks.check(f"{case.name}: tenon eval on the library as on the model", ok and json.loads(mine.out)["correct"] == json.loads(theirs.out)["correct"], mine.last)


def library_of_a_user(checks, case, data_set):
    """A .so that somebody linked from generated C, with things of their own in it."""
    folder, made = case.emit("c")
    library, own = os.path.join(folder, "mine.so"), os.path.join(folder, "own.c")
    with open(own, "w") as f:
        f.write("int data_model = 3;\nint other_model(void);\nint other_model(void) { return data_model++; }\n")
    built = run(["gcc", "-O1", "-shared", "-fPIC", "-I", folder, os.path.join(folder, case.prefix + ".c"), own, "-o", library])
    if checks.check(f"{case.name}: a library of the user's own", made.status == 0 and built.status == 0, built.last):
        works_as_model(checks, case, f"{case.name}: a library of the user's own", library, data_set)


def without_tools(checks, case):
    for form, variable, missing, failed in (("lib", "AR", "no-archiver", "archiver-failed"), ("shared", "CC", "no-compiler", "compiler-failed")):
        done = case.emit(form, env={variable: "no-such-program"})[1]
        checks.check(f"no ${variable}", done.status == 5 and f"error[{missing}]" in done.err and f"note: set {variable}" in done.err, done.last)
        done = case.emit(form, env={variable: "false"})[1]
        checks.check(f"${variable} refuses", done.status == 5 and f"error[{failed}]" in done.err, done.last)
    folder = scratch("objects-tools")
    done = tenon("compile", case.model, "--emit", "shared", "-o", "out", "--dim", "batch=1", "--target", "aarch64", cwd=folder, env={"CC": "gcc"})
    checks.check("a compiler for another machine", done.status == 5 and "aarch64" in done.err.splitlines()[-1], done.last)
    with open(os.path.join(folder, "cc"), "w") as f:
        f.write('#!/bin/sh\nexec gcc "$@"\n')
    os.chmod(os.path.join(folder, "cc"), 0o755)
    done = tenon("compile", case.model, "--emit", "shared", "-o", "out", "--dim", "batch=1", cwd=folder, env={"CC": "./cc -g0"})
    checks.check("$CC with a relative path and an option", done.status == 0, done.last)
    left = [f for f in os.listdir(folder) if f.startswith("tenon-")]
    done = tenon("compile", case.model, "--emit", "lib", "-o", "out", "--dim", "batch=1", cwd=folder, env={"TMPDIR": folder})
    checks.equal("no temporary files are left", ([f for f in os.listdir(folder) if f.startswith("tenon-")], done.status), (left, 0))


def regions_are_right(checks, model, data_set):
    """Two regions, of which the first holds a part: sizes in the header, an arena for each, every form; and one that holds all."""
    case = Case(checks, "resnet8-regions", model, data_set, "x86-64-v3", ("--region", "sram=128K", "--region", "PSRAM=1M"))
    for form, weights in (("obj", "inline"), ("obj", "bin"), ("c", "inline")):
        folder, made = case.emit(form, weights)
        if not checks.check(f"{case.name}: --emit {form} --weights {weights}", made.status == 0, made.last):
            continue
        header = open(os.path.join(folder, case.prefix + ".h")).read()
        sizes = {k: int(v) for k, v in re.findall(rf"#define {case.prefix}_(\w+) (\d+)", header)}
        checks.check(f"{case.name}: {form}: the header's sizes", 0 < sizes["ARENA_SRAM_BYTES"] <= 128 * 1024 and sizes["ARENA_PSRAM_BYTES"] > 0 and
                     sizes["ARENA_BYTES"] == sizes["ARENA_SRAM_BYTES"] + sizes["ARENA_PSRAM_BYTES"] and sizes["ARENA_ALIGN"] == 64, str(sizes))
        checks.check(f"{case.name}: {form}: run takes an arena for each", "outputs *out, void *arena_sram, void *arena_PSRAM);" in header)
        parts = [os.path.join(folder, case.prefix + (".o" if form == "obj" else ".c"))]
        same_bits(checks, case, f"{form}, --weights {weights}", parts, folder, weights)
        if weights == "inline":
            plain_run(checks, case, form, folder, parts)
        words = [os.path.join(folder, case.prefix + ".weights")] if weights == "bin" else []
        program = os.path.join(folder, "example")
        built = run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I", folder, *parts,
                     os.path.join(folder, case.prefix + "_example.c"), "-o", program])
        ran = run([program, *words]) if built.status == 0 else built
        checks.check(f"{case.name}: {form}: the example, --weights {weights}", ran.status == 0 and ran.out != "" and ran.err == "", ran.last)
    shared_is_right(checks, case, data_set, "inline")
    looked = tenon("inspect", os.path.join(case.folder, "shared-inline", case.prefix + ".so"), "--json")
    checks.equal(f"{case.name}: what the library says", [r["name"] for r in json.loads(looked.out)["totals"]["regions"]], ["sram", "PSRAM"])
    one = Case(checks, "resnet8-region", model, data_set, "x86-64-v3", ("--region", "sram=1M"))
    none = Case(checks, "resnet8-region", model, data_set, "x86-64-v3")
    texts = [open(os.path.join(c.emit("c", folder=name)[0], c.prefix + ".c")).read().split("*/", 1)[1] for c, name in ((one, "one"), (none, "none"))]
    checks.check("one region gives the same C as none", texts[0] == texts[1])


def plain_run(checks, case, form, folder, parts):
    """PREFIX_run with a pointer for each region; and what run_env refuses."""
    source, program = os.path.join(folder, "plain.c"), os.path.join(folder, "plain")
    with open(source, "w") as f:
        f.write(PLAIN.replace("PREFIX", case.prefix))
    built = run(["gcc", "-std=c11", "-O1", "-I", folder, source, *parts, "-o", program])
    ran = run([program]) if built.status == 0 else built
    checks.check(f"{case.name}: {form}: run and run_env by region", ran.status == 0, f"{ran.last} {ran.status}")


PLAIN = r"""#include <string.h>
#include "PREFIX.h"
static _Alignas(64) unsigned char sram[PREFIX_ARENA_SRAM_BYTES], psram[PREFIX_ARENA_PSRAM_BYTES + 64];
static float image[3072], one[10], two[10];
int main(void) {
    PREFIX_inputs in = {image};
    PREFIX_outputs a = {one}, b = {two};
    void *arenas[2] = {sram, psram};
    uint64_t bytes[2] = {sizeof sram, sizeof psram};
    tenon_env env = {.struct_size = sizeof env, .arenas = arenas, .arenas_bytes = bytes, .n_arenas = 2};
    for (int i = 0; i < 3072; i++)
        image[i] = (float)(i % 255);
    if (PREFIX_run(&in, &a, sram, psram) != TENON_OK || PREFIX_run_env(&in, &b, &env) != TENON_OK || memcmp(one, two, sizeof one) != 0)
        return 1;
    if (PREFIX_run(&in, &a, sram, NULL) != TENON_E_ARENA || PREFIX_run(&in, &a, NULL, psram) != TENON_E_ARENA)
        return 2;
    arenas[1] = psram + 32;
    if (PREFIX_run_env(&in, &b, &env) != TENON_E_ARENA)
        return 3;
    arenas[1] = psram;
    bytes[1] = PREFIX_ARENA_PSRAM_BYTES - 1;
    if (PREFIX_run_env(&in, &b, &env) != TENON_E_ARENA)
        return 4;
    bytes[1]++;
    env.n_arenas = 1;
    if (PREFIX_run_env(&in, &b, &env) != TENON_E_ARENA)
        return 5;
    env.n_arenas = 2;
    env.struct_size = offsetof(tenon_env, n_arenas);
    if (PREFIX_run_env(&in, &b, &env) != TENON_E_STRUCT_SIZE)
        return 6;
    env = (tenon_env){.struct_size = sizeof env, .arena = psram, .arena_bytes = sizeof psram};
    return PREFIX_run_env(&in, &b, &env) == TENON_E_ARENA ? 0 : 7;
}
"""


def main():
    checks = Checks()
    cases = operator_cases()
    jobs = []
    for name, model, folder in SHIPPED:
        case = Case(checks, name, model, os.path.join(folder, "test_data_set_0"), "x86-64-v3")
        jobs += [(object_is_right, (checks, case))] if case.good else []
    for target in ("x86-64", "x86-64-v3"):
        jobs += [(operator_is_right, (checks, cases, op, name, target)) for op in OPERATORS for name in some_cases(cases, op)]
    name, model, folder = CNN
    data_set = os.path.join(folder, "test_data_set_0")
    cnn = Case(checks, "cnn", model, data_set, "x86-64")
    jobs.append((two_threads, (checks, cnn)))
    for weights in FORMS:
        jobs += [(shared_is_right, (checks, cnn, data_set, weights))]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(what, *arguments) for what, arguments in jobs]:
            done.result()
    for weights in FORMS:
        object_is_right(checks, cnn, weights)
        archive_is_right(checks, cnn, weights)
    for weights in ("inline", "bin"):
        example_runs(checks, cnn, weights)
    evaluates(checks, cnn)
    library_of_a_user(checks, cnn, data_set)
    without_tools(checks, cnn)
    model, folder = next((m, f) for n, m, f in SHIPPED if n == "resnet8")
    regions_are_right(checks, model, os.path.join(folder, "test_data_set_0"))
    checks.finish()


if __name__ == "__main__":
    main()
