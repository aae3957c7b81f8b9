#!/usr/bin/env python3
"""The command: usage errors, exit statuses, JSON, what it writes and where. `--update-golden` rewrites usage.txt."""
import glob
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time

import numpy as np
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, ROOT, TENON, Checks, run, scratch, tenon  # noqa: E402
from onnx_models import save_model  # noqa: E402
from samples import inputs, outputs  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
GOLDEN = os.path.join(HERE, "usage.txt")
MLP = os.path.join(MODELS, "mnist-mlp", "model.onnx")
CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
DIGITS = os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx")
LABELS = os.path.join(MODELS, "bert-tiny-imdb", "labels.onnx")
COMMANDS = ["compile", "run", "check", "bench", "eval", "inspect", "diff", "draw", "tune", "ops", "doctor"]
# Names that stand for files in usage.txt.
FILES = {"MLP": MLP, "CNN": CNN, "BERT": BERT, "DIGITS": DIGITS, "FOLDER": os.path.join(MODELS, "mnist-cnn")}


# ---- usage.txt: a line `$ words`, what is printed on stderr, a line `[status]` ----

def golden_blocks():
    words, said = None, []
    for line in open(GOLDEN):
        line = line.rstrip("\n")
        if line.startswith("$ "):
            words, said = line[2:], []
        elif re.fullmatch(r"\[\d\]", line):
            yield words, said, int(line[1])
        elif line:
            said.append(line)


def run_golden(words):
    done = tenon(*(FILES.get(w, w) for w in words.split()), timeout=60)
    said = done.err
    for name, path in FILES.items():
        said = said.replace(path, name)
    return done, said.splitlines()


def test_usage(checks):
    for words, said, status in golden_blocks():
        done, got = run_golden(words)
        checks.check(f"tenon {words}", done.status == status and got == said and done.out == "",
                     f"status {done.status}, want {status}; said {got}, want {said}")


def update_golden():
    text = []
    for words, _, _ in list(golden_blocks()):
        done, said = run_golden(words)
        text.append("\n".join([f"$ {words}", *said, f"[{done.status}]"]) + "\n")
    with open(GOLDEN, "w") as f:
        f.write("\n".join(text))


# ---- help ----

def test_help(checks):
    overview = tenon("--help")
    checks.equal("tenon --help: status", overview.status, 0)
    for name in COMMANDS:
        done = tenon(name, "--help")
        checks.check(f"tenon --help names {name}", re.search(rf"^  {name} ", overview.out, re.M) is not None)
        checks.check(f"tenon {name} --help", done.status == 0 and done.err == "" and "\nExamples:\n  tenon " in done.out, done.last)
        for option in re.findall(r" --([a-z-]+)", done.out.split("Examples:")[1]):
            checks.check(f"{name}: the example's --{option} is among the options", f"\n  --{option}" in done.out)
        checks.equal(f"tenon help {name}", tenon("help", name).out, done.out)
    checks.check("tenon --version", re.fullmatch(r"tenon \d+\.\d+\.\d+\n", tenon("--version").out) is not None)


# ---- JSON ----

def parsed(checks, name, *words):
    done = tenon(*words, "--json")
    try:
        made = json.loads(done.out)
    except ValueError as error:
        checks.check(name, False, f"{error}; {done.last}")
        return {}
    checks.check(name, done.status == 0 and isinstance(made, dict), done.last)
    return made


def has(checks, name, made, *fields):
    missing = [f for f in fields if f not in made]
    checks.check(f"{name}: fields", not missing, f"missing {missing}")


