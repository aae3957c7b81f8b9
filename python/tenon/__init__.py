"""tenon: from an ONNX model to fast CPU code.

    import numpy as np, tenon
    model = tenon.load("model.onnx", dim={"batch": 1}).compile()
    model.run(np.zeros((1, 784), np.float32))

Everything is done by libtenon; reports are dicts with the fields of the command's --json, and `text` as it prints them.
"""
from typing import Optional

from . import errors
from ._library import lib as _lib
from ._spelling import to_bytes as _to_bytes
from .context import Context, Report
from .criterion import Criterion, criterion
from .errors import DeadError, DifferError, Error, InvalidError, PassError, RefusedError, ResourceError, ThreadError, UnsupportedError, UsageError
from .graph import Files, Graph, load
from .model import Model, Tensor
from .transform import Option, Transform, transform

__version__ = _lib.version().decode()


def doctor() -> Report:
    """What this machine has, what is missing and how to get it."""
    context = Context()
    return context.report(_lib.doctor, context.handle)


def operators(name: Optional[str] = None) -> Report:
    """Every operator that tenon knows, or the one called `name`."""
    context = Context()
    return context.report(_lib.operators, context.handle, None if name is None else _to_bytes(name, "an operator"))


__all__ = ["load", "Graph", "Model", "Tensor", "Files", "Report", "transform", "Transform", "Option", "criterion", "Criterion", "doctor", "operators", "errors", "Error",
           "UsageError", "InvalidError", "UnsupportedError", "ResourceError", "DifferError", "PassError", "RefusedError", "DeadError", "ThreadError", "__version__"]
