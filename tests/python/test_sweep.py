#!/usr/bin/env python3
"""tenon sweep: its points are what tenon eval says, and of these files; killed at any moment it loses none; which point is best; tables, pictures, what cannot be read or written."""
import glob
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, TENON, Checks, run, scratch, tenon as command  # noqa: E402

os.environ["TENON_LIBRARY"] = os.path.join(BUILD, "lib", "libtenon.so")
os.environ["PYTHON"] = sys.executable
sys.path.insert(0, os.path.join(ROOT, "python"))
from tenon.sweep import grid, plot, statistics, store  # noqa: E402

FOLDER = scratch("sweep")
MODEL, DIGITS = os.path.join(MODELS, "mnist-cnn", "model.onnx"), os.path.join(MODELS, "mnist-cnn", "test_10000.npz")
SCALE, LIMIT = "input=0.00392156862745098", 200
SWEEP = ["sweep", MODEL, "--data", DIGITS, "--scale", SCALE, "--limit", LIMIT, "--pass", "quantize:data_width=0"]


def lines(folder):
    """The whole lines of points.jsonl, as points."""
    with open(os.path.join(folder, "points.jsonl"), encoding="utf-8") as f:
        return [json.loads(line) for line in f.read().split("\n")[:-1] if line]


def test_points(checks):
    to = os.path.join(FOLDER, "points")
    done = command(*SWEEP, "--over", "weight_width=2..4", "--and", "frac=half,mse", "-o", to, "--json")
    if not checks.check("it runs", done.status == 0, done.err):
        return
    made = json.loads(done.out)
    checks.equal("points", [p["values"] for p in made["points"]], [[w, f] for f in ("half", "mse") for w in "234"])
    for p in made["points"][::2] + [made["reference"]]:
        words = ["-p", p["pass"]] if p["pass"] else []
        own = json.loads(command("eval", MODEL, "--data", DIGITS, "--scale", SCALE, "--limit", LIMIT, "--against", MODEL, "--json", *words).out)
        checks.check(f"{p['pass']}: what tenon eval says", p["correct"] == own["correct"] and np.allclose(p["ci95"], own["ci95"], atol=1e-9), f"{p} {own}")
        for key in ("difference", "difference_ci95", "margin_mse") if words else ():
            checks.check(f"{p['pass']}: {key}, as eval --against has it", np.allclose(p["against"][key], own["against"][key], rtol=1e-5, atol=1e-9), f"{p} {own}")
    table = open(os.path.join(to, "table.md")).read()
    best = next(p for p in made["points"] if p["pass"] == made["best"])
    checks.check("table.md: the best is marked", f"**{100 * best['accuracy']:.2f} (" in table and "| weight_width | frac=half | frac=mse |" in table, table)
    checks.check("progress: the last has 0:00 left", "7 of 7: " in done.err and done.err.count(" left\n") == 7 and ", 0:00 left" in done.err, done.err)
    checks.check("table.md: points lost, too", re.search(r"\| 4 \| -?[0-9.]+ \(-?[0-9.]+ to -?[0-9.]+\), margin ", table), table)
    with open(os.path.join(to, "sweep.svg"), encoding="utf-8") as svg, open(os.path.join(to, "sweep.png"), "rb") as png:
        drawn, header = svg.read(), png.read(8)
    for text in ("weight_width (bits) of quantize", "accuracy on 200 samples (%)", "frac=half", "frac=mse", "95 % interval", "as it is: ", "best by one-standard-error:",
                 f"weight_width={best['values'][0]}, frac={best['values'][1]}"):
        checks.check(f"sweep.svg says '{text}'", f">{text}" in drawn, drawn[-2000:])
    checks.equal("sweep.png is a PNG", header, b"\x89PNG\r\n\x1a\n")
    again = command(*SWEEP, "--over", "weight_width=2..4", "--and", "frac=half,mse", "-o", to, "--json")
    checks.check("the same again: nothing is measured", json.loads(again.out)["points"] == made["points"] and " left" not in again.err, again.err)
    more = command(*SWEEP, "--over", "weight_width=2..5", "--and", "frac=mse", "-o", to)
    checks.check("another range: only what is new", more.status == 0 and more.err.count(" left\n") == 1, more.err)
    other = command(*SWEEP, "--limit", LIMIT // 2, "--over", "weight_width=4..4", "-o", to)
    checks.check("other samples: others' points are not taken", other.status == 0 and other.err.count(" left\n") == 2, other.err)


def test_settings(checks):
    """Lines of a file in place of values: items of the pass and more options; what can be wrong with them."""
    path, to = os.path.join(FOLDER, "settings.txt"), os.path.join(FOLDER, "settings")

    def write(text):
        with open(path, "w") as f:
            f.write(text)

    write("# two\n\nweight_width=4,frac=mse  # good\nweight_width=3 --skip fold --skip=cse\n")
    held = grid.Settings(path)
    checks.equal("read", [(held.spell(v), held.options(v)) for v in held.values], [("weight_width=4,frac=mse", {}), ("weight_width=3", {"skip": ["fold", "cse"]})])
    done = command(*SWEEP, "--settings", path, "--and", "per=tensor,channel", "-o", to, "--json")
    points = json.loads(done.out)["points"] if checks.check("--settings --and", done.status == 0, done.err) else []
    checks.equal("four points", [p["pass"] for p in points], [f"quantize:data_width=0,{items},per={per}{more}" for per in ("tensor", "channel")
                 for items, more in (("weight_width=4,frac=mse", ""), ("weight_width=3", " --skip fold --skip cse"))])
    checks.check("no curves", not os.path.exists(os.path.join(to, "sweep.svg")))
    checks.check("the same again: nothing is measured", " left" not in command(*SWEEP, "--settings", path, "--and", "per=tensor,channel", "-o", to).err)
    for text, why in (("a=1 b=2", "is no option"), ("a=1 'b", ":1: "), ("# nothing\n", "no settings"), ("a=1 --", "is no option"),
                      ("a=1 --wurst 5", ":1: --wurst is none"), ("a=1\n\nb=2 --limit 3", ":3: --limit is none"), ("a=1 --int best --int force", ":1: --int is given twice")):
        write(text)
        wrong = command(*SWEEP, "--settings", path, "-o", to)
        checks.check(f"'{text.strip()}' is refused", wrong.status == 2 and why in wrong.err, wrong.err)
    write("weight_width=4 --target wurst\nweight_width=4\n")
    part = command(*SWEEP, "--settings", path, "-o", to)
    checks.check("a value that is none: that point fails", part.status == 3 and "wurst" in part.err and "failed" in part.out, part.err + part.out)
    write("'calibration=\"a # b\"' --skip 'c#d' # two\n")
    checks.equal("a # in quotes is no comment", [(grid.Settings(path).spell(v), grid.Settings(path).options(v)) for v in grid.Settings(path).values],
                 [('calibration="a # b"', {"skip": ["c#d"]})])
    with open(path, "wb") as f:
        f.write(b"weight_width=\xff\n")
    wrong = command(*SWEEP, "--settings", path, "-o", to)
    checks.check("no UTF-8: which file", wrong.status == 2 and f"{path} is no text in UTF-8" in wrong.err, wrong.err)
    gone = command(*SWEEP, "--settings", path + ".none", "-o", to)
    checks.check("no such file", gone.status == 5 and f"{path}.none: cannot be read" in gone.err, gone.err)


def test_first_pass(checks):
    """-p changes the model as it is, too; names of files in passes count by the files' contents."""
    to, bytes_in = os.path.join(FOLDER, "first"), "input:type=uint8,scale=0.00392157"
    done = command("sweep", MODEL, "--data", DIGITS, "--limit", LIMIT, "-p", bytes_in, "--pass", "quantize:data_width=0", "--over", "weight_width=8", "-o", to, "--json")
    if checks.check("-p input", done.status == 0, done.err):
        own = json.loads(command("eval", MODEL, "--data", DIGITS, "--limit", LIMIT, "-p", bytes_in, "--json").out)
        checks.equal("-p input: what tenon eval says", json.loads(done.out)["reference"]["correct"], own["correct"])
    data = os.path.join(FOLDER, "calibration.npz")
    z = np.load(DIGITS)
    np.savez(data, input=z["input"][:20])
    asked = ["sweep", MODEL, "--data", DIGITS, "--scale", SCALE, "--limit", LIMIT, "--pass", f"quantize:calibration={data},calibration_scale={SCALE}", "--over", "weight_width=8", "-o", to]
    first, again = command(*asked), command(*asked)
    np.savez(data, input=z["input"][20:40])
    third = command(*asked)
    checks.equal("another calibration file of the same name: measured anew, but for the model as it is", [d.err.count(" left\n") for d in (first, again, third)], [2, 0, 1])


def test_contents(checks):
    """What lies in files beside the model, and in files that options name wherever they stand, counts by its contents."""
    folder, to = os.path.join(FOLDER, "contents"), os.path.join(FOLDER, "contents", "out")
    os.makedirs(folder)
    path, cal = os.path.join(folder, "model.onnx"), os.path.join(folder, "a=b.npz")
    onnx.save_model(onnx.load(MODEL), path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    sweep = ["sweep", path, *SWEEP[2:], "--limit", 40, "--over", "weight_width=8", "-o", to, "--json"]
    first, again = command(*sweep), command(*sweep)
    with open(os.path.join(folder, "weights.bin"), "r+b") as f:
        f.write(bytes(os.path.getsize(f.name)))
    third = command(*sweep)
    checks.equal("other weights in an external file: measured anew", [d.err.count(" left\n") for d in (first, again, third)], [2, 0, 2])
    checks.check("... and otherwise right", json.loads(first.out)["reference"]["correct"] > 30 > json.loads(third.out)["reference"]["correct"], third.out)

    def calibrate(seed):
        np.savez(cal, input=np.random.default_rng(seed).random((4, 1, 28, 28), np.float32))

    settings = os.path.join(folder, "settings.txt")
    with open(settings, "w") as f:
        f.write(f"data_width=0,weight_width=3\n'weight_width=3,calibration=\"{cal}\"'\n")
    for name, words in (("--and", ["--over", "weight_width=2", "--and", f'calibration="{cal}"']), ("--settings", ["--settings", settings])):
        calibrate(1)
        asked = ["sweep", MODEL, "--data", DIGITS, "--scale", SCALE, "--limit", 40, "--pass", "quantize", *words, "-o", to]
        told = [command(*asked)]
        calibrate(2)
        told.append(command(*asked))
        checks.equal(f"another file that {name} names: its point is measured anew", [(d.status, d.err.count(" left\n")) for d in told], [(0, 2), (0, 1)])


def test_damaged(checks):
    """A line of points.jsonl counts only as it was written."""
    to = os.path.join(FOLDER, "damaged")
    sweep = [*SWEEP, "--limit", 40, "--over", "weight_width=3", "-o", to, "--json"]
    first, path = command(*sweep), os.path.join(to, "points.jsonl")
    whole = sorted(filter(None, open(path).read().split("\n")), key=lambda line: json.loads(line)["pass"] is not None)  # the model as it is first
    point = json.loads(whole[-1])
    broken = ["", "{}", "[]", "3", "null", '"sum"', "[" * 200000, '{"a":' * 100000, whole[-1][:-1], whole[-1][1:], json.dumps({k: point[k] for k in ("sweep", "pass")}),
              json.dumps({k: point[k] for k in ("sweep", "pass", "sum")}), "\udc80".encode("utf-8", "surrogatepass").decode("latin-1")]
    for key, value in (("margins", point["margins"][:-8]), ("accuracy", None), ("right", point["right"][:-4]), ("right", "@@@"), ("samples", 39), ("correct", "3"), ("size", {}),
                       ("size", {"weights": None, "data": 1}), ("ci95", [0]), ("pass", []), ("sum", None)):
        broken.append(json.dumps({**point, key: value}))
    for text in broken:
        with open(path, "w") as f:
            f.write(text + "\n" + "".join(line + "\n" for line in whole[:-1]))
        known = store.Store(to, {json.loads(line)["pass"]: point["sweep"] for line in whole} | {None: json.loads(whole[0])["sweep"]}).known
        checks.equal(f"{text[:60]!r} is no point", set(known), {None})
    with open(path, "w") as f:
        f.write("".join(text + "\n" for text in [*broken, whole[0]]))
    again = command(*sweep)
    same = [{k: v for k, v in json.loads(d.out)["points"][0].items() if k != "seconds"} for d in (first, again) if d.status == 0]
    checks.check("it is measured again", len(same) == 2 and same[0] == same[1] and again.err.count(" left\n") == 1, again.err[-500:])


def test_unwritable(checks):
    """What cannot be written is a line, and the status 5; what has been measured stays."""
    to = os.path.join(FOLDER, "unwritable")
    sweep = [*SWEEP, "--limit", 40, "--over", "weight_width=3", "-o", to]
    checks.equal("it runs", command(*sweep).status, 0)
    table = os.path.join(to, "table.md")

    def shell(line, *words):
        return run(["sh", "-c", line, "sh", TENON, *map(str, words)], env={"PIPE": os.path.join(to, "status")})

    for name, make in (("table.md", os.mkdir), ("sweep.png", os.mkdir), ("sweep.svg", os.mkdir), ("table.md", lambda p: os.symlink("/dev/full", p))):
        path = os.path.join(to, name)
        if os.path.exists(path):
            os.remove(path)
        make(path)
        done = command(*sweep)
        checks.check(f"{name} cannot be written", done.status == 5 and f"tenon sweep: {path}: cannot be written" in done.err and "Traceback" not in done.err, f"{done.status} {done.err}")
        (os.remove if os.path.islink(path) else os.rmdir)(path)
    done = shell('ulimit -f 1; exec "$@"', *SWEEP, "--limit", 400, "--over", "weight_width=3", "-o", os.path.join(to, "short"))
    checks.check("points.jsonl becomes too long", done.status == 5 and "points.jsonl: cannot be written" in done.err and "Traceback" not in done.err, f"{done.status} {done.err}")
    for name, line in (("a full disk", '"$@" >/dev/full'), ("no stdout", '"$@" >&-'), ("a closed pipe", '{ "$@"; echo $? >"$PIPE"; } | true; exit $(cat "$PIPE")')):
        done = shell(line, *sweep)
        told = [text for text in done.err.split("\n") if text]
        checks.check(f"stdout is {name}", done.status == 5 and len(told) == 1 and told[0].startswith("tenon sweep: standard output: cannot be written: "), f"{done.status} {done.err}")
    for name, line in (("closed", '"$@" 2>&-'), ("full", '"$@" 2>/dev/full'), ("closed, stdin too", '"$@" <&- 2>&-')):
        if os.path.exists(table):
            os.remove(table)
        done = shell(line, *sweep, "--limit", 41 + len(name))
        checks.check(f"stderr is {name}: the work goes on", done.status == 0 and os.path.exists(table) and "Best by" in done.out and " left" not in done.out, f"{done.status} {done.out}")


def series(over, *others, error=None):
    """Axes and points on them, with numbers that a plot may be made of."""
    axes = [grid.Axis(over), *map(grid.Axis, others)]
    rows = grid.points(axes)
    return axes, [{"values": list(v), "accuracy": (400 + 300 * i // len(rows)) / 1000, "ci95": statistics.wilson(400 + 300 * i // len(rows), 1000),
                   "against": {"margin_mse": 10.0 ** -(i % 5) if error is None else error}} for i, v in enumerate(rows)]


def test_pictures(checks):
    """Nothing in a picture lies on something else or beyond its edge, and words are shown to the letter."""
    from matplotlib import pyplot
    folder = "data/with/a/long/name/of/many/characters/calibration"
    close, kept = pyplot.close, []
    pyplot.close = kept.append
    for name, axes, points in (("one point", *series("s=0.5")), ("nineteen", *series("s=0.05..0.95..0.05", "m=a,b")), ("twelve curves", *series("w=2..8", "m=1..12")),
                               ("near", *series("s=0.1,0.1001,0.1002,0.9")), ("files", *series(f"c={','.join(f'{folder}_{i}' for i in range(12))}")),
                               ("words", *series(f"c={','.join(f'word{i}' for i in range(90))}")), ("sixty-two curves", *series("w=2..4", "m=1..62")),
                               ("long names", *series("w=2..4", f"calibration={','.join(f'{folder}_{i}' for i in range(9))}", "frac=half,mse")),
                               ("odd letters", *series("c=$a$,b$\\frac$,$c\n$", "x=$\\q$,\udcff")), ("no errors", *series("s=0", error=0.0)), ("nearly none", *series("s=0,1", error=3e-9)),
                               ("no numbers", *series("s=0,1", error=float("nan")))):
        to = os.path.join(FOLDER, "pictures", name)
        os.makedirs(to)
        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            plot.draw(axes, "prune", {"accuracy": 0.6, "samples": 1000}, points, points[len(points) // 2], "one-standard-error", to)
        checks.equal(f"{name}: no warnings", [str(w.message) for w in found], [])
        figure = kept[-1]
        figure.canvas.draw()
        boxes = {"legend": figure.legends[0].get_window_extent()}
        upper, lower = figure.axes
        checks.check(f"{name}: the legend is in the picture", boxes["legend"].x1 <= figure.bbox.x1 and boxes["legend"].y1 <= figure.bbox.y1 + 1, boxes)
        checks.check(f"{name}: the legend is above the curves", boxes["legend"].y0 >= upper.get_window_extent().y1, boxes)
        checks.check(f"{name}: the curves are large", upper.get_window_extent().height > 150 and lower.get_window_extent().height > 90, upper.get_window_extent())
        ticks = [t.get_window_extent() for t in lower.get_xticklabels() if t.get_text()]
        checks.check(f"{name}: labels stand apart", ticks and all(a.x1 < b.x0 for a, b in zip(ticks, ticks[1:])), ticks)
        labels = [t for t in lower.yaxis.get_ticklabels() if lower.get_ylim()[0] <= t.get_position()[1] <= lower.get_ylim()[1]]
        checks.check(f"{name}: the lower axis has numbers", len(labels) >= 2, labels)
        if name == "one point":
            drawn = [c.get_segments()[0][:, 1].tolist() for c in upper.collections if type(c).__name__ == "LineCollection" and c.get_segments()]
            checks.check("one point: its interval", drawn and np.allclose(drawn[0], [100 * x for x in points[0]["ci95"]]), drawn)
        if name == "odd letters":
            svg = open(os.path.join(to, "sweep.svg"), encoding="utf-8").read()
            checks.check("odd letters: to the letter", all(text in svg for text in (">$a$<", ">b$\\frac$<", ">$c\ufffd$<", ">x=$\\q$<")), re.findall(">([^<]*[$][^<]*)<", svg))
        close(figure)
    pyplot.close = close


def test_begun(checks):
    """Ctrl-C while the package is being read; a Python that lacks what is needed."""
    process = subprocess.Popen([TENON, *map(str, SWEEP), "--over", "weight_width=2..9", "-o", os.path.join(FOLDER, "begun")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    end = time.monotonic() + 60
    while "numpy" not in open(f"/proc/{process.pid}/maps").read() and time.monotonic() < end:
        pass
    process.send_signal(signal.SIGINT)
    told = process.communicate(timeout=60)[1]
    checks.check("Ctrl-C at the beginning: one line", process.returncode == 130 and told.strip().count("\n") == 0 and "goes on from here" in told, f"{process.returncode} {told}")
    path = os.path.join(FOLDER, "bare-python")
    with open(path, "w") as f:
        f.write(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    os.chmod(path, 0o755)
    done = command(*SWEEP, "--over", "weight_width=2", env={"PYTHON": path})
    checks.check("a Python without numpy", done.status == 5 and "numpy" in done.err and "Traceback" not in done.err, f"{done.status} {done.err}")
    odd = os.path.join(FOLDER, "odd")
    os.makedirs(odd)
    for name in ("json.py", "statistics.py", "grid.py"):
        open(os.path.join(odd, name), "w").close()
    done = command(*SWEEP, "--limit", 40, "--over", "weight_width=3", cwd=odd, timeout=60)
    checks.check("in a folder of files that are called as modules are", done.status == 0, f"{done.status} {done.err[-500:]}")


def test_size(checks):
    """The bits of weights that are not zero: 32 each, the quantiser's width, none for what is pruned."""
    made = {}
    for name, words in (("quantize", ["quantize:data_width=0", "--over", "weight_width=3,4,6"]), ("prune", ["prune:method=l1", "--over", "sparsity=0.25,0.5"]),
                        ("neuron", ["prune:method=l2,granularity=channel", "--over", "sparsity=0.5,0.75"])):
        done = command("sweep", MODEL, "--data", DIGITS, "--limit", 10, "--pass", *words, "-o", os.path.join(FOLDER, "size"), "--json")
        if checks.check(f"{name} runs", done.status == 0, done.err):
            report = json.loads(done.out)
            made[name] = [report["reference"]["size"]["weights"]] + [p["size"]["weights"] for p in report["points"]]
    n = sum(np.count_nonzero(numpy_helper.to_array(t)) for t in onnx.load(MODEL).graph.initializer if t.data_type == TensorProto.FLOAT)
    checks.equal("as it is: 32 bits for each number", made["quantize"][0], 32 * n)
    as_it_is, three, four, six = made["quantize"]
    checks.check("a width: at most as many bits for each number, and the biases and scales", three < four < six < as_it_is * 6.6 / 32 and four < as_it_is * 4.6 / 32, made)
    checks.check("pruned: that share less", abs(made["prune"][1] / as_it_is - 0.75) < 0.02 and abs(made["prune"][2] / as_it_is - 0.5) < 0.02, made)
    checks.check("what has left the graph is no part of it", made["neuron"][2] < made["neuron"][1] < 0.7 * as_it_is, made)


def test_lock(checks):
    """A second sweep in the same folder is refused while the first is at work; Ctrl-C ends one and its processes."""
    to = os.path.join(FOLDER, "lock")
    words = [TENON, *map(str, SWEEP), "--limit", "3000", "--over", "weight_width=2..16", "-o", to]
    first = subprocess.Popen(words, env={**os.environ, "TENON_TEST_MARK": to}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True,
                             preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # whatever runs the tests may ignore it
    first.stderr.readline()
    second = command(*words[1:])
    checks.check("another sweep is at work there", second.status == 5 and "at work" in second.err, second.err)
    os.killpg(first.pid, signal.SIGINT)
    told = first.communicate(timeout=60)[1]
    checks.check("Ctrl-C: one line, and how to go on", first.returncode == 130 and "goes on from here" in told and "Traceback" not in told, f"{first.returncode} {told}")
    checks.equal("Ctrl-C: no process is left behind", left_after(20, to), [])
    again = command(*SWEEP, "--limit", 3000, "--over", "weight_width=2..2", "-o", to)
    checks.check("then it is free", again.status == 0, again.err)


def marked(mark):
    """The processes that were started with this mark in their environment."""
    found = []
    for path in glob.glob("/proc/[0-9]*/environ"):
        try:
            with open(path, "rb") as f:
                if f"TENON_TEST_MARK={mark}".encode() in f.read().split(b"\0"):
                    found.append(path)
        except OSError:
            pass
    return found


def left_after(seconds, mark):
    """Those that are there still after so long, at the most."""
    end = time.monotonic() + seconds
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.1)
    return marked(mark)


def test_killed(checks):
    """kill -9 at random moments, until it is done: each point is measured at most once more than the kills, and none that was kept is lost."""
    to, seed = os.path.join(FOLDER, "killed"), random.Random(11)
    words = [TENON, *map(str, SWEEP), "--over", "weight_width=2..8", "-o", to]
    kept, kills = {}, 0
    while kills < 12:
        process = subprocess.Popen(words, env={**os.environ, "TENON_TEST_MARK": to}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        try:
            if kills == 0:
                process.stderr.readline()  # the first point is done, and others are not
            process.communicate(timeout=seed.uniform(0.2, 2.0) + 0.3 * kills if kills > 0 else 0)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        kills += 1
        now = {p["pass"]: p["correct"] for p in lines(to)} if os.path.exists(os.path.join(to, "points.jsonl")) else {}
        checks.check(f"kill {kills}: what was kept stays", {**kept, **now} == now, f"{kept} {now}")
        kept = now
    done = command(*SWEEP, "--over", "weight_width=2..8", "-o", to)
    names = [p["pass"] for p in lines(to)]
    checks.check(f"after {kills} kills: all points, each once", done.status == 0 and kills > 0 and len(names) == len(set(names)) == 8, f"{names} {done.err}")
    path = os.path.join(to, "points.jsonl")
    text = open(path, "rb").read()
    with open(path, "wb") as f:
        f.write(text[:-40])
    torn = command(*SWEEP, "--over", "weight_width=2..8", "-o", to)
    checks.check("half a line at the end: that point is measured again", torn.status == 0 and torn.err.count(" left\n") == 1, torn.err)
    checks.check("and the file is whole again", len({p["pass"] for p in map(json.loads, [t for t in open(path) if t.startswith("{") and t.endswith("}\n")])}) == 8)
    checks.equal("no process is left behind", left_after(20, to), [])


def point(values, right, weights, data=32):
    right = np.asarray(right, bool)
    return {"values": values, "samples": len(right), "correct": int(right.sum()), "accuracy": right.mean(), "right": statistics.pack_bits(right), "size": {"weights": weights, "data": data}}


def test_best(checks):
    n = 1000
    good = np.arange(n) < 900
    few, many = good.copy(), good.copy()
    few[:5], many[:40] = False, False
    few[900:904] = True  # 4 won, 5 lost: no difference that could be told
    points = [point(["2"], many, 2), point(["4"], few, 4), point(["8"], good, 8)]
    checks.equal("one standard error: the smallest that cannot be told from the best", statistics.one_standard_error(points)["values"], ["4"])
    checks.equal("... whatever the order", statistics.one_standard_error(points[::-1])["values"], ["4"])
    lost = good.copy()
    lost[:1] = False
    checks.equal("... one sample of a thousand, always lost, is at the limit", statistics.one_standard_error([point(["2"], lost, 2), point(["8"], good, 8)])["values"], ["2"])
    checks.equal("... alike: the smaller", statistics.one_standard_error([point(["8"], good, 8), point(["6"], good, 6)])["values"], ["6"])
    checks.equal("packed and back", statistics.unpack_bits(statistics.pack_bits(good), n).tolist(), good.tolist())
    share = {2: 0.5, 4: 0.8, 6: 0.9, 8: 0.92, 10: 0.92, 12: 0.92}
    curve = [point([str(w)], np.arange(n) < a * n, w) for w, a in share.items()]
    x, y = np.array(list(share), float), np.array(list(share.values()))
    score = np.abs(np.gradient(y, x)) * x
    want = str(int(x[min((s, i) for i, s in enumerate(score) if s > 0)[1]]))
    checks.equal("derivative", statistics.derivative(curve)["values"], [want])
    chance = [point([str(w)], np.arange(n) < a, w) for w, a in {2: 500, 3: 500, 4: 501, 6: 900, 8: 950}.items()]
    checks.equal("derivative: where it errs, a plateau of chance", statistics.derivative(chance)["values"], ["3"])
    checks.equal("derivative: no slope at all", statistics.derivative([point(["2"], good, 2), point(["4"], good, 4)]), None)
    low, high = statistics.wilson(90, 100)
    checks.check("wilson", abs(low - 0.82562) < 1e-4 and abs(high - 0.94477) < 1e-4, (low, high))


def test_grid(checks):
    checks.equal("2..5", grid.Axis("w=2..5").values, ["2", "3", "4", "5"])
    checks.equal("0.1..0.9", grid.Axis("s=0.1..0.9").values, [f"0.{i}" for i in range(1, 10)])
    checks.equal("with a step", grid.Axis("s=0.5..0.9..0.2").values, ["0.5", "0.7", "0.9"])
    checks.equal("words", grid.Axis("method=random,l1,random").values, ["random", "l1"])
    two = grid.Axis("data_width,weight_width=4..5")
    checks.equal("two options", grid.request("quantize:frac=mse", [two], ["4"]), "quantize:frac=mse,data_width=4,weight_width=4")
    checks.equal("points: the first fastest", grid.points([grid.Axis("a=1..2"), grid.Axis("b=x,y")]), [("1", "x"), ("2", "x"), ("1", "y"), ("2", "y")])
    for text in ("w", "w=", "=3", "w=5..2", "w=1..", "w=a..b", "w=1..2..0", "w=1,,2", "w=1..inf", "w=1..1e9", "a,,b=1"):
        try:
            grid.Axis(text)
            checks.check(f"'{text}' is refused", False)
        except ValueError as error:
            checks.check(f"'{text}' is refused", text in str(error), str(error))


def arrays(name, images, labels):
    path = os.path.join(FOLDER, f"{name}.npz")
    np.savez(path, input=images.astype(np.float32), label=np.array(labels))
    return path


def test_refused(checks):
    over, objects = ["--over", "weight_width=2..3", "-o", os.path.join(FOLDER, "refused")], os.path.join(FOLDER, "objects.npz")
    np.savez(objects, input=np.array([{}, 1], object), label=np.array([0, 1]))
    for name, status, text, words in (
            ("no model", 5, "nowhere.onnx", ["sweep", "nowhere.onnx", "--data", DIGITS, "--pass", "quantize:data_width=0", *over]),
            ("no data", 5, "nowhere.npz", ["sweep", MODEL, "--data", "nowhere.npz", "--pass", "quantize:data_width=0", *over]),
            ("an unknown pass", 3, "did you mean 'quantize'", ["sweep", MODEL, "--data", DIGITS, "--pass", "quantise", *over]),
            ("no labels", 3, "no array 'class'", [*SWEEP, "--label", "class", *over]),
            ("no array for the input", 3, "--map input=ARRAY", [*SWEEP, "--map", "input=image", *over]),
            ("swept twice", 2, "swept twice", [*SWEEP, *over, "--and", "weight_width=4"]),
            ("no numbers", 2, "goes over numbers", [*SWEEP, "--over", "frac=half,mse", "--best", "derivative"]),
            ("no classes for the labels", 3, "number for each class", ["sweep", MODEL, "--data", arrays("labels", np.zeros((4, 1, 28, 28)), [0, 1, 2, 30]), "--pass", "quantize:data_width=0", *over]),
            ("another input's scale", 3, "no input 'image'", [*SWEEP, "--scale", "image=3", *over]),
            ("no .npz", 3, "is no .npz file", ["sweep", MODEL, "--data", MODEL, "--pass", "quantize:data_width=0", *over]),
            ("too few samples", 3, "3 samples for the input 'input', and 4 labels", ["sweep", MODEL, "--data", arrays("few", np.zeros((3, 1, 28, 28)), [0, 1, 2, 3]), "--pass", "quantize:data_width=0", *over]),
            ("labels that are none", 3, "not one whole number", ["sweep", MODEL, "--data", arrays("halves", np.zeros((2, 1, 28, 28)), [0, 0.5]), "--pass", "quantize:data_width=0", *over]),
            ("neither --over nor --settings", 2, "--over --settings", SWEEP),
            ("no scale", 2, "--scale input=much: expected a number", [*SWEEP, *over, "--scale", "input=much"]),
            ("a scale that is no number", 2, "--scale input=nan: expected a number", [*SWEEP, *over, "--scale", "input=nan"]),
            ("no model, but text", 3, "not an ONNX model", ["sweep", __file__, "--data", DIGITS, "--pass", "quantize:data_width=0", *over]),
            ("objects as data", 3, f"the array 'input' of {objects} cannot be read", ["sweep", MODEL, "--data", objects, "--pass", "quantize:data_width=0", *over])):
        done = command(*words)
        checks.check(f"{name}: status {status} and why", done.status == status and text in done.err, f"{done.status} {done.err}")
    checks.check("tenon has no command 'swoop'", command("swoop").status == 2)
    checks.check("tenon sweep --help", "--over" in command("sweep", "--help").out)


def test_external(checks):
    """Any program tenon-NAME in PATH is a command."""
    folder = os.path.join(FOLDER, "bin")
    os.makedirs(folder)
    path = os.path.join(folder, "tenon-greet")
    with open(path, "w") as f:
        f.write('#!/bin/sh\necho "hello $*"\nexit 7\n')
    os.chmod(path, 0o755)
    done = command("greet", "a", "--b", env={"PATH": folder + os.pathsep + os.environ["PATH"]})
    checks.equal("tenon greet", (done.status, done.out), (7, "hello a --b\n"))
    checks.equal("without it", command("greet").status, 2)
    shutil.copy(path, os.path.join(folder, "tenon-ops"))
    checks.check("tenon's own come first", "hello" not in command("ops", env={"PATH": folder + os.pathsep + os.environ["PATH"]}).out)


def main():
    checks = Checks()
    for test in (test_grid, test_best, test_points, test_settings, test_first_pass, test_contents, test_damaged, test_unwritable, test_pictures, test_begun, test_size, test_lock, test_killed, test_refused, test_external):
        test(checks)
    checks.finish()


if __name__ == "__main__":
    main()
