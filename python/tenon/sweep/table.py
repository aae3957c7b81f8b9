"""The tables of a sweep, in Markdown: a row for each value of the first axis, a column for each curve."""
from typing import Callable, Iterator, Optional, Sequence

from .grid import Axes, Settings, points
from .statistics import Point


def _accuracy(p: Point) -> str:
    return "{0:.2f} ({1:.2f} to {2:.2f})".format(100 * p["accuracy"], *(100 * x for x in p["ci95"]))


def _lost(p: Point) -> str:
    found = p["against"]
    points_lost = [-100 * x + 0.0 for x in (found["difference"], *reversed(found["difference_ci95"]))]
    return "{:.2f} ({:.2f} to {:.2f}), margin ".format(*points_lost) + ("none" if found["margin_mse"] is None else f"{found['margin_mse']:.2g}")


def _megabytes(p: Point) -> str:
    return f"{p['size']['weights'] / 8e6:.3g} MB"


def _table(axes: Axes, pass_text: str, cell: Callable[[Point], str], found: Sequence[Point], best: Optional[Point]) -> Iterator[str]:
    columns = points(axes[1:])
    heads = [", ".join(f"{axis.title}={v}" for axis, v in zip(axes[1:], values)) or pass_text for values in columns]
    by_values = {tuple(p["values"]): p for p in found}

    def show(p: Optional[Point]) -> str:
        text = "failed" if p is None else cell(p)
        return f"**{text}**" if p is not None and p is best else text

    yield "| " + " | ".join([axes[0].title, *heads]) + " |"
    yield "|" + "---|" * (len(heads) + 1)
    for x in axes[0].values:
        title = f"`{x}`" if isinstance(axes[0], Settings) else x
        yield f"| {title} | " + " | ".join(show(by_values.get((x, *values))) for values in columns) + " |"


def tables(axes: Axes, pass_text: str, reference: Point, found: Sequence[Point], best: Optional[Point], rule: str) -> str:
    """Accuracies; what is lost to the model as it is; which point is the best."""
    lines = [f"Accuracy on {reference['samples']:,} samples in %, with its 95 % interval; as it is: {_accuracy(reference)}.", "",
             *_table(axes, pass_text, _accuracy, found, best), "",
             "Points lost to the model as it is, with the paired 95 % interval, and the squared error of the margin (the output of a sample's class less the best other):", "",
             *_table(axes, pass_text, _lost, found, best)]
    if best:
        lines += ["", f"Best by {rule}: `{best['pass']}`, {100 * best['accuracy']:.2f} %, weights that are not zero: {_megabytes(best)} of {_megabytes(reference)}"]
    return "\n".join(lines) + "\n"
