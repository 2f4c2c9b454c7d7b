"""The sections of the benchmark, the ones that decide most first."""

from __future__ import annotations

from bench.gpu import aggregation, bandwidth, dense, rows, selection, step, training
from bench.gpu.sections import Section

SECTIONS = (
    Section("bandwidth", 30.0, bandwidth.cases),
    Section("mask step", 20.0, training.cases),
    Section("selection", 10.0, selection.global_cases),
    Section("row selection", 10.0, selection.row_cases),
    Section("rows", 15.0, rows.cases),
    Section("step", 15.0, step.cases),
    Section("dense", 15.0, dense.cases),
    Section("spmm", 120.0, aggregation.cases),
)
