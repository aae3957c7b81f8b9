#!/usr/bin/env python3
"""tenon explain: each node put back into floats by hand and run by ONNX Runtime; formats, order, errors."""
import json
import math
import os
import sys

import numpy as np
import onnx
from onnx import TensorProto, helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import Checks, scratch, tenon  # noqa: E402
from onnx_models import first_outputs, save_model  # noqa: E402
from samples import BERT, TINY  # noqa: E402

FOLDER = scratch("explain")
RESNET, RESNET_INT8 = (os.path.join(TINY, name, "model.onnx") for name in ("resnet8", "resnet8_int8_qdq"))
PICTURES = os.path.join(TINY, "cifar10_2000.npz")
N, IN, HIDDEN, OUT = 60, 24, 16, 4
F = TensorProto.FLOAT


def saved(name, nodes, constants):
    inputs, outputs = [helper.make_tensor_value_info("x", F, [1, IN])], [helper.make_tensor_value_info("y", F, [1, OUT])]
    return save_model(os.path.join(FOLDER, name + ".onnx"), nodes, inputs, outputs, constants.items(), opset=21, ir_version=10)


class Network:
    """MatMul, Add, Relu, Gemm in floats, and quantised: the first MatMul to 6 bits of fixed point, the Gemm by channels."""

    def __init__(self, scaled=1.0):
        dice = np.random.default_rng(3)
        self.w1 = (dice.normal(size=(IN, HIDDEN)) / 4).astype(np.float32)
        self.b1 = dice.normal(size=HIDDEN).astype(np.float32)
        self.w2 = (dice.normal(size=(HIDDEN, OUT)) / 4).astype(np.float32)
        self.b2 = dice.normal(size=OUT).astype(np.float32)
        self.scaled = scaled

    def floats(self):
        nodes = [helper.make_node("MatMul", ["x", "w1"], ["m"], "first"), helper.make_node("Add", ["m", "b1"], ["a"], "bias"),
                 helper.make_node("Relu", ["a"], ["r"], "relu"), helper.make_node("Gemm", ["r", "w2", "b2"], ["y"], "last")]
        return saved("floats", nodes, {"w1": self.w1, "b1": self.b1, "w2": self.w2, "b2": self.b2})

    def quantised(self, name, first=True, last=True):
        """With `first` or `last` False that node computes with floats, and with the biases that it had."""
        scale = np.abs(self.w2).max(axis=0) / 127
        constants = {"w1": np.clip(np.rint(self.w1 * self.scaled * 16), -32, 31).astype(np.int8), "s1": np.float32(1 / 16), "z": np.int8(0),
                     "b1": self.b1 + (np.float32(0.125) if first else 0), "w2": np.rint(self.w2 / scale).astype(np.int8),
                     "s2": scale.astype(np.float32), "z2": np.zeros(OUT, np.int8), "b2": self.b2 + (np.float32(0.25) if last else 0),
                     "lo": np.float32(-32 / 8), "hi": np.float32(31 / 8), "sx": np.float32(1 / 8), "sr": np.float32(0.012), "zr": np.uint8(3),
                     "f1": self.w1, "f2": self.w2}
        nodes = [helper.make_node("Clip", ["x", "lo", "hi"], ["xc"]), helper.make_node("QuantizeLinear", ["xc", "sx", "z"], ["xq"]),
                 helper.make_node("DequantizeLinear", ["xq", "sx", "z"], ["xd"]), helper.make_node("DequantizeLinear", ["w1", "s1", "z"], ["w1d"]),
                 helper.make_node("MatMul", ["xd", "w1d"] if first else ["x", "f1"], ["m"], "first"), helper.make_node("Add", ["m", "b1"], ["a"], "bias"),
                 helper.make_node("Relu", ["a"], ["r"], "relu"), helper.make_node("QuantizeLinear", ["r", "sr", "zr"], ["rq"]),
                 helper.make_node("DequantizeLinear", ["rq", "sr", "zr"], ["rd"]),
                 helper.make_node("DequantizeLinear", ["w2", "s2", "z2"], ["w2d"], axis=1),
                 helper.make_node("Gemm", ["rd", "w2d", "b2"] if last else ["r", "f2", "b2"], ["y"], "last")]
        return saved(name, nodes, constants)