def test_json(checks):
    bench = parsed(checks, "bench --json", "bench", CNN, "--dim", "batch=1", "--time", "0.05")
    has(checks, "bench", bench, "model", "cpu", "threads", "latency_us", "compile_ms", "macs", "gflops", "arena_bytes", "weight_bytes",
        "code_bytes", "resident_bytes")
    latency = bench.get("latency_us", {})
    has(checks, "bench latency", latency, "min", "median", "p99", "runs")
    checks.check("bench: min <= median <= p99", latency and 0 < latency["min"] <= latency["median"] <= latency["p99"], str(latency))
    # Two convolutions and two dense layers: 784*16*9 + 196*32*16*9 + 1568*64 + 64*10.
    checks.equal("bench: MACs", bench.get("macs"), 784 * 16 * 9 + 196 * 32 * 16 * 9 + 1568 * 64 + 640)
    checks.check("bench: code and memory", all(bench.get(k, 0) > 0 for k in ("code_bytes", "resident_bytes", "arena_bytes")), str(bench))
    made = parsed(checks, "eval --json", "eval", CNN, "--data", DIGITS, "--scale", "input=0.00392156862745098", "--limit", "300")
    has(checks, "eval", made, "samples", "correct", "accuracy", "ci95", "samples_per_second", "weight_bytes", "average_bits")
    checks.check("eval: numbers", made.get("samples") == 300 and made.get("correct", 0) > 285
                 and made["ci95"][0] < made["accuracy"] == made["correct"] / 300 < made["ci95"][1]
                 and made["average_bits"] == {"weights": 32, "data": 32}, str(made))
    made = parsed(checks, "inspect --json", "inspect", CNN, "--dim", "batch=1")
    has(checks, "inspect", made, "inputs", "outputs", "nodes", "totals")
    for node in made.get("nodes", []):
        has(checks, f"inspect node {node.get('name')}", node, "index", "name", "op", "macs", "params", "bytes", "arena", "weight_bits", "data_bits", "moved_bytes", "cycles")
    totals = made.get("totals", {})
    weights = 16 * 9 + 16 + 32 * 16 * 9 + 32 + 1568 * 64 + 64 + 640 + 10
    checks.equal("inspect: parameters", totals.get("params"), weights)
    has(checks, "inspect: cost", totals, "macs_by_precision", "weight_bits", "data_bits", "moved_bytes", "predicted")
    checks.equal("bench: the cost model says the same", [bench.get(k) for k in ("macs_by_precision", "moved_bytes")],
                 [totals.get(k) for k in ("macs_by_precision", "moved_bytes")])
    checks.equal("inspect: MACs", totals.get("macs"), bench.get("macs"))
    checks.equal("inspect: sums of the nodes", sum(n["macs"] for n in made.get("nodes", [])), totals.get("macs"))
    made = parsed(checks, "check --json", "check", CNN, os.path.dirname(CNN))
    checks.check("check: cases", made.get("passed") == made.get("total") == len(made.get("cases", [])) > 1
                 and all(c["result"] == "pass" for c in made["cases"]), str(made)[:300])
    made = parsed(checks, "ops --json", "ops")
    names = [o["name"] for o in made.get("operators", [])]
    checks.check("ops: many, sorted", len(names) > 100 and {"Conv", "MatMul", "Softmax"} <= set(names), str(len(names)))
    checks.check("doctor --json", all(item["ok"] for item in parsed(checks, "doctor --json", "doctor").get("items", [{"ok": False}])))
    has(checks, "--print-pipeline", parsed(checks, "--print-pipeline --json", "compile", "--print-pipeline"), "pipeline")
    made = parsed(checks, "compile --json", "compile", CNN, "--dim", "batch=1", "-o", scratch("cli-json"))
    checks.check("compile: its files", {"model.c", "model.h", "tenon/runtime.h"} <= {f["name"] for f in made.get("files", [])}, str(made))


# ---- run ----

