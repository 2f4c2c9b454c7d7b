"""What is computed once of the structure of a graph."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor

from sparsegnn import _host
from sparsegnn._csr import CsrTensors


def edges_in_order(csr: CsrTensors) -> Tensor:
    """int64 `[2, E]` sources and targets in the edges' own order."""
    target = torch.repeat_interleave(csr.rowptr.diff().long())
    stored = torch.stack([csr.col.long(), target])
    if csr.edge_id is None:
        return stored
    edges = torch.empty_like(stored)
    edges[:, csr.edge_id.long()] = stored
    return edges


def undirected_pairs(edge_index: Tensor, num_nodes: int) -> tuple[Tensor, int]:
    """The pair {i, j} of every edge, numbered by (smaller, larger) node, and their number."""
    source, target = edge_index.cpu().numpy()
    pair_id, count = _host.pair_edges(target, source, num_nodes)
    return torch.from_numpy(pair_id).to(edge_index.device), int(count)


def fingerprint(csr: CsrTensors) -> str:
    """SHA-256 over the node counts and the sorted edges."""
    targets, sources = csr.rowptr.numel() - 1, csr.t_rowptr.numel() - 1
    digest = hashlib.sha256(f"sparsegnn.graph:{targets},{sources};".encode())
    for indices in (csr.rowptr, csr.col):
        digest.update(indices.cpu().long().numpy().astype("<i8").tobytes())
    return digest.hexdigest()


def renumbered_by_storage(csr: CsrTensors) -> CsrTensors:
    """The tensors with edges numbered by their stored positions."""
    assert csr.edge_id is not None
    position = torch.empty_like(csr.edge_id)
    position[csr.edge_id.long()] = torch.arange(
        position.numel(), dtype=position.dtype, device=position.device
    )
    index = position if csr.t_edge_id is None else position[csr.t_edge_id.long()]
    return csr._replace(edge_id=None, t_edge_id=index)


def nodes_without_loop(edge_index: Tensor, num_nodes: int) -> Tensor:
    """int64 `[L]` nodes without a self loop, ascending."""
    source, target = edge_index
    missing = torch.ones(num_nodes, dtype=torch.bool, device=edge_index.device)
    missing[source[source == target]] = False
    return missing.nonzero().squeeze(1)
