"""Score every beginning that captions share once: their tokens laid out as a tree.

"a dog by the sea" and "a dog at night" begin alike, and what a model says of "a dog" is the same in
both. Captions from a small grammar share most of their tokens. A token of the tree sees only the
tokens on its way back to the root, and its position is its depth, so that every caption is read as
if it stood alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from semcal_utils.models.heads import Precision, VocabularyHead

ROW_LENGTH = 128
LEAST_SAVING = 0.25  # of the tokens; below it plain rows are faster, for their attention is causal

_reads_trees: WeakKeyDictionary[nn.Module, bool] = WeakKeyDictionary()


@dataclass(frozen=True)
class PrefixTree:
    """Texts as rows of tree nodes.

    Attributes:
        input_ids: (rows, length) token of each node; rows end in filling.
        depths: (rows, length) tokens before it on its way.
        sees: (rows, length, length / 8) bits, set where a node sees another: its ancestors and
            itself.
        sources: (steps,) the node, counted row by row, whose state predicts the step's token.
        targets: (steps,) the token predicted.
        paths: Per text, the steps whose log-probabilities are its own.
    """

    input_ids: torch.Tensor
    depths: torch.Tensor
    sees: NDArray[np.uint8]
    sources: torch.Tensor
    targets: torch.Tensor
    paths: list[list[int]]

    @property
    def width(self) -> int:
        """How many nodes a row has room for."""
        return int(self.input_ids.shape[1])


def prefix_tree(
    sequences: Sequence[tuple[int, ...]], *, pad_id: int, row_length: int = ROW_LENGTH
) -> PrefixTree | None:
    """Lay distinct token sequences out as a tree, or return None where that saves too little.

    Args:
        sequences: Token ids per text, the first of each being context only.
        pad_id: Token id of the filling.
        row_length: Most nodes per row; a longer sequence makes every row longer.
    """
    read = sum(max(len(ids) - 1, 0) for ids in sequences)
    order = sorted(range(len(sequences)), key=lambda i: sequences[i])
    in_order = [sequences[i] for i in order]
    shared = sum(_common(one, other) for one, other in pairwise(in_order))
    if shared < LEAST_SAVING * read:  # rows can only save less
        return None
    row_length = max([row_length, *(len(ids) - 1 for ids in sequences)])
    rows: list[list[tuple[int, int, int]]] = [[]]  # token, depth, parent in the row
    steps: list[tuple[int, int, int]] = []  # row, node, token
    paths: list[list[int]] = [[]] * len(sequences)
    way: list[int] = []  # nodes of the last text, and below, its steps
    walked: list[int] = []
    last: Sequence[int] = ()
    for text in order:
        ids = sequences[text]
        shared = _common(ids, last)
        if len(rows[-1]) + len(ids) - 1 - min(shared, len(way)) > row_length:
            rows.append([])
            way, walked, shared = [], [], 0
        # The last token of a text is predicted and never read.
        way, walked = way[: min(shared, len(way))], walked[: max(shared - 1, 0)]
        for depth in range(len(way), len(ids) - 1):
            rows[-1].append((ids[depth], depth, way[-1] if way else -1))
            way.append(len(rows[-1]) - 1)
        for depth in range(len(walked), len(ids) - 1):
            steps.append((len(rows) - 1, way[depth], ids[depth + 1]))
            walked.append(len(steps) - 1)
        paths[text] = walked[: max(len(ids) - 1, 0)]
        last = ids
    if not steps or sum(len(row) for row in rows) > (1 - LEAST_SAVING) * read:
        return None
    width = -(-max(len(row) for row in rows) // 8) * 8
    sees = np.zeros((len(rows), width, width // 8), dtype=np.uint8)
    nodes = np.full((len(rows), width, 2), (pad_id, 0))
    for place, row in enumerate(rows):
        nodes[place, : len(row)] = [node[:2] for node in row]
        sees[place] = np.packbits(_ways(row, width), axis=-1)
    where = np.array(steps)
    return PrefixTree(
        torch.from_numpy(nodes[..., 0].copy()),
        torch.from_numpy(nodes[..., 1].copy()),
        sees,
        torch.from_numpy(where[:, 0] * width + where[:, 1]),
        torch.from_numpy(where[:, 2].copy()),
        paths,
    )


def tree_log_probs(
    model: Any, tree: PrefixTree, head: VocabularyHead, *, token_budget: int, precision: Precision
) -> list[NDArray[np.float64]]:
    """Return every text's log-probabilities, in nats, a step of the tree being scored once.

    Args:
        model: A model in evaluation mode that `reads_trees`.
        tree: Its texts.
        head: `vocabulary_head(model, precision)`.
        token_budget: Most nodes per batch of rows.
        precision: Of the network.
    """
    width = tree.width
    height = max(1, token_budget // width)
    found = np.empty(len(tree.targets))
    for begin in range(0, len(tree.input_ids), height):
        rows = slice(begin, begin + height)
        first, stop = np.searchsorted(tree.sources, [begin * width, (begin + height) * width])
        sees = torch.from_numpy(np.unpackbits(tree.sees[rows], axis=-1).astype(bool))
        states = _states(model, tree.input_ids[rows], tree.depths[rows], sees, precision)
        chosen = (tree.sources[first:stop] - begin * width).to(model.device)
        with torch.autocast(model.device.type, enabled=False):
            scores = head.log_probs(
                states.flatten(0, 1)[chosen], tree.targets[first:stop].to(model.device)
            )
        found[first:stop] = scores.double().cpu().numpy()
    return [found[path] for path in tree.paths]


def reads_trees(model: Any) -> bool:
    """Tell whether a model in evaluation mode obeys a tree's positions and its mask."""
    if model not in _reads_trees:
        _reads_trees[model] = _agrees_with_plain_rows(model)
    return _reads_trees[model]


@torch.inference_mode()
def _agrees_with_plain_rows(model: Any) -> bool:
    plain = torch.tensor([[0, 1, 2], [0, 1, 3]], device=model.device)
    plain = plain % model.get_input_embeddings().num_embeddings
    ids = torch.cat([plain[0], plain[1, 2:]])[None]
    depths = torch.tensor([[0, 1, 2, 2]])
    sees = torch.tensor([[[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 0, 1]]]).bool()
    with torch.autocast(model.device.type, enabled=False):
        expected = model.base_model(input_ids=plain, use_cache=False).last_hidden_state
        try:
            found = _states(model, ids, depths, sees, "float32")[0]
        except (RuntimeError, TypeError, ValueError):  # it takes no such mask
            return False
    both = torch.stack([found[[0, 1, 2]], found[[0, 1, 3]]])
    return torch.allclose(both, expected, rtol=1e-4, atol=1e-4)


def _states(
    model: Any, ids: torch.Tensor, depths: torch.Tensor, sees: torch.Tensor, precision: Precision
) -> torch.Tensor:
    device = model.device
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        states: torch.Tensor = model.base_model(
            input_ids=ids.to(device),
            position_ids=depths.to(device),
            attention_mask=sees[:, None].to(device),
            use_cache=False,
        ).last_hidden_state
    return states


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _ways(row: Sequence[tuple[int, int, int]], width: int) -> NDArray[np.bool_]:
    """Return what each node of a row sees; filling sees itself, or its softmax were no number."""
    sees = np.eye(width, dtype=bool)
    for place, (_, _, parent) in enumerate(row):
        if parent >= 0:
            sees[place] |= sees[parent]
    return sees
