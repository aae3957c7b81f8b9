#!/usr/bin/env python3
"""Accuracy against width: quantises bert-tiny with each width and each way to choose fractions, evaluates it, prints a table, draws the curves.

    build/bench-venv/bin/python models/bert-tiny-imdb/sweep.py -o build/sweep          # some widths, 500 reviews: minutes
    build/bench-venv/bin/python models/bert-tiny-imdb/sweep.py -o build/sweep --full   # widths 2 to 16, 5,000 reviews: hours

Each point is one run of `tenon eval -p quantize:... --against` the float model; what has been run before is read from OUTPUT/points.json. The table has
accuracies, points lost to the float model with their paired 95 % interval, and the mean squared error of the margin: the output of a review's class less the
other one, which shows errors that accuracy hides. Needs matplotlib (bench/requirements.txt).
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "dynamic.onnx")
WIDTHS = [2, 3, 4, 5, 6, 8, 12, 16]
COLOURS = {"mse": "#1b6ca8", "range": "#5b8c2a", "percentile": "#7a4fa3", "entropy": "#8a6d1f", "half": "#c8452e"}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-o", "--output", default="sweep", help="the folder for points.json, sweep.svg and sweep.png (default: sweep)")
    p.add_argument("--tenon", default=os.path.join(HERE, "..", "..", "build", "bin", "tenon"), help="the command")
    p.add_argument("--data", default=os.path.join(HERE, "test_5000.npz"), help="labelled reviews")
    p.add_argument("--calibration", default=os.path.join(HERE, "train_5000.npz"), help="reviews to calibrate with")
    p.add_argument("--limit", type=int, help="reviews to evaluate (default: 500, all with --full)")
    p.add_argument("--widths", type=int, nargs="+", metavar="BITS", help="default: %s; 2 to 16 with --full" % " ".join(map(str, WIDTHS)))
    p.add_argument("--frac", nargs="+", choices=sorted(COLOURS), default=["half", "mse"], help="how fractions are chosen (default: half mse)")
    p.add_argument("--per", choices=["tensor", "channel"], default="tensor", help="what has one fraction (default: tensor)")
    p.add_argument("--format", choices=["fixed", "symmetric", "affine"], default="fixed", help="of the numbers (default: fixed point)")
    p.add_argument("--weights-only", action="store_true", help="data stay floats")
    p.add_argument("--full", action="store_true", help="every width and every review")
    return p.parse_args()


def evaluate(a, limit, options):
    """What tenon eval says of the model with these options of quantize, beside the float model; None: of the float model alone."""
    words = [a.tenon, "eval", MODEL, "--data", a.data, "--json"] + (["--limit", str(limit)] if limit else [])
    words += ["-p", "quantize:" + options, "--against", MODEL] if options else []
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"sweep.py: {' '.join(words)} failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    return {key: found[key] for key in ("accuracy", "ci95", "samples", "against") if key in found}


class Points:
    """Results by what was run; kept in a file, so that a sweep can be continued."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "points.json")
        self.known = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def get(self, a, limit, options):
        key = f"{options or 'float'} {os.path.basename(a.data)} {limit or 'all'}"
        if key not in self.known:
            self.known[key] = evaluate(a, limit, options)
            with open(self.path, "w") as f:
                json.dump(self.known, f, indent=1)
        return self.known[key]


def options_of(a, width, frac):
    return f"format={a.format},data_width={0 if a.weights_only else width},weight_width={width},frac={frac},per={a.per},calibration={a.calibration}"


def cell(point):
    other = point["against"]
    lost = [-100 * x for x in (other["difference"], *reversed(other["difference_ci95"]))]
    return "{:.4f}, lost {:.2f} ({:.2f} to {:.2f}), margin {:.2g}".format(point["accuracy"], *(x + 0.0 for x in lost), other["margin_mse"])


def draw(a, widths, rows, reference, to):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    axes.axhline(reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)))
    axes.text(widths[-1], reference["accuracy"] + 0.04, f"float: {reference['accuracy']:.4f}", color="#555", ha="right", va="bottom")
    for frac in a.frac:
        y = [rows[w, frac] for w in widths]
        axes.fill_between(widths, [p["ci95"][0] for p in y], [p["ci95"][1] for p in y], color=COLOURS[frac], alpha=0.15, linewidth=0)
        axes.plot(widths, [p["accuracy"] for p in y], marker="o", markersize=4, color=COLOURS[frac], label=f"frac={frac}")
    axes.set_xticks(widths)
    axes.set_xlabel(f"bits of {'weights' if a.weights_only else 'weights and data'}, one fraction per {a.per}")
    axes.set_ylabel(f"accuracy on {reference['samples']:,} reviews")
    axes.set_ylim(0.45, 0.9)
    axes.grid(color="#ddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    for form in ("svg", "png"):
        figure.savefig(os.path.join(to, "sweep." + form), dpi=150, metadata={"Date": None} if form == "svg" else None)


def main():
    a = arguments()
    widths = sorted(set(a.widths or (range(2, 17) if a.full else WIDTHS)))
    limit = a.limit or (None if a.full else 500)
    points = Points(a.output)
    reference = points.get(a, limit, None)
    print("float: {accuracy:.4f} ({0:.4f} to {1:.4f}) on {samples} reviews".format(*reference["ci95"], **reference), flush=True)
    print("| bits | " + " | ".join(f"frac={f}" for f in a.frac) + " |\n|---|" + "---|" * len(a.frac))
    rows = {}
    for w in widths:
        for frac in a.frac:
            rows[w, frac] = points.get(a, limit, options_of(a, w, frac))
        print(f"| {w} | " + " | ".join(cell(rows[w, f]) for f in a.frac) + " |", flush=True)
    try:
        draw(a, widths, rows, reference, a.output)
    except ImportError:
        sys.exit("sweep.py: the curves need matplotlib: pip install -r bench/requirements.txt")
    print(f"drawn: {a.output}/sweep.svg and sweep.png")


if __name__ == "__main__":
    main()
