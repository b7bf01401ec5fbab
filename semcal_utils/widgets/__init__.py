"""Panels to play with; run headless, each shows the same picture once and builds no widget."""

from semcal_utils.widgets.coins import coin_panel
from semcal_utils.widgets.flowing import moving_picture_html, stream_frames
from semcal_utils.widgets.panels import HEADLESS_VARIABLE, is_headless, panel
from semcal_utils.widgets.streams import RecordedStreams, stream_panel
from semcal_utils.widgets.worlds import world_panel

__all__ = [
    "HEADLESS_VARIABLE",
    "RecordedStreams",
    "coin_panel",
    "is_headless",
    "moving_picture_html",
    "panel",
    "stream_frames",
    "stream_panel",
    "world_panel",
]
