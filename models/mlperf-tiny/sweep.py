#!/usr/bin/env python3
"""ResNet-8 and keyword spotting against the width of weights, and of weights and data: rounded to nearest, and by the Hessian method.

    build/bench-venv/bin/python models/mlperf-tiny/sweep.py -o build/sweep-tiny          # minutes

The tables have accuracies, points lost to the float model with their paired 95 % interval, and the mean squared error of the margin (the output of a
sample's class less the best of the others). What has been run before is read from OUTPUT/points.json. Calibrated on the data that they are judged by: there are
no others here. Needs numpy.
"""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "tools"))
from sweeping import LIBRARY, Sweep, Tee, cell, table  # noqa: E402

# Model, data, dimensions, samples to calibrate with.
MODELS = {"pictures": ("resnet8", "cifar10_2000.npz", {}, 128), "words": ("kws_dscnn_bn", "words_312.npz", {"batch": 1}, 312)}
FORMATS = ["affine", "fixed", "symmetric"]
ROUNDINGS = ["nearest", "hessian"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("-o", "--output", default="sweep", help="the folder for points.json and tables (default: sweep)")
    p.add_argument("--library", default=LIBRARY, help="libtenon (default: that of build/)")
    p.add_argument("--models", nargs="+", choices=sorted(MODELS), default=sorted(MODELS), help="default: both")
    p.add_argument("--formats", nargs="+", choices=FORMATS, default=["symmetric"], help="of the numbers (default: symmetric)")
    p.add_argument("--limit", type=int, help="samples to evaluate (default: all)")
    p.add_argument("--widths", type=int, nargs="+", metavar="BITS", default=list(range(2, 9)), help="default: 2 to 8")
    return p.parse_args()


def print_tables(a, title, out):
    model, data, dims, samples = MODELS[title]
    data = os.path.join(HERE, data)
    sweep = Sweep(os.path.join(HERE, model, "model.onnx"), data, a.limit, os.path.join(a.output, title), f"calibration={data},samples={samples}", a.library, dims)
    print("\n{0}: floats {accuracy:.4f} on {samples:,} {1}".format(model, title, **sweep.point(None)), file=out)
    for what in ("weights", "weights and data"):
        for scheme in a.formats:
            print(f"\n{what.capitalize()}, format={scheme}:\n", file=out)
            options = f"format={scheme},data_width={{}},weight_width={{}},rounding={{}}".format
            table(["bits", *(f"rounding={r}" for r in ROUNDINGS)],
                  ((w, (cell(sweep.point(options(0 if what == "weights" else w, w, r))) for r in ROUNDINGS)) for w in a.widths), out)


def main():
    a = arguments()
    os.makedirs(a.output, exist_ok=True)
    out = Tee(os.path.join(a.output, "table.md"))
    for title in a.models:
        print_tables(a, title, out)


if __name__ == "__main__":
    main()
