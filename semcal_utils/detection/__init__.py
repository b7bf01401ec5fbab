"""Is this item over-represented? Detection measures for log ratios, rivals, and experiments.

A label is over-represented where the world holds less of it than the stream, w_k = R_k/G_k < 1.
"""

from semcal_utils.detection.measures import (
    Detection,
    auc_interval,
    detect,
    detection_probability,
    over_represented,
    reliability_curve,
    share_interval,
)

__all__ = [
    "Detection",
    "auc_interval",
    "detect",
    "detection_probability",
    "over_represented",
    "reliability_curve",
    "share_interval",
]
