"""What a pass reports, as the report interface takes it."""
from typing import Any, Mapping, Optional

import numpy as np

from ._spelling import to_bytes


def check(item: Any, where: str) -> None:
    """Raises where something cannot be written, before anything is."""
    if isinstance(item, Mapping):
        for key, value in item.items():
            to_bytes(key, "a key")
            check(value, key)
    elif isinstance(item, (list, tuple)):
        for value in item:
            check(value, where)
    elif isinstance(item, str):
        to_bytes(item, where)
    elif isinstance(item, (int, np.integer)):
        if not -2**63 <= item < 2**63:
            raise ValueError(f"{where}: a number of 64 bits, not {item}")
    elif not isinstance(item, (float, np.floating, np.bool_)):
        raise TypeError(f"{where}: a number, a text, or lists and dicts of such, not {item!r}")


def _one(r: Any, host: int, key: Optional[bytes], item: Any) -> None:
    if isinstance(item, Mapping):
        r.begin_object(host, key)
        write(r, host, item)
        r.end(host)
    elif isinstance(item, (list, tuple)):
        r.begin_list(host, key)
        for value in item:
            _one(r, host, None, value)
        r.end(host)
    elif isinstance(item, str):
        r.text(host, key, item.encode())
    elif isinstance(item, (int, np.integer, np.bool_)):
        r.integer(host, key, int(item))
    else:
        r.real(host, key, float(item))


def write(r: Any, host: int, fields: Mapping[str, Any]) -> None:
    """Writes what check has seen."""
    for key, value in fields.items():
        _one(r, host, key.encode(), value)
