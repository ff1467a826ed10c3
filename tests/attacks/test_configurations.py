"""Configurations made to run code, or to grow without end from a few lines."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from spikedeblur.errors import ConfigError
from spikedeblur.training.config import load_config
from tests.hostile import refused


def laughs(levels: int, width: int) -> str:
    """Lists of lists by aliases: width ** levels values in a few lines."""
    lines = ["a0: &a0 [x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * width)}]" for n in range(1, levels)]
    return "\n".join(lines)


def merges(levels: int) -> str:
    """Mappings that merge the one before twice."""
    lines = ["m0: &m0 {x: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [*m{n - 1}, *m{n - 1}]}}" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (laughs(10, 10), "an alias in line"),
        (laughs(40, 2), "an alias in line"),
        (
            "DATA:\n  K: &a\n" + "".join(f"  - &b{n} [x]\n" for n in range(9)) + laughs(12, 8),
            "an alias in line",
        ),
        (merges(40), "an alias in line"),
        ("DATA: &a {K: *a}", "an alias in line"),
        ("DATA: &a [*a, *a]", "an alias in line"),
        ("[" * 600, "not valid YAML"),
        ("- " * 30_000, "not valid YAML"),
        ("a: " + "x" * 70_000, "characters"),
        ("DATA: {K: 0x" + "f" * 60_000 + "}", "DATA.K"),
        ("DATA: {K: 1, K: 2}", "twice"),
        ("!!python/object/apply:os.system ['touch ran']", "not valid YAML"),
        ("!!python/object/new:os.system ['touch ran']", "not valid YAML"),
        ("DATA: !!python/name:os.system", "not valid YAML"),
        ("DATA: !!python/module:os", "not valid YAML"),
        ("MODEL: {VRT: {DEPTHS: [1000000000, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]}}", "DEPTHS.0"),
        ("MODEL: {VRT: {WINDOW_SIZE: [1000, 1000, 1000]}}", "positions"),
        ("MODEL: {PRIOR: {SMOOTHINGS: [1.0e+300]}}", "SMOOTHINGS.0"),
    ],
)
def test_hostile_configurations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with refused(ConfigError, said):
        load_config(path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "value", ["!!python/object/apply:os.system ['touch ran']", "[&a [*a]]", "0x" + "f" * 5000]
)
def test_hostile_overrides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(ConfigError, "DATA.K"):
        load_config("small", [f"DATA.K={value}"])
    assert not list(tmp_path.iterdir())


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero"), tmp_path):
        with refused(ConfigError, "no configuration"):
            load_config(path)