def test_run(checks):
    folder = scratch("cli-run")
    data_set = os.path.join(os.path.dirname(CNN), "test_data_set_0")
    [(name, array)] = inputs(CNN, data_set)
    given, out = os.path.join(folder, "in.npy"), os.path.join(folder, "made", "here")
    np.save(given, array)
    done = tenon("run", CNN, "--input", f"{name}={given}", "-o", out)
    made = np.load(os.path.join(out, "logits.npy"))
    checks.check("run: writes the output", done.status == 0 and np.allclose(made, outputs(data_set)[0], 1e-3, 1e-5), done.last)
    checks.check("run: says what came out", "logits: f32 " in done.out and f"at {int(made.argmax())}," in done.out, done.out)
    # Whole numbers of another type are converted where they fit, and refused where they do not.
    np.save(given, np.ones(array.shape, np.int64))
    whole = tenon("run", CNN, "--input", f"{name}={given}", "-o", out)
    np.save(given, np.ones(array.shape, np.float32))
    real = tenon("run", CNN, "--input", f"{name}={given}", "-o", out + "2")
    same = (np.load(os.path.join(out, "logits.npy")) == np.load(os.path.join(out + "2", "logits.npy"))).all()
    checks.check("run: converts integers", whole.status == real.status == 0 and same, whole.last)
    files = []
    for i, (key, shape) in enumerate([("input_ids", (1, 8)), ("attention_mask", (1, 8)), ("token_type_ids", (1, 8))]):
        files += ["--input", f"{key}={folder}/{i}.npy"]
        np.save(f"{folder}/{i}.npy", np.full(shape, 1.5 if i == 0 else 1))
    done = tenon("run", BERT, *files)
    checks.check("run: real numbers for an integer input", done.status == 3 and "error[wrong-type]" in done.err, done.last)
    np.save(f"{folder}/0.npy", np.full((1, 8), 10 ** 6))
    for i in (1, 2):
        np.save(f"{folder}/{i}.npy", np.full((1, 8), 1))
    for backend in ("interp", "jit", "c"):
        done = tenon("run", BERT, *files, "--backend", backend)
        checks.check(f"run: an index out of range, {backend}", done.status == 3 and "out of range" in done.err, done.last)
    np.save(f"{folder}/1.npy", np.full((1, 9), 1))
    done = tenon("run", BERT, *files)
    checks.check("run: shapes that contradict", done.status == 3 and "error[shape-mismatch]" in done.err, done.last)


# ---- freeze, dump, stop ----

def test_freeze(checks):
    folder = scratch("cli-freeze")
    words = []
    for key in ("attention_mask", "token_type_ids"):
        np.save(f"{folder}/{key}.npy", np.ones((1, 8), np.int64))
        words += ["--freeze", f"{key}={folder}/{key}.npy"]
    done = tenon("compile", BERT, "--emit", "graph", *words)
    head = done.out.split("\n")[0]
    checks.check("--freeze: the inputs are gone, their shapes bind", done.status == 0 and head == 'graph "main"(%input_ids: i64[1,8]) {', head)


def test_stages(checks):
    done = tenon("compile", CNN, "--dim", "batch=1", "--emit", "loops", "--dump-after", "bind", "--stop-after", "expand")
    checks.check("--dump-after, --stop-after", done.status == 0 and done.out == "" and done.err.startswith("# after bind\ngraph "), done.last)
    done = tenon("compile", CNN, "--dim", "batch=1", "--emit", "loops", "--time-passes", "-o", "/dev/null")
    stages = re.findall(r"^time: (\w+) +\d", done.err, re.M)
    checks.equal("--time-passes", stages, ["import", "edit", "bind", "passes", "lower", "verify", "emit"])
    done = tenon("check", CNN, os.path.dirname(CNN), "--verbose")
    checks.check("--verbose", done.status == 0 and re.search(r"^time: engine .*\ncode: jit for .* kernels", done.err, re.M) is not None
                 and done.err.count("code: ") == 1, done.last)
    bound = ["compile", BERT, "--dim", "batch=1", "--dim", "sequence=8", "--emit", "graph", "--verify-passes"]
    kept, cleaned = tenon(*bound, "--skip", "fold"), tenon(*bound)
    checks.check("--skip", kept.status == cleaned.status == 0 and " = Shape-" in kept.out and " = Shape-" not in cleaned.out, kept.last)


# ---- the same bytes ----

def contents(folder):
    names = sorted(glob.glob(os.path.join(folder, "**"), recursive=True))
    return {os.path.relpath(n, folder): open(n, "rb").read() for n in names if os.path.isfile(n)}


def test_determinism(checks):
    for emit in ("c", "llvm", "asm", "loops", "graph"):
        made = []
        for i, where in enumerate((ROOT, "/tmp")):
            out = os.path.join(scratch(f"cli-same-{i}"), "out")
            model = os.path.relpath(CNN, where) if i == 0 else CNN
            done = tenon("compile", model, "--dim", "batch=1", "--target", "x86-64-v3", "--emit", emit, "-o", out, cwd=where)
            made.append(contents(out) if os.path.isdir(out) else {"": open(out, "rb").read()} if done.status == 0 else done.last)
        checks.check(f"--emit {emit}: the same from any directory", made[0] == made[1] and isinstance(made[0], dict), str(made[0])[:200])
        text = b"".join(made[0].values())
        checks.check(f"--emit {emit}: no path of this machine", ROOT.encode() not in text and os.path.expanduser("~/").encode() not in text)
    same = [tenon("bench", LABELS, "--dim", "batch=1", "--dim", "sequence=8", "--time", "0", "--backend", "all", "--seed", "3").status]
    checks.equal("bench: random inputs are in range, the back ends agree on them", same, [0])


