"""Writes docs/aiortc-names.md: every public name of the installed aiortc, and what `rtcore.aiortc` has
for it.

    python tools/aiortc_names.py            # writes the page
    python tools/aiortc_names.py --gaps     # prints what is neither there nor declared absent

tests/unit/test_aiortc_names.py checks that there are no gaps and that the page is current.
"""

from __future__ import annotations

import argparse
import ast
import enum
import inspect
import logging
import pkgutil
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import aiortc

from rtcore.aiortc._private import ABSENT

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "aiortc-names.md"
PLAIN = (bool, int, float, str, bytes, type(None), enum.Enum)
"""Defaults and constants of these types must be equal."""

HEAD = """# The names of aiortc {version}

Every public name of aiortc's modules, and what `rtcore.aiortc` has for it. Made by `tools/aiortc_names.py`
from the installed aiortc; `tests/unit/test_aiortc_names.py` checks it: a name that is present takes the same
arguments, with the same defaults, and a class has the same members and events.

{present} names are present, {absent} are not: most are parts of aiortc's own protocol machines. A class or
function that is not present can be imported; using it raises an error that names rtcore's way.
"""


@dataclass(frozen=True)
class Name:
    """A public name of aiortc: "RTCPeerConnection", or "RTCPeerConnection.close" of a class."""

    module: str
    name: str
    kind: str
    problem: str
    """Why ours cannot stand in; empty: it can."""

    @property
    def way(self) -> str:
        """rtcore's way, where the name is declared absent."""
        names = ABSENT.get(self.module, {})
        return names.get(self.name) or names.get(self.name.partition(".")[0], "")


def modules() -> list[str]:
    """aiortc's modules, without its own name before them; "" is the package."""
    found = pkgutil.walk_packages(aiortc.__path__, "aiortc.")
    return ["", *sorted(module.name.removeprefix("aiortc.") for module in found)]


@cache
def names() -> tuple[Name, ...]:
    """All public names."""
    return tuple(walk())


def walk() -> Iterator[Name]:
    for short in modules():
        theirs, ours = (
            import_module(".".join(filter(None, (base, short)))) for base in ("aiortc", "rtcore.aiortc")
        )
        for name in public(theirs) if short else theirs.__all__:
            their = getattr(theirs, name)
            kind = kind_of(their)
            absent = ABSENT.get(short, {}).get(name)
            our = None if absent else getattr(ours, name, None)
            if our is None and their is not None:
                yield Name(short, name, kind, "missing")
                continue
            yield Name(short, name, kind, difference(their, our))
            if inspect.isclass(their) and inspect.isclass(our) and short:
                yield from members(short, name, their, our)


