"""Figures. Every function takes the data and an `ax`, draws, and returns the `ax`.

One palette everywhere: general amber, real blue, filtered light blue, rejected grey (the
colour-blind safe set of Okabe and Ito).
"""

from semcal_utils.show.animation import save_stream_animation
from semcal_utils.show.artefacts import plot_artefact_argument
from semcal_utils.show.bars import (
    plot_kept_divergence,
    plot_label_bars,
    plot_ranked_bars,
    plot_recipes,
    plot_verdicts,
)
from semcal_utils.show.coin_stream import coin_panel, plot_coin_stream
from semcal_utils.show.curves import (
    plot_against_diagonal,
    plot_bound_curve,
    plot_labels_needed,
    plot_precision_recall,
    plot_roc,
    plot_sharpening,
)
from semcal_utils.show.decision_wall import decision_wall
from semcal_utils.show.dots import (
    plot_dots_by_label,
    plot_dots_with_intervals,
    plot_spread_by_label,
)
from semcal_utils.show.heat_maps import plot_heat_map, plot_relative_table
from semcal_utils.show.items import (
    plot_captioned_items,
    plot_sentences,
    plot_token_contributions,
    plot_token_log_probs,
)
from semcal_utils.show.lines import (
    plot_alarm_paths,
    plot_alarm_times,
    plot_convergence,
    plot_few_labels,
    plot_lines_by_world,
    plot_lines_with_bands,
    plot_loss_curves,
)
from semcal_utils.show.scatters import (
    plot_auc_against_reduction,
    plot_cost_and_gain,
    plot_histograms,
)
from semcal_utils.show.stream_frames import moving_picture_html, stream_frames
from semcal_utils.show.stream_panel import RecordedStreams, stream_panel
from semcal_utils.show.style import (
    COLOURS,
    RECIPE_COLOURS,
    colours_of,
    new_figure,
    panel_grid,
    percent,
    use_style,
)
from semcal_utils.show.word_shares import stream_words
from semcal_utils.show.world_panel import world_panel

__all__ = [
    "COLOURS",
    "RECIPE_COLOURS",
    "RecordedStreams",
    "coin_panel",
    "colours_of",
    "decision_wall",
    "moving_picture_html",
    "new_figure",
    "panel_grid",
    "percent",
    "plot_against_diagonal",
    "plot_alarm_paths",
    "plot_alarm_times",
    "plot_artefact_argument",
    "plot_auc_against_reduction",
    "plot_bound_curve",
    "plot_captioned_items",
    "plot_coin_stream",
    "plot_convergence",
    "plot_cost_and_gain",
    "plot_dots_by_label",
    "plot_dots_with_intervals",
    "plot_few_labels",
    "plot_heat_map",
    "plot_histograms",
    "plot_kept_divergence",
    "plot_label_bars",
    "plot_labels_needed",
    "plot_lines_by_world",
    "plot_lines_with_bands",
    "plot_loss_curves",
    "plot_precision_recall",
    "plot_ranked_bars",
    "plot_recipes",
    "plot_relative_table",
    "plot_roc",
    "plot_sentences",
    "plot_sharpening",
    "plot_spread_by_label",
    "plot_token_contributions",
    "plot_token_log_probs",
    "plot_verdicts",
    "save_stream_animation",
    "stream_frames",
    "stream_panel",
    "stream_words",
    "use_style",
    "world_panel",
]
