#!/usr/bin/env python3
"""Runs the tests, step by step, and sums their checks. Each step ends with a line 'N passed, N failed'.

usage: run.py [--list] [STEP...]
"""
import os
import re
import signal
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.abspath(__file__))
CLOSING = re.compile(r"^(\d+) passed, (\d+) failed$")
# Name, script, what it shows, seconds it may take.
STEPS = [
    ("unit", "unit/run_unit.py", "unit tests, release build", 1500),
    ("rooms", "rooms/test_rooms.py", "which folder may include which; no mutable globals; no exit, no malloc", 300),
    ("errors", "errors/test_bad_input.py", "bad input: exit status and one clear line each", 300),
    ("cli", "cli/test_cli.py", "commands, options, exit statuses, JSON, determinism", 300),
    ("suite", "cli/test_suite.py", "check --suite: kinds of cases, exit statuses, crashes, hangs, Ctrl-C", 300),
    ("input", "cli/test_input.py", "-p input: fed raw data, the bits of data that numpy has prepared", 300),
    ("plugins", "plugins/test_plugins.py", "plugins built wrongly on purpose, a refused erase, the example", 300),
    ("specimen", "plugins/test_specimen.py", "the plugin that was built for ABI 1.0 loads still, and does what its source does, built today", 300),
    ("isolate", "plugins/test_isolate.py", "--isolate: crash, hang, memory; the same bytes as without; tenon passes --check", 300),
    ("pipeline", "plugins/test_pipeline.py", "options of passes, pipeline files, --verify-passes", 300),
    ("dead-inputs", "plugins/test_dead_inputs.py", "dead_inputs: what goes and why; bert-tiny against ONNX Runtime", 300),
    ("quantize", "plugins/test_quantize.py", "-p quantize: formats against numpy, bias correction, smoothing, equalisation, rows at run time, ONNX Runtime, errors", 1500),
    ("quantize-bert", "plugins/test_quantize_reviews.py", "-p quantize on bert-tiny: each width on every back end, ONNX Runtime's classes; tenon sweep over settings", 1500),
    ("prune", "plugins/test_prune.py", "-p prune: masks against numpy, masks in ONNX and back, what leaves the graph in ONNX Runtime, every back end", 1500),
    ("prune-refused", "plugins/test_prune_refused.py", "-p prune: what it refuses and what it leaves, and what it says of that; other options for single nodes", 600),
    ("prune-models", "plugins/test_prune_models.py", "-p prune on the shipped models: ONNX Runtime, sizes, predicted time, accuracy on reviews, pictures and words; the sweep", 1500),
    ("per-node", "bench/test_per_node.py", "bench by node: names, sums, traces; JIT code in perf's map and in gdb", 600),
    ("tune", "tune/test_tune.py", "tenon tune and --tune: what is written, merged and read, broken files, other targets, the same bits, Ctrl-C", 600),
    ("bench", "bench/test_bench.py", "bench/: two small models beside ONNX Runtime, JSON, tables, plots, bad arguments", 300),
    ("models", "models/test_models.py", "the shipped models on every back end: the same bits, the reference's values, accuracy", 1500),
    ("integer", "integer/test_integer.py", "quantised models against ONNX Runtime node by node, sums at their extremes, no float instruction", 1500),
    ("quantised", "integer/test_quantised.py", "2,000 random quantised graphs of 2 to 16 bits: every back end, the naive schedule, a step from floats", 1500),
    ("eval", "eval/test_eval.py", "tenon eval: accuracy, errors and paired differences, computed again from ONNX Runtime's outputs", 300),
    ("explain", "eval/test_explain.py", "tenon explain: nodes put back into floats by hand and run by ONNX Runtime, formats, errors", 300),
    ("python", "python/test_python.py", "the Python package over this build: what the command gives, wrong arguments, threads", 300),
    ("python-passes", "python/test_passes.py", "passes written in Python: the same graph text as in C, options, failures, dead handles, other threads", 300),
    ("python-services", "python/test_services.py", "evaluation, sub-graphs, criteria, costs from Python: what the specimen plugin in C does; the tables of plugin.h", 300),
    ("python-crash", "python/test_crash.py", "the Python package called with everything that is wrong, dead and foreign, from two threads: no crash", 900),
    ("onnx-backend", "python/test_onnx_backend.py", "ONNX's own test runner through tenon.onnx_backend: the cases that tenon check --suite passes", 900),
    ("sweep", "python/test_sweep.py", "tenon sweep: what tenon eval says, killed and gone on with, the best point; programs tenon-NAME as commands", 900),
    ("wheel", "python/test_wheel.py", "the wheel in a fresh environment with numpy: the Python of README and docs, the tour, the command", 1200),
    ("diff", "diff/test_diff.py", "tenon diff: figures against ONNX Runtime and numpy, the first node that departs, matching", 600),
    ("draw", "draw/test_draw.py", "tenon draw: golden DOT, the shipped models, scopes, what dead_inputs takes away, odd names", 300),
    ("inspect", "models/test_inspect.py", "what inspect says of the shipped models, computed again", 300),
    ("arena", "models/test_arena.py", "the arena beside its lower bound; small graphs in one arena and in regions, on every back end", 900),
    ("onnx-out", "onnx_out/test_onnx_out.py", "--emit onnx: the checker, reading it back, ONNX Runtime", 600),
    ("codegen", "codegen/test_generated_c.py", "generated C: the same bits from every compiler and level, warnings, symbols, sanitizers", 1500),
    ("objects", "codegen/test_objects.py", "objects and libraries: the interpreter's bits, symbols, sections; .so files in place of models", 900),
    ("examples", "codegen/test_examples.py", "the example programs; two models in one program, from two threads; resident memory", 900),
    ("threads", "codegen/test_threads.py", "--threads: the bits of one thread, no data race, the pool", 900),
    ("cross", "cross/test_cross.py", "C and objects for aarch64 under qemu, for cortex-m4 and other machines", 900),
    ("names", "codegen/test_names.py", "names that C does not like", 120),
    ("ops", "ops/test_ops.py", "single-operator models on every back end", 1500),
    ("conformance", "conformance/test_conformance.py", "the ONNX backend suite on jit, interp and c, against the list of known failures", 1500),
    ("random", "random/test_random.py", "3,200 random models of one to some operators: every back end, ONNX Runtime, the reference", 1500),
    ("winograd", "winograd/test_winograd.py", "chains of 3x3 convolutions: every back end and target, what skips and reports the pass", 600),
    ("sparse", "sparse/test_sparse.py", "weights most of which are zero: every back end and target, floats and integers, what is stored", 600),
    ("adding", "ops/test_adding.py", "docs/adding-an-operator.md does what it says", 1200),
    ("install", "install/test_install.py", "installed copy: find_package, pkg-config, docs/plugins.md, a plugin in gdb", 300),
    ("no-llvm", "builds/test_no_llvm.py", "a build without LLVM and libgvc emits and runs C, and draws DOT", 1500),
    ("asan", "builds/test_asan.py", "unit tests under address and undefined-behaviour sanitizers", 1500),
    ("fuzz", "fuzz/test_fuzz.py", "fuzz targets on their corpora, damaged models through everything, under sanitizers", 1500),
    ("clang", "builds/test_clang.py", "clang, warnings as errors", 1500),
]


