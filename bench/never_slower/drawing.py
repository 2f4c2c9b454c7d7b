"""The cases of the sweep, drawn from a seed."""

from __future__ import annotations

import itertools
import random
from dataclasses import asdict, dataclass, replace

MODELS = ("gcn", "gin", "sage", "gat", "gatv2", "graph-conv", "residual", "jk")
GRAPHS = ("power-law", "regular", "empty", "star", "dense")
PATTERNS = ("unstructured", "rows", "blocks")
WIDTHS = (8, 16, 32, 64, 100, 128, 256, 512)
MOST_NODES, MOST_DENSE_NODES = 20_000, 300
# A pass of the dense model takes some tens of milliseconds at most, and PyG's messages fit memory.
MOST_PRODUCTS = 400_000_000
MOST_MESSAGES = 20_000_000


@dataclass(frozen=True)
class Drawn:
    """One case.

    Attributes:
        index: Its number.
        model: One of `MODELS`.
        layers: Number of graph layers.
        inputs: Features.
        hidden: Width of the layers between.
        classes: Outputs.
        heads: Attention heads, where there are any.
        norm: Between layers: "" for none, or PyG's name of one.
        graph: One of `GRAPHS`.
        nodes: N.
        degree: Edges a node, where the kind of the graph leaves a choice.
        density: Share of features that are not zero.
        sparse_x: Whether features are given as a `SparseMatrix`.
        graph_sparsity: Share of edges pruned.
        weight_sparsity: Share of weights pruned.
        pattern: One of `PATTERNS`.
    """

    index: int
    model: str
    layers: int
    inputs: int
    hidden: int
    classes: int
    heads: int
    norm: str
    graph: str
    nodes: int
    degree: int
    density: float
    sparse_x: bool
    graph_sparsity: float
    weight_sparsity: float
    pattern: str

    @property
    def name(self) -> str:
        """Of the record's case."""
        return f"never-slower/{self.index:03d}/{self.model}/{self.graph}"

    def params(self) -> dict[str, str | int | float | bool]:
        """What identifies the case."""
        return asdict(self)

    @property
    def edges(self) -> int:
        """Edges, at most or about."""
        by_kind = {"empty": 0, "star": 2 * self.nodes, "dense": self.nodes**2 // 2}
        return by_kind.get(self.graph, self.nodes * self.degree)

    @property
    def fits(self) -> bool:
        """Whether a pass is short and small enough to be repeated."""
        widths = [self.inputs, *[self.hidden] * (self.layers - 1), self.classes]
        products = sum(a * b for a, b in itertools.pairwise(widths))
        widest = max(widths)
        return (
            self.nodes * products + self.edges * sum(widths) <= MOST_PRODUCTS
            and self.edges * widest <= MOST_MESSAGES
        )


def draw(seed: int, index: int) -> Drawn:
    """Case number `index`; models and graphs take turns, everything else is random."""
    rng = random.Random(f"{seed}/{index}")
    graph = GRAPHS[index // len(MODELS) % len(GRAPHS)]
    hidden = rng.choice(WIDTHS)
    density = rng.choice((0.01, 0.1, 0.5, 1.0))
    most = MOST_DENSE_NODES if graph == "dense" else MOST_NODES
    drawn = Drawn(
        index=index,
        model=MODELS[index % len(MODELS)],
        layers=rng.randint(1, 4),
        inputs=rng.choice(WIDTHS),
        hidden=hidden,
        classes=rng.choice((8, 16, 40)),
        heads=rng.choice([heads for heads in (1, 2, 4, 8) if hidden % heads == 0]),
        norm=rng.choice(("", "", "batch_norm", "layer_norm")),
        graph=graph,
        nodes=round(10 * (most / 10) ** rng.random()),
        degree=rng.choice((2, 4, 8, 16)),
        density=density,
        sparse_x=density <= 0.1 and rng.random() < 0.5,
        graph_sparsity=rng.choice((0.0, 0.0, 0.1, 0.3, 0.6, 0.9)),
        weight_sparsity=rng.choice((0.0, 0.0, 0.5, 0.8, 0.9, 0.95, 0.99)),
        pattern=rng.choice(PATTERNS),
    )
    while not drawn.fits and drawn.nodes > 20:
        drawn = replace(drawn, nodes=drawn.nodes // 2)
    return drawn
