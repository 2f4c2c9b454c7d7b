"""`CapturedStep` on the CPU, and its capture logic against a stand-in for `torch.cuda`."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

import sparsegnn as sg
from sparsegnn.ops.dropout import seed_tensor
from sparsegnn.testing import power_law_graph
from sparsegnn.training import CapturedStep, L1Adam, captured_step, sparsify

NODES, FEATURES, CLASSES = 30, 12, 3


class FakeGraph:
    """What a CUDA graph promises, on the CPU: a capture runs nothing, a replay runs what it saw."""

    made: list["FakeGraph"]

    def __init__(self, run: Callable[[], Tensor], device: torch.device) -> None:
        self.run, self.log = run, []
        FakeGraph.made.append(self)

    def warm_up(self) -> Tensor:
        self.log.append("warm up")
        return self.run()

    def capture(self) -> None:
        self.log.append("capture")

    def replay(self) -> Tensor:
        self.log.append("replay")
        return self.run()


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Calls of `keep_freed_memory`, which would be a setting of the whole test process."""
    calls: list[bool] = []
    monkeypatch.setattr(captured_step, "keep_freed_memory", lambda: calls.append(True))
    return calls


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[FakeGraph]:
    FakeGraph.made = []
    monkeypatch.setattr(captured_step, "is_captured", lambda device: True)
    monkeypatch.setattr(captured_step, "CudaGraph", FakeGraph)
    return FakeGraph.made


def parts(dropout: float = 0.5):
    graph = power_law_graph(NODES, 120)
    model = sg.nn.GCN(FEATURES, 8, 2, CLASSES, dropout=dropout)
    x, y = torch.randn(NODES, FEATURES), torch.randint(CLASSES, (NODES,))
    return model, x, graph, lambda output: nn.functional.cross_entropy(output, y)


def plain_losses(model, x, graph, loss_fn, optimizer, epochs):
    losses = []
    model.train()
    for _ in range(epochs):
        optimizer.zero_grad()
        loss = loss_fn(model(x, graph))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def test_a_step_on_the_cpu_is_a_step_of_the_plain_loop():
    model, x, graph, loss_fn = parts()
    twin = copy.deepcopy(model).eval()
    torch.manual_seed(1)
    expected = plain_losses(model, x, graph, loss_fn, torch.optim.Adam(model.parameters()), 6)
    torch.manual_seed(1)
    optimizer = torch.optim.Adam(twin.parameters())
    step = CapturedStep(twin, loss_fn, optimizer, inputs=(x, graph))
    assert [step().item() for _ in range(6)] == expected
    assert all(
        torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True)
    )


def test_the_forward_pass_alone_is_in_evaluation_mode_without_gradients():
    model, x, graph, _ = parts()
    step = CapturedStep(model.train(), inputs=(x, graph))
    y = step()
    assert not y.requires_grad and not model.training
    assert torch.equal(y, model(x, graph))
    other = torch.randn_like(x)
    assert torch.equal(step(other, graph), model(other, graph))


def test_penalties_and_constraints_have_their_place():
    model, x, graph, loss_fn = parts()
    order = []
    CapturedStep(
        model,
        lambda output: order.append("loss") or loss_fn(output),
        L1Adam(model.parameters(), l1=1e-3),
        inputs=(x, graph),
        before_step=lambda: order.append(next(model.parameters()).grad is not None),
        after_step=lambda: order.append("after"),
    )()
    assert order == ["loss", True, "after"]


def test_sparse_models_and_kept_memory(kept):
    model, x, graph, loss_fn = parts()
    masks = {"convs.0.lin.weight": torch.rand(8, FEATURES) < 0.3}
    sparse = sparsify(model, graph, weight_masks=masks)
    optimizer = torch.optim.Adam(sparse.parameters(), lr=0.05)
    step = CapturedStep(sparse, loss_fn, optimizer, inputs=(x,))
    losses = [step().item() for _ in range(60)]
    assert sum(losses[-10:]) < 0.95 * sum(losses[:10])
    assert kept == [True]
    CapturedStep(sparse, inputs=(x,), keep_memory=False)
    assert kept == [True]


