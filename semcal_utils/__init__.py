"""Semantic calibration of media streams, one module per step of the walk.

Media become captions (`media`, `captioning`), captions become two language models (`splits`,
`language_models`), models become probabilities of acceptance (`scoring`, `acceptance`), and those
become a filtered stream that is measured against the world (`rejection`, `divergence`).
"""

__version__ = "0.1.0"
