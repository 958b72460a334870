"""What the documentation site holds beyond the pages in docs/: a hook of mkdocs.

- Reference pages are made from the code. A page asks for one with a comment such as
  `<!-- generated: stages -->`.
- A link to a file outside docs/ (source code, a test, a picture of results) leads to a copy of
  that file inside the site.
- Formulas between `$$` become MathML, which browsers draw without a script.

Nothing is written into the tree, and nothing is fetched. The functions that make pages need no
mkdocs.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
GENERATED = re.compile(r"<!-- generated: ([\w-]+) -->")
LINK = re.compile(r"(?<=\]\()(?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?(?=\))")
FORMULA = re.compile(r"^\$\$(.+?)\$\$$", re.M | re.S)
PICTURES = (".png", ".svg", ".gif", ".jpg")
ALONE = ("index.md", "tutorial.md", "changelog.md")  # a list of neighbours would hold one page
SHOWN_AS = {".py": "python", ".yaml": "yaml", ".yml": "yaml", ".toml": "toml", ".csv": "text"}


# --- reference pages --------------------------------------------------------------------------


def commands() -> str:
    """Every verb of the command line with its arguments and options."""
    import typer.main

    from onekcal.cli.main import app

    return "\n".join(_command(typer.main.get_command(app), "onekcal"))


def _command(command: Any, name: str) -> Iterable[str]:
    """A command, or all commands of a group, as sections."""
    inner = getattr(command, "commands", None)
    if inner:
        for key in sorted(inner):
            yield from _command(inner[key], f"{name} {key}")
        return
    shown = [one for one in command.params if one.name not in ("help",) and not one.hidden]
    arguments = [one for one in shown if one.param_type_name == "argument"]
    options = [one for one in shown if one.param_type_name == "option"]
    words = [name, *map(_place, arguments), *(["[options]"] if options else [])]
    yield f"## {name}\n\n```text\n{' '.join(words)}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    if arguments or options:
        yield table(
            ("", "default", "meaning"),
            [
                (
                    f"`{one.name.upper()}`"
                    if one.param_type_name == "argument"
                    else ", ".join(f"`{flag}`" for flag in one.opts),
                    _default(one.default),
                    (getattr(one, "help", "") or "").replace("[", "\\["),
                )
                for one in shown
            ],
        )


def _place(argument: Any) -> str:
    """An argument in the line that shows the usage: in brackets if it may be absent."""
    word = (argument.metavar or argument.name or "").upper().strip("[]")
    return word if argument.required else f"[{word}]"


def _default(value: object) -> str:
    """A default as it would be typed; nothing for "not given"."""
    if value is None or value is False or value == [] or value == () or callable(value):
        return ""
    text = repr(value)
    if "Sentinel" in text or "UNSET" in text:
        return ""
    return f"`{value}`"


def experiment_keys() -> str:
    """The keys of an experiment file, out of the pydantic models that check it."""
    from onekcal.networks.training import settings
    from onekcal.runs.data_choice import DataChoice
    from onekcal.runs.experiment import Experiment

    parts = [
        ("The file", "Keys at the top of the file.", Experiment),
        ("data", "Keys under `data`.", DataChoice),
        (
            "fit",
            "Keys under `fit`: how a network is trained. "
            "A stage may have a `fit` of its own, whose keys go first.",
            settings.Settings,
        ),
    ]
    text = [f"## {head}\n\n{says}\n\n{_fields(model)}" for head, says, model in parts]
    rows = [
        (f"`{name}`", ", ".join(f"`{key}: {value}`" for key, value in values.items()))
        for name, values in settings.RECIPES.items()
    ]
    text.append(
        "## Recipes\n\nA recipe is a set of values for `fit`. "
        "A network's page names further recipes of its own.\n\n" + table(("recipe", "values"), rows)
    )
    return "\n".join(text)


def _fields(model: Any) -> str:
    """The fields of a pydantic model as a table."""
    return table(
        ("key", "type", "default", "meaning"),
        [
            (
                f"`{name}`",
                f"`{_type(field.annotation)}`",
                "required"
                if field.is_required()
                else f"`{field.get_default(call_default_factory=True)}`",
                field.description or "",
            )
            for name, field in model.model_fields.items()
        ],
    )


def _type(annotation: object) -> str:
    """A type as it is written."""
    text = (
        annotation.__name__
        if inspect.isclass(annotation) and not hasattr(annotation, "__args__")
        else str(annotation)
    )
    text = re.sub(r"\b(typing|collections\.abc|pathlib|onekcal(\.\w+)+)\.", "", text)
    text = re.sub(r"Literal\[([^\]]*)\]", lambda match: match[1].replace(", ", " or "), text)
    return text.replace(" | ", " or ").replace("'", "")


def stages() -> str:
    """Every model that can be a stage, with its settings."""
    from onekcal.models.registry import MODELS, model_class

    return "\n".join(_stage(name, model_class(name)) for name in MODELS)


def _stage(name: str, model: type) -> str:
    """One model: what it says of itself, and a row for each setting."""
    prose, meanings = numpydoc(model.__doc__ or "")
    for cls in model.__mro__:  # what a class does not say, those that it is built on may say
        meanings = numpydoc(cls.__doc__ or "")[1] | meanings
    parameters = inspect.signature(model).parameters.values()
    rows = [
        (
            f"`{'**' if one.kind is one.VAR_KEYWORD else ''}{one.name}`",
            f"`{_type(one.annotation)}`",
            ("" if one.kind is one.VAR_KEYWORD else "required")
            if one.default is one.empty
            else f"`{one.default}`",
            meanings.get(one.name, ""),
        )
        for one in parameters
    ]
    if not any(row[3] for row in rows):
        rows = [row[:3] for row in rows]
    heads = ("setting", "type", "default", "meaning")[: len(rows[0])] if rows else ()
    source = Path(inspect.getsourcefile(model) or "").resolve().relative_to(ROOT)
    place = f"Equations, citation and deviations: [{source.name}](../../{source.as_posix()})."
    settings = table(heads, rows) if rows else "It has no settings.\n"
    return f"## {name}\n\n{prose}\n\n{settings}\n{place}\n"


def numpydoc(text: str) -> tuple[str, dict[str, str]]:
    """A docstring's prose before its first section, and what its `Parameters` mean."""
    text = inspect.cleandoc(text)
    prose, *sections = re.split(r"^(?=\w[\w ]*\n-{3,}$)", text, flags=re.M)
    meanings: dict[str, str] = {}
    for section in sections:
        if section.startswith("Parameters"):
            for entry in re.split(r"^(?=\S)", section.split("\n", 2)[-1], flags=re.M):
                head, _, says = entry.partition("\n")
                for name in head.partition(":")[0].split(","):
                    meanings[name.strip(" *")] = " ".join(says.split())
    return prose.strip(), meanings


