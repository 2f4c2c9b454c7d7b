import copy

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

import sparsegnn as sg
from sparsegnn.nn.kept_linear import CSR_BELOW, KeptLinear
from sparsegnn.testing import assert_close

OUT, IN, NODES = 11, 7, 9


def problem(density: float = 0.4, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    weight = torch.randn(OUT, IN, dtype=dtype)
    keep = torch.rand(OUT, IN) < density
    x = torch.randn(NODES, IN, dtype=dtype) * (torch.rand(NODES, IN) < 0.5)
    return weight, keep, x


def layer(form: str, keep: torch.Tensor, weight: torch.Tensor, **options: object) -> KeptLinear:
    bias = torch.nn.Parameter(torch.randn(OUT, dtype=weight.dtype))
    return KeptLinear(weight, keep, bias, form=form, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("form", ["dense", "csr"])
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_equals_the_masked_layer_and_its_gradients(form: str, sparse: bool, density: float) -> None:
    weight, keep, x = problem(density)
    lin = layer(form, keep, weight)
    full = (weight * keep).requires_grad_()
    features = x.clone().requires_grad_()
    expected = features @ full.t() + lin.bias
    given = sg.SparseMatrix.from_dense(x) if sparse else x.clone().requires_grad_()
    y = lin(given)
    assert_close(y.detach(), expected.detach())
    upstream = torch.randn_like(y)
    expected.backward(upstream)
    y.backward(upstream)
    assert full.grad is not None and lin.weight.values.grad is not None
    assert_close(lin.weight.values.grad, full.grad[keep])
    if isinstance(given, torch.Tensor):
        assert_close(given.grad, features.grad)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("form", ["dense", "csr"])
def test_rows_and_columns_that_take_no_part(form: str, sparse: bool) -> None:
    weight, keep, x = problem(0.5)
    rows, cols = torch.tensor([1, 4, 5, 10]), torch.tensor([0, 2, 3, 6])
    keep[:, [1, 4, 5]] = False
    lin = layer(form, keep, weight, rows=rows, cols=cols)
    narrow = x[:, cols]
    y = lin(sg.SparseMatrix.from_dense(narrow) if sparse else narrow)
    assert lin.shape == (*y.shape[1:], 4)
    full = (weight * keep).requires_grad_()
    expected = (x @ full.t() + lin.bias.detach())[:, rows]
    assert_close(y.detach(), expected.detach())
    expected.square().sum().backward()
    y.square().sum().backward()
    assert full.grad is not None
    assert_close(lin.weight.values.grad, full.grad[keep])
    untouched = torch.ones(OUT, dtype=torch.bool)
    untouched[rows] = False
    assert (lin.weight.values.grad[untouched[keep.nonzero()[:, 0]]] == 0).all()
    assert (lin.bias.grad[untouched] == 0).all()
    assert_close(lin.weight.to_dense().detach(), weight * keep)


@pytest.mark.parametrize("form", ["dense", "csr"])
def test_second_derivatives(form: str) -> None:
    weight, keep, x = problem()
    lin = layer(form, keep, weight, rows=torch.tensor([0, 3, 7]))
    values = lin.weight.values.detach().requires_grad_()
    leaf = x.clone().requires_grad_()

    def run(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        state = {"weight.values": values}
        return torch.func.functional_call(lin, state, (x,))  # type: ignore[no-any-return]

    assert gradcheck(run, (values, leaf))
    assert gradgradcheck(run, (values, leaf))


def test_leading_dimensions_and_input_major_weights() -> None:
    weight, keep, x = problem()
    lin = layer("csr", keep, weight)
    other = layer("dense", keep, weight.t().contiguous().t())
    other.load_state_dict(lin.state_dict())
    batch = torch.stack([x, 2 * x])
    assert lin(batch).shape == (2, NODES, OUT)
    assert_close(lin(batch).detach(), other(batch).detach())


def test_the_form_goes_by_the_share_of_kept_entries() -> None:
    weight = torch.randn(100, 100)
    few, many = torch.zeros(100, 100), torch.ones(100, 100)
    few[:5] = 1
    assert KeptLinear(weight, few > 0).form_for(False) == "csr"
    assert KeptLinear(weight, many > 0).form_for(False) == "dense"
    rows = torch.arange(5)
    assert 0.05 <= CSR_BELOW
    assert KeptLinear(weight, few > 0, rows=rows).form_for(False) == "dense"


def test_state_dict_and_copies() -> None:
    weight, keep, x = problem()
    lin = layer("csr", keep, weight)
    assert list(lin.state_dict()) == ["bias", "weight.values", "weight.index"]
    y = lin(x)
    twin = copy.deepcopy(lin)
    assert torch.equal(twin(x), y)
    assert lin.float()(x.float()).dtype == torch.float32
    other = layer("csr", ~keep, weight)
    with pytest.raises(ValueError, match=r"weight\.index must be that of the model's own mask"):
        other.load_state_dict(lin.state_dict())


def test_autocast_and_compile() -> None:
    weight, keep, x = problem(dtype=torch.float32)
    for form in ("dense", "csr"):
        lin = layer(form, keep, weight)
        expected = lin(x)
        assert_close(torch.compile(lin, fullgraph=True, backend="eager")(x), expected.detach())
        with torch.autocast("cpu", torch.bfloat16):
            y = lin(x)
        assert y.dtype == torch.bfloat16
        assert_close(y.detach(), expected.detach())


def test_bad_arguments() -> None:
    weight, keep, _ = problem()
    with pytest.raises(ValueError, match="form must be 'dense', 'csr' or None, got 'coo'"):
        layer("coo", keep, weight)
    with pytest.raises(ValueError, match=r"rows must lie in \[0, 11\), got 11 at position 0"):
        KeptLinear(weight, keep, rows=torch.tensor([11]))
    with pytest.raises(ValueError, match="cols must ascend"):
        KeptLinear(weight, keep, cols=torch.tensor([3, 1]))
    with pytest.raises(ValueError, match=r"mask must be bool of shape \[11, 7\]"):
        KeptLinear(weight, keep.t())
