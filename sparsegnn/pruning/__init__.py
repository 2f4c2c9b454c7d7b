"""Methods that find sparse graphs and sparse weights."""

from sparsegnn.pruning.base import TicketSearch
from sparsegnn.pruning.config import UGSConfig
from sparsegnn.pruning.events import EpochEvent, RoundResult
from sparsegnn.pruning.random_ticket import random_ticket
from sparsegnn.pruning.selection import keep_count, select_random, select_top
from sparsegnn.pruning.ugs import UGS

__all__ = [
    "UGS",
    "EpochEvent",
    "RoundResult",
    "TicketSearch",
    "UGSConfig",
    "keep_count",
    "random_ticket",
    "select_random",
    "select_top",
]
