#!/usr/bin/env python3
"""bench/bench.py on small models beside ONNX Runtime: its JSON, its tables, what differs or is missing, bad arguments. No figure is judged but by what it adds up to."""
import contextlib
import io
import json
import os
import subprocess
import sys

import numpy as np

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TESTS, "tools"))
from checks import ROOT, Checks, run, scratch  # noqa: E402

FOLDER = os.path.join(ROOT, "bench")
sys.path.insert(0, FOLDER)
import bench as suite  # noqa: E402
import make_models  # noqa: E402
import peers  # noqa: E402
import report  # noqa: E402
from cases import CASES  # noqa: E402
from subjects import Subject, SubjectError  # noqa: E402

SPREAD = {"median", "q1", "q3"}
FIELDS = {
    "": {"schema", "date", "machine", "versions", "settings", "missing", "models"},
    "machine": {"cpu", "cores", "core", "system", "load"},
    "settings": {"rounds", "seconds", "threads", "target", "rtol", "atol", "empty_call_ns"},
    "model": {"name", "what", "origin", "macs", "macs_computed", "bytes", "rounds", "cpu_share", "peak_gflops", "bandwidth_gbs", "bandwidth_bytes", "subjects"},
    "subject": {"key", "name", "latency_us", "calls", "difference", "agrees", "of_peak", "of_bandwidth", "ratios"},
}


def bench(*words):
    return run([sys.executable, os.path.join(FOLDER, "bench.py"), *words], timeout=100)


def is_spread(value, *more):
    return set(value) == SPREAD | set(more) and 0 <= value["q1"] <= value["median"] <= value["q3"]


def test_run(checks):
    """Two models, one shipped and one generated; returns the JSON."""
    path = os.path.join(scratch("bench"), "out.json")
    done = bench("--models", "lenet,mnist-mlp", "--peers", "onnxruntime", "--rounds", "2", "--seconds", "0", "--json", path)
    if not checks.check("bench runs", done.status == 0 and os.path.exists(path), done.last):
        return None
    with open(path) as f:
        made = json.load(f)
    checks.equal("fields", set(made), FIELDS[""])
    checks.equal("fields of the machine", set(made["machine"]), FIELDS["machine"])
    checks.equal("fields of the settings", set(made["settings"]), FIELDS["settings"])
    checks.check("the loop around the calls costs nanoseconds", 0 < made["settings"]["empty_call_ns"] < 100, str(made["settings"]))
    checks.equal("versions", set(made["versions"]), {"tenon", "cc", "onnxruntime"})
    checks.equal("models in the order asked for", [(m["name"], m["origin"]) for m in made["models"]], [("lenet", "generated"), ("mnist-mlp", "shipped")])
    # Convolutions of 784 and 100 places, dense layers.
    checks.equal("MACs of LeNet", made["models"][0]["macs"], 784 * 6 * 25 + 100 * 16 * 150 + 400 * 120 + 120 * 84 + 840)
    for model in made["models"]:
        test_model(checks, model)
    for word in ("lenet: LeNet-5", "tenon JIT", "% of peak", "of ONNX Runtime's time", "| lenet | 0.42 M | 0.42 M |"):
        checks.check(f"text: {word}", word in done.out, done.out)
    return made


def test_model(checks, model):
    name = model["name"]
    checks.equal(f"{name}: fields", set(model), FIELDS["model"])
    checks.check(f"{name}: the machine", is_spread(model["peak_gflops"]) and is_spread(model["bandwidth_gbs"]) and model["peak_gflops"]["median"] > 0.1
                 and 0 < model["cpu_share"] <= 1.1 and model["bandwidth_bytes"] >= 65536 and model["rounds"] == 2, str(model))
    checks.equal(f"{name}: subjects", [s["key"] for s in model["subjects"]], ["c", "jit", "onnxruntime"])
    for s in model["subjects"]:
        checks.equal(f"{name}, {s['key']}: fields", set(s), FIELDS["subject"])
        checks.check(f"{name}, {s['key']}: outputs", s["agrees"] is True and 0 <= s["difference"] < 1e-3, str(s))
        us = s["latency_us"]
        checks.check(f"{name}, {s['key']}: spreads", is_spread(us, "min") and 0 < us["min"] <= us["q1"] and is_spread(s["of_peak"]) and is_spread(s["of_bandwidth"]), str(s))
        checks.equal(f"{name}, {s['key']}: ratios are tenon's", set(s["ratios"]), set() if s["key"] == "onnxruntime" else {"onnxruntime"})


# ---- what a run of tiny pieces gives ----

class Fixed(Subject):
    """Takes as long as it says."""

    def __init__(self, ns, outputs=None):
        self.ns, self.made, self.order = ns, outputs, []

    def repeat(self, calls):
        self.order.append(calls)
        return next(self.ns) * calls if hasattr(self.ns, "__next__") else self.ns * calls

    def outputs(self):
        return self.made


