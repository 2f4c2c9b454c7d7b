import json

import pytest

from bench import profile_attention
from bench.graphs import GraphInput
from bench.harness import Plan


def test_a_profile_splits_the_layer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    small = GraphInput("", 60, 400)
    monkeypatch.setattr(profile_attention, "GRAPHS", (small,))
    monkeypatch.setattr(profile_attention, "PLAN", Plan(rounds=2, min_sample_s=0.0))
    profile_attention.main(["--graphs", small.name, "--threads", "1"])
    profiles = json.loads(capsys.readouterr().out)["profiles"]
    assert len(profiles) == len(profile_attention.gat.SHAPES)
    for found in profiles:
        parts = found["milliseconds"]
        assert {"operator", "projection", "scores"} <= set(parts)
        assert found["ratio"] == parts[profile_attention.gat.PYG] / parts["sparsegnn"]
        assert found["memory"]["ratio"] > 1 and found["memory"]["held"]
        assert found["share_of_projection"] == parts["projection"] / parts["sparsegnn"]
