"""Configurations in YAML: whatever stands there, a configuration or one `ConfigError` comes out."""

from __future__ import annotations

import string
from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from spikedeblur.errors import ConfigError
from spikedeblur.training.config import Config, config_from_dict, config_to_yaml, load_config
from spikedeblur.training.plain_yaml import parse_yaml
from tests.fuzz.examples import fuzzed
from tests.fuzz.mutations import CHANGES, spoilt, write
from tests.hostile import check_message

WHOLE = config_to_yaml(load_config("small"))
# Every kind of value that a configuration has, in few lines: to parse them takes the time.
SHORT = """\
DATA: {K: 32, CLIP_LEN: 5}
MODEL:
  USE_SPIKE: true
  SPIKE_ENCODER: {SPATIAL_STRIDES: [2, 2, 2]}
  PRIOR: {WINDOWS: [2.0, 4.0]}
  FUSE:
    TYPE: TemporalCrossAttn  # or Concat
    CHUNK_SHAPE: "square"
TRAIN: {LR: 2.0e-4, PRECISION: fp32, FSDP: false}
LOSS: {PERCEPTUAL_WEIGHTS_FILE: null}
"""
KEYS = [key for key in WHOLE.replace("-", " ").replace(":", " ").split() if key.isupper()]
SCALARS = st.one_of(
    st.sampled_from(
        [
            "null",
            "~",
            "true",
            "yes",
            ".nan",
            ".inf",
            "-.inf",
            "1e400",
            "0x" + "f" * 5000,
            "9" * 5000,
            "010",
            "0o8",
            "0b2",
            "1:2:3",
            "2001-99-99",
            "2001-01-01 25:61:61",
            "!!int x",
            "!!int ''",
            "!!bool x",
            "!!float x",
            "!!timestamp x",
            "!!binary x",
            "!!set {a}",
            "!!omap [a]",
            "!!pairs [a]",
            "!!python/name:os.system",
            "!!x y",
            "<<",
            "=",
            "*a",
            "&a [*a]",
            "&a {b: *a}",
            "{<<: *a}",
            "? ",
            "|",
            ">",
            "%YAML 9",
            "---",
            "...",
            "\t",
            "\x00",
            "\x1b[2J",
            "\ufeff",
            "\u2028",
            "[" * 20,
        ]
    ),
    st.integers().map(str),
    st.floats().map(str),
    st.text(string.printable, max_size=12),
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """Something like a configuration, with a little of everything in the wrong place."""
    lines = []
    for _ in range(draw(st.integers(0, 8))):
        indent = "  " * draw(st.integers(0, 3))
        lines.append(f"{indent}{draw(st.sampled_from(KEYS) | SCALARS)}: {draw(SCALARS)}")
    return "\n".join(lines)


def test_the_short_one_is_a_configuration() -> None:
    assert config_from_dict(parse_yaml(SHORT, "c.yaml")).MODEL.PRIOR is not None


def read(text: str) -> None:
    try:
        tree = parse_yaml(text, "c.yaml")
        assert isinstance(config_from_dict(tree, "c.yaml"), Config)
    except ConfigError as error:
        check_message(error)


@fuzzed(700)
@given(documents() | st.text(max_size=60))
@example("{DATA: 2001-99-99}")
@example("DATA: {K: 0x" + "f" * 5000 + "}")
@example("0x" + "f" * 5000 + ": 1")
@example("DATA: {K: !!int ''}")
@example("DATA: {K: !!bool x}")
def test_texts(text: str) -> None:
    read(text)


@fuzzed(700)
@given(CHANGES)
def test_spoilt_configurations(changes: bytes) -> None:
    read(spoilt(SHORT.encode(), changes).decode("utf-8", "replace"))


@fuzzed(700)
@given(
    st.sampled_from(KEYS) | st.text(max_size=8),
    st.lists(st.sampled_from(KEYS), max_size=3),
    SCALARS,
)
@example("K", ["DATA"], "2001-99-99")
@example("DATA", [], "\x0c")
@example("\nDATA", [], "1")
@example("\nK", ["DATA"], "1")
@example("K", ["\nDATA"], "[")
def test_overrides(tmp_path: Path, key: str, sections: list[str], value: str) -> None:
    path = tmp_path / "c.yaml"
    write(path, SHORT.encode())
    try:
        load_config(path, [f"{'.'.join([*sections, key])}={value}"])
    except ConfigError as error:
        check_message(error)