# ---- out of the ordinary ----

def test_limits(checks):
    done = run(["sh", "-c", f"{TENON} inspect {CNN} --dim batch=1 > /dev/full"])
    checks.check("stdout is full", done.status == 5 and len(done.err.splitlines()) == 1, done.last)
    done = tenon("compile", CNN, "--dim", "batch=1", "-o", "/dev/full/x")
    checks.check("the output folder cannot be made", done.status == 5 and "/dev/full" in done.err, done.last)
    done = tenon("compile", CNN, "--dim", "batch=1", "--emit", "loops", "-o", "/dev/full")
    checks.check("the output file is full", done.status == 5 and len(done.err.splitlines()) == 1, done.last)
    done = tenon("check", CNN, os.path.dirname(CNN), "--backend", "c", env={"CC": "no-such-compiler"})
    checks.check("no C compiler", done.status == 5 and "error[no-compiler]" in done.err and "note: set CC" in done.err, done.last)
    done = tenon("check", CNN, os.path.dirname(CNN), "--backend", "c", env={"CC": "false"})
    checks.check("a C compiler that refuses", done.status == 5 and "error[compiler-failed]" in done.err, done.last)
    checks.check("no colors in a pipe", "\033" not in tenon("chek").err)
    checks.check("--color always", "\033[1;31merror[usage]:\033[0m" in tenon("ops", "--color", "always", "--nonsense").err)

    def little_memory():
        resource.setrlimit(resource.RLIMIT_AS, (48 << 20, 48 << 20))

    done = subprocess.run([TENON, "compile", BERT, "--dim", "batch=4", "--dim", "sequence=512", "-o", scratch("cli-memory")],
                          capture_output=True, text=True, preexec_fn=little_memory, check=False)
    checks.check("out of memory", done.returncode == 5 and len(done.stderr.splitlines()) == 1, f"{done.returncode}: {done.stderr[:300]}")


def test_interrupt(checks):
    """Ctrl-C ends long work at once, by the signal, with nothing on stdout and no temporary files left."""
    folder = scratch("cli-interrupt")
    for name, words in (("interp", ["--backend", "interp"]), ("jit", ["--backend", "jit"]), ("c", ["--backend", "c"])):
        child = subprocess.Popen([TENON, "bench", CNN, "--dim", "batch=1", "--time", "600", *words], stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": folder})
        time.sleep(1.5)
        begin = time.time()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        checks.check(f"Ctrl-C, {name}", child.returncode == -signal.SIGINT and out == "" and err.count("\n") == 1 and "error[stopped]" in err
                     and time.time() - begin < 5, f"{child.returncode}: {out[:100]} {err[:200]}")
    checks.equal("Ctrl-C: no temporary files", os.listdir(folder), [])


def test_steps(checks):
    """A quantised output that is off by a rounding."""
    folder = scratch("cli-steps")
    model = save_model(os.path.join(folder, "model.onnx"), [helper.make_node("Identity", ["x"], ["y"])],
                       [helper.make_tensor_value_info("x", TensorProto.INT8, [4])], [helper.make_tensor_value_info("y", TensorProto.INT8, [4])])
    for name, data in (("input_0", [1, 2, -3, 4]), ("output_0", [1, 1, -3, 5])):
        with open(os.path.join(folder, name + ".pb"), "wb") as f:
            f.write(numpy_helper.from_array(np.int8(data)).SerializeToString())
    for words, status in (((), 1), (("--steps", "0"), 1), (("--steps", "1"), 0)):
        checks.equal(f"check {' '.join(words)}: status", tenon("check", model, folder, *words).status, status)
    made = parsed(checks, "check --steps --json", "check", model, folder, "--steps", "1")
    checks.equal("check --steps: what it says", (made.get("steps"), made.get("cases", [{}])[0].get("largest_error")), (1, 1))


def main():
    if sys.argv[1:] == ["--update-golden"]:
        update_golden()
        return
    checks = Checks()
    for test in (test_usage, test_help, test_json, test_run, test_steps, test_freeze, test_stages, test_determinism, test_limits, test_interrupt):
        test(checks)
    checks.finish()


main()