def explain(checks, name, *words):
    done = tenon("explain", *words, "--json", timeout=300)
    ok = checks.check(name, done.status == 0, done.last)
    return json.loads(done.out) if ok else {"nodes": [], "floats": {}, "quantised": {}}


def rewired(path, name, reads):
    """The model with other first inputs of some nodes."""
    model = onnx.load(path)
    for n in model.graph.node:
        if n.name in reads:
            n.input[0] = reads[n.name]
    out = os.path.join(FOLDER, name + ".onnx")
    onnx.save(model, out)
    return out


def node_of(report, name):
    return next((n for n in report["nodes"] if n["name"] == name), {})


def sqnr(want, have):
    return 10 * math.log10(np.sum(want ** 2) / np.sum((want - have) ** 2))


def close(a, b, within=0.01):
    return a is not None and abs(a - b) <= within


def check_network(checks):
    net = Network()
    samples = np.random.default_rng(5).normal(size=(N, 1, IN)).astype(np.float32)
    floats, whole = net.floats(), net.quantised("quantised")
    want, have = first_outputs(floats, samples), first_outputs(whole, samples)
    labels = want.argmax(axis=1)
    labels[::5] = (labels[::5] + 1) % OUT
    data = os.path.join(FOLDER, "data.npz")
    np.savez(data, x=samples[:, 0], label=labels)
    report = explain(checks, "network", whole, "--against", floats, "--data", data)
    checks.check("network: output", close(report["quantised"].get("sqnr_db"), sqnr(want, have)), str(report["quantised"]))
    checks.equal("network: correct", (report["floats"].get("correct"), report["quantised"].get("correct")),
                 tuple(int((x.argmax(axis=1) == labels).sum()) for x in (want, have)))
    for name, words in (("first", {"first": False}), ("last", {"last": False})):
        alone = first_outputs(net.quantised("alone", **words), samples)
        row = node_of(report, name)
        checks.check(f"network: {name} alone in floats", close(row.get("alone_in_floats", {}).get("sqnr_db"), sqnr(want, alone)), f"{row} {sqnr(want, alone)}")
        checks.check(f"network: {name}: gain", close(row.get("gain_db"), sqnr(want, alone) - sqnr(want, have)), str(row))
        points = 100 * (np.mean(alone.argmax(axis=1) == labels) - np.mean(have.argmax(axis=1) == labels))
        checks.check(f"network: {name}: points", close(row.get("gain_points"), points, 1e-9), f"{row} {points}")
    checks.equal("network: formats", [node_of(report, n).get(k) for n in ("first", "last") for k in ("weights", "data")],
                 [["Q(8,4)"], ["Q(6,3)"], ["i8 per channel"], ["u8 scale 0.012 zero 3"]])
    gains = [n["gain_db"] for n in report["nodes"]]
    checks.equal("network: what costs most comes first", gains, sorted(gains, reverse=True))
    hidden = np.maximum(np.clip(np.rint(samples[:, 0] * 8), -32, 31) / 8 @ (np.clip(np.rint(net.w1 * 16), -32, 31) / 16) + net.b1 + 0.125, 0)
    share = float(np.mean(np.clip(np.rint(hidden / np.float32(0.012)) + 3, 0, 255) == 255))
    checks.check("network: saturation", close(node_of(report, "last").get("saturation"), share, 1e-3), f"{node_of(report, 'last')} {share}")
    checks.check("network: some are saturated", share > 0)
    text = tenon("explain", whole, "--against", floats, "--data", data)
    checks.check("network: text", text.status == 0 and "Q(6,3)" in text.out and f"SQNR {sqnr(want, have):.1f} dB on {N} samples" in text.out, text.out)
    return floats, whole, data, samples


