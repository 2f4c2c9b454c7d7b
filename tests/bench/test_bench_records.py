from pathlib import Path

import pytest
from rich.console import Console

from bench.bars import BARS, Bar
from bench.environment import describe
from bench.harness import Plan, measure, ratios
from bench.judge import judge
from bench.records import read_record, write_record
from bench.report import losses, print_record
from bench.schema import Bandwidth, CaseRecord, Ratio, Record
from bench.stats import summarize


def _case(name: str = "case", peers: dict[str, float] | None = None) -> CaseRecord:
    timings = measure({"sparsegnn": lambda: None}, Plan(rounds=2, settle_s=0.0, min_sample_s=0.0))
    found = [
        Ratio(peer=peer, wall=summarize([value]), cpu=summarize([10.0 * value]))
        for peer, value in (peers or {}).items()
    ]
    return CaseRecord(
        name=name,
        params={"graph": "generated", "n": 1},
        threads=1,
        subject="sparsegnn",
        timings=timings,
        ratios=found or ratios(timings, "sparsegnn"),
        max_error={"sparsegnn": 0.0},
    )


def _record(*cases: CaseRecord) -> Record:
    return Record(
        suite="cpu",
        mode="quick",
        created="2030-01-01T00:00:00+00:00",
        environment=describe(),
        bandwidth=[Bandwidth(threads=1, bytes_moved=8, gb_per_s=summarize([1.0, 2.0]))],
        cases=list(cases),
        bars=[judge(bar, list(cases)) for bar in BARS],
    )


def test_a_record_survives_its_file(tmp_path: Path) -> None:
    record = _record(_case())
    path = tmp_path / "deep" / "record.json"
    write_record(path, record)
    assert read_record(path) == record
    assert [file.name for file in path.parent.iterdir()] == ["record.json"]


def test_a_failed_write_leaves_the_old_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "record.json"
    write_record(path, _record())
    before = path.read_bytes()

    def broken(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("bench.records.os.fsync", broken)
    with pytest.raises(OSError, match="disk full"):
        write_record(path, _record(_case()))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]


@pytest.mark.parametrize("text", ["", "{", "{}", '{"schema_id": "other/1"}'])
def test_foreign_files_are_rejected(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(ValueError):
        read_record(path)


def test_environment_names_no_folder_and_no_host() -> None:
    environment = describe()
    text = environment.model_dump_json()
    assert str(Path.home()) not in text and "/" + "work" not in text
    assert environment.versions["torch"] != "not installed"
    assert environment.cores >= 1


def test_the_fastest_matching_peer_is_judged() -> None:
    bar = Bar("key", "what", "case", 2.0, peers=("torch",))
    peers = {"torch a": 3.0, "torch b": 1.9, "other": 0.1}
    result = judge(bar, [_case(peers=peers)])
    assert (result.peer, result.met) == ("torch b", False)
    assert result.measured is not None and result.measured.median == 1.9


def test_bars_read_the_quantity_they_name() -> None:
    bar = Bar("key", "what", "case", 15.0, peers=("torch",), quantity="cpu")
    assert judge(bar, [_case(peers={"torch": 2.0})]).met is True


def test_bars_from_values_and_upper_bars() -> None:
    bar = Bar("key", "what", "case", 300.0, relation="<=", field="seconds")
    case = _case().model_copy(update={"values": {"seconds": 299.0}})
    assert judge(bar, [case]).met is True
    assert judge(bar, [case.model_copy(update={"values": {"seconds": 301.0}})]).met is False
    assert judge(bar, [_case()]).met is None


def test_a_case_that_did_not_run_is_neither_met_nor_missed() -> None:
    for bar in BARS:
        result = judge(bar, [])
        assert result.met is None and result.measured is None


def test_bars_are_distinct_and_name_their_source() -> None:
    assert len({bar.key for bar in BARS}) == len(BARS)
    assert all(bar.source and bool(bar.peers) != bool(bar.field) for bar in BARS)


def test_losses_are_other_software_only() -> None:
    case = _case(peers={"torch": 0.9, "sparsegnn dense model": 0.5, "scipy": 1.1})
    assert [ratio.peer for _, ratio in losses([case])] == ["torch"]


def test_the_report_shows_bars_losses_and_failures(capsys: pytest.CaptureFixture[str]) -> None:
    case = _case("topk-mask/n=10000000", {"torch.topk": 0.5})
    record = _record(case).model_copy(update={"skipped": {"sddmm": "ValueError: broken"}})
    print_record(record, Console(width=200))
    printed = capsys.readouterr().out
    assert "missed" in printed and "Lost comparisons" in printed and "not run" in printed
    assert "failed: sddmm: ValueError: broken" in printed
    assert "topk-mask/n=10000000 (generated, 1 thr)" in printed
