"""Tokens put back together as words: what each adds to one caption's log ratio, and to all."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from tqdm.auto import tqdm

from semcal_utils.acceptance import nucleus_mask
from semcal_utils.show.escaping import visible_text

END_TOKEN = "<|endoftext|>"
END_OF_CAPTION = "(end of caption)"

_PUNCTUATION = r"""\].,;:!?'"()\[{}‘’“”…`*"""
# A word is what stands between blanks, with the blanks before it; punctuation at its ends is apart.
_WORD = re.compile(rf"\s*(?:[^\s{_PUNCTUATION}](?:\S*[^\s{_PUNCTUATION}])?|[{_PUNCTUATION}]+)")


@dataclass(frozen=True)
class WordShare:
    """One word, the end of the caption, or the recipe's constant, with what it adds to log r.

    Attributes:
        text: the word as written, without blanks around it; untrusted.
        share: nats that it adds to the log ratio.
        clipped_share: nats of its tokens that the clipping leaves out.
        tokens: how many tokens it is made of.
        clipped: how many of them the clipping leaves out.
        kind: "word", "end" (the end token) or "recipe" (what a recipe adds to every caption).
    """

    text: str
    share: float
    clipped_share: float = 0.0
    tokens: int = 1
    clipped: int = 0
    kind: Literal["word", "end", "recipe"] = "word"


def token_bytes(token: str) -> bytes:
    """Return the bytes that a byte-level piece stands for.

    Args:
        token: a piece in GPT-2's byte alphabet, e.g. "Ġfire"; characters outside it stand for
            themselves.

    Returns:
        Its bytes, e.g. b" fire"; possibly a part of a character.

    Source:
        GPT-2's byte-level BPE (Radford et al., 2019).
    """
    alphabet = _byte_of_character()
    return b"".join(
        bytes([alphabet[c]]) if c in alphabet else c.encode("utf-8", "surrogatepass") for c in token
    )


def text_of_tokens(tokens: Sequence[str]) -> str:
    """Return the text that byte-level pieces stand for, without a closing end token."""
    words = tokens[:-1] if len(tokens) and tokens[-1] == END_TOKEN else tokens
    return b"".join(token_bytes(token) for token in words).decode("utf-8", "replace")


