"""What the sweeps share: a model quantised in many ways, each way compiled once and run on labelled samples, beside the float model; tables.

A sweep keeps what it has run in a folder (points.json), so that it can be ended and continued. It runs on the Python package, from this tree.
"""
import json
import os
import sys

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = os.path.join(ROOT, "build", "lib", "libtenon.so.0")
Z = 1.959963984540054  # of a 95 % interval


def load_tenon(library):
    os.environ["TENON_LIBRARY"] = library
    sys.path.insert(0, os.path.join(ROOT, "python"))
    try:
        import tenon
    except (ImportError, OSError) as e:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {e}; ./dev build makes it, or --library names it")
    return tenon


def wilson(right, n):
    """The 95 % interval of an accuracy."""
    share = right / n
    middle, half = share + Z * Z / (2 * n), Z * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return [(middle - half) / (1 + Z * Z / n), (middle + half) / (1 + Z * Z / n)]


def paired(lost, won, n):
    """Points lost, of samples that only the float model (lost) or only the other (won) gets right, and their 95 % interval by Agresti and Min."""
    apart, unlike = lost - won, lost + won + 1
    half = Z * np.sqrt(unlike - apart * apart / (n + 2)) / (n + 2)
    return [100 * x for x in (apart / n, apart / (n + 2) - half, apart / (n + 2) + half)]


def margins(outputs, labels):
    """The output of each sample's class less the best of the others."""
    rows = np.arange(len(labels))
    others = np.float64(outputs)
    own = others[rows, labels]
    others[rows, labels] = -np.inf
    return own - others.max(1)


class Sweep:
    """A model and its labelled samples. `inputs` prepares an array of the file for the model's input of that name; `calibration` are the options with which
    quantize calibrates."""

    def __init__(self, model, data, limit, folder, calibration, library=LIBRARY, dims=None, inputs=lambda name, array: array):
        os.makedirs(folder, exist_ok=True)
        arrays = np.load(data)
        self.model, self.dims, self.calibration, self.library, self.folder = model, dims or {}, calibration, library, folder
        self.labels = np.int64(arrays["label"][:limit])
        self.arrays = {name: inputs(name, arrays[name][:limit]) for name in arrays.files if name != "label"}
        self.where = f"{os.path.basename(data)} {len(self.labels)}"
        self.path = os.path.join(folder, "points.json")
        self.known = json.load(open(self.path)) if os.path.exists(self.path) else {}

    def run(self, options, skip=()):
        """What the model's first output is for each sample."""
        graph = load_tenon(self.library).load(self.model, dim=self.dims, skip=list(skip))
        if options:
            graph = graph.pipeline(f"quantize:{options},{self.calibration}")
        code = graph.compile()
        name = code.outputs[0].name
        shapes = {t.name: (t.shape, t.dtype) for t in code.inputs}
        feeds = {n: np.ascontiguousarray(self.arrays[n].astype(t)).reshape(-1, *shape) for n, (shape, t) in shapes.items()}
        found = [code.run({n: x[i] for n, x in feeds.items()})[name].ravel() for i in range(len(self.labels))]
        code.close()
        return np.stack(found)

    def floats(self):
        """The float model's outputs."""
        path = os.path.join(self.folder, f"floats {self.where}.npy")
        if not os.path.exists(path):
            np.save(path, self.run(None))
        return np.load(path)

    def measure(self, options, skip):
        reference, own = self.floats(), self.run(options, skip) if options else self.floats()
        right, was = own.argmax(1) == self.labels, reference.argmax(1) == self.labels
        apart = margins(own, self.labels) - margins(reference, self.labels)
        return {"samples": len(right), "right": int(right.sum()), "accuracy": right.mean().item(), "ci95": wilson(int(right.sum()), len(right)),
                "lost": paired(int((was & ~right).sum()), int((right & ~was).sum()), len(right)), "same_class": int((own.argmax(1) == reference.argmax(1)).sum()),
                "margin_mse": np.square(apart).mean().item()}

    def point(self, options, skip=()):
        """What these options of quantize give; None: the float model. Taken from the folder where it has been run."""
        key = " ".join([options or "float", *(f"--skip {s}" for s in skip), self.where])
        if key not in self.known:
            self.known[key] = self.measure(options, skip)
            with open(self.path + ".new", "w") as f:
                json.dump(self.known, f, indent=1)
            os.replace(self.path + ".new", self.path)
        return self.known[key]


def cell(point):
    return "{accuracy:.4f}, lost {0:.2f} ({1:.2f} to {2:.2f}), margin {margin_mse:.2g}".format(*(x + 0.0 for x in point["lost"]), **point)


def table(head, rows, out):
    """A Markdown table. rows: pairs of a title and an iterable of cells, which are printed as they come."""
    print("| " + " | ".join(head) + " |\n|" + "---|" * len(head), file=out, flush=True)
    for title, cells in rows:
        print(f"| {title} | " + " | ".join(cells) + " |", file=out, flush=True)


class Tee:
    """Writes to stdout and to a file."""

    def __init__(self, path):
        self.file = open(path, "w")

    def write(self, text):
        sys.stdout.write(text)
        self.file.write(text)

    def flush(self):
        sys.stdout.flush()
        self.file.flush()
