"""One bench per severity: what every estimator may learn from, is tuned on, and is judged on.

`train` and `calibration` are the two roles of general_train; `test` is general_test. An estimator
learns from `train`, is tuned, calibrated and sharpened on `calibration`, and judged on `test`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils.acceptance import exact_log_bound
from semcal_utils.divergence.frequencies import label_frequencies
from semcal_utils.runs import Run
from semcal_utils.worlds.made_worlds import draw_calibration_part

COLUMNS = ["item_id", "caption", "label", "fine_label"]


@dataclass(frozen=True)
class Bench:
    """The items of one severity.

    Attributes:
        severity: its name.
        train: item_id, caption, label, fine_label and `real` (bool, member of R) to learn from.
        calibration: the same columns, held out from all learning, to tune on.
        test: general_test, without `real`: no item of it was drawn into R.
        categories: (K,) distinct labels.
        general: (K,) label frequencies G.
        real: (K,) label frequencies R.
    """

    severity: str
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
        held_out = draw_calibration_part(pool["label"], share, seed=seed)
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


def open_benches(run: Run, severities: Sequence[str]) -> dict[str, Bench]:
    """Read the benches of a run from its captions and splits.

    Items without a caption are left out, as in notebook 03.

    Args:
        run: the run of one dataset.
        severities: names of severities.

    Returns:
        One bench per severity.

    Raises:
        MissingArtefact: captions or splits do not exist; the message names the notebook.
        ValueError: a severity that was not run, one whose parts hold no real item, or a label
            that only general_test holds.
    """
    captions = run.load_table("captions.parquet")
    captions = captions[captions["caption"] != ""]
    belongs = run.load_table("splits.parquet")
    known = [name for name in belongs["severity"].unique() if name != "general"]
    for severity in severities:
        if severity not in known:
            raise ValueError(
                f"The severity {severity!r} of {run.dataset} was not run; splits.parquet holds "
                f"{', '.join(known)}: name it in SEVERITIES of 02_fine_tuning and run that first."
            )
    categories = tuple(sorted(captions["label"].unique()))
    everyone = belongs[belongs["severity"] == "general"].set_index("item_id")["role"]
    learnt = captions[captions["part"] == "general_train"]
    general = label_frequencies(learnt["label"], categories)
    if (general == 0).any():
        raise ValueError(
            f"Label {categories[int(np.argmin(general))]!r} of {run.dataset} has captioned items "
            "in general_test only: leave it out, or move an item of it to general_train."
        )
    role = learnt["item_id"].map(everyone)
    test = captions.loc[captions["part"] == "general_test", COLUMNS].reset_index(drop=True)
    benches = {}
    for severity in severities:
        members = set(belongs.loc[belongs["severity"] == severity, "item_id"])
        frame = learnt[COLUMNS].assign(real=learnt["item_id"].isin(members).to_numpy())
        parts = {
            name: frame[(role == name).to_numpy()].reset_index(drop=True)
            for name in ("train", "calibration")
        }
        for name, part in parts.items():
            if not part["real"].any():
                raise ValueError(
                    f"The {name} part of {severity} holds no real item; hold out another share, or "
                    "take more items."
                )
        real = label_frequencies(frame.loc[frame["real"], "label"], categories)
        benches[severity] = Bench(
            severity, **parts, test=test, categories=categories, general=general, real=real
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
