"""The embedded city: posts of a small town, seen and heard, whose truth is known exactly.

One grammar says what there is and puts it in words; two renderers draw pictures and make sounds of
it. The same seed gives the same items.
"""

from semcal_utils.city.grammar import (
    LESSONS,
    PICTURES,
    SOUNDS,
    STREAM,
    Grammar,
    Meaning,
    Utterance,
)
from semcal_utils.city.pictures import PICTURE_SIZE, draw
from semcal_utils.city.sounds import synthesise, wav_bytes
from semcal_utils.city.synthesis import RATE, SAMPLES
from semcal_utils.city.tables import MEDIA, table_of, utterances

__all__ = [
    "LESSONS",
    "MEDIA",
    "PICTURES",
    "PICTURE_SIZE",
    "RATE",
    "SAMPLES",
    "SOUNDS",
    "STREAM",
    "Grammar",
    "Meaning",
    "Utterance",
    "draw",
    "synthesise",
    "table_of",
    "utterances",
    "wav_bytes",
]
