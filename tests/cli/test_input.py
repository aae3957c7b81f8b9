#!/usr/bin/env python3
"""-p input: a model that is fed raw data gives what the model as it was gives on data that numpy has prepared."""
import json
import os
import re
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, Checks, run, scratch, tenon  # noqa: E402

CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
TINY = os.path.join(MODELS, "mlperf-tiny")
RANDOM = np.random.default_rng(5)
F, I8 = TensorProto.FLOAT, TensorProto.INT8


class Model:
    """A small model on disk, run by `tenon run` on the back end that the test wants."""

    def __init__(self, checks, name, nodes, inputs, constants=()):
        self.checks, self.name, self.folder = checks, name, scratch(f"input-{name}")
        self.path = os.path.join(self.folder, "model.onnx")
        infos = [helper.make_tensor_value_info(n, t, s) for n, t, s in inputs]
        graph = helper.make_graph(nodes, "g", infos, [helper.make_tensor_value_info("y", F, None)],
                                  [numpy_helper.from_array(np.asarray(a), n) for n, a in constants])
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        made.ir_version = 8
        onnx.save(made, self.path)

    def run(self, feeds, *words):
        out = os.path.join(self.folder, "out")
        given = []
        for i, (name, array) in enumerate(feeds.items()):
            np.save(os.path.join(self.folder, f"{i}.npy"), array)
            given += ["--input", f"{name}={self.folder}/{i}.npy"]
        done = tenon("run", self.path, *given, "--verify-passes", "-o", out, *words)
        if not self.checks.check(f"{self.name}: tenon run {' '.join(words)}", done.status == 0, done.last):
            return None
        return np.load(os.path.join(out, "y.npy"))

    def same(self, asked, raw, prepared, *words):
        """Fed `raw` with -p asked, the bits are those of `prepared` without."""
        got, want = self.run(raw, "-p", asked, *words), self.run(prepared)
        if got is not None and want is not None:
            self.checks.check(f"{self.name}: -p {asked} {' '.join(words)}", np.array_equal(got, want), f"{got.reshape(-1)[:4]}, want {want.reshape(-1)[:4]}")


def picture(dtype, shape):
    if np.issubdtype(dtype, np.integer):
        return RANDOM.integers(max(np.iinfo(dtype).min, -1000), min(np.iinfo(dtype).max, 1000) + 1, shape).astype(dtype)
    return RANDOM.normal(size=shape).astype(dtype)


def prepared(raw, mean, scale, axis=None):
    """(fed - mean) * scale in float32."""
    def along(numbers):
        numbers = np.asarray(numbers, np.float32)
        return numbers.reshape([-1 if k == axis else 1 for k in range(raw.ndim)]) if numbers.ndim else numbers
    x = raw.astype(np.float32)
    x = x if mean is None else x - along(mean)
    return x if scale is None else x * along(scale)


