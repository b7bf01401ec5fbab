"""All language models of a profile: one general and one real per world, for every dataset.

`python -m semcal_utils.models --profile paper` trains them from the captions that notebook 01
left; under `accelerate launch -m` or `torchrun -m` on several processors at once. Notebook 02
trains through the same functions, so each finds finished what the other has trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from semcal_utils import worlds
from semcal_utils.models.fine_tuning import FineTuning, fine_tune, hold_out
from semcal_utils.models.language_models import small_language_model, train_tokenizer
from semcal_utils.models.model_folders import load_language_model
from semcal_utils.runs import Run
from semcal_utils.runs.files import state_of_files
from semcal_utils.worlds import WORLDS, Worlds


@dataclass(frozen=True)
class ModelSettings:
    """What the models of a dataset depend on: the parameters of notebook 02, in lower case.

    Attributes:
        seed: Decides splits, weights, held-out captions and order.
        worlds: KL(G‖R) by name, in nats; one real model each.
        calibration_share: Part of general_train that no model sees.
        base: A causal language model by id or folder; empty: a small GPT-2 from fresh weights.
        vocabulary: Most tokens of the tokenizer of the small model.
        width: Size of its hidden states.
        layers: Its blocks.
        epochs: Passes of the general model.
        learning_rate: Of every model that does not start from the general one.
        real_starts_from: `general`, or `scratch` (the base, or fresh weights).
        real_epochs: Passes of a real model that starts from the general one.
        real_learning_rate: Its learning rate.
        fresh_epochs: Passes of a real model from scratch.
        batch_size: Captions per step and process.
        warmup_steps: Steps in which the learning rate rises, capped to the run's length; 0: a
            twentieth of the run.
        weight_decay: AdamW's.
    """

    seed: int = 0
    worlds: Mapping[str, float] = field(default_factory=lambda: dict(WORLDS))
    calibration_share: float = 0.2
    base: str = ""
    vocabulary: int = 2048
    width: int = 128
    layers: int = 2
    epochs: float = 6.0
    learning_rate: float = 1e-3
    real_starts_from: str = "general"
    real_epochs: float = 4.0
    real_learning_rate: float = 3e-4
    fresh_epochs: float = 12.0
    batch_size: int = 32
    warmup_steps: int = 0
    weight_decay: float = 0.01

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> ModelSettings:
        """Read settings from a notebook's parameters, such as `globals()`; others are passed by."""
        known = {field.name: field.name.upper() for field in fields(cls)}
        given = {name: parameters[upper] for name, upper in known.items() if upper in parameters}
        settings = cls(**given)
        worlds.check_targets(settings.worlds)
        if settings.real_starts_from not in ("general", "scratch"):
            raise ValueError(
                f"REAL_STARTS_FROM is {settings.real_starts_from!r}; choose general or scratch."
            )
        return settings


def draw_worlds(run: Run, settings: ModelSettings) -> Worlds:
    """Draw the worlds of a run in one of the processes that work on it, and open them in all.

    Raises:
        MissingArtefact: There are no captions yet.
        ValueError: A world cannot be reached.
    """
    if processes().is_main_process:
        worlds.draw(
            run, settings.worlds, calibration_share=settings.calibration_share, seed=settings.seed
        )
    processes().wait_for_everyone()
    return worlds.open(run)


def train_model(
    run: Run,
    data: Worlds,
    settings: ModelSettings,
    split: str,
    *,
    start: str | None = None,
    name: str | None = None,
) -> Path:
    """Train one model of a run, or find it finished.

    Args:
        run: Holds captions and splits, and the general model where a real one starts from it.
        data: Its worlds.
        settings: What to train.
        split: `general`, or a world.
        start: Where a real model starts, `general` or `scratch`; by default as settings say.
        name: Folder in the run; by default `models/general` or `models/real_<world>`.

    Returns:
        The model's folder, with `history.csv` in it.
    """
    start = "scratch" if split == "general" else start or settings.real_starts_from
    budget = _budget(settings, split, start)
    stamp: dict[str, Any] = {
        "vocabulary": settings.vocabulary,
        "width": settings.width,
        "layers": settings.layers,
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "captions": run.fingerprint("captions.parquet"),
        "splits": run.fingerprint("splits.parquet"),
        **budget,
    }
    own: dict[str, Any] = {}
    if settings.base:
        # Another model in the same folder is another base.
        own = {"base": settings.base, "base_state": state_of_base(settings.base)}
    own |= {"warmup_steps": settings.warmup_steps} if settings.warmup_steps else {}
    own |= {} if settings.weight_decay == 0.01 else {"weight_decay": settings.weight_decay}
    if split != "general":
        stamp |= {"starts_from": start, "general": run.fingerprint("models/general")}

    def make(folder: Path) -> None:
        general = run.path("models/general")
        base = (
            load_language_model(general) if start == "general" else untrained_model(data, settings)
        )
        tuning = FineTuning(
            batch_size=settings.batch_size,
            seed=settings.seed,
            warmup_steps=settings.warmup_steps or None,
            weight_decay=settings.weight_decay,
            **budget,
        )
        tuned = fine_tune(
            base[0],
            data.texts(split),
            tuning,
            tokenizer=base[1],
            output_dir=folder,
            held_out=hold_out(data.ids(split, role="train"), seed=settings.seed),
            description=split if split == "general" else f"{split} from {start}",
        )
        if processes().is_main_process:
            tuned.history.to_csv(folder / "history.csv", index=False)

    default = "models/general" if split == "general" else f"models/real_{split}"
    return _make_together(run, name or default, make, {**stamp, **own})


def state_of_base(base: str) -> str:
    """Return a digest of the files of a base model in a folder; nothing of an id."""
    visible = (file for file in sorted(Path(base).rglob("[!.]*")) if file.is_file())
    return state_of_files(visible) if Path(base).is_dir() else ""


def _budget(settings: ModelSettings, split: str, start: str) -> dict[str, Any]:
    if split == "general":
        return {"epochs": settings.epochs, "learning_rate": settings.learning_rate}
    if start == "general":
        return {"epochs": settings.real_epochs, "learning_rate": settings.real_learning_rate}
    return {"epochs": settings.fresh_epochs, "learning_rate": settings.learning_rate}


def untrained_model(
    data: Worlds, settings: ModelSettings
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Return what the general model starts from, and the tokenizer that all models share."""
    if settings.base:
        return load_language_model(settings.base)
    tokenizer = train_tokenizer(data.texts("general"), vocabulary_size=settings.vocabulary)
    model = small_language_model(
        tokenizer, width=settings.width, layers=settings.layers, heads=4, seed=settings.seed
    )
    return model, tokenizer


def _make_together(
    run: Run, name: str, make: Callable[[Path], None], stamp: dict[str, Any]
) -> Path:
    """Make a folder in all processes at once: the first decides whether and where, and renames."""
    state = processes()
    if state.is_main_process:

        def with_the_others(folder: Path) -> None:
            broadcast_object_list([str(folder)])
            make(folder)

        _, made = run.make_folder(name, with_the_others, **stamp)
        if not made:
            broadcast_object_list([None])
    else:
        told: list[str | None] = [None]
        broadcast_object_list(told)
        if told[0] is not None:
            make(Path(told[0]))
    state.wait_for_everyone()
    return run.load_folder(name)


def processes() -> PartialState:
    """Return the processes that work on this together; one, unless a launcher started more."""
    # Their way to talk depends on the device, and is chosen at the first use.
    return PartialState(cpu=not torch.cuda.is_available())
