"""Worlds: the real distributions that a stream is compared with, and the sub-samples of them."""

from semcal_utils.worlds.made_worlds import (
    WORLDS,
    draw_calibration_part,
    draw_real_split,
    target_frequencies,
)
from semcal_utils.worlds.of_run import GENERAL, Worlds, check_targets, draw, open

__all__ = [
    "GENERAL",
    "WORLDS",
    "Worlds",
    "check_targets",
    "draw",
    "draw_calibration_part",
    "draw_real_split",
    "open",
    "target_frequencies",
]
