"""Looking at what a run found."""

from __future__ import annotations

from sparsegnn.analysis.plots import Level, Timed, plot_run

__all__ = ["Level", "Timed", "plot_run"]