def test_parts(checks):
    subjects = [Fixed(1000), Fixed(500_000), Fixed(20_000_000)]
    rows, calls = suite.run_rounds(subjects, 4, 0)
    checks.equal("as many calls as take a millisecond", calls, [1000, 2, 1])
    checks.check("rounds", rows.shape == (4, 3) and (rows == [1000, 500_000, 20_000_000]).all(), str(rows))
    checks.equal("three turns a round, each after an untimed call", subjects[1].order, [2, 2] + [1, 2] * 12)
    turns = iter([5e6, 5e6] + [1, 3e6, 1, 1e6, 1, 2e6])
    checks.equal("a round's fastest turn counts", suite.run_rounds([Fixed(turns)], 1, 0)[0].tolist(), [[1e6]])
    log = []
    for k in range(3):
        subjects[k].call = lambda k=k: log.append(k)
    for first in range(3):
        suite.one_turn(subjects, calls, first)
    checks.equal("the order rotates", log, [0, 1, 2, 1, 2, 0, 2, 0, 1])
    checks.equal("quartiles", suite.spread([4, 1, 2, 3, 5]), {"median": 3, "q1": 2, "q3": 4})
    # A round in which the machine is twice as slow changes no ratio and no part of the peak.
    slow = np.array([1.0, 2.0, 1.0])
    made = suite.figures(1000 * slow, 40_000, 9_000, 100 / slow, 20 / slow, {"peer": 4000 * slow})
    checks.equal("figures of rounds", (made["latency_us"], made["ratios"]["peer"]["q3"], made["of_peak"]["q1"], made["of_bandwidth"]["median"]),
                 ({"median": 1, "q1": 1, "q3": 1.5, "min": 1}, 0.25, 0.8, 0.45))
    want = {"y": np.array([1, 2], np.float32)}
    for got, result in (([1, 2.001], True), ([1, 2.1], False), ([1, np.nan], False), ([[1, 2]], False)):
        far, agrees = suite.difference(Fixed(0, {"y": np.array(got, np.float32)}), want)
        checks.check(f"outputs {got}", agrees is result and (far is None) == (not np.isfinite(got).all() or np.ndim(got) == 2), f"{far} {agrees}")


def test_differing(checks):
    """An output that is wrong ends with status 1 and is said."""
    sound = suite.reference
    suite.reference = lambda model, feeds: {n: a + 1 for n, a in sound(model, feeds).items()}
    out, err, words = io.StringIO(), io.StringIO(), sys.argv
    sys.argv = ["bench", "--models", "relu", "--peers", "onnxruntime", "--rounds", "1", "--seconds", "0"]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = suite.main()
    suite.reference, sys.argv = sound, words
    checks.check("outputs that differ", status == 1 and "OUTPUTS DIFFER" in out.getvalue()
                 and "bench: outputs differ: tenon C on relu, tenon JIT on relu, ONNX Runtime on relu" in err.getvalue(), err.getvalue())


def test_missing(checks):
    find, peers.importlib.util.find_spec = peers.importlib.util.find_spec, lambda name: None
    err = io.StringIO()
    with contextlib.redirect_stderr(err):
        found, versions, missing = suite.find_peers(["openvino", "onnxruntime"])
    peers.importlib.util.find_spec = find
    checks.check("peers that are not installed are named", not found and not versions and set(missing) == {"openvino", "onnxruntime"}
                 and "OpenVINO is left out: the Python package openvino is not installed" in err.getvalue(), err.getvalue())
    broken = os.path.join(scratch("bench-broken"), "broken.onnx")
    with open(broken, "w") as f:
        f.write("no model")
    try:
        peers.OnnxRuntime(broken, {})
        checks.check("ONNX Runtime's errors are handed on", False)
    except SubjectError as error:
        checks.check("ONNX Runtime's errors are handed on", "CreateSession: " in str(error), str(error))
    subjects, refused = suite.make_subjects("relu", broken, {}, [peers.OnnxRuntime], "host", 1)
    checks.check("subjects that cannot run a model say why", not subjects and [r["key"] for r in refused] == ["c", "jit", "onnxruntime"]
                 and all(r["why"] for r in refused), str(refused))
    checks.check("and so does their line", "left out: " in report.subject_line(refused[0]))


# ---- threads ----

def test_threads(checks):
    """Two threads everywhere; and threads.py, whose outputs have to be the same bits."""
    if len(os.sched_getaffinity(0)) < 2:
        return
    path = os.path.join(scratch("bench-threads"), "out.json")
    done = bench("--models", "lenet", "--peers", "onnxruntime", "--rounds", "1", "--seconds", "0", "--threads", "2", "--json", path)
    if checks.check("bench --threads 2 runs", done.status == 0, done.last):
        with open(path) as f:
            made = json.load(f)
        checks.equal("threads among the settings", made["settings"]["threads"], 2)
        checks.check("two threads: outputs", all(s["agrees"] for s in made["models"][0]["subjects"]), str(made["models"][0]))
    done = run([sys.executable, os.path.join(FOLDER, "threads.py"), "--models", "lenet", "--rounds", "1"], timeout=100)
    checks.check("threads.py runs", done.status == 0 and "times as fast; loops " in done.out and "DIFFER" not in done.out, done.last)
    done = run([sys.executable, os.path.join(FOLDER, "threads.py"), "--models", "nonsense"], timeout=100)
    checks.check("threads.py: no such model", done.status == 2 and "no nonsense; there are relu" in done.err, done.last)


