"""Intervals of accuracies, and which point is the best."""
import base64
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import numpy.typing as npt

from .grid import number

Point = Dict[str, Any]  # a line of points.jsonl
Z = 1.959963984540054  # of a 95 % interval


def wilson(right: int, n: int) -> List[float]:
    """The 95 % interval of an accuracy."""
    share = right / n
    middle, half = share + Z * Z / (2 * n), Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    low, high = (float(x / (1 + Z * Z / n)) for x in (middle - half, middle + half))
    return [low if right > 0 else 0.0, high if right < n else 1.0]


def paired(won: int, lost: int, n: int) -> Tuple[float, List[float]]:
    """The difference of two accuracies on the same samples, of which `won` and `lost` are right in one alone, and its 95 % interval by Agresti and Min."""
    apart, unlike = won - lost, won + lost + 1
    half = Z * np.sqrt(unlike - apart * apart / (n + 2)) / (n + 2)
    return apart / n, [float(apart / (n + 2) - half), float(apart / (n + 2) + half)]


def pack(array: npt.NDArray[Any]) -> str:
    """As a text."""
    return base64.b64encode(array.tobytes()).decode()


def pack_bits(right: npt.NDArray[Any]) -> str:
    """Which samples are right, as a text."""
    return pack(np.packbits(right))


def unpack_bits(text: str, n: int) -> npt.NDArray[np.bool_]:
    """pack_bits back."""
    return np.unpackbits(np.frombuffer(base64.b64decode(text), np.uint8), count=n).astype(bool)


def _margins(point: Point) -> npt.NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(point["margins"]), np.float32).astype(np.float64)


def against(reference: Point, point: Point) -> Dict[str, Any]:
    """The point beside the reference, sample by sample, as tenon eval --against has it."""
    n = point["samples"]
    was, now = unpack_bits(reference["right"], n), unpack_bits(point["right"], n)
    difference, interval = paired(int((now & ~was).sum()), int((was & ~now).sum()), n)
    error = float(np.square(_margins(point) - _margins(reference)).mean())
    return {"difference": difference, "difference_ci95": interval, "margin_mse": error if np.isfinite(error) else None}


def order(point: Point) -> Tuple[float, float, List[float]]:
    """Smallest first: bits of the weights that are not zero, bits of the data, then the swept values."""
    values = [number(v) for v in point["values"]]
    return (point["size"]["weights"], point["size"]["data"], [v if v is not None else 0 for v in values])


def one_standard_error(points: Sequence[Point]) -> Optional[Point]:
    """The smallest of those whose accuracy cannot be told from the best: on the same samples, the mean difference is within its standard error."""
    best = max(points, key=lambda p: (p["correct"], [-x for x in order(p)[:2]]))
    n = best["samples"]
    right = unpack_bits(best["right"], n)
    for p in sorted(points, key=order):
        apart = right.astype(np.int8) - unpack_bits(p["right"], n).astype(np.int8)
        if apart.mean() <= apart.std(ddof=1 if n > 1 else 0) / np.sqrt(n):
            return p
    return best


def derivative(points: Sequence[Point]) -> Optional[Point]:
    """Of each series by itself: the point with the least |d accuracy / d value| times value, where the derivative is not zero; the least of all series.
    None where every derivative is zero."""
    found: List[Tuple[float, Tuple[float, float, List[float]], Point]] = []
    series: Dict[Tuple[str, ...], List[Point]] = {}
    for p in points:
        series.setdefault(tuple(p["values"][1:]), []).append(p)
    for line in series.values():
        line.sort(key=lambda p: float(p["values"][0]))
        x, y = (np.array(v) for v in ([number(p["values"][0]) for p in line], [p["accuracy"] for p in line]))
        if len(line) > 1:
            slope = np.gradient(y, x)
            found += [(abs(s) * v, order(p), p) for s, v, p in zip(slope, x, line) if s != 0]
    return min(found, key=lambda f: f[:2])[2] if found else None


RULES: Dict[str, Callable[[Sequence[Point]], Optional[Point]]] = {"one-standard-error": one_standard_error, "derivative": derivative}
