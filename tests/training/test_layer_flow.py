"""Which channels of a model's linear maps take part."""

import pytest
import torch
from masked_training import FEATURES, HIDDEN, pyg_model
from torch import nn
from torch.nn import functional as F

import sparsegnn as sg
from sparsegnn.training.layer_flow import flow_of, live_channels

CONV = sg.nn.GCNConv


class Model(nn.Module):
    """Two convolutions with `between` in the middle."""

    def __init__(self, between, first=None):
        super().__init__()
        self.first, self.second = first or CONV(FEATURES, HIDDEN), CONV(HIDDEN, 4)
        self.between = between

    def forward(self, x, edge_index):
        return self.second(self.between(self, self.first(x, edge_index)), edge_index)


def widths(model, keep_columns=(2, 5)):
    """(rows, cols) of every map when the last one reads two columns only."""
    flow = flow_of(model)
    if flow is None:
        return None
    maps = {path: model.get_submodule(path) for s in flow.stages for path in s.maps}
    keep = {path: torch.ones(lin.weight.shape, dtype=torch.bool) for path, lin in maps.items()}
    last = keep[flow.stages[-1].maps[0]]
    last.fill_(False)[:, list(keep_columns)] = True
    found = live_channels(flow, keep)
    count = lambda index: None if index is None else index.numel()  # noqa: E731
    return {path: (count(part.rows), count(part.cols)) for path, part in found.items()}


@pytest.mark.parametrize(
    "between",
    [
        lambda self, h: F.dropout(h.relu(), p=0.5, training=self.training),
        lambda self, h: torch.tanh(F.elu(h)),
        lambda self, h: h + F.relu(h),
    ],
)
def test_elementwise_functions_keep_channels_apart(between):
    assert widths(Model(between)) == {"first.lin": (2, None), "second.lin": (None, 2)}


@pytest.mark.parametrize(
    "between",
    [
        lambda self, h: F.softmax(h, dim=1),
        lambda self, h: F.normalize(h).relu(),
        lambda self, h: h * h.sum(),
        lambda self, h: h.flip(1),
        lambda self, h: F.layer_norm(h, h.shape[1:]),
        lambda self, h: h.softmax(1) if self.training else h,
    ],
)
def test_anything_else_fixes_them(between):
    found = widths(Model(between))
    assert found is None or found == {"first.lin": (None, None), "second.lin": (None, None)}


def test_layers_that_mix_channels():
    for first in (
        sg.nn.GATConv(FEATURES, HIDDEN),
        sg.nn.SAGEConv(FEATURES, HIDDEN, normalize=True),
        sg.nn.SAGEConv(FEATURES, HIDDEN, project=True),
    ):
        found = widths(Model(lambda self, h: h.relu(), first))
        assert all(rows is None for rows, _ in found.values())
        assert found["second.lin"] == (None, None)


def test_a_residual_is_read_by_its_own_maps():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.middle = CONV(FEATURES, HIDDEN), CONV(HIDDEN, HIDDEN)
            self.last = nn.Linear(HIDDEN, 4)

        def forward(self, x, edge_index):
            h = self.first(x, edge_index).relu()
            return self.last(h + self.middle(h, edge_index))

    model = Block()
    flow = flow_of(model)
    keep = {
        "first.lin": torch.ones(HIDDEN, FEATURES, dtype=torch.bool),
        "middle.lin": torch.zeros(HIDDEN, HIDDEN, dtype=torch.bool),
        "last": torch.zeros(4, HIDDEN, dtype=torch.bool),
    }
    keep["last"][1, 3] = keep["middle.lin"][3, 7] = keep["middle.lin"][7, 9] = True
    keep["middle.lin"][11, 12] = True
    found = live_channels(flow, keep)
    for path in ("first.lin", "middle.lin"):
        assert found[path].rows.tolist() == [3, 7, 9]
    assert found["middle.lin"].cols.tolist() == found["last"].cols.tolist() == [3, 7, 9]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("GCN", {"convs.0.lin": (2, None), "convs.1.lin": (None, 2)}),
        ("GraphSAGE", {"convs.0.lin_l": (None, None), "convs.1.lin_r": (None, None)}),
        ("GIN", {"convs.0.nn.lins.0": (None, None), "convs.0.nn.lins.1": (None, None)}),
        ("GAT", {"convs.0.lin": (None, None), "convs.1.lin": (None, None)}),
    ],
)
def test_models_of_pyg(kind, expected):
    model = sg.nn.convert(pyg_model(kind))
    found = widths(model, (1, 2))
    assert found.items() >= expected.items()
    if kind == "GIN":
        assert found["convs.1.nn.lins.0"] == (2, None) and found["convs.1.nn.lins.1"] == (None, 2)


def test_our_stack_and_a_layer_alone():
    stack = sg.nn.GCN(FEATURES, HIDDEN, 3, 4, dropout=0.5)
    assert widths(stack) == {
        "convs.0.lin": (None, None), "convs.1.lin": (2, None), "convs.2.lin": (None, 2)
    }  # fmt: skip
    assert widths(CONV(FEATURES, 4)) == {"lin": (None, None)}


def test_a_layer_that_is_called_twice_or_a_hook_gives_it_up():
    shared = CONV(HIDDEN, HIDDEN)

    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = shared

        def forward(self, x, edge_index):
            return self.conv(self.conv(x, edge_index).relu(), edge_index)

    assert flow_of(Twice()) is None
    model = Model(lambda self, h: h.relu())
    model.first.register_forward_hook(lambda *_: None)
    found = widths(model)
    assert found is None or found["second.lin"] == (None, None)


def test_modes_are_left_as_they_were():
    model = Model(lambda self, h: h.relu())
    model.first.eval()
    flow_of(model)
    assert model.training and not model.first.training
