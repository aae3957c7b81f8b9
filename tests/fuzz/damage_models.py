#!/usr/bin/env python3
"""Damages model files at random and takes them through import, passes, lowering, C and machine code in one process.

usage: damage_models.py [--count N | --seconds S] [--seed N] [--jobs N] RUN_MODELS

RUN_MODELS is build/asan/tests/fuzz/run_models, so that sanitizers watch. A file is kept and named where it ends the process, takes more than
5 seconds of processor time or 1 GiB of memory, or is refused without a reason. The C of the first COMPILED models that are still valid is compiled.
"""
import argparse
import glob
import itertools
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "tools")]
from checks import ROOT, Checks, run  # noqa: E402
from damage import damage  # noqa: E402
from operator_cases import operator_cases  # noqa: E402

BATCH = 100
SECONDS_MOST, MEBIBYTES_MOST, COMPILED = 5, 1024, 200
ANSWER = re.compile(r"([0-5]) (\d+) (\d+) (.*)")
# Compilers refuse no C that tenon writes. These say so without making code.
COMPILE = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O0", "-c", "-o", os.devnull]


def seeds():
    paths = sorted(glob.glob(os.path.join(ROOT, "tests", "**", "*.onnx"), recursive=True))
    paths += sorted(glob.glob(os.path.join(operator_cases(), "**", "model.onnx"), recursive=True))
    return [open(p, "rb").read() for p in paths if 0 < os.path.getsize(p) < 20_000]


def ask(runner, paths, out):
    """The runner's answers for the files, in order; where it ends early, what it said last stands in for the file that ended it."""
    answers = []
    while len(answers) < len(paths):
        rest = paths[len(answers):]
        where = os.path.join(out, str(len(answers)))
        done = subprocess.run([runner, "-o", where], input="\n".join(rest) + "\n", capture_output=True, text=True, errors="replace",
                              timeout=60 * len(rest), env={**os.environ, "ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=0"})
        lines = done.stdout.splitlines()
        for k, line in enumerate(lines):
            answers.append((line, os.path.join(where, str(k))))
        if len(lines) < len(rest):
            why = [line for line in done.stderr.splitlines() if re.search("ERROR|runtime error|assert|SUMMARY", line)] or done.stderr.splitlines()[-1:] or [""]
            answers.append((f"ended with {done.returncode}: {why[0]}", None))
    return answers


def judge(line):
    """What is wrong with an answer, or None."""
    match = ANSWER.fullmatch(line)
    if not match:
        return line
    status, ms, mebibytes, message = int(match[1]), int(match[2]), int(match[3]), match[4]
    if ms > 1000 * SECONDS_MOST:
        return f"{ms} ms of processor time"
    if mebibytes > MEBIBYTES_MOST:
        return f"{mebibytes} MiB of memory"
    if status and not re.search(r": error\[[a-z0-9-]+\]: .", message):
        return f"status {status} with the message {message!r}"
    return None


class Hunt:
    def __init__(self, options):
        self.options, self.files = options, seeds()
        self.folder = tempfile.mkdtemp(prefix="tenon-fuzz-")
        self.checks, self.counts, self.compiled = Checks(), {}, 0
        self.slowest = self.largest = 0

    def make(self, number):
        """A batch of damaged files; the same for the same seed and number."""
        dice = random.Random(f"{self.options.seed} {number}")
        folder = os.path.join(self.folder, str(number))
        os.makedirs(folder)
        paths = [os.path.join(folder, f"{k}.onnx") for k in range(BATCH)]
        for path in paths:
            with open(path, "wb") as f:
                f.write(damage(dice, dice.choice(self.files), dice.choice(self.files)))
        return folder, paths

    def batch(self, number):
        folder, paths = self.make(number)
        answers = ask(self.options.runner, paths, os.path.join(folder, "c"))
        return folder, list(zip(paths, answers))

    def compile(self, name, folder):
        sources = [p for p in glob.glob(os.path.join(folder, "*.c")) if not p.endswith("_example.c")]
        done = run([*COMPILE, "-I", folder, *sources], timeout=120)
        self.compiled += 1
        self.checks.check(f"{name}: its C compiles", done.status == 0, done.last)

    def take(self, folder, results):
        bad = False
        for path, (line, written) in results:
            why = judge(line)
            match = ANSWER.fullmatch(line)
            if match:
                self.counts[int(match[1])] = self.counts.get(int(match[1]), 0) + 1
                self.slowest, self.largest = max(self.slowest, int(match[2])), max(self.largest, int(match[3]))
            bad |= not self.checks.check(path, why is None, why)
            if match and match[1] == "0" and self.compiled < COMPILED:
                self.compile(path, written)
        if not bad:
            shutil.rmtree(folder)

    def run(self):
        print(f"seed {self.options.seed}, {len(self.files)} files to damage, kept in {self.folder} where one fails", flush=True)
        end = time.monotonic() + self.options.seconds if self.options.seconds else None
        numbers = itertools.count() if end else iter(range((self.options.count + BATCH - 1) // BATCH))
        with ThreadPoolExecutor(self.options.jobs) as pool:
            while True:
                group = list(itertools.islice(numbers, self.options.jobs))
                for folder, results in pool.map(self.batch, group):
                    self.take(folder, results)
                if not group or end and time.monotonic() > end:
                    break
        print(f"by exit status: {json.dumps(dict(sorted(self.counts.items())))}; at most {self.slowest} ms and {self.largest} MiB; "
              f"the C of {self.compiled} compiled")
        if not self.checks.failed:
            shutil.rmtree(self.folder)
        self.checks.finish()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("runner", metavar="RUN_MODELS")
    Hunt(parser.parse_args()).run()


if __name__ == "__main__":
    main()
