#!/usr/bin/env python3
"""How much faster N threads are than one, beside what the machine gives N threads that only multiply and add.

usage: threads.py [--threads N] [--models NAME,...] [--rounds N] [--target T]

In a turn four things are timed: tenon's JIT with one thread, with N, a loop of multiply-adds in registers on one core, and N of them, each on a
core of its own. The model's threads have a core each, too, so that the system's moving them about is in no figure. A round is five turns, of which each one's fastest counts. Shown are medians over the rounds, with quartiles: how much faster
the model is with N threads, how much more N loops do than one in the same time, and the first as a part of the second. Both outputs have to
be the same bits.

Exit status: 0, or 1 where outputs differ, 2 on wrong usage, 5 where something is missing or tenon refuses a model.
"""
import argparse
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cases import CASES, bound_copy  # noqa: E402
from subjects import Arithmetic, Jit, run_script  # noqa: E402

LOOP_NS, TURNS = 20_000_000, 5


class Loops:
    """Arithmetic on one core or several at once: how much it does in a nanosecond."""

    def __init__(self, cores):
        self.pool = ThreadPoolExecutor(len(cores))
        self.calls = max(1, round(LOOP_NS / Arithmetic().repeat(1)))
        self.cores = cores

    def _one(self, core):
        os.sched_setaffinity(0, {core})
        loop = Arithmetic()
        loop.call()
        return loop.work * self.calls, loop.repeat(self.calls)

    def rate(self, n):
        """With ctypes, Python's lock is free while a loop runs."""
        return sum(work / ns for work, ns in self.pool.map(self._one, self.cores[:n]))


def time_of(subject):
    """Nanoseconds of a call, after one that is not timed."""
    subject.call()
    return subject.repeat(1)


def median(values, form=".2f"):
    middle, low, high = np.percentile(values, [50, 25, 75])
    return f"{middle:{form}} [{low:{form}} {high:{form}}]"


def threads_here():
    return {int(t) for t in os.listdir("/proc/self/task")}


def pinned(model, feeds, options, cores):
    """The model in one thread and in several: the caller on the first core, each thread of the pool on one of the others."""
    os.sched_setaffinity(0, {cores[0]})
    one, before = Jit(model, feeds, options.target, 1), threads_here()
    many = Jit(model, feeds, options.target, options.threads)
    for thread, core in zip(sorted(threads_here() - before), cores[1:]):
        os.sched_setaffinity(thread, {core})
    return one, many


def measure(name, options, loops):
    """Prints one model's line. Are the outputs the same?"""
    case = CASES[name]
    feeds = case.feeds(case.path())
    model = bound_copy(name, feeds)
    one, many = pinned(model, feeds, options, loops.cores)
    one.call()
    many.call()
    same = all(a.tobytes() == b.tobytes() for a, b in zip(one.outputs().values(), many.outputs().values()))
    turns = [[time_of(one), time_of(many), 1 / loops.rate(1), 1 / loops.rate(options.threads)] for _ in range(TURNS * options.rounds)]
    ones, manys, loop, all_loops = np.array(turns).reshape(options.rounds, TURNS, 4).min(axis=1).T
    faster, more = ones / manys, loop / all_loops
    print(f"{name:16} one thread {median(ones / 1000, ',.0f')} us, {options.threads} threads {median(manys / 1000, ',.0f')} us: {median(faster)} times "
          f"as fast; loops {median(more)}; part {median(faster / more)}" + ("" if same else "   OUTPUTS DIFFER"), flush=True)
    one.close()
    many.close()
    return same


def main():
    cores = sorted(os.sched_getaffinity(0))
    parser = argparse.ArgumentParser(prog="threads", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, choices=range(2, len(cores) + 1), default=min(2, len(cores)), metavar="N", help="2 to as many as there are cores (2)")
    parser.add_argument("--models", default="resnet18,bert-6x384", help="with commas between (resnet18,bert-6x384)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--target", default="host")
    options = parser.parse_args()
    names = options.models.split(",")
    unknown = [n for n in names if n not in CASES]
    if unknown or len(cores) < 2 or options.rounds < 1:
        parser.error("two cores are needed" if len(cores) < 2 else f"no {', '.join(unknown)}; there are {', '.join(CASES)}" if unknown else "--rounds: 1 or more")
    loops = Loops(cores)
    return 0 if all([measure(name, options, loops) for name in names]) else 1


if __name__ == "__main__":
    run_script("threads", main)
