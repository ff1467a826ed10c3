"""The configuration: packaged ones read, misspelt keys are named, hostile files are refused."""

import re
from pathlib import Path

import pytest
import yaml

from spikedeblur.errors import ConfigError
from spikedeblur.models.config import PriorConfig
from spikedeblur.training.config import (
    config_from_dict,
    config_to_yaml,
    load_config,
    packaged_names,
)


def test_packaged_configurations_read_back_equal():
    assert {"small", "vrt_gopro", "vrt_spike_baseline"} <= set(packaged_names())
    for name in packaged_names():
        config = load_config(name)
        assert config_from_dict(yaml.safe_load(config_to_yaml(config))) == config


def test_baseline_holds_the_values_of_the_design():
    model = load_config("vrt_spike_baseline").MODEL
    assert model.CHANNELS_PER_SCALE == (96, 96, 96, 96)
    assert model.VRT.TEMPORAL_STRIDES == (2, 2, 2)
    assert model.SPIKE_TSA.MAX_BATCH_TOKENS == model.FUSE.MAX_BATCH_TOKENS == 49152
    assert (model.STEM, model.PRIOR, model.TARGET_TIME) == (1, None, False)


def test_overrides_reach_their_section():
    config = load_config("small", ["TRAIN.LR=1e-3", "DATA.CROP_SIZE=64", "MODEL.PRIOR=null"])
    assert (config.TRAIN.LR, config.DATA.CROP_SIZE, config.MODEL.PRIOR) == (1e-3, 64, None)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("MODL.STEM=1", "did you mean MODEL"),
        ("MODEL.VRT.DEPTH=[1]", "did you mean MODEL.VRT.DEPTHS"),
        ("MODEL.SPIKE_TSA.HEAD=2", "did you mean MODEL.SPIKE_TSA.HEADS"),
        ("TRAIN.LR=-1", "got -1"),
        ("TRAIN.STEPS=0", "got 0"),
        ("MODEL.VRT.DEPTHS=[1,2]", "needs 11"),
        ("MODEL.CHANNELS_PER_SCALE=[1,2,3,4]", "must equal"),
        ("TRAIN.LR=.nan", "finite"),
        ("TRAIN", "SECTION.KEY=VALUE"),
        ("TRAIN.LR.X=1", "is a value"),
    ],
)
def test_wrong_overrides_say_what_is_wrong(override, said):
    with pytest.raises(ConfigError, match="(?s)" + said.replace(".", r"\.")):
        load_config("small", [override])


@pytest.mark.parametrize(
    ("text", "said"),
    [("- a list", "expected sections"), ("DATA: [1", "not valid YAML"), ("DATA: 3", "DATA")],
)
def test_files_that_are_no_configuration_are_refused(tmp_path, text, said):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_config(path)


def test_missing_file_names_the_packaged_ones(tmp_path):
    with pytest.raises(ConfigError, match="vrt_gopro"):
        load_config(tmp_path / "none.yaml")


DOCUMENTS = Path(__file__).parents[2]
KEY = re.compile(r"\b(?:DATA|MODEL|TRAIN|LOSS|LOG)(?:\.[A-Z][A-Z_]+)+")


@pytest.mark.parametrize(
    "path",
    [
        *sorted(DOCUMENTS.glob("docs/*.md")),
        DOCUMENTS / "README.md",
        *sorted(DOCUMENTS.glob("man/*.in")),
    ],
    ids=lambda path: path.name,
)
def test_every_key_that_a_document_names_is_known(path):
    for key in KEY.findall(path.read_text(encoding="utf-8").replace("\\-", "-")):
        section = load_config("small")
        for part in key.split("."):
            assert part in type(section).model_fields, f"{path.name}: {key}"
            section = getattr(section, part)
            section = PriorConfig() if part == "PRIOR" else section  # which may be left out
