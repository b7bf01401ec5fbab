"""The stream flowing through the filter: play, pause, and turn its knobs while it flows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import ipywidgets
import pandas as pd

from semcal_utils.rejection.decision_tables import require_columns
from semcal_utils.rejection.stream_replay import StreamReplay
from semcal_utils.show.panels import is_headless, panel, slider
from semcal_utils.show.replayed_stream import draw_replayed_stream
from semcal_utils.show.svg import Drawing

TICK = 150
"""Milliseconds from one picture to the next while the stream plays."""


class RecordedStreams:
    """One stream, scored by several recipes against several worlds.

    Args:
        table: acceptance of the stream's items in long form: item_id, label, world, recipe,
            log_ratio, log_bound (nats).
        worlds: R by label, for each world.
        captions: caption by item_id.
        seed: fixes the coins and the order of arrival.
        alpha: the false-alarm rate that is accepted.
        most: of longer streams so many items, chosen at random, flow; a panel shall follow at once.

    Raises:
        ValueError: no item of these worlds, or a column is lacking.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        worlds: Mapping[str, pd.Series],
        captions: pd.Series,
        *,
        seed: int = 0,
        alpha: float = 0.05,
        most: int = 20_000,
    ) -> None:
        require_columns(table, ["item_id", "label", "world", "recipe", "log_ratio", "log_bound"])
        self.recipes = list(table["recipe"].unique())
        self.worlds = [world for world in worlds if (table["world"] == world).any()]
        if not self.worlds:
            raise ValueError(
                f"The table holds no item of the given worlds ({', '.join(worlds)}); run "
                "03_acceptance_probabilities again."
            )
        self._table = table.assign(caption=table["item_id"].map(captions))
        self._worlds, self._seed, self._alpha, self._most = worlds, seed, alpha, most
        self.replay = lru_cache(maxsize=16)(self._replay)

    def log_bound(self, world: str, recipe: str) -> float:
        """Return the recipe's own log M in nats."""
        return float(self._rows(world, recipe)["log_bound"].iloc[0])

    def _rows(self, world: str, recipe: str) -> pd.DataFrame:
        return self._table[(self._table["world"] == world) & (self._table["recipe"] == recipe)]

    def _replay(self, world: str, recipe: str, share_of_bound: float) -> StreamReplay:
        rows = self._rows(world, recipe).sample(frac=1, random_state=self._seed)[: self._most]
        return StreamReplay(
            rows[["item_id", "label", "log_ratio", "caption"]].reset_index(drop=True),
            self._worlds[world],
            log_bound=share_of_bound * self.log_bound(world, recipe),
            seed=self._seed,
            alpha=self._alpha,
        )


def stream_panel(streams: RecordedStreams, *, start: int = 400) -> None:
    """Show the stream with controls for world, recipe, bound and speed, and a play button.

    Run headless, it shows the whole stream once.

    Args:
        streams: what flows.
        start: how many items have passed when the panel opens.
    """
    worlds, recipes = streams.worlds, streams.recipes
    world = ipywidgets.Dropdown(options=worlds, value=worlds[-1], description="world")
    recipe = ipywidgets.Dropdown(options=recipes, value=recipes[-1], description="recipe")
    bound = slider("share of the recipe's log bound", 1.0, 0.0, 1.5)
    items = len(streams.replay(world.value, recipe.value, bound.value))
    place = slider("items seen", items if is_headless() else min(start, items), 0, items, 1, ".0f")
    speed = slider("speed, items a second", 100, 10, 1000, 10, ".0f")
    player = ipywidgets.Play(min=0, max=items, value=int(place.value), interval=TICK)
    ipywidgets.link((player, "value"), (place, "value"))
    ipywidgets.dlink(
        (speed, "value"), (player, "step"), lambda rate: max(1, round(rate * TICK / 1000))
    )

    def draw(world: str, recipe: str, share_of_bound: float, seen: float) -> Drawing:
        replay = streams.replay(world, recipe, share_of_bound)
        # Streams of another world may hold more items or fewer.
        player.max = place.max = len(replay)
        return draw_replayed_stream(replay.moment(int(seen)))

    choices = {"world": world, "recipe": recipe, "share_of_bound": bound, "seen": place}
    line = ipywidgets.HBox([player, world, recipe], layout={"flex_flow": "row wrap"})
    panel(draw, choices, above=ipywidgets.VBox([line, bound, speed, place]))
