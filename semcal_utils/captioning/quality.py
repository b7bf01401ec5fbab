"""How good captions are: do they name what the item is about, and do they agree with people's?"""

from __future__ import annotations

import re
from collections.abc import Callable

import pandas as pd


def caption_quality(
    table: pd.DataFrame, topic_of: Callable[[str], str | None] | None = None
) -> dict[str, float]:
    """Measure captions by keyword and against the reference captions.

    Args:
        table: Columns ``caption``, ``label`` and ``reference_caption``; items without a caption
            count as wrong.
        topic_of: Finds the label that a caption names, as the city's grammars do; by default a
            caption is right if it holds its label's own name as a word.

    Returns:
        ``keyword_accuracy``: share of the captions that name their label. ``bleu``: agreement with
        the reference captions, word by word, from 0 to 100 (Papineni et al., 2002; as sacrebleu
        counts it); missing where there are none.
    """
    if topic_of is None:
        pairs = zip(table["caption"], table["label"], strict=True)
        named = pd.Series([names_label(caption, label) for caption, label in pairs])
    else:
        named = table["caption"].map(topic_of) == table["label"]
    found = {"keyword_accuracy": float(named.mean())}
    referred = table[table["reference_caption"].str.strip() != ""]
    if len(referred):
        from sacrebleu import corpus_bleu

        references = [referred["reference_caption"].tolist()]
        found["bleu"] = float(corpus_bleu(referred["caption"].tolist(), references).score)
    return found


def names_label(caption: str, label: str) -> bool:
    """Say whether a caption holds a label's name, in the singular or the plural.

    Args:
        caption: Any text; capital letters do not matter.
        label: A label; ``_`` and ``-`` stand for spaces.

    Returns:
        Whether it does.
    """
    name = re.escape(re.sub(r"[_-]+", " ", label.lower()).strip())
    return re.search(rf"(?<!\w){name}(?:e?s)?(?!\w)", caption.lower()) is not None
