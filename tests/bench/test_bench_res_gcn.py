import torch

from bench.end_to_end import res_gcn
from bench.inputs import EdgeList


def test_every_model_trains_alike(edges: EdgeList) -> None:
    """Same parameters, nothing drops: the losses of three steps agree."""
    case = res_gcn.training(edges, 3, recompute=True, dropout=0.0)
    assert len(case.alternatives) == 4
    losses = {
        name: torch.stack([run()[0] for _ in range(3)]) for name, run in case.alternatives.items()
    }
    expected = losses[res_gcn.PYG]
    assert expected[2] < expected[0]
    for name, values in losses.items():
        torch.testing.assert_close(values, expected, rtol=1e-4, atol=1e-4, msg=name)


def test_ours_alone_is_named_as_such(edges: EdgeList) -> None:
    case = res_gcn.training(edges, 1, peers=False)
    assert list(case.alternatives) == ["sparsegnn"] and res_gcn.ALONE in case.note
