#!/usr/bin/env python3
"""Accuracy against sparsity: prunes bert-tiny's layers to each sparsity in each way, evaluates it, prints a table, draws the curves.

    build/bench-venv/bin/python models/bert-tiny-imdb/sparsity.py -o build/sparsity          # some sparsities, 500 reviews: minutes
    build/bench-venv/bin/python models/bert-tiny-imdb/sparsity.py -o build/sparsity --full   # 0.1 to 0.9, 5,000 reviews: an hour

Each point is one run of `tenon eval -p prune:... --against` the model as it is, without retraining; what has been run before is read from
OUTPUT/points.json. --model, --data and their like take any other model. Needs matplotlib (bench/requirements.txt).
"""
import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SPARSITIES = [0.5, 0.7, 0.8, 0.9]
COLOURS = {"random": "#777777", "l1": "#c8452e", "l2": "#8a6d1f", "wanda": "#5b8c2a", "hessian": "#1b6ca8"}
NEED_DATA = ("wanda", "hessian")


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-o", "--output", default="sparsity", help="the folder for points.json, sparsity.svg and sparsity.png (default: sparsity)")
    p.add_argument("--tenon", default=os.path.join(HERE, "..", "..", "build", "bin", "tenon"), help="the command")
    p.add_argument("--model", default=os.path.join(HERE, "dynamic.onnx"), help="what is pruned")
    p.add_argument("--data", default=os.path.join(HERE, "test_5000.npz"), help="labelled samples")
    p.add_argument("--calibration", default=os.path.join(HERE, "train_5000.npz"), help="samples to calibrate with")
    p.add_argument("--limit", type=int, help="samples to evaluate (default: 500, all with --full)")
    p.add_argument("--sparsity", type=float, nargs="+", metavar="SHARE", help="default: %s; 0.1 to 0.9 with --full" % " ".join(map(str, SPARSITIES)))
    p.add_argument("--method", nargs="+", choices=sorted(COLOURS), default=["random", "l1", "wanda", "hessian"], help="default: random l1 wanda hessian")
    p.add_argument("--scope", nargs="+", choices=["local", "global"], default=["local", "global"], help="default: both")
    p.add_argument("--granularity", default="element", help="what goes as one (default: element)")
    p.add_argument("--options", default="", help="more of -p prune:")
    p.add_argument("--full", action="store_true", help="every sparsity and every sample")
    return p.parse_args()


def evaluate(a, limit, options):
    """What tenon eval says of the model with these options of prune, beside the model as it is; None: of that alone."""
    words = [a.tenon, "eval", a.model, "--data", a.data, "--json"] + (["--limit", str(limit)] if limit else [])
    words += ["-p", "prune:" + options, "--against", a.model] if options else []
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"sparsity.py: {' '.join(words)} failed:\n{done.stderr}")
    found = json.loads(done.stdout)
    return {key: found[key] for key in ("accuracy", "ci95", "samples", "against") if key in found}


class Points:
    """Results by what was run; kept in a file, so that a sweep can be continued."""

    def __init__(self, folder):
        os.makedirs(folder, exist_ok=True)
        self.path = os.path.join(folder, "points.json")
        self.known = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def get(self, a, limit, options):
        key = f"{os.path.basename(a.model)} {options or 'as it is'} {os.path.basename(a.data)} {limit or 'all'}"
        if key not in self.known:
            self.known[key] = evaluate(a, limit, options)
            with open(self.path, "w") as f:
                json.dump(self.known, f, indent=1)
        return self.known[key]


def options_of(a, method, scope, sparsity):
    words = [f"method={method}", f"scope={scope}", f"sparsity={sparsity:g}", f"granularity={a.granularity}"]
    return ",".join(words + ([f"calibration={a.calibration}"] if method in NEED_DATA else []) + ([a.options] if a.options else []))


def cell(point):
    lost = [-100 * x + 0.0 for x in (point["against"]["difference"], *reversed(point["against"]["difference_ci95"]))]
    return "{:.2f} ({:.2f} to {:.2f})".format(*lost)


def draw(a, sparsities, rows, reference, to):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(figsize=(6.4, 3.8), layout="constrained")
    axes.axhline(reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)))
    axes.text(sparsities[0], reference["accuracy"] + 0.012, f"dense: {reference['accuracy']:.4f}", color="#555", ha="left", va="bottom")
    for method, scope in ((m, s) for m in a.method for s in a.scope):
        y = [rows[method, scope, x] for x in sparsities]
        is_global = scope == "global"
        if not is_global:
            axes.fill_between(sparsities, [p["ci95"][0] for p in y], [p["ci95"][1] for p in y], color=COLOURS[method], alpha=0.15, linewidth=0)
        axes.plot(sparsities, [p["accuracy"] for p in y], marker="s" if is_global else "o", markersize=3.5, color=COLOURS[method],
                  linestyle=(0, (2, 2)) if is_global else "-", label=f"{method}, {scope}")
    axes.set_xticks(sparsities)
    axes.set_xlabel(f"sparsity of the layers' weights, by {a.granularity}, not retrained")
    axes.set_ylabel(f"accuracy on {reference['samples']:,} samples")
    axes.set_ylim(top=reference["accuracy"] + 0.05)
    axes.grid(color="#ddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower left", frameon=False, ncols=2)
    for form in ("svg", "png"):
        figure.savefig(os.path.join(to, "sparsity." + form), dpi=150, metadata={"Date": None} if form == "svg" else None)


def main():
    a = arguments()
    sparsities = sorted(set(a.sparsity or ([n / 10 for n in range(1, 10)] if a.full else SPARSITIES)))
    limit = a.limit or (None if a.full else 500)
    points = Points(a.output)
    reference = points.get(a, limit, None)
    print("dense: {accuracy:.4f} ({0:.4f} to {1:.4f}) on {samples} samples; points lost:".format(*reference["ci95"], **reference), flush=True)
    columns = [(m, s) for m in a.method for s in a.scope]
    print("| sparsity | " + " | ".join(f"{m}, {s}" for m, s in columns) + " |\n|---|" + "---|" * len(columns))
    rows = {}
    for x in sparsities:
        for m, s in columns:
            rows[m, s, x] = points.get(a, limit, options_of(a, m, s, x))
        print(f"| {x:g} | " + " | ".join(cell(rows[m, s, x]) for m, s in columns) + " |", flush=True)
    try:
        draw(a, sparsities, rows, reference, a.output)
    except ImportError:
        sys.exit("sparsity.py: the curves need matplotlib: pip install -r bench/requirements.txt")
    print(f"drawn: {a.output}/sparsity.svg and sparsity.png")


if __name__ == "__main__":
    main()
