"""Full-batch training, evaluation and seeds; the caller owns the loop."""

from sparsegnn.training.captured_step import CapturedStep
from sparsegnn.training.l1_adam import L1Adam
from sparsegnn.training.loop import BestEpoch, Trainee, accuracy, evaluate, fit, train_step
from sparsegnn.training.seeding import derive_seed, seeded
from sparsegnn.training.sparse_model import SparseModel, SparsityReport
from sparsegnn.training.sparsify import sparsify
from sparsegnn.training.task import NodeTask, Split

__all__ = [
    "BestEpoch",
    "CapturedStep",
    "L1Adam",
    "NodeTask",
    "SparseModel",
    "SparsityReport",
    "Split",
    "Trainee",
    "accuracy",
    "derive_seed",
    "evaluate",
    "fit",
    "seeded",
    "sparsify",
    "train_step",
]
