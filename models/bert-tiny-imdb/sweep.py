#!/usr/bin/env python3
"""Accuracy against width: quantises bert-tiny with each width and each way to choose fractions, evaluates it, prints a table, draws the curves.

    build/bench-venv/bin/python models/bert-tiny-imdb/sweep.py -o build/sweep            # some widths, 500 reviews: a minute or two
    build/bench-venv/bin/python models/bert-tiny-imdb/sweep.py -o build/sweep --full     # widths 2 to 16, 5,000 reviews, all tables: an hour
    build/bench-venv/bin/python models/bert-tiny-imdb/sweep.py -o build/sweep --named    # the settings that docs/quantisation.md names

The tables have accuracies, points lost to the float model with their paired 95 % interval, and the mean squared error of the margin (the output of a review's
class less the other one), which shows errors that accuracy hides. What has been run before is read from OUTPUT/points.json. Needs numpy, and matplotlib for the
curves (bench/plots.txt). --data FILE evaluates on other reviews; make_reviews.py makes all 25,000.
"""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from sweeping import LIBRARY, Sweep, Tee, cell, table  # noqa: E402

WIDTHS = [2, 3, 4, 5, 6, 8, 12, 16]
COLOURS = {"half": "#c8452e", "mse": "#1b6ca8", "range": "#5b8c2a", "percentile": "#7a4fa3", "entropy": "#8a6d1f"}
# What has one fraction or scale: options, and the ways to choose one. half does not look at numbers: it is the same per channel.
KINDS = {"tensor": ("format=fixed,per=tensor", ["half", "range", "mse"], "fixed point, one fraction per tensor"),
         "channel": ("format=fixed,per=channel", ["range", "mse"], "fixed point, one fraction per channel of a weight"),
         "affine": ("format=affine,per=channel", ["range", "mse"], "affine, one scale per channel of a weight")}
FEW = "table_width=8,rounding=hessian"
# The settings that docs/quantisation.md names: options, what --skip leaves out, and the points that may be lost.
NAMED = [("per=tensor,data_width=16,weight_width=16", (), 0.1), ("per=tensor,data_width=12,weight_width=12", (), 0.1), ("per=tensor,data_width=8,weight_width=8", (), 0.2),
         ("per=tensor,data_width=6,weight_width=6", (), 0.4), ("per=tensor,data_width=5,weight_width=5", (), 0.9), ("per=tensor,data_width=4,weight_width=4", (), 1.5),
         ("per=tensor,data_width=4,weight_width=4,bias_correction=false", (), None), ("data_width=4,weight_width=4", (), 0.8), ("format=affine,data_width=4,weight_width=4", (), 0.5),
         ("data_width=8,weight_width=4", (), 0.4), (f"data_width=8,weight_width=3,{FEW}", (), 0.5), (f"data_width=8,weight_width=2,{FEW}", (), 0.8),
         ("format=affine,data_width=8,weight_width=3", (), None), ("format=affine,data_width=8,weight_width=3,bias_correction=false", (), None),
         ("data_width=8,auto=accuracy:0.5", (), 0.5), ("format=symmetric,data=all", ("fuse-attention",), 0.3),
         ("per=tensor,frac=half,data_width=8,weight_width=8", (), None), ("per=tensor,frac=half,data_width=6,weight_width=6", (), None),
         ("per=tensor,frac=half,data_width=4,weight_width=4", (), None)]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-o", "--output", default="sweep", help="the folder for points.json, tables and curves (default: sweep)")
    p.add_argument("--library", default=LIBRARY, help="libtenon (default: that of build/)")
    p.add_argument("--data", default=os.path.join(HERE, "test_5000.npz"), help="labelled reviews")
    p.add_argument("--calibration", default=os.path.join(HERE, "train_5000.npz"), help="reviews to calibrate with")
    p.add_argument("--samples", type=int, help="of them, to calibrate with (default: 128)")
    p.add_argument("--limit", type=int, help="reviews to evaluate (default: 500; all with --full and --named)")
    p.add_argument("--widths", type=int, nargs="+", metavar="BITS", help="default: %s; 2 to 16 with --full" % " ".join(map(str, WIDTHS)))
    p.add_argument("--frac", nargs="+", choices=sorted(COLOURS), help="how fractions are chosen (default: half and mse)")
    p.add_argument("--kind", choices=sorted(KINDS), default="tensor", help="what has one fraction or scale (default: tensor)")
    p.add_argument("--weights-only", action="store_true", help="data stay floats")
    p.add_argument("--full", action="store_true", help="every width, every kind, weights and data, weights only, every review")
    p.add_argument("--named", action="store_true", help="the settings that docs/quantisation.md names, and no curves")
    return p.parse_args()


