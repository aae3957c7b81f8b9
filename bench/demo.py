#!/usr/bin/env python3
"""bert-tiny on film reviews: the same bits by JIT and by compiled C, accuracy, latency and memory beside ONNX Runtime, accuracy when quantised."""
import json
import os
import shutil
import subprocess
import sys
import time

import numpy as np

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from peers import OnnxRuntime  # noqa: E402
from subjects import BUILD, ROOT, TENON, CompiledC, Jit, write_c  # noqa: E402

FOLDER = os.path.join(ROOT, "models", "bert-tiny-imdb")
MODEL, REVIEWS = os.path.join(FOLDER, "dynamic.onnx"), os.path.join(FOLDER, "test_5000.npz")
OUT = os.path.join(BUILD, "demo")
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
COMPARED = 200
SUBJECTS = (OnnxRuntime, Jit, CompiledC)


def title(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)


def one_review():
    return {name: np.zeros((1, 256), np.int64) for name in INPUTS}


def bar(done, total, end=False):
    if sys.stderr.isatty():
        filled = 40 * done // total
        print(f"\r  [{'#' * filled}{'.' * (40 - filled)}] {done} of {total}" + ("\r" + " " * 70 + "\r" if end else ""), end="", file=sys.stderr, flush=True)


def make(kind, shared, feeds):
    return kind(shared, feeds) if kind is CompiledC else kind(MODEL, feeds)


def compare_bits(shared, data):
    """JIT and compiled C on real reviews; every bit of the logits must agree."""
    feeds = one_review()
    jit, c = Jit(MODEL, feeds), CompiledC(shared, feeds)
    same = 0
    for i in range(COMPARED):
        for name in INPUTS:
            feeds[name][0] = data[name][i]
        jit.call()
        c.call()
        same += jit.outputs()["logits"].tobytes() == c.outputs()["logits"].tobytes()
        bar(i + 1, COMPARED, i + 1 == COMPARED)
    print(f"  {same} of {COMPARED} reviews: the same bits by JIT and by gcc-compiled C")
    return same == COMPARED


def accuracy():
    """`tenon eval`, which shows its own progress on a terminal."""
    done = subprocess.run([TENON, "eval", MODEL, "--data", REVIEWS, "--json"], stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return False
    report = json.loads(done.stdout)
    low, high = report["ci95"]
    print(f"  {report['correct']} of {report['samples']} right: {report['accuracy']:.4f} (95 %: {low:.4f} to {high:.4f}), "
          f"{report['samples_per_second']:.0f} reviews a second")
    return True


def latencies(shared, data, seconds=6):
    """Median milliseconds for a review, the subjects taking turns in this process, on one core."""
    core = max(os.sched_getaffinity(0))
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    feeds = {name: data[name][:1].astype(np.int64) for name in INPUTS}
    subjects = [make(kind, shared, feeds) for kind in SUBJECTS]
    rows, end, begin = [], time.monotonic() + seconds, time.monotonic()
    while time.monotonic() < end or len(rows) < 10:
        row = [0.0] * len(subjects)
        for k in range(len(subjects)):
            i = (k + len(rows)) % len(subjects)
            start = time.perf_counter()
            subjects[i].call()
            row[i] = 1000 * (time.perf_counter() - start)
        rows.append(row)
        bar(min(int(time.monotonic() - begin), seconds), seconds)
    bar(seconds, seconds, True)
    os.sched_setaffinity(0, before)
    rows = np.array(rows[3:])
    return np.median(rows, axis=0), np.median(rows / rows[:, :1], axis=0), len(rows)


def resident_bytes():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def memory_child(index, shared):
    """In a process of its own: what loading the model and twenty runs add to the resident memory."""
    feeds = one_review()
    before = resident_bytes()
    subject = make(SUBJECTS[index], shared, feeds)
    for _ in range(20):
        subject.call()
    print(resident_bytes() - before)


def memory(shared):
    return [int(subprocess.run([sys.executable, os.path.abspath(__file__), "--memory", str(i), shared], capture_output=True, text=True, check=True).stdout)
            for i in range(len(SUBJECTS))]


def widths():
    """A short sweep: accuracy against width, as a table and a picture."""
    out = os.path.join(OUT, "sweep")
    shutil.rmtree(out, ignore_errors=True)
    calibration = os.path.join(FOLDER, "train_5000.npz")
    # Its progress on stderr is shown as it comes.
    done = subprocess.run([TENON, "sweep", MODEL, "--data", REVIEWS, "--limit", "300", "-o", out, "--pass", f"quantize:per=tensor,samples=16,calibration={calibration}",
                           "--over", "data_width,weight_width=3,4,6,8", "--and", "frac=half,mse"], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHON": sys.executable})
    for line in done.stdout.splitlines():
        print(f"  {line}" if line else "")
    return done.returncode == 0


def main():
    if sys.argv[1:2] == ["--memory"]:
        memory_child(int(sys.argv[2]), sys.argv[3])
        return 0
    print("bert-tiny: is a film review good or bad? 2 layers, 4.4 million parameters, 256 tokens at once.")
    data = np.load(REVIEWS)
    data = {name: data[name] for name in INPUTS}

    title("From ONNX to C")
    begin = time.monotonic()
    shared = write_c(MODEL, one_review(), OUT)
    print(f"  tenon compile and gcc -O2: {time.monotonic() - begin:.1f} s. In {os.path.relpath(OUT, ROOT)}:")
    for folder, _, files in sorted(os.walk(OUT)):
        for file in sorted(files):
            path = os.path.join(folder, file)
            print(f"  {os.path.getsize(path):12,} bytes  {os.path.relpath(path, OUT)}")

    title("The same bits")
    good = compare_bits(shared, data)

    title("Accuracy on 5,000 test reviews (JIT)")
    good &= accuracy()

    title("One review on one core, beside ONNX Runtime in the same run")
    times, ratios, n = latencies(shared, data)
    sizes = memory(shared)
    for kind, ms, ratio, size in zip(SUBJECTS, times, ratios, sizes):
        print(f"  {kind.name:14} {ms:8.2f} ms  {ratio:6.2f} of ONNX Runtime's time   {size / 1e6:8.1f} MB resident")
    print(f"  Medians of {n} rounds, taking turns. Memory: what loading and running adds to a fresh process.")

    title("Quantised, on 300 reviews: frac=half gives every number width / 2 fraction bits, frac=mse those with the least squared error")
    good &= widths()

    title("Three commands to try next")
    print("  build/bin/tenon inspect models/bert-tiny-imdb/static_1x128.onnx")
    print("  build/bin/tenon compile models/mnist-cnn/model.onnx --dim batch=1 --emit c -o mnist && gcc -O2 -Imnist mnist/*.c -o mnist/mnist && mnist/mnist")
    print("  build/bin/tenon check models/bert-tiny-imdb/dynamic.onnx models/bert-tiny-imdb/dynamic --backend all")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
