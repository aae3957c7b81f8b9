#!/usr/bin/env python3
"""--threads: the bits of one thread on every back end; no data races in generated C with the pool; what one thread gets is what it always was."""
import filecmp
import os
import re
import sys

import numpy as np
import onnx
from onnx import helper, numpy_helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from checks import CLANG, ROOT, Checks, run, scratch, tenon  # noqa: E402
from samples import SHIPPED, inputs, shape_options  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror"]
POOL = os.path.join(ROOT, "runtime", "pool")
# Models whose kernels are large enough to be cut.
CUT = ("resnet8", "bert-static_1x128", "vww_mobilenetv1_025", "resnet8_int8_qdq")


def steps_back():
    """A row times a matrix of 1,000 columns: the last of its few blocks steps back, and only columns can be divided: for many threads each block is a part."""
    folder = scratch("threads-columns")
    w = np.random.default_rng(3).standard_normal((512, 1000)).astype(np.float32)
    float_of = lambda name, dims: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, dims)
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "columns", [float_of("x", [1, 512])], [float_of("y", [1, 1000])],
                              [numpy_helper.from_array(w, "w")])
    model = os.path.join(folder, "model.onnx")
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), model)
    return model, None, [("x", np.zeros((1, 512), np.float32))]


def row(name):
    if name == "columns":
        return steps_back()
    _, model, sets = next(r for r in SHIPPED if r[0] == name)
    return model, sets, inputs(model, os.path.join(sets, "test_data_set_0"))


def all_backends(checks, name, threads, target):
    """Every back end with threads agrees with the others, and they with the data set."""
    model, sets, _ = row(name)
    done = tenon("check", model, os.path.join(sets, "test_data_set_0"), "--backend", "all", "--threads", threads, "--target", target, timeout=900)
    checks.check(f"{name}: --backend all --threads {threads} --target {target}", done.status == 0, done.last)


def same_as_one(checks, name, backend):
    """The outputs' files for 1, 2, 3 and 5 threads."""
    model, _, pairs = row(name)
    folder, feeds, want = scratch(f"threads-bits-{name}-{backend}"), [], {}
    for i, (key, array) in enumerate(pairs):
        np.save(os.path.join(folder, f"{i}.npy"), array)
        feeds += ["--input", f"{key}={folder}/{i}.npy"]
    for threads in (1, 2, 3, 5):
        out = os.path.join(folder, str(threads))
        done = tenon("run", model, *feeds, "--threads", threads, "--backend", backend, "--target", "x86-64-v3", "-o", out)
        if checks.check(f"{name} by {backend}: --threads {threads} runs", done.status == 0, done.last):
            got = {f: np.load(os.path.join(out, f)).tobytes() for f in os.listdir(out)}
            want = want or got
            checks.check(f"{name} by {backend}: {threads} threads give the bits of one", got == want)


def build(checks, title, folder, compiler, flags, many):
    """The model for one thread as C, and the one for several as C or an object, in one program."""
    files = [os.path.join(folder, "one.c"), os.path.join(folder, many)]
    program = os.path.join(folder, "threads-" + compiler + "".join(flags).replace("=", ""))
    done = run([compiler, *flags, "-DONE=one_model", "-DMANY=many_model", "-I", folder, os.path.join(HERE, "threads.c"), *files,
                os.path.join(folder, "tenon_pool.c"), "-o", program, "-lpthread"], timeout=300)
    return program if checks.check(f"{title}: builds", done.status == 0 and done.err == "", done.last) else None


