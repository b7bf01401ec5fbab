"""The wall: kept items beside dropped ones, each with its picture or sound and coloured caption."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from IPython.display import Audio
from numpy.typing import NDArray

from semcal_utils.media.readers import SAMPLING_RATE, UnusableItem, read_picture, read_sound
from semcal_utils.show import html as markup
from semcal_utils.show.escaping import content, visible_text
from semcal_utils.show.svg import shape
from semcal_utils.show.word_shares import WordShare, require_columns, text_of_tokens, word_shares

if TYPE_CHECKING:
    from datasets import Dataset

SCORED = ["tokens", "log_prob_general", "log_prob_real"]


@dataclass(frozen=True)
class DecisionCard:
    """One item on the wall.

    Attributes:
        item_id: its id; untrusted, as are label and caption.
        label: its label, or "".
        caption: its words, untouched.
        shares: its words with what they add to the log ratio; None if it could not be decided on.
        accept_probability: a, if known.
        accepted: whether it was kept.
        reason: why it was not.
        medium: its picture or sound as escaped HTML, or "".
    """

    item_id: str
    label: str
    caption: str
    shares: tuple[WordShare, ...] | None
    accept_probability: float | None
    accepted: bool
    reason: str
    medium: str = ""


@dataclass(frozen=True)
class DecisionWall:
    """Kept items beside dropped ones, with picture or sound, caption and colours.

    Attributes:
        cards: in the order in which they are shown.
        scale: nats at which colours are strongest, the same for all.
        log_bound: log M in nats, if known.
    """

    cards: tuple[DecisionCard, ...]
    scale: float
    log_bound: float | None = None

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
            name = visible_text(f"{card.item_id} {card.label}".strip())
            reason = f" ({visible_text(card.reason)})" if card.reason else ""
            lines.append(f"[{'kept' if card.accepted else 'dropped'}] {name}{reason}")
            if card.shares is None:
                lines.append(visible_text(card.caption))
            else:
                lines.append(" ".join(map(_plain, card.shares)) or "(no words)")
                lines.append(", ".join(self._facts(card)))
        return "\n".join(lines) or "(no items)"

    def _facts(self, card: DecisionCard) -> list[str]:
        total = float(np.sum([share.share for share in card.shares or ()]))
        facts = [f"log r = {markup.signed(total)} nats"]
        if self.log_bound is not None:
            facts.append(f"log M = {markup.signed(self.log_bound)}")
        if card.accept_probability is not None:
            facts.append(f"acceptance {card.accept_probability:.3f}")
        return facts

    def _card_html(self, card: DecisionCard, colour: str) -> str:
        caption = f"<div>{content(card.caption)}</div>"
        if card.shares is not None:
            words = markup.words_html(card.shares, self.scale)
            caption = words + markup.footer_html(self._facts(card))
        label = f" · {content(card.label)}" if card.label else ""
        reason = f"<br>{content(card.reason)}" if card.reason else ""
        return (
            '<div style="border:1px solid rgba(128,128,128,.45);border-left:5px '
            f"{'solid' if card.accepted else 'dotted'} {colour};border-radius:6px;padding:6px 8px;"
            f'break-inside:avoid;min-width:0">{card.medium}{caption}'
            f'<div dir="ltr" style="font-size:10px;opacity:.75;overflow-wrap:anywhere">'
            f"{content(card.item_id)}{label}{reason}</div></div>"
        )


def decision_wall(
    decisions: pd.DataFrame,
    token_log_probs: pd.DataFrame,
    *,
    items: Dataset | None = None,
    log_bound: float | None = None,
    power: float = 1.0,
    top_p: float | None = None,
    kept: int = 6,
    dropped: int = 6,
) -> DecisionWall:
    """Show the first kept and the first dropped items of a table of decisions.

    Args:
        decisions: columns item_id, accepted and, if known, label, log_ratio (nats),
            accept_probability and reason; shown in this order: shuffle it for a random choice.
        token_log_probs: columns item_id, tokens, log_prob_general, log_prob_real (lists, nats).
        items: a stream with item_id and image or audio; only the shown items are read.
        log_bound: log M in nats.
        power: what the recipe multiplies log ratios by.
        top_p: the published clipping's share (0.75); None counts every token.
        kept: how many kept items to show.
        dropped: how many dropped ones.

    Returns:
        The wall, ready to be shown.

    Raises:
        ValueError: if a column is lacking.
    """
    require_columns(decisions, ["item_id", "accepted"], "decisions")
    require_columns(token_log_probs, ["item_id", *SCORED], "token_log_probs")
    accepted = decisions["accepted"].astype(bool)
    shown = pd.concat([decisions[accepted].head(kept), decisions[~accepted].head(dropped)])
    tokens = token_log_probs[token_log_probs["item_id"].isin(shown["item_id"])]
    tokens = tokens.drop_duplicates("item_id").set_index("item_id")
    media = _media(items, shown["item_id"].tolist())
    cards = []
    for row in shown.to_dict("records"):
        item_id, ratio, label = row["item_id"], row.get("log_ratio"), row.get("label")
        shares, caption = None, ""
        if item_id in tokens.index:
            scored = tokens.loc[item_id, SCORED]
            caption = text_of_tokens(scored["tokens"])
            if ratio is None or math.isfinite(ratio):
                shares = tuple(word_shares(*scored, top_p=top_p, power=power, log_ratio=ratio))
        cards.append(
            DecisionCard(
                item_id=str(item_id),
                label=label if isinstance(label, str) else "",
                caption=caption,
                shares=shares,
                accept_probability=row.get("accept_probability"),
                accepted=bool(row["accepted"]),
                reason=str(row.get("reason") or ""),
                medium=media.get(item_id, ""),
            )
        )
    scale = markup.symmetric_scale(share for card in cards for share in card.shares or ())
    return DecisionWall(tuple(cards), scale, log_bound)


def _media(items: Dataset | None, item_ids: Sequence[str]) -> dict[str, str]:
    if items is None:
        return {}
    kinds = [kind for kind in ("image", "audio") if kind in items.column_names]
    if not kinds:
        return {}
    wanted = set(item_ids)
    places = {one: place for place, one in enumerate(items["item_id"]) if one in wanted}
    column = items.select_columns(kinds[:1])
    return {one: medium_html(kinds[0], column[place][kinds[0]]) for one, place in places.items()}


def _plain(share: WordShare) -> str:
    name = visible_text(share.text) if share.kind == "word" else f"<{share.kind}>"
    number = markup.arrow(share.share)
    if share.clipped:
        number = "clipped" if share.clipped == share.tokens else f"{number}, part clipped"
    return f"{name}({number})"


LONGEST_SIDE = 224
"""Pixels of a shown picture."""

BARS = 60
"""Bars of a drawn sound."""


def medium_html(kind: str, medium: Any) -> str:
    """Return a picture or a sound as an element of its own, or why it cannot be shown.

    Args:
        kind: "image" or "audio".
        medium: anything that `media.readers` reads.

    Returns:
        HTML, escaped.

    Raises:
        ValueError: for another kind.
    """
    if kind not in ("image", "audio"):
        raise ValueError(f"kind must be 'image' or 'audio', got {kind!r}.")
    try:
        return picture_html(medium) if kind == "image" else sound_html(medium)
    except UnusableItem as error:
        return f'<div style="opacity:.7"><i>{content(str(error))}</i></div>'


def picture_html(picture: Any) -> str:
    """Return a picture as an image element, shrunk to `LONGEST_SIDE`.

    Args:
        picture: anything that `media.readers.read_picture` reads.

    Returns:
        HTML.
    """
    small = read_picture(picture)
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    file = io.BytesIO()
    small.save(file, format="PNG", optimize=True)
    encoded = base64.b64encode(file.getvalue()).decode("ascii")
    return (
        f'<img alt="picture" src="data:image/png;base64,{encoded}" '
        'style="display:block;width:100%;max-width:224px;height:auto;margin:0 auto 6px;'
        'border-radius:4px">'
    )


def sound_html(sound: Any) -> str:
    """Return a sound as a player under a drawing of its loudness, which paper shows too.

    Args:
        sound: anything that `media.readers.read_sound` reads.

    Returns:
        HTML.
    """
    samples = np.clip(read_sound(sound), -1, 1)
    address = Audio(samples, rate=SAMPLING_RATE, normalize=False).src_attr()
    return (
        f"{_loudness_svg(samples)}"
        f'<audio controls preload="metadata" style="width:100%;height:32px;margin-bottom:6px" '
        f'src="{address}"></audio>'
    )


def _loudness_svg(samples: NDArray[np.float32]) -> str:
    pieces = np.array_split(np.abs(samples), BARS)
    peaks = np.array([float(piece.max()) if piece.size else 0.0 for piece in pieces])
    heights = 1 + 38 * peaks / max(float(peaks.max()), 1e-9)
    bars = "".join(
        shape("rect", x=4 * place, y=float(20 - height / 2), width=3, height=float(height))
        for place, height in enumerate(heights)
    )
    return shape(
        "svg", bars, viewBox=f"0 0 {4 * BARS} 40", role="img", preserveAspectRatio="none",
        aria_label=f"sound of {len(samples) / SAMPLING_RATE:.1f} s", fill="currentColor",
        style="display:block;width:100%;height:40px",
    )  # fmt: skip
