import pytest
from pydantic import ValidationError

from sparsegnn.pruning import UGS, UGSConfig


def test_published_settings():
    cora, pubmed = UGSConfig.for_dataset("cora"), UGSConfig.for_dataset("pubmed", rounds=3)
    assert (cora.lr, cora.weight_decay, cora.graph_l1, cora.weight_l1) == (0.008, 8e-5, 1e-2, 1e-2)
    assert (pubmed.lr, pubmed.graph_l1, pubmed.weight_l1, pubmed.rounds) == (0.01, 1e-6, 1e-3, 3)
    assert cora == UGSConfig()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"rounds": 0}, "rounds"),
        ({"rounds": "3"}, "rounds"),
        ({"graph_rate": 1.0}, "graph_rate"),
        ({"weight_rate": -0.1}, "weight_rate"),
        ({"lr": float("nan")}, "lr"),
        ({"pairs": "both"}, "pairs"),
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"reference": True, "pairs": "undirected"}, "pairs must be 'directed'"),
        ({"reference": True, "mask_targets": "predicted"}, "mask_targets 'train'"),
        ({"reference": True, "mask_lr": 0.1}, "mask_lr"),
    ],
)
def test_bad_settings_are_named(settings, word):
    with pytest.raises(ValidationError, match=word):
        UGSConfig(**settings)


def test_reference_is_directed_and_config_is_frozen():
    config = UGSConfig(reference=True)
    assert config.pairs == "directed"
    with pytest.raises(ValidationError):
        config.rounds = 2


def test_unknown_dataset_and_double_settings():
    with pytest.raises(ValueError, match=r"name must be one of .*, got 'reddit'"):
        UGSConfig.for_dataset("reddit")
    with pytest.raises(ValueError, match="config must be None when settings are given"):
        UGS(UGSConfig(), rounds=3)
    assert UGS(rounds=3).config.rounds == 3
