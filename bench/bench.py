#!/usr/bin/env python3
"""tenon beside ONNX Runtime and OpenVINO: one process, one core, one thread (or --threads N, on N cores), taking turns.

In a turn each subject is called once untimed, then for a batch of calls (a millisecond, or one call) that one C function times; the order rotates.
A round is three turns, of which each subject's fastest counts. The ratio of a round is tenon's time over the peer's in that round, so that a
slow moment of the machine hits both; shown are medians over the rounds, with quartiles.
What the machine can do, multiply-adds in registers and reading as much memory as the model touches, takes its turn in each round like the rest.
Outputs of all are first compared to those of ONNX Runtime without optimisation (rtol 1e-3, atol 1e-5). docs/performance.md says more.

Exit status: 0, or 1 where outputs differ, 2 on wrong usage, 5 where something is missing or tenon refuses a model.
"""
JSON = """
--json writes one object. A spread is {"median", "q1", "q3"} over the rounds.
  schema     1
  date       of the run
  machine    cpu, cores, core (the one used), system, load: [before, after] (average over a minute)
  versions   tenon, cc, and of each peer
  settings   rounds and seconds (at least), threads, target, rtol, atol, empty_call_ns: what the loop around the calls costs a call
  missing    {peer: why} of the peers that are not there
  models     for each:
    name, what, origin ("shipped" or "generated"), macs, macs_computed (by tenon: what nobody reads is left out), bytes (that its kernels touch), rounds
    cpu_share: how much of the time the process had its core, or all of its cores
    peak_gflops, bandwidth_gbs: spreads; bandwidth_bytes: how much was read
    subjects   for each:
      key ("jit", "c", "onnxruntime", "openvino"), name
      why: that it could not run this model; then nothing else
      latency_us: a spread and "min"; calls: in a batch
      difference: the greatest of any output, null where one is no number or of another shape; agrees: within the tolerances
      of_peak: a spread of 2 macs / time / peak, for tenon of macs_computed; of_bandwidth: of bytes / time / bandwidth
      ratios: of tenon's, {peer: a spread of its time / the peer's}
"""
import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import time

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402
from cases import CASES, bound_copy  # noqa: E402
from peers import PEERS, reference  # noqa: E402
from subjects import Arithmetic, BUILD, CC, CompiledC, Jit, Nothing, Reading, SubjectError, TENON, run_script, write_c  # noqa: E402

RTOL, ATOL = 1e-3, 1e-5
BATCH_NS, TURNS = 1_000_000, 3
SETTLE_SECONDS = 0.03


def spread(values):
    median, q1, q3 = (float(q) for q in np.percentile(values, [50, 25, 75]))
    return {"median": median, "q1": q1, "q3": q3}


# ---- one model ----

def per_node(model, target, seconds):
    """What `tenon bench --per-node` says of a model whose dimensions are bound."""
    done = subprocess.run([TENON, "bench", model, "--per-node", "--json", "--target", target, "--time", str(seconds)], capture_output=True, text=True)
    if done.returncode != 0:
        raise SubjectError(done.stderr.strip().splitlines()[0])
    return json.loads(done.stdout)


def macs_of(model, target):
    """Multiply-accumulates of the model's operators, whoever reads what they compute."""
    done = subprocess.run([TENON, "inspect", model, "--json", "--target", target], capture_output=True, text=True)
    if done.returncode != 0:
        raise SubjectError(done.stderr.strip().splitlines()[0])
    return json.loads(done.stdout)["totals"]["macs"]


def tenon_c(name, model, feeds, target, threads):
    return CompiledC(write_c(model, feeds, os.path.join(BUILD, "bench", "c", name), target, "bin", threads), feeds, threads)


def make_subjects(name, model, feeds, peers, target, threads):
    """Subjects, and an entry for each that cannot run this model."""
    makers = {Jit: lambda: Jit(model, feeds, target, threads), CompiledC: lambda: tenon_c(name, model, feeds, target, threads)}
    subjects, refused = [], []
    for kind in (CompiledC, Jit, *peers):
        try:
            subject = makers.get(kind, lambda: kind(model, feeds, threads))()
            subject.call()
            subjects.append(subject)
        except SubjectError as error:
            refused.append({"key": kind.key, "name": kind.name, "why": str(error)})
    return subjects, refused


def run_rounds(subjects, least_rounds, least_seconds, settle=0):
    """Nanoseconds per call, [round][subject], and the calls in a batch."""
    calls = []
    for subject in subjects:
        subject.repeat(2)
        calls.append(max(1, round(BATCH_NS / max(subject.repeat(2) / 2, 1))))
    rows, end = [], time.monotonic() + least_seconds
    while len(rows) < least_rounds or time.monotonic() < end:
        rows.append(np.min([one_turn(subjects, calls, TURNS * len(rows) + t, settle) for t in range(TURNS)], axis=0))
    return np.array(rows), calls


