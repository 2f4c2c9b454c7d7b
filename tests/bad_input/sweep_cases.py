"""One corruption of one argument at a time: a typed sentence, or the documented result."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from sweep_kinds import STRUCTURED_KINDS
from sweep_operators import OPERATORS, WIDTH, Arguments, Operator, floats
from sweep_structured import STRUCTURED, checks_walks

import sparsegnn as sg
from sparsegnn.testing import ADVERSARIAL, adversarial_graph, assert_close, random_graph
from sparsegnn.testing.graphs import EdgeList

Corruption = Callable[[Any], Any]
EDGES = random_graph(7, 9, 30, seed=11)
INF, NAN = float("inf"), float("nan")


class Case(NamedTuple):
    """A case of the sweep; `check` raises AssertionError where the promise is broken."""

    name: str
    check: Callable[[], None]


def other_rank(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """The values with one dimension more, one less, none."""
    return {
        "one dimension more": tensor.unsqueeze(-1),
        "one dimension less": tensor[0],
        "no dimension": torch.tensor(1.0),
    }


def other_type(tensor: torch.Tensor) -> dict[str, Any]:
    """The values as something that is no floating dense tensor."""
    return {
        "int64": tensor.long(),
        "int32": tensor.int(),
        "uint8": tensor.abs().byte(),
        "complex": tensor.to(torch.complex64),
        "float8": tensor.to(torch.float8_e4m3fn),
        "meta device": tensor.to("meta"),
        "sparse layout": tensor.to_sparse(),
        "numpy": tensor.numpy(),
        "list": tensor.tolist(),
        "string": "x",
        "SparseMatrix": sg.SparseMatrix.from_dense(torch.eye(3)),
    }


def longer_and_shorter(tensor: torch.Tensor, dim: int) -> dict[str, torch.Tensor]:
    """One entry more and one less along a dimension, and none."""
    return {
        f"longer along {dim}": torch.cat([tensor, tensor.narrow(dim, 0, 1)], dim),
        f"shorter along {dim}": tensor.narrow(dim, 1, tensor.shape[dim] - 1),
        f"empty along {dim}": tensor.narrow(dim, 0, 0),
    }


def wrong_vector(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no vector of this length."""
    types = {**other_type(tensor), "bool": tensor > 0}
    return {**types, **other_rank(tensor), **longer_and_shorter(tensor, 0)}


