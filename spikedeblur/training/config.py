"""The configuration of a training run and of the model it trains, under the seed's keys.

A configuration comes from a packaged name (`small`) or a YAML file, then `SECTION.KEY=VALUE`
overrides.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field

from spikedeblur.errors import ConfigError
from spikedeblur.models.config import Bins, ClipLength, ModelConfig, NetworkConfig
from spikedeblur.models.sections import (
    Count,
    Fraction01,
    Section,
    key_name,
    one_of,
    parse_section,
    todays_key,
    todays_keys,
)
from spikedeblur.training.plain_yaml import MAX_CHARACTERS, parse_yaml
from spikedeblur.vocabulary import BINS, PRECISIONS, WINDOW


class DataConfig(Section):
    """The clips that training draws."""

    K: Bins = BINS  # voxel bins over one exposure
    CLIP_LEN: ClipLength = WINDOW  # T, the frames of one window
    CROP_SIZE: Annotated[int, Field(ge=16, le=16384, multiple_of=16)] = 256


class TrainConfig(Section):
    """Steps, optimiser, precision and intervals of a run."""

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
    PRECISION: Annotated[str, one_of(PRECISIONS)] = "fp32"
    SEED: Annotated[int, Field(ge=0, lt=2**63)] = 0
    WORKERS: Annotated[int, Field(ge=0, le=256)] = 1
    SAVE_EVERY: Count = 500
    VAL_EVERY: Count = 1000
    LOG_EVERY: Count = 20
    VAL_CLIPS: Count = 12
    FSDP: bool = False  # share the weights out among processes
    COMPILE: bool = False  # torch.compile of the network's blocks


class LossConfig(Section):
    """Kind and weights of the losses."""

    KIND: Literal["charbonnier", "psnr"] = "charbonnier"
    CHARBONNIER_EPS: Annotated[float, Field(gt=0)] = 1e-3
    PERCEPTUAL_WEIGHT: Annotated[float, Field(ge=0)] = 0.0
    PERCEPTUAL_WEIGHTS_FILE: str | None = None


class LogConfig(Section):
    """Logs written beside metrics.jsonl."""

    TENSORBOARD: bool = False


class Config(Section):
    """One model and its training, as a YAML file holds them."""

    DATA: DataConfig = DataConfig()
    MODEL: ModelConfig = ModelConfig()
    TRAIN: TrainConfig = TrainConfig()
    LOSS: LossConfig = LossConfig()
    LOG: LogConfig = LogConfig()

    @property
    def network(self) -> NetworkConfig:
        """The model alone."""
        return NetworkConfig(bins=self.DATA.K, window=self.DATA.CLIP_LEN, MODEL=self.MODEL)


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
    tree = todays_keys(_sections(parse_yaml(text, source), source))
    for override in overrides:
        _apply_override(tree, override)
    return config_from_dict(tree, source)


def config_from_dict(tree: dict[str, Any], source: str = "the configuration") -> Config:
    """Check a nested dictionary against the sections; raises `ConfigError` naming `source`."""
    return parse_section(Config, tree, source)


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
        raise ConfigError(f"--set {key_name(override)} - expected SECTION.KEY=VALUE")
    *sections, key = todays_key(path).split(".")
    node = tree
    for section in sections:
        node = node.setdefault(section, {})
        if not isinstance(node, dict):
            raise ConfigError(
                f"--set {key_name(override)}: {key_name(section)} is a value - name a section"
            )
    node[key] = parse_yaml(text, f"--set {key_name(path)}")
