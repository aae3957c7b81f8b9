#!/usr/bin/env python3
"""PREFIX_example.c of every shipped model: compiles without a word, runs, shows what `tenon run` gives. Two models in one program, run
from two threads. The memory of a process that runs one."""
import itertools
import os
import re
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import CLANG, Checks, run, scratch, tenon  # noqa: E402
from samples import SHIPPED, inputs, shape_options  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
SANITIZERS = ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
TARGET = "x86-64-v3"
RESIDENT_KB = 3000  # of a process that runs ResNet-8


def example_input(array):
    """What the example feeds: i % 17 / 16, whole numbers i % 2."""
    i = np.arange(array.size).reshape(array.shape)
    return (i % 17 / 16 if array.dtype.kind == "f" else i % 2).astype(array.dtype)


def shown(text):
    """{output: numbers} of what an example prints."""
    return {name: [float(x) for x in rest.replace("...", "").split()] for name, rest in (line.rsplit(":", 1) for line in text.splitlines())}


def reference(checks, name, model, pairs, folder):
    feeds = []
    for i, (key, array) in enumerate(pairs):
        np.save(os.path.join(folder, f"{i}.npy"), example_input(array))
        feeds += ["--input", f"{key}={folder}/{i}.npy"]
    out = os.path.join(folder, "run")
    done = tenon("run", model, *feeds, "--target", TARGET, "-o", out)
    checks.check(f"{name}: tenon run", done.status == 0, done.last)
    return {f[:-4]: np.load(os.path.join(out, f)).reshape(-1)[:10] for f in os.listdir(out)} if done.status == 0 else {}


def example(checks, name, model, folder_of_sets):
    """Compiles a model's example in three ways; all print the same, and that is what `tenon run` gives."""
    folder, prefix = scratch(f"example-{name}"), "m_" + name.replace("-", "_")
    pairs = inputs(model, os.path.join(folder_of_sets, "test_data_set_0"))
    made = tenon("compile", model, "--name", prefix, "--target", TARGET, "-o", folder, *shape_options(pairs))
    if not checks.check(f"{name}: tenon compile", made.status == 0, made.last):
        return
    want = reference(checks, name, model, pairs, folder)
    sources = [os.path.join(folder, prefix + end) for end in (".c", "_example.c")]
    for compiler, flags in (("gcc", ["-O2", *WARNINGS]), (CLANG, ["-O2", *WARNINGS]), (CLANG, SANITIZERS)):
        program = os.path.join(folder, "example")
        title = f"{name}: {compiler} {' '.join(flags[:2])}"
        built = run([compiler, *flags, "-I", folder, *sources, "-o", program], timeout=300)
        if not checks.check(f"{title}: compiles without a word", built.status == 0 and built.err == "", built.last):
            continue
        ran = run([program], timeout=120)
        if checks.check(f"{title}: runs", ran.status == 0 and ran.err == "", ran.last):
            got = shown(ran.out)
            checks.check(f"{title}: shows what `tenon run` gives",
                         got.keys() == want.keys() and all(np.allclose(got[k], want[k], 1e-5, 1e-12) for k in want), f"{got}, want {want}")
        os.unlink(program)


# ---- two models in one program ----

def write_model(checks, folder, name, form):
    """Sources or objects of a shipped model, written as `form`."""
    model, sets = next((m, s) for n, m, s in SHIPPED if n == name)
    pairs = inputs(model, os.path.join(sets, "test_data_set_0"))
    prefix = name.replace("-", "_")
    done = tenon("compile", model, "--name", prefix, "--emit", form, "--target", TARGET, "-o", folder, *shape_options(pairs))
    checks.check(f"{name}: tenon compile --emit {form}", done.status == 0, done.last)
    return os.path.join(folder, prefix + (".c" if form == "c" else ".o"))


def link_two(checks, folder, forms, compiler, *flags):
    names = ("resnet8", "kws_dscnn_bn")
    files = [write_model(checks, folder, name, form) for name, form in zip(names, forms)]
    program = os.path.join(folder, "two")
    built = run([compiler, *flags, f"-DFIRST={names[0]}_model", f"-DSECOND={names[1]}_model", "-I", folder, os.path.join(HERE, "two_models.c"),
                 *files, "-o", program, "-lpthread"], timeout=300)
    title = f"two models as {' and '.join(forms)}, {compiler} {' '.join(flags)}"
    return program if checks.check(f"{title}: they link", built.status == 0 and built.err == "", built.last) else None


def two_threads(checks, forms, compiler, *flags):
    folder = scratch("two-" + "-".join([*forms, compiler, *flags]).replace("=", "-"))
    program = link_two(checks, folder, forms, compiler, *flags)
    rounds = 20 if "-fsanitize=thread" in flags else 200
    if program is not None:
        ran = run([program, str(rounds)], timeout=300, env={"TSAN_OPTIONS": "halt_on_error=1"})
        good = [f"thread {k}: {2 * rounds} runs, 0 wrong" for k in range(2)]
        checks.check(f"two threads, {' and '.join(forms)}, {compiler} {' '.join(flags)}", ran.status == 0 and ran.out.splitlines()[:2] == good, ran.last)


def little_memory(checks):
    folder = scratch("resident")
    program = link_two(checks, folder, ("c", "c"), "gcc", "-O2")
    ran = run([program, "0"]) if program is not None else None
    if ran is not None and checks.check("resnet8 runs", ran.status == 0, ran.last):
        resident = int(re.search(r"^resident (\d+)$", ran.out, re.M)[1])
        checks.check(f"a process that runs resnet8 has less than {RESIDENT_KB} kB resident", 0 < resident < RESIDENT_KB, f"{resident} kB")


def main():
    checks = Checks()
    jobs = [(example, checks, *row) for row in SHIPPED]
    jobs += [(two_threads, checks, forms, "gcc", "-O2") for forms in itertools.product(("c", "obj"), repeat=2)]
    jobs += [(two_threads, checks, ("c", "c"), CLANG, "-O1", "-fsanitize=thread"), (little_memory, checks)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for done in [pool.submit(*job) for job in jobs]:
            done.result()
    checks.finish()


if __name__ == "__main__":
    main()
