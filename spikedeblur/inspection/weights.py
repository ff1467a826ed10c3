"""Descriptions of weights files, and of how they came about."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any

__all__ = ["describe_weights", "packaged_file"]

MOST_BYTES = 1 << 26  # of the text files beside weights
ABOUT: dict[str, Any] = {"steps": int, "validation_psnr_db": float, "data": str, "licence": str}
"""Facts about a training, by name: None where they are unknown."""


def packaged_file(name: Path) -> Path | None:
    """The file of weights that come with the program, if they are called so."""
    from spikedeblur.models.checkpoint import packaged_weights, weights_path

    return weights_path(str(name)) if str(name) in packaged_weights() else None


def describe_weights(path: Path) -> dict[str, Any]:
    """The network of a weights file, and its training as far as that is known.

    STEM.toml beside it describes the training, if it is about this very file; else, of the last or
    best weights of a run, metrics.jsonl. Raises `WeightsError` for a file that is no weights.
    """
    from spikedeblur.models.checkpoint import load_model

    model = load_model(path)
    return {
        "kind": "weights",
        "parameters": sum(each.numel() for each in model.parameters()),
        "uses_spikes": model.uses_spikes,
        "bins": model.bins,
        "window": model.window,
        "stem": model.stem,
        "target_time": model.any_target_time,
        "widths": list(model.widths),
        **dict.fromkeys(ABOUT),
        **(_card(path) or _of_run(path)),
    }


def _card(path: Path) -> dict[str, Any]:
    """Read STEM.toml; nothing if it is about other weights."""
    try:
        found = tomllib.loads(_text(path.with_suffix(".toml")))
    except (OSError, ValueError):  # TOMLDecodeError and UnicodeDecodeError are
        return {}
    with path.open("rb") as file:
        if found.get("sha256") != hashlib.file_digest(file, "sha256").hexdigest():
            return {}
    return {name: found[name] for name, kind in ABOUT.items() if type(found.get(name)) is kind}


def _of_run(path: Path) -> dict[str, Any]:
    """Read from metrics.jsonl the figures of a run's last or best weights; nothing of others."""
    if path.stem not in ("last", "best"):
        return {}
    rows = []
    try:
        for line in _text(path.with_name("metrics.jsonl")).splitlines():
            row = json.loads(line)
            rows.append((int(row["step"]), row.get("psnr")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        pass  # a kill may have cut the last line short
    validated = [(step, float(psnr)) for step, psnr in rows if isinstance(psnr, float)]
    found: dict[str, Any] = {}
    if path.stem == "best" and validated:
        found["steps"], found["validation_psnr_db"] = max(validated, key=lambda each: each[1])
    elif path.stem == "last" and rows:
        found["steps"] = rows[-1][0]
        if validated:
            found["validation_psnr_db"] = validated[-1][1]
    return found


def _text(path: Path) -> str:
    """A text of bounded length. Raises OSError and ValueError."""
    if not path.is_file() or path.stat().st_size > MOST_BYTES:
        raise FileNotFoundError(path)
    return path.read_text(encoding="utf-8")