def table(heads: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """A Markdown table; bars inside cells are escaped."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return (
        "\n".join(
            "| " + " | ".join(" ".join(cell.replace("|", r"\|").split()) for cell in line) + " |"
            for line in lines
        )
        + "\n"
    )


PAGES: dict[str, Callable[[], str]] = {
    "commands": commands,
    "experiment": experiment_keys,
    "stages": stages,
}


@cache
def generated(name: str) -> str:
    """The text a page asks for by this name."""
    return PAGES[name]()


def filled(text: str) -> str:
    """A page's text with what it asks for."""
    return GENERATED.sub(lambda match: generated(match[1]), text)


# --- links ------------------------------------------------------------------------------------


def prose_only(text: str) -> str:
    """A page without its code blocks and code spans: what stands in them is no link."""
    return re.sub(r"`[^`\n]*`", "", re.sub(r"^(`{3,}).*?^\1", "", text, flags=re.M | re.S))


def links(page: Path) -> list[tuple[Path, str]]:
    """The files a page links to, with the anchors (without #)."""
    out = []
    for match in LINK.finditer(prose_only(filled(page.read_text(encoding="utf-8")))):
        target = Path(os.path.normpath(page.parent / match["path"]))
        out.append((target, (match["anchor"] or "").lstrip("#")))
    return out


def outside(pages: Iterable[Path]) -> set[Path]:
    """Files outside docs/ that these pages lead to, also through pages outside docs/."""
    waiting, seen = list(pages), set()
    while waiting:
        for target, _ in links(waiting.pop()):
            if not target.is_relative_to(DOCS) and target.is_file() and target not in seen:
                seen.add(target)
                if target.suffix == ".md":
                    waiting.append(target)
    return seen


def copied(path: Path) -> str:
    """Where a file of the repository stands in the site."""
    name = path.relative_to(ROOT).as_posix()
    return f"source/{name}" if path.suffix in (".md", *PICTURES) else f"source/{name}.md"


def source_page(path: Path) -> str:
    """A file as a page: Markdown as it is, anything else as a block of code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        return text
    hidden = "---\nsearch: {exclude: true}\n---\n\n"
    language = SHOWN_AS.get(path.suffix, "text")
    return f"{hidden}# {path.relative_to(ROOT).as_posix()}\n\n``````{language}\n{text}\n``````\n"


def relinked(text: str, page: Path, seen_as: str) -> str:
    """Links of a page as they must read in the site; `seen_as`: where the page stands there."""

    def place(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / match["path"]))
        if target.is_relative_to(DOCS):
            there = target.relative_to(DOCS).as_posix()
            if target.is_dir():
                there += "/index.md"
        elif target.is_file():
            there = copied(target)
        else:
            return match[0]
        return os.path.relpath(there, os.path.dirname(seen_as) or ".") + (match["anchor"] or "")

    parts = re.split(r"(^(`{3,}).*?^\2)", text, flags=re.M | re.S)  # text, block, fence, text, …
    return "".join(
        LINK.sub(place, part) if k % 3 == 0 else part for k, part in enumerate(parts) if k % 3 != 2
    )


def formulas(text: str) -> str:
    """`$$ … $$` as MathML."""
    from latex2mathml.converter import convert

    return FORMULA.sub(lambda match: convert(match[1].strip(), display="block"), text)


# --- the hook ---------------------------------------------------------------------------------


def on_files(files: Any, config: Any) -> Any:
    """Adds a page for every file outside docs/ that is linked."""
    from mkdocs.structure.files import File

    for path in sorted(outside(DOCS.rglob("*.md"))):
        if path.suffix in PICTURES:
            one = File.generated(config, copied(path), abs_src_path=str(path))
        else:
            one = File.generated(config, copied(path), content=source_page(path))
        files.append(one)
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fills in generated parts, leads links into the site, draws formulas."""
    seen_as = page.file.src_uri
    if seen_as in ALONE:
        page.meta["hide"] = ["navigation"]
    if seen_as.startswith("source/"):
        page.meta["hide"] = ["navigation", "toc"]
    if not seen_as.startswith("source/"):
        return formulas(relinked(filled(markdown), DOCS / seen_as, seen_as))
    path = ROOT / seen_as.removeprefix("source/")
    return relinked(markdown, path, seen_as) if path.is_file() else markdown
