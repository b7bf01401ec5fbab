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
from semcal_utils.rejection.running_estimates import (
    RunningEstimate,
    deception_estimate,
    mean_estimate,
    reduction_estimate,
)
from semcal_utils.rejection.stream_alarms import alarm_paths, alarm_times, checked_alpha

OTHERS = "(others)"
LISTED_UNSEEN = 1000
"""How many unseen labels are counted by name; a stream of ever new ones must not fill memory."""

_STREAM, _KEPT, _EXPECTED, _SQUARES = range(4)  # the rows of a monitor's sums by label
_RUNNING = (
    *("items", "tested", "accepted", "decided", "repeated", "unlabelled", "unseen"),
    *("log_e", "alarm_at", "_log_bound", "_all_expected", "_all_squares"),
)


class StreamMonitor:
    """Running account of a stream and of what a filter keeps of it.

    The kept side is counted twice: `kept` by the decisions that fell, `expected` by acceptance
    probabilities, the chance of each decision integrated out. Deception and n_eff = (Σa)²/Σa² use
    the latter.

    The alarm is E_t = Π_s [(n_{y_s} + ½)/(s − 1 + K/2)] / R(y_s): it may be read after every item,
    and on an honest stream it ever reaches 1/alpha with probability at most alpha. For streams
    without labels see `stream_alarms.PairedScoreAlarm`.

    Args:
        real_frequencies: R by label; rescaled to sum to one. Items with a label that it does not
            list take no part in frequencies or alarm.
        alpha: the false-alarm rate that is accepted, over the whole life of the stream.

    Attributes:
        real: R, by label.
        items: how many items came, repeated ones aside.
        tested: how many of them carried a label that the world lists.
        accepted: how many were kept.
        decided: how many the filter could decide on.
        repeated: how many came again.
        unlabelled: how many carried no label.
        unseen: how many carried each label that the world does not list.
        log_e: evidence against the stream, log E in nats.
        alarm_at: after how many items the alarm was raised; None if it was not.

    Raises:
        TypeError: if a label is not text.
        ValueError: if the frequencies are not positive finite numbers, or there are fewer than two.
    """

    def __init__(
        self, real_frequencies: Mapping[str, float] | pd.Series, *, alpha: float = 0.05
    ) -> None:
        self.alpha = checked_alpha(alpha)
        self._given = {label: float(share) for label, share in real_frequencies.items()}
        self.real = _checked_world(self._given)
        self._place = {label: place for place, label in enumerate(self.real.index)}
        self._log_real = np.log(self.real.to_numpy())
        self._sums = np.zeros((4, len(self.real)))
        self._all_expected = self._all_squares = 0.0
        self._log_bound: float | None = None
        self.items = self.tested = self.accepted = self.decided = 0
        self.repeated = self.unlabelled = 0
        self.unseen: dict[str, int] = {}
        self.log_e = 0.0
        self.alarm_at: int | None = None

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
        expected, squares = (sum(self._sums[row].tolist()) for row in (_EXPECTED, _SQUARES))
        return expected**2 / squares if squares > 0 else 0.0

    def observe(self, decision: Decision) -> None:
        """Take in one decision of a `SemanticFilter`; repeated items are counted, no more.

        Args:
            decision: what became of the item.

        Raises:
            ValueError: if the filter's bound changed.
        """
        if decision.reason == REPEATED:
            self.repeated += 1
            return
        self._require_bound(decision.log_bound)
        probability, accepted = decision.accept_probability, decision.accepted
        decided = not math.isnan(probability)
        weight = probability if decided else 0.0
        self.items += 1
        self.accepted += accepted
        self.decided += decided
        self._all_expected += weight
        self._all_squares += weight * weight
        place = self._place_of(decision.label)
        if place < 0:
            return
        seen = self._sums[_STREAM, place]
        self.log_e += math.log((seen + 0.5) / (self.tested + len(self.real) / 2))
        self.log_e -= float(self._log_real[place])
        self.tested += 1
        self._sums[:, place] += (1.0, accepted, weight, weight * weight)
        if self.alarm_at is None and self.log_e >= -math.log(self.alpha):
            self.alarm_at = self.items

    def observe_table(self, decisions: pd.DataFrame) -> None:
        """Take in a table of decisions; the same account as item by item.

        Args:
            decisions: columns label, accepted, accept_probability and, if known, reason and
                log_bound, in order of arrival.

        Raises:
            ValueError: if a column is lacking, or the filter's bound changed.
        """
        require_columns(decisions, ["label", "accepted", "accept_probability"])
        if "reason" in decisions:
            repeated = (decisions["reason"] == REPEATED).to_numpy(dtype=bool)
            self.repeated += int(repeated.sum())
            decisions = decisions[~repeated]
        if decisions.empty:
            return
        if "log_bound" in decisions:
            for bound in pd.unique(float_column(decisions, "log_bound")):
                self._require_bound(float(bound))
        probability = float_column(decisions, "accept_probability")
        accepted = decisions["accepted"].to_numpy(dtype=bool)
        decided = ~np.isnan(probability)
        weights = np.where(decided, probability, 0.0)
        places = self._places(decisions["label"])
        listed = places >= 0
        path = alarm_paths(
            places, self.real.to_numpy(), counts=self._sums[_STREAM], log_e=self.log_e
        )
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
        amounts = (np.ones(len(decisions)), accepted, weights, weights**2)
        for sums, amount in zip(self._sums, amounts, strict=True):
            sums += np.bincount(places[listed], amount[listed], len(sums))

    def frequencies(self) -> pd.DataFrame:
        """Return label frequencies: columns real, stream, kept, expected; rows by label.

        Returns:
            Shares that sum to one down each column; NaN in a column without items.
        """
        columns = {"real": self.real.to_numpy()}
        for name, row in (("stream", _STREAM), ("kept", _KEPT), ("expected", _EXPECTED)):
            total = sum(self._sums[row].tolist())
            columns[name] = self._sums[row] / (total if total > 0 else math.nan)
        return pd.DataFrame(columns, index=self.real.index)

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
        real = self.real.to_numpy()
        stream = self._sums[_STREAM], self._sums[_STREAM]
        kept = self._sums[_EXPECTED], self._sums[_SQUARES]
        rng = np.random.default_rng(seed)
        options: dict[str, Any] = {"level": level, "draws": draws, "rng": rng}
        return {
            "pass_rate": mean_estimate(
                self._all_expected, self._all_squares, self.decided, level=level
            ),
            "deception_stream": deception_estimate(stream, real, **options),
            "deception_kept": deception_estimate(kept, real, **options),
            "deception_reduction": reduction_estimate(stream, kept, real, **options),
        }

    def to_json(self) -> str:
        """Return the state as JSON."""
        state: dict[str, Any] = {name: getattr(self, name) for name in _RUNNING}
        state |= {"real_frequencies": self._given, "alpha": self.alpha}
        return json.dumps(state | {"sums": self._sums.tolist()}, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> StreamMonitor:
        """Resume from `to_json`.

        Args:
            text: what `to_json` returned.

        Returns:
            A monitor in the same state.
        """
        state = json.loads(text)
        resumed = cls(state["real_frequencies"], alpha=state["alpha"])
        resumed._sums = np.array(state["sums"])
        for name in _RUNNING:
            setattr(resumed, name, state[name])
        return resumed

    def _require_bound(self, log_bound: float) -> None:
        if self._log_bound is not None and log_bound != self._log_bound:
            raise ValueError(
                f"log_bound changed from {self._log_bound} to {log_bound}; what was kept under "
                "another bound cannot be compared: start a new monitor."
            )
        self._log_bound = log_bound

    def _place_of(self, label: Any, items: int = 1) -> int:
        """Return a label's number, or −1, counting the items, if the world does not list it."""
        if pd.isna(label) or label == "":
            self.unlabelled += items
            return -1
        place = self._place.get(label, -1)
        if place < 0:
            name = str(label)
            if name not in self.unseen and len(self.unseen) >= LISTED_UNSEEN:
                name = OTHERS
            self.unseen[name] = self.unseen.get(name, 0) + items
        return place

    def _places(self, labels: pd.Series) -> NDArray[np.intp]:
        numbers, names = pd.factorize(labels, use_na_sentinel=False)
        counts = np.bincount(numbers, minlength=len(names)).tolist()
        places = [self._place_of(*counted) for counted in zip(names, counts, strict=True)]
        return np.array(places, dtype=np.intp)[numbers]


def _checked_world(real_frequencies: Mapping[str, float]) -> pd.Series:
    for label, share in real_frequencies.items():
        if not isinstance(label, str) or not label:
            raise TypeError(f"labels must be text, but the real frequencies have {label!r}.")
        if not (share > 0 and math.isfinite(share)):
            raise ValueError(
                f"label {label!r} has the real frequency {share}; give a positive number, or leave "
                "the label out: it then counts as unseen."
            )
    if len(real_frequencies) < 2:
        raise ValueError(
            f"a world needs two labels or more, but this one has {len(real_frequencies)}."
        )
    total = sum(real_frequencies.values())
    shares = [float(share / total) for share in real_frequencies.values()]
    return pd.Series(shares, pd.Index(list(real_frequencies), name="label"))