def run_step(name, script, what, seconds):
    """Returns (passed, failed) of a step; one that ends without its closing line counts as one more failure."""
    print(f"\n== {name}: {what}", flush=True)
    begin = time.time()
    # A session of its own, so that a step that hangs is ended with all that it started.
    child = subprocess.Popen([sys.executable, os.path.join(TESTS, script)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             text=True, errors="replace", start_new_session=True)
    try:
        out = child.communicate(timeout=seconds)[0]
        ended = ""
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        out = child.communicate()[0]
        ended = f"not done after {seconds} seconds"
    print(out, end="" if out.endswith("\n") else "\n")
    lines = out.splitlines()
    closing = CLOSING.match(lines[-1]) if lines else None
    passed, failed = (int(closing[1]), int(closing[2])) if closing else (0, 0)
    if not closing or (child.returncode != 0 and failed == 0):
        failed += 1
        print(f"FAILED {name}: {ended or 'ended with status %d' % child.returncode}")
    print(f"   {name}: {time.time() - begin:.0f} s", flush=True)
    return passed, failed


def main():
    wanted = sys.argv[1:]
    if wanted == ["--list"]:
        for name, _, what, _ in STEPS:
            print(f"{name:10} {what}")
        return 0
    names = [step[0] for step in STEPS]
    unknown = [w for w in wanted if w not in names]
    if unknown:
        print(f"no step {', '.join(unknown)}; there are: {', '.join(names)}", file=sys.stderr)
        return 2
    passed = failed = 0
    summary = []
    for step in STEPS:
        if not wanted or step[0] in wanted:
            p, f = run_step(*step)
            passed, failed = passed + p, failed + f
            summary.append(f"   {step[0]:10} {p:6} passed {f:6} failed")
    print("\n== all steps")
    print("\n".join(summary))
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
