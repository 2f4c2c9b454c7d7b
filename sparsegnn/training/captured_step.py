"""A training step, or a forward pass, that costs little beside its kernels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sparsegnn.memory import keep_freed_memory
from sparsegnn.training.cuda_graph import CudaGraph


class CapturedStep:
    """The whole step `forward, loss, backward, optimizer` as one function without arguments.

    On a GPU the step is captured in a CUDA graph and replayed: a small model then no longer waits
    for the launches of its kernels. The first `warmup` calls and every replay are each one step, so
    that n calls train as n steps of a plain loop do. On the CPU the step runs as it is, without
    gradients that outlive it, and freed memory is kept for the next step (`keep_freed_memory`, a
    setting of the process).

    Dropout of this package and of torch draws new masks in every replay: seeds are tensors made on
    the GPU. A group of the optimizer whose numbers (the learning rate, say) have changed is
    captured again; a learning rate that is a tensor is read at every replay.

        step = CapturedStep(model, loss_fn, optimizer, inputs=(x, graph))
        for _ in range(epochs):
            loss = step()

    Args:
        model: Called as `model(*inputs)`; in training mode with an optimizer, else in evaluation.
        loss_fn: Takes the model's output and returns one number. What else it reads (labels, rows)
            must stay where it is; change it in place.
        optimizer: Any that needs no closure; on a GPU one whose whole state is there
            (`capturable=True` for those of torch that have it). Without loss_fn and optimizer the
            step is the forward pass.
        inputs: Arguments of the model. Give a `Graph` rather than an `edge_index`, which is
            compared with a known one at every call.
        before_step: Called between backward and optimizer, to add the gradient of a penalty.
        after_step: Called after the optimizer, to restore constraints.
        warmup: Calls on a GPU before the capture.
        keep_memory: Whether to keep freed memory on the CPU.

    Raises:
        TypeError: An argument has a wrong type.
        ValueError: Something cannot be captured; the message names it.
    """

    def __init__(
        self,
        model: nn.Module,
        loss_fn: Callable[[Any], Tensor] | None = None,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        inputs: Sequence[Any],
        before_step: Callable[[], object] | None = None,
        after_step: Callable[[], object] | None = None,
        warmup: int = 3,
        keep_memory: bool = True,
    ) -> None:
        if (loss_fn is None) != (optimizer is None):
            raise ValueError("loss_fn and optimizer must be given together, got one of them.")
        if warmup < 1:
            raise ValueError(f"warmup must be at least 1, got {warmup}.")
        self.model, self.loss_fn, self.optimizer = model, loss_fn, optimizer
        self._inputs = list(inputs)
        self._own = [False] * len(self._inputs)
        self._before_step, self._after_step = before_step, after_step
        self._device = _device_of(model, self._inputs)
        self._left = warmup
        self._settings: list[dict[str, Any]] | None = None
        self._graph: CudaGraph | None = None
        _check_optimizer(optimizer)
        if is_captured(self._device):
            _check_capturable(optimizer)
            self._graph = CudaGraph(self._run, self._device)
        elif keep_memory:
            keep_freed_memory()

    def __call__(self, *inputs: Any) -> Tensor:
        """One step.

        Args:
            inputs: New arguments of the model in place of the former ones: tensors of the same
                shape, dtype and device, everything else the same objects. None for no change.

        Returns:
            The loss, or the model's output, without a gradient. On a GPU the next call overwrites
            it.
        """
        if inputs:
            self._take(inputs)
        training = self.optimizer is not None
        if self.model.training != training:
            self.model.train(training)
        if self._graph is None:
            return self._run()
        if self._left > 0:
            self._left -= 1
            return self._graph.warm_up()
        self._capture_if_changed(self._graph)
        return self._graph.replay()

    def _run(self) -> Tensor:
        if self.optimizer is None:
            with torch.inference_mode():
                output: Tensor = self.model(*self._inputs)
            return output
        for group in self.optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None
        assert self.loss_fn is not None
        loss = self.loss_fn(self.model(*self._inputs))
        if loss.dim() != 0:
            raise ValueError(f"loss_fn must return one number, got shape {list(loss.shape)}.")
        loss.backward()
        if self._before_step is not None:
            self._before_step()
        self.optimizer.step()
        if self._after_step is not None:
            self._after_step()
        return loss.detach()

    def _capture_if_changed(self, graph: CudaGraph) -> None:
        settings = _settings_of(self.optimizer)
        if settings == self._settings:
            return
        _check_state(self.optimizer)
        try:
            graph.capture()
        except RuntimeError as error:
            reason = str(error).strip().splitlines()[0] if str(error).strip() else "no reason"
            raise ValueError(
                "model, loss_fn and optimizer must run without waiting for the GPU to be captured "
                f"(give a Graph, not an edge_index, and no bool masks), got: {reason}"
            ) from error
        self._settings = settings

    def _take(self, inputs: tuple[Any, ...]) -> None:
        if len(inputs) != len(self._inputs):
            raise ValueError(f"inputs must be {len(self._inputs)}, got {len(inputs)}.")
        for place, (known, given) in enumerate(zip(self._inputs, inputs, strict=True)):
            if given is known:
                continue
            _check_like(place, known, given)
            if self._graph is None:
                self._inputs[place] = given
            else:
                self._copy(place, given)

    def _copy(self, place: int, given: Tensor) -> None:
        """Into memory of the step's own, which the first copy makes: what is captured changes."""
        if not self._own[place]:
            self._inputs[place] = self._inputs[place].clone()
            self._own[place] = True
            self._settings = None
        self._inputs[place].copy_(given)


