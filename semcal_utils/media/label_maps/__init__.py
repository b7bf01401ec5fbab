"""Fine-to-coarse label maps, one JSON object per dataset: fine label to coarse label.

``cifar100`` and ``esc50`` are the groups their authors published; ``cifar10``, ``vggsound`` and
``coco`` (nouns of captions to the dataset's super-categories) were grouped for this package.
"""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path


def label_map(name: str | Path) -> dict[str, str]:
    """Read a map from fine to coarse labels.

    Args:
        name: A map of this package, without ``.json``, or the path of a JSON file of your own.

    Returns:
        The coarse label of every fine label.

    Raises:
        FileNotFoundError: There is no such map.
        ValueError: The file is no JSON object of strings.
    """
    own = Path(name)
    shipped = files(__package__).joinpath(f"{name}.json")
    if own.suffix == ".json":
        if not own.is_file():
            raise FileNotFoundError(f"There is no label map {own}.")
        text = own.read_text(encoding="utf-8")
    elif shipped.is_file():
        text = shipped.read_text(encoding="utf-8")
    else:
        names = sorted(
            path.name.removesuffix(".json")
            for path in files(__package__).iterdir()
            if path.name.endswith(".json")
        )
        raise FileNotFoundError(
            f"There is no label map {name!r}; choose one of {', '.join(names)}, or give the path "
            "of a JSON file."
        )
    try:
        pairs = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f"The label map {name} is no JSON ({error}).") from error
    if not isinstance(pairs, dict) or not all(isinstance(coarse, str) for coarse in pairs.values()):
        raise ValueError(f"The label map {name} is no object of fine labels to coarse labels.")
    return pairs
