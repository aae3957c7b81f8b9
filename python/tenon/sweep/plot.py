"""The curves of a sweep, by matplotlib."""
import os

from .grid import number

COLOURS = ["#c8452e", "#1b6ca8", "#5b8c2a", "#7a4fa3", "#8a6d1f", "#2a8c83", "#b0437f", "#555555"]
MARKERS = "osD^vP"


def _axes_of(axis, points):
    """Where the values stand: numbers where they are such, else one beside the other."""
    numeric = all(number(v) is not None for v in axis.values)
    places = {v: number(v) if numeric else i for i, v in enumerate(axis.values)}
    return numeric, places


def draw(axes, title, reference, points, best, rule, folder):
    """sweep.svg and sweep.png in the folder."""
    import matplotlib
    matplotlib.use("agg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot
    over, numeric, places = axes[0], *_axes_of(axes[0], points)
    series = {}
    for p in points:
        series.setdefault(tuple(p["values"][1:]), []).append(p)
    figure, plot = pyplot.subplots(figsize=(6.4, 4.2), layout="constrained")
    plot.axhline(100 * reference["accuracy"], color="#555", linewidth=1, linestyle=(0, (4, 3)), label=f"as it is: {100 * reference['accuracy']:.2f} %")
    for i, (values, line) in enumerate(series.items()):
        line.sort(key=lambda p: places[p["values"][0]])
        x, colour = [places[p["values"][0]] for p in line], COLOURS[i % len(COLOURS)]
        plot.fill_between(x, *([100 * p["ci95"][k] for p in line] for k in (0, 1)), color=colour, alpha=0.13, linewidth=0)
        label = ", ".join(f"{a.title}={v}" for a, v in zip(axes[1:], values)) or title
        plot.plot(x, [100 * p["accuracy"] for p in line], marker=MARKERS[i // len(COLOURS) % len(MARKERS)], markersize=4, color=colour, label=label)
    if best:
        words = ", ".join(f"{a.title}={v}" for a, v in zip(axes, best["values"]))
        plot.plot([places[best["values"][0]]], [100 * best["accuracy"]], marker="o", markersize=12, markerfacecolor="none", markeredgecolor="#000", markeredgewidth=1.4,
                  linestyle="none", label=f"best by {rule}: {words}")
    plot.fill_between([], [], color="#555", alpha=0.15, linewidth=0, label="95 % interval")
    if len(places) <= 20:
        plot.set_xticks(list(places.values()), list(places))
    plot.set_xlabel(f"{over.title}{' (bits)' if any('width' in n for n in over.names) else ''} of {title}")
    plot.set_ylabel(f"accuracy on {reference['samples']:,} samples (%)")
    plot.grid(color="#ddd", linewidth=0.6)
    plot.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper left", ncols=2, frameon=False)
    for form in ("svg", "png"):
        figure.savefig(os.path.join(folder, "sweep." + form), dpi=150, metadata={"Date": None} if form == "svg" else None)
    pyplot.close(figure)
