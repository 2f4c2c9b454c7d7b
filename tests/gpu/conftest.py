"""Every test of this folder needs an NVIDIA GPU and a build with CUDA kernels."""

from pathlib import Path

import pytest
import torch

from sparsegnn import ops

assert ops  # loads the operators

HERE = Path(__file__).parent


def missing() -> str | None:
    """Why the tests cannot run here; None when they can."""
    if not torch.cuda.is_available():
        return "no NVIDIA GPU is available to torch"
    if not torch.ops.sparsegnn.cuda_compiled():
        return "sparsegnn was built without CUDA"
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    reason = missing()
    for item in items:
        if HERE not in item.path.parents:
            continue
        item.add_marker(pytest.mark.gpu)
        if reason is not None:
            item.add_marker(pytest.mark.skip(reason=reason))
