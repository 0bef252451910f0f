"""Each Cython module against its stub: the same names, parameters and defaults, the same documentation."""

import ast
import importlib
import inspect
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

NATIVE = Path(__file__).resolve().parents[2] / "rtcore" / "native"
MODULES = sorted(path.stem for path in NATIVE.glob("*.pyi"))
WITHOUT_NAMES = {"base", "media_statistics", "worker_statistics"}
"""Modules that only other Cython modules use: they have nothing for Python, and so no stub."""
ONLY_TYPES = {("worker", "Handler"), ("media", "MediaHandler")}
"""What a stub describes and no module defines: protocols that the caller implements."""
ONLY_BASES = {("worker_loop", "Tenant")}
"""What is there for other Cython modules to derive from."""

HIDDEN = {"__buffer__"} if sys.version_info < (3, 12) else set()
"""What is there and Python does not show yet (PEP 688)."""

Function = ast.FunctionDef


class Member(NamedTuple):
    """A class or function of a stub, with the object that it describes."""

    module: str
    path: str
    node: ast.ClassDef | Function
    owner: Any

    @property
    def real(self) -> Any:
        found = inspect.getattr_static(self.owner, self.path.rpartition(".")[2], None)
        return getattr(found, "__func__", found)  # of a class method


def stub(module: str) -> ast.Module:
    return ast.parse((NATIVE / f"{module}.pyi").read_text())


def load(module: str) -> ModuleType:
    return importlib.import_module(f"rtcore.native.{module}")


def members(module: str) -> list[Member]:
    found: list[Member] = []
    loaded = load(module)
    for node in stub(module).body:
        if not isinstance(node, ast.ClassDef | Function) or (module, node.name) in ONLY_TYPES:
            continue
        found.append(Member(module, node.name, node, loaded))
        if isinstance(node, ast.ClassDef):
            kind = getattr(loaded, node.name, None)
            inner = {part.name: part for part in reversed(node.body) if isinstance(part, Function)}  # getters
            shown = [part for part in inner.values() if part.name not in HIDDEN]
            found += [Member(module, f"{node.name}.{part.name}", part, kind) for part in shown]
    return found


MEMBERS = [member for module in MODULES for member in members(module)]
FUNCTIONS = [member for member in MEMBERS if isinstance(member.node, Function)]


def is_property(node: ast.ClassDef | Function) -> bool:
    return any(isinstance(mark, ast.Name) and mark.id == "property" for mark in node.decorator_list)


def is_special(name: str) -> bool:
    return name.startswith("__")


def parameters(function: Function) -> list[tuple[str, str, str | None]]:
    """(name, kind, default) of each parameter but `self`; `...` stands for any default."""
    taken = function.args
    positional = [*taken.posonlyargs, *taken.args]
    missing: list[ast.expr | None] = [None] * (len(positional) - len(taken.defaults))
    defaults = [*missing, *taken.defaults]
    listed = [(a.arg, "positional", text(d)) for a, d in zip(positional, defaults, strict=True)]
    listed += [(a.arg, "keyword", text(d)) for a, d in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)]
    return [entry for entry in listed if entry[0] not in ("self", "cls")]


def text(default: ast.expr | None) -> str | None:
    if default is None:
        return None
    try:
        return repr(eval(compile(ast.Expression(default), "<default>", "eval"), {"__builtins__": {}}))
    except NameError:
        return "..."  # not a constant: timedelta(days=30)


def constructor(module: str, name: str) -> Function | None:
    """`__cinit__` or `__init__` of a Cython class, from its source: at run time it is not told."""
    source = (NATIVE / f"{module}.pyx").read_text()
    body = re.search(rf"^cdef class {name}\b.*?(?=^\S|\Z)", source, re.M | re.S)
    found = re.findall(r"^    def __c?init__\((.*?)\):$", body[0], re.M | re.S) if body else []
    if not found:
        return None
    untyped = re.sub(r"\w+ (\w+)", r"\1", max(found, key=len).replace(" not None", ""))
    node = ast.parse(f"def __init__({untyped}): ...").body[0]
    assert isinstance(node, Function)
    return node


def test_each_module_with_names_has_a_stub() -> None:
    modules = {path.stem for path in NATIVE.glob("*.pyx")}
    assert modules - set(MODULES) == WITHOUT_NAMES
    assert set(MODULES) <= modules


@pytest.mark.parametrize("module", MODULES)
def test_stub_leaves_no_public_name_out(module: str) -> None:
    loaded = load(module)
    defined = {
        name
        for name, value in vars(loaded).items()
        if not name.startswith("_") and callable(value) and value.__module__ == loaded.__name__
    }
    told = {member.path for member in MEMBERS if member.module == module and "." not in member.path}
    assert {name for name in defined if (module, name) not in ONLY_BASES} == told


@pytest.mark.parametrize(
    "member",
    [m for m in MEMBERS if not m.path.endswith(".__buffer__")],  # an attribute from Python 3.12 on
    ids=lambda m: f"{m.module}.{m.path}",
)
def test_everything_in_the_stub_exists(member: Member) -> None:
    real = member.real
    assert real is not None
    if isinstance(member.node, Function) and not is_special(member.node.name):
        assert inspect.isdatadescriptor(real) == is_property(member.node)


@pytest.mark.parametrize(
    "member",
    [m for m in FUNCTIONS if not is_property(m.node) and not is_special(m.node.name)],
    ids=lambda m: f"{m.module}.{m.path}",
)
def test_parameters_are_those_of_the_stub(member: Member) -> None:
    assert isinstance(member.node, Function)
    signature = inspect.signature(getattr(member.owner, member.node.name))
    real = [
        (
            p.name,
            "keyword" if p.kind is p.KEYWORD_ONLY else "positional",
            None if p.default is p.empty else repr(p.default),
        )
        for p in signature.parameters.values()
        if p.name not in ("self", "cls")
    ]
    told = parameters(member.node)
    assert [entry[:2] for entry in real] == [entry[:2] for entry in told]
    for (name, _, default), (_, _, promised) in zip(real, told, strict=True):
        assert (default is None) == (promised is None), name
        assert promised in ("...", "Ellipsis", default), name


@pytest.mark.parametrize(
    "member",
    [m for m in FUNCTIONS if m.node.name == "__init__" and m.path != "Certificate.__init__"],
    ids=lambda m: f"{m.module}.{m.path}",
)
def test_constructors_are_those_of_the_stub(member: Member) -> None:
    assert isinstance(member.node, Function)
    made = constructor(member.module, member.path.partition(".")[0])
    assert made is not None
    assert parameters(made) == parameters(member.node)


@pytest.mark.parametrize(
    "member",
    [m for m in MEMBERS if not is_special(m.path.rpartition(".")[2])],
    ids=lambda m: f"{m.module}.{m.path}",
)
def test_documentation_is_the_same(member: Member) -> None:
    told, real = ast.get_docstring(member.node), member.real.__doc__
    if real is not None:
        assert told is not None
        assert told.split() == real.split()
    if isinstance(member.node, Function) and not is_property(member.node):
        assert told, "a public function without a word of documentation"
