"""Profiles of models: what is planned, what it should cost, and what it costs."""

from sparsegnn.profiling.break_even import BreakEven
from sparsegnn.profiling.machine import Machine, calibrate
from sparsegnn.profiling.masks import RandomMasks
from sparsegnn.profiling.result import Cell, Profile, Ratio
from sparsegnn.profiling.subject import (
    KINDS,
    Data,
    Pruned,
    Subject,
    load_data,
    make_subject,
    of_ticket,
)
from sparsegnn.profiling.sweep import profile

__all__ = [
    "KINDS",
    "BreakEven",
    "Cell",
    "Data",
    "Machine",
    "Profile",
    "Pruned",
    "RandomMasks",
    "Ratio",
    "Subject",
    "calibrate",
    "load_data",
    "make_subject",
    "of_ticket",
    "profile",
]