def wrong_matrix(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no matrix with these rows."""
    types = {**other_type(tensor), "bool": tensor > 0, "none": None}
    return {**types, **other_rank(tensor), **longer_and_shorter(tensor, 0)}


def wrong_optional_matrix(tensor: torch.Tensor) -> dict[str, Any]:
    """What is neither None nor a matrix of this shape."""
    wrong = {**wrong_matrix(tensor), **longer_and_shorter(tensor, 1)}
    del wrong["none"]
    return wrong


def wrong_batch(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no matrix with these columns; any number of rows will do."""
    types = {**other_type(tensor), "bool": tensor > 0, "none": None}
    return {**types, **other_rank(tensor), **longer_and_shorter(tensor, 1)}


def wrong_mask(tensor: torch.Tensor) -> dict[str, Any]:
    """What is neither a bool vector, a soft mask nor a `Mask` of this length."""
    soft = wrong_vector(tensor.float())
    del soft["bool"]
    return {
        **{f"soft {name}": value for name, value in soft.items()},
        **{f"bool {name}": value for name, value in longer_and_shorter(tensor, 0).items()},
        "bool matrix": tensor.unsqueeze(0),
        "Mask of another length": sg.Mask.ones(tensor.numel() + 1),
        "Mask of another rank": sg.Mask.ones(tensor.numel(), 1),
    }


def wrong_hard_mask(tensor: torch.Tensor) -> dict[str, Any]:
    """What is neither a bool vector nor a `Mask` of this length."""
    return {**wrong_mask(tensor), "soft": tensor.float()}


def wrong_edge_matrix(tensor: torch.Tensor) -> dict[str, Any]:
    """What is neither a vector nor a matrix with one row per edge."""
    ranks = other_rank(tensor)
    del ranks["one dimension less"]
    shapes = {**ranks, **longer_and_shorter(tensor, 0), "vector": tensor[:-1, 0]}
    return {**other_type(tensor), **shapes, "bool": tensor > 0, "none": None}


def wrong_dense_matrix(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no floating matrix; any shape will do."""
    return {**wrong_dense(tensor), **other_rank(tensor)}


def wrong_number(_: Any) -> dict[str, Any]:
    """What is neither None nor a number."""
    return {"string": "0.2", "list": [0.2], "matrix": floats(2, 2), "complex": 1j}


def wrong_scores(scores: list[torch.Tensor]) -> dict[str, Any]:
    """What is no sequence of floating tensors of one dtype and device."""
    last = scores[-1]
    wrong = {name: [scores[0], value] for name, value in other_type(last).items()}
    alone = {
        f"{name} alone": [value]
        for name, value in other_type(last).items()
        if name != "meta device"
    }
    return {
        **wrong,
        **alone,
        "bool": [last > 0],
        "mixed dtypes": [scores[0], last.double()],
        "no tensor": [],
        "none": None,
        "number": 3.0,
    }


def wrong_count(count: int) -> dict[str, Any]:
    """What is no number of entries to keep."""
    return {
        "negative": -1,
        "too large": 10_000,
        "beyond int64": 2**70,
        "bool": True,
        "float": float(count),
        "nan": NAN,
        "string": "3",
        "none": None,
    }


def wrong_graph(_: Any) -> dict[str, Any]:
    """What is no graph."""
    return {"edge index": EDGES.edge_index, "dense": floats(3, 3), "none": None, "string": "g"}


def wrong_sparse(matrix: Any) -> dict[str, Any]:
    """What is no sparse matrix of these sizes."""
    return {
        "dense": matrix.to_dense(),
        "torch sparse": matrix.to_dense().to_sparse_csr(),
        "graph": EDGES.graph(),
        "other sizes": sg.SparseMatrix.from_dense(torch.eye(31)),
        "none": None,
        "string": "a",
    }


def wrong_flag(_: Any) -> dict[str, Any]:
    """What is no bool."""
    return {"string": "yes", "tensor": floats(3)}


def wrong_probability(_: Any) -> dict[str, Any]:
    """What is no number between 0 and 1."""
    return {
        "negative": -0.1,
        "above 1": 1.1,
        "infinite": INF,
        "nan": NAN,
        "string": "0.5",
        "none": None,
        "tensor": floats(3),
    }


def wrong_seed(_: Any) -> dict[str, Any]:
    """What is no seed."""
    return {
        "beyond 64 bits": 2**70,
        "float": 0.5,
        "bool": True,
        "string": "1",
        "two numbers": torch.tensor([1, 2]),
        "no dimension": torch.tensor(1),
        "float tensor": torch.tensor([1.0]),
        "meta device": torch.tensor([1]).to("meta"),
    }


def wrong_dense(tensor: torch.Tensor) -> dict[str, Any]:
    """What holds no floating numbers; any shape will do."""
    wrong = {**other_type(tensor), "bool": tensor > 0, "none": None}
    del wrong["meta device"]
    return wrong


def wrong_choice(_: str) -> dict[str, Any]:
    """What is none of the words."""
    return {
        "another word": "product",
        "capitals": "SUM",
        "none": None,
        "number": 1,
        "list": ["sum"],
    }


def wrong_dtype(_: Any) -> dict[str, Any]:
    """What results cannot be stored as."""
    return {
        "int64": torch.int64,
        "bool": torch.bool,
        "complex": torch.complex64,
        "float8": torch.float8_e5m2,
        "string": "float32",
        "type": float,
        "number": 1,
    }


def wrong_panel_weight(tensor: torch.Tensor) -> dict[str, Any]:
    """What is no dense matrix."""
    kinds = other_type(tensor)
    return {
        **{name: kinds[name] for name in ("sparse layout", "numpy", "list", "string")},
        **other_rank(tensor),
    }


def wrong_panels(tensor: torch.Tensor) -> dict[str, Any]:
    """What are no panels of a weight."""
    elsewhere = {"meta device": tensor.to("meta"), "no panel": tensor[:0]}
    return {**wrong_dense(tensor), **other_rank(tensor), **elsewhere}


def wrong_rowptr(rowptr: torch.Tensor) -> dict[str, Any]:
    """What is no row pointer of these entries."""
    last = int(rowptr[-1])
    return {
        "decreasing": rowptr.flip(0) - rowptr.flip(0)[0] + rowptr,
        "starts late": rowptr.clamp(min=1),
        "ends late": torch.cat([rowptr[:-1], rowptr.new_tensor([last + 1])]),
        "ends early": rowptr.clamp(max=last - 1),
        "empty": rowptr[:0],
        "float": rowptr.float(),
        "int16": rowptr.short(),
        "matrix": rowptr.unsqueeze(0),
        "strided": torch.stack([rowptr, rowptr], 1)[:, 0],
        "meta device": rowptr.to("meta"),
        "list": rowptr.tolist(),
        "none": None,
    }


def wrong_columns(col: torch.Tensor) -> dict[str, Any]:
    """What are no columns of these rows."""
    first = torch.zeros_like(col)
    first[0] = 1
    return {
        "too large": col + first * 1000,
        "far too large": col.masked_fill(first > 0, 2**31 - 1),
        "negative": col - first * 1000,
        "int64 beside int32": col.long(),
        "float": col.float(),
        "matrix": col.unsqueeze(0),
        "one more": torch.cat([col, col[:1]]),
        "one less": col[1:],
        "meta device": col.to("meta"),
        "list": col.tolist(),
        "none": None,
    }


KINDS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "graph": wrong_graph,
    "matrix": wrong_matrix,
    "optional matrix": wrong_optional_matrix,
    "batch": wrong_batch,
    "vector": wrong_vector,
    "mask": wrong_mask,
    "hard mask": wrong_hard_mask,
    "edge matrix": wrong_edge_matrix,
    "dense matrix": wrong_dense_matrix,
    "optional number": wrong_number,
    "scores": wrong_scores,
    "row count": wrong_count,
    "count": wrong_count,
    "sparse": wrong_sparse,
    "flag": wrong_flag,
    "choice": wrong_choice,
    "dtype": wrong_dtype,
    "probability": wrong_probability,
    "seed": wrong_seed,
    "dense": wrong_dense,
    "panels": wrong_panels,
    "panel weight": wrong_panel_weight,
    "rowptr": wrong_rowptr,
    "columns": wrong_columns,
    **STRUCTURED_KINDS,
}
FLOATING = (
    *("matrix", "optional matrix", "edge matrix", "dense matrix", "batch", "vector", "dense"),
    *("heads", "rank"),
)


def layouts(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Valid tensors that lie unusually in memory."""
    wide = torch.stack([tensor, tensor + 1.0], dim=-1)
    shifted = torch.cat([tensor.new_zeros(1), tensor.reshape(-1)])[1:].view(tensor.shape)
    return {
        "every second element": wide[..., 0],
        "transposed": tensor.t().contiguous().t() if tensor.dim() == 2 else wide[..., 1],
        "flipped": tensor.flip(0),
        "expanded rows": tensor[:1].expand(tensor.shape),
        "expanded scalar": tensor.new_tensor(0.5).expand(tensor.shape),
        "misaligned": shifted,
    }


def values(tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Valid tensors of unusual numbers."""
    first = torch.zeros(tensor.numel(), dtype=torch.bool)
    first[:1] = True
    place = first.view(tensor.shape)
    return {
        "one NaN": tensor.masked_fill(place, NAN),
        "one infinity": tensor.masked_fill(place, INF),
        "one negative infinity": tensor.masked_fill(place, -INF),
        "all equal": torch.ones_like(tensor),
        "zeros of both signs": tensor.sign() * 0.0,
        "denormals": tensor * 1e-41,
        "large": tensor * 1e18,
    }


def score_values(scores: list[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Score lists of unusual numbers and layouts."""
    names = [*values(scores[0]), *layouts(scores[0])]
    every = [{**values(score), **layouts(score)} for score in scores]
    return {
        **{name: [numbers[name] for numbers in every] for name in names},
        "all NaN": [torch.full_like(score, NAN) for score in scores],
    }


def score_lists(scores: list[torch.Tensor]) -> dict[str, list[torch.Tensor]]:
    """Lists of tensors of unusual sizes."""
    return {
        "an empty tensor among them": [scores[0], torch.empty(0), scores[1]],
        "a number among them": [scores[0], torch.tensor(0.25), scores[1]],
    }


def fails(operator: Operator, argument: str, arguments: Arguments) -> None:
    """One sentence of type ValueError or TypeError that names the argument."""
    try:
        operator.run(**arguments)
    except (ValueError, TypeError) as error:
        text = str(error)
        names = (argument, *operator.names.get(argument, ()))
        assert any(re.search(rf"\b{name}\b", text) for name in names), f"unnamed: {text}"
        assert "\n" not in text and text.endswith(".") and len(text) < 300, f"no sentence: {text}"
    except Exception as error:
        raise AssertionError(f"{type(error).__name__}: {error}") from error
    else:
        raise AssertionError("accepted without an error")


def agrees(operator: Operator, edges: EdgeList, arguments: Arguments) -> None:
    """The result is that of the reference, and the backward pass gives every gradient."""
    expected = operator.expected(edges, **arguments)
    actual = as_list(operator.run(**arguments))
    assert len(actual) == len(expected)
    for left, right in zip(actual, expected, strict=True):
        assert left.shape == right.shape, (left.shape, right.shape)
        assert_same(left, right)
    if operator.differentiable:
        runs_backward(operator, arguments)


def assert_same(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Masks and indices are equal, floating numbers close."""
    if not actual.is_floating_point():
        assert torch.equal(actual, expected), "another selection"
    else:
        assert_close(actual, expected)


def runs_backward(operator: Operator, arguments: Arguments) -> None:
    """Every floating argument gets a gradient of its shape."""
    floating = {
        name: value.detach().requires_grad_()
        for name, value in arguments.items()
        if isinstance(value, torch.Tensor) and value.is_floating_point()
    }
    outputs = as_list(operator.run(**{**arguments, **floating}))
    total = sum(output.sum() for output in outputs)
    grads = torch.autograd.grad(total, list(floating.values()), allow_unused=True)
    for grad, (name, value) in zip(grads, floating.items(), strict=True):
        assert grad is None or grad.shape == value.shape, name


def as_list(result: Any) -> list[torch.Tensor]:
    """The results of an operator as a list."""
    return [result] if isinstance(result, torch.Tensor) else list(result)


def _wrong(op: Operator) -> Iterator[Case]:
    for argument, kind in op.kinds.items():
        for name, value in KINDS[kind](op.arguments(EDGES)[argument]).items():

            def check(argument: str = argument, value: Any = value) -> None:
                fails(op, argument, {**op.arguments(EDGES), argument: value})

            yield Case(f"{argument}/wrong/{name}", check)


def _unusual(op: Operator) -> Iterator[Case]:
    for argument, kind in op.kinds.items():
        value = op.arguments(EDGES)[argument]
        variants: dict[str, Any] = {}
        if kind in FLOATING:
            variants = {**layouts(value), **values(value)}
        elif kind == "scores":
            variants = {**score_values(value), **({} if op.most else score_lists(value))}
        for name, variant in variants.items():

            def check(argument: str = argument, variant: Any = variant) -> None:
                agrees(op, EDGES, {**op.arguments(EDGES), argument: variant})

            yield Case(f"{argument}/unusual/{name}", check)


def _row_counts(op: Operator) -> Iterator[Case]:
    """None and all of the entries of every row."""
    for argument, kind in op.kinds.items():
        for count in (0, 1, WIDTH) if kind == "row count" else ():

            def check(argument: str = argument, count: int = count) -> None:
                agrees(op, EDGES, {**op.arguments(EDGES), argument: count})

            yield Case(f"{argument}/{count}", check)


def _counts(op: Operator) -> Iterator[Case]:
    for argument, kind in op.kinds.items():
        if kind != "count":
            continue
        arguments = op.arguments(EDGES)
        total = op.most or sum(score.numel() for score in arguments["scores"])
        ties = [torch.zeros_like(score) for score in arguments["scores"]]
        for count in (0, 1, total - 1, total):
            for name, scores in (("", arguments["scores"]), (", all ties", ties)):

                def check(scores: Any = scores, name: str = argument, k: int = count) -> None:
                    agrees(op, EDGES, {"scores": scores, name: k})

                yield Case(f"{argument}/{count} of {total}{name}", check)


def _graphs(op: Operator) -> Iterator[Case]:
    if not {"graph", "rowptr", "sparse"} & set(op.kinds.values()):
        return
    for name in ADVERSARIAL:

        def check(name: str = name) -> None:
            edges = adversarial_graph(name)
            agrees(op, edges, op.arguments(edges))

        yield Case(f"graph/{name}", check)


def _masks(op: Operator) -> Iterator[Case]:
    """A dropped edge is absent whatever lies behind it."""
    if not op.gathers:
        return
    count = EDGES.edge_index.shape[1]
    source = EDGES.edge_index[0]
    hidden = source == source[0]
    bad = op.arguments(EDGES)[op.gathers].index_fill(0, source[:1], INF)
    bad[source[0], 0] = NAN
    masks = {
        "bool": ~hidden,
        "Mask": sg.Mask.from_bool(~hidden),
        "nothing kept": torch.zeros(count, dtype=torch.bool),
    }
    for name, mask in masks.items():

        def check(mask: Any = mask) -> None:
            arguments = {**op.arguments(EDGES), op.gathers: bad, "edge_mask": mask}
            if "bias" in arguments:
                arguments["relu"] = False
            result = as_list(op.run(**arguments))
            assert all(part.isfinite().all() for part in result), "a dropped edge was read"
            plain = mask.to_bool() if isinstance(mask, sg.Mask) else mask
            expected = op.expected(EDGES, **{**arguments, "edge_mask": plain})
            for left, right in zip(result, expected, strict=True):
                assert_close(left, right)

        yield Case(f"edge_mask/NaN and infinity behind dropped edges, {name}", check)


def _sizes(op: Operator) -> Iterator[Case]:
    """No column at all, and more columns than there is memory for."""
    matrices = [name for name in ("x", "a", "b") if op.kinds.get(name) == "matrix"]
    if not matrices:
        return

    def resized(width: int) -> Arguments:
        arguments = op.arguments(EDGES)
        for name in matrices:
            arguments[name] = arguments[name][:, :1].expand(-1, width)
        if "residual" in arguments:
            arguments["residual"] = torch.zeros(EDGES.num_dst, 1).expand(-1, width)
        if "bias" in arguments:
            arguments["bias"] = torch.zeros(1).expand(width)
        if op.kinds.get("t") == "temperature":
            arguments["t"] = torch.ones(1)
        for name in (name for name, kind in op.kinds.items() if kind == "row count"):
            arguments[name] = min(arguments[name], width)
        return arguments

    yield Case("width/0", lambda: agrees(op, EDGES, resized(0)))
    yield Case("width/1", lambda: agrees(op, EDGES, resized(1)))
    yield Case(f"width/{WIDTH * 101}", lambda: agrees(op, EDGES, resized(WIDTH * 101)))
    yield Case("width/2^44", lambda: refuses_memory(lambda: op.run(**resized(2**44))))


def refuses_memory(run: Callable[[], object]) -> None:
    """What cannot be allocated is a MemoryError or torch's own error, never a crash."""
    try:
        run()
    except MemoryError:
        return
    except RuntimeError as error:
        assert re.search("allocate memory|API call failed", str(error)), str(error)
    else:
        raise AssertionError("found room for petabytes")


PARTS = (_wrong, _unusual, _counts, _row_counts, _graphs, _masks, _sizes)


def operator_cases() -> dict[str, Callable[[], None]]:
    """All cases of all operators, by `operator/argument/case`."""
    cases = {
        f"{name}/{case.name}": case.check
        for name, op in {**OPERATORS, **STRUCTURED}.items()
        for part in PARTS
        for case in part(op)
    }
    return {**cases, "random_walk/valid": checks_walks}
