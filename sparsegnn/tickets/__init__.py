"""Tickets: portable files of a pruning run, and the compiler that makes them fast."""

from sparsegnn.tickets.compiled import CompiledModel
from sparsegnn.tickets.errors import TicketError
from sparsegnn.tickets.macs import LayerSize, MacCount, executed_macs, papers_macs
from sparsegnn.tickets.masking import MaskedWeight
from sparsegnn.tickets.report import Report
from sparsegnn.tickets.sparsity import Count, Sparsity
from sparsegnn.tickets.ticket import Json, Ticket

__all__ = [
    "CompiledModel",
    "Count",
    "Json",
    "LayerSize",
    "MacCount",
    "MaskedWeight",
    "Report",
    "Sparsity",
    "Ticket",
    "TicketError",
    "executed_macs",
    "papers_macs",
]
