import torch

from bench.end_to_end import res_gcn
from bench.inputs import EdgeList


def test_every_model_trains_alike(edges: EdgeList) -> None:
    """Same parameters, same dropout: the losses of three steps agree."""
    case = res_gcn.training(edges, 3, recompute_only=False)
    assert len(case.alternatives) == 4
    losses = {
        name: torch.stack([run()[0] for _ in range(3)]) for name, run in case.alternatives.items()
    }
    expected = losses[res_gcn.PYG]
    assert expected[2] < expected[0]
    for name, values in losses.items():
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-4, msg=name)
