import pytest
import torch
from small_task import Normed, quick_config, small_model, small_task
from torch import nn

from sparsegnn.pruning.kept import Kept
from sparsegnn.pruning.stage import MaskStage, TicketStage
from sparsegnn.pruning.subject import Subject
from sparsegnn.training import Split


def make(stage=MaskStage, model_fn=None, **settings):
    subject = Subject.prepare(model_fn or small_model(), small_task(), quick_config(**settings), 0)
    return stage(subject, Kept.everything(subject), Split.of(subject.data, "train"))


def scores_of(stage):
    return [stage._edge_scores, *stage._weight_scores]


@pytest.mark.parametrize("kind", [MaskStage, TicketStage])
def test_a_new_stage_starts_from_the_rewind_point_bit_for_bit(kind):
    stage = make(kind, Normed)
    subject, start = stage._subject, {k: v.clone() for k, v in stage._subject.start.items()}
    for _ in range(3):
        stage.step()
    assert not torch.equal(subject.model.norm.running_mean, start["norm.running_mean"])
    again = kind(subject, stage._kept, stage._targets)
    again.snapshot()
    for name, value in subject.model.state_dict().items():
        assert torch.equal(value, start[name]), name
    for slot, value in zip(again._kept.slots, again._values, strict=True):
        assert torch.equal(value, slot.gather(start[slot.name]))
    assert all(torch.equal(subject.start[name], value) for name, value in start.items())


def test_masks_start_at_one_and_the_first_forward_is_the_plain_model():
    stage = make()
    assert all((score == 1).all() for score in scores_of(stage))
    data, model = stage._subject.data, small_model()()
    model.load_state_dict(stage._subject.start)
    torch.testing.assert_close(stage.predict(), model.eval()(data.x, data.graph))


def test_a_strong_penalty_moves_every_mask_by_the_rate():
    stage = make(graph_l1=1e3, weight_l1=1e3, mask_lr=0.25)
    stage.step()
    for score in scores_of(stage):
        torch.testing.assert_close(score.detach(), torch.full_like(score, 0.75))


def test_penalties_are_separate():
    stage = make(graph_l1=1e3, weight_l1=0.0, mask_weight_decay=0.0)
    stage.step()
    edges, *weights = scores_of(stage)
    assert (edges < 1).all()
    assert any((score > 1).any() for score in weights)
    stage = make(graph_l1=0.0, weight_l1=1e3, mask_weight_decay=0.0)
    stage.step()
    edges, *weights = scores_of(stage)
    assert (edges > 1).any()
    assert all((score < 1).all() for score in weights)


def test_masks_have_their_own_rate_and_decay():
    slow = make(mask_lr=1e-6, mask_weight_decay=0.0)
    slow.step()
    assert all((score - 1).abs().max() < 2e-6 for score in scores_of(slow))
    moved = slow._values[0] - slow._kept.slots[0].gather(slow._subject.start["convs.0.lin.weight"])
    assert moved.abs().max() > 1e-3
    decayed = make(graph_l1=0.0, weight_l1=0.0, mask_weight_decay=1e6)
    decayed.step()
    assert all((score < 1).all() for score in scores_of(decayed))


def test_steps_follow_plain_adam_on_the_dense_parameters():
    stage = make(TicketStage, small_model(dropout=0.0))
    data, model = stage._subject.data, small_model(dropout=0.0)()
    model.load_state_dict(stage._subject.start)
    config = stage._subject.config
    optimizer = torch.optim.Adam(model.parameters(), config.lr, weight_decay=config.weight_decay)
    for _ in range(5):
        loss = nn.functional.cross_entropy(
            model(data.x, data.graph)[data.train_mask], data.y[data.train_mask]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert stage.step() == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(stage.predict(), model(data.x, data.graph), rtol=1e-4, atol=1e-5)
