"""Watch a stream: label frequencies, deception before and after the filter, and an alarm."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from semcal_utils.rejection.decision_tables import REPEATED, Decision, float_column, require_columns
from semcal_utils.rejection.listed_labels import ListedLabels
from semcal_utils.rejection.running_estimates import (
    RunningEstimate,
    deception_estimate,
    mean_estimate,
    reduction_estimate,
)
from semcal_utils.rejection.stream_alarms import (
    PairedScoreAlarm,
    alarm_paths,
    alarm_times,
    bounded_score,
    checked_alpha,
    log_e_value,
    paired_alarm_paths,
)

__all__ = [
    "PairedScoreAlarm",
    "StreamMonitor",
    "alarm_paths",
    "alarm_times",
    "bounded_score",
    "log_e_value",
    "paired_alarm_paths",
]

_STATE = (
    *("alpha", "items", "tested", "accepted", "decided", "repeated", "log_e", "alarm_at"),
    *("_stream", "_kept", "_expected", "_squares", "_all_expected", "_all_squares", "_log_bound"),
)


class StreamMonitor:
    """Running account of a stream and of what a filter keeps of it.

    The kept side is counted twice: `kept` by the coins that fell, `expected` by acceptance
    probabilities, coins integrated out. Deception and n_eff = (Σa)²/Σa² use the latter. When an
    adaptive bound rises, `expected` shrinks by M_old/M_new with it; `kept` stays as the coins fell.

    The alarm is E_t = Π_s [(n_{y_s} + ½)/(s − 1 + K/2)] / R(y_s): it may be read after every item,
    and on an honest stream it ever reaches 1/alpha with probability at most alpha. For streams
    without labels see `PairedScoreAlarm`.

    Args:
        real_frequencies: R by label; rescaled to sum to one.
        alpha: the false-alarm rate that is accepted, over the whole life of the stream.
        unseen_probability: R of all labels not listed, pooled in one. Without it such items are
            counted in `unseen` and take no part in frequencies or alarm.

    Raises:
        ValueError: if the frequencies are not positive finite numbers, or there are fewer than two.
    """

    def __init__(
        self,
        real_frequencies: Mapping[str, float] | pd.Series,
        *,
        alpha: float = 0.05,
        unseen_probability: float | None = None,
    ) -> None:
        self.alpha = checked_alpha(alpha)
        self.world = ListedLabels(real_frequencies, unseen_probability)
        self._log_real: list[float] = np.log(self.world.real).tolist()
        self._threshold = -math.log(self.alpha)
        zeros = [0.0] * len(self._log_real)
        self._stream, self._kept = zeros.copy(), zeros.copy()
        self._expected, self._squares = zeros.copy(), zeros.copy()
        self._all_expected = self._all_squares = 0.0
        self._log_bound: float | None = None
        self.items = self.tested = self.accepted = self.decided = 0
        self.repeated = 0
        self.log_e = 0.0
        self.alarm_at: int | None = None

    @property
    def unseen(self) -> dict[str, int]:
        """How many items carried each label that the world does not list."""
        return self.world.unseen

    @property
    def unlabelled(self) -> int:
        """How many items carried no label."""
        return self.world.unlabelled

    @property
    def e_value(self) -> float:
        """Evidence against the stream, E; inf past the range of a float."""
        return math.exp(self.log_e) if self.log_e < 709 else math.inf

    @property
    def alarm(self) -> bool:
        """Whether E has ever reached 1/alpha."""
        return self.alarm_at is not None

    @property
    def n_eff(self) -> float:
        """Effective size of what is kept, (Σa)²/Σa² over labelled items; zero if nothing is."""
        squares = sum(self._squares)
        return sum(self._expected) ** 2 / squares if squares > 0 else 0.0

    def observe(self, decision: Decision) -> None:
        """Take in one decision of a `SemanticFilter`; repeated items are counted, no more.

        Args:
            decision: what became of the item.
        """
        if decision.reason == REPEATED:
            self.repeated += 1
            return
        self._follow_bound(decision.log_bound)
        self.update(
            decision.label,
            accepted=decision.accepted,
            accept_probability=decision.accept_probability,
        )

    def update(
        self,
        label: str | None,
        *,
        accepted: bool = False,
        accept_probability: float | None = None,
    ) -> None:
        """Take in one item.

        Args:
            label: its label; None or "" if it has none.
            accepted: whether it was kept.
            accept_probability: its probability of being kept; NaN if it could not be decided on,
                None if it is not known, when the fallen coin stands for it.
        """
        if accept_probability is None:
            accept_probability = 1.0 if accepted else 0.0
        self.items += 1
        self.accepted += accepted
        decided = accept_probability == accept_probability
        if decided:
            square = accept_probability * accept_probability
            self.decided += 1
            self._all_expected += accept_probability
            self._all_squares += square
        place = self.world.place(label)
        if place < 0:
            return
        seen = self._stream[place]
        self.log_e += math.log((seen + 0.5) / (self.tested + len(self._stream) / 2))
        self.log_e -= self._log_real[place]
        self.tested += 1
        self._stream[place] = seen + 1.0
        if accepted:
            self._kept[place] += 1.0
        if decided:
            self._expected[place] += accept_probability
            self._squares[place] += square
        if self.log_e >= self._threshold and self.alarm_at is None:
            self.alarm_at = self.items

    def observe_table(self, decisions: pd.DataFrame) -> None:
        """Take in a table of decisions; the same account as item by item.

        Args:
            decisions: columns label, accepted, accept_probability and, if known, reason and
                log_bound, in order of arrival.

        Raises:
            ValueError: if a column is lacking, or the bound falls.
        """
        require_columns(decisions, ["label", "accepted", "accept_probability"])
        if "reason" in decisions:
            repeated = (decisions["reason"] == REPEATED).to_numpy(dtype=bool)
            self.repeated += int(repeated.sum())
            decisions = decisions[~repeated]
        if decisions.empty:
            return
        probability = float_column(decisions, "accept_probability")
        if "log_bound" in decisions:
            bounds = float_column(decisions, "log_bound")
            if np.any(np.diff(bounds) < 0):
                raise ValueError("log_bound falls within the table; give decisions as they came.")
            self._follow_bound(float(bounds[0]))
            self._follow_bound(float(bounds[-1]))
            probability = probability * np.exp(bounds - bounds[-1])
        accepted = decisions["accepted"].to_numpy(dtype=bool)
        decided = ~np.isnan(probability)
        weights = np.where(decided, probability, 0.0)
        places = self.world.places(decisions["label"])
        listed = places >= 0
        path = alarm_paths(places, self.world.real, counts=self._stream, log_e=self.log_e)
        first = float(alarm_times(path, alpha=self.alpha))
        if self.alarm_at is None and math.isfinite(first):
            self.alarm_at = self.items + int(first)
        self.log_e = float(path[-1])
        self.items += len(decisions)
        self.tested += int(listed.sum())
        self.accepted += int(accepted.sum())
        self.decided += int(decided.sum())
        self._all_expected += float(weights.sum())
        self._all_squares += float((weights**2).sum())
        for sums, amounts in (
            (self._stream, np.ones(len(decisions))),
            (self._kept, accepted),
            (self._expected, weights),
            (self._squares, weights**2),
        ):
            sums[:] = (sums + np.bincount(places[listed], amounts[listed], len(sums))).tolist()

    def frequencies(self) -> pd.DataFrame:
        """Return label frequencies: columns real, stream, kept, expected; rows by label.

        Returns:
            Shares that sum to one down each column; NaN in a column without items.
        """
        sides = {"stream": self._stream, "kept": self._kept, "expected": self._expected}
        columns = {"real": self.world.real} | {name: _shares(sums) for name, sums in sides.items()}
        return pd.DataFrame(columns, index=pd.Index(self.world.names, name="label"))

    def report(
        self, *, level: float = 0.95, draws: int = 2000, seed: int = 0
    ) -> dict[str, RunningEstimate]:
        """Return pass rate, deception of both sides and deception reduction, with intervals.

        Args:
            level: probability that an interval should hold; each on its own, at one moment.
            draws: bootstrap draws.
            seed: of the bootstrap.

        Returns:
            Estimates: pass_rate, deception_stream, deception_kept (nats), deception_reduction.
        """
        rng = np.random.default_rng(seed)
        stream = np.array(self._stream)
        expected, squares = np.array(self._expected), np.array(self._squares)
        options: dict[str, Any] = {"level": level, "draws": draws, "rng": rng}
        return {
            "pass_rate": mean_estimate(
                self._all_expected, self._all_squares, self.decided, level=level
            ),
            "deception_stream": deception_estimate(stream, stream, self.world.real, **options),
            "deception_kept": deception_estimate(expected, squares, self.world.real, **options),
            "deception_reduction": reduction_estimate(
                (stream, stream), (expected, squares), self.world.real, **options
            ),
        }

    def to_json(self) -> str:
        """Return the state as JSON."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _STATE}
        return json.dumps(state | {"labels": self.world.to_state()}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StreamMonitor:
        """Resume from `to_json`.

        Args:
            text: what `to_json` returned.

        Returns:
            A monitor in the same state.
        """
        state = json.loads(text)
        world = ListedLabels.from_state(state["labels"])
        resumed = cls(dict(zip(world.names, world.real, strict=True)), alpha=state["alpha"])
        resumed.world, resumed._log_real = world, np.log(world.real).tolist()
        for name in _STATE:
            setattr(resumed, name, state[name])
        return resumed

    def _follow_bound(self, log_bound: float) -> None:
        if self._log_bound is not None and log_bound != self._log_bound:
            rise = log_bound - self._log_bound
            if rise < 0:
                raise ValueError(
                    f"log_bound fell from {self._log_bound} to {log_bound}; what was kept under "
                    "the higher bound cannot be compared: start a new monitor."
                )
            shrink = math.exp(-rise)
            self._expected = [total * shrink for total in self._expected]
            self._squares = [total * shrink**2 for total in self._squares]
            self._all_expected *= shrink
            self._all_squares *= shrink**2
        self._log_bound = log_bound


def _shares(sums: list[float]) -> NDArray[np.float64]:
    total = sum(sums)
    return np.array(sums) / total if total > 0 else np.full(len(sums), np.nan)
