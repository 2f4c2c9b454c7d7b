"""What else could run the whole model: PyG, PyG compiled, plain torch, and our dense layers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from sparsegnn.compiler.dense import DenseProgram
from sparsegnn.nn import GCN, convert
from sparsegnn.profiling.subject import Subject
from sparsegnn.tickets.peers import TorchCompositeGCN

Run = Callable[[], Tensor]

EAGER = "PyG eager"
COMPILED = "PyG + torch.compile"
COMPOSITE = "torch.sparse composite"
DENSE = "our dense model"
DENSE_FEATURES = frozenset({EAGER, COMPILED})
"""Peers that read the features as a dense matrix."""


@dataclass(frozen=True)
class Peers:
    """Programs of the unpruned model.

    Attributes:
        runs: Forward passes by name.
        missing: Why the others are not there, by name.
        difference: Largest difference of a result from PyG's, over its largest number.
    """

    runs: dict[str, Run]
    missing: dict[str, str]
    difference: float


def make_peers(subject: Subject, *, torch_compile: bool = True) -> Peers:
    """Prepares every peer that there is; one that fails is missing, with the reason.

    Args:
        subject: The model and its graph.
        torch_compile: Compile PyG's model too, which takes about a minute and a C++ compiler.
    """
    edges, x = subject.data.graph.edge_index, subject.data.x.to_dense()
    runs: dict[str, Run] = {EAGER: _inference(subject.model, x, edges)}
    missing: dict[str, str] = {}
    if torch_compile:
        try:
            runs[COMPILED] = _compiled(subject.model, x, edges)
        except Exception as error:  # whatever a compiler that is not there may raise
            missing[COMPILED] = f"not available here: {_first_line(error)}"
    else:
        missing[COMPILED] = "not asked for"
    if subject.kind == "GCN":
        for index in (torch.int32, torch.int64):
            name = f"{COMPOSITE}, {str(index).removeprefix('torch.')}"
            runs[name] = _composite(subject, index)
    else:
        missing[COMPOSITE] = "written for GCN alone"
    runs[DENSE] = _ours(subject)
    expected = runs[EAGER]()
    worst = max(float((run() - expected).abs().max()) for run in runs.values())
    scale = float(expected.abs().max())
    return Peers(runs, missing, worst / scale if scale > 0 else worst)


def _compiled(model: nn.Module, x: Tensor, edges: Tensor) -> Run:
    """Compiled for these shapes, and called once."""
    run = _inference(cast(nn.Module, torch.compile(copy.deepcopy(model))), x, edges)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run()
    return run


def _composite(subject: Subject, index: torch.dtype) -> Run:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        model = cast(GCN, convert(copy.deepcopy(subject.model)))
        program = TorchCompositeGCN(model, subject.data.x, subject.data.graph)
        program.x, program.adjacency = (_indexed(m, index) for m in (program.x, program.adjacency))
    return _inference(program)


def _indexed(matrix: Tensor, index: torch.dtype) -> Tensor:
    rows, columns = matrix.crow_indices().to(index), matrix.col_indices().to(index)
    return torch.sparse_csr_tensor(
        rows, columns, matrix.values(), matrix.shape, check_invariants=False
    )


def _ours(subject: Subject) -> Run:
    """PyG's model with our layers; sparse features as they are."""
    model = convert(copy.deepcopy(subject.model))
    return _inference(DenseProgram(model, subject.data.graph, subject.data.x))


def _inference(model: nn.Module, *inputs: Any) -> Run:
    model.eval()

    def run() -> Tensor:
        with torch.inference_mode():
            out: Tensor = model(*inputs)
        return out

    return run


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0] if lines else 'no reason given'}"
