"""Sections of a configuration: typed, frozen, and strict about keys.

A key that is not known is an error that names the nearest one, because a misspelt key that is
silently ignored costs a training run.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from spikedeblur.errors import ConfigError, shown

Count = Annotated[int, Field(ge=1, le=10**9)]
Fraction01 = Annotated[float, Field(ge=0.0, le=1.0)]


def one_of(choices: Collection[str]) -> AfterValidator:
    """Let an annotated string have no other value than one of `choices`."""

    def check(value: str) -> str:
        if value not in choices:
            raise ValueError(f"give one of {', '.join(choices)}")
        return value

    return AfterValidator(check)


# Old spellings of keys and sections, each with today's: `"TRAIN.RATE": "TRAIN.LR"`. Files and
# overrides that have the old ones are read as before.
RENAMED: dict[str, str] = {
    "MODEL.PRIOR.TELL_ENCODING": "MODEL.PRIOR.INPUT_LINEARITY",
    "MODEL.PRIOR.TELL_DOUBT": "MODEL.PRIOR.INPUT_MISMATCH",
    "MODEL.PRIOR.TELL_MOTION": "MODEL.PRIOR.INPUT_MOTION",
}


class Section(BaseModel):
    """Base of all sections: immutable, no unknown keys, no values that are not finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


SomeSection = TypeVar("SomeSection", bound=Section)


def parse_section(
    kind: type[SomeSection], tree: Mapping[str, Any], source: str = "the configuration"
) -> SomeSection:
    """Check a nested dictionary, keys in any spelling; raises `ConfigError` naming `source`."""
    tree = todays_keys(tree)
    _refuse_unknown(tree, kind, source, "")
    try:
        return kind.model_validate(tree)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise ConfigError(
            f"{source}: {where}: {first['msg']} (got {shown(first['input'])}) - correct this value"
        ) from None


def key_name(key: object) -> str:
    """A key as a message names it."""
    return key if isinstance(key, str) and len(key) <= 40 and key.isprintable() else shown(key)


def todays_key(key: str) -> str:
    """SECTION.KEY in today's spelling."""
    for old, new in RENAMED.items():
        if f"{key}.".startswith(f"{old}."):
            key = new + key.removeprefix(old)
    return key


def todays_keys(tree: Any) -> Any:
    """A nested dictionary in today's spelling; an old key is left where both stand."""
    missing = object()
    for old, new in RENAMED.items():
        was, now = old.split("."), new.split(".")
        value = _value_at(tree, was, missing)
        if value is not missing and _value_at(tree, now, missing) is missing:
            tree = _with_value(_without(tree, was), now, value)
    return tree


def _value_at(tree: Any, path: list[str], default: object) -> Any:
    for key in path:
        if not isinstance(tree, dict) or key not in tree:
            return default
        tree = tree[key]
    return tree


def _without(tree: dict[str, Any], path: list[str]) -> dict[str, Any]:
    key, *inner = path
    if inner:
        return {**tree, key: _without(tree[key], inner)}
    return {name: value for name, value in tree.items() if name != key}


def _with_value(tree: Any, path: list[str], value: Any) -> Any:
    if not path:
        return value
    key, *inner = path
    branch = tree if isinstance(tree, dict) else {}
    return {**branch, key: _with_value(branch.get(key), inner, value)}


def _refuse_unknown(tree: Any, section: type[BaseModel], source: str, prefix: str) -> None:
    if not isinstance(tree, dict):
        return  # the wrong type is reported by validation, with the value
    for key, value in tree.items():
        if key not in section.model_fields:
            known = list(section.model_fields)
            close = difflib.get_close_matches(key_name(key).upper(), known, n=1, cutoff=0.5)
            hint = f"did you mean {prefix}{close[0]}?" if close else f"known: {', '.join(known)}"
            raise ConfigError(f"{source}: unknown key {prefix}{key_name(key)} - {hint}")
        child = _section_of(section.model_fields[key].annotation)
        if child is not None:
            _refuse_unknown(value, child, source, f"{prefix}{key}.")


def _section_of(annotation: Any) -> type[BaseModel] | None:
    """The section behind an annotation, also behind `Section | None`; None for plain values."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None