def options_of(a, width, frac, kind, weights_only):
    return f"{KINDS[kind][0]},frac={frac},data_width={0 if weights_only else width},weight_width={width}" + (f",samples={a.samples}" if a.samples else "")


def named_cells(point, most):
    lost = "{0:.2f} ({1:.2f} to {2:.2f})".format(*(x + 0.0 for x in point["lost"]))
    return [f"{point['right']:,}", lost, "" if most is None else str(most), f"{point['margin_mse']:.2g}"]


def print_named(sweep, out):
    table(["options", f"right, of {len(sweep.labels):,}", "points lost (95 %)", "at most", "margin"],
          ((f"`{options}`" + "".join(f" `--skip {s}`" for s in skip), named_cells(sweep.point(options, skip), most)) for options, skip, most in NAMED), out)


def print_kind(a, sweep, widths, kind, fracs, weights_only, out):
    print(f"\n{'Weights' if weights_only else 'Weights and data'}, {KINDS[kind][2]}:\n", file=out)
    table(["bits", *(f"frac={f}" for f in fracs)], ((w, (cell(sweep.point(options_of(a, w, f, kind, weights_only))) for f in fracs)) for w in widths), out)


def draw(a, sweep, widths, fracs):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot, ticker
    reference, kind, weights_only = sweep.point(None), a.kind, a.weights_only
    figure, (top, bottom) = pyplot.subplots(2, 1, figsize=(6.4, 5.6), layout="constrained", sharex=True, height_ratios=[3, 2])
    top.axhline(100 * reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)), label=f"floats: {100 * reference['accuracy']:.2f} %")
    for frac in fracs:
        y = [sweep.point(options_of(a, w, frac, kind, weights_only)) for w in widths]
        low, high = ([100 * p["ci95"][i] for p in y] for i in (0, 1))
        top.fill_between(widths, low, high, color=COLOURS[frac], alpha=0.15, linewidth=0)
        top.plot(widths, [100 * p["accuracy"] for p in y], marker="o", markersize=4, color=COLOURS[frac], label=f"frac={frac}")
        bottom.plot(widths, [p["margin_mse"] for p in y], marker="o", markersize=4, color=COLOURS[frac])
    top.set_ylabel(f"accuracy on {reference['samples']:,} reviews (%)")
    top.set_ylim(45, 90)
    top.fill_between([], [], color="#555", alpha=0.15, linewidth=0, label="95 % interval")
    figure.legend(loc="outside upper center", ncols=len(fracs) + 2, frameon=False)
    bottom.set_yscale("log")
    bottom.set_ylabel("squared error of the margin\nagainst floats (logits²)")
    bottom.set_xlabel(f"width of {'weights' if weights_only else 'weights and data'} (bits); {KINDS[kind][2]}")
    bottom.set_xticks(widths)
    bottom.yaxis.set_minor_locator(ticker.NullLocator())
    for axes in (top, bottom):
        axes.grid(color="#ddd", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
    for form in ("svg", "png"):
        figure.savefig(os.path.join(a.output, "sweep." + form), dpi=150, metadata={"Date": None} if form == "svg" else None)


def main():
    a = arguments()
    widths = sorted(set(a.widths or (range(2, 17) if a.full else WIDTHS)))
    limit = a.limit or (None if a.full or a.named else 500)
    sweep = Sweep(os.path.join(HERE, "dynamic.onnx"), a.data, limit, a.output, f"calibration={a.calibration}", a.library, {"batch": 1, "sequence": 256})
    out = Tee(os.path.join(a.output, "named.md" if a.named else "table.md"))
    print("float: {accuracy:.4f} ({0:.4f} to {1:.4f}) on {samples} reviews".format(*sweep.point(None)["ci95"], **sweep.point(None)), file=out)
    if a.named:
        return print_named(sweep, out)
    fracs = a.frac or (KINDS[a.kind][1] if a.full else ["half", "mse"])
    print_kind(a, sweep, widths, a.kind, fracs, a.weights_only, out)
    for kind, weights_only in ((k, w) for k in KINDS for w in (False, True) if a.full and (k, w) != (a.kind, a.weights_only)):
        print_kind(a, sweep, widths, kind, KINDS[kind][1], weights_only, out)
    try:
        draw(a, sweep, widths, [f for f in fracs if f in ("half", "mse")] or fracs)
    except ImportError:
        sys.exit("sweep.py: the curves need matplotlib: pip install -r bench/plots.txt")
    print(f"\ndrawn: {a.output}/sweep.svg and sweep.png")


if __name__ == "__main__":
    main()
