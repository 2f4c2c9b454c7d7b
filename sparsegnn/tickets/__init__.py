"""Tickets: portable files of a pruning run, and the compiler that makes them fast."""

from sparsegnn.tickets.errors import TicketError
from sparsegnn.tickets.sparsity import Count, Sparsity
from sparsegnn.tickets.ticket import Json, Ticket, edge_order

__all__ = ["Count", "Json", "Sparsity", "Ticket", "TicketError", "edge_order"]