def test_pictures(checks):
    weights = [("w", RANDOM.normal(size=(6, 3, 3, 3)).astype(np.float32))]
    conv = helper.make_node("Conv", ["x", "w"], ["y"], pads=[1, 1, 1, 1])
    nchw = Model(checks, "nchw", [conv], [("x", F, ("n", 3, 7, 5))], weights)
    mean, scale = [124, 117, 104], [0.0171, 0.0175, 0.0174]
    for dtype, name in ((np.uint8, "uint8"), (np.int8, "int8"), (np.uint16, "uint16"), (np.int16, "int16"), (np.int32, "int32"),
                        (np.float32, "float"), (np.float16, "float16")):
        raw = picture(dtype, (2, 3, 7, 5))
        nchw.same(f"input:type={name},mean=3,scale=0.25", {"x": raw}, {"x": prepared(raw, 3, 0.25)})
    raw = picture(np.uint8, (1, 7, 5, 3))
    moved = np.ascontiguousarray(raw.transpose(0, 3, 1, 2))
    text = f"mean={','.join(map(str, mean))},scale={','.join(map(str, scale))}"
    nchw.same(f"input:type=uint8,{text}", {"x": moved}, {"x": prepared(moved, mean, scale, 1)}, "--schedule", "naive")
    nchw.same("input:layout=nchw,type=uint8", {"x": moved}, {"x": moved.astype(np.float32)})
    turn = helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])
    # Pictures that come channels last stay so: it is the program of a model that turns them, with its order of additions.
    turned = Model(checks, "turned", [turn, helper.make_node("Conv", ["t", "w"], ["y"], pads=[1, 1, 1, 1])], [("x", F, (1, 7, 5, 3))], weights)
    got, want = nchw.run({"x": raw}, "-p", f"input:name=x,{text},type=uint8,layout=nhwc", "--backend", "all"), turned.run({"x": prepared(raw, mean, scale, 3)})
    checks.check("nchw: -p layout=nhwc", got is not None and want is not None and np.array_equal(got, want), f"{got}, want {want}")
    nhwc = Model(checks, "nhwc", [turn, helper.make_node("Conv", ["t", "w"], ["y"])], [("x", F, (1, 7, 5, 3))], weights)
    nhwc.same(f"input:type=uint8,layout=nhwc,{text}", {"x": raw}, {"x": prepared(raw, mean, scale, 3)}, "--backend", "all")
    # The Transposes meet and go, so it is the program of a model without any, with its order of additions.
    plain = Model(checks, "plain", [helper.make_node("Conv", ["x", "w"], ["y"])], [("x", F, (1, 3, 7, 5))], weights)
    got, want = nhwc.run({"x": moved}, "-p", f"input:type=uint8,layout=nchw,{text}", "--backend", "all"), plain.run({"x": prepared(moved, mean, scale, 1)})
    checks.check("nhwc: -p layout=nchw", got is not None and want is not None and np.array_equal(got, want), f"{got}, want {want}")
    nhwc.same("input:mean=1,2,3", {"x": raw.astype(np.float32)}, {"x": prepared(raw, [1, 2, 3], None, 3)})


def test_quantised(checks):
    """The real value is quantised as the model's DequantizeLinear undoes it."""
    for name, zero, low, high, dtype, onnx_type in (("int8", -3, -128, 127, np.int8, I8), ("uint8", 7, 0, 255, np.uint8, TensorProto.UINT8)):
        nodes = [helper.make_node("DequantizeLinear", ["x", "s", "z"], ["y"])]
        model = Model(checks, f"quantised-{name}", nodes, [("x", onnx_type, (2, 3))], [("s", np.float32(0.75)), ("z", dtype(zero))])
        raw = picture(np.uint8, (2, 3))
        for asked, mean, scale in (("type=uint8", None, None), ("type=uint8,mean=100,scale=0.5", 100, 0.5), ("type=uint8,mean=1,2,3", [1, 2, 3], None)):
            real = prepared(raw, mean, scale, 1)
            model.same(f"input:{asked}", {"x": raw}, {"x": np.clip(np.rint(real / np.float32(0.75)) + zero, low, high).astype(dtype)}, "--backend", "all")
    each = Model(checks, "quantised-each", [helper.make_node("DequantizeLinear", ["x", "s"], ["y"], axis=1)], [("x", I8, (2, 3))],
                 [("s", np.array([0.5, 1, 2], np.float32))])
    real = RANDOM.normal(size=(2, 3)).astype(np.float32) * 50
    each.same("input:type=float", {"x": real}, {"x": np.clip(np.rint(real / np.array([0.5, 1, 2], np.float32)), -128, 127).astype(np.int8)})


def test_several_inputs(checks):
    """-p for each of them; integers by other integers; names that need quotes."""
    nodes = [helper.make_node("Cast", ["a,b:c"], ["i"], to=F), helper.make_node("Where", ["mask", "i", "r"], ["y"])]
    model = Model(checks, "several", nodes, [("a,b:c", TensorProto.INT64, ("n",)), ("mask", TensorProto.BOOL, ("n",)), ("r", F, ("n",))])
    ids, mask, real = picture(np.int32, (9,)), RANDOM.integers(0, 3, 9).astype(np.uint8), picture(np.float32, (9,))
    want = model.run({"a,b:c": ids.astype(np.int64), "mask": mask != 0, "r": (real - np.float32(1)) * np.float32(2)})
    got = model.run({"a,b:c": ids, "mask": mask, "r": real}, "-p", 'input:type=int32,name="a,b:c"', "-p", "input:name=mask,type=uint8",
                    "-p", "input:name=r,mean=1,scale=2", "--backend", "all")
    if want is not None and got is not None:
        checks.equal("several inputs", got.tolist(), want.tolist())
    once, twice = model.run({"a,b:c": ids, "mask": mask != 0, "r": real}, "-p", "input:name=r,mean=1,scale=2"), model.run(
        {"a,b:c": ids, "mask": mask != 0, "r": real}, "-p", "input:name=r,scale=2", "-p", "input:name=r,mean=1")
    if once is not None and twice is not None:
        checks.equal("two changes of one input: the last is what is fed to the first", twice.tolist(), once.tolist())


