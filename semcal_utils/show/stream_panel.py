"""The stream flowing through the filter: play, pause, and turn its knobs while it flows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import ipywidgets
import pandas as pd
from IPython.display import display

from semcal_utils.rejection.decision_tables import require_columns
from semcal_utils.rejection.stream_replay import StreamReplay
from semcal_utils.show.moments import draw_moment
from semcal_utils.show.panels import is_headless, show_static, slider, values_of
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
    choices = {
        "world": ipywidgets.Dropdown(options=worlds, value=worlds[-1], description="world"),
        "recipe": ipywidgets.Dropdown(options=recipes, value=recipes[-1], description="recipe"),
        "share_of_bound": slider("share of the recipe's log bound", 1.0, 0.0, 1.5),
    }

    def replay() -> StreamReplay:
        return streams.replay(**values_of(choices))

    if is_headless():
        show_static(draw_moment(replay().moment(len(replay()))), choices)
        return
    StreamPlayer(replay, choices, start=start).show()


class StreamPlayer:
    """A stream at some place, with play and pause, and the picture of that moment.

    Args:
        replay: the stream that the choices name.
        choices: three controls that name it.
        start: how many items have passed at first.
    """

    def __init__(
        self, replay: Callable[[], StreamReplay], choices: Mapping[str, Any], *, start: int
    ) -> None:
        self._replay, self._choices = replay, choices
        items = len(replay())
        self.player = ipywidgets.Play(min=0, max=10**7, interval=TICK)
        self.speed = slider("speed, items a second", 100, 10, 1000, 10, ".0f")
        self.place = slider("items seen", min(start, items), 0, items, 1, ".0f")
        self.picture = ipywidgets.HTML(self._draw().html)
        self.player.observe(self._tick, names="value")
        for control in (self.place, *choices.values()):
            control.observe(self._redraw, names="value")

    def show(self) -> None:
        """Display the controls over the picture."""
        first, second, bound = self._choices.values()
        line = ipywidgets.HBox(
            [self.player, first, second], layout=ipywidgets.Layout(flex_flow="row wrap")
        )
        display(ipywidgets.VBox([line, bound, self.speed, self.place, self.picture]))

    def _draw(self) -> Drawing:
        return draw_moment(self._replay().moment(int(self.place.value)))

    def _redraw(self, _: object) -> None:
        # Streams of another world may hold more items or fewer.
        self.place.max = len(self._replay())
        self.picture.value = self._draw().html

    def _tick(self, change: Mapping[str, int]) -> None:
        if change["new"] == 0:  # the stop button
            self.place.value = 0
            return
        self.place.value += max(1, round(self.speed.value * TICK / 1000))
        if self.place.value >= self.place.max:
            self.player.playing = False