# ---- other commands ----

def test_profile(checks):
    done = bench("--profile", "lenet", "--seconds", "0.05")
    rows = [line.split() for line in done.out.splitlines()[3:]]
    checks.check("--profile", done.status == 0 and "GFLOP/s" in done.out and len(rows) >= 5, done.last)
    times = [float(r[0]) for r in rows]
    checks.check("--profile: the slowest first, up to all", times == sorted(times, reverse=True) and rows[-1][2] == "100.0%", done.out)


def test_docs(checks, made):
    """The page's text is replaced between its markers only."""
    with open(report.PAGE) as f:
        text = f.read()
    checks.check("docs/performance.md has its markers", text.count(report.BEGIN) == text.count(report.END) == 1)
    page, report.PAGE = report.PAGE, os.path.join(scratch("bench-docs"), "page.md")
    for before in (text, None):
        if before:
            with open(report.PAGE, "w") as f:
                f.write(before)
        report.update_docs(made)
    with open(report.PAGE) as f:
        after = f.read()
    report.PAGE = page
    checks.check("--update-docs keeps the rest", after.split(report.BEGIN)[0] == text.split(report.BEGIN)[0] and after.split(report.END)[1] == text.split(report.END)[1])
    checks.check("--update-docs writes the table once", after.split(report.BEGIN)[1].split(report.END)[0].count("| lenet |") == 1 and "beside ONNX Runtime 1." in after, after)


def test_bad(checks):
    for words, want in ((("--models", "nonsense"), "no nonsense; there are relu"), (("--peers", "tvm"), "no tvm; there are onnxruntime, openvino"),
                        (("--rounds", "0"), "a number from 1 up, not '0'"), (("--rounds", "many"), "not 'many'"), (("--seconds", "-1"), "a number from 0 up, not '-1'"),
                        (("--seconds", "nan"), "not 'nan'"), (("--core", "9999"), "invalid choice"), (("--threads", "9999"), "invalid choice"), (("--profile", "nonsense"), "invalid choice"),
                        (("--update-docs", "--models", "relu"), "wants all models"), (("--models", ""), "at least one"), (("--cases", "x"), "unrecognized")):
        done = bench(*words)
        checks.check(f"refused: {' '.join(words)}", done.status == 2 and want in done.err, done.last)
    done = bench("--models", "relu", "--peers", "", "--rounds", "1", "--seconds", "0", "--target", "nonsense")
    checks.check("a target that tenon does not know", done.status == 5 and "nonsense" in done.err and "Traceback" not in done.err, done.last)
    done = bench("--models", "relu", "--peers", "", "--rounds", "1", "--seconds", "0", "--json", "/nowhere/at/all.json")
    checks.check("a file that cannot be written", done.status == 5 and "/nowhere/at/all.json" in done.err and "Traceback" not in done.err, done.last)
    plot = os.path.join(scratch("bench-plot"), "plot.svg")
    done = bench("--models", "lenet", "--peers", "onnxruntime", "--rounds", "1", "--seconds", "0", "--plot", plot)
    checks.check("--plot", done.status == 0 and os.path.exists(plot) and "lenet" in open(plot).read(), done.last)
    done = bench("--help")
    checks.check("--help describes the JSON", done.status == 0 and "bandwidth_gbs" in done.out and all(name in done.out for name in CASES), done.last)


def test_models(checks):
    """The small generated models are the same each time, and a bad one is refused."""
    for name in ("lenet", "lstm", "mlp_784"):
        checks.check(f"{name} is made alike", make_models.MODELS[name]().SerializeToString() == make_models.MODELS[name]().SerializeToString())
    net = make_models.Net("wild", 13)
    x = net.gemm(net.gemm(net.input("input", [1, 64]), 64, 64, gain=1e4), 64, 8, gain=1e4)
    try:
        make_models.check("wild", net.model(x, [1, 8]))
        checks.check("values that leave their range are found", False)
    except ValueError as error:
        checks.check("values that leave their range are found", "leaves its range" in str(error), str(error))
    done = subprocess.run([sys.executable, os.path.join(FOLDER, "make_models.py"), "nonsense"], capture_output=True, text=True)
    checks.check("make_models.py: no such model", done.returncode == 2 and "no model nonsense; there are relu" in done.stderr, done.stderr)


if __name__ == "__main__":
    checks = Checks()
    made = test_run(checks)
    test_parts(checks)
    test_differing(checks)
    test_missing(checks)
    test_threads(checks)
    test_profile(checks)
    if made:
        test_docs(checks, made)
    test_bad(checks)
    test_models(checks)
    checks.finish()
