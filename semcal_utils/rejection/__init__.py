"""The filter: keep each item of a stream with its acceptance probability, in batch or singly."""

from semcal_utils.rejection.decision_tables import REASONS, Decision, filter_table, sample_exactly
from semcal_utils.rejection.random_numbers import accept_items, item_uniforms
from semcal_utils.rejection.semantic_filter import SemanticFilter

__all__ = [
    "REASONS",
    "Decision",
    "SemanticFilter",
    "accept_items",
    "filter_table",
    "item_uniforms",
    "sample_exactly",
]
