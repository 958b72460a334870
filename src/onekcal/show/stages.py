"""Every stage that an experiment may have, described from its own class.

The names come from the registry, the settings from the signature, and their meanings from the
docstrings: from a numpydoc "Parameters" section where there is one, otherwise from the sentence
that names the setting in backquotes.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from onekcal.models.registry import MODELS, model_class

REQUIRED = "required"
"""The default of a setting that has none."""
_HEADING = re.compile(r"^Parameters\n-{3,}\n(.*?)(?=^\S[^\n]*\n-{3,}|\Z)", re.S | re.M)
_PARAMETER = re.compile(
    r"^(?P<names>\*{0,2}\w[\w, *]*?)(?: *:[^\n]*)?\n(?P<text>(?:[ \t]+[^\n]*\n?|\n)+)", re.M
)


@dataclass(frozen=True)
class Setting:
    """One keyword argument of a stage.

    Parameters
    ----------
    name
        Its name in an experiment.
    type
        Its type, as the signature names it.
    default
        Its default, or `REQUIRED`.
    meaning
        What it sets; empty where no docstring says so.
    """

    name: str
    type: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Stage:
    """One model as a line of an experiment.

    Parameters
    ----------
    name
        Its name in an experiment.
    path
        module:Class.
    meaning
        The first sentence of its docstring.
    settings
        Its keyword arguments.
    """

    name: str
    path: str
    meaning: str
    settings: tuple[Setting, ...]

    def to_dict(self) -> dict[str, object]:
        """The same as plain dicts, for JSON."""
        return asdict(self)


def stages(names: Sequence[str] | None = None) -> list[Stage]:
    """Describe stages.

    Parameters
    ----------
    names
        Names of the registry or `module:Class`; None or empty means all of the registry.

    Returns
    -------
    list of Stage
        In the order of `names`, or of the registry.

    Raises
    ------
    ConfigError
        A name is not known.
    """
    return [_stage(name) for name in names or MODELS]


def _stage(name: str) -> Stage:
    cls = model_class(name)
    texts = [inspect.cleandoc(text) for text in _docstrings(cls)]
    signature = inspect.signature(cls).parameters
    settings = tuple(
        Setting(_shown(one), _type(one), _default(one), _meaning(key, list(signature), texts))
        for key, one in signature.items()
    )
    return Stage(name, MODELS.get(name, name), _summary(texts), settings)


def _docstrings(cls: type) -> Iterator[str]:
    """The docstrings of the class and its constructor, then those of its base classes."""
    for one in cls.__mro__[:-1]:
        own = one.__dict__.get("__init__")
        for text in (one.__doc__, own.__doc__ if own is not None else None):
            if text:
                yield text


def _summary(texts: Sequence[str]) -> str:
    """The first sentence of the first docstring."""
    return next(_sentences(texts[0])) if texts else ""


def _shown(parameter: inspect.Parameter) -> str:
    return ("**" if parameter.kind is parameter.VAR_KEYWORD else "") + parameter.name


def _type(parameter: inspect.Parameter) -> str:
    kind = parameter.annotation
    if kind is inspect.Parameter.empty:
        return ""
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))


def _default(parameter: inspect.Parameter) -> str:
    if parameter.kind is parameter.VAR_KEYWORD:
        return ""
    empty = parameter.default is inspect.Parameter.empty
    return REQUIRED if empty else repr(parameter.default)


def _meaning(name: str, every: Sequence[str], texts: Sequence[str]) -> str:
    """The meaning of a setting in the nearest class that has one; otherwise empty."""
    for text in texts:
        section = _HEADING.search(text)
        for entry in _PARAMETER.finditer(section[1] + "\n" if section else ""):
            if name in [one.strip(" *") for one in entry["names"].split(",")]:
                return _one_line(entry["text"])
    for text in texts:
        for sentence in _sentences(text):
            if found := re.search(_quoted(name), sentence):
                return _part(sentence, found, every)
    return ""


def _quoted(name: str) -> str:
    return rf"`{re.escape(name)}(=[^`]*)?`"


def _part(sentence: str, found: re.Match[str], every: Sequence[str]) -> str:
    """The sentence; if it is about several settings, the words up to the next setting."""
    others = [
        other.start()
        for name in every
        for other in re.finditer(_quoted(name), sentence)
        if other.start() != found.start()
    ]
    if not others:
        return sentence
    end = min((place for place in others if place > found.start()), default=len(sentence))
    return sentence[found.start() : end].rstrip(" ,;:.")


def _sentences(text: str) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from re.split(r"(?<=\.)\s+(?=[A-Z`])", _one_line(paragraph))


def _one_line(text: str) -> str:
    return " ".join(text.split())