def public(module: ModuleType) -> list[str]:
    """The names that a module itself defines."""
    found = []
    for node in ast.parse(Path(str(module.__file__)).read_text()).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                found.append(name)
            case ast.Assign(targets=targets):
                found += [target.id for target in targets if isinstance(target, ast.Name)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found.append(name)
    return [name for name in found if not name.startswith("_") and not is_typing(getattr(module, name))]


def is_typing(value: object) -> bool:
    """Type variables and aliases, and loggers: nothing that a program would use."""
    return isinstance(value, typing.TypeVar | logging.Logger) or typing.get_origin(value) is not None


def kind_of(value: object) -> str:
    if inspect.isclass(value):
        return "class"
    return "function" if callable(value) else "constant"


def members(short: str, name: str, theirs: type, ours: type) -> Iterator[Name]:
    """The public members of a class: methods, properties, attributes, events."""
    attributes = assigned(ours)
    for member in dict.fromkeys([*vars(theirs), *assigned(theirs)]):
        if member.startswith("_") or is_typing(their := getattr(theirs, member, None)):
            continue
        whole = f"{name}.{member}"
        kind = "method" if callable(their) else "attribute"
        if not hasattr(ours, member):
            missing = kind == "method" or member not in attributes
            yield Name(short, whole, kind, "missing" if missing else "")
        else:
            known = member in vars(theirs)  # otherwise instances have it, and there is no value to compare
            yield Name(short, whole, kind, difference(their, getattr(ours, member)) if known else "")
    for event in sorted(events(inspect.getsource(theirs))):
        yield Name(short, f"{name} event {event}", "event", "" if event in texts() else "never emitted")


@cache
def assigned(cls: type) -> list[str]:
    """Attributes that a class, or one of ours that it is made of, gives its instances."""
    found: list[str] = []
    for base in cls.__mro__:
        if base.__module__.partition(".")[0] not in ("aiortc", "rtcore"):
            continue
        if base.__module__.startswith("rtcore.native."):
            continue  # compiled: its attributes are those of the class
        found += vars(base).get("__annotations__", {})
        for node in ast.walk(ast.parse(inspect.getsource(base))):
            match node:
                case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                    found.append(name)
    return found


def events(source: str) -> set[str]:
    """The names of the events that a piece of source emits."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Attribute(attr="emit"), args=[ast.Constant(value=str(event)), *_]):
                found.add(event)
    return found


@cache
def texts() -> set[str]:
    """All strings in the sources of the layer: among them are its events."""
    package = Path(str(import_module("rtcore.aiortc").__file__)).parent
    constants = (node for path in package.rglob("*.py") for node in ast.walk(ast.parse(path.read_text())))
    return {
        node.value for node in constants if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def difference(theirs: Any, ours: Any) -> str:
    """Why ours cannot stand in for theirs; empty: it can."""
    if inspect.isclass(theirs):
        return "" if inspect.isclass(ours) else "not a class"
    if isinstance(theirs, PLAIN):
        return "" if theirs == ours or isinstance(theirs, enum.Enum) else f"{ours!r} instead of {theirs!r}"
    if not callable(theirs):
        return ""
    if not callable(ours):
        return "not callable"
    if inspect.iscoroutinefunction(theirs) != inspect.iscoroutinefunction(ours):
        return "a coroutine function in one only"
    return signature_difference(inspect.signature(theirs), inspect.signature(ours))


def signature_difference(theirs: inspect.Signature, ours: inspect.Signature) -> str:
    """Whether every call that fits theirs fits ours, with the same defaults."""
    named = list(ours.parameters.values())
    for at, their in enumerate(theirs.parameters.values()):
        our = ours.parameters.get(their.name)
        if our is None:
            return f"takes no {their.name}"
        if their.kind is not their.KEYWORD_ONLY and named.index(our) != at:
            return f"{their.name} stands elsewhere"
        if our.kind is our.KEYWORD_ONLY and their.kind is not their.KEYWORD_ONLY:
            return f"{their.name} by name only"
        if their.default is not their.empty:
            if our.default is our.empty:
                return f"{their.name} has no default"
            plain = isinstance(their.default, PLAIN) and not isinstance(their.default, enum.Enum)
            if plain and their.default != our.default:
                return f"{their.name} is {our.default!r} by default"
    for our in named:
        must = our.default is our.empty and our.kind not in (our.VAR_KEYWORD, our.VAR_POSITIONAL)
        if must and our.name not in theirs.parameters:
            return f"needs {our.name}"
    return ""


def gaps() -> list[Name]:
    """Names that are neither there nor declared absent, and those declared absent that aiortc has not."""
    found = names()
    known = {(name.module, name.name) for name in found}
    stale = [
        Name(module, name, "", "declared absent, but no name of aiortc")
        for module, declared in ABSENT.items()
        for name in declared
        if (module, name) not in known
    ]
    return [name for name in found if bool(name.problem) != bool(name.way)] + stale


def page() -> str:
    """The page's text."""
    found = names()
    absent = [name for name in found if name.problem]
    out = [HEAD.format(version=aiortc.__version__, present=len(found) - len(absent), absent=len(absent))]
    for short in modules():
        here = [name for name in found if name.module == short]
        if not here:
            continue
        out.append(f"## aiortc{'.' if short else ''}{short}\n")
        whole = [name for name in here if not name.problem and "." not in name.name and " " not in name.name]
        if whole:
            out += [
                "Present: " + ", ".join(f"`{name.name}`{_members(name, here)}" for name in whole) + ".",
                "",
            ]
        gone = [name for name in here if name.problem]
        if gone:
            out += ["| not present, or different | rtcore's way |", "| --- | --- |"]
            ways = dict.fromkeys(name.way for name in gone)
            out += [
                f"| {', '.join(f'`{name.name}`' for name in gone if name.way == way)} | {way} |"
                for way in ways
            ]
            out.append("")
    return "\n".join(out)


def _members(name: Name, here: list[Name]) -> str:
    inside = [
        other.name.removeprefix(name.name).lstrip(". ")
        for other in here
        if not other.problem and other.name.startswith((name.name + ".", name.name + " "))
    ]
    return f" ({', '.join(inside)})" if inside else ""


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes docs/aiortc-names.md.")
    parser.add_argument("--gaps", action="store_true", help="print what is not accounted for")
    if parser.parse_args().gaps:
        for gap in gaps():
            print(f"{gap.module}.{gap.name}: {gap.problem or 'present, but declared absent'}")
    else:
        PAGE.write_text(page())


if __name__ == "__main__":
    main()
