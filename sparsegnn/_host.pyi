from typing import Any

import numpy as np
from numpy.typing import NDArray

def sort_coo(
    row: NDArray[np.int64],
    col: NDArray[np.int64],
    num_rows: int,
    num_cols: int,
    row_name: str = "row",
    col_name: str = "col",
) -> tuple[NDArray[np.int64], NDArray[np.int64], bool]: ...
def pair_edges(
    row: NDArray[np.int64], col: NDArray[np.int64], num_nodes: int
) -> tuple[NDArray[np.int64], Any]: ...
