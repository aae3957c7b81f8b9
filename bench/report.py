"""What bench.py found, for people: lines and tables of text and Markdown, and a plot."""
import os

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
DOCS = os.path.join(ROOT, "docs")
PAGE = os.path.join(DOCS, "performance.md")
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
TENON = (("c", "C"), ("jit", "JIT"))
PEERS = (("onnxruntime", "ONNX Runtime"), ("openvino", "OpenVINO"))


def number(x):
    return f"{x:.2f}" if x >= 0.1 else f"{x:.2g}"


def spread(q):
    return f"{number(q['median'])} [{number(q['q1'])} {number(q['q3'])}]"


def micros(us):
    return f"{us:.2f}" if us < 10 else f"{us:.1f}" if us < 1000 else f"{us:,.0f}"


def mega(macs):
    return f"{macs / 1e6:.2f} M" if macs < 1e8 else f"{macs / 1e6:,.0f} M"


def subject_line(entry):
    if "why" in entry:
        return f"  {entry['name']:14} left out: {entry['why']}"
    q = entry["latency_us"]
    line = f"  {entry['name']:14} {micros(q['median']):>9} us [{micros(q['q1'])} {micros(q['q3'])}]"
    line += f"   {100 * entry['of_peak']['median']:5.1f} % of peak {100 * entry['of_bandwidth']['median']:6.1f} % of bandwidth"
    for key, name in PEERS:
        if key in entry["ratios"]:
            line += f"   {spread(entry['ratios'][key])} of {name}'s time"
    return line + ("" if entry["agrees"] else "   OUTPUTS DIFFER")


def model_text(result):
    """Some lines on one model."""
    computed = f" ({mega(result['macs_computed'])} computed)" if result["macs_computed"] != result["macs"] else ""
    head = f"\n{result['name']}: {result['what']}, {mega(result['macs'])} MACs{computed}, {result['rounds']} rounds, " \
           f"{100 * result['cpu_share']:.0f} % of the time on the core"
    return "\n".join([head, *map(subject_line, result["subjects"])])


def markdown_table(report):
    """A row for each model: times, ratios with quartiles, how near to the machine."""
    columns = ["model", "MACs", "computed", "tenon C, us"]
    columns += [f"{name}, us" for _, name in PEERS]
    columns += [f"{short} / {name}" for _, name in PEERS for _, short in TENON] + ["of peak", "of bandwidth"]
    rows = []
    for result in report["models"]:
        by_key = {s["key"]: s for s in result["subjects"] if "why" not in s}
        cells = [result["name"], mega(result["macs"]), mega(result["macs_computed"])]
        cells += [micros(by_key[key]["latency_us"]["median"]) if key in by_key else "" for key in ("c", "onnxruntime", "openvino")]
        for peer, _ in PEERS:
            cells += [spread(by_key[key]["ratios"][peer]) if peer in by_key.get(key, {}).get("ratios", {}) else "" for key, _ in TENON]
        cells += [f"{100 * by_key['c'][what]['median']:.0f} %" if "c" in by_key else "" for what in ("of_peak", "of_bandwidth")]
        rows.append(cells)
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def markdown(report):
    """What stands between the markers of docs/performance.md."""
    machine, versions, settings = (report[k] for k in ("machine", "versions", "settings"))
    peers = ", ".join(f"{name} {versions[key]}" for key, name in PEERS if key in versions)
    shares = [100 * r["cpu_share"] for r in report["models"]]
    return f"""tenon {versions['tenon']} (`--target {settings['target']}`; C by {versions['cc']}) beside {peers}, on {machine['cpu']} ({machine['cores']} cores,
{machine['system']}), {report['date']}. At least {settings['rounds']} rounds and {settings['seconds']:g} seconds for each model. The load average was {machine['load'][0]:.1f}
before and {machine['load'][1]:.1f} after; the process had its core for {min(shares):.0f} to {max(shares):.0f} % of the time.

{markdown_table(report)}

![ratios](performance.svg)"""


def update_docs(report):
    """Puts the figures between the markers of docs/performance.md."""
    with open(PAGE) as f:
        text = f.read()
    head, rest = text.split(BEGIN)
    with open(PAGE, "w") as f:
        f.write(f"{head}{BEGIN}\n{markdown(report)}\n{END}{rest.split(END)[1]}")


def plot(report, path):
    """Ratios of compiled C to each peer, with quartiles, on a logarithmic axis. Models without multiply-accumulates are left out."""
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9})
    from matplotlib import pyplot
    models = [r for r in report["models"] if r["macs"]]
    ratios = [next((s["ratios"] for s in r["subjects"] if s["key"] == "c" and "why" not in s), {}) for r in models]
    figure, axes = pyplot.subplots(figsize=(7.5, 1.2 + 0.28 * len(models)))
    for (peer, label), color, shift in zip(PEERS, ("#0b6e99", "#c4581b"), (-0.14, 0.14)):
        points = [(i + shift, r[peer]) for i, r in enumerate(ratios) if peer in r]
        if points:
            errors = [[q["median"] - q["q1"] for _, q in points], [q["q3"] - q["median"] for _, q in points]]
            axes.errorbar([q["median"] for _, q in points], [y for y, _ in points], xerr=errors, fmt="o", markersize=4, color=color, capsize=2, label=label)
    axes.axvline(1, color="#444444", linewidth=1)
    axes.set_xscale("log")
    ends = [q[e] for r in ratios for q in r.values() for e in ("q1", "q3")] + [0.9, 1.1]
    axes.set_xlim(min(ends) / 1.08, max(ends) * 1.08)
    ticks = [t for t in (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.25, 1.5, 2, 3, 4, 6) if axes.get_xlim()[0] <= t <= axes.get_xlim()[1]]
    axes.minorticks_off()
    axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
    axes.set_yticks(range(len(models)), [r["name"] for r in models])
    axes.set_ylim(len(models) - 0.4, -0.6)
    axes.grid(axis="x", color="#dddddd")
    axes.set_xlabel("time of tenon's C / time of the other (left of 1: tenon is faster)")
    if ratios and any(ratios):
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2, frameon=False)
    figure.tight_layout()
    figure.savefig(path, format="svg", metadata={"Date": None})


def profile_text(made):
    """tenon's kernels of one model, the slowest first, from `tenon bench --per-node --json`."""
    lines = [f"{made['nodes_us']:.1f} us in {made['steps']} calls of {made['kernels']} kernels; {mega(made['macs'])} MACs; peak {made['peak_gflops']:.0f} GFLOP/s, "
             f"bandwidth {made['bandwidth_gbs']:.0f} GB/s over {made['bandwidth_bytes'] / 1e6:.1f} MB",
             f"{'us':>10} {'share':>6} {'sum':>6} {'MACs':>10} {'of peak':>8} {'of bandw.':>9}  operator, name, shapes"]
    total = 0
    for n in sorted(made["nodes"], key=lambda n: -n["us"]):
        total += n["share"]
        fused = "".join(f" + {p['op']}" for p in n["fused"])
        lines.append(f"{n['us']:10.2f} {100 * n['share']:5.1f}% {100 * total:5.1f}% {mega(n['macs']):>10} {100 * n['peak_share']:7.1f}% "
                     f"{100 * n['bandwidth_share']:8.1f}%  {n['op']}{fused}  {n['name']}  {n['shapes']}")
    return "\n".join(lines)
