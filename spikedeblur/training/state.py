"""States of a run on the disk: whole, checksummed, the last two kept.

A file is what torch.save writes, followed by the SHA-256 of it in 64 hexadecimal digits. It
appears under its name only after it has reached the disk (io/atomic.py).
"""

from __future__ import annotations

import hashlib
import io
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikedeblur.errors import LOGGER, InputError
from spikedeblur.io.atomic import atomic_path

STATES_KEPT = 2
DIGEST_LENGTH = 64
SavedState = dict[str, Any]


def state_path(folder: Path, step: int) -> Path:
    """The file of the state of `step` in `folder`."""
    return folder / f"step-{step:09d}.pt"


def saved_states(folder: Path) -> list[Path]:
    """Return the states in `folder`, newest first."""
    return sorted(folder.glob("step-*.pt"), reverse=True)


def write_state(folder: Path, step: int, state: SavedState) -> None:
    """Write `state`, then remove all but the newest two.

    Raises `OutputError` when the disk refuses; what was there before is then untouched.
    """
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getbuffer()
    # Plain writes, since torch's own writer hides a full disk behind a RuntimeError.
    digest = hashlib.sha256(payload).hexdigest().encode()
    with (
        atomic_path(state_path(folder, step), overwrite=True) as temporary,
        open(temporary, "wb") as file,
    ):
        file.write(payload)
        file.write(digest)
    for old in saved_states(folder)[STATES_KEPT:]:
        old.unlink(missing_ok=True)


def read_state(path: Path) -> SavedState:
    """Return what `write_state` wrote; raises `InputError` when a single bit of it differs."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path} ({error.strerror}) - check the disk") from error
    payload, digest = content[:-DIGEST_LENGTH], content[-DIGEST_LENGTH:]
    if hashlib.sha256(payload).hexdigest().encode() != digest:
        raise InputError(f"the training state is damaged ({path}) - remove the file")
    try:
        return torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # whole, but made elsewhere: may carry code
        raise InputError(
            f"the training state holds foreign objects ({path}) - remove the file"
        ) from error


def newest_state(folder: Path) -> SavedState | None:
    """Return the newest state that is whole, None when there is no state at all.

    A damaged one is passed over with a warning. Raises `InputError` when all are damaged.
    """
    paths = saved_states(folder)
    for path in paths:
        try:
            return read_state(path)
        except InputError as error:
            LOGGER.warning("%s; taking the state before it", error)
    if paths:
        raise InputError(
            f"every training state in {folder} is damaged ({len(paths)} seen) - "
            "start another run, with --init from its last.safetensors"
        )
    return None


def random_state(device: torch.device) -> SavedState:
    """Return the state of every random generator of this process, in types torch.load allows."""
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)
    state: SavedState = {
        "torch": torch.get_rng_state(),
        "python": random.getstate(),
        "numpy": (
            str(name),
            torch.from_numpy(np.asarray(keys).astype(np.int64)),
            int(position),
            int(has_gauss),
            float(cached),
        ),
    }
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def set_random_state(state: SavedState, device: torch.device) -> None:
    """Put every random generator of this process back to where `random_state` saw it."""
    torch.set_rng_state(state["torch"])
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))
    if device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"], device)


def seed_everything(seed: int, rank: int = 0) -> None:
    """Start all random generators of this process from `seed`; every rank differently."""
    mixed = int(np.random.SeedSequence([seed, rank]).generate_state(1)[0])
    torch.manual_seed(mixed)
    np.random.seed(mixed)
    random.seed(mixed)
