"""Labels, ratios and acceptance: what the stream holds and what the filter lets through."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from semcal_utils.show.style import COLOURS, frame_or_new, legend_above


def plot_log_ratio_histogram(
    log_ratio: np.ndarray, is_over_represented: np.ndarray, *, ax: Axes | None = None
) -> Axes:
    """Draw log ratios of items whose label is over- and under-represented in the stream.

    Args:
        log_ratio: Nats, shape (items,).
        is_over_represented: True where the item's label is more frequent in the stream than in the
            world, shape (items,).
        ax: Frame to draw in.
    """
    ax = frame_or_new(ax)
    low, high = np.quantile(log_ratio, [0.002, 0.998])
    bins = np.linspace(low, high, 60).tolist()
    for mask, colour, name in (
        (is_over_represented, COLOURS["general"], "label over-represented in the stream"),
        (~is_over_represented, COLOURS["real"], "label under-represented"),
    ):
        ax.hist(log_ratio[mask], bins=bins, color=colour, alpha=0.62, label=name)
    ax.axvline(0, color=COLOURS["quiet"], linestyle=":", linewidth=1.2)
    ax.set(xlabel="log ratio log r(c), nats", ylabel="items")
    legend_above(ax)
    return ax
