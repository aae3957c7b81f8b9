#!/usr/bin/env python3
"""`tenon bench --per-node` and `--trace`: names, sums, counts, refusals. `--perf-map`: what perf reads, and what gdb shows. Nothing is timed here."""
import json
import os
import re
import shutil
import subprocess
import sys

import onnx

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import MODELS, TENON, Checks, run, scratch, tenon  # noqa: E402

CNN = os.path.join(MODELS, "mnist-cnn", "model.onnx")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "static_1x128.onnx")
RESNET = os.path.join(MODELS, "mlperf-tiny", "resnet8", "model.onnx")
QUICK = ("--time", "0.05")
FORMED = ("LayerNormalization", "Gelu", "Softmax", "Attention")  # by the passes that fuse, at the place and by the name of the pattern's last node
NODE = ("index", "op", "name", "fused", "shapes", "calls", "us", "share", "macs", "precision", "cycles", "gflops", "peak_share", "bytes", "gbs", "bandwidth_share")


def parsed(checks, name, *words):
    done = tenon("bench", *words, *QUICK, "--json")
    try:
        return json.loads(done.out)
    except ValueError as error:
        checks.check(name, False, f"{error}; {done.last}")
        return {}


def model_nodes(model):
    """(op, name) of each node of the file, by index."""
    return [(n.op_type, n.name) for n in onnx.load(model, load_external_data=False).graph.node]


def about(x, y, tolerance=1e-6):
    return abs(x - y) <= tolerance * max(abs(x), abs(y), 1e-12)


# ---- JSON ----

def test_nodes(checks, name, model, *words):
    made = parsed(checks, name, model, *words, "--per-node")
    plain = parsed(checks, name, model, *words)
    nodes, file = made.get("nodes", []), model_nodes(model)
    checks.check(f"{name}: --per-node only adds", nodes and "nodes" not in plain and set(plain) <= set(made), str(list(made)))
    checks.check(f"{name}: peak and bandwidth", made.get("peak_gflops", 0) > 0 and made.get("bandwidth_gbs", 0) > 0
                 and made.get("bandwidth_bytes", 0) >= 65536 and made.get("nodes_runs", 0) >= 5)
    missing = [f for n in nodes for f in NODE if f not in n]
    checks.check(f"{name}: fields of nodes", not missing, str(missing[:5]))
    if missing or not nodes:
        return
    parts = nodes + [p for n in nodes for p in n["fused"]]
    wrong = [p for p in parts if not (0 <= p["index"] < len(file) and file[p["index"]][1] == p["name"]
                                      and p["op"] in (file[p["index"]][0], *FORMED))]
    checks.check(f"{name}: every part is a node of the file", not wrong, str(wrong[:3]))
    indices = [n["index"] for n in nodes]
    checks.check(f"{name}: in the file's order, each once", indices == sorted(set(indices)), str(indices))
    checks.check(f"{name}: a node is not fused into itself", all(n["index"] not in [p["index"] for p in n["fused"]] for n in nodes))
    checks.equal(f"{name}: the MACs add up", sum(n["macs"] for n in nodes), made["macs"])
    checks.equal(f"{name}: the calls add up", sum(n["calls"] for n in nodes), made["steps"])
    total = sum(n["us"] for n in nodes)
    checks.check(f"{name}: the times add up", about(total, made["nodes_us"]) and about(sum(n["share"] for n in nodes), 1), str(total))
    for n in nodes:
        good = n["us"] >= 0 and n["bytes"] > 0 and n["calls"] >= 1
        if n["us"] > 0:
            good = good and about(n["gflops"], 2e-3 * n["macs"] / n["us"]) and about(n["gbs"], 1e-3 * n["bytes"] / n["us"]) \
                and about(n["peak_share"], n["gflops"] / made["peak_gflops"]) and about(n["bandwidth_share"], n["gbs"] / made["bandwidth_gbs"])
        checks.check(f"{name}: numbers of {n['name']}", good, str(n))
    return {n["name"]: n for n in nodes}


