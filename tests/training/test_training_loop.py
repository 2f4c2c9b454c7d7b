import math

import pytest
import torch
from torch import nn

from sparsegnn.training import Split, accuracy, derive_seed, evaluate, fit, seeded, train_step


class Data:
    """Eight nodes of two classes, told apart by their only feature."""

    class graph:
        num_nodes = 8

    x = torch.tensor([[-1.0], [1.0]]).repeat(4, 1)
    y = torch.tensor([0, 1] * 4)
    train_mask = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0], dtype=torch.bool)
    val_mask = torch.tensor([0, 0, 0, 0, 1, 1, 0, 0], dtype=torch.bool)
    test_mask = torch.tensor([0, 0, 0, 0, 0, 0, 1, 1], dtype=torch.bool)


class Scripted:
    """Predicts the validation accuracies it is told to."""

    def __init__(self, right, losses=None):
        self.right, self.losses = iter(right), iter(losses or [0.0] * len(right))
        self.taken, self.epoch = [], 0

    def step(self):
        self.epoch += 1
        return next(self.losses)

    def predict(self):
        wrong = 2 - next(self.right)
        labels = Data.y.clone()
        labels[4 : 4 + wrong] ^= 1
        return nn.functional.one_hot(labels, 2).float()

    def snapshot(self):
        self.taken.append(self.epoch)


def test_best_epoch_is_the_first_of_equals():
    trainee, seen = Scripted([0, 1, 1, 2, 2]), []
    best = fit(trainee, Data, 5, lambda *event: seen.append(event))
    assert (best.epoch, best.val_accuracy, best.test_accuracy) == (4, 1.0, 1.0)
    assert trainee.taken == [1, 2, 4]
    assert seen == [(1, 0.0, 0.0), (2, 0.0, 0.5), (3, 0.0, 0.5), (4, 0.0, 1.0), (5, 0.0, 1.0)]


def test_a_loss_that_is_not_finite_stops_the_run_unless_allowed():
    with pytest.raises(ValueError, match="loss must be finite, got nan at epoch 2"):
        fit(Scripted([1, 1], [0.1, math.nan]), Data, 2)
    assert fit(Scripted([1, 2], [0.1, math.nan]), Data, 2, require_finite=False).epoch == 2


def test_train_step_is_one_plain_step():
    model, twin = nn.Linear(1, 2), nn.Linear(1, 2)
    twin.load_state_dict(model.state_dict())
    rows = Data.train_mask
    loss = nn.functional.cross_entropy(twin(Data.x)[rows], Data.y[rows])
    loss.backward()
    torch.optim.SGD(twin.parameters(), lr=0.5).step()
    order = []
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    step = train_step(
        model(Data.x), Split.of(Data, "train"), optimizer, lambda: order.append(model.weight.grad)
    )
    assert step == pytest.approx(loss.item())
    assert order[0] is not None
    torch.testing.assert_close(model.weight, twin.weight)


def test_evaluate_restores_the_mode_and_counts():
    class Model(nn.Module):
        def forward(self, x, graph):
            assert not self.training
            return torch.cat([-x, x], dim=1)

    model = Model().train()
    assert evaluate(model, Data) == {"train": 1.0, "val": 1.0, "test": 1.0}
    assert model.training
    split = Split(torch.tensor([0, 1, 2]), torch.tensor([1, 1, 1]))
    assert accuracy(torch.cat([-Data.x, Data.x], dim=1), split) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        (torch.ones(8), r"val_mask must be bool \[8\], got torch.float32 \[8\]"),
        (torch.ones(7, dtype=torch.bool), r"val_mask must be bool \[8\], got torch.bool \[7\]"),
        (torch.zeros(8, dtype=torch.bool), "val_mask must select at least one node, got none"),
    ],
)
def test_masks_are_checked(mask, sentence):
    broken = type("Broken", (Data,), {"val_mask": mask})
    with pytest.raises(ValueError, match=sentence):
        Split.of(broken, "val")


def test_unlabelled_nodes_cannot_be_in_a_split():
    broken = type("Broken", (Data,), {"y": torch.full((8,), -1)})
    with pytest.raises(
        ValueError, match="train_mask must select labelled nodes only, got label -1"
    ):
        Split.of(broken, "train")


def test_derived_seeds_depend_on_every_part_and_fit_a_generator():
    seeds = {derive_seed(*parts) for parts in [(0, 1, "mask"), (0, 1, "train"), (1, 1, "mask")]}
    assert len(seeds) == 3
    assert derive_seed(0, 1, "mask") == derive_seed(0, 1, "mask")
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_seeded_block_is_repeatable_and_invisible():
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    draws = []
    for _ in range(2):
        with seeded(3):
            draws.append(torch.rand(2))
    assert torch.equal(draws[0], draws[1])
    assert torch.equal(torch.rand(2), expected)
