"""One caption explained: its words by their share of the log ratio, and the decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd

from semcal_utils.acceptance import accept_probability as acceptance_curve
from semcal_utils.show import html as markup
from semcal_utils.show.escaping import visible_text
from semcal_utils.show.word_shares import WordShare, word_shares


@dataclass(frozen=True)
class CaptionSaliency:
    """One caption as coloured words; shows itself in a notebook, and as text elsewhere.

    Attributes:
        shares: words, end and recipe, in reading order; untrusted text.
        log_ratio: nats; the sum of the shares.
        log_bound: log M in nats, if known.
        accept_probability: a, if known.
        accepted: whether the item was kept, if it was decided on.
        reason: why it was not kept.
        scale: nats at which colours are strongest; its own largest share if None.
    """

    shares: tuple[WordShare, ...]
    log_ratio: float
    log_bound: float | None = None
    accept_probability: float | None = None
    accepted: bool | None = None
    reason: str = ""
    scale: float | None = None

    @property
    def words(self) -> pd.DataFrame:
        """The shares as a table: text, share, clipped_share, tokens, clipped, kind."""
        columns = [field.name for field in fields(WordShare)]
        return pd.DataFrame([asdict(share) for share in self.shares], columns=columns)

    def body_html(self, scale: float, *, verdict: bool = True) -> str:
        """Return words and footer without legend or frame, coloured on a given scale.

        Args:
            scale: nats at which colours are strongest.
            verdict: whether the footer says what became of the item.

        Returns:
            HTML, escaped.
        """
        accepted = self.accepted if verdict else None
        return markup.words_html(self.shares, scale) + markup.footer_html(
            self.log_ratio, self.log_bound, self.accept_probability, accepted, self.reason
        )

    def _repr_html_(self) -> str:
        scale = self.scale or markup.symmetric_scale(self.shares)
        return markup.framed(markup.legend_html(scale), self.body_html(scale))

    def __repr__(self) -> str:
        words = " ".join(_plain(share) for share in self.shares) or "(no words)"
        parts = [f"log r = {markup.signed(self.log_ratio)} nats"]
        if self.log_bound is not None:
            parts.append(f"log M = {markup.signed(self.log_bound)}")
        if self.accept_probability is not None:
            parts.append(f"acceptance {self.accept_probability:.3f}")
        if self.accepted is not None:
            reason = f" ({visible_text(self.reason)})" if self.reason else ""
            parts.append("kept" if self.accepted else f"dropped{reason}")
        return f"{words}\n{', '.join(parts)}"


def explain_caption(
    tokens: Sequence[str],
    log_prob_general: Sequence[float],
    log_prob_real: Sequence[float],
    *,
    log_bound: float | None = None,
    log_ratio: float | None = None,
    accept_probability: float | None = None,
    power: float = 1.0,
    top_p: float | None = None,
    accepted: bool | None = None,
    reason: str = "",
    scale: float | None = None,
) -> CaptionSaliency:
    """Explain one caption's log ratio by its words.

    Args:
        tokens: byte-level pieces; the end token, if any, comes last.
        log_prob_general: log G of each token, in nats.
        log_prob_real: log R of each token, in nats.
        log_bound: log M in nats.
        log_ratio: the recipe's own log ratio in nats; what words do not explain of it becomes a
            chip, so that all shares sum to it. The sum of the counted tokens if omitted.
        accept_probability: a; from ratio and bound if omitted.
        power: what the recipe multiplies log ratios by.
        top_p: the published clipping's share (0.75); None counts every token.
        accepted: whether the item was kept, if it was decided on.
        reason: why it was not kept.
        scale: nats at which colours are strongest; the largest share if omitted.

    Returns:
        The caption, ready to be shown.

    Raises:
        ValueError: if the lists differ in length.
    """
    shares = word_shares(
        tokens, log_prob_general, log_prob_real, top_p=top_p, power=power, log_ratio=log_ratio
    )
    total = float(np.sum([share.share for share in shares])) if log_ratio is None else log_ratio
    if accept_probability is None and log_bound is not None:
        accept_probability = float(acceptance_curve(total, log_bound))
    return CaptionSaliency(
        tuple(shares), total, log_bound, accept_probability, accepted, reason, scale
    )


def _plain(share: WordShare) -> str:
    name = visible_text(share.text) if share.kind == "word" else f"<{share.kind}>"
    number = markup.arrow(share.share)
    if share.clipped:
        number = "clipped" if share.clipped == share.tokens else f"{number}, part clipped"
    return f"{name}({number})"
