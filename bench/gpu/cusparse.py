"""cuSPARSE's SpMM at its best: everything made once, int32 indices, every CSR algorithm.

It is called through ctypes in the copy of the library that torch has loaded.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import sparsegnn as sg

# Values of cusparse.h and library_types.h.
ALGORITHMS = {"ALG1": 4, "ALG2": 6, "ALG3": 12}
TYPES = {torch.float32: 0, torch.float64: 1, torch.float16: 2, torch.bfloat16: 14}
FLOAT32, INDEX_32, BASE_ZERO, PLAIN, ROW_MAJOR = 0, 2, 0, 0, 2


def load() -> Any:
    """The library; raises OSError where there is none."""
    return ctypes.CDLL("libcusparse.so.12")


class CusparseSpmm:
    """y = A @ x for a fixed graph without values (ones) and a fixed x."""

    def __init__(self, graph: sg.Graph, x: Tensor, algorithm: str, library: Any) -> None:
        self.library = library
        self.kept = [graph.rowptr, graph.col, torch.ones(graph.num_edges, device=x.device).to(x), x]
        self.y = x.new_empty(graph.num_dst, x.shape[1])
        self.one, self.zero = ctypes.c_float(1.0), ctypes.c_float(0.0)
        self.handle = ctypes.c_void_p()
        self._call("Create", ctypes.byref(self.handle))
        stream = torch.cuda.current_stream().cuda_stream if x.is_cuda else 0
        self._call("SetStream", self.handle, ctypes.c_void_p(stream))
        descriptors = self._matrix(graph), self._dense(x), self._dense(self.y)
        self.arguments = self._arguments(*descriptors, ALGORITHMS[algorithm])
        size = ctypes.c_size_t()
        self._call("SpMM_bufferSize", *self.arguments, ctypes.byref(size))
        self.workspace = x.new_empty(max(size.value, 16), dtype=torch.uint8)
        self.arguments += (_pointer(self.workspace),)
        self._call("SpMM_preprocess", *self.arguments)

    def __call__(self) -> Tensor:
        """Runs the product; the result is overwritten by the next call."""
        self._call("SpMM", *self.arguments)
        return self.y

    def _arguments(self, a: object, x: object, y: object, algorithm: int) -> tuple[Any, ...]:
        operations = ctypes.c_int(PLAIN), ctypes.c_int(PLAIN)
        one, zero = ctypes.byref(self.one), ctypes.byref(self.zero)
        kind = ctypes.c_int(FLOAT32), ctypes.c_int(algorithm)
        return (self.handle, *operations, one, a, x, zero, y, *kind)

    def _matrix(self, graph: sg.Graph) -> ctypes.c_void_p:
        rowptr, col, values, x = self.kept
        if rowptr.dtype != torch.int32:
            raise RuntimeError("this peer takes int32 indices")
        made = ctypes.c_void_p()
        counts = (ctypes.c_int64(n) for n in (graph.num_dst, graph.num_src, graph.num_edges))
        kinds = (ctypes.c_int(n) for n in (INDEX_32, INDEX_32, BASE_ZERO, TYPES[x.dtype]))
        pointers = _pointer(rowptr), _pointer(col), _pointer(values)
        self._call("CreateCsr", ctypes.byref(made), *counts, *pointers, *kinds)
        return made

    def _dense(self, x: Tensor) -> ctypes.c_void_p:
        made = ctypes.c_void_p()
        counts = (ctypes.c_int64(n) for n in (x.shape[0], x.shape[1], x.shape[1]))
        kinds = ctypes.c_int(TYPES[x.dtype]), ctypes.c_int(ROW_MAJOR)
        self._call("CreateDnMat", ctypes.byref(made), *counts, _pointer(x), *kinds)
        return made

    def _call(self, name: str, *arguments: object) -> None:
        status = getattr(self.library, f"cusparse{name}")(*arguments)
        if status != 0:
            raise RuntimeError(f"cusparse{name} answered with status {status}")


def _pointer(tensor: Tensor) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr())


def cusparse_runs(graph: sg.Graph, x: Tensor) -> dict[str, Callable[[], Tensor]]:
    """One alternative per algorithm that this library, dtype and device take."""
    runs: dict[str, Callable[[], Tensor]] = {}
    try:
        library = load()
    except OSError as error:
        print(f"  cuSPARSE is left out: {error}")
        return runs
    for algorithm in ALGORITHMS:
        try:
            runs[f"cuSPARSE {algorithm}"] = CusparseSpmm(graph, x, algorithm, library)
        except RuntimeError as error:
            print(f"  cuSPARSE {algorithm} is left out: {error}")
    return runs
