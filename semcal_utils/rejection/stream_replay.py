"""A recorded stream flowing through the filter again, to be looked at after any number of items."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from semcal_utils.rejection.decision_tables import REPEATED, require_columns
from semcal_utils.rejection.running_estimates import RunningEstimate
from semcal_utils.rejection.semantic_filter import SemanticFilter
from semcal_utils.rejection.stream_alarms import alarm_paths
from semcal_utils.rejection.stream_monitor import StreamMonitor

PATH_POINTS = 160
"""How many points of a path are handed on: more than a screen shows apart."""


@dataclass(frozen=True)
class StreamMoment:
    """All that can be told of a stream and of what was kept after some items.

    Attributes:
        items: how many items have passed, refused ones included.
        accepted: how many of them were kept.
        log_bound: log M in nats.
        frequencies: columns general, real, filtered (what the coins kept); rows by label.
        report: pass_rate, deception_stream, deception_kept (nats) and deception_reduction, the last
            two with the coins integrated out.
        alpha: the false-alarm rate that is accepted.
        alarm_at: after how many items the alarm was raised on the stream; None if it was not.
        evidence: columns items, general, filtered: log E in nats on the stream as it comes and on
            what was kept, at up to `PATH_POINTS` places.
        latest: the decisions on the last items, newest first, with their captions.
    """

    items: int
    accepted: int
    log_bound: float
    frequencies: pd.DataFrame
    report: dict[str, RunningEstimate]
    alpha: float
    alarm_at: int | None
    evidence: pd.DataFrame
    latest: pd.DataFrame

    def log_e(self, side: str) -> float:
        """Return log E in nats of "general" (the stream) or "filtered" (what was kept)."""
        return float(self.evidence[side].iloc[-1]) if len(self.evidence) else 0.0


class StreamReplay:
    """One recorded stream under one filter; moments may be asked for in any order.

    Args:
        stream: columns item_id, label, log_ratio (nats) and, if known, caption, as they arrive.
        world: R by label; labels that the world never shows take no part in frequencies or alarm.
        log_bound: log M in nats.
        seed: integer; with an item's id it fixes the item's random number.
        alpha: the false-alarm rate that is accepted.
        latest: how many of the last decisions a moment tells.

    Raises:
        ValueError: if a column is lacking, or the bound or the world is none.
    """

    def __init__(
        self,
        stream: pd.DataFrame,
        world: pd.Series,
        *,
        log_bound: float,
        seed: int,
        alpha: float = 0.05,
        latest: int = 5,
    ) -> None:
        require_columns(stream, ["item_id", "label", "log_ratio"])
        self.world = world[world > 0]
        self.alpha = alpha
        self.log_bound = log_bound
        decisions = SemanticFilter(log_bound=log_bound, seed=seed).decide(stream)
        self.decisions = decisions.assign(
            caption=stream["caption"].array if "caption" in stream else ""
        )
        self._latest = latest
        self._monitor = StreamMonitor(self.world, alpha=alpha)
        self._seen = 0
        self._paths = self._evidence()

    def __len__(self) -> int:
        """Return how many items the stream holds."""
        return len(self.decisions)

    def moment(self, items: int, *, draws: int = 400) -> StreamMoment:
        """Return the account after some items.

        Going on costs only the items in between; going back starts the account anew.

        Args:
            items: how many have passed; the whole stream if it holds fewer.
            draws: bootstrap draws of each interval.

        Returns:
            The account.
        """
        items = max(0, min(items, len(self)))
        if items < self._seen:
            self._monitor, self._seen = StreamMonitor(self.world, alpha=self.alpha), 0
        self._monitor.observe_table(self.decisions[self._seen : items])
        self._seen = items
        shares = self._monitor.frequencies()
        columns = {"stream": "general", "real": "real", "kept": "filtered"}
        return StreamMoment(
            items=items,
            accepted=self._monitor.accepted,
            log_bound=self.log_bound,
            frequencies=shares[list(columns)].rename(columns=columns),
            report=self._monitor.report(draws=draws),
            alpha=self.alpha,
            alarm_at=self._monitor.alarm_at,
            evidence=self._evidence_until(items),
            latest=self.decisions[max(0, items - self._latest) : items][::-1],
        )

    def _evidence(self) -> pd.DataFrame:
        codes = pd.Index(self.world.index).get_indexer(pd.Index(self.decisions["label"]))
        codes = np.where(self.decisions["reason"] == REPEATED, -1, codes)
        real = self._monitor.real.to_numpy()
        kept = np.where(self.decisions["accepted"].to_numpy(dtype=bool), codes, -1)
        return pd.DataFrame(
            {
                "items": np.arange(1, len(self) + 1),
                "general": alarm_paths(codes, real),
                "filtered": alarm_paths(kept, real),
            }
        )

    def _evidence_until(self, items: int) -> pd.DataFrame:
        points = np.linspace(0, items - 1, min(items, PATH_POINTS)).astype(int)
        return self._paths.iloc[np.unique(points)]
