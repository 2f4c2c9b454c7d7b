import json

import pytest
import torch
from small_task import quick_config, small_model, small_task

from sparsegnn.pruning import UGS

CONFIG = quick_config()
EPOCHS = 4 + 3 * 8


class Killed(Exception):
    pass


def uninterrupted():
    return list(UGS(CONFIG).rounds(small_model(), small_task(), seed=2))


def run_until(folder, epochs):
    seen = 0

    def on_epoch(event):
        nonlocal seen
        seen += 1
        if seen > epochs:
            raise Killed

    rounds = UGS(CONFIG).rounds(
        small_model(), small_task(), seed=2, out=folder, on_epoch=on_epoch, resume=True
    )
    return list(rounds)


@pytest.mark.parametrize("cut", [0, 1, 4, 6, 8, 11, 12, 20, EPOCHS - 1])
def test_resumed_run_equals_an_uninterrupted_one(tmp_path, cut):
    with pytest.raises(Killed):
        run_until(tmp_path, cut)
    resumed = run_until(tmp_path, EPOCHS)
    for (want, ticket), (got, again) in zip(uninterrupted(), resumed, strict=True):
        assert again.sha256() == ticket.sha256()
        assert (got.val_accuracy, got.test_accuracy) == (want.val_accuracy, want.test_accuracy)
        assert got.best_epoch == want.best_epoch


def test_killed_again_and_again_makes_progress(tmp_path):
    for _ in range(3):
        with pytest.raises(Killed):
            run_until(tmp_path, 9)
    resumed = run_until(tmp_path, 9)
    assert [ticket.sha256() for _, ticket in resumed] == [t.sha256() for _, t in uninterrupted()]


def test_a_finished_run_is_read_not_repeated(tmp_path):
    first = run_until(tmp_path, EPOCHS)
    second = run_until(tmp_path, 0)
    assert [result for result, _ in first] == [result for result, _ in second]


def test_more_rounds_may_be_asked_for_later(tmp_path):
    run_until(tmp_path, EPOCHS)
    longer = CONFIG.model_copy(update={"rounds": 4})
    rounds = list(UGS(longer).rounds(small_model(), small_task(), 2, tmp_path, resume=True))
    assert [result.round for result, _ in rounds] == [0, 1, 2, 3, 4]
    shorter = CONFIG.model_copy(update={"rounds": 1})
    rounds = list(UGS(shorter).rounds(small_model(), small_task(), 2, tmp_path, resume=True))
    assert [result.round for result, _ in rounds] == [0, 1]


def test_seeds_share_a_folder_and_a_new_run_replaces_its_own(tmp_path):
    config = quick_config(rounds=1)
    for seed in (0, 1):
        list(UGS(config).rounds(small_model(), small_task(), seed, tmp_path))
    other = quick_config(rounds=1, lr=0.03)
    list(UGS(other).rounds(small_model(), small_task(), 1, tmp_path))
    identity = json.loads((tmp_path / "ugs-seed1.json").read_text())["identity"]
    assert identity["config.lr"] == 0.03
    rounds = list(UGS(config).rounds(small_model(), small_task(), 0, tmp_path, resume=True))
    assert len(rounds) == 2


def test_a_foreign_checkpoint_names_the_field_and_stays(tmp_path):
    run_until(tmp_path, EPOCHS)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    task = small_task()

    def resume(config=CONFIG, model=None, data=task):
        UGS(config).rounds(model or small_model(), data, 2, tmp_path, resume=True)

    with pytest.raises(ValueError, match=r"another run: config.lr is 0.02 there, 0.5 here"):
        resume(quick_config(lr=0.5))
    with pytest.raises(ValueError, match="another run: init is"):
        resume(model=small_model(hidden=9))
    with pytest.raises(ValueError, match="another run: graph is"):
        resume(data=small_task(self_loops=1))
    with pytest.raises(ValueError, match="another run: data is"):
        resume(data=task.with_(y=torch.flip(task.y, [0])))
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}


def test_damaged_files_are_refused(tmp_path):
    run_until(tmp_path, EPOCHS)
    journal = tmp_path / "ugs-seed2.json"
    text = journal.read_text()
    journal.write_text(text[: len(text) // 2])
    with pytest.raises(ValueError, match=r"ugs-seed2.json must be a journal of a run"):
        run_until(tmp_path, EPOCHS)
    journal.write_text(text)
    (tmp_path / "ugs-seed2-round01.ticket").write_bytes(
        (tmp_path / "ugs-seed2-round02.ticket").read_bytes()
    )
    with pytest.raises(ValueError, match=r"ugs-seed2-round01.ticket must have digest"):
        run_until(tmp_path, EPOCHS)
