#!/usr/bin/env python3
"""quantize on bert-tiny: every width on every back end, ONNX Runtime's classes, what bias correction is for; the sweeps' tables."""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, Checks, accuracy_of, run, scratch, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402

FOLDER = scratch("quantize_reviews")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx")
REVIEWS = os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz")
TRAINED = os.path.join(MODELS, "bert-tiny-imdb", "train_5000.npz")
LIBRARY = os.path.join(BUILD, "lib", "libtenon.so.0")
EACH = 40  # reviews for ONNX Runtime, other ones for each width


def classes_of(path, reviews):
    session = unoptimised(path)
    names = [i.name for i in session.get_inputs()]
    return np.array([int(session.run(None, {n: reviews[n][i:i + 1] for n in names})[0].argmax()) for i in range(len(reviews["label"]))])


def test_widths(checks):
    """Fixed and affine, 2 to 16 bits, and rows that are quantised while the model runs: the same bits on all back ends for 8 reviews; ONNX Runtime's classes."""
    z = np.load(REVIEWS)
    settings = [(f"format={s},data_width={w},weight_width={w}", w) for s in ("fixed", "affine") for w in range(2, 17)]
    settings += [(f"data=dynamic,data_width={w},weight_width={w}", w) for w in (3, 8)] + [("smooth=0.5,per=tensor,data_width=4,weight_width=4", 4)]
    unlike = seen = 0
    for i, (options, width) in enumerate(settings):
        path, data = os.path.join(FOLDER, "out.onnx"), os.path.join(FOLDER, "reviews.npz")
        done = tenon("compile", BERT, "-p", f"quantize:{options},calibration={TRAINED},samples=4", "--emit", "onnx", "-o", path)
        if not checks.check(options, done.status == 0, done.err):
            continue
        reviews = {k: np.int64(z[k][EACH * i:EACH * (i + 1)]) for k in z.files}
        reviews["label"] = classes_of(path, reviews)
        np.savez(data, **reviews)
        every = tenon("eval", path, "--data", data, "--limit", 8, "--backend", "all")
        checks.check(f"{options}: the same bits on every back end", every.status == 0, every.err)
        same = accuracy_of(tenon("eval", path, "--data", data))
        checks.check(f"{options}: ONNX Runtime's classes", same >= EACH - 1, f"{same} of {EACH}")
        if width > 3:
            unlike, seen = unlike + EACH - same, seen + EACH
    print(f"bert-tiny, 4 to 16 bits: another class than ONNX Runtime's for {unlike} of {seen} reviews")
    checks.check("the same class for 99.9 % of the reviews", seen >= 1000 and unlike <= 1, (unlike, seen))


def test_correction_on_reviews(checks):
    n = 1000
    right = {}
    for what, words in (("floats", ()), ("corrected", ("true",)), ("not", ("false",))):
        asked = ["-p", f"quantize:per=tensor,data_width=4,weight_width=4,calibration={TRAINED},bias_correction={words[0]}"] if words else []
        right[what] = accuracy_of(tenon("eval", BERT, "--data", REVIEWS, "--limit", n, *asked))
    print(f"bert-tiny, 4 bits per tensor, of {n} reviews: {right}")
    checks.check("without corrected biases, points are lost; with them, none", right["floats"] - right["not"] >= 5 and right["floats"] - right["corrected"] <= 1, right)


def sweep(script, *words):
    return run([sys.executable, os.path.join(MODELS, *script.split("/")), "--library", LIBRARY, *words])


def test_sweep(checks):
    """models/bert-tiny-imdb/sweep.py: its table is what tenon eval says; a second run takes what is known."""
    to = os.path.join(FOLDER, "sweep")
    words = ["-o", to, "--limit", "50", "--widths", "4", "--frac", "half"]
    done = sweep("bert-tiny-imdb/sweep.py", *words)
    points = json.load(open(os.path.join(to, "points.json"))) if os.path.exists(os.path.join(to, "points.json")) else {}
    own = tenon("eval", BERT, "--data", REVIEWS, "--limit", 50, "-p", f"quantize:data_width=4,weight_width=4,frac=half,per=tensor,calibration={TRAINED}",
                "--against", BERT, "--json")
    checks.check("sweep.py: two points", len(points) == 2 and own.status == 0, done.err + own.err)
    if own.status == 0:
        found, other = json.loads(own.out), json.loads(own.out)["against"]
        lost = [-100 * x for x in (other["difference"], *reversed(other["difference_ci95"]))]
        row = "| 4 | {:.4f}, lost {:.2f} ({:.2f} to {:.2f}), margin {:.2g} |".format(found["accuracy"], *(x + 0.0 for x in lost), other["margin_mse"])
        checks.check("sweep.py: the table is what tenon eval says", row in done.out, f"{done.out} {done.err} {row}")
        point = next((p for key, p in points.items() if "half" in key), {})
        checks.check("sweep.py: the accuracy's interval, the classes", np.allclose(point.get("ci95", 0), found["ci95"], atol=1e-12) and point["same_class"] == other["same_class"], point)
    checks.check("sweep.py: drawn, or said what is missing", os.path.exists(os.path.join(to, "sweep.svg")) if done.status == 0 else "matplotlib" in done.err, done.err)
    checks.equal("sweep.py: the same again", sweep("bert-tiny-imdb/sweep.py", *words, "--library", "/nothing").out, done.out)
    checks.check("sweep.py: what is not known needs the library", "--library" in sweep("bert-tiny-imdb/sweep.py", *words[:-1], "mse", "--library", "/nothing").err)
    checks.check("sweep.py: a wrong option", sweep("bert-tiny-imdb/sweep.py", *words, "--frac", "best").status == 2)
    few = sweep("mlperf-tiny/sweep.py", "-o", to, "--limit", "60", "--widths", "4", "--models", "words")
    checks.check("mlperf-tiny/sweep.py: a table", few.status == 0 and "| 4 | " in few.out and "rounding=hessian" in few.out, few.out + few.err)


if __name__ == "__main__":
    checks = Checks()
    for test in (test_widths, test_correction_on_reviews, test_sweep):
        test(checks)
    checks.finish()
