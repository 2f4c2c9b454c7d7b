"""Training while sparse is masked training."""

import copy
import warnings

import pytest
import torch
from masked_training import FEATURES, HIDDEN, Problem, adam, momentum, pyg_model
from torch import nn

import sparsegnn as sg
from sparsegnn.nn.kept_linear import KeptLinear
from sparsegnn.training import sparsify

KINDS = ["GCN", "GraphSAGE", "GIN", "GAT"]


def assert_same_training(problem, model, make_optimizer, sparse_x=False, epochs=100, **options):
    sparse = sparsify(
        model, problem.graph, edge_mask=problem.keep, weight_masks=problem.masks, **options
    )
    expected = problem.masked_epochs(model, make_optimizer(model.parameters()), epochs)
    losses = problem.sparse_epochs(
        sparse, make_optimizer(sparse.parameters()), epochs, sparse_x=sparse_x
    )
    assert expected[-1] < expected[0]
    torch.testing.assert_close(torch.tensor(losses), torch.tensor(expected), rtol=0, atol=1e-8)
    state = sparse.to_dense_state()
    for name, value in problem.masked_state(model).items():
        torch.testing.assert_close(state[name], value, rtol=0, atol=1e-8, msg=name)
    return sparse


@pytest.mark.parametrize("make_optimizer", [adam, momentum])
@pytest.mark.parametrize("kind", KINDS)
def test_a_hundred_steps_are_those_of_masked_training(kind, make_optimizer):
    model = pyg_model(kind)
    assert_same_training(Problem.of(model), model, make_optimizer)


@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_form_and_sparse_features(kind, form):
    model = pyg_model(kind, layers=3)
    assert_same_training(Problem.of(model), model, adam, True, 20, form=form)


@pytest.mark.parametrize("density", [0.5, 1.0])
def test_masks_that_keep_much_or_all(density):
    model = pyg_model("GraphSAGE")
    sparse = assert_same_training(Problem.of(model, density), model, adam, epochs=20)
    kept = [module for module in sparse.modules() if isinstance(module, KeptLinear)]
    assert len(kept) == (4 if density < 1 else 0)


def test_units_that_no_kept_weight_reads_are_not_computed():
    model = pyg_model("GCN")
    problem = Problem.of(model)
    mask = problem.masks["convs.1.lin.weight"].fill_(False)
    mask[0, 3] = mask[2, 7] = mask[3, 7] = True
    sparse = assert_same_training(problem, model, adam, True)
    first, second = sparse.report().maps
    assert first.computed == (2, FEATURES) and second.computed == (4, 2)
    assert first.kept == int(problem.masks["convs.0.lin.weight"].sum()) > first.live
    values = sparse.model.convs[0].lin.weight.values
    assert values.grad is not None and int((values.grad != 0).sum()) <= first.live


def test_a_layer_that_reads_nothing():
    model = pyg_model("GIN")
    problem = Problem.of(model)
    problem.masks["convs.1.nn.lins.0.weight"].fill_(False)
    sparse = sparsify(model, problem.graph, edge_mask=problem.keep, weight_masks=problem.masks)
    expected = problem.masked_epochs(model, adam(model.parameters()), 5)
    losses = problem.sparse_epochs(sparse, adam(sparse.parameters()), 5, sparse_x=False)
    torch.testing.assert_close(losses, expected, rtol=0, atol=1e-8)


