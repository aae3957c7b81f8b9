"""The curves of a sweep, by matplotlib."""
import math
import os
import warnings
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

from .grid import Axes, Axis, Settings, number
from .statistics import Point
from .store import told

Places = Dict[str, float]

COLOURS = ["#c8452e", "#1b6ca8", "#5b8c2a", "#7a4fa3", "#8a6d1f", "#2a8c83", "#b0437f", "#555555"]
MARKERS = "osD^vP"
LINES = ["-", "--", ":", "-."]
WIDTH, HEIGHT, CHARACTER = 6.4, 5.8, 0.078  # inches: of the picture with a legend of some rows, of a digit
NAMED, LONGEST = 60, 72  # curves in the legend; characters of a line there


def _places(axis: Union[Axis, Settings]) -> Places:
    """Where the values stand: numbers where they are such, else, and where some numbers are too near to each other for that, one beside the other."""
    numbers = {v: x for v in axis.values for x in [number(v)] if x is not None}
    if len(numbers) < len(axis.values):
        return {v: float(i) for i, v in enumerate(axis.values)}
    order = sorted(axis.values, key=lambda v: numbers[v])
    gaps = [numbers[b] - numbers[a] for a, b in zip(order, order[1:])]
    crowded = any(8 * gap * len(gaps) < sum(gaps) for gap in gaps)
    return {v: float(i) for i, v in enumerate(order)} if crowded else {v: numbers[v] for v in order}


def _text(text: str, longest: int = LONGEST) -> str:
    """As matplotlib shows it to the letter, without its middle where it is too long."""
    half = longest // 2
    short = text if len(text) <= longest else f"{text[:longest - half - 1]}\u2026{text[-half:]}"
    return "".join(c if c.isprintable() else "\ufffd" for c in short).replace("$", r"\$")


def _named(axes: Axes, values: Sequence[str]) -> str:
    return _text(", ".join(f"{a.title}={v}" for a, v in zip(axes, values)))


def _series(axes: Axes, points: Sequence[Point], places: Places) -> Iterator[Tuple[str, List[Point]]]:
    """Each curve: its label and its points in order."""
    series: Dict[Tuple[str, ...], List[Point]] = {}
    for p in points:
        series.setdefault(tuple(p["values"][1:]), []).append(p)
    for values, line in series.items():
        yield _named(axes[1:], values), sorted(line, key=lambda p: places[p["values"][0]])


def _error(p: Point, least: float) -> float:
    """Of the margin, where it has a place on the axis: a logarithmic one has none for no error at all."""
    error = p["against"]["margin_mse"]
    return float("nan") if error is None or error < least else float(error)


