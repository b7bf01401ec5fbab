"""The coin of the first notebook with three sliders."""

from __future__ import annotations

import numpy as np

from semcal_utils.show.coins import draw_coin_filter
from semcal_utils.show.panels import panel, slider
from semcal_utils.show.svg import Drawing


def coin_panel(*, seed: int = 0) -> None:
    """Show the coin with sliders for the stream, the world and the bound.

    Args:
        seed: flips the coins; the same coins for every setting of the sliders.
    """

    def draw(general_heads: float, real_heads: float, share_of_bound: float) -> Drawing:
        rng = np.random.default_rng(seed)
        return draw_coin_filter(general_heads, real_heads, share_of_bound, rng=rng)

    panel(
        draw,
        {
            "general_heads": slider("heads in the stream", 0.8, 0.02, 0.98),
            "real_heads": slider("heads in the world", 0.5, 0.02, 0.98),
            "share_of_bound": slider("share of the exact log bound", 1.0, 0.0, 1.0),
        },
    )
