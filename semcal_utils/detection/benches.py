"""One bench per world: what every estimator may learn from, is tuned on, and is judged on.

`train` and `calibration` are the two roles of general_train; `test` is general_test. An estimator
learns from `train`, is tuned, calibrated and sharpened on `calibration`, and judged on `test`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils import worlds
from semcal_utils.acceptance import exact_log_bound
from semcal_utils.runs import Run

COLUMNS = ["item_id", "caption", "label", "fine_label"]


@dataclass(frozen=True)
class Bench:
    """The items of one world.

    Attributes:
        world: its name.
        train: item_id, caption, label, fine_label and `real` (bool, member of R) to learn from.
        calibration: the same columns, held out from all learning, to tune on.
        test: general_test, without `real`: no item of it was drawn into R.
        categories: (K,) distinct labels.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
    """

    world: str
    train: pd.DataFrame
    calibration: pd.DataFrame
    test: pd.DataFrame
    categories: tuple[str, ...]
    general: NDArray[np.float64]
    real: NDArray[np.float64]

    @property
    def share(self) -> float:
        """π = |R|/|G| of the training part: how much of the stream belongs to the world."""
        return float(self.train["real"].mean())

    @property
    def log_bound(self) -> float:
        """Exact bound log M = log(|G|/|R|), in nats."""
        return exact_log_bound(len(self.train), int(self.train["real"].sum()))

    @property
    def labelled(self) -> bool:
        """Whether there are labels to compare: at least two."""
        return len(self.categories) > 1

    def resplit(self, seed: int) -> Bench:
        """Divide general_train anew into train and calibration, of the same sizes.

        Args:
            seed: decides the division.

        Returns:
            The bench for estimators that learn from nothing else than `train`.
        """
        pool = pd.concat([self.train, self.calibration], ignore_index=True)
        share = len(self.calibration) / len(pool)
        held_out = worlds.draw_calibration_part(pool["label"], share, seed=seed)
        return replace(self, train=pool[~held_out], calibration=pool[held_out])

    def thin_calibration(self, seed: int, share: float = 0.8) -> Bench:
        """Keep a random part of the calibration part: for models that cannot be trained again.

        Args:
            seed: decides which part.
            share: how much of it to keep.

        Returns:
            The bench with the smaller calibration part.
        """
        kept = self.calibration.sample(frac=share, random_state=seed)
        return replace(self, calibration=kept)


def open_benches(run: Run, names: Sequence[str]) -> dict[str, Bench]:
    """Read the benches of a run from its captions and splits.

    Items without a caption are left out, as in notebook 03.

    Args:
        run: the run of one dataset.
        names: of worlds.

    Returns:
        One bench per world.

    Raises:
        MissingArtefact: captions or splits do not exist; the message names the notebook.
        ValueError: a world that was not run, or a label that only general_test holds.
    """
    split = worlds.open(run)
    if (split.general == 0).any():
        raise ValueError(
            f"Label {split.labels[int(np.argmin(split.general))]!r} of {run.dataset} has captioned "
            "items in general_test only: leave it out, or move an item of it to general_train."
        )
    held_out = ~split.train["item_id"].isin(split.ids(worlds.GENERAL, role="train"))
    test = split.items.loc[split.items["part"] == "general_test", COLUMNS].reset_index(drop=True)
    benches = {}
    for name in names:
        frame = split.train[COLUMNS].assign(real=split.holds(name, split.train["item_id"]))
        benches[name] = Bench(
            name,
            train=frame[~held_out].reset_index(drop=True),
            calibration=frame[held_out].reset_index(drop=True),
            test=test,
            categories=tuple(split.labels),
            general=split.general,
            real=split.real[name],
        )
    return benches


def rows_of(table: pd.Series | pd.DataFrame, items: pd.DataFrame) -> NDArray[np.float64]:
    """Pick what belongs to items out of a table by item_id.

    Args:
        table: its index is item_id.
        items: rows with a column item_id.

    Returns:
        (n,) or (n, D) numbers.

    Raises:
        ValueError: an item that the table lacks (the message names it).
    """
    missing = items.loc[~items["item_id"].isin(table.index), "item_id"]
    if len(missing):
        raise ValueError(
            f"Item {missing.iloc[0]!r} has no score ({len(missing)} such items): run "
            "03_acceptance_probabilities again."
        )
    return table.loc[items["item_id"]].to_numpy(dtype=float)
