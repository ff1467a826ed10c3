"""Videos on a cluster of machines: runs of segments as tasks of Ray, which places and retries them.

All machines see the same files. What a task has finished lies in segments beside the output
(`output.parts`), as that of shards does: a worker that dies costs the segments in flight.
"""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from spikedeblur.errors import SpikedeblurError, UsageError
from spikedeblur.output.frame_counts import FrameCounts
from spikedeblur.restoration.cluster_task import ClusterVideo, ClusterWork, ProgressBoard, do_task

LOCAL = "local"
RETRIES = 5  # of a task whose worker has died
TASKS_A_SLOT = 4  # so that slow tasks and late ones even out
CONNECT_S = 5.0  # to wait for an answer of an address
POLL_S = 0.5  # between two looks at how far tasks are
STORE_BYTES = 128 << 20  # of a local cluster's objects, which are settings alone


@dataclass(frozen=True)
class TaskEnd:
    """A task that has ended: of the video `index`. network_s: what of its time passes of the
    network took. error: why it has failed, else None.
    """

    index: int
    counts: FrameCounts
    warnings: list[str]
    network_s: float = 0.0
    error: BaseException | None = None


@dataclass(frozen=True)
class Needs:
    """What a task takes: cores, GPUs, bytes of memory (0: not known)."""

    cores: int
    gpus: int
    memory: int


def tasks_for(segments: Sequence[int | None], slots: int) -> list[int]:
    """Into how many tasks each video is cut for `slots` that work at once on all of them.

    segments: of each video, None where nobody knows. A task looks for shots in all frames before
    its own, and opens everything anew, so there are no more of them than even out what is uneven.
    """
    all_known = sum(number or 0 for number in segments)
    each = max(all_known // (TASKS_A_SLOT * slots), 1)
    return [slots if number is None else max(-(-number // each), 1) for number in segments]


class Cluster:
    """A connection to Ray: `auto` to the cluster that this machine is part of, `local` to one that
    begins and ends with the context, else to one at an address. A context manager.

    Raises `UsageError` without Ray, `SpikedeblurError` where there is no such cluster.
    """

    def __init__(self, address: str, cores: int) -> None:
        if importlib.util.find_spec("ray") is None:
            raise UsageError(
                "--cluster needs ray (not installed) - pip install 'spikedeblur[cluster]'"
            )
        self._address, self._cores = address, cores

    def __enter__(self) -> Self:
        _check_answers(self._address)
        import ray

        # It prints of dead workers on stdout, which is for data; its debugger silences it so, too.
        ray._private.worker._worker_logs_enabled = False
        quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
        try:
            if self._address == LOCAL:
                ray.init(
                    address=LOCAL,  # also where this machine is part of another one
                    num_cpus=self._cores,
                    object_store_memory=STORE_BYTES,
                    include_dashboard=False,
                    _system_config={"worker_niceness": 0},  # as a run of one process
                    **quiet,
                )
            else:
                ray.init(address=self._address, **quiet)
        except (ConnectionError, ValueError, RuntimeError, TimeoutError) as error:
            first = str(error).splitlines()[0] if str(error) else type(error).__name__
            if "InvalidAuthToken" in f"{error} {error.__cause__} {error.__context__}":
                raise SpikedeblurError(
                    f"the cluster wants its token (--cluster {self._address}, RAY_AUTH_MODE is "
                    f"'{os.environ.get('RAY_AUTH_MODE', '')}') - set RAY_AUTH_MODE=token, and "
                    "RAY_AUTH_TOKEN_PATH to the file that the head has"
                ) from None
            raise _unreachable(self._address, first) from None
        return self

    def __exit__(self, *raised: object) -> None:
        import ray

        ray.shutdown()

    @property
    def gpus(self) -> int:
        """GPUs of all machines."""
        import ray

        return int(ray.cluster_resources().get("GPU", 0))

    def slots(self, needs: Needs) -> int:
        """Tasks that work at once. Raises `UsageError` where no machine has room for one."""
        import ray

        room = [each["Resources"] for each in ray.nodes() if each["Alive"]]
        fitting = [
            min(
                int(each.get(name, 0) // wanted)
                for name, wanted in (
                    ("CPU", needs.cores),
                    ("GPU", needs.gpus),
                    ("memory", needs.memory),
                )
                if wanted
            )
            for each in room
        ]
        if not any(fitting):
            raise UsageError(
                f"no machine of the cluster has room for a task ({needs.cores} cores, {needs.gpus} "
                f"GPUs and {needs.memory / 1e6:.0f} MB wanted) - give --threads or a smaller --tile"
            )
        return sum(fitting)

    def run(
        self,
        work: ClusterWork,
        videos: Sequence[ClusterVideo],
        needs: Needs,
        on_frames: Callable[[int, int], None],
    ) -> Iterator[TaskEnd]:
        """Yield the tasks of all videos as they end; those of a video that fails are called off.

        on_frames: told of each video how many of its frames are done, now and then. What is raised
        meanwhile is raised when the tasks have finished the segments that they are at.
        """
        import ray
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        put = ray.put(work)
        board = ray.remote(num_cpus=0, scheduling_strategy=here)(ProgressBoard).remote()
        task = ray.remote(
            num_cpus=needs.cores, num_gpus=needs.gpus, memory=needs.memory, max_retries=RETRIES
        )(do_task)
        waiting = {
            task.remote(put, video, shard, index, board): index
            for index, video in enumerate(videos)
            for shard in video.shards()
        }
        try:
            while waiting:
                done, _ = ray.wait(list(waiting), timeout=POLL_S)
                for index, frames in ray.get(board.frames.remote()).items():
                    on_frames(index, frames)
                for reference in done:
                    end = _end(waiting.pop(reference), reference)
                    if end.error is not None:
                        others = [each for each, of in waiting.items() if of == end.index]
                        for each in others:
                            ray.cancel(each)
                            waiting.pop(each)
                    yield end
        finally:
            for reference in waiting:
                ray.cancel(reference)
            ray.wait(list(waiting), num_returns=len(waiting)) if waiting else None


def _check_answers(address: str) -> None:
    """Raise `SpikedeblurError` where nothing listens at HOST:PORT; Ray would wait for a quarter of
    an hour. Other addresses are Ray's to judge.
    """
    host, _, port = address.rpartition(":")
    if not port.isdecimal() or "/" in host:
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise _unreachable(address, getattr(error, "strerror", None) or str(error)) from None


def _unreachable(address: str, why: str) -> SpikedeblurError:
    return SpikedeblurError(
        f"no cluster can be reached (--cluster {address}: {why}) - begin one with "
        "ray start --head, or give --cluster local"
    )


def _end(index: int, reference: Any) -> TaskEnd:
    import ray

    try:
        return TaskEnd(index, *ray.get(reference))
    except ray.exceptions.RayTaskError as error:
        return TaskEnd(index, FrameCounts(), [], error=error.cause or error)
    except ray.exceptions.RayError as error:
        first = str(error).strip().splitlines()[0]
        why = SpikedeblurError(
            f"its workers have died {RETRIES + 1} times ({first}) - see their log"
        )
        return TaskEnd(index, FrameCounts(), [], error=why)