def tokens_by_word(tokens: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Group the tokens of a text into words.

    Tokens are joined as bytes before they are read as text, so a character that is split over
    several tokens stays whole. Words that share a token are one word; blanks belong to the word
    that follows them.

    Args:
        tokens: byte-level pieces in reading order, without special tokens.

    Returns:
        Words with the places of their tokens; together they cover every token once, in order.
    """
    pieces = [token_bytes(token) for token in tokens]
    whole = b"".join(pieces)
    if not whole:
        return [("", list(range(len(tokens))))] if tokens else []
    # Bytes that are no text become lone surrogates, so that every character's length is known.
    text = whole.decode("utf-8", "surrogateescape")
    byte_at = np.cumsum([0, *(_byte_length(character) for character in text)]).tolist()
    token_ends = np.cumsum([len(piece) for piece in pieces])
    starts = {byte_at[match.start()] for match in _WORD.finditer(text)}
    # Only where a token ends can a word end too.
    inner = (starts & set(token_ends.tolist())) - {0, len(whole)}
    borders = [*sorted(inner), len(whole)]
    last_tokens = np.searchsorted(token_ends, borders, side="right").tolist()
    words = []
    for start, stop, first, last in zip(
        [0, *borders], borders, [0, *last_tokens], last_tokens, strict=False
    ):
        words.append((_readable(whole[start:stop]), list(range(first, last))))
    return words


def word_shares(
    tokens: Sequence[str],
    log_prob_general: Sequence[float],
    log_prob_real: Sequence[float],
    *,
    top_p: float | None = None,
    power: float = 1.0,
    log_ratio: float | None = None,
) -> list[WordShare]:
    """Share a caption's log ratio out among its words: power · Σ over tokens of log R − log G.

    Args:
        tokens: byte-level pieces; the end token, if any, comes last.
        log_prob_general: log G of each token, in nats.
        log_prob_real: log R of each token, in nats.
        top_p: the published clipping's share (0.75); None counts every token.
        power: what the recipe multiplies log ratios by.
        log_ratio: the recipe's own log ratio in nats; what words do not explain of it, such as a
            calibration's shift, becomes a share of kind "recipe".

    Returns:
        The shares in reading order; they sum to the log ratio.

    Raises:
        ValueError: if the lists differ in length.
    """
    if not len(tokens) == len(log_prob_general) == len(log_prob_real):
        raise ValueError(
            f"{len(tokens)} tokens have {len(log_prob_general)} and {len(log_prob_real)} "
            "log-probabilities; give one of each per token."
        )
    values = power * np.subtract(log_prob_real, log_prob_general)
    counts = np.ones(len(tokens), dtype=bool)
    if top_p is not None:
        counts = nucleus_mask(np.subtract(log_prob_real, log_prob_general), top_p)
    ended = len(tokens) > 0 and tokens[-1] == END_TOKEN
    words = tokens_by_word(tokens[:-1] if ended else tokens)
    groups: list[tuple[str, list[int], Literal["word", "end"]]] = [(*w, "word") for w in words]
    if ended:
        groups.append(("", [len(tokens) - 1], "end"))
    shares = [
        WordShare(
            text=text,
            share=float(values[places][counts[places]].sum()),
            clipped_share=float(values[places][~counts[places]].sum()),
            tokens=len(places),
            clipped=int((~counts[places]).sum()),
            kind=kind,
        )
        for text, places, kind in groups
    ]
    if log_ratio is not None:
        rest = log_ratio - float(np.sum([share.share for share in shares]))
        if abs(rest) > 1e-6 * max(1.0, abs(log_ratio)):
            shares.append(WordShare("", rest, tokens=0, kind="recipe"))
    return shares


def stream_words(
    token_log_probs: pd.DataFrame,
    *,
    power: float = 1.0,
    top_p: float | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Rank words by how far they moved the stream: mean share × count, in nats.

    Words are compared without regard to case; control characters are made visible.

    Args:
        token_log_probs: columns tokens, log_prob_general, log_prob_real (lists, nats).
        power: what the recipe multiplies log ratios by.
        top_p: the published clipping's share (0.75); None counts every token.
        progress: whether to show a progress bar.

    Returns:
        Columns word, count, captions (in how many it occurs), mean_share (nats) and moved = count ×
        mean_share (nats), largest |moved| first. `moved` sums to the sum of all log ratios.

    Raises:
        ValueError: if a column is lacking, or a caption's lists differ in length.
    """
    columns = ["tokens", "log_prob_general", "log_prob_real"]
    require_columns(token_log_probs, columns, "token_log_probs")
    rows = zip(*(token_log_probs[column] for column in columns), strict=True)
    found = []
    bar = tqdm(rows, total=len(token_log_probs), desc="words", disable=not progress)
    for number, (tokens, general, real) in enumerate(bar):
        for share in word_shares(tokens, general, real, top_p=top_p, power=power):
            word = END_OF_CAPTION if share.kind == "end" else share.text.casefold()
            found.append((word, share.share, number))
    table = pd.DataFrame(found, columns=["word", "share", "caption"])
    groups = table.groupby("word", sort=True)
    ranked = pd.DataFrame(
        {
            "count": groups.size(),
            "captions": groups["caption"].nunique(),
            "mean_share": groups["share"].mean(),
            "moved": groups["share"].sum(),
        }
    ).reset_index()
    ranked["word"] = [visible_text(word) for word in ranked["word"]]
    order = ranked["moved"].abs().sort_values(ascending=False, kind="stable").index
    return ranked.loc[order].reset_index(drop=True)


def require_columns(table: pd.DataFrame, needed: Sequence[str], name: str) -> None:
    """Raise a ValueError that names the columns that a table lacks."""
    lacking = [column for column in needed if column not in table]
    if lacking:
        raise ValueError(f"{name} lacks the column(s) {', '.join(lacking)}.")


@cache
def _byte_of_character() -> dict[str, int]:
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    alphabet = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in set(printable)]
    return alphabet | {chr(256 + place): byte for place, byte in enumerate(others)}


def _byte_length(character: str) -> int:
    return 1 if "\ud800" <= character <= "\udfff" else len(character.encode())


def _readable(piece: bytes) -> str:
    text = piece.decode("utf-8", "replace")
    return text.strip() or text
