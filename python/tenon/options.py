"""Options of the command as keyword arguments: verify_passes=True, dim={"batch": 1}, shape={"x": (1, 128)}, skip=["fold"]."""
import os
from typing import Any, List, Mapping, Optional, Tuple

from ._library import lib
from .context import Context, Handle

Spelled = Tuple[Tuple[str, Optional[str]], ...]


def _text(value: object, where: str) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where}: expected a text or a number, not {value!r}")
    return repr(value)


def _pair(name: object, value: object, where: str) -> str:
    if isinstance(value, (tuple, list)):
        if not all(isinstance(n, int) and not isinstance(n, bool) for n in value):
            raise TypeError(f"{where}: expected whole numbers, not {value!r}")
        value = "x".join(map(str, value))
    return f"{_text(name, where)}={_text(value, where)}"


def spell(keywords: Mapping[str, Any]) -> Spelled:
    """(name, text or None) of each option: what the command would be given."""
    out: List[Tuple[str, Optional[str]]] = []
    for key, value in keywords.items():
        name = key.replace("_", "-")
        if value is None or value is False:
            continue
        if value is True:
            out.append((name, None))
        elif isinstance(value, dict):
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
        if "\0" in name or "\0" in (text or ""):
            raise ValueError(f"{name}: a text has a zero byte")
        context.call(lib.options_set, made.value, name.encode(), None if text is None else os.fsencode(text))
    return made


