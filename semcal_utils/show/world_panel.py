"""The world redrawn by hand: one slider for each label, and the filter follows."""

from __future__ import annotations

from collections.abc import Mapping

import ipywidgets
import numpy as np
import pandas as pd

from semcal_utils.rejection.stream_replay import StreamReplay
from semcal_utils.show.escaping import visible_text
from semcal_utils.show.panels import panel, slider
from semcal_utils.show.replayed_stream import draw_replayed_stream
from semcal_utils.show.svg import Drawing

MOST_SLIDERS = 12
LEAST_WEIGHT = 0.1
"""Percent; no label of a world may be impossible, or one such item would be proof against it."""

GRID = {"grid_template_columns": "repeat(auto-fill, minmax(300px, 1fr))", "grid_gap": "0 16px"}


def world_panel(
    stream: pd.DataFrame,
    general: pd.Series,
    worlds: Mapping[str, pd.Series],
    *,
    seed: int = 0,
    alpha: float = 0.05,
) -> None:
    """Show sliders for the world's label frequencies and the stream filtered towards them.

    The filter needs no new model: it weighs each item by R(label)/G(label). Run headless, it shows
    the last of the worlds.

    Args:
        stream: columns item_id and label and, if known, caption, in order of arrival.
        general: G by label.
        worlds: R by label, by the name of the world; each can be a starting point.
        seed: fixes the coins.
        alpha: the false-alarm rate that is accepted.
    """
    names = list(worlds)
    held = general.sort_values(ascending=False, kind="stable").index[:MOST_SLIDERS]
    held = [label for label in general.index if label in set(held)]
    start = ipywidgets.Dropdown(options=names, value=names[-1], description="start from")
    last = worlds[names[-1]]
    size = {"width": "auto", "text_width": "110px"}
    weights = [
        slider(visible_text(label), _percent(last, label), LEAST_WEIGHT, 100, 0.1, ".1f", **size)
        for label in held
    ]

    def draw(start: str, **values: float) -> Drawing:
        world = redrawn_world(worlds[start], dict(zip(held, values.values(), strict=True)))
        replay = filtered_towards(stream, general, world, seed=seed, alpha=alpha)
        return draw_replayed_stream(replay.moment(len(replay)))

    def restart(change: Mapping[str, str]) -> None:
        for label, control in zip(held, weights, strict=True):
            control.value = _percent(worlds[change["new"]], label)

    start.observe(restart, names="value")
    controls = {"start": start} | {f"weight_{n}": control for n, control in enumerate(weights)}
    rarer = len(general) - len(held)
    note = f"; {rarer} rarer labels keep their share" if rarer else ""
    told = ipywidgets.HTML(f"weights of the labels in the world, rescaled to 100 %{note}")
    above = ipywidgets.VBox([start, told, ipywidgets.GridBox(weights, layout=GRID)])
    panel(draw, controls, above=above)


def redrawn_world(base: pd.Series, weights: Mapping[str, float]) -> pd.Series:
    """Return label frequencies with some labels set anew, rescaled to sum to one.

    Args:
        base: R by label.
        weights: percent by label; labels not named keep their share of the base.

    Returns:
        R by label, summing to one.
    """
    world = base.copy().astype(float)
    for label, weight in weights.items():
        world[label] = max(weight, LEAST_WEIGHT) / 100
    return world / world.sum()


def filtered_towards(
    stream: pd.DataFrame, general: pd.Series, world: pd.Series, *, seed: int, alpha: float = 0.05
) -> StreamReplay:
    """Return the stream under the filter that weighs items by R(label)/G(label).

    Args:
        stream: columns item_id and label and, if known, caption, in order of arrival.
        general: G by label; an item whose label it lacks is refused.
        world: R by label.
        seed: fixes the coins.
        alpha: the false-alarm rate that is accepted.

    Returns:
        The replay, under the exact bound of these ratios.
    """
    known = general[general > 0]
    ratio = np.log(world.reindex(known.index) / known)
    arriving = stream.assign(log_ratio=stream["label"].map(ratio).astype(float))
    return StreamReplay(
        arriving, world, log_bound=max(0.0, float(ratio.max())), seed=seed, alpha=alpha
    )


def _percent(world: pd.Series, label: str) -> float:
    return max(LEAST_WEIGHT, round(100 * float(world[label]), 1))
