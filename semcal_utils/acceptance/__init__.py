"""From token log-probabilities to acceptance probabilities.

The log ratio of a caption c is log r(c) = log R(c) − log G(c). An item is kept with probability
a(c) = min(1, r(c)/M), which turns the stream G into the world R wherever r ≤ M.
"""

from semcal_utils.acceptance.ratios import (
    PAPER_TOP_P,
    accept_probability,
    checked_log_bound,
    exact_log_bound,
    log_mean_exp,
    log_ratios,
    normalised_log_ratios,
    nucleus_mask,
    paper_log_ratios,
)
from semcal_utils.acceptance.recipes import RECIPES, check_recipe, load_recipes

__all__ = [
    "PAPER_TOP_P",
    "RECIPES",
    "accept_probability",
    "check_recipe",
    "checked_log_bound",
    "exact_log_bound",
    "load_recipes",
    "log_mean_exp",
    "log_ratios",
    "normalised_log_ratios",
    "nucleus_mask",
    "paper_log_ratios",
]
