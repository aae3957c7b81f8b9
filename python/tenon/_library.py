"""libtenon through ctypes: every function of tenon.h that the package calls, with its types, and nothing else."""
import ctypes
import os
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from typing import Any

STOP = CFUNCTYPE(c_int, c_void_p)
PROGRESS = CFUNCTYPE(None, c_void_p, c_char_p, c_int64, c_int64)
NOTE = CFUNCTYPE(None, c_void_p, c_char_p)


class Host(Structure):
    """tenon_host"""
    _fields_ = [("struct_size", c_uint32), ("data", c_void_p), ("resize", c_void_p), ("stop", STOP), ("progress", PROGRESS), ("note", NOTE)]


class Tensor(Structure):
    """tenon_tensor"""
    _fields_ = [("name", c_char_p), ("element_type", c_int), ("rank", c_int), ("dims", POINTER(c_int64)), ("bytes", c_size_t)]


HANDLE, OUT = c_void_p, POINTER(c_void_p)
REPORT = [HANDLE, OUT]
# Name: result, arguments. A tenon_status is an int.
FUNCTIONS = {
    "version": (c_char_p, []),
    "context_new": (c_int, [POINTER(Host), OUT]),
    "context_free": (None, [HANDLE]),
    "message_count": (c_size_t, [HANDLE]),
    "message": (c_char_p, [HANDLE, c_size_t]),
    "message_is_error": (c_int, [HANDLE, c_size_t]),
    "messages_clear": (None, [HANDLE]),
    "options_new": (c_int, [HANDLE, OUT]),
    "options_free": (None, [HANDLE]),
    "options_set": (c_int, [HANDLE, c_char_p, c_char_p]),
    "options_add_plugin": (c_int, [HANDLE, c_void_p, c_void_p, c_char_p]),
    "graph_open": (c_int, [HANDLE, c_char_p, HANDLE, OUT]),
    "graph_free": (None, [HANDLE]),
    "code_new": (c_int, [HANDLE, OUT]),
    "code_free": (None, [HANDLE]),
    "code_inputs": (c_size_t, [HANDLE]),
    "code_outputs": (c_size_t, [HANDLE]),
    "code_input": (Tensor, [HANDLE, c_size_t]),
    "code_output": (Tensor, [HANDLE, c_size_t]),
    "code_run": (c_int, [HANDLE, c_void_p, c_void_p]),
    "emit": (c_int, [HANDLE, OUT]),
    "files_free": (None, [HANDLE]),
    "files_count": (c_size_t, [HANDLE]),
    "files_name": (c_char_p, [HANDLE, c_size_t]),
    "files_data": (c_void_p, [HANDLE, c_size_t, POINTER(c_size_t)]),
    "report_free": (None, [HANDLE]),
    "report_text": (c_char_p, [HANDLE]),
    "report_json": (c_char_p, [HANDLE]),
    "check": (c_int, [HANDLE, POINTER(c_char_p), c_size_t, OUT]),
    "bench": (c_int, REPORT),
    "eval": (c_int, REPORT),
    "inspect": (c_int, REPORT),
    "explain": (c_int, REPORT),
    "diff": (c_int, [HANDLE, c_char_p, OUT]),
    "draw": (c_int, [HANDLE, c_char_p, c_char_p, OUT]),
    "operators": (c_int, [HANDLE, c_char_p, OUT]),
    "passes": (c_int, [HANDLE, c_char_p, OUT]),
    "doctor": (c_int, [HANDLE, OUT]),
}


def find() -> str:
    """$TENON_LIBRARY, else the library in the installed package."""
    named = os.environ.get("TENON_LIBRARY")
    path = named or os.path.join(os.path.dirname(os.path.abspath(__file__)), "lib", "libtenon.so.0")
    if not os.path.exists(path):
        raise ImportError(f"tenon: there is no {path}; install the package (pip install . in tenon's folder), or let TENON_LIBRARY name libtenon.so")
    return path


class Library:
    """The functions as attributes, without the prefix tenon_."""

    def __getattr__(self, name: str) -> Any:  # for readers and checkers: __init__ sets them all
        raise AttributeError(f"libtenon has no function tenon_{name} here")

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(path)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(library, "tenon_" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


lib = Library(find())
