import pytest
from rich.console import Console

from bench.cases import Case, run_case
from bench.harness import Plan
from bench.report_grid import families, grid_table
from bench.schema import CaseRecord, Ratio
from bench.stats import summarize

ONE = Plan(rounds=2, warmup=1, min_sample_s=0.0, settle_s=0.0)


def _cell(name: str, **peers: float) -> CaseRecord:
    record = run_case(Case(name, {"sparsegnn": lambda: None}), ONE)
    found = [
        Ratio(peer=peer, wall=summarize([value]), cpu=summarize([value]))
        for peer, value in peers.items()
    ]
    return record.model_copy(update={"ratios": found, "values": {"gb_per_s": 7.77}})


@pytest.fixture
def cells() -> list[CaseRecord]:
    with_memory = _cell("spmm/b/width=64", torch=0.31, scipy=123.4).model_copy(
        update={"peak_bytes": {"sparsegnn": 2, "torch": 9}}
    )
    return [_cell("spmm/a/width=16", torch=4.0), _cell("spmm/a/width=64", torch=9.0), with_memory]


def test_families_have_three_part_names_and_more_than_one_case(cells: list[CaseRecord]) -> None:
    others = [_cell("topk/n=3"), _cell("alone/a/width=16")]
    found = families([*cells, *others])
    assert list(found) == ["spmm"]
    assert list(found["spmm"]) == [("a", "width=16"), ("a", "width=64"), ("b", "width=64")]


def test_every_cell_is_printed(cells: list[CaseRecord], capsys: pytest.CaptureFixture[str]) -> None:
    Console(width=200).print(grid_table("spmm", families(cells)["spmm"]))
    lines = capsys.readouterr().out.splitlines()
    (both,) = [line for line in lines if "4.00" in line]
    assert "9.00" in both and "6.00" in both  # 6 = sqrt(4 * 9)
    (lost,) = [line for line in lines if "0.31" in line and " b " in line]
    assert "-" in lost
    assert any("123" in line for line in lines)
    assert any("4.50" in line for line in lines)  # peak memory 9 / 2
    assert any("all 3 cells" in line and "2.23" in line for line in lines)
    assert sum("7.77" in line for line in lines) == 3
