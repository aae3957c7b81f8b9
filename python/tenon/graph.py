"""A model file, and what is to be done to it."""
from __future__ import annotations

import contextlib
import ctypes
import os
import tempfile
import zipfile
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union, overload

import numpy as np

from . import _spelling as spelling
from . import editing
from . import options as option_list
from ._library import lib
from .context import DIFFER, DONE, Context, Report
from .criterion import Criterion
from .model import Model
from .transform import Request, Transform, plain, transform

Path = Union[str, "os.PathLike[str]"]
Data = Union[Path, Mapping[str, Any]]  # a .npz file, or arrays by name
Made = Union[Transform, Criterion]
_T = TypeVar("_T")


class Files(Dict[str, bytes]):
    """What was emitted: contents by name; a single text or object under "" ."""

    @property
    def data(self) -> bytes:
        """The contents, where there is one file."""
        if len(self) != 1:
            raise ValueError(f"there are {len(self)} files: {', '.join(self)}")
        return next(iter(self.values()))

    def write(self, path: Path) -> None:
        """Writes them into the folder `path`, made where missing; a single text as the file `path`."""
        for name, data in self.items():
            target = os.path.join(path, name) if name else path
            os.makedirs(os.path.dirname(os.path.abspath(target)), exist_ok=True)
            with open(target, "wb") as f:
                f.write(data)


def _path(path: Path) -> bytes:
    return os.fsencode(spelling.path_text(path))


@contextlib.contextmanager
def _npz(data: Data) -> Iterator[Path]:
    """A path of the data: a file's, or arrays written to one."""
    if isinstance(data, (str, os.PathLike)):
        yield data
        return
    if not isinstance(data, Mapping):
        raise TypeError(f"data is the path of an .npz file, or a dict of arrays, not {data!r}")
    with tempfile.TemporaryDirectory(prefix="tenon-") as folder:
        path = os.path.join(folder, "data.npz")
        with zipfile.ZipFile(path, "w") as made:  # np.savez does not take every name
            for name, array in data.items():
                with made.open(spelling.to_bytes(name, "the name of an array").decode() + ".npy", "w", force_zip64=True) as member:
                    try:
                        np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=False)
                    except ValueError as error:
                        raise ValueError(f"array '{name}': {error}") from None
        yield path