def test_json(checks):
    nodes = test_nodes(checks, "mnist-cnn", CNN, "--dim", "batch=1") or {}
    first = nodes.get("/0/Conv", {})
    checks.equal("mnist-cnn: the first convolution's MACs", first.get("macs"), 784 * 16 * 9)
    checks.equal("mnist-cnn: its shapes", first.get("shapes"), "f32[1,1,28,28], f32[16,1,3,3], f32[16] -> f32[1,16,28,28]")
    # The last layer reads 64 values, 640 weights and 10 biases, and writes 10; weights may be padded to whole vectors.
    last = nodes.get("/10/Gemm", {}).get("bytes", 0)
    checks.check("mnist-cnn: bytes of the last layer", 4 * (64 + 640 + 10 + 10) <= last <= 4 * (64 + 64 * 16 + 16 + 16), str(last))
    test_nodes(checks, "resnet8", RESNET)
    nodes = test_nodes(checks, "bert", BERT) or {}
    # 128 rows of 128 floats are read from a table of 30522 rows, and written; the check of the ids and the work read them, too.
    gather = nodes.get("/m/bert/embeddings/word_embeddings/Gather", {}).get("bytes", 0)
    checks.check("bert: a Gather counts the rows that it reads", 2 * 128 * 128 * 4 <= gather <= 2 * 128 * 128 * 4 + 4 * 128 * 8, str(gather))
    gelu = nodes.get("/m/bert/encoder/layer.0/intermediate/dense/MatMul", {})
    checks.check("bert: GELU is fused into its MatMul", "Gelu" in [p["op"] for p in gelu.get("fused", [])], str(gelu))


# ---- text ----

def test_text(checks):
    done = tenon("bench", RESNET, "--per-node", *QUICK)
    lines = done.out.split("\n")
    head = next((i for i, line in enumerate(lines) if line.startswith("node ")), None)
    checks.check("text: a table", done.status == 0 and head is not None, done.last)
    if head is None:
        return
    table = lines[head:lines.index("", head)]
    for what in ("operator", "name", "us", "share", "MACs", "GFLOP/s", "of peak", "bytes", "of bandwidth"):
        checks.check(f"text: a column {what}", f" {what}" in table[0], table[0])
    # report_table's last column is aligned right: all lines are of one length.
    checks.equal("text: the columns are aligned", len({len(line) for line in table}), 1)
    rows = [line for line in table[1:] if re.match(r"\d+ ", line)]
    checks.check("text: a row for each node, then the total", len(rows) == len(table) - 2 and table[-1].startswith("total ") and " 100.0% " in table[-1])
    checks.check("text: what is fused stands behind the name", any(" Conv_1 + Relu_1 " in row for row in rows), "\n".join(table))
    for word in ("nodes", "peak", "bandwidth"):
        checks.check(f"text: a line on {word}", any(line.startswith(f"{word} ") for line in lines[head:]))
    checks.check("text: the sum beside the median", re.search(r"^nodes +[\d.]+ us in all, [\d.]+ % (above|below) the median latency", done.out, re.M) is not None)
    long = tenon("bench", BERT, "--per-node", *QUICK).out
    checks.check("text: long names keep their ends", "...coder/layer.0/attention/self/query/MatMul + Add " in long or
                 re.search(r" \.\.\.\S*/query/MatMul \+ Add ", long) is not None)
    checks.check("text: no line is too long", max(map(len, long.split("\n"))) <= 180, str(max(map(len, long.split("\n")))))


# ---- trace ----

def test_trace(checks):
    path = os.path.join(scratch("bench-trace"), "trace.json")
    made = parsed(checks, "--trace", RESNET, "--trace", path)
    checks.check("--trace implies --per-node, and says where it is", made.get("trace") == path and made.get("nodes"), str(list(made)))
    try:
        trace = json.load(open(path))
    except (OSError, ValueError) as error:
        checks.check("--trace: a file of JSON", False, str(error))
        return
    events = trace.get("traceEvents", [])
    names = {e["name"] for e in events if e["ph"] == "M"}
    checks.check("trace: names of process and thread", names == {"process_name", "thread_name"}
                 and all(isinstance(e["args"]["name"], str) for e in events if e["ph"] == "M"), str(names))
    checks.check("trace: events are X or M", {e["ph"] for e in events} == {"X", "M"})
    spans = [e for e in events if e["ph"] == "X"]
    well = all(isinstance(e["name"], str) and e["pid"] == 1 and e["tid"] == 1 and e["ts"] >= 0 and e["dur"] >= 0 for e in spans)
    checks.check("trace: every X has name, pid, tid, ts and dur", well)
    [whole], calls = [e for e in spans if e["cat"] == "run"], [e for e in spans if e["cat"] != "run"]
    checks.equal("trace: an event for each call", len(calls), made.get("steps"))
    ends = [e["ts"] + e["dur"] for e in calls]
    later = [e["ts"] for e in calls[1:]] + [whole["ts"] + whole["dur"]]
    checks.check("trace: one after the other, inside the run", whole["ts"] == 0 and all(a <= b + 1e-6 for a, b in zip(ends, later)))
    for e in calls:
        args = e["args"]
        node = next((n for n in made["nodes"] if n["index"] == args["node"]), {})
        checks.check(f"trace: args of {e['name']}", e["cat"] == args["op"] == node.get("op") and args["shapes"] == node.get("shapes")
                     and e["name"] == node.get("name") and isinstance(args["fused"], list) and args["bytes"] > 0 and args["kernel"])
    checks.equal("trace: the MACs add up", sum(e["args"]["macs"] for e in calls), made.get("macs"))


