from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsegnn.cli.config import PruneConfig, make_config, read_toml
from sparsegnn.cli.errors import CliError


def test_published_settings_with_overrides_on_top() -> None:
    settings = make_config({"dataset": "pubmed", "ugs": {"rounds": 3}}).method_config
    assert (settings.lr, settings.weight_decay, settings.rounds) == (0.01, 5e-4, 3)


def test_later_layers_win_key_by_key() -> None:
    first = {"seed": 1, "hidden": 16, "ugs": {"rounds": 3, "lr": 0.5}}
    config = make_config(first, {"hidden": 32, "ugs": {"rounds": 9}})
    assert (config.seed, config.hidden, config.ugs) == (1, 32, {"rounds": 9, "lr": 0.5})


def test_own_file_takes_the_default_settings() -> None:
    assert make_config({"dataset": "mine.npz"}).method_config.lr == 0.008


def test_seed_list() -> None:
    assert make_config({"seed": 3, "seeds": 2}).seed_list == [3, 4]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"hiden": 3}, "unknown key 'hiden'"),
        ({"rounds": 3}, r"'rounds' belongs into the table \[ugs\]"),
        ({"ugs": {"round": 3}}, "unknown key 'round'"),
        ({"ugs": {"rounds": 0}}, "rounds: .*got 0"),
        ({"ugs": {"rounds": 2.5}}, "rounds: .*got 2.5"),
        ({"ugs": {"pairs": "both"}}, "pairs: .*got 'both'"),
        ({"ugs": {"reference": True, "pairs": "undirected"}}, "pairs must be 'directed'"),
        ({"ugs": 3}, "ugs must be a table, got 3"),
        ({"seeds": 0}, "seeds: .*got 0"),
        ({"seed": "1"}, "seed: .*got '1'"),
        ({"threads": -1}, "threads: .*got -1"),
        ({"dropout": 1.0}, "dropout: .*got 1.0"),
        ({"minutes": float("inf")}, "minutes: "),
        ({"method": "rigl"}, "method: .*'ugs'.*got 'rigl'"),
        ({"random": "some"}, "random: .*got 'some'"),
    ],
)
def test_bad_settings_are_one_sentence(values: dict[str, object], message: str) -> None:
    with pytest.raises(CliError, match=message) as caught:
        make_config(values, where="run.toml")
    assert str(caught.value).startswith("run.toml: ")
    assert "\n" not in str(caught.value)


@given(st.dictionaries(st.text(max_size=8), st.none() | st.integers() | st.text(max_size=8)))
def test_any_table_gives_a_config_or_a_sentence(values: dict[str, object]) -> None:
    try:
        config = make_config(values)
    except CliError as error:
        assert "\n" not in str(error)
        return
    assert isinstance(config, PruneConfig)


def test_toml(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("seeds = 2\n[ugs]\nlr = 0.01\n")
    assert make_config(read_toml(path)).ugs == {"lr": 0.01}


@pytest.mark.parametrize("content", [b"seeds = ", b"\xff\xfe", b"[ugs\n"])
def test_not_toml(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(content)
    with pytest.raises(CliError, match="not a TOML file"):
        read_toml(path)


def test_missing_toml(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="No such file"):
        read_toml(tmp_path / "none.toml")
