"""Calls from Python: their keywords and types are checked, and errors speak of keywords."""

from __future__ import annotations

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from functools import wraps
from numbers import Integral, Real
from types import UnionType
from typing import (
    Any,
    Literal,
    ParamSpec,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from spikedeblur.errors import LOGGER, CallError, SpikedeblurError, shown

__all__ = [
    "OF_SETTINGS",
    "in_python_terms",
    "method_call",
    "python_call",
    "stream_call",
    "translated",
]

P = ParamSpec("P")
R = TypeVar("R")
# What the command line calls otherwise than Python does.
KEYWORDS = {
    "spike-size": "spike_size",
    "spike-rate": "rate_hz",
    "spike-key": "rig={'key': ...}",
    "spike-layout": "rig={'layout': ...}",
    "bit-order": "rig={'bit_order': ...}",
    "lenient": "rig={'lenient': True}",
    "flip": "flip=True",
    "no-flip": "flip=False",
    "offset": "offset_s",
    "frame-rate": "fps",
    "window-stride": "stride",
    "encoder-option": "encoder_options",
    "drift": "drift=True",
}
_OF_RECORDINGS = {
    "spike-size": "size",
    "spike-rate": "rate_hz",
    "spike-key": "key",
    "spike-layout": "layout",
    "bit-order": "bit_order",
    "lenient": "lenient",
    "flip": "flip",
    "offset": "offset_s",
    "exposure": "exposure",
}
_OF_STREAMS = {
    **KEYWORDS,
    **_OF_RECORDINGS,
    "spike-size": "width and height",
    "lenient": "lenient=True",
    "no-flip": "flip=False",
}
"""The same of `SpikeStream.open`."""
OF_SETTINGS = {
    **KEYWORDS,
    **{option: f"spike_options.{name}" for option, name in _OF_RECORDINGS.items()},
    "no-flip": "spike_options.flip=False",
    "fps": "rate",
    "frame-rate": "rate",
}
"""The same where a recording is described by `RecordingSettings`, as for a `Deblurrer`."""
# An option, unless it is one of a command that is to be typed.
_OPTION = re.compile(r"(spikedeblur \w+ (?:[\w./]+ )?)?(?<![\w-])--([a-z]+(?:-[a-z]+)*)")
_SHORT = {
    " -y ": " overwrite=True ",
    " -o ": " output ",
    "another -o": "another output",
    " and -e": " and encoder_options",
    "--spikes S.dat": "spikes",
}


def method_call(function: Callable[P, R]) -> Callable[P, R]:
    """The same as `python_call` for a method that takes `spike_options`."""
    return python_call(function, OF_SETTINGS)


def stream_call(function: Callable[P, R]) -> Callable[P, R]:
    """The same as `python_call` for what opens a recording of spikes alone."""
    return python_call(function, _OF_STREAMS)


def python_call(function: Callable[P, R], keywords: Mapping[str, str] = KEYWORDS) -> Callable[P, R]:
    """A function that raises `CallError` for keywords and types that it does not take.

    A parameter `**settings: Unpack[SomeTypedDict]` is shown as the keywords that it stands for.
    keywords: by the options that its errors name.
    """
    hints, signature = _keywords(function)
    name = function.__qualname__.removesuffix(".__init__")

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        for keyword in kwargs:
            if keyword not in signature.parameters:
                near = get_close_matches(keyword, signature.parameters, n=1, cutoff=0.5)
                advice = f"did you mean {near[0]}?" if near else f"it takes {', '.join(hints)}"
                raise CallError(f"{name}() has no keyword {keyword!r} - {advice}")
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError as error:
            raise CallError(f"{name}(): {error} - it is {name}{_shape(signature)}") from None
        for parameter, value in given.items():
            several = signature.parameters[parameter].kind is inspect.Parameter.VAR_POSITIONAL
            for each in value if several else (value,):
                if not _fits(each, hints.get(parameter, Any)):
                    raise CallError(
                        f"{name}(): {parameter} cannot be {type(each).__name__} "
                        f"({shown(each)} seen) - give {_named(hints[parameter])}"
                    )
        with in_python_terms(keywords):
            return function(*args, **kwargs)

    call.__signature__ = signature  # type: ignore[attr-defined]  # what help and editors read
    return call


@contextmanager
def in_python_terms(keywords: Mapping[str, str] = KEYWORDS) -> Iterator[None]:
    """Errors and warnings of what is done within name keywords where they would name options."""
    said = _Translated(keywords)
    LOGGER.addFilter(said)
    try:
        yield
    except SpikedeblurError as error:
        error.args = (translated(str(error), keywords), *error.args[1:])
        raise
    finally:
        LOGGER.removeFilter(said)


class _Translated(logging.Filter):
    """Lets every message pass, with keywords in place of options."""

    def __init__(self, keywords: Mapping[str, str]) -> None:
        super().__init__()
        self._keywords = keywords

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = translated(record.getMessage(), self._keywords), None
        return True


def translated(text: str, keywords: Mapping[str, str] = KEYWORDS) -> str:
    """A message with keywords in place of options; those of commands that are to be typed stay."""

    def keyword(match: re.Match[str]) -> str:
        if match[1]:
            return match[0]
        return keywords.get(match[2], match[2].replace("-", "_"))

    for option, said in _SHORT.items():
        text = text.replace(option, said)
    return _OPTION.sub(keyword, text)


def _keywords(function: Callable[..., Any]) -> tuple[dict[str, Any], inspect.Signature]:
    """Types by parameter, and the signature, both with the keywords of a TypedDict spelt out."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    parameters: list[inspect.Parameter] = []
    for parameter in inspect.signature(function).parameters.values():
        unpacked = get_args(hints.get(parameter.name)) or (None,)
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD or not is_typeddict(unpacked[0]):
            parameters.append(parameter)
            continue
        del hints[parameter.name]
        for name, hint in get_type_hints(unpacked[0]).items():
            hints[name] = hint
            kind = inspect.Parameter.KEYWORD_ONLY
            parameters.append(inspect.Parameter(name, kind, default=None, annotation=hint))
    return hints, inspect.Signature(parameters)


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value can be of a type, as far as that shows without looking into it."""
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if hint is None or hint is type(None):
        return value is None
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, each) for each in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    kind = origin or hint
    if kind in (int, float):
        return isinstance(value, Integral if kind is int else Real) and not isinstance(value, bool)
    if getattr(kind, "_is_protocol", False):
        return not isinstance(value, str | bytes | int | float)
    return isinstance(value, kind) if isinstance(kind, type) else True


def _named(hint: Any) -> str:
    """A type in words."""
    if get_origin(hint) in (Union, UnionType):
        names = [_named(each) for each in get_args(hint) if each is not type(None)]
        return " or ".join(dict.fromkeys(names))
    kind = get_origin(hint) or hint
    return {"ndarray": "an array"}.get(name := getattr(kind, "__name__", str(kind)), name)


def _shape(signature: inspect.Signature) -> str:
    """What has to be given."""
    needed = [
        name
        for name, each in signature.parameters.items()
        if each.default is inspect.Parameter.empty
        and each.kind is not each.VAR_POSITIONAL
        and name not in ("self", "cls")
    ]
    return f"({', '.join(needed)}, ...)"
