"""The curves of a sweep, by matplotlib."""
import os
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from .grid import Axes, Axis, Settings, number
from .statistics import Point

Places = Dict[str, float]

COLOURS = ["#c8452e", "#1b6ca8", "#5b8c2a", "#7a4fa3", "#8a6d1f", "#2a8c83", "#b0437f", "#555555"]
MARKERS = "osD^vP"


def _places(axis: Union[Axis, Settings]) -> Places:
    """Where the values stand: numbers where they are such, else one beside the other."""
    numbers = [number(v) for v in axis.values]
    return {v: i if None in numbers or x is None else x for i, (v, x) in enumerate(zip(axis.values, numbers))}


def _series(axes: Axes, points: Sequence[Point], places: Places) -> Iterator[Tuple[str, List[Point]]]:
    """Each curve: its label and its points in order."""
    series: Dict[Tuple[str, ...], List[Point]] = {}
    for p in points:
        series.setdefault(tuple(p["values"][1:]), []).append(p)
    for values, line in series.items():
        yield ", ".join(f"{a.title}={v}" for a, v in zip(axes[1:], values)), sorted(line, key=lambda p: places[p["values"][0]])


def _curves(upper: Any, lower: Any, axes: Axes, title: str, points: Sequence[Point], places: Places) -> None:
    """Accuracies with their intervals above, errors of the margin below."""
    for i, (label, line) in enumerate(_series(axes, points, places)):
        x = [places[p["values"][0]] for p in line]
        style = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i // len(COLOURS) % len(MARKERS)], "markersize": 4}
        upper.fill_between(x, *([100 * p["ci95"][k] for p in line] for k in (0, 1)), color=style["color"], alpha=0.13, linewidth=0)
        upper.plot(x, [100 * p["accuracy"] for p in line], label=label or title, **style)
        # No error at all has no place on a logarithmic axis.
        lower.plot(x, [p["against"]["margin_mse"] or float("nan") for p in line], **style)
    upper.fill_between([], [], color="#555", alpha=0.15, linewidth=0, label="95 % interval")


def _mark(upper: Any, lower: Any, axes: Axes, best: Point, rule: str, places: Places) -> None:
    words, x = ", ".join(f"{a.title}={v}" for a, v in zip(axes, best["values"])), [places[best["values"][0]]]
    style = {"marker": "o", "markersize": 12, "markerfacecolor": "none", "markeredgecolor": "#000", "markeredgewidth": 1.4, "linestyle": "none"}
    upper.plot(x, [100 * best["accuracy"]], label=f"best by {rule}:\n{words}", **style)
    lower.plot(x, [best["against"]["margin_mse"] or float("nan")], **style)


def draw(axes: Axes, title: str, reference: Point, points: Sequence[Point], best: Optional[Point], rule: str, folder: str) -> None:
    """sweep.svg and sweep.png in the folder."""
    import matplotlib  # type: ignore[import-not-found,unused-ignore]
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot, ticker
    over, places = axes[0], _places(axes[0])
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(6.4, 5.8), layout="constrained", sharex=True, height_ratios=[3, 2])
    upper.axhline(100 * reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)), label=f"as it is: {100 * reference['accuracy']:.2f} %")
    _curves(upper, lower, axes, title, points, places)
    if best:
        _mark(upper, lower, axes, best, rule, places)
    if len(places) <= 20:
        lower.set_xticks(list(places.values()), list(places))
    lower.set_xlabel(f"{over.title}{' (bits)' if any('width' in n for n in over.names) else ''} of {title}")
    upper.set_ylabel(f"accuracy on {reference['samples']:,} samples (%)")
    lower.set_ylabel("squared error of the margin\n(units of the output, squared)")
    lower.set_yscale("log")
    lower.yaxis.set_minor_locator(ticker.NullLocator())
    for plot in (upper, lower):
        plot.grid(color="#ddd", linewidth=0.6)
        plot.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    for form in ("svg", "png"):
        figure.savefig(os.path.join(folder, "sweep." + form), dpi=150, metadata={"Date": None} if form == "svg" else None)
    pyplot.close(figure)
