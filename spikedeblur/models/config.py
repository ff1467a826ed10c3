"""The configuration of a model and of its training: typed sections under the seed's keys.

A configuration comes from a packaged name (`small`) or a YAML file, then `SECTION.KEY=VALUE`
overrides. A key that is not known is an error that names the nearest one, because a misspelt key
that is silently ignored costs a training run.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spikedeblur.errors import ConfigError, shown
from spikedeblur.models.plain_yaml import MAX_CHARACTERS, parse_yaml

# A configuration may come with weights from strangers: what it asks for is bounded, well above
# anything that trains today.
MAX_WINDOW = 2048  # positions; attention keeps a table of their pairs

Count = Annotated[int, Field(ge=1, le=10**9)]
Width = Annotated[int, Field(ge=1, le=2048)]
Depth = Annotated[int, Field(ge=1, le=100)]
Ratio = Annotated[float, Field(gt=0, le=64)]
Fraction01 = Annotated[float, Field(ge=0.0, le=1.0)]
Stride = Literal[1, 2]
BlockKind = Literal["tmsa", "conv"]


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no values that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataConfig(Section):
    K: Width = 32  # voxel bins over one exposure
    CLIP_LEN: Annotated[int, Field(ge=1, le=1000)] = 5  # T, the frames of one window
    CROP_SIZE: Annotated[int, Field(ge=16, le=16384, multiple_of=16)] = 256


class ChunkConfig(Section):
    """How many pixels one call of temporal attention takes; bounds memory, not the result."""

    ADAPTIVE_CHUNK: bool = True
    MAX_BATCH_TOKENS: Count = 49152
    CHUNK_SIZE: Count = 64
    CHUNK_SHAPE: Literal["square", "wide", "tall"] = "square"


class TemporalAttentionConfig(ChunkConfig):
    HEADS: Width = 4
    DROPOUT: Fraction01 = 0.0
    MLP_RATIO: Ratio = 2.0
    TIME_POSITION: bool = True


class FuseConfig(TemporalAttentionConfig):
    TYPE: Literal["TemporalCrossAttn"] = "TemporalCrossAttn"


class SpikeEncoderConfig(Section):
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
    TELL_ENCODING: bool = False  # whether light was added linearly or encoded, told from the clip
    TELL_DOUBT: bool = False  # where the spikes are not of the frame's scene; it stays blurry there
    TELL_MOTION: bool = False  # what following the spikes' motion did, for the head to judge anew


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
    USE_SPIKE: bool = True
    CHANNELS_PER_SCALE: tuple[Width, Width, Width, Width] = (96, 96, 96, 96)
    STEM: Literal[1, 2] = 1
    TARGET_TIME: bool = False
    PRIOR: PriorConfig | None = None
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
        if self.PRIOR is not None and not self.USE_SPIKE:
            raise ValueError("PRIOR needs USE_SPIKE: true")
        return self


class TrainConfig(Section):
    STEPS: Count = 300_000
    BATCH_SIZE: Count = 2  # clips per process and step
    ACCUMULATION: Count = 1
    LR: Annotated[float, Field(gt=0)] = 2e-4
    MIN_LR: Annotated[float, Field(ge=0)] = 1e-6
    BETAS: tuple[Fraction01, Fraction01] = (0.9, 0.99)
    WEIGHT_DECAY: Annotated[float, Field(ge=0)] = 1e-4
    WARMUP_STEPS: Annotated[int, Field(ge=0, le=10**9)] = 1000
    CLIP_NORM: Annotated[float, Field(gt=0)] = 1.0
    EMA_DECAY: Fraction01 = 0.999
    PRECISION: Literal["fp32", "bf16", "fp16"] = "fp32"
    SEED: Annotated[int, Field(ge=0, lt=2**63)] = 0
    WORKERS: Annotated[int, Field(ge=0, le=256)] = 1
    SAVE_EVERY: Count = 500
    VAL_EVERY: Count = 1000
    LOG_EVERY: Count = 20
    VAL_CLIPS: Count = 12
    FSDP: bool = False  # share the weights out among processes
    COMPILE: bool = False  # torch.compile of the network's blocks


class LossConfig(Section):
    KIND: Literal["charbonnier", "psnr"] = "charbonnier"
    CHARBONNIER_EPS: Annotated[float, Field(gt=0)] = 1e-3
    PERCEPTUAL_WEIGHT: Annotated[float, Field(ge=0)] = 0.0
    PERCEPTUAL_WEIGHTS_FILE: str | None = None


class LogConfig(Section):
    TENSORBOARD: bool = False


class Config(Section):
    """One model and its training, as a YAML file holds them."""

    DATA: DataConfig = DataConfig()
    MODEL: ModelConfig = ModelConfig()
    TRAIN: TrainConfig = TrainConfig()
    LOSS: LossConfig = LossConfig()
    LOG: LogConfig = LogConfig()


def packaged_names() -> list[str]:
    """The configurations that come with the package, by name."""
    folder = resources.files("spikedeblur") / "configs"
    names = [path.name for path in folder.iterdir()]
    return sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml"))


def load_config(name_or_path: str | Path = "small", overrides: Iterable[str] = ()) -> Config:
    """Read a packaged configuration or a YAML file, and apply `SECTION.KEY=VALUE` overrides.

    Raises `ConfigError` for a name that is not packaged, a file that is not YAML, unknown keys
    (naming the nearest), values out of range.
    """
    source = str(name_or_path)
    if source in packaged_names():
        text = (resources.files("spikedeblur") / "configs" / f"{source}.yaml").read_text()
    else:
        text = _read_text(Path(name_or_path))
    tree = _sections(parse_yaml(text, source), source)
    for override in overrides:
        _apply_override(tree, override)
    return config_from_dict(tree, source)


def config_from_dict(tree: dict[str, Any], source: str = "the configuration") -> Config:
    """Check a nested dictionary against the sections; raises `ConfigError` naming `source`."""
    _refuse_unknown(tree, Config, source, "")
    try:
        return Config.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ConfigError(
            f"{source}: {where}: {first['msg']} (got {shown(first['input'])}) - correct this value"
        ) from None


def config_to_yaml(config: Config) -> str:
    """The resolved configuration as YAML text that `load_config` reads back equal."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False)


