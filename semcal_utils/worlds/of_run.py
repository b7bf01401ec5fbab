"""The worlds of one run: who belongs to which, and the label frequencies G and R that follow.

Notebook 02 draws them once (`draw`); every later notebook asks the same object (`open`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils.runs import Run
from semcal_utils.worlds.made_worlds import draw_calibration_part, draw_real_split

GENERAL = "general"
"""The stream itself, among the names of what a model can be trained on."""

SPLITS = "splits.parquet"


@dataclass(frozen=True)
class Worlds:
    """The stream's captioned items, and the worlds that were made of them.

    Attributes:
        items: captioned items: item_id, part, label, caption and what else notebook 01 wrote.
        membership: `splits.parquet`: item_id, world (or `general`), role (`train`, which models
            learn from, or `calibration`, which none of them sees).
    """

    items: pd.DataFrame
    membership: pd.DataFrame

    @cached_property
    def names(self) -> list[str]:
        """The worlds in the order of the parameter `WORLDS`."""
        return [name for name in self.membership["world"].unique() if name != GENERAL]

    @cached_property
    def labels(self) -> list[str]:
        """The K labels, sorted: the order of every vector of frequencies."""
        return sorted(self.items["label"].unique())

    @cached_property
    def train(self) -> pd.DataFrame:
        """Captioned items of general_train, with their own row numbers."""
        return self.items[self.items["part"] == "general_train"].reset_index(drop=True)

    @cached_property
    def general(self) -> NDArray[np.float64]:
        """G: (K,) label frequencies of general_train."""
        return self._frequencies(self.train["label"])

    @cached_property
    def real(self) -> dict[str, NDArray[np.float64]]:
        """R: (K,) label frequencies of each world."""
        label = self.train.set_index("item_id")["label"]
        return {name: self._frequencies(label[self.ids(name)]) for name in self.names}

    @cached_property
    def log_bounds(self) -> dict[str, float]:
        """Exact bound log M = log(|G|/|R|) of each world in nats, over what models learnt from."""
        stream = len(self.ids(GENERAL, role="train"))
        return {name: math.log(stream / len(self.ids(name, role="train"))) for name in self.names}

    def ids(self, name: str, *, role: str | None = None) -> list[str]:
        """Return the items of a world, or of `general`.

        Args:
            name: a world of this run, or `general`.
            role: `train` or `calibration`; both if omitted.

        Returns:
            Their item_ids.

        Raises:
            ValueError: a world that this run does not have; the message names those it has.
        """
        if name != GENERAL and name not in self.names:
            raise ValueError(
                f"This run has no world {name!r}; it has {', '.join(self.names)}. Name it in "
                "WORLDS of 02_fine_tuning and run that first."
            )
        rows = self.membership[self.membership["world"] == name]
        return rows["item_id"].loc[rows["role"] == role if role else slice(None)].tolist()

    def texts(self, name: str) -> list[str]:
        """Return the captions that the model of a world, or of `general`, learns from."""
        captions = self.train.set_index("item_id")["caption"]
        return captions[self.ids(name, role="train")].tolist()

    def holds(self, name: str, item_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Tell of each item whether it belongs to a world."""
        return pd.Series(item_ids).isin(set(self.ids(name))).to_numpy()

    def frequencies(self, name: str) -> pd.DataFrame:
        """Return `general` (G) and `real` (R), a row for each label."""
        return pd.DataFrame({GENERAL: self.general, "real": self.real[name]}, index=self.labels)

    def _frequencies(self, labels: pd.Series) -> NDArray[np.float64]:
        counts = labels.value_counts().reindex(self.labels, fill_value=0).to_numpy(float)
        return counts / counts.sum()


def open(run: Run) -> Worlds:
    """Open the worlds of a run.

    Raises:
        MissingArtefact: captions or splits do not exist yet; the message names the notebook.
    """
    captions = run.load_table("captions.parquet")
    return Worlds(captions[captions["caption"] != ""], run.load_table(SPLITS))


def draw(run: Run, targets: Mapping[str, float], *, calibration_share: float, seed: int) -> Worlds:
    """Draw the worlds and the calibration part of a run, or find them drawn.

    Args:
        run: one whose items have captions.
        targets: KL(G‖R) of each world in nats, as in the parameter `WORLDS`.
        calibration_share: part of general_train that no model sees.
        seed: fixes directions and items.

    Raises:
        MissingArtefact: there are no captions yet.
        ValueError: a name or a target that cannot be, or one that the label counts do not reach.
    """
    check_targets(targets)
    captions = run.load_table("captions.parquet")
    train = captions[(captions["caption"] != "") & (captions["part"] == "general_train")]

    def membership() -> pd.DataFrame:
        calibration = draw_calibration_part(train["label"], calibration_share, seed=seed)
        role = np.where(calibration, "calibration", "train")
        members = {GENERAL: np.ones(len(train), dtype=bool)} | {
            name: draw_real_split(train["label"], target_kl=target, seed=seed)
            for name, target in targets.items()
        }
        for name, mask in members.items():
            if len({*role[mask]}) < 2:
                raise ValueError(
                    f"All {mask.sum()} items of {name!r} fall into the {role[mask][0]} part; hold "
                    "out another CALIBRATION_SHARE, or take more items."
                )
        tables = [
            pd.DataFrame({"item_id": train["item_id"][mask], "world": name, "role": role[mask]})
            for name, mask in members.items()
        ]
        return pd.concat(tables, ignore_index=True)

    run.table(
        SPLITS,
        membership,
        captions=run.fingerprint("captions.parquet"),
        worlds=[[name, float(target)] for name, target in targets.items()],
        calibration_share=calibration_share,
        seed=seed,
    )
    return open(run)


def check_targets(targets: Mapping[str, float]) -> None:
    """Check the parameter `WORLDS` before anything expensive runs.

    Args:
        targets: KL(G‖R) in nats by the name of a world.

    Raises:
        ValueError: no world, a name that cannot be a file's, or a target that is no number of nats.
    """
    if not targets:
        raise ValueError("WORLDS names no world; give at least one, such as WORLDS: {close: 0.2}.")
    for name, target in targets.items():
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", str(name)) or name == GENERAL:
            raise ValueError(
                f"WORLDS names the world {name!r}; use letters, digits, - and _, and not "
                f"{GENERAL!r}, which is the stream."
            )
        number = isinstance(target, int | float) and not isinstance(target, bool)
        if not (number and math.isfinite(target) and target >= 0):
            raise ValueError(
                f"The world {name!r} of WORLDS has the value {target!r}; give KL(G‖R) as a number "
                "of nats, zero or more."
            )
