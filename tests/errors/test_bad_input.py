#!/usr/bin/env python3
"""Bad input through the command: each file has its exit status and one clear line (more only where it has more errors)."""
import os
import re
import struct
import sys
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, SCRATCH, Checks, run, scratch, tenon  # noqa: E402

FRONTEND = os.path.join(ROOT, "tests", "errors", "frontend")
LINE = re.compile(r"^[^\n]+: error\[[a-z0-9-]+\]: .+$")


def clear(lines):
    """Are these one error and its notes?"""
    return bool(lines) and bool(LINE.match(lines[0])) and all(line.startswith("note: ") for line in lines[1:])


def compile_model(path, *more):
    return tenon("compile", path, "--emit", "c", "-o", os.path.join(scratch("bad-output"), "out"), *more, timeout=60)


def expect(checks, name, path, status, text="", one=True):
    """One error with this status whose line holds `text`; nothing on stdout, nothing written."""
    done = compile_model(path)
    lines = done.err.splitlines()
    good = done.status == status and (clear(lines) if one else bool(lines) and LINE.match(lines[0])) and text in done.err and done.out == ""
    checks.check(name, good, f"want status {status} and {text!r}; {done.last}; {len(lines)} lines")
    checks.check(f"{name}: no output files", not os.listdir(os.path.join(SCRATCH, "bad-output")))


def test_frontend_files(checks):
    """tests/errors/frontend holds a file for each way that a model file can be wrong, and what is said of it."""
    expected, name = {}, None
    for line in open(os.path.join(FRONTEND, "expected.txt")):
        head = re.match(r"== (\S+): (\d)", line)
        if head:
            name = head[1]
            expected[name] = (int(head[2]), [])
        else:
            expected[name][1].append(line.rstrip("\n"))
    for name, (status, lines) in sorted(expected.items()):
        # too_new_operator.onnx has an operator that only test_frontend.c's own table knows.
        if name.endswith(".onnx") and name != "too_new_operator.onnx":
            done = compile_model(os.path.join(FRONTEND, name))
            said = [line.replace(FRONTEND + "/", "") for line in done.err.splitlines()]
            checks.check(f"{name}", done.status == status and said == lines, f"want status {status} and {lines[:2]}; {done.last}")


