"""The configuration of a model: all that its weights file says of it beside the tensors."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from spikedeblur.models.sections import Count, Fraction01, Section, one_of
from spikedeblur.models.vrt.blocks import BLOCKS
from spikedeblur.vocabulary import BINS, WINDOW

# A configuration may come with weights from strangers: what it asks for is bounded, well above
# anything that trains today.
MAX_WINDOW = 2048  # positions; attention keeps a table of their pairs

Bins = Annotated[int, Field(ge=1, le=2048)]
ClipLength = Annotated[int, Field(ge=1, le=1000)]
Width = Annotated[int, Field(ge=1, le=2048)]
Depth = Annotated[int, Field(ge=1, le=100)]
Ratio = Annotated[float, Field(gt=0, le=64)]
Stride = Literal[1, 2]
BlockKind = Annotated[str, one_of(BLOCKS)]


class ChunkConfig(Section):
    """Pixels that one call of temporal attention takes; bounds memory, not the result."""

    ADAPTIVE_CHUNK: bool = True
    MAX_BATCH_TOKENS: Count = 49152
    CHUNK_SIZE: Count = 64
    CHUNK_SHAPE: Literal["square", "wide", "tall"] = "square"


class TemporalAttentionConfig(ChunkConfig):
    """Attention along time, of the spikes' features at each pixel."""

    HEADS: Width = 4
    DROPOUT: Fraction01 = 0.0
    MLP_RATIO: Ratio = 2.0
    TIME_POSITION: bool = True


class FuseConfig(TemporalAttentionConfig):
    """Fusion of the features of frame and spikes."""

    TYPE: Literal["TemporalCrossAttn"] = "TemporalCrossAttn"


class SpikeEncoderConfig(Section):
    """Strides from each scale of the spike encoder to the next."""

    TEMPORAL_STRIDES: tuple[Stride, Stride, Stride] = (1, 1, 1)
    SPATIAL_STRIDES: tuple[Stride, Stride, Stride] = (2, 2, 2)


class PriorConfig(Section):
    """Candidate frames made from the spikes; the head chooses among them at every pixel."""

    WINDOWS: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(max_length=64)] = (
        2.0,
        4.0,
        8.0,
        16.0,
    )  # bins
    SMOOTHINGS: Annotated[
        tuple[Annotated[float, Field(ge=0, le=64)], ...], Field(max_length=64)
    ] = (0.0, 0.7, 1.5)  # sigma, spike pixels
    INPUT_LINEARITY: bool = (
        False  # whether light was added linearly or encoded, found from the clip
    )
    INPUT_MISMATCH: bool = False  # where spikes do not match the frame; it stays blurry there
    INPUT_MOTION: bool = False  # what following the motion did, for the head to judge anew


class RefinerConfig(Section):
    """The full-resolution part around VRT; it chooses among pictures that the spikes suggest."""

    WIDTHS: tuple[Width, Width] = (16, 40)  # at full and at half resolution


class VRTConfig(Section):
    """The official hyper-parameters under the seed's spelling, and what `small` adds to them."""

    EMBED_DIMS: tuple[Width, ...] = (96,) * 7 + (120,) * 4
    DEPTHS: tuple[Depth, ...] = (8,) * 7 + (4,) * 4
    NUM_HEADS: tuple[Width, ...] = (6,) * 11
    WINDOW_SIZE: tuple[Width, Width, Width] = (6, 8, 8)
    INDEP_RECONSTS: tuple[int, ...] = (9, 10)
    MUL_ATTN_RATIO: Fraction01 = 0.75
    MLP_RATIO: Ratio = 2.0
    PA_FRAMES: Literal[0, 2] = 2  # 2: flow, warped neighbours, parallel alignment; 0: none of them
    DEFORMABLE_GROUPS: Width = 16
    BLOCKS: tuple[BlockKind, ...] = ("tmsa",) * 8
    TEMPORAL_STRIDES: tuple[Stride, Stride, Stride] = (1, 1, 1)
    USE_CHECKPOINT_ATTN: bool = False
    USE_CHECKPOINT_FFN: bool = False
    ZERO_INIT: bool = False
    DROP_PATH_RATE: Fraction01 = 0.0

    @model_validator(mode="after")
    def _lengths(self) -> VRTConfig:
        for name, length in (("EMBED_DIMS", 11), ("DEPTHS", 11), ("NUM_HEADS", 11), ("BLOCKS", 8)):
            if len(getattr(self, name)) != length:
                raise ValueError(f"{name} has {len(getattr(self, name))} entries, needs {length}")
        if math.prod(self.WINDOW_SIZE) > MAX_WINDOW:
            raise ValueError(
                f"WINDOW_SIZE {list(self.WINDOW_SIZE)} is above {MAX_WINDOW} positions in all"
            )
        return self


class ModelConfig(Section):
    """A network."""

    USE_SPIKE: bool = True
    CHANNELS_PER_SCALE: tuple[Width, Width, Width, Width] = (96, 96, 96, 96)
    STEM: Literal[1, 2] = 1
    TARGET_TIME: bool = False
    PRIOR: PriorConfig | None = None
    REFINER: RefinerConfig | None = None
    SPIKE_ENCODER: SpikeEncoderConfig = SpikeEncoderConfig()
    SPIKE_TSA: TemporalAttentionConfig = TemporalAttentionConfig()
    FUSE: FuseConfig = FuseConfig()
    VRT: VRTConfig = VRTConfig()

    @model_validator(mode="after")
    def _consistent(self) -> ModelConfig:
        widths = self.VRT.EMBED_DIMS[:4]
        if self.USE_SPIKE and widths != self.CHANNELS_PER_SCALE:
            raise ValueError(
                f"CHANNELS_PER_SCALE {list(self.CHANNELS_PER_SCALE)} must equal the first four "
                f"VRT.EMBED_DIMS {list(widths)}, since the two are fused"
            )
        for name in ("PRIOR", "REFINER"):
            if getattr(self, name) is not None and not self.USE_SPIKE:
                raise ValueError(f"{name} needs USE_SPIKE: true")
        if self.PRIOR is not None and self.REFINER is not None:
            raise ValueError("REFINER takes the place of PRIOR - set one of them to null")
        return self


class NetworkConfig(Section):
    """Configuration of a model, without that of its training.

    bins: voxel bins over one exposure, K. window: frames of the clips it is trained on, T.
    """

    bins: Bins = BINS
    window: ClipLength = WINDOW
    MODEL: ModelConfig = ModelConfig()
