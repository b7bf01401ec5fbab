"""The embedded captioner's network: a small GPT-2 that reads a convolutional encoder.

Pictures and log-mel sounds of a few dozen pixels a side are learnt in minutes on a CPU:
convolutions see strokes and edges from the first step, where a patch transformer has to find them.
Both halves are one `PreTrainedModel`, so that the captioner is saved and loaded as any other.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedConfig, PreTrainedModel

STRIDE = 8  # three halvings: one encoder position per 8 x 8 pixels


class CaptionerConfig(PreTrainedConfig):
    """Shape of an embedded captioner.

    Attributes:
        modality: ``image`` or ``audio``.
        channels: input channels, 3 for pictures and 1 for log-mel sounds.
        height: input rows in pixels (mel bands), a multiple of 8.
        width: input columns in pixels (frames), a multiple of 8.
        hidden_size: width of the encoder's output and of the decoder.
        layers: number of decoder layers.
        heads: attention heads of a decoder layer.
        vocab_size: number of words with the special tokens.
        caption_tokens: longest caption, in tokens, with its start and end.
        sampling_rate: of sounds, in Hz; their length is width * HOP / sampling_rate.
    """

    model_type = "semcal_captioner"

    modality: str = "image"
    channels: int = 3
    height: int = 64
    width: int = 64
    hidden_size: int = 96
    layers: int = 2
    heads: int = 4
    vocab_size: int = 256
    caption_tokens: int = 24
    sampling_rate: int = 16000
    pad_token_id: int | None = 0
    bos_token_id: int | None = 1
    eos_token_id: int | None = 2
    unk_token_id: int | None = 3


class CaptionerNetwork(PreTrainedModel):
    """Encoder and decoder in one model."""

    config_class = CaptionerConfig
    base_model_prefix = ""
    main_input_name = "pixels"
    _tied_weights_keys = {"decoder.lm_head.weight": "decoder.transformer.wte.weight"}  # noqa: RUF012

    def __init__(self, config: CaptionerConfig) -> None:
        super().__init__(config)
        width = config.hidden_size
        self.encoder = nn.Sequential(
            _halve(config.channels, width // 4),
            _halve(width // 4, width // 2),
            _halve(width // 2, width),
            Residual(width),
        )
        positions = (config.height // STRIDE) * (config.width // STRIDE)
        self.position = nn.Parameter(torch.zeros(1, positions, width))
        self.norm = nn.LayerNorm(width)
        self.decoder = GPT2LMHeadModel(
            GPT2Config(
                vocab_size=config.vocab_size,
                n_positions=config.caption_tokens,
                n_embd=width,
                n_layer=config.layers,
                n_head=config.heads,
                add_cross_attention=True,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                # Captions are padded on the right, where causal attention never looks: no mask, and
                # without a padding token here the decoder does not ask for one.
                pad_token_id=None,
                bos_token_id=config.bos_token_id,
                eos_token_id=config.eos_token_id,
            )
        )
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if module is self:
            nn.init.normal_(self.position, std=0.02)

    @staticmethod
    def scaled(arrays: Tensor) -> Tensor:
        """Scale bytes to floats around 0, channels last, which convolutions on a CPU prefer.

        Args:
            arrays: (batch, channels, height, width) from 0 to 255.

        Returns:
            The same shape, from -2 to 2.
        """
        return ((arrays.float() / 255 - 0.5) / 0.25).contiguous(memory_format=torch.channels_last)

    def encode(self, pixels: Tensor) -> Tensor:
        """Encode inputs.

        Args:
            pixels: (batch, channels, height, width) floats around 0.

        Returns:
            (batch, height/8 * width/8, hidden_size).
        """
        features = self.encoder(pixels).flatten(2).transpose(1, 2)
        return self.norm(features + self.position)

    def forward(self, pixels: Tensor, tokens: Tensor, **_: Any) -> Tensor:
        """Predict each caption's next token.

        Args:
            pixels: (batch, channels, height, width).
            tokens: (batch, length) token ids from the start token on.

        Returns:
            (batch, length, vocab_size) logits.
        """
        return self.decoder(
            tokens, encoder_hidden_states=self.encode(pixels), use_cache=False
        ).logits

    @torch.inference_mode()
    def greedy_captions(self, pixels: Tensor) -> Tensor:
        """Write each caption word by word, always the likeliest; never an empty caption.

        Args:
            pixels: (batch, channels, height, width).

        Returns:
            (batch, at most caption_tokens - 1) token ids, without the start token, padded after
            the end.
        """
        config = self.config
        encoded = self.encode(pixels)
        token = torch.full((len(pixels), 1), config.bos_token_id, device=pixels.device)
        ended = torch.zeros(len(pixels), dtype=torch.bool, device=pixels.device)
        never = [config.pad_token_id, config.bos_token_id, config.unk_token_id]
        written: list[Tensor] = []
        cache = None
        while len(written) < config.caption_tokens - 1 and not bool(ended.all()):
            step = self.decoder(
                token, encoder_hidden_states=encoded, past_key_values=cache, use_cache=True
            )
            cache = step.past_key_values
            logits = step.logits[:, -1]
            logits[:, never] = -torch.inf
            if not written:
                logits[:, config.eos_token_id] = -torch.inf
            token = logits.argmax(-1).masked_fill(ended, config.pad_token_id)[:, None]
            ended |= token[:, 0] == config.eos_token_id
            written.append(token)
        return torch.cat(written, 1)


class Residual(nn.Module):
    """Two convolutions around a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(width)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        """Map (batch, width, rows, columns) to the same shape."""
        inner = torch.relu(self.first_norm(self.first(features)))
        return torch.relu(features + self.second_norm(self.second(inner)))


def _halve(narrow: int, wide: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
    )
