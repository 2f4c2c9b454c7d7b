"""The compiler: from a pruned model on a graph to the fastest exact program."""

from sparsegnn.compiler.api import compile
from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.macs import MacCount, papers_macs
from sparsegnn.compiler.model_macs import MacTable
from sparsegnn.compiler.report import Report

__all__ = ["CompiledModel", "MacCount", "MacTable", "Report", "compile", "papers_macs"]