class Graph:
    """A model and its options. Nothing changes it: `pipeline` and `options` make another. Files are read when work is done, once; a path is meant from the folder
    in which the process was when the model was loaded."""

    def __init__(self, path: Path, spelled: option_list.Spelled = (), transforms: Iterable[Made] = (), folder: Optional[str] = None) -> None:
        self.path, self._spelled, self._transforms = spelling.path_text(path, "a model"), tuple(spelled), tuple(transforms)
        self._folder = folder or ("" if os.path.isabs(self.path) else os.getcwd())
        self._opened: Optional[_Opened] = None

    def __reduce__(self) -> Tuple[Any, ...]:
        return Graph, (self.path, self._spelled, self._transforms, self._folder)

    def options(self, **keywords: Any) -> Graph:
        """The same model with more of the command's options: dim={"batch": 1}, verify_passes=True, skip=["fold"]."""
        spelled = option_list.spell(keywords)
        return Graph(self.path, self._spelled + spelled, self._transforms, self._folder) if spelled else self

    def pipeline(self, *passes: Union[str, Transform, Request, Criterion], **keywords: Any) -> Graph:
        """The same model changed by passes: texts as the command's -p has them ("dead_inputs:drop=labels"), and passes written in Python (tenon.transform),
        with options or without: pipeline("quantize:weight_width=4", my_pass, my_pass(bits=3)). One of stage "clean-up" is run with the built-in passes. A criterion
        (tenon.criterion) is there for the passes to name."""
        spelled, transforms = list(self._spelled), list(self._transforms)
        for one in passes:
            made = one.transform if isinstance(one, Request) else one
            if not isinstance(made, (str, Transform, Criterion)):
                raise TypeError(f"a pass is a text as the command's -p takes it, or one made by tenon.transform or tenon.criterion, not {one!r}")
            if not isinstance(made, str) and made not in transforms:
                transforms.append(made)
            if isinstance(made, str) or isinstance(made, Transform) and made.stage == "edit":
                spelled.append(("p", made if isinstance(made, str) else one.text if isinstance(one, Request) else made.name))
        return Graph(self.path, tuple(spelled) + option_list.spell(keywords), transforms, self._folder)

    def visit(self, function: Callable[[editing.Graph], _T]) -> _T:
        """Calls function(graph) with the graph as the passes left it (tenon.editing.Graph), and returns what that returns. Changes are lost."""
        plain("what visit calls", function)
        found: List[_T] = []

        def visit(graph: editing.Graph) -> None:
            found.append(function(graph))

        self.pipeline(transform(visit, name="python-visit"))._open()
        return found[-1]

    # ---- inside ----

    def _open(self) -> _Opened:
        if self._opened is None:
            here = os.path.isabs(self.path) or self._folder == os.getcwd()  # messages have the path as it was given where that names the file
            self._opened = _Opened(self.path if here else os.path.join(self._folder, self.path), self._spelled, self._transforms)
        return self._opened

    def _report(self, function: Callable[..., int], *arguments: Any, accept: Sequence[int] = (DONE,), **keywords: Any) -> Report:
        work = self.options(**keywords)
        opened = work._open()
        return opened.context.report(function, opened.graph.value, *arguments, accept=accept)

    # ---- work ----

    @overload
    def compile(self, emit: None = None, **keywords: Any) -> Model: ...
    @overload
    def compile(self, emit: str, **keywords: Any) -> Files: ...
    def compile(self, emit: Optional[str] = None, **keywords: Any) -> Union[Model, Files]:
        """A Model that runs here (backend="jit", "object", "c" or "interp"); with emit="c", "obj", "onnx" ... Files. target= as the command's."""
        work = self.options(emit=emit, **keywords)
        opened = work._open()
        if emit is None:
            return Model(opened, opened.context.make(lib.code_free, lib.code_new, opened.graph.value))
        made = opened.context.make(lib.files_free, lib.emit, opened.graph.value)
        files, size = Files(), ctypes.c_size_t()
        for i in range(lib.files_count(made.value)):
            data = lib.files_data(made.value, i, ctypes.byref(size))
            files[(lib.files_name(made.value, i) or b"").decode()] = ctypes.string_at(data, size.value)
        made.close()
        return files

    def inspect(self, **keywords: Any) -> Report:
        """Operators, parameters, multiply-accumulates and memory, by node and in total."""
        return self._report(lib.inspect, **keywords)

    def bench(self, **keywords: Any) -> Report:
        """Latency, compile time, memory and code size. time=SECONDS, per_node=True."""
        return self._report(lib.bench, **keywords)

    def eval(self, data: Data, **keywords: Any) -> Report:
        """Accuracy or error on labelled data: a .npz file, or a dict of arrays. against=PATH compares another model's on the same samples."""
        with _npz(data) as path:
            return self._report(lib.eval, data=path, **keywords)

    def explain(self, data: Data, **keywords: Any) -> Report:
        """Where a quantised model loses its accuracy, node by node. against=PATH names the float model."""
        with _npz(data) as path:
            return self._report(lib.explain, data=path, **keywords)

    def diff(self, other: Optional[Path] = None, *, data: Data, **keywords: Any) -> Report:
        """The values inside, compared with those of the model file `other`, or with those before the passes. "departs" says whether one does."""
        with _npz(data) as path:
            return self._report(lib.diff, None if other is None else _path(other), accept=(DONE, DIFFER), data=path, **keywords)

    def draw(self, file: Path, diff: Optional[Path] = None, **keywords: Any) -> Report:
        """A picture: file.svg, .png, .pdf or .dot; with diff=PATH of what has changed since that model."""
        other = None if diff is None else _path(diff)
        return self._report(lib.draw, other, _path(file), **keywords)

    def check(self, *folders: Path, **keywords: Any) -> Report:
        """Runs ONNX test data in the folders. "passed" and "total" say how it went."""
        if not folders:
            raise TypeError("check takes folders with ONNX test data, one at least")
        paths = (ctypes.c_char_p * len(folders))(*map(_path, folders))
        return self._report(lib.check, paths, len(folders), accept=(DONE, DIFFER), **keywords)

    def __repr__(self) -> str:
        return f"<tenon.Graph {self.path}{''.join(f' --{n}' + (f' {t}' if t is not None else '') for n, t in self._spelled)}>"


class _Opened:
    """The handles of a graph that has been read, in an order in which they can be freed."""

    def __init__(self, path: str, spelled: option_list.Spelled, transforms: Sequence[Made]) -> None:
        self.context = Context()
        self.options = option_list.make(self.context, spelled)
        self.context.plugins = [t._plugin(self.context) for t in transforms]
        for t, plugin in zip(transforms, self.context.plugins):
            self.context.call(lib.options_add_plugin, self.options.value, ctypes.addressof(plugin), None, t.where.encode(errors="replace"))
        self.graph = self.context.make(lib.graph_free, lib.graph_open, self.context.handle, os.fsencode(path), self.options.value)
        if self.context.notes:
            self.notes = list(self.context.notes)

    def __del__(self) -> None:
        for name in ("graph", "options"):
            if hasattr(self, name):
                getattr(self, name).close()


def load(path: Path, **keywords: Any) -> Graph:
    """A model: an ONNX file, or a .so that the command's --emit shared wrote. Keywords are the command's options."""
    graph = Graph(path, option_list.spell(keywords))
    graph._open()
    return graph
