"""Options of the command as keyword arguments: verify_passes=True, dim={"batch": 1}, shape={"x": (1, 128)}, skip=["fold"]."""
import os
from typing import Any, List, Mapping, Optional, Tuple

import numpy as np

from ._library import lib
from ._spelling import path_text, to_bytes
from .context import Context, Handle

Spelled = Tuple[Tuple[str, Optional[str]], ...]


def _text(value: object, where: str) -> str:
    if isinstance(value, (str, os.PathLike)):
        return path_text(value, where)
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where}: expected a text or a number, not {value!r}")
    return repr(value)


def _pair(name: object, value: object, where: str) -> str:
    if isinstance(value, (tuple, list)):
        if not all(isinstance(n, (int, np.integer)) and not isinstance(n, bool) for n in value):
            raise TypeError(f"{where}: expected whole numbers, not {value!r}")
        value = "x".join(map(str, value))
    return f"{_text(name, where)}={_text(value, where)}"


def spell(keywords: Mapping[str, Any]) -> Spelled:
    """(name, text or None) of each option: what the command would be given."""
    out: List[Tuple[str, Optional[str]]] = []
    for key, value in keywords.items():
        name = key.replace("_", "-")
        if value is None or isinstance(value, (bool, np.bool_)) and not value:
            continue
        if isinstance(value, (bool, np.bool_)):
            out.append((name, None))
        elif isinstance(value, Mapping):
            out += [(name, _pair(k, v, key)) for k, v in value.items()]
        elif isinstance(value, (tuple, list)):
            out += [(name, _text(v, key)) for v in value]
        else:
            out.append((name, _text(value, key)))
    return tuple(out)


def make(context: Context, spelled: Spelled) -> Handle:
    """The options as a handle."""
    made = context.make(lib.options_free, lib.options_new, context.handle)
    for name, text in spelled:
        context.call(lib.options_set, made.value, to_bytes(name, "an option"), None if text is None else os.fsencode(text))
    return made