def races(checks, name, threads, form, compiler, *flags, least=3):
    title = f"{name} as {form} for {threads} threads, {compiler} {' '.join(flags)}"
    model, _, pairs = row(name)
    folder = scratch(f"threads-{name}-{threads}-{form}")
    for prefix, emit, n in (("one", "c", 1), ("many", form, threads)):
        done = tenon("compile", model, "--emit", emit, "--name", prefix, "--threads", n, "--target", "x86-64-v3", "-o", folder, *shape_options(pairs))
        if not checks.check(f"{title}: tenon compile {prefix}", done.status == 0, done.last):
            return
    program = build(checks, title, folder, compiler, flags, "many.c" if form == "c" else "many.o")
    if program is None:
        return
    ran = run([program, str(threads), "12"], timeout=300, env={"TSAN_OPTIONS": "halt_on_error=1"})
    loops = int(m[1]) if (m := re.match(r"loops (\d+)\n", ran.out)) else 0
    checks.check(f"{title}: the bits of one thread, no race", ran.status == 0 and ran.err == "", ran.last)
    checks.check(f"{title}: some kernels are cut", loops >= least, f"{loops} loops")


def written_files(checks):
    """What --threads adds to --emit c; --threads 1 adds nothing."""
    model, _, _ = row("resnet8")
    folder = scratch("threads-files")
    for name, options in (("plain", ()), ("one", ("--threads", 1)), ("two", ("--threads", 2))):
        done = tenon("compile", model, "--name", "m", "--target", "x86-64-v3", *options, "-o", os.path.join(folder, name))
        checks.check(f"tenon compile {' '.join(map(str, options))}", done.status == 0, done.last)
    names = {n: sorted(os.path.relpath(os.path.join(at, f), os.path.join(folder, n)) for at, _, files in os.walk(os.path.join(folder, n)) for f in files)
             for n in ("plain", "one", "two")}
    checks.equal("files of one thread", names["one"], ["m.c", "m.h", "m_example.c", "tenon/runtime.h"])
    checks.equal("files of two threads", names["two"], ["m.c", "m.h", "m_example.c", "tenon/pool.h", "tenon/runtime.h", "tenon_pool.c"])
    body = {n: open(os.path.join(folder, n, "m.c")).read().split("*/", 1)[1] for n in names}  # without the command line
    checks.check("--threads 1 writes what no --threads writes", body["one"] == body["plain"])
    checks.check("the pool is that of runtime/pool", filecmp.cmp(os.path.join(folder, "two", "tenon_pool.c"), os.path.join(POOL, "tenon_pool.c"), False)
                 and filecmp.cmp(os.path.join(folder, "two", "tenon", "pool.h"), os.path.join(POOL, "tenon", "pool.h"), False))
    shown = []
    for name, compiler in (("plain", "gcc"), ("two", "gcc"), ("two", CLANG)):
        at, program = os.path.join(folder, name), os.path.join(folder, name + "-" + compiler)
        sources = [os.path.join(at, f) for f in names[name] if f.endswith(".c")]
        done = run([compiler, "-std=c99", "-O1", *WARNINGS, "-I", at, *sources, "-o", program, "-lpthread"])
        if checks.check(f"the example of {name} compiles without a word by {compiler}", done.status == 0 and done.err == "", done.last):
            shown.append(run([program]).out)
    checks.check("the examples print the same", len(shown) == 3 and len(set(shown)) == 1 and shown[0] != "", str(shown))


def wrong_use(checks):
    model, _, _ = row("mnist-mlp")
    for text in ("0", "257", "-1", "x"):
        done = tenon("bench", model, "--dim", "batch=1", "--threads", text)
        checks.check(f"--threads '{text}' is exit 2 and says what is expected", done.status == 2 and "from 1 to 256" in done.err, done.last)


def main():
    checks = Checks()
    for name in CUT:
        for target, threads in (("x86-64-v3", 3), ("host", 2)):
            all_backends(checks, name, threads, target)
    for backend in ("jit", "object", "interp"):
        same_as_one(checks, "kws_dscnn_bn", backend)
    for name in CUT:
        races(checks, name, 3, "c", "gcc", "-O1", "-fsanitize=thread")
    races(checks, "columns", 32, "c", "gcc", "-O1", "-fsanitize=thread", least=1)
    races(checks, "resnet8", 4, "c", CLANG, "-O2", "-fsanitize=thread")
    races(checks, "resnet8", 2, "obj", "gcc", "-O2")
    written_files(checks)
    wrong_use(checks)
    checks.finish()


if __name__ == "__main__":
    main()