def one_turn(subjects, calls, first, settle=0):
    """Nanoseconds per call of each subject, which are called in an order that begins with the first-th. Before each, `settle` seconds pass, in
    which the threads of the one before stop waiting busily for work."""
    row = [0.0] * len(subjects)
    for k in range(len(subjects)):
        i = (k + first) % len(subjects)
        time.sleep(settle)
        subjects[i].call()
        row[i] = subjects[i].repeat(calls[i]) / calls[i]
    return row


def difference(subject, want):
    """The greatest difference of any output (None where it is no number), and whether all are within the tolerances."""
    got, far = subject.outputs(), 0.0
    for name, array in want.items():
        if got[name].shape != array.shape:
            return None, False
        far = float(np.fmax(far, np.abs(got[name].astype(np.float64) - array).max(initial=0)))
        if not np.allclose(got[name], array, rtol=RTOL, atol=ATOL):
            return far if np.isfinite(got[name]).all() else None, False
    return far, True


def measure(name, peers, options):
    case = CASES[name]
    feeds = case.feeds(case.path())
    model = bound_copy(name, feeds)
    nodes, macs = per_node(model, options.target, 0.05), macs_of(model, options.target)
    subjects, refused = make_subjects(name, model, feeds, peers, options.target, options.threads)
    want = reference(model, feeds)
    agreement = [difference(s, want) for s in subjects]
    machine = [Arithmetic(cores=options.threads), Reading(nodes["bandwidth_bytes"])]
    begin, cpu_begin = time.monotonic(), time.process_time()
    settle = SETTLE_SECONDS if options.threads > 1 else 0
    rows, calls = run_rounds(subjects + machine, options.rounds, options.seconds, settle)
    slept = settle * TURNS * rows.size
    cpu_share = (time.process_time() - cpu_begin) / (time.monotonic() - begin - slept) / options.threads
    column = {s.key: rows[:, i] for i, s in enumerate(subjects + machine)}
    peak, bandwidth = (m.work / column[m.key] for m in machine)
    entries = []
    for subject, n, (far, agrees) in zip(subjects, calls, agreement):
        ours = subject.key in ("jit", "c")
        compared = {p.key: column[p.key] for p in peers if p.key in column} if ours else {}
        entries.append({"key": subject.key, "name": subject.name, "calls": n, "difference": far, "agrees": agrees,
                        **figures(column[subject.key], nodes["macs"] if ours else macs, total_bytes(nodes), peak, bandwidth, compared)})
        subject.close()
    return {"name": name, "what": case.what, "origin": case.origin, "macs": macs, "macs_computed": nodes["macs"], "bytes": total_bytes(nodes), "rounds": len(rows),
            "cpu_share": cpu_share, "peak_gflops": spread(peak), "bandwidth_gbs": spread(bandwidth), "bandwidth_bytes": machine[1].work,
            "subjects": entries + refused}


def figures(ns, macs, bytes_, peak, bandwidth, compared):
    """What is said of a subject, from arrays over the rounds: its ns per call, the machine's peak and bandwidth in operations and bytes per ns,
    and the ns per call of those that it is compared to."""
    return {"latency_us": {**spread(ns / 1000), "min": float(ns.min() / 1000)}, "of_peak": spread(2 * macs / ns / peak),
            "of_bandwidth": spread(bytes_ / ns / bandwidth), "ratios": {key: spread(ns / other) for key, other in compared.items()}}


def total_bytes(nodes):
    return sum(n["bytes"] for n in nodes["nodes"])


# ---- the whole ----

def cpu_name():
    with open("/proc/cpuinfo") as f:
        names = [line.split(":", 1)[1].strip() for line in f if line.startswith("model name")]
    return names[0] if names else platform.machine()


