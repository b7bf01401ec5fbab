"""Why a caption was kept or dropped: its words by their share of the log ratio, and the stream's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from semcal_utils import saliency_html as markup
from semcal_utils.acceptance import accept_probability as acceptance_curve
from semcal_utils.acceptance import nucleus_mask
from semcal_utils.saliency_media import media_html
from semcal_utils.word_shares import WordShare, word_shares

__all__ = ["CaptionSaliency", "DecisionWall", "WordShare", "decision_wall", "explain_caption"]
__all__ += ["stream_words", "word_shares"]


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
        return pd.DataFrame([vars(share) for share in self.shares], columns=_SHARE_COLUMNS)

    def body_html(self, scale: float) -> str:
        """Return words and footer without legend or frame, coloured on a given scale.

        Args:
            scale: nats at which colours are strongest.

        Returns:
            HTML, escaped.
        """
        return markup.words_html(self.shares, scale) + markup.footer_html(
            self.log_ratio, self.log_bound, self.accept_probability, self.accepted, self.reason
        )

    def _repr_html_(self) -> str:
        scale = self.scale or markup.symmetric_scale(self.shares)
        return markup.framed(markup.legend_html(scale), self.body_html(scale))

    def __repr__(self) -> str:
        words = " ".join(_plain_word(share) for share in self.shares) or "(no words)"
        parts = [f"log r = {markup.signed(self.log_ratio)} nats"]
        if self.log_bound is not None:
            parts.append(f"log M = {markup.signed(self.log_bound)}")
        if self.accept_probability is not None:
            parts.append(f"acceptance {self.accept_probability:.3f}")
        if self.accepted is not None:
            reason = f" ({markup.visible_text(self.reason)})" if self.reason else ""
            parts.append("kept" if self.accepted else f"dropped{reason}")
        return f"{words}\n{', '.join(parts)}"


_SHARE_COLUMNS = ["text", "share", "clipped_share", "tokens", "clipped", "kind"]


def explain_caption(
    tokens: Sequence[str],
    log_prob_general: Sequence[float],
    log_prob_real: Sequence[float],
    *,
    log_bound: float | None = None,
    log_ratio: float | None = None,
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
        log_bound: log M in nats; with it the acceptance probability is shown.
        log_ratio: the recipe's own log ratio in nats; what words do not explain of it becomes a
            chip, so that all shares sum to it. The sum of the counted tokens if omitted.
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
    counted = None
    if top_p is not None and len(tokens):
        counted = nucleus_mask(np.subtract(log_prob_real, log_prob_general), top_p)
    shares = word_shares(
        tokens, log_prob_general, log_prob_real, counted=counted, power=power, log_ratio=log_ratio
    )
    total = float(np.sum([share.share for share in shares])) if log_ratio is None else log_ratio
    probability = None if log_bound is None else float(acceptance_curve(total, log_bound))
    return CaptionSaliency(
        tuple(shares), total, log_bound, probability, accepted, reason, scale
    )


@dataclass(frozen=True)
class DecisionCard:
    """One item on the wall.

    Attributes:
        item_id: its id; untrusted, as are label and caption.
        label: its label, or "".
        saliency: its caption; None if it could not be scored.
        accepted: whether it was kept.
        reason: why it was not.
        medium: the picture, sound or text, or None.
    """

    item_id: str
    label: str
    saliency: CaptionSaliency | None
    accepted: bool
    reason: str
    medium: Any = None


@dataclass(frozen=True)
class DecisionWall:
    """Kept items beside dropped ones, with picture or sound, caption and colours.

    Attributes:
        cards: in the order in which they are shown.
        scale: nats at which colours are strongest, the same for all.
    """

    cards: tuple[DecisionCard, ...]
    scale: float

    def _repr_html_(self) -> str:
        parts = [markup.legend_html(self.scale)]
        for title, accepted, colour in (
            ("✓ Kept", True, markup.KEPT),
            ("✗ Dropped", False, markup.DROPPED),
        ):
            cards = [self._card_html(c, colour) for c in self.cards if c.accepted == accepted]
            line = "solid" if accepted else "dotted"
            parts.append(
                f'<div style="font-weight:600;margin:8px 0 4px;border-bottom:3px {line} {colour}">'
                f"{title}: {len(cards)} shown</div>"
                '<div style="display:grid;gap:8px;grid-template-columns:'
                f'repeat(auto-fill,minmax(230px,1fr))">{"".join(cards)}</div>'
            )
        return markup.framed(*parts)

    def __repr__(self) -> str:
        lines = []
        for card in self.cards:
            name = markup.visible_text(f"{card.item_id} {card.label}".strip())
            told = repr(card.saliency) if card.saliency else markup.visible_text(card.reason)
            lines.append(f"[{'kept' if card.accepted else 'dropped'}] {name}\n{told}")
        return "\n\n".join(lines) or "(no items)"

    def _card_html(self, card: DecisionCard, colour: str) -> str:
        caption = (
            card.saliency.body_html(self.scale)
            if card.saliency
            else f"<div>{markup.verdict_html(card.accepted, card.reason)}</div>"
        )
        label = f" · {markup.content(card.label)}" if card.label else ""
        return (
            '<div style="border:1px solid rgba(128,128,128,.45);border-left:5px '
            f'{"solid" if card.accepted else "dotted"} {colour};border-radius:6px;padding:6px 8px;'
            f'break-inside:avoid;min-width:0">{media_html(card.medium)}{caption}'
            f'<div dir="ltr" style="font-size:10px;opacity:.75;overflow-wrap:anywhere">'
            f"{markup.content(card.item_id)}{label}</div></div>"
        )