def _read_text(path: Path) -> str:
    known = ", ".join(packaged_names())
    try:
        if not path.is_file():
            raise ConfigError(
                f"there is no configuration {path} - name a YAML file or one of: {known}"
            )
        with path.open(encoding="utf-8") as file:
            return file.read(MAX_CHARACTERS + 1)
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"cannot read the configuration {path} ({error}) - name a YAML file or one of: {known}"
        ) from None


def _sections(tree: Any, source: str) -> dict[str, Any]:
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        kind = type(tree).__name__
        raise ConfigError(f"{source} holds a {kind} - expected sections such as DATA:")
    return tree


def _apply_override(tree: dict[str, Any], override: str) -> None:
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise ConfigError(f"--set {_name(override)} - expected SECTION.KEY=VALUE")
    *sections, key = path.split(".")
    node = tree
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise ConfigError(
                f"--set {_name(override)}: {_name(section)} is a value - name a section"
            )
    node[key] = parse_yaml(text, f"--set {_name(path)}")


def _refuse_unknown(tree: Any, section: type[BaseModel], source: str, prefix: str) -> None:
    if not isinstance(tree, dict):
        return  # the wrong type is reported by validation, with the value
    for key, value in tree.items():
        if key not in section.model_fields:
            known = list(section.model_fields)
            close = difflib.get_close_matches(_name(key).upper(), known, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"
            raise ConfigError(f"{source}: unknown key {prefix}{_name(key)} - {hint}")
        child = _section_of(section.model_fields[key].annotation)
        if child is not None:
            _refuse_unknown(value, child, source, f"{prefix}{key}.")


def _name(key: object) -> str:
    """A key as a message names it."""
    return key if isinstance(key, str) and len(key) <= 40 and key.isprintable() else shown(key)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section behind an annotation, also behind `Section | None`; None for plain values."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
