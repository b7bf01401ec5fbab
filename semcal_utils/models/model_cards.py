"""Publish a fine-tuned language model with a card that says how it was made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, ModelCard, ModelCardData
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

from semcal_utils.models.model_folders import LAST_WRITTEN, TRAINING_RECORD

CARD = "README.md"
# The hub's own client has changed before; its failures are told by the module that raises them.
REFUSALS = (HfHubHTTPError, LocalTokenNotFoundError, OSError)


def write_model_card(folder: str | Path, *, title: str, description: str) -> Path:
    """Write a model card into a finished model folder, from the record of its training.

    Args:
        folder: A folder that `fine_tune` finished.
        title: Heading of the card.
        description: What the model is of: dataset, general or real, world.

    Returns:
        The card's path.

    Raises:
        FileNotFoundError: The folder holds no finished model or no record of its training.
    """
    folder = Path(folder)
    for name in (LAST_WRITTEN, TRAINING_RECORD):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} holds no {name}: a card is written for a model that fine_tune finished."
            )
    record = json.loads((folder / TRAINING_RECORD).read_text(encoding="utf-8"))
    card = ModelCard(_card_text(title, description, record))
    card.save(folder / CARD)
    return folder / CARD


def publish_language_model(
    folder: str | Path,
    repo_id: str,
    *,
    title: str,
    description: str,
    private: bool = True,
    token: str | None = None,
) -> str:
    """Upload a finished model folder, its card included, to the hub.

    Args:
        folder: A folder that `fine_tune` finished.
        repo_id: `<owner>/<name>` on the hub; made when missing.
        title: Heading of the card.
        description: What the model is of.
        private: Whether a new repository is hidden from others.
        token: Access token; by default the one `hf auth login` stored.

    Returns:
        The address of the model.

    Raises:
        FileNotFoundError: As for `write_model_card`.
        ConnectionError: The hub cannot be reached or refuses; the folder is intact.
        ValueError: `repo_id` is not a name the hub accepts.
    """
    write_model_card(folder, title=title, description=description)
    hub = HfApi(token=token)
    try:
        hub.create_repo(repo_id, private=private, exist_ok=True)
        hub.upload_folder(
            repo_id=repo_id, folder_path=folder, ignore_patterns=[".*", "checkpoints"]
        )
    except HFValidationError as error:
        raise ValueError(f"{repo_id!r} is no name for a model on the hub: {error}") from error
    except Exception as error:
        if not (isinstance(error, REFUSALS) or type(error).__module__.startswith("httpx")):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise ConnectionError(
            f"Could not publish {folder} as {repo_id}: {reason}. The folder is intact; log in "
            "with `hf auth login` and try again while online."
        ) from error
    return f"https://huggingface.co/{repo_id}"


def _card_text(title: str, description: str, record: dict[str, Any]) -> str:
    data = ModelCardData(
        library_name="transformers",
        pipeline_tag="text-generation",
        tags=["semantic-calibration", "captions"],
    )
    history = record["history"]
    held_out = [
        loss
        for split, loss in zip(history["split"], history["loss"], strict=True)
        if split == "held_out"
    ]
    settings = dict(record["settings"])
    settings["held_out"] = f"{len(settings['held_out'])} texts"
    rows = "\n".join(f"| {name} | {value} |" for name, value in settings.items())
    return f"""---
{data.to_yaml()}
---

# {title}

{description}

A causal language model of captions, one of a pair: the logarithm of the ratio of the two models'
probabilities says how much more likely a caption is in the real world than in the stream. Score
texts as start token, tokens, end token; the end token is learnt.

Trained on {record["texts"]} texts (some held out). Lowest held-out loss: {min(held_out):.4f} nats
per token, at step {record["best_step"]}.

| setting | value |
|---|---|
{rows}
"""
