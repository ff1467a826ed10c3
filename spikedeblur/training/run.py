"""A whole training run: from folders and a configuration to weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from spikedeblur.errors import LOGGER, ConfigError, SpikedeblurError, UsageError, WeightsError
from spikedeblur.machine.device import choose_precision
from spikedeblur.models.build import build_model
from spikedeblur.models.checkpoint import load_model
from spikedeblur.models.vrt_spike import VRTSpike
from spikedeblur.training.config import Config, load_config
from spikedeblur.training.data.datasets import described, training_and_validation
from spikedeblur.training.data.sampler import ClipSource
from spikedeblur.training.distributed import World, joined_world, lost_process_named
from spikedeblur.training.events import Report, Started
from spikedeblur.training.loop import Trainer
from spikedeblur.training.run_folder import RunFolder, refuse_other_config
from spikedeblur.training.state import seed_everything

Sources = Callable[[], tuple[ClipSource, ClipSource]]


def run_training(
    config: Config,
    *,
    photos: Path | None = None,
    data: Path | None = None,
    layout: str | None = None,
    val: Path | None = None,
    pool: Path | None = None,
    output: Path,
    resume: bool = False,
    init: Path | None = None,
    device: str = "auto",
    report: Report,
) -> None:
    """Train the model of `config` and leave its weights, records and states in `output`.

    Clips are synthesised from `photos` or read from `data` (one of them), whose `layout` is
    seen from its folders unless named; validated is on `val`, else on the validation part of
    `data`, else on clips synthesised from photos that the training does not see. `pool` is a folder
    that keeps clips of photos with what their spikes say, made once and drawn often. `init` names
    weights to start from; a resumed run starts from its own. `report` is called in the first
    process with what happens (`training.events`).

    Raises `SpikedeblurError`: `UsageError` and `ConfigError` for what cannot work, `InputError`
    for bad data and damaged states, `OutputError` for a folder in use and a full disk.
    """

    def sources() -> tuple[ClipSource, ClipSource]:
        if pool is not None and (photos is None or config.MODEL.REFINER is None):
            raise UsageError(
                f"a pool keeps clips of photographs for networks with a refiner (--pool {pool}) - "
                "give --photos and a configuration such as small, or leave --pool out"
            )
        return training_and_validation(
            config, photos=photos, data=data, layout=layout, val=val, pool=pool
        )

    train_network(
        config, sources, output=output, resume=resume, init=init, device=device, report=report
    )


def train_network(
    config: Config,
    sources: Sources,
    *,
    output: Path,
    resume: bool = False,
    init: Path | None = None,
    device: str = "auto",
    report: Report,
) -> None:
    """Train on `sources()`, the clips for training and for validation."""
    if config.TRAIN.FSDP and config.TRAIN.PRECISION == "fp16":
        raise ConfigError(
            "TRAIN.FSDP does not go with TRAIN.PRECISION fp16 (true and fp16) - train in bf16"
        )
    folder = RunFolder(output)
    if resume and folder.config.exists():  # before the data, which may not suit another network
        refuse_other_config(load_config(folder.config), config)
    with joined_world(device) as world, lost_process_named():
        if not world.leads:  # the first process says it for all
            logging.getLogger("spikedeblur").setLevel(logging.ERROR)
        choose_precision(config.TRAIN.PRECISION, world.device)
        if config.TRAIN.FSDP and world.size == 1:
            LOGGER.warning("TRAIN.FSDP has no effect on one process; torchrun starts several")
        seed_everything(config.TRAIN.SEED)
        model = build_model(config.network)
        if init is not None and not resume:
            start_from(model, init)
        clips, validation_clips = sources()
        with claimed(folder, world, resume):
            trainer = Trainer(config, model, clips, validation_clips, folder, world, report)
            if resume:
                find_state(trainer)
            prepare(trainer, world)
            if trainer.step < config.TRAIN.STEPS:
                trainer.report(started(trainer, model, clips, len(validation_clips)))
            trainer.run()
            del trainer  # with its hold on the process group, whose end would else wait for itself


@contextmanager
def claimed(folder: RunFolder, world: World, resume: bool) -> Iterator[None]:
    """Keep other runs out of the folder, which holds one only when `resume` is set.

    The first process does so for all; when it cannot, all raise its `OutputError`.
    """
    with ExitStack() as held:
        refusal = None
        if world.leads:
            try:
                held.enter_context(folder.locked())
                if not resume:
                    folder.refuse_started()
            except SpikedeblurError as error:
                refusal = error
        refusal = world.gather(refusal)[0]
        if refusal is not None:
            raise refusal
        yield


def find_state(trainer: Trainer) -> None:
    """Go back to the newest state, or say that there is none."""
    if trainer.resume():
        LOGGER.info("resuming at step %d of %d", trainer.step, trainer.settings.STEPS)
    else:
        LOGGER.warning("no state to resume in %s; starting at step 0", trainer.folder.states)


def prepare(trainer: Trainer, world: World) -> None:
    """Make the folder ready for the steps to come, before any process takes one."""
    if world.leads:
        trainer.folder.prepare(trainer.config)
        trainer.folder.forget_after(trainer.recorded)
    world.wait_for_all()


def started(trainer: Trainer, model: VRTSpike, clips: ClipSource, validation: int) -> Started:
    """What a trainer that is ready is going to do."""
    settings, data, world = trainer.settings, trainer.config.DATA, trainer.world
    return Started(
        described(clips),
        validation,
        sum(each.numel() for each in model.parameters()),
        str(world.device),
        choose_precision(settings.PRECISION, world.device),
        torch.get_num_threads(),
        world.size,
        settings.BATCH_SIZE * settings.ACCUMULATION * world.size,
        data.CLIP_LEN,
        data.CROP_SIZE,
        trainer.step,
        settings.STEPS,
    )


def start_from(model: VRTSpike, path: Path) -> None:
    """Copy weights of the same or a smaller model; what the file lacks stays as initialised.

    That lets a model with spikes start from the official VRT's weights, which know of none.
    Raises `WeightsError` when a tensor of the file has no place in `model`.
    """
    given = load_model(path).state_dict()
    own = model.state_dict()
    for key, value in given.items():
        if key not in own or own[key].shape != value.shape:
            place = tuple(own[key].shape) if key in own else "none"
            raise WeightsError(
                f"{path} is of another model (tensor {key} {tuple(value.shape)}, "
                f"here {place}) - train with the configuration of these weights"
            )
    model.load_state_dict({**own, **given})
    LOGGER.info("%d of %d tensors start from %s", len(given), len(own), path)
