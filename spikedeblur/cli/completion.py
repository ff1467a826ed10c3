"""Words that a shell offers for values: encoders, packaged names, keys of a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import resources
from typing import Any

import click
from click.shell_completion import CompletionItem

from spikedeblur.restoration.methods import METHODS
from spikedeblur.vocabulary import BLURRY, NETWORK, SAFETENSORS


def codecs(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """The video encoders that FFmpeg has here."""
    import av

    def encodes(name: str) -> bool:
        try:
            codec = av.Codec(name, "w")
        except (av.FFmpegError, ValueError):
            return False
        return codec.type == "video" and codec.name == name

    listed = (name for name in av.codec.codecs_available if name.startswith(begun))
    return sorted(name for name in listed if encodes(name))


def configurations(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """The packaged configurations, and files where none of them is meant."""
    return _names_or_files("configs", ".yaml", begun)


def weights_names(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """The weights that come with the program, and files where none of them is meant."""
    return _names_or_files("weights", SAFETENSORS, begun)


def method_lists(_: click.Context, __: click.Parameter, begun: str) -> list[CompletionItem]:
    """Methods after a comma or at the beginning, those that are not named yet; else files."""
    before, comma, last = begun.rpartition(",")
    named = before.split(",")
    found = [
        CompletionItem(f"{before}{comma}{name}")
        for name in (BLURRY, *METHODS, NETWORK)
        if name.startswith(last) and name not in named
    ]
    return found or [CompletionItem(begun, type="file")]


def setting_keys(_: click.Context, __: click.Parameter, begun: str) -> list[str]:
    """The keys of a configuration, `SECTION.KEY=`, as --set takes them."""
    from spikedeblur.training.config import Config

    return [f"{key}=" for key in _keys(Config) if key.startswith(begun)]


def _keys(section: Any, before: str = "") -> Iterator[str]:
    for name, field in section.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from _keys(field.annotation, f"{before}{name}.")
        else:
            yield f"{before}{name}"


def _names_or_files(folder: str, suffix: str, begun: str) -> list[CompletionItem]:
    files = (path.name for path in (resources.files("spikedeblur") / folder).iterdir())
    names = sorted(name.removesuffix(suffix) for name in files if name.endswith(suffix))
    found = [CompletionItem(name) for name in names if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]
