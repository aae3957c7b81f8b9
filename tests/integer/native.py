"""A model compiled to a shared object, called from here."""
import ctypes
import os
import re
import sys

import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tools"))
from checks import tenon  # noqa: E402


class Native:
    """`options` are tenon's. run() takes a dictionary of arrays and gives the list of outputs."""

    def __init__(self, model, folder, *options):
        done = tenon("compile", model, "--emit", "shared", "--name", "m", "-o", folder, "--int", "force", *options, timeout=600)
        if done.status != 0:
            raise RuntimeError(done.err.strip() or done.last)
        with open(os.path.join(folder, "m.h")) as f:
            header = f.read()
        self.run_function = ctypes.CDLL(os.path.join(folder, "m.so")).m_run
        bytes_needed = int(re.search(r"m_ARENA_BYTES (\d+)", header)[1])
        self.arena = np.zeros(bytes_needed + 64, np.uint8)

    def run(self, inputs, outputs):
        """inputs: arrays in the model's order; outputs: arrays of the right shape and type, which are filled."""
        kept = [np.ascontiguousarray(x) for x in inputs]
        given = (ctypes.c_void_p * len(kept))(*[x.ctypes.data for x in kept])
        taken = (ctypes.c_void_p * len(outputs))(*[y.ctypes.data for y in outputs])
        start = (self.arena.ctypes.data + 63) & ~63
        code = self.run_function(ctypes.byref(given), ctypes.byref(taken), ctypes.c_void_p(start))
        if code != 0:
            raise RuntimeError(f"run returned {code}")
        return outputs
