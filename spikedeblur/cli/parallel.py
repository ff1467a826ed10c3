"""Several videos at once: each in a process of its own, which runs the same command for it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import click

from spikedeblur.cli.batch import Outcome, VideoJob
from spikedeblur.cli.configuration import LEFT_OUT
from spikedeblur.cli.console import Console
from spikedeblur.cli.displays import JsonProgress
from spikedeblur.cli.origins import CALL
from spikedeblur.cli.progress import Progress
from spikedeblur.cli.results import BatchResults
from spikedeblur.cli.status import ExitStatus
from spikedeblur.machine.threads import usable_cores

# The options that are about all videos together; the others are given to each process as typed.
OF_ALL = ("list", "failures", "jobs", "output", "output-dir", "spikes")
OF_TALK = ("json", "progress", "quiet", "log-file")
START_ONE = """import json, sys
sys.path[:] = json.loads(sys.argv[1])
from spikedeblur.cli.parallel import do_one
sys.exit(do_one(sys.argv[2:]))"""
SAID = "spikedeblur: "
WARNING, ERROR = f"{SAID}warning: ", f"{SAID}error: "


def do_one(args: list[str]) -> int:
    """Run the command for one video of several; what is about all of them is left out."""
    from spikedeblur.cli.main import main

    LEFT_OUT.update(OF_ALL)
    return main(args)


class AtOnce:
    """The videos of a call, `count` of them at a time.

    Raises what interrupts it, when the processes have ended: they finish the segments they are at.
    """

    def __init__(
        self,
        context: click.Context,
        jobs: Sequence[VideoJob],
        results: BatchResults,
        display: Progress,
        count: int,
    ) -> None:
        self._jobs, self._results, self._display = jobs, results, display
        self._console: Console = context.obj
        self._count = count
        self._arguments = _as_typed(context)
        if context.params["threads"] is None:
            self._arguments.append(f"--threads={max(1, usable_cores() // count)}")
        self._environment = {
            name: value for name, value in os.environ.items() if name not in _variables(context)
        }
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._done = 0
        self._stopped = False

    def run(self) -> ExitStatus:
        """Do all of them; the worst status."""
        pool = ThreadPoolExecutor(self._count)
        futures = [pool.submit(self._do, index, job) for index, job in enumerate(self._jobs)]
        try:
            with self._display:
                while wait(futures, timeout=0.2).not_done:  # in between, signals are heard
                    pass
            for future in futures:
                future.result()
        except BaseException:
            self._stopped = True
            for process in list(self._running):
                process.send_signal(signal.SIGTERM)
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            self._results.write_failures()
        return self._results.sum_up()

    def _do(self, index: int, job: VideoJob) -> None:
        """Do one video, and say how it ended."""
        if self._stopped:
            return
        began, last = time.monotonic(), {"frames": 0, "status": "failed"}
        with subprocess.Popen(
            [sys.executable, "-c", START_ONE, json.dumps(sys.path), *self._call(job)],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="surrogateescape",
        ) as process:
            self._running.add(process)
            errors: list[str] = []
            talk = threading.Thread(target=self._hear, args=(process, job, errors))
            talk.start()
            assert process.stdout is not None
            for line in process.stdout:
                event = json.loads(line)
                if event["event"] == "video":
                    last = event
                elif event["event"] != "done":
                    self._pass_on(index, event)
            talk.join()
        self._running.discard(process)
        with self._lock:
            self._end(index, job, process.returncode, last, errors, time.monotonic() - began)

    def _call(self, job: VideoJob) -> list[str]:
        spikes = [] if job.spikes is None else [f"--spikes={job.spikes}"]
        written = [f"--output={job.output}", "--json", "--progress=json"]
        return ["deblur", *self._arguments, *spikes, *written, "--", str(job.video)]

    def _hear(self, process: subprocess.Popen[str], job: VideoJob, errors: list[str]) -> None:
        """Repeat what is said of a video, under its name; an error is kept, for the end."""
        assert process.stderr is not None
        for line in map(str.rstrip, process.stderr):
            if line.startswith(ERROR):
                errors.append(line.removeprefix(ERROR))
            elif line.startswith(WARNING):
                self._console.warn(f"{job.video}: {line.removeprefix(WARNING)}")
            elif line.startswith(SAID):
                self._console.note(f"{job.video.name}: {line.removeprefix(SAID)}")
            else:
                self._console.detail(line)

    def _pass_on(self, index: int, event: dict[str, Any]) -> None:
        """An event of a process is one of this call; progress is added up."""
        with self._lock:
            batch, display = self._display.batch, self._display
            if event["event"] != "progress":
                if self._results.as_json:
                    self._console.json(event)
                return
            if batch is not None and event["total"]:
                batch.advance(index, min(event["frames"] / event["total"], 1.0))
            if isinstance(display, JsonProgress):
                eta_s = display.eta_s  # of all
                rest = {} if eta_s is None else {"batch_eta_s": round(eta_s, 1)}
                display.write({**event, "index": index, **rest})
            else:
                display.advance_to(self._done, len(self._jobs))

    def _end(
        self,
        index: int,
        job: VideoJob,
        code: int,
        last: dict[str, Any],
        errors: Sequence[str],
        seconds: float,
    ) -> None:
        batch = self._display.batch
        self._done += 1
        if code in (ExitStatus.OK, ExitStatus.DAMAGED_INPUT):
            skipped = last["status"] == "skipped"
            if batch is not None:
                batch.leave_out(index) if skipped else batch.advance(index, 1.0)
            outcome = Outcome(ExitStatus(code), last["frames"], skipped=skipped, figures=last)
            self._results.done(index, outcome, seconds)
        elif not self._stopped and code not in (ExitStatus.CTRL_C, ExitStatus.TERMINATED):
            why = errors[-1] if errors else f"its process has ended ({_ending(code)})"
            if batch is not None:
                batch.leave_out(index)
            self._console.error(f"{job.video}: {why}")
            self._results.failed(index, why, seconds)
        if not isinstance(self._display, JsonProgress):
            self._display.advance_to(self._done, len(self._jobs))


def _as_typed(context: click.Context) -> list[str]:
    """The options of the call as they were typed, but for those about all videos, and talk."""
    typed, _, order = context.command.make_parser(context).parse_args(list(context.meta[CALL]))
    words: list[str] = []
    for option in dict.fromkeys(order):
        name = max(option.opts, key=len)
        if not isinstance(option, click.Option) or name[2:] in OF_ALL + OF_TALK:
            continue
        value = typed[str(option.name)]
        if option.count:
            words += [name] * int(value)
        elif option.is_flag:
            words.append(option.secondary_opts[0] if value is False else name)
        else:
            words += [f"{name}={each}" for each in (value if option.multiple else [value])]
    return words


def _variables(context: click.Context) -> set[str]:
    """The variables of the options about all videos, and of talk."""
    return {
        variable
        for option in context.command.params
        if max(option.opts, key=len)[2:] in OF_ALL + OF_TALK
        for variable in option.envvar or ()
    }


def _ending(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"status {code}"
