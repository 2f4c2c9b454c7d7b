"""Shared fixtures: every test starts from the same seed and restores torch's thread count.

How long an example takes never decides whether a test passes: machines differ and are shared.
"""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(autouse=True)
def seed_and_threads() -> Iterator[None]:
    torch.manual_seed(0)
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def planned_by_macs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Plans that are not measured take the fewest operations, whatever this machine is fast at."""
    monkeypatch.setattr(
        "sparsegnn.compiler.planner.estimated_ms",
        lambda steps, *_: float(sum(step.macs for step in steps)),
    )