def is_captured(device: torch.device) -> bool:
    """Whether steps on the device are captured."""
    return device.type == "cuda"


def _device_of(model: nn.Module, inputs: list[Any]) -> torch.device:
    tensors = [*model.parameters(), *model.buffers()]
    tensors += [value for value in inputs if isinstance(value, Tensor)]
    devices = sorted({str(tensor.device) for tensor in tensors})
    if len(devices) > 1:
        raise ValueError(f"model and inputs must be on one device, got {' and '.join(devices)}.")
    return torch.device(devices[0] if devices else "cpu")


def _check_optimizer(optimizer: torch.optim.Optimizer | None) -> None:
    if optimizer is None:
        return
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"optimizer must be one of torch, got {type(optimizer).__name__}.")
    if isinstance(optimizer, torch.optim.LBFGS):
        raise ValueError("optimizer must take steps without a closure, got LBFGS.")


def _check_capturable(optimizer: torch.optim.Optimizer | None) -> None:
    for group in [] if optimizer is None else optimizer.param_groups:
        if group.get("capturable") is False:
            raise ValueError(
                "optimizer must be made with capturable=True to be captured, got "
                f"{type(optimizer).__name__} with capturable=False."
            )


def _check_state(optimizer: torch.optim.Optimizer | None) -> None:
    """After the warm-up, in which the state was made."""
    for parameter, state in ({} if optimizer is None else optimizer.state).items():
        for name, value in state.items():
            if isinstance(value, Tensor) and value.device != parameter.device:
                raise ValueError(
                    "optimizer must keep its state on the GPU to be captured, got "
                    f"{type(optimizer).__name__} with {name!r} on {value.device}."
                )


def _settings_of(optimizer: torch.optim.Optimizer | None) -> list[dict[str, Any]]:
    """The numbers of all groups: constants of what is captured."""
    return [
        {k: v for k, v in group.items() if k != "params" and not isinstance(v, Tensor)}
        for group in ([] if optimizer is None else optimizer.param_groups)
    ]


def _check_like(place: int, known: Any, given: Any) -> None:
    if not isinstance(known, Tensor) or not isinstance(given, Tensor):
        raise ValueError(
            f"inputs must be the same objects as before unless they are tensors, got another "
            f"{type(given).__name__} at position {place}."
        )
    if (known.shape, known.dtype, known.device) != (given.shape, given.dtype, given.device):
        raise ValueError(
            f"inputs must have the shape, dtype and device of the first, {list(known.shape)} "
            f"{known.dtype} on {known.device}, got {list(given.shape)} {given.dtype} on "
            f"{given.device} at position {place}."
        )
