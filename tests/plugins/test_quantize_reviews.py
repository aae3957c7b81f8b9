#!/usr/bin/env python3
"""quantize on bert-tiny: every width on every back end, ONNX Runtime's classes, what bias correction is for; tenon sweep over its settings."""
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import BUILD, MODELS, ROOT, Checks, accuracy_of, scratch, tenon  # noqa: E402
from onnx_models import unoptimised  # noqa: E402

os.environ.update(TENON_LIBRARY=os.path.join(BUILD, "lib", "libtenon.so"), PYTHON=sys.executable)
sys.path.insert(0, os.path.join(ROOT, "python"))
from tenon.sweep import grid  # noqa: E402

FOLDER = scratch("quantize_reviews")
BERT = os.path.join(MODELS, "bert-tiny-imdb", "dynamic.onnx")
REVIEWS = os.path.join(MODELS, "bert-tiny-imdb", "test_5000.npz")
TRAINED = os.path.join(MODELS, "bert-tiny-imdb", "train_5000.npz")
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


def row_of(done):
    """What the sweep's table says, of what tenon eval --against has found."""
    against = json.loads(done.out)["against"]
    lost = [-100 * x + 0.0 for x in (against["difference"], *reversed(against["difference_ci95"]))]
    return "{:.2f} ({:.2f} to {:.2f}), margin {:.2g}".format(*lost, against["margin_mse"])


def test_sweep(checks):
    """The settings of models/bert-tiny-imdb/settings.txt: all can be read, and two of them are what tenon eval says."""
    few, n = os.path.join(FOLDER, "few.txt"), 50
    settings = grid.Settings(os.path.join(MODELS, "bert-tiny-imdb", "settings.txt"))
    checks.equal("settings.txt: 19 settings, one without a pass", (len(settings.values), [v for v in settings.values if settings.options(v)]),
                 (19, ["format=symmetric,data=all --skip fuse-attention"]))
    items = [settings.values[2], "format=symmetric,data=all --skip fuse-attention"]
    with open(few, "w") as f:
        f.write("# two\n" + "\n".join(items) + "\n")
    common = f"samples=4,calibration={TRAINED}"
    done = tenon("sweep", BERT, "--data", REVIEWS, "--limit", n, "--pass", f"quantize:{common}", "--settings", few, "-o", os.path.join(FOLDER, "sweep"))
    if not checks.check("tenon sweep --settings", done.status == 0, done.err):
        return
    for line in items:
        words, _, skip = line.partition(" --skip ")
        own = tenon("eval", BERT, "--data", REVIEWS, "--limit", n, "-p", f"quantize:{common},{words}", *(["--skip", skip] if skip else []), "--against", BERT, "--json")
        row = f"| `{line}` | {row_of(own)} |" if checks.check(f"tenon eval {line}", own.status == 0, own.err) else None
        checks.check(f"the row of {line}", row and row in done.out.replace("**", ""), f"{done.out} {row}")


if __name__ == "__main__":
    checks = Checks()
    for test in (test_widths, test_correction_on_reviews, test_sweep):
        test(checks)
    checks.finish()
