"""Cases through tenon, many in one model: one call of the C compiler serves all of them. A pack that fails is split to find the case."""
import os
import shutil

import numpy as np
import onnx

from checks import tenon
from net import join

TIMEOUT = 300


class Way:
    """Words for tenon run, and the compiler of its C."""

    def __init__(self, words, compiler=None):
        self.words = words
        self.env = {"CC": compiler} if compiler else None

    def __str__(self):
        return " ".join([*([f"CC='{self.env['CC']}'"] if self.env else []), *self.words])


def write(cases, folder):
    """The model and its inputs; the words that feed them to tenon run."""
    os.makedirs(folder)
    model = os.path.join(folder, "model.onnx")
    onnx.save(join("pack", [c.net for c in cases], cases[0].net.opset), model)
    words = [model]
    for case in cases:
        for name, array in case.net.feeds().items():
            path = os.path.join(folder, f"{name}.npy")
            np.save(path, array)
            words += ["--input", f"{name}={path}"]
    return words


def compare(cases, folder):
    """{case number: what is wrong} of the outputs in a folder."""
    wrong = {}
    for case in cases:
        for value, expected in zip(case.net.outputs, case.expected):
            why = expected.wrong(np.load(os.path.join(folder, f"{value.name}.npy")))
            if why and case.number not in wrong:
                wrong[case.number] = f"output {value.name} {why}"
    return wrong


def run_once(cases, way, folder):
    """Whether tenon had no complaint, its first line, and what is wrong with the outputs that there are."""
    shutil.rmtree(folder, ignore_errors=True)
    words, outputs = write(cases, os.path.join(folder, "model")), os.path.join(folder, "out")
    done = tenon("run", *words, *way.words, "-o", outputs, env=way.env, timeout=TIMEOUT)
    wrong = compare(cases, outputs) if done.status in (0, 1) else {}
    shutil.rmtree(folder)
    return done.status == 0, done.last, wrong


def judge(cases, way, folder):
    """{case number: what is wrong}; None as a number stands for cases that fail only together."""
    fine, said, wrong = run_once(cases, way, folder)
    if fine:
        return wrong
    if len(cases) == 1:
        return {cases[0].number: wrong.get(cases[0].number, said)}
    middle = len(cases) // 2
    for half in (cases[:middle], cases[middle:]):
        wrong.update(judge(half, way, folder))
    return wrong or {None: f"{said} (only together: cases {', '.join(str(c.number) for c in cases)})"}
