"""Using a ticket: the right graph, edge order, sparsity, and masked training."""

from __future__ import annotations

import pytest
import torch
from small_ticket import make, masked_logits

from sparsegnn import Graph, Mask
from sparsegnn.compiler.plain import plain_copy
from sparsegnn.nn import GCN
from sparsegnn.tickets import Count, Ticket, TicketError
from sparsegnn.tickets.masking import masks_of, plain_state


def ring(*, keep: list[bool], nodes: int = 4, loop: bool = False) -> tuple[Graph, Ticket]:
    """An undirected path 0-1-2-3 (both directions in order), optionally with a loop at 0."""
    forward = torch.tensor([[0, 1, 2], [1, 2, 3]])
    parts = [forward, forward.flip(0)] + ([torch.zeros(2, 1, dtype=torch.long)] if loop else [])
    graph = Graph.from_edge_index(torch.cat(parts, dim=1), num_nodes=nodes)
    state = {"w": torch.ones(2, 5), "b": torch.ones(3)}
    ticket = Ticket.for_graph(
        graph,
        edge_mask=Mask.from_bool(torch.tensor(keep)),
        weight_masks={"w": Mask.from_bool(torch.arange(10).view(2, 5) < 4)},
        init_state=state,
        state=state,
        method="hand",
        config={},
        metrics={},
        seed=0,
        round=1,
    )
    return graph, ticket


def test_sparsity_on_every_base() -> None:
    graph, ticket = ring(keep=[True, False, False, True, True, False, False], loop=True)
    found = ticket.sparsity(graph)
    assert found.edges == Count(3, 7)
    assert found.pairs == Count(2, 4)
    assert found.pairs_cut_one_way == 1
    assert found.edges_with_loops == Count(3 + 4, 7 + 3)
    assert found.masked_weights == Count(4, 10)
    assert found.parameters == Count(4 + 3, 13)
    assert found.edges.sparsity == pytest.approx(4 / 7)
    without = ticket.sparsity()
    assert (without.pairs, without.edges_with_loops) == (None, None)
    assert without.edges == found.edges


def test_empty_bases_have_sparsity_zero() -> None:
    assert Count(0, 0).sparsity == 0.0


def test_mask_follows_the_edges_into_any_order() -> None:
    setup = make(edges=80)
    order = torch.randperm(80, generator=torch.Generator().manual_seed(5))
    shuffled = Graph.from_edge_index(setup.graph.edge_index[:, order], num_nodes=20)
    kept = setup.ticket.prune(setup.graph)
    assert setup.ticket.prune(shuffled).fingerprint() == kept.fingerprint()
    assert kept.num_edges == setup.ticket.edge_mask.count


def test_for_graph_keeps_the_given_edges() -> None:
    graph = Graph.from_edge_index(torch.tensor([[3, 0, 2, 1], [0, 3, 1, 0]]), num_nodes=4)
    keep = torch.tensor([True, False, False, True])
    ticket = make().ticket
    made = Ticket.for_graph(
        graph,
        edge_mask=Mask.from_bool(keep),
        weight_masks={},
        init_state=ticket.state,
        state=ticket.state,
        method="hand",
        config={},
        metrics={},
        seed=0,
        round=0,
    )
    assert torch.equal(made.edge_mask_for(graph).to_bool(), keep)
    assert made.prune(graph).edge_index.tolist() == [[3, 1], [0, 0]]


def test_another_graph_is_refused() -> None:
    setup = make()
    edges = setup.graph.edge_index.clone()
    edges[0, 0] = (edges[0, 0] + 1) % 20
    with pytest.raises(TicketError, match="fingerprint"):
        setup.ticket.verify(Graph.from_edge_index(edges, num_nodes=20))
    with pytest.raises(TicketError, match="60 edges, this one has 59"):
        setup.ticket.verify(Graph.from_edge_index(edges[:, 1:], num_nodes=20))
    with pytest.raises(TicketError, match="fingerprint"):
        setup.ticket.verify(Graph.from_edge_index(setup.graph.edge_index, num_nodes=21))


def test_applied_model_computes_the_masked_model() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    logits = model(setup.x, setup.ticket.prune(setup.graph))
    assert torch.allclose(logits, masked_logits(setup), rtol=0, atol=1e-12)


def test_rewind_loads_the_initial_state() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double(), rewind=True)
    keep = setup.ticket.weight_masks["convs.0.lin.weight"].to_bool()
    expected = torch.where(keep, setup.ticket.init_state["convs.0.lin.weight"], 0.0)
    assert torch.equal(model.convs[0].lin.weight, expected)
    assert torch.equal(model.convs[0].bias, setup.ticket.init_state["convs.0.bias"])


