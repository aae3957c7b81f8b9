"""How names and attributes are handed to the graph's functions: as its text form has them."""
import operator
import os
import re
from typing import Any, Mapping, Optional, SupportsIndex

import numpy as np

PLAIN = re.compile(r"[\w./:*?+-]+", re.ASCII)  # nothing that -p gives a meaning


def to_bytes(text: object, what: str = "a name") -> bytes:
    """A text as C has it, or a TypeError or ValueError that says what is none."""
    if not isinstance(text, str):
        raise TypeError(f"{what} is a text, not {text!r}")
    if "\0" in text:
        raise ValueError(f"{what} has a zero byte: {text!r}")
    return text.encode()


def path_text(path: object, what: str = "a path") -> str:
    """A path as a text, or a TypeError or ValueError that says what is none."""
    text = path if isinstance(path, str) else os.fspath(path) if isinstance(path, os.PathLike) else None
    if not isinstance(text, str):
        raise TypeError(f"{what} is a text or a pathlib.Path, not {path!r}")
    if "\0" in text:
        raise ValueError(f"{what} has a zero byte: {text!r}")
    return text


def item(text: str, what: str) -> str:
    """A text as -p has it: in quotes where something in it would mean more."""
    text = to_bytes(text, what).decode()
    return text if PLAIN.fullmatch(text) else '"' + text.replace('"', '""') + '"'


def quoted(text: str) -> str:
    return '"' + to_bytes(text, "an attribute").decode().translate({ord('"'): '\\"', ord("\\"): "\\\\", ord("\n"): "\\n", ord("\t"): "\\t", ord("\r"): "\\r"}) + '"'


def spelled(x: Any) -> str:
    if isinstance(x, (bool, np.bool_, int, np.integer)):
        return str(int(x))
    text = repr(float(x))
    return text if any(c in text for c in ".en") else text + ".0"


def attribute(name: str, value: Any) -> str:
    if isinstance(value, str):
        return f"{name}={quoted(value)}"
    if isinstance(value, (bool, np.bool_, int, np.integer, float, np.floating)):
        return f"{name}={spelled(value)}"
    if isinstance(value, (tuple, list, np.ndarray)):
        items = list(value)
        if items and all(isinstance(x, str) for x in items):
            return f"{name}=[{', '.join(map(quoted, items))}]"
        if not all(isinstance(x, (bool, np.bool_, int, np.integer, float, np.floating)) for x in items):
            raise TypeError(f"attribute {name}: a list of numbers or of texts, not {value!r}")
        if any(isinstance(x, (float, np.floating)) for x in items):
            items = [float(x) for x in items]
        return f"{name}=[{', '.join(map(spelled, items))}]" if items else f"{name}=ints []"
    raise TypeError(f"attribute {name}: a number, a text, or a list of such, not {value!r}")


def attributes(given: Mapping[str, Any]) -> Optional[bytes]:
    """axis=1, perm=[0, 2, 1]; None where there are none."""
    return ", ".join(attribute(n, v) for n, v in given.items()).encode() or None


def index(i: SupportsIndex, n: int, what: str) -> int:
    """The place of one of n, of which -1 is the last; an IndexError elsewhere."""
    place = operator.index(i)
    if not -n <= place < n:
        raise IndexError(f"there are {n} {what}, so none has the number {place}")
    return place % n if n else place
