import pytest

from bench.bars import BARS, Bar
from bench.judge import judge
from bench.schema import CaseRecord, Ratio
from bench.stats import summarize


def _case(name: str, **peers: float) -> CaseRecord:
    ratios = [
        Ratio(peer=peer, wall=summarize([value, value]), cpu=summarize([2 * value]))
        for peer, value in peers.items()
    ]
    return CaseRecord(
        name=name,
        params={},
        threads=1,
        subject="sparsegnn",
        timings={},
        ratios=ratios,
        max_error={},
    )


CELLS = [
    _case("spmm/a/width=16", torch32=2.0, torch64=8.0),
    _case("spmm/b/width=16", torch32=9.0, torch64=8.0),
    _case("spmm-max/b/width=16", torch32=0.1),
    _case("spmm/c/width=16", scipy=1.0),
]
FAMILY = Bar("key", "what", "spmm/*/width=*", 3.0, peers=("torch",), cells=3)


def test_a_family_is_judged_by_the_mean_over_the_fastest_peers() -> None:
    result = judge(FAMILY, CELLS)
    assert result.measured is not None
    assert result.measured.median == pytest.approx(4.0)  # sqrt(2 * 8)
    assert (result.measured.minimum, result.measured.maximum) == (2.0, 8.0)
    assert (result.cells, result.cells_expected, result.met) == (2, 3, True)


def test_the_worst_cell_is_named() -> None:
    result = judge(FAMILY, CELLS)
    assert (result.case, result.peer, result.worst) == ("spmm/a/width=16", "torch32", 2.0)


def test_a_bar_on_every_cell_is_judged_by_the_worst() -> None:
    bar = Bar("key", "what", "spmm/*/width=*", 3.0, peers=("torch",), every=True)
    result = judge(bar, CELLS)
    assert result.measured is not None and result.measured.median == 2.0
    assert result.met is False
    upper = Bar("key", "what", "spmm/*", 3.0, relation="<=", peers=("torch",), every=True)
    assert judge(upper, CELLS).worst == 8.0


def test_memory_is_compared_like_time() -> None:
    bar = Bar("key", "what", "gat/*", 8.0, peers=("PyG",), quantity="memory")
    peaks = {"sparsegnn": 10, "PyG": 90, "other": 1}
    case = _case("gat/a").model_copy(update={"peak_bytes": peaks})
    result = judge(bar, [case])
    assert result.worst == 9.0 and result.met is True
    assert judge(bar, [_case("gat/a", PyG=100.0)]).met is None
    nothing = case.model_copy(update={"peak_bytes": {"sparsegnn": 0, "PyG": 1}})
    assert judge(bar, [nothing]).met is None


def test_values_of_a_family_are_averaged() -> None:
    bar = Bar("key", "what", "spmm/*", 0.9, field="of_copy")
    cells = [
        _case(f"spmm/{value}").model_copy(update={"values": {"of_copy": value}})
        for value in (0.5, 2.0)
    ]
    result = judge(bar, cells)
    assert result.measured is not None and result.measured.median == pytest.approx(1.0)
    assert result.peer is None and result.worst == 0.5


def test_the_bars_of_the_kernel_goals_are_there() -> None:
    values = {bar.key: bar.value for bar in BARS}
    assert (values["spmm:torch"], values["spmm:worst"]) == (2.0, 1.2)
    assert (values["spmm-train:pyg"], values["spmm-train:composite"]) == (18.0, 2.2)
    assert values["spmm:bandwidth"] == 0.9