def test_training_moves_survivors_only() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1, weight_decay=0.1)
    before = {key: value.clone() for key, value in plain_state(model).items()}
    for _ in range(3):
        optimizer.zero_grad()
        model(setup.x, setup.graph).square().sum().backward()
        optimizer.step()
    after = plain_state(model)
    for key, mask in setup.ticket.weight_masks.items():
        keep = mask.to_bool()
        assert torch.equal(after[key][~keep], torch.zeros_like(after[key][~keep]))
        assert bool((after[key][keep] != before[key][keep]).any())
    trained = sum(parameter.numel() for parameter in model.parameters())
    masks = setup.ticket.weight_masks.values()
    assert trained == sum(mask.count for mask in masks) + 9 + 3


def test_gradient_is_the_dense_gradient_at_the_survivors() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    model(setup.x, setup.graph).square().sum().backward()
    plain = plain_copy(model)
    plain.zero_grad()
    plain(setup.x, setup.graph).square().sum().backward()
    for layer in (0, 1):
        keep = setup.ticket.weight_masks[f"convs.{layer}.lin.weight"].to_bool()
        masked = model.convs[layer].lin.parametrizations.weight
        dense = plain.convs[layer].lin.weight.grad
        full = torch.zeros_like(dense)
        full[masked[0].keep()] = dense[keep]
        assert torch.allclose(masked[0](masked.original.grad), full, rtol=0, atol=1e-12)


def test_masked_model_survives_its_own_state_dict() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    other = setup.ticket.apply(GCN(12, 9, 2, 3).double(), rewind=True)
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(setup.x, setup.graph), model(setup.x, setup.graph))


def test_masks_and_plain_state_of_a_masked_model() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    assert plain_state(model).keys() == setup.ticket.state.keys()
    masks = masks_of(model)
    assert masks.keys() == setup.ticket.weight_masks.keys()
    for key, keep in masks.items():
        assert torch.equal(keep, setup.ticket.weight_masks[key].to_bool())


def test_masked_weight_keeps_the_memory_layout() -> None:
    model = GCN(40, 64, 2, 3)
    strides = [conv.lin.weight.stride() for conv in model.convs]
    state = model.state_dict()
    masks = {k: Mask.from_bool(torch.rand(v.shape) > 0.5) for k, v in state.items() if v.dim() == 2}
    graph = Graph.from_edge_index(torch.tensor([[0, 1], [1, 0]]), num_nodes=2)
    ticket = Ticket.for_graph(
        graph,
        edge_mask=Mask.ones(2),
        weight_masks=masks,
        init_state=state,
        state=state,
        method="hand",
        config={},
        metrics={},
        seed=0,
        round=1,
    )
    ticket.apply(model)
    assert [conv.lin.weight.stride() for conv in model.convs] == strides


def test_apply_refuses_what_does_not_fit_and_changes_nothing() -> None:
    setup = make()
    for model, sentence in [
        (GCN(12, 8, 2, 3).double(), "has shape"),
        (GCN(12, 9, 3, 3).double(), "the ticket lacks 'convs.2"),
        (GCN(12, 9, 2, 3, bias=False).double(), "the model lacks 'convs.0.bias'"),
    ]:
        before = {key: value.clone() for key, value in model.state_dict().items()}
        with pytest.raises(TicketError, match=sentence):
            setup.ticket.apply(model)
        after = model.state_dict()
        assert all(torch.equal(after[key], value) for key, value in before.items())


def test_apply_twice_is_refused() -> None:
    setup = make()
    model = setup.ticket.apply(GCN(12, 9, 2, 3).double())
    with pytest.raises(TicketError, match="masked already"):
        setup.ticket.apply(model)


def test_mask_of_a_buffer_is_refused() -> None:
    class Counter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("w", torch.ones(2, 5))
            self.register_buffer("b", torch.ones(3))

    _, ticket = ring(keep=[True] * 6)
    with pytest.raises(TicketError, match="'w', which is no parameter"):
        ticket.apply(Counter())


def test_a_trainable_ticket_starts_where_the_masked_model_is() -> None:
    setup = make(weight_sparsity=0.8)
    sparse = setup.ticket.trainable(setup.model, setup.graph)
    torch.testing.assert_close(sparse(setup.x), masked_logits(setup))
    kept = sum(mask.count for mask in setup.ticket.weight_masks.values())
    biases = sum(p.numel() for n, p in setup.model.named_parameters() if n.endswith("bias"))
    assert sum(p.numel() for p in sparse.parameters()) == kept + biases
    sparse(setup.x).square().sum().backward()
    assert all(p.grad is not None for p in sparse.parameters())
    setup.model.load_state_dict(sparse.to_dense_state())


def test_a_trainable_ticket_can_be_rewound() -> None:
    setup = make()
    state = setup.ticket.trainable(setup.model, setup.graph, rewind=True).to_dense_state()
    for key, value in setup.ticket.init_state.items():
        mask = setup.ticket.weight_masks.get(key)
        torch.testing.assert_close(state[key], value if mask is None else value * mask.to_bool())
    with pytest.raises(TicketError, match="lacks"):
        setup.ticket.trainable(torch.nn.Linear(2, 2), setup.graph)
