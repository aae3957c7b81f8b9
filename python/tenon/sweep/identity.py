"""What a point is measured on, by contents: a point that has been measured counts as long as all of this is the same."""
import functools
import hashlib
import json
import os
import re
import warnings
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence

import tenon
from tenon.editing import Graph

from .store import told

FORM = 3  # of a line of points.jsonl


@functools.lru_cache(maxsize=None)
def digest(path: str) -> str:
    """Of a file's contents."""
    found = hashlib.sha256()
    with told(path, "read"), open(path, "rb") as f:
        for block in iter(lambda: f.read(1 << 20), b""):
            found.update(block)
    return found.hexdigest()[:16]


def digest_of_model(path: str, options: Mapping[str, Any]) -> List[str]:
    """Of the file's contents, and of all constants, wherever they lie: in the file, or in others that it names."""
    found = hashlib.sha256()

    def look(graph: Graph) -> None:
        for value in graph.values:
            constant = value.constant
            if constant is not None:
                found.update(f"{value.name}\0{value.type}\0".encode())
                found.update(constant.tobytes())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tenon.Graph(path).options(**options).visit(look)
    return [digest(path), found.hexdigest()[:16]]


def _candidates(text: str) -> Iterator[str]:
    """Whatever of an option's text could be the name of a file: all of it, items of a pass, and what stands behind a =."""
    for item in (text, *re.findall(r'(?:[^,"]|"[^"]*"?)+', text.partition(":")[2])):
        parts = item.replace('"', "").split("=")
        yield from ("=".join(parts[i:]) for i in range(len(parts)))


def files(texts: Iterable[str]) -> List[str]:
    """Digests of the files that these texts name."""
    return [digest(name) for text in texts for name in _candidates(text) if "\0" not in name and os.path.isfile(name)]


def _texts(options: Mapping[str, Any]) -> Iterator[str]:
    for value in options.values():
        yield from value if isinstance(value, list) else [value] if isinstance(value, str) else []


def keys(setup: Mapping[str, Any], jobs: Sequence[Mapping[str, Any]]) -> Dict[Optional[str], str]:
    """For each job's pass a text that is another one when anything is that decides its numbers."""
    options = setup["options"]
    held = {**setup, "model": digest_of_model(setup["model"], {n: v for n, v in options.items() if n != "p"}), "data": digest(setup["data"]),
            "files": files(_texts(options)), "tenon": tenon.__version__, "form": FORM}
    found: Dict[Optional[str], str] = {}
    for job in jobs:
        named = files([job["request"] or "", *_texts(job["options"])])
        found[job["pass"]] = hashlib.sha256(json.dumps([held, named], sort_keys=True).encode()).hexdigest()[:16]
    return found
