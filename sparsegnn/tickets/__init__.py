"""Tickets: portable files of a pruning run, and the compiler that makes them fast."""

from sparsegnn._json import Json
from sparsegnn.compiler.compiled import CompiledModel
from sparsegnn.compiler.macs import MacCount, papers_macs
from sparsegnn.compiler.report import Report
from sparsegnn.tickets.errors import TicketError
from sparsegnn.tickets.masking import MaskedWeight
from sparsegnn.tickets.sparsity import Count, Sparsity
from sparsegnn.tickets.ticket import Ticket

__all__ = [
    "CompiledModel",
    "Count",
    "Json",
    "MacCount",
    "MaskedWeight",
    "Report",
    "Sparsity",
    "Ticket",
    "TicketError",
    "papers_macs",
]
