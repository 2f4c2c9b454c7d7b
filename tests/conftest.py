"""Shared fixtures: every test starts from the same seed and restores torch's thread count."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(autouse=True)
def seed_and_threads() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
