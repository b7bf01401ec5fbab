"""The wall: kept items beside dropped ones, each with its picture or sound and coloured caption."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from semcal_utils.show import html as markup
from semcal_utils.show.caption_words import CaptionSaliency, explain_caption
from semcal_utils.show.escaping import content, visible_text
from semcal_utils.show.wall_media import medium_html
from semcal_utils.show.word_shares import require_columns, text_of_tokens

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
        saliency: its words with their shares; None if it could not be decided on.
        accepted: whether it was kept.
        reason: why it was not.
        medium: its picture or sound as escaped HTML, or "".
    """

    item_id: str
    label: str
    caption: str
    saliency: CaptionSaliency | None
    accepted: bool
    reason: str
    medium: str = ""


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
            name = visible_text(f"{card.item_id} {card.label}".strip())
            told = repr(card.saliency) if card.saliency else visible_text(card.caption)
            reason = f" ({visible_text(card.reason)})" if card.reason else ""
            lines.append(f"[{'kept' if card.accepted else 'dropped'}] {name}{reason}\n{told}")
        return "\n\n".join(lines) or "(no items)"

    def _card_html(self, card: DecisionCard, colour: str) -> str:
        if card.saliency:
            caption = card.saliency.body_html(self.scale, verdict=False)
        else:
            caption = f"<div>{content(card.caption)}</div>"
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
        saliency, caption = None, ""
        if item_id in tokens.index:
            pieces, general, real = tokens.loc[item_id, SCORED]
            caption = text_of_tokens(pieces)
            if ratio is None or math.isfinite(ratio):
                probability = row.get("accept_probability")
                explained = {"log_bound": log_bound, "power": power, "top_p": top_p}
                explained |= {"log_ratio": ratio, "accept_probability": probability}
                saliency = explain_caption(pieces, general, real, **explained)
        cards.append(
            DecisionCard(
                item_id=str(item_id),
                label=label if isinstance(label, str) else "",
                caption=caption,
                saliency=saliency,
                accepted=bool(row["accepted"]),
                reason=str(row.get("reason") or ""),
                medium=media.get(item_id, ""),
            )
        )
    shares = [share for card in cards if card.saliency for share in card.saliency.shares]
    return DecisionWall(tuple(cards), markup.symmetric_scale(shares))


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
