"""The error that every refused ticket raises."""


class TicketError(ValueError):
    """A ticket, or the graph or model given with it, was refused; the message says why."""
