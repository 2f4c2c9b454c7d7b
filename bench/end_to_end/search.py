"""The full search and the accuracy of its tickets: minutes each, only in a full run."""

from __future__ import annotations

import math
import time

import numpy as np
import torch

import sparsegnn as sg
from bench.end_to_end.setting import ROUNDS_TO_TICKET, Setting
from bench.schema import CaseRecord
from sparsegnn.pruning import UGS, RoundResult, random_ticket

ROUNDS = 20


def full_search(setting: Setting, seed: int = 0) -> CaseRecord:
    """Time of a 20-round search, values that are not finite, entries off the exact counts."""
    wall, cpu = time.perf_counter(), time.process_time()
    config = setting.config.model_copy(update={"rounds": ROUNDS})
    rounds = list(UGS(config).rounds(setting.model, setting.data, seed=seed))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    values = {
        "seconds": wall,
        "cpu_seconds": cpu,
        "rounds": float(len(rounds) - 1),
        "not_finite": float(sum(_not_finite(result, ticket) for result, ticket in rounds)),
        "count_error": float(sum(_count_error(result, ticket) for result, ticket in rounds)),
    }
    for result, _ in rounds:
        values[f"test_accuracy_round_{result.round}"] = 100.0 * result.test_accuracy
    return _record("ugs-search/cora", {"data": "cora", "rounds": ROUNDS, "seed": seed}, values)


def accuracy(setting: Setting, seeds: int = 5) -> CaseRecord:
    """Test accuracy (%) of dense model, ticket and random ticket at 18.6 / 59.0 %."""
    dense, ticket, random = [], [], []
    config = setting.config.model_copy(update={"rounds": ROUNDS_TO_TICKET})
    for seed in range(seeds):
        rounds = [result for result, _ in UGS(config).rounds(setting.model, setting.data, seed)]
        other, _ = random_ticket(setting.model, setting.data, config, seed, ROUNDS_TO_TICKET)
        dense.append(100.0 * rounds[0].test_accuracy)
        ticket.append(100.0 * rounds[-1].test_accuracy)
        random.append(100.0 * other.test_accuracy)
    spread = float(np.std(dense, ddof=1))
    values = {"below_dense_sd": (float(np.mean(dense)) - float(np.mean(ticket))) / spread}
    values["above_random"] = float(np.mean(ticket)) - float(np.mean(random))
    for name, column in (("dense", dense), ("ticket", ticket), ("random", random)):
        values[f"{name}_mean"] = float(np.mean(column))
        values[f"{name}_sd"] = float(np.std(column, ddof=1))
        values.update({f"{name}_seed_{seed}": value for seed, value in enumerate(column)})
    return _record("ugs-accuracy/cora", {"data": "cora", "seeds": seeds}, values)


def _not_finite(result: RoundResult, ticket: sg.Ticket) -> int:
    tensors = [*ticket.state.values(), *ticket.init_state.values()]
    bad = sum(int((~torch.isfinite(tensor)).sum()) for tensor in tensors)
    return bad + (not math.isfinite(result.val_accuracy + result.test_accuracy))


def _count_error(result: RoundResult, ticket: sg.Ticket) -> int:
    """Entries more or less than the nominal share of pairs and of weights, rounded half up.

    Cora has no self loop, so every pair is two stored edges.
    """
    pairs = _nominal(ticket.edge_mask.numel // 2, 0.95, result.round)
    masks = ticket.weight_masks.values()
    weights = _nominal(sum(mask.numel for mask in masks), 0.80, result.round)
    kept = sum(mask.count for mask in masks)
    return abs(ticket.edge_mask.count - 2 * pairs) + abs(kept - weights)


def _nominal(total: int, share: float, rounds: int) -> int:
    return math.floor(total * share**rounds + 0.5)


def _record(name: str, params: dict[str, str | int], values: dict[str, float]) -> CaseRecord:
    return CaseRecord(
        name=name,
        params=dict(params),
        threads=torch.get_num_threads(),
        subject=None,
        timings={},
        ratios=[],
        max_error={},
        values=values,
    )