def test_files_that_are_no_models(checks):
    folder = scratch("bad-files")

    def file(name, data):
        path = os.path.join(folder, name)
        with open(path, "wb") as f:
            f.write(data)
        return path

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(bytes(6))) + chunk(b"IEND", b"")
    expect(checks, "an empty file", file("empty.onnx", b""), 3, "empty")
    expect(checks, "a PNG", file("picture.onnx", png), 3, "PNG")
    expect(checks, "a file that is not there", os.path.join(folder, "gone.onnx"), 5)
    expect(checks, "a folder", folder, 5)
    expect(checks, "random bytes", file("noise.onnx", np.random.default_rng(1).bytes(5000)), 3)
    expect(checks, "zeros", file("zeros.onnx", bytes(5000)), 3)
    for name in ("mnist-mlp/model", "bert-tiny-imdb/static_1x128"):
        data = open(os.path.join(MODELS, name + ".onnx"), "rb").read()
        for percent in range(1, 100):
            expect(checks, f"{name} cut at {percent} %", file("cut.onnx", data[: len(data) * percent // 100]), 3)


def test_models_that_are_wrong(checks):
    folder = scratch("bad-models")

    def info(name, shape, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, shape)

    def model(name, nodes, initializers=(), opset=17, inputs=None, outputs=None, domains=()):
        graph = helper.make_graph(nodes, "g", inputs or [info("x", (2, 3))], outputs or [info("y", (2, 3))], list(initializers))
        imports = [helper.make_opsetid("", opset)] + [helper.make_opsetid(d, 1) for d in domains]
        path = os.path.join(folder, name + ".onnx")
        made = helper.make_model(graph, opset_imports=imports)
        made.ir_version = 8
        with open(path, "wb") as f:
            f.write(made.SerializeToString())
        return path

    def node(op, inputs, outputs, name="", **more):
        return helper.make_node(op, inputs, outputs, name=name, **more)

    w = numpy_helper.from_array(np.ones((4,), np.float32), "w")
    expect(checks, "a cycle", model("cycle", [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]), 3, "cycle")
    expect(checks, "a missing initializer", model("missing", [node("Add", ["x", "w"], ["y"], "plus")]), 3, "'w'")
    expect(checks, "shapes that do not fit", model("shape", [node("Add", ["x", "w"], ["y"], "plus")], [w]), 3, "'plus'")
    expect(checks, "a convolution of other channels",
           model("conv", [node("Conv", ["x", "w"], ["y"], "conv1")], [numpy_helper.from_array(np.ones((4, 3, 3, 3), np.float32), "w")],
                 inputs=[info("x", (1, 4, 8, 8))], outputs=[info("y", (1, 4, 6, 6))]), 3, "'conv1'")
    expect(checks, "an operator that ONNX lacks", model("operator", [node("Frobnicate", ["x"], ["y"], "odd")]), 4, "'Frobnicate'")
    expect(checks, "an operator of another domain", model("domain", [node("Odd", ["x"], ["y"], "odd", domain="org.example")], domains=["org.example"]), 4,
           "org.example")
    expect(checks, "an opset of the future", model("opset", [node("Relu", ["x"], ["y"])], opset=999), 4, "999")
    expect(checks, "strings", model("strings", [node("Identity", ["x"], ["y"])], inputs=[info("x", (2,), TensorProto.STRING)],
                                    outputs=[info("y", (2,), TensorProto.STRING)]), 4)
    several = model("several", [node("Nope", ["x"], ["a"], "first"), node("Relu", ["a"], ["b"]), node("Never", ["b"], ["c"], "second"),
                                node("Nope", ["c"], ["y"], "third")])
    done = compile_model(several)
    checks.check("all unsupported nodes in one run", done.status == 4 and all(f"'{n}'" in done.err for n in ("first", "second", "third"))
                 and done.err.count("error[") == 3, done.last)
    test_external(checks, folder)


def test_external(checks, folder):
    """External data: the file missing, too short, outside the model's folder in every way that a name can say so."""
    os.makedirs(os.path.join(folder, "inside", "below"))
    for place, size in (("outside.bin", 64), ("inside/short.bin", 20), ("inside/good.bin", 64)):
        with open(os.path.join(folder, place), "wb") as f:
            f.write(bytes(size))
    os.symlink("../outside.bin", os.path.join(folder, "inside", "link.bin"))

    def external(name, location, **entries):
        tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[2, 3], data_location=TensorProto.EXTERNAL)
        for key, value in {"location": location, **entries}.items():
            tensor.external_data.add(key=key, value=value)
        graph = helper.make_graph([helper.make_node("Add", ["x", "w"], ["y"])], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, (2, 3))],
                                  [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 3))], [tensor])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        made.ir_version = 8
        path = os.path.join(folder, "inside", name + ".onnx")
        with open(path, "wb") as f:
            f.write(made.SerializeToString())
        return path

    done = compile_model(external("good", "good.bin", offset="0", length="24"))
    checks.check("external data that is right", done.status == 0, done.last)
    expect(checks, "an external file that is missing", external("missing", "gone.bin"), 5, "gone.bin")
    expect(checks, "an external file that is too short", external("short", "short.bin", offset="0", length="24"), 3, "short.bin")
    expect(checks, "an offset beyond the external file", external("beyond", "good.bin", offset="1000", length="24"), 3, "good.bin")
    for name, location in (("parent", "../outside.bin"), ("detour", "below/../../outside.bin"), ("absolute", os.path.join(folder, "outside.bin")),
                           ("link", "link.bin")):
        expect(checks, f"an external file outside the folder: {name}", external(name, location, offset="0", length="24"), 3, "outside the model's folder")


def wide_array(folder):
    np.save(os.path.join(folder, "wide.npy"), np.zeros((1, 1, 28, 29), np.float32))
    return os.path.join(folder, "wide.npy")


ENTRY = "int {0}_run(void) {{ return 0; }} int {0}_run_env(void) {{ return 0; }} const void *{0}_model(unsigned abi) {{ return {1}; }}\n"
# Libraries that are no models: what is wrong, C, exit status, what is said.
LIBRARIES = [
    ("no model in it", "int plain_model = 1; int plain_run(void) { return 1; }\n", 3, "error[not-a-library]: not a compiled model: it exports no PREFIX_model"),
    ("two models", ENTRY.format("a", "0") + ENTRY.format("b", "0"), 3, "error[not-a-library]: not a compiled model: it holds several"),
    ("a newer abi", ENTRY.format("newer", "0"), 4, "error[abi]"),
    ("a struct from elsewhere", "static const unsigned odd[40] = {8};\n" + ENTRY.format("odd", "odd"), 3, "error[not-a-library]"),
    ("missing symbols", "int nowhere(void); int more(void) { return nowhere(); }\n" + ENTRY.format("needs", "0"), 5, "error[object]"),
]