def test_warm_up_capture_and_replays_are_one_step_each(captures):
    model, x, graph, loss_fn = parts()
    twin = copy.deepcopy(model)
    torch.manual_seed(1)
    make = lambda m: torch.optim.SGD(m.parameters(), lr=0.1, momentum=0.9)  # noqa: E731
    expected = plain_losses(model, x, graph, loss_fn, make(model), 6)
    torch.manual_seed(1)
    step = CapturedStep(twin, loss_fn, make(twin), inputs=(x, graph), warmup=2)
    assert [step().item() for _ in range(6)] == expected
    assert captures[0].log == ["warm up"] * 2 + ["capture"] + ["replay"] * 4


def test_a_changed_learning_rate_is_captured_again(captures):
    model, x, graph, loss_fn = parts()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    step = CapturedStep(model, loss_fn, optimizer, inputs=(x, graph), warmup=1)
    for lr in (0.1, 0.1, 0.1, 0.05, 0.05):
        optimizer.param_groups[0]["lr"] = lr
        step()
    assert captures[0].log == ["warm up", "capture", "replay", "replay", "capture"] + ["replay"] * 2


def test_new_inputs_are_copied_where_the_graph_reads(captures):
    model, x, graph, _ = parts()
    step = CapturedStep(model, inputs=(x, graph), warmup=1)
    step(), step()
    first, second = torch.randn_like(x), torch.randn_like(x)
    before = x.clone()
    assert torch.equal(step(first, graph), model(first, graph))
    place = step._inputs[0].data_ptr()
    assert torch.equal(step(second, graph), model(second, graph))
    assert step._inputs[0].data_ptr() == place
    assert torch.equal(x, before), "the caller's tensor is not written to"
    assert captures[0].log.count("capture") == 2


def test_what_cannot_be_captured_is_named(captures, monkeypatch):
    model, x, graph, loss_fn = parts()
    make = lambda optimizer: CapturedStep(model, loss_fn, optimizer, inputs=(x, graph), warmup=1)  # noqa: E731
    with pytest.raises(ValueError, match="capturable=True to be captured, got Adam with"):
        make(torch.optim.Adam(model.parameters()))
    step = make(torch.optim.SGD(model.parameters(), lr=0.1))
    step()

    def fail(self: FakeGraph) -> None:
        raise RuntimeError("CUDA error: operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(FakeGraph, "capture", fail)
    with pytest.raises(ValueError, match=r"without waiting for the GPU .* stream is capturing$"):
        step()


def test_bad_arguments():
    model, x, graph, loss_fn = parts()
    with pytest.raises(ValueError, match="must be given together"):
        CapturedStep(model, loss_fn, inputs=(x, graph))
    with pytest.raises(ValueError, match="without a closure, got LBFGS"):
        CapturedStep(model, loss_fn, torch.optim.LBFGS(model.parameters()), inputs=(x, graph))
    with pytest.raises(TypeError, match="optimizer must be one of torch, got int"):
        CapturedStep(model, loss_fn, 3, inputs=(x, graph))
    with pytest.raises(ValueError, match="warmup must be at least 1, got 0"):
        CapturedStep(model, inputs=(x, graph), warmup=0)
    with pytest.raises(ValueError, match="on one device, got cpu and meta"):
        CapturedStep(model, inputs=(x.to("meta"), graph))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    vector = CapturedStep(model, lambda y: y.sum(0), optimizer, inputs=(x, graph))
    with pytest.raises(ValueError, match=r"loss_fn must return one number, got shape \[3\]"):
        vector()
    step = CapturedStep(model, inputs=(x, graph))
    with pytest.raises(ValueError, match="inputs must be 2, got 1"):
        step(x)
    with pytest.raises(ValueError, match=r"float32 on cpu, got \[30, 12\] torch.float64"):
        step(x.double(), graph)
    with pytest.raises(ValueError, match="got another Graph at position 1"):
        step(x, power_law_graph(NODES, 10))


def test_dropout_draws_its_seed_where_it_runs():
    """On fake CUDA tensors a number that is read back raises, and so it would in a capture."""
    graph = power_law_graph(NODES, 120)
    with FakeTensorMode():
        csr = [
            None if t is None else torch.empty(t.shape, dtype=t.dtype, device="cuda")
            for t in graph.csr
        ]
        on_gpu = sg.Graph(type(graph.csr)(*csr), unsafe=True)
        x = torch.empty(NODES, FEATURES, device="cuda")
        hidden = sg.nn.Dropout(0.5)(x)
        y = sg.ops.spmm(on_gpu, hidden, dropout=0.5, relu=True)
        assert y.device == hidden.device == x.device
        assert seed_tensor(None, x.device).device == x.device
