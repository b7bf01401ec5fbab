"""Semantic calibration of media streams, one module per step of the walk.

Media become captions (`media`, `captioning`), captions become language models of the stream and of
each world (`worlds`, `models`), models become probabilities of acceptance (`acceptance`), and those
become a filtered stream that is measured against the world (`rejection`, `divergence`).
"""

__version__ = "0.1.0"