def test_compiled_models(checks):
    """What is given as MODEL.so and is none, or none for this machine."""
    folder = scratch("bad-libraries")

    def path(name):
        return os.path.join(folder, name)

    def file(name, data):
        with open(path(name), "wb") as f:
            f.write(data)
        return path(name)

    def refused(what, model, status, said, *words):
        done = tenon(*(words or ("bench", "--time", "0")), model, timeout=60)
        lines = done.err.splitlines()
        checks.check(f"{what}: refused", done.status == status and clear(lines) and said in lines[0] and done.out == "", f"want status {status} and {said!r}; {done.last}")

    model = os.path.join(MODELS, "mnist-mlp", "model.onnx")
    for form, weights, name in (("shared", "inline", "whole"), ("shared", "bin", "m"), ("obj", "inline", "object")):
        made = tenon("compile", model, "--emit", form, "--weights", weights, "--name", name, "--dim", "batch=1", "-o", folder)
        checks.check(f"--emit {form} --weights {weights}", made.status == 0, made.last)
    whole = open(path("whole.so"), "rb").read()
    os.mkdir(path("folder.so"))
    refused("text", file("text.so", b"text"), 3, "error[not-a-library]: not a compiled model: it is no shared library")
    refused("an empty file", file("empty.so", b""), 3, "error[not-a-library]")
    refused("no file", path("gone.so"), 5, "error[file]")
    refused("a folder", path("folder.so"), 5, "error[file]")
    refused("an object", path("object.o"), 3, "error[not-a-library]: not a compiled model: it is an object or a program")
    for percent in range(1, 100, 3):
        refused(f"a library cut at {percent} %", file("cut.so", whole[: len(whole) * percent // 100]), 3, "error[not-a-library]")
    for at, what in ((18, b"\xb7\0"), (18, b"\xff\xff"), (4, b"\1")):
        refused(f"another machine, {what}", file("foreign.so", whole[:at] + what + whole[at + len(what):]), 5, "error[wrong-machine]: is compiled for")
    made = tenon("compile", model, "--emit", "shared", "--target", "generic", "--name", "plain", "--dim", "batch=1", "-o", folder)
    plain = open(path("plain.so"), "rb").read()
    if checks.check("a library names its target", made.status == 0 and plain.count(b"\0generic\0") == 1, made.last):
        refused("instructions of another machine", file("far.so", plain.replace(b"\0generic\0", b"\0aarch64\0")), 5,
                "error[wrong-machine]: is compiled for target 'aarch64'")
    for number, (what, text, status, said) in enumerate(LIBRARIES):
        source, library = file(f"{number}.c", text.encode()), path(f"{number}.so")
        made = run(["gcc", "-shared", "-fPIC", source, "-o", library])
        if checks.check(f"gcc makes a library with {what}", made.status == 0, made.last):
            refused(what, library, status, said)
    os.rename(path("m.weights"), path("kept"))
    refused("no weights beside it", path("m.so"), 5, "m.weights: error[weights]: cannot be read: no such file")
    file("m.weights", open(path("kept"), "rb").read()[:-64])
    refused("weights that are too short", path("m.so"), 3, "m.weights: error[weights]: has ")
    refused("compile", path("whole.so"), 2, "error[compiled]: is a compiled model; compile needs the ONNX model", "compile")
    for words in (["--target", "x86-64"], ["--dim", "batch=1"], ["--backend", "interp"], ["--shape", "x=1"], ["--schedule", "naive"],
                  ["--per-node"], ["--trace", "trace.json"], ["--perf-map"]):
        refused(words[0], path("whole.so"), 2, f"error[compiled]: {words[0]} means nothing for a compiled model", "bench", *words)
    refused("data of another shape", path("whole.so"), 3, "error[shape-mismatch]", "run", "--input", f"input={wide_array(folder)}")


def test_regions(checks):
    """Regions that are too small for the arena: how much is missing, what lies where, and nothing is written."""
    model = os.path.join(MODELS, "mnist-cnn", "model.onnx")
    for regions, n in ((["only=1K"], 1), (["sram=32K", "psram=8K"], 2)):
        done = compile_model(model, "--dim", "batch=1", *(w for r in regions for w in ("--region", r)))
        lines = done.err.splitlines()
        missing = re.search(r"^\S*model\.onnx: error\[regions-full\]: .* (\d+) bytes are missing$", lines[0] if lines else "")
        there = [tuple(map(int, m)) for m in re.findall(r"^note: \w+ has (\d+) bytes, (\d+) would lie there$", done.err, re.M)]
        good = done.status == 5 and clear(lines) and missing and len(there) == n and "--region NAME=SIZE" in lines[-1]
        checks.check(f"{' '.join(regions)}: too small", good and int(missing[1]) == there[-1][1] - there[-1][0], f"{done.last}; {lines}")
        checks.check(f"{' '.join(regions)}: no output files", not os.listdir(os.path.join(SCRATCH, "bad-output")))


if __name__ == "__main__":
    checks = Checks()
    test_frontend_files(checks)
    test_files_that_are_no_models(checks)
    test_models_that_are_wrong(checks)
    test_compiled_models(checks)
    test_regions(checks)
    checks.finish()
