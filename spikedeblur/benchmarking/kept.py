"""Results that outlive an interruption: a file that has each of them as soon as it is measured."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import spikedeblur
from spikedeblur.benchmarking.cases import Case, Workload
from spikedeblur.benchmarking.results import MethodResult, Watch, measure
from spikedeblur.benchmarking.runs import Plan
from spikedeblur.benchmarking.setups import Setup
from spikedeblur.errors import InputError
from spikedeblur.io.atomic import atomic_path

KEPT_FORMAT = "spikedeblur-benchmark-1"


class KeptResults:
    """The results in a file, by what they are of; each new one is written at once.

    Raises `InputError` for a file that is something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._found: dict[str, dict[str, Any]] = {}
        if not path.exists():
            return
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            if held["format"] != KEPT_FORMAT:
                raise ValueError
            self._found = {key: asdict(MethodResult(**row)) for key, row in held["results"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            raise InputError(
                f"{path} holds no results that a benchmark has kept - name another file"
            ) from None

    def get(self, key: str) -> MethodResult | None:
        """The result of a key, if it has been measured."""
        row = self._found.get(key)
        return None if row is None else MethodResult(**row)

    def add(self, key: str, result: MethodResult) -> None:
        """Write the file with one more result."""
        self._found[key] = result.as_json()
        with atomic_path(self.path, overwrite=True) as aside:
            text = json.dumps({"format": KEPT_FORMAT, "results": self._found}, indent=1)
            aside.write_text(text, encoding="utf-8")


def measure_kept(
    setup: Setup,
    jobs: Sequence[Workload],
    plan: Plan,
    *,
    isolated: bool,
    kept: KeptResults | None,
    watch: Watch | None = None,
) -> Iterator[MethodResult]:
    """As `measure`, but for results that are kept already."""
    if kept is None:
        yield from measure(setup, jobs, plan, isolated=isolated, watch=watch)
        return
    keys = [result_key(setup, job, plan, isolated) for job in jobs]
    left = [job for job, key in zip(jobs, keys, strict=True) if kept.get(key) is None]
    measured = measure(setup, left, plan, isolated=isolated, watch=watch)
    for key in keys:
        result = kept.get(key)
        if result is None:
            result = next(measured)
            kept.add(key, result)
        yield result


def result_key(setup: Setup, job: Workload, plan: Plan, isolated: bool) -> str:
    """What a result is of: method with its weights and settings, files, program.

    A file that has been written anew, or weights that have changed, are others.
    """
    weights = Path(setup.weights).read_bytes() if setup.weights is not None else b""
    files = [job.blurry, job.spikes, job.sharp] if isinstance(job, Case) else []
    files += [setup.video_of(job)] if setup.video is not None else []
    states = [each.stat() for each in files if each is not None and each.exists()]
    of = (
        setup,
        hashlib.sha256(weights).hexdigest(),
        job,
        [(state.st_size, state.st_mtime_ns) for state in states],
        plan,
        isolated,
        spikedeblur.__version__,
    )
    digest = hashlib.sha256(repr(of).encode()).hexdigest()[:16]
    return f"{job.group}/{job.name} {setup.method} {digest}"
