"""Which words moved the decision: for one caption, for a wall of items, for the whole stream."""

from __future__ import annotations

import pandas as pd
from tqdm.auto import tqdm

from semcal_utils.acceptance import nucleus_mask
from semcal_utils.show.html import visible_text
from semcal_utils.show.word_shares import word_shares

END_OF_CAPTION = "(end of caption)"


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
    lacking = [column for column in columns if column not in token_log_probs]
    if lacking:
        raise ValueError(f"token_log_probs lacks the column(s) {', '.join(lacking)}.")
    words: list[str] = []
    shares: list[float] = []
    captions: list[int] = []
    rows = zip(*(token_log_probs[column] for column in columns), strict=True)
    bar = tqdm(rows, total=len(token_log_probs), desc="words", disable=not progress)
    for number, (tokens, general, real) in enumerate(bar):
        counted = None
        if top_p is not None and len(tokens):
            counted = nucleus_mask([r - g for r, g in zip(real, general, strict=True)], top_p)
        for share in word_shares(tokens, general, real, counted=counted, power=power):
            words.append(END_OF_CAPTION if share.kind == "end" else share.text.casefold())
            shares.append(share.share)
            captions.append(number)
    table = pd.DataFrame({"word": words, "share": shares, "caption": captions})
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
