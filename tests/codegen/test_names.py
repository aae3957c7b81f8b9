#!/usr/bin/env python3
"""Names that no C compiler would like: comment ends, scopes, keywords, JSON, macros, ten thousand characters. The C is valid, and
tenon_model has the names as the model has them."""
import ctypes
import os
import sys

import onnx
from onnx import TensorProto, helper

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "tools"), os.path.join(HERE, "..", "..", "bench")]
from checks import CLANG, Checks, run, scratch, tenon  # noqa: E402
from subjects import Model, infos  # noqa: E402

WARNINGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
NAMES = ["*/ #error comment", "/* open", "a::b::c", "int", "return", "class", "template", "_Bool", "inline", "restrict", "errno", "NULL", "main", "memcpy",
         "in", "out", "arena", "env", "names", "names_run", "tenon_model", "int64_t", "1st", "a b", "a_b", "a.b", "a/b", "é", "日本語", "\\", "\\n", "%s%n", "??/", "??=",
         '{"json": ["x", 1]}', '"quoted"', "tab\there", "line\nbreak", "_", "__x", "x" * 10_000, "y" * 10_000 + "*/"]


def write_model(path):
    """One input and one output for each name; each node too has the name."""
    inputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, (4,)) for n in NAMES]
    outputs = [helper.make_tensor_value_info("out " + n, TensorProto.FLOAT, (4,)) for n in NAMES]
    nodes = [helper.make_node("Exp" if i % 2 else "Softmax", [n], ["out " + n], name=n) for i, n in enumerate(NAMES)]
    made = helper.make_model(helper.make_graph(nodes, 'graph "*/', inputs, outputs), opset_imports=[helper.make_opsetid("", 17)])
    made.ir_version = 8
    onnx.save(made, path)


def main():
    checks = Checks()
    folder = scratch("names")
    model = os.path.join(folder, 'odd "*_ name??.onnx')
    write_model(model)
    for target in ("generic", "x86-64-v3"):
        out = os.path.join(folder, target)
        done = tenon("compile", model, "--emit", "c", "--name", "names", "--target", target, "-o", out)
        if not checks.check(f"{target}: tenon compile", done.status == 0, done.last):
            continue
        for compiler in ("gcc", CLANG):
            shared = os.path.join(out, compiler + ".so")
            built = run([compiler, "-O1", *WARNINGS, "-fPIC", "-shared", "-I", out, os.path.join(out, "names.c"), "-o", shared])
            checks.check(f"{target}: {compiler} compiles it without a word", built.status == 0 and built.err == "", built.last)
            example = run([compiler, "-O1", *WARNINGS, "-I", out, os.path.join(out, "names.c"), os.path.join(out, "names_example.c"), "-o", shared + ".exe"])
            checks.check(f"{target}: {compiler}: the example compiles", example.status == 0 and example.err == "", example.last)
        use = os.path.join(out, "use.cpp")
        with open(use, "w") as f:
            f.write('#include "names.h"\n')
        plus = run([CLANG, "-x", "c++", "-std=c++17", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", out, use])
        checks.check(f"{target}: the header is C++ too", plus.status == 0, plus.last)
        if built.status == 0:
            query = ctypes.CDLL(shared).names_model
            query.restype, query.argtypes = ctypes.POINTER(Model), [ctypes.c_uint32]
            described = query(1).contents
            checks.equal(f"{target}: the inputs' names", [t.name.decode() for t in infos(described.inputs)], NAMES)
            checks.equal(f"{target}: the outputs' names", [t.name.decode() for t in infos(described.outputs)], ["out " + n for n in NAMES])
    checks.finish()


if __name__ == "__main__":
    main()