def _curves(upper: Any, lower: Any, axes: Axes, title: str, points: Sequence[Point], places: Places, least: float) -> None:
    """Accuracies with their intervals above, errors of the margin below."""
    series = list(_series(axes, points, places))
    alpha = min(0.13, 0.8 / len(series))
    for i, (label, line) in enumerate(series):
        x, ends = [places[p["values"][0]] for p in line], [[100 * p["ci95"][k] for p in line] for k in (0, 1)]
        hue, turn = i % len(COLOURS), i // len(COLOURS)
        style = {"color": COLOURS[hue], "marker": MARKERS[turn % len(MARKERS)], "linestyle": LINES[turn // len(MARKERS) % len(LINES)], "markersize": 4}
        if len(line) > 1:
            upper.fill_between(x, *ends, color=style["color"], alpha=alpha, linewidth=0)
        else:
            upper.vlines(x, *ends, color=style["color"], alpha=0.5, linewidth=1.5)
        upper.plot(x, [100 * p["accuracy"] for p in line], label=(label or title) if i < NAMED else None, **style)
        lower.plot(x, [_error(p, least) for p in line], **style)
    if len(series) > NAMED:
        upper.plot([], [], linestyle="none", label=f"and {len(series) - NAMED} more curves")
    if any(len(line) > 1 for _, line in series):
        upper.fill_between([], [], color="#555", alpha=0.15, linewidth=0, label="95 % interval")
    else:
        upper.vlines([], [], [], color="#555", alpha=0.5, linewidth=1.5, label="95 % interval")


def _mark(upper: Any, lower: Any, axes: Axes, best: Point, rule: str, places: Places, least: float) -> None:
    x = [places[best["values"][0]]]
    style = {"marker": "o", "markersize": 12, "markerfacecolor": "none", "markeredgecolor": "#000", "markeredgewidth": 1.4, "linestyle": "none"}
    upper.plot(x, [100 * best["accuracy"]], label=f"best by {rule}:\n{_named(axes, best['values'])}", **style)
    lower.plot(x, [_error(best, least)], **style)


def _ticks(plot: Any, axis: Union[Axis, Settings], places: Places) -> float:
    """A label for each value that has room for one; words are upright where they have none side by side. The inches that upright ones need."""
    regular = all(number(v) == x for v, x in places.items())
    if regular and len(places) > 20:
        return 0  # as matplotlib has them
    labels, stand = {v: _text(v, 32) for v in places}, list(places.values())
    inch = 0.75 * WIDTH / (max(stand) - min(stand) or 1)
    longest, apart = CHARACTER * max(map(len, labels.values())), inch * min((b - a for a, b in zip(stand, stand[1:])), default=1)
    upright = not regular and apart < longest + CHARACTER
    shown: List[str] = []
    for v, x in places.items():
        half = len(labels[v]) + len(labels[shown[-1]]) if shown else 0
        if not shown or inch * (x - places[shown[-1]]) >= CHARACTER * (2 if upright else 1 + half / 2):
            shown.append(v)
    plot.set_xticks([places[v] for v in shown], [labels[v] for v in shown], rotation=90 if upright else 0)
    plot.set_xticks([x for v, x in places.items() if v not in shown], minor=True)
    return longest if upright else 0


def _scale(lower: Any, points: Sequence[Point]) -> None:
    """Logarithmic, over a decade at the least; from 0 where no model has an error."""
    from matplotlib import ticker  # type: ignore[import-not-found,unused-ignore]
    errors = [e for p in points for e in [_error(p, 0)] if e > 0]
    if not errors:
        lower.set_ylim(-0.05, 1)
        return
    lower.set_yscale("log")
    lower.yaxis.set_minor_locator(ticker.NullLocator())
    low, high = math.log10(min(errors)), math.log10(max(errors))
    if math.floor(high) - math.ceil(low) < 1:
        lower.set_ylim(10.0 ** (math.floor(low - 0.1)), 10.0 ** (math.ceil(high + 0.1)))


def _legend(figure: Any, upper: Any) -> float:
    """As many columns as have room. The inches that its rows need."""
    handles, labels = upper.get_legend_handles_labels()
    for columns in range(2 if len(labels) <= 12 else 4, 0, -1):
        legend = figure.legend(handles, labels, loc="outside upper left", ncols=columns, frameon=False)
        extent = legend.get_window_extent()
        if extent.width <= figure.bbox.width or columns == 1:
            break
        legend.remove()
    return float(extent.height / figure.dpi)


def draw(axes: Axes, title: str, reference: Point, points: Sequence[Point], best: Optional[Point], rule: str, folder: str) -> List[str]:
    """sweep.svg and sweep.png in the folder; their paths."""
    import matplotlib  # type: ignore[import-not-found,unused-ignore]
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot
    over, places = axes[0], _places(axes[0])
    least = 5e-324 if any(_error(p, 0) > 0 for p in points) else 0.0
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(WIDTH, HEIGHT), layout="constrained", sharex=True, height_ratios=[3, 2])
    upper.axhline(100 * reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)), label=f"as it is: {100 * reference['accuracy']:.2f} %")
    _curves(upper, lower, axes, title, points, places, least)
    if best:
        _mark(upper, lower, axes, best, rule, places, least)
    below = _ticks(lower, over, places)
    _scale(lower, points)
    lower.set_xlabel(_text(f"{over.title}{' (bits)' if any('width' in n for n in over.names) else ''} of {title}"))
    upper.set_ylabel(f"accuracy on {reference['samples']:,} samples (%)")
    lower.set_ylabel("squared error of the margin\n(units of the output, squared)")
    for plot in (upper, lower):
        plot.grid(color="#ddd", linewidth=0.6)
        plot.spines[["top", "right"]].set_visible(False)
    above = _legend(figure, upper)
    figure.set_size_inches(WIDTH, HEIGHT + max(0, above - 0.9) + below)
    paths = [os.path.join(folder, f"sweep.{form}") for form in ("svg", "png")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that the font lacks
        for path in paths:
            with told(path, "written"):
                figure.savefig(path, dpi=150, metadata={"Date": None} if path.endswith("svg") else None)
    pyplot.close(figure)
    return paths
