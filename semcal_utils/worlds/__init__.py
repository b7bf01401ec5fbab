"""Worlds: the real distributions that a stream is compared with, and the sub-samples of them."""

from semcal_utils.worlds.made_worlds import (
    CALIBRATION_SHARE,
    SEVERITIES,
    RealSplit,
    draw_calibration_part,
    draw_real_split,
    target_frequencies,
)

__all__ = [
    "CALIBRATION_SHARE",
    "SEVERITIES",
    "RealSplit",
    "draw_calibration_part",
    "draw_real_split",
    "target_frequencies",
]
