"""How far two label distributions are apart, what of that is chance, and what a filter removes."""

from semcal_utils.divergence.divergences import (
    Reduction,
    deception_reduction,
    jensen_shannon,
    kl_divergence,
    reduction_of,
    total_variation,
)
from semcal_utils.divergence.frequencies import (
    checked_probabilities,
    effective_size,
    expected_filtered_frequencies,
    label_codes,
    label_frequencies,
)
from semcal_utils.divergence.noise import (
    bias_corrected_kl,
    noise_band,
    noise_floor,
    sampling_band,
    sampling_bias,
    weight_sums,
)

__all__ = [
    "Reduction",
    "bias_corrected_kl",
    "checked_probabilities",
    "deception_reduction",
    "effective_size",
    "expected_filtered_frequencies",
    "jensen_shannon",
    "kl_divergence",
    "label_codes",
    "label_frequencies",
    "noise_band",
    "noise_floor",
    "reduction_of",
    "sampling_band",
    "sampling_bias",
    "total_variation",
    "weight_sums",
]