def check_scaled(checks, floats, data, samples):
    """Weights that are not the float model's stay what they are: only the data become floats."""
    net = Network(scaled=-1.0)
    whole = net.quantised("scaled")
    report = explain(checks, "scaled weights", whole, "--against", floats, "--data", data)
    path = rewired(whole, "scaled_alone", {"first": "x"})
    alone = sqnr(first_outputs(floats, samples), first_outputs(path, samples))
    checks.check("scaled weights: their own", close(node_of(report, "first").get("alone_in_floats", {}).get("sqnr_db"), alone), f"{node_of(report, 'first')} {alone}")


def check_alone(checks, floats, whole, data, samples):
    own = explain(checks, "no float model", whole, "--data", data)
    checks.equal("no float model: says so", own.get("reference_is_the_model"), True)
    whole_data = rewired(whole, "no_data", {"first": "x", "last": "r"})
    want = sqnr(first_outputs(whole_data, samples), first_outputs(whole, samples))
    checks.check("no float model: its data in floats, its weights as they are", close(own["quantised"].get("sqnr_db"), want), f"{own['quantised']} {want}")
    nothing = explain(checks, "a float model", floats, "--data", data)
    checks.equal("a float model: nothing to explain", (nothing["nodes"], nothing["quantised"].get("mse")), ([], 0))
    stopped = tenon("explain", whole, "--data", data, "--stop-after", "bind", "--json")
    checks.check("--stop-after", stopped.status == 0 and json.loads(stopped.out) == {"stopped": True}, stopped.last)
    for words, status, text in ((("explain", whole), 2, "--data FILE.npz"), (("explain", whole, "--data", data, "--label", "nolabel"), 3, "it has"),
                                (("explain", whole, "--data", data, "--against", "nowhere.onnx"), 5, "nowhere.onnx"),
                                (("explain", whole, "--data", data, "--map", "y=x"), 2, "no input 'y'")):
        done = tenon(*words)
        checks.check(" ".join(map(os.path.basename, words)), done.status == status and text in done.err, done.last)
    with_jit = tenon("explain", whole, "--against", floats, "--data", data, "--limit", 3, "--backend", "all")
    checks.check("every back end", with_jit.status == 0, with_jit.last)


def check_resnet(checks):
    """The model of which Transposes stand between, with its own quantisation."""
    array = next(k for k in np.load(PICTURES) if k != "label")
    words = ("--data", PICTURES, "--map", f"input_1_int8={array}", "--map", f"input_1={array}", "--limit", 50)
    report = explain(checks, "resnet8", RESNET_INT8, "--against", RESNET, *words)
    convs = [n for n in report["nodes"] if n["op"] == "Conv"]
    checks.equal("resnet8: its Convs", len(convs), 9)
    checks.check("resnet8: all are known in the float model", all(n["sqnr_db"] is not None for n in convs), str(convs[:1]))
    checks.check("resnet8: by channel", all(n["weights"][0] == "i8 per channel" for n in convs), str(convs[:1]))


def check_plugin(checks):
    """-p quantize on bert-tiny: packed tables of words are put back into floats, too."""
    model = os.path.join(BERT, "dynamic.onnx")
    reviews, calibration = (os.path.join(BERT, name) for name in ("test_5000.npz", "train_5000.npz"))
    words = ("--data", reviews, "--limit", 6, "-p", f"quantize:data_width=0,weight_width=3,per=channel,samples=4,calibration={calibration}")
    report = explain(checks, "bert-tiny", model, *words)
    done = tenon("eval", model, *words, "--metric", "sqnr", "--against", model, "--json")
    checks.check("bert-tiny: the output's SQNR is that of tenon eval", done.status == 0 and close(report["quantised"].get("sqnr_db"), json.loads(done.out)["sqnr_db"]), done.last)
    first = report["nodes"][:1] or [{}]
    checks.equal("bert-tiny: its words cost most", (first[0].get("name"), first[0].get("weights")), ("/m/bert/embeddings/Add", ["u3 per channel"]))
    checks.check("bert-tiny: what they cost", first[0].get("gain_db", 0) > 1, str(first))


def main():
    checks = Checks()
    floats, whole, data, samples = check_network(checks)
    check_scaled(checks, floats, data, samples)
    check_alone(checks, floats, whole, data, samples)
    check_resnet(checks)
    check_plugin(checks)
    checks.finish()


if __name__ == "__main__":
    main()
