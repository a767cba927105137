"""Assignment of rows to columns: greedy, or of least total cost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

Assigner = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def assign_greedily(
    cost: Float[np.ndarray, "n m"], gate: Float[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """The cheapest pair first, then the cheapest of the rest; none that costs more than its column's gate."""
    rows, columns = [], []
    free_rows, free_columns = np.ones(cost.shape[0], bool), np.ones(cost.shape[1], bool)
    for flat in np.argsort(cost, axis=None, kind="stable"):
        row, column = divmod(int(flat), cost.shape[1])
        if free_rows[row] and free_columns[column] and cost[row, column] <= gate[column]:
            rows.append(row)
            columns.append(column)
            free_rows[row] = free_columns[column] = False
    return np.array(rows, int), np.array(columns, int)


def assign_optimally(
    cost: Float[np.ndarray, "n m"], gate: Float[np.ndarray, " m"]
) -> tuple[Int[np.ndarray, " p"], Int[np.ndarray, " p"]]:
    """The pairs of least total cost (Hungarian method); an unmatched column costs its gate."""
    from scipy.optimize import linear_sum_assignment

    gain = np.minimum(np.where(np.isfinite(cost), cost, np.inf) - gate, 0.0)
    rows, columns = linear_sum_assignment(gain)
    allowed = cost[rows, columns] <= gate[columns]
    return rows[allowed], columns[allowed]


ASSIGNMENTS: dict[str, Assigner] = {"greedy": assign_greedily, "hungarian": assign_optimally}
"""Assignment methods: (cost (n, m), gate (m,)) to row and column indices. To extend: one function, one line."""


def require_assignment(name: str) -> Assigner:
    """Look up an assignment method.

    Raises:
        ValueError: If there is none of this name; the message lists the valid ones.
    """
    if name not in ASSIGNMENTS:
        raise ValueError(f"unknown assignment {name!r}; expected one of: {', '.join(ASSIGNMENTS)}")
    return ASSIGNMENTS[name]