def first_line(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def find_peers(keys):
    """The peers that are there, their versions, and why others are not."""
    found, versions, missing = [], {}, {}
    for key in keys:
        try:
            versions[key] = PEERS[key].version()
            found.append(PEERS[key])
        except (SubjectError, OSError) as error:
            missing[key] = str(error)
            print(f"bench: {PEERS[key].name} is left out: {error}", file=sys.stderr)
    return found, versions, missing


def run_all(options):
    peers, versions, missing = find_peers(options.peers)
    if missing and options.update_docs:
        raise SubjectError("--update-docs wants all peers")
    load, nothing = os.getloadavg()[0], Nothing()
    made = {"schema": 1, "date": datetime.date.today().isoformat(),
            "machine": {"cpu": cpu_name(), "cores": os.cpu_count(), "core": options.core, "system": f"{platform.system()} {platform.machine()}"},
            "versions": {"tenon": first_line(TENON, "--version").split()[-1], "cc": first_line(CC, "--version"), **versions},
            "settings": {"rounds": options.rounds, "seconds": options.seconds, "threads": options.threads, "target": options.target, "rtol": RTOL, "atol": ATOL,
                         "empty_call_ns": nothing.repeat(1_000_000) / 1_000_000},
            "missing": missing, "models": []}
    for name in options.models:
        made["models"].append(measure(name, peers, options))
        print(report.model_text(made["models"][-1]), flush=True)
    made["machine"]["load"] = [load, os.getloadavg()[0]]
    return made


def check_outputs(options):
    """What would fail after minutes of measuring fails before."""
    for path in filter(None, (options.json, options.plot)):
        if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
            raise SubjectError(f"{path}: no such folder")


def write_json(made, path):
    with open(path, "w") as f:
        json.dump(made, f, indent=1)
        f.write("\n")


def profile(name, options):
    """Prints where tenon's time goes in one model."""
    case = CASES[name]
    model = bound_copy(name, case.feeds(case.path()))
    print(f"{name}: {case.what}\n{report.profile_text(per_node(model, options.target, options.seconds))}")


def some_of(known):
    def parse(text):
        names = [n for n in text.split(",") if n]
        unknown = [n for n in names if n not in known]
        if unknown:
            raise argparse.ArgumentTypeError(f"no {', '.join(unknown)}; there are {', '.join(known)}")
        return names
    return parse


def at_least(least, kind):
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            value = least - 1
        if not least <= value < 1e6:
            raise argparse.ArgumentTypeError(f"a number from {least} up, not {text!r}")
        return value
    return parse


def parse_options():
    parser = argparse.ArgumentParser(prog="bench", description=__doc__, epilog=JSON, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=some_of(CASES), default=list(CASES), help="which, with commas between (all): " + ", ".join(CASES))
    parser.add_argument("--peers", type=some_of(PEERS), default=list(PEERS), help="beside which (all that are installed): " + ", ".join(PEERS))
    parser.add_argument("--rounds", type=at_least(1, int), default=15, help="at least so many for each model (15)")
    parser.add_argument("--seconds", type=at_least(0, float), default=5, help="at least so long for each model (5)")
    parser.add_argument("--target", default="host", help="what tenon compiles for (host)")
    cores = sorted(os.sched_getaffinity(0))
    parser.add_argument("--core", type=int, choices=cores, default=cores[-1], help="the core to run on (the last)")
    parser.add_argument("--threads", type=int, choices=range(1, len(cores) + 1), default=1, metavar="N", help="of each, on as many cores (1)")
    parser.add_argument("--json", metavar="FILE", help="writes what was found")
    parser.add_argument("--plot", metavar="FILE.svg", help="draws the ratios")
    parser.add_argument("--profile", metavar="MODEL", choices=list(CASES), help="prints tenon's kernels of one model, the slowest first, and ends")
    parser.add_argument("--update-docs", action="store_true", help="writes docs/performance.md, .json and .svg; wants all models and peers")
    options = parser.parse_args()
    if not options.models:
        parser.error("--models wants at least one")
    if options.update_docs and (options.models != list(CASES) or options.peers != list(PEERS) or options.rounds < 15 or options.threads > 1):
        parser.error("--update-docs wants all models, all peers, 15 rounds and one thread")
    return options


def main():
    options = parse_options()
    others = sorted(os.sched_getaffinity(0) - {options.core}, reverse=True)
    os.sched_setaffinity(0, {options.core, *others[: options.threads - 1]})
    if options.profile:
        profile(options.profile, options)
        return 0
    check_outputs(options)
    made = run_all(options)
    print("\n" + report.markdown_table(made))
    wrong = [f"{s['name']} on {r['name']}" for r in made["models"] for s in r["subjects"] if not s.get("agrees", True)]
    if wrong:
        print(f"bench: outputs differ: {', '.join(wrong)}", file=sys.stderr)
    if options.json:
        write_json(made, options.json)
    if options.plot:
        report.plot(made, options.plot)
    if options.update_docs and not wrong:
        write_json(made, os.path.join(report.DOCS, "performance.json"))
        report.plot(made, os.path.join(report.DOCS, "performance.svg"))
        report.update_docs(made)
    return 1 if wrong else 0


if __name__ == "__main__":
    run_script("bench", main)