# ---- --perf-map ----

def perf_map(words):
    """Runs tenon; the lines of its map, which is taken away."""
    child = subprocess.Popen([TENON, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    err = child.communicate()[1]
    path = f"/tmp/perf-{child.pid}.map"
    if not os.path.exists(path):
        return child.returncode, None, err
    with open(path) as f:
        lines = f.read().splitlines()
    os.remove(path)
    return child.returncode, lines, err


def test_perf_map(checks):
    status, lines, err = perf_map(["bench", CNN, "--dim", "batch=1", *QUICK, "--perf-map", "--json"])
    if not checks.check("--perf-map writes a map", status == 0 and lines, err):
        return
    rows = [re.fullmatch(r"([0-9a-f]+) ([0-9a-f]+) (\w+)", line) for line in lines]
    checks.check("map: address, size, name", all(rows), str(lines[:3]))
    spans = sorted((int(r[1], 16), int(r[2], 16), r[3]) for r in rows if r)
    checks.check("map: addresses and sizes", all(0 < a < 1 << 48 and 0 < n < 1 << 20 for a, n, _ in spans), str(spans))
    checks.check("map: no overlap", all(a + n <= b for (a, n, _), (b, _, _) in zip(spans, spans[1:])), str(spans))
    names = [name for _, _, name in spans]
    loops = tenon("compile", CNN, "--dim", "batch=1", "--target", "host", "--emit", "loops").out
    kernels = re.findall(r"^  kernel (\w+)\(", loops, re.M)
    named = all(any(re.fullmatch(rf"model__\w+__{k}", name) for name in names) for k in kernels)
    checks.check("map: every kernel, and the run", kernels and named and len(names) == len(kernels) + 1 and "model_run_raw" in names, f"{names} {kernels}")
    checks.check("map: nodes in the names", any("__3_Conv__" in name for name in names), str(names))
    status, lines, err = perf_map(["bench", CNN, "--dim", "batch=1", *QUICK, "--json"])
    checks.check("no map unless it is asked for", status == 0 and lines is None, err)
    # The shell's process becomes tenon, so that the map's name is known before.
    command = f'mkdir /tmp/perf-$$.map && echo $$ && exec {TENON} check {CNN} {os.path.dirname(CNN)} --perf-map'
    done = run(["sh", "-c", command])
    path = f"/tmp/perf-{done.out.split()[0]}.map"
    os.rmdir(path)
    checks.check("a map that cannot be written", done.status == 5 and f"{path}: error[perf-map]: cannot be written: " in done.err, done.last)
    command = f'ln -s /nowhere/at/all /tmp/perf-$$.map && echo $$ && exec {TENON} check {CNN} {os.path.dirname(CNN)} --perf-map'
    done = run(["sh", "-c", command])
    os.remove(f"/tmp/perf-{done.out.split()[0]}.map")
    checks.check("a link is not followed", done.status == 5 and "error[perf-map]" in done.err, done.last)


def test_gdb(checks):
    gdb = shutil.which("gdb")
    if not checks.check("gdb is there", gdb is not None, "./dev setup installs it"):
        return
    folder = scratch("bench-gdb")
    loops = tenon("compile", CNN, "--dim", "batch=1", "--target", "host", "--emit", "loops").out
    kernel = re.search(r"^  step (\w+)\(.* lead \"/3/Conv\" macs", loops, re.M)[1]
    name = f"model__3_Conv__{kernel}"
    script = os.path.join(folder, "script")
    with open(script, "w") as f:
        f.write(f"set confirm off\nset breakpoint pending on\nset debuginfod enabled off\nbreak {name}\nrun\necho STOPPED\\n\nbacktrace\nkill\nquit\n")
    done = run([gdb, "-nx", "-batch", "-x", script, "--args", TENON, "bench", CNN, "--dim", "batch=1", *QUICK, "--perf-map"], timeout=200)
    if "Operation not permitted" in done.err:
        print("gdb may not trace here: left out")
        return
    shown = done.out.partition("STOPPED\n")[2]
    frames = re.findall(r"^#(\d+) +(?:0x[0-9a-f]+ in )?(\w+) ", shown, re.M)
    checks.check("gdb stops in the kernel, and sees who called", [n for _, n in frames[:2]] == [name, "model_run_raw"] and "main" in [n for _, n in frames],
                 (done.out + done.err)[-600:])
    pid = re.search(r"\(process (\d+)\)", done.out)
    if pid and os.path.exists(f"/tmp/perf-{pid[1]}.map"):
        os.remove(f"/tmp/perf-{pid[1]}.map")


if __name__ == "__main__":
    checks = Checks()
    test_json(checks)
    test_text(checks)
    test_trace(checks)
    test_perf_map(checks)
    test_gdb(checks)
    checks.finish()