# ---- all commands ----

def correct(checks, name, want, *words):
    done = tenon("eval", *words, "--json", timeout=300)
    if checks.check(f"{name}: tenon eval", done.status == 0, done.last):
        checks.equal(f"{name}: correct", json.loads(done.out)["correct"], want)


def test_commands(checks):
    raw = ["-p", "input:scale=0.00392157,type=uint8"]
    correct(checks, "mnist-cnn by bytes", 9859, CNN, "--data", DIGITS, *raw)
    name = os.path.join(TINY, "resnet8_int8_qdq", "model.onnx")
    pictures = ["--data", os.path.join(TINY, "cifar10_2000.npz"), "--map", "input_1_int8=input_1", "--limit", "400"]
    as_ever = json.loads(tenon("eval", name, *pictures, "--json").out)["correct"]
    correct(checks, "resnet8_int8_qdq by bytes", as_ever, name, *pictures, "-p", "input:type=uint8")
    scaled = tenon("eval", CNN, "--data", DIGITS, "--limit", "1", *raw, "--scale", "input=0.5")
    checks.check("eval: bytes cannot be scaled by --scale", scaled.status == 3 and "real numbers (u8, scaled)" in scaled.err, scaled.last)
    shown = tenon("inspect", CNN, "--dim", "batch=1", *raw)
    checks.check("inspect: what is fed, and the file's nodes", shown.status == 0 and "input: u8[1,1,28,28]" in shown.out
                 and "10 in the file" in shown.out, shown.last)
    timed = tenon("bench", CNN, "--dim", "batch=1", "--time", "0", *raw)
    checks.check("bench", timed.status == 0, timed.last)
    wrong = tenon("check", CNN, os.path.dirname(CNN), *raw)
    checks.check("check: the data are still floats", wrong.status == 3 and "error[wrong-type]" in wrong.err, wrong.last)
    halves = tenon("check", CNN, os.path.dirname(CNN), "-p", "input:mean=0,scale=1")
    checks.check("check: nothing changed", halves.status == 0, halves.last)
    rows = tenon("run", "--print-pipeline", *raw).out.splitlines()
    checks.check("--print-pipeline", any(re.match(r"  input +input:scale=0.00392157,type=uint8$", row) for row in rows), str(rows[:3]))
    seen = tenon("compile", CNN, *raw, "--dump-after", "input", "--stop-after", "input")
    checks.check("--dump-after input", seen.status == 0 and seen.err.startswith('# after input\ngraph "main"(%input: u8[batch,1,28,28])'), seen.last)


def test_c(checks):
    """Generated C takes bytes, and names what it was made by."""
    out = scratch("input-c")
    done = tenon("compile", CNN, "--name", "digit", "--dim", "batch=1", "-p", "input:scale=0.00392157,type=uint8", "-o", out)
    if not checks.check("compile", done.status == 0, done.last):
        return
    text = open(os.path.join(out, "digit.h")).read()
    checks.check("the header has const uint8_t *input", "const uint8_t *input;" in text)
    checks.check("the command stands in it", "-p input:scale=0.00392157,type=uint8" in text)
    built = run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-I", out, os.path.join(out, "digit.c"),
                 os.path.join(out, "digit_example.c"), "-o", os.path.join(out, "digit")])
    checks.check("gcc compiles it", built.status == 0, built.last)


def main():
    checks = Checks()
    for test in (test_pictures, test_quantised, test_several_inputs, test_commands, test_c):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
