"""How tables and the numbers in them look."""

from __future__ import annotations

from rich import box
from rich.table import Table

SLOWER = "▼"


def new_table(title: str, *columns: str) -> Table:
    """A table whose first column is text and whose others are numbers."""
    table = Table(
        title=f"\n{title}",
        title_justify="left",
        title_style="bold",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
    )
    first, *rest = columns
    table.add_column(first, no_wrap=True)
    for name in rest:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def millions(count: int) -> str:
    """Operations in millions."""
    return f"{count / 1e6:,.1f} M"


def byte_count(count: int) -> str:
    """Bytes in MB or kB."""
    return f"{count / 1e6:,.2f} MB" if count >= 1e5 else f"{count / 1e3:,.1f} kB"


def milliseconds(median: float, lower_quartile: float, upper_quartile: float) -> str:
    """A median with its quartiles."""
    low, high = three_digits(lower_quartile), three_digits(upper_quartile)
    return f"{three_digits(median)} ({low}-{high})"


def three_digits(value: float) -> str:
    """A number to three digits."""
    decimals = next((places for places in range(3) if value >= 10 ** (2 - places)), 3)
    return f"{value:,.{decimals}f}"


def ratio(value: float | None) -> str:
    """How many times slower something is than ours; red where it is faster."""
    if value is None:
        return "-"
    if value >= 1.0:
        return f"[green]{value:,.{0 if value >= 100 else 1}f}x[/green]"
    return f"[red]{value:.2f}x {SLOWER}[/red]"
