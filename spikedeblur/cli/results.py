"""What became of the videos of a call: JSON, the failures at the end, and the exit status."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikedeblur.cli.console import Console
from spikedeblur.cli.status import ExitStatus

if TYPE_CHECKING:
    from spikedeblur.cli.batch import Outcome, VideoJob


class BatchResults:
    """Collects how each video of a call ended, and says it with --json as it is known.

    failures: a file to list the videos in that are not done when the call ends, or None.
    """

    def __init__(
        self,
        console: Console,
        jobs: Sequence[VideoJob],
        *,
        as_json: bool,
        dry_run: bool = False,
        failures: Path | None = None,
    ) -> None:
        self._console, self._jobs, self._failures = console, jobs, failures
        self.as_json, self._dry_run = as_json, dry_run
        self._began = time.monotonic()
        self._outcomes: dict[int, Outcome] = {}
        self._failed: dict[int, str] = {}

    def done(self, index: int, outcome: Outcome, seconds: float) -> None:
        """Note a video that has ended well, or was left alone."""
        self._outcomes[index] = outcome
        status = "skipped" if outcome.skipped else "done"
        self._say(index, status, outcome.frames, seconds, None, outcome.figures)

    def failed(self, index: int, why: str, seconds: float) -> None:
        """Note a video that has failed."""
        self._failed[index] = why
        self._say(index, "failed", 0, seconds, why, {})

    def _say(
        self,
        index: int,
        status: str,
        frames: int,
        seconds: float,
        error: str | None,
        figures: dict[str, Any],
    ) -> None:
        if not self.as_json or self._dry_run:
            return
        job = self._jobs[index]
        event = {
            "event": "video",
            "index": index,
            "input": str(job.video),
            "output": str(job.output),
            "status": status,
            "frames": frames,
            "seconds": round(seconds, 3),
            "error": error,
        }
        self._console.json({**figures, **event})

    def sum_up(self) -> ExitStatus:
        """Say how all ended; the worst status."""
        failed = [str(self._jobs[index].video) for index in sorted(self._failed)]
        outcomes = [self._outcomes[index] for index in sorted(self._outcomes)]
        if self.as_json and self._dry_run:
            from spikedeblur.cli.plan import total

            plans = [each.plan for each in outcomes if each.plan is not None]
            several = {"failed": failed} if len(self._jobs) > 1 else {}
            self._console.json({**total(plans), **several})
        elif self.as_json and len(self._jobs) == 1:
            [outcome], [job] = outcomes, self._jobs
            self._console.json({"event": "done", **outcome.figures, "output": str(job.output)})
        elif self.as_json:
            self._console.json({"event": "done", **self._all_together(failed)})
        if failed:
            self._console.error(
                f"{len(failed)} of {len(self._jobs)} videos failed ({', '.join(failed)}) - "
                f"the reasons are {'above' if self._failures is None else f'in {self._failures}'}"
            )
            return ExitStatus.FAILED
        return max(each.status for each in outcomes)

    def _all_together(self, failed: list[str]) -> dict[str, Any]:
        from spikedeblur.machine.memory import peak_rss_mb

        frames = sum(each.frames for each in self._outcomes.values())
        fps = frames / max(time.monotonic() - self._began, 1e-9)
        made = [job for index, job in enumerate(self._jobs) if index not in self._failed]
        return {
            "frames": frames,
            "fps": round(fps, 3),
            "output": [str(job.output) for job in made],
            "failed": failed,
            "warnings": self._console.warnings,
            "peak_rss_mb": round(peak_rss_mb(), 1),
        }

    def write_failures(self) -> None:
        """Write the list of what failed or was not reached, for --list; nothing without a file."""
        if self._failures is None or self._dry_run:
            return
        from spikedeblur.cli.lists import write_list

        rows = [
            (job, self._failed.get(index, "not reached"))
            for index, job in enumerate(self._jobs)
            if index not in self._outcomes
        ]
        write_list(self._failures, rows)
