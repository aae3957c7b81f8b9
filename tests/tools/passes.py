"""What a pass of a plugin makes of a model, and what it reports."""
import json

import onnx
from onnx import numpy_helper

from checks import tenon


def through(name, model, options, to, *words):
    """The model after -p NAME:OPTIONS, written as ONNX: its path, what ONNX holds, what was said."""
    done = tenon("compile", model, "-p", f"{name}:{options}" if options else name, "--emit", "onnx", "-o", to, *words)
    return to, (onnx.load(to) if done.status == 0 else None), done


def report_of(name, model, options, *words):
    done = tenon("inspect", model, "-p", f"{name}:{options}", "--json", *words)
    return json.loads(done.out)["passes"][0] if done.status == 0 else None


def constants_of(model):
    return {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