class Residual(nn.Module):
    """A model of one's own, in which units are read in more than one place."""

    def __init__(self):
        import torch_geometric.nn as pyg

        super().__init__()
        self.first = pyg.GCNConv(FEATURES, HIDDEN, bias=False)  # which the norm takes away
        self.norm = nn.BatchNorm1d(HIDDEN)
        self.second = pyg.GATv2Conv(HIDDEN, HIDDEN // 2, heads=2)
        self.last = nn.Linear(HIDDEN, 4)

    def forward(self, x, edge_index):
        h = self.norm(self.first(x, edge_index)).relu()
        return self.last(h + self.second(h, edge_index))


def test_models_of_ones_own():
    model = Residual().double()
    sparse = assert_same_training(Problem.of(model), model, adam)
    assert {one.name for one in sparse.report().maps} == {
        "first.lin.weight", "second.lin_l.weight", "second.lin_r.weight", "last.weight"
    }  # fmt: skip


class Plain(nn.Module):
    """What most people write, and a residual."""

    def __init__(self):
        import torch_geometric.nn as pyg

        super().__init__()
        self.first, self.second = pyg.SAGEConv(FEATURES, HIDDEN), pyg.GCNConv(HIDDEN, HIDDEN)
        self.last = nn.Linear(HIDDEN, 4)

    def forward(self, x, edge_index):
        h = nn.functional.relu(self.first(x, edge_index))
        h = nn.functional.dropout(h, p=0.0, training=self.training)
        return self.last(h + self.second(h, edge_index).relu())


def test_units_of_a_model_of_ones_own_are_left_out_too():
    model = Plain().double()
    problem = Problem.of(model, 0.05)
    problem.masks["last.weight"].fill_(False)[:, :9] = True
    sparse = assert_same_training(problem, model, momentum, True)
    computed = {one.name: one.computed for one in sparse.report().maps}
    width = computed["second.lin.weight"][0]
    assert 9 <= width < HIDDEN
    assert computed["first.lin_l.weight"] == computed["first.lin_r.weight"] == (width, FEATURES)
    assert computed["second.lin.weight"] == (width, width) and computed["last.weight"] == (4, width)


def test_parameters_are_the_kept_weights_and_the_state_goes_back():
    model = pyg_model("GCN")
    problem = Problem.of(model)
    before = copy.deepcopy(model.state_dict())
    sparse = sparsify(model, problem.graph, edge_mask=problem.keep, weight_masks=problem.masks)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    kept = sum(int(mask.sum()) for mask in problem.masks.values())
    biases = sum(p.numel() for p in model.parameters() if p.dim() == 1)
    report = sparse.report()
    assert sum(p.numel() for p in sparse.parameters()) == kept + biases == report.parameters[0]
    assert report.parameters[1] == sum(p.numel() for p in model.parameters())
    assert report.edges == (int(problem.keep.sum()), problem.graph.num_edges)
    assert "convs.0.lin.weight: 24 x 18" in str(report)
    assert set(sparse.state_dict()) == {
        f"convs.{layer}.{name}"
        for layer in (0, 1)
        for name in ("bias", "lin.weight.values", "lin.weight.index")
    }
    model.load_state_dict(sparse.to_dense_state())
    edge_index = problem.graph.edge_index[:, problem.keep]
    torch.testing.assert_close(model(problem.x, edge_index), sparse(problem.x))
    assert (model.convs[0].lin.weight[~problem.masks["convs.0.lin.weight"]] == 0).all()


def test_state_dicts_are_loaded_into_a_model_with_the_same_masks():
    model = pyg_model("GraphSAGE")
    problem = Problem.of(model)
    options = {"edge_mask": problem.keep, "weight_masks": problem.masks}
    sparse, twin = (sparsify(m, problem.graph, **options) for m in (model, pyg_model("GraphSAGE")))
    twin.load_state_dict(sparse.state_dict())
    assert torch.equal(twin(problem.x), sparse(problem.x))
    outer = nn.ModuleDict({"gnn": twin})
    nested = outer.state_dict()
    assert "gnn.convs.0.lin_l.weight.values" in nested
    outer.load_state_dict({name: value * 0 if value.is_floating_point() else value
                           for name, value in nested.items()})  # fmt: skip
    assert (twin(problem.x) == 0).all()
    with pytest.raises(RuntimeError, match="Missing key"):
        twin.load_state_dict({})


def test_zeros_are_pruned_by_default_also_those_of_torchs_pruning():
    from torch.nn.utils import prune

    model = pyg_model("GCN")
    prune.random_unstructured(model.convs[0].lin, "weight", 0.75)
    sparse = sparsify(model, Problem.of(model).graph)
    (first,) = sparse.report().maps
    assert (first.name, first.kept) == ("convs.0.lin.weight", HIDDEN * FEATURES // 4)


def test_zeros_that_cannot_be_pruned_are_named():
    model = pyg_model("GIN")
    layer = model.convs[0].nn.lins[0]
    with torch.no_grad():
        layer.weight[0] = 0.0
    layer.register_forward_hook(lambda *_: None)
    edges = torch.tensor([[0, 1], [1, 0]])
    with pytest.warns(UserWarning, match="zeros in 'convs.0.nn.lins.0' are trained"):
        sparsify(model, sg.Graph.from_edge_index(edges, num_nodes=2))


def test_dropout_is_drawn_for_the_units_that_are_left():
    """The mean over draws of a linear network is its output without dropout."""
    model = pyg_model("GCN", dropout=0.5)
    model.act = nn.Identity()
    problem = Problem.of(model, 0.3)
    sparse = sparsify(model, problem.graph, edge_mask=problem.keep, weight_masks=problem.masks)
    assert sparse.training
    draws = torch.stack([sparse(problem.x).detach() for _ in range(600)])
    expected = sparse.eval()(problem.x).detach()
    error = draws.std(dim=0) / len(draws) ** 0.5
    off = (draws.mean(dim=0) - expected).abs() / error.clamp(min=1e-12)
    assert float(off[error > 1e-9].max()) < 5
    assert float(draws.std(dim=0).max()) > 1e-3


def test_layers_that_stay_get_an_edge_index():
    import torch_geometric.nn as pyg

    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.other = pyg.GCNConv(FEATURES, 4), pyg.TAGConv(4, 4)

        def forward(self, x, edge_index):
            return self.other(self.conv(x, edge_index), edge_index)

    model = Mixed().double()
    problem = Problem.of(model)
    with pytest.warns(UserWarning, match="TAGConv"):
        sparse = sparsify(model, problem.graph, weight_masks=problem.masks)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masked = problem.masked_state(model)
        expected = torch.func.functional_call(model, masked, (problem.x, problem.graph.edge_index))
    torch.testing.assert_close(sparse(problem.x), expected)


def test_bad_arguments():
    model = pyg_model("GCN")
    graph = Problem.of(model).graph
    with pytest.raises(TypeError, match=r"graph must be a Graph, got Tensor"):
        sparsify(model, graph.edge_index)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got int"):
        sparsify(3, graph)
    with pytest.raises(ValueError, match=r"weights of linear maps, got 'convs.0.bias'"):
        sparsify(model, graph, weight_masks={"convs.0.bias": torch.ones(HIDDEN) > 0})
    with pytest.raises(ValueError, match=r"got torch.bool of shape \[2\] for 'convs.0.lin.weight'"):
        sparsify(model, graph, weight_masks={"convs.0.lin.weight": torch.ones(2) > 0})
    with pytest.raises(ValueError, match="form must be 'dense', 'csr' or None, got 'coo'"):
        sparsify(model, graph, weight_masks=Problem.of(model).masks, form="coo")
    with pytest.raises(ValueError, match="model must be a plain one, got one that is sparse"):
        sparsify(sparsify(model, graph, weight_masks=Problem.of(model).masks), graph)
    import torch_geometric.nn as pyg

    with pytest.raises(ValueError, match=r"must know its sizes, got a lazy 'lin.weight'"):
        sparsify(pyg.GCNConv(-1, 4), graph)


def test_a_graph_of_another_size_is_refused():
    model = pyg_model("GCN")
    sparse = sparsify(model, Problem.of(model).graph)
    with pytest.raises(ValueError, match="x must have one row per node of the graph"):
        sparse(torch.zeros(3, FEATURES, dtype=torch.float64))


def test_it_moves_as_a_whole_and_copies():
    model = pyg_model("GCN")
    problem = Problem.of(model)
    sparse = sparsify(model, problem.graph, weight_masks=problem.masks)
    before = sparse(problem.x)
    assert torch.equal(copy.deepcopy(sparse)(problem.x), before)
    single = sparse.float()
    assert single(problem.x.float()).dtype == torch.float32
    assert isinstance(single.graph, sg.Graph)
