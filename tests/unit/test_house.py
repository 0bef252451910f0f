"""Holds the walls of docs/architecture.md: who may include or import whom, and what lives only in io/."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
C_FLOORS = ["base", "wire", "proto", "peer", "io"]
PYTHON_FLOORS = [
    "errors",
    "native",
    "sdp",
    "emitter",
    "media",
    "connection",
    "signaling",
    "discovery",
    "identity",
    "server",
    "aiortc",
    "cli",
]
C_FILES = sorted((ROOT / "native").rglob("*.[ch]"))
PY_FILES = sorted((ROOT / "rtcore").rglob("*.py")) + sorted((ROOT / "rtcore").rglob("*.pyx"))

INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]', re.M)
IO_HEADERS = re.compile(
    r"^(sys/(socket|epoll|eventfd|timerfd|time|uio)|netinet/|arpa/|pthread|time|poll|unistd|ifaddrs|net/)"
)
IO_CALLS = re.compile(
    r"\b(clock_gettime|gettimeofday|pthread_\w+|sendmsg|recvmsg|sendto|recvfrom|getrandom)\s*\("
)
OPENSSL_USERS = {("base", "crypto"), ("proto", "dtls")}


def strip_comments(text: str) -> str:
    return re.sub(r"/\*.*?\*/|//[^\n]*", "", text, flags=re.S)


@pytest.mark.parametrize("path", C_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_c_includes_go_up(path: Path) -> None:
    floor = path.relative_to(ROOT / "native").parts[0]
    text = path.read_text()
    for header in INCLUDE.findall(text):
        top = header.split("/")[0]
        if (ROOT / "native" / header).exists():
            assert C_FLOORS.index(top) <= C_FLOORS.index(floor), f"{path.name} includes {header}"
        elif header.startswith("openssl/"):
            assert (floor, path.stem.split("_")[0]) in OPENSSL_USERS, f"{path.name} includes {header}"
        elif floor != "io":
            assert not IO_HEADERS.match(header), f"{path.name} includes {header}"
    if floor != "io":
        assert not IO_CALLS.search(strip_comments(text)), f"{path.name} calls what only io/ may"


@pytest.mark.parametrize(
    "path", [p for p in C_FILES if p.suffix == ".c"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_no_writable_global(path: Path) -> None:
    text = strip_comments(path.read_text())
    depth = 0
    for line in text.splitlines():
        names = line.split("=")[0]
        if depth == 0 and not line.startswith((" ", "\t", "#", "}")):
            declares = re.match(r"^(static\s+)?[\w\s*]+\b\w+(\[[^\]]*\])*\s*(=.*)?[;{]\s*$", line)
            is_type = re.match(r"^(typedef|struct|union|enum|extern)\b[^=]*[{;]\s*$", line)
            if declares and "(" not in names and not is_type:
                assert "const" in line, f"{path.name}: writable global: {line}"
        if depth > 0 and re.match(r"^\s+static\s+(?!const\b|inline\b)", line) and "(" not in names:
            assert "const" in line, f"{path.name}: writable static: {line}"
        depth += line.count("{") - line.count("}")


def imports_of(path: Path) -> set[str]:
    text = path.read_text()
    if path.suffix == ".pyx":
        return set(re.findall(r"^\s*(?:from|import|cimport)\s+([\w.]+)", text, re.M))
    found: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = list(path.relative_to(ROOT).with_suffix("").parts)
            if node.level:
                base = package[: len(package) - node.level]
                found.add(".".join(base + ([node.module] if node.module else [])))
                if not node.module:
                    found.update(".".join([*base, alias.name]) for alias in node.names)
            elif node.module:
                found.add(node.module)
    return found


@pytest.mark.parametrize("path", PY_FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_python_imports_go_up(path: Path) -> None:
    parts = path.relative_to(ROOT / "rtcore").with_suffix("").parts
    floor = parts[0]
    if floor not in PYTHON_FLOORS:
        return  # rtcore/__init__.py gathers the names, __main__.py starts the command line
    for name in imports_of(path):
        if name.startswith("rtcore."):
            other = name.split(".")[1]
            if other in PYTHON_FLOORS:
                assert PYTHON_FLOORS.index(other) <= PYTHON_FLOORS.index(floor), f"{path} imports {name}"
        if name.split(".")[0] == "asyncio":
            assert PYTHON_FLOORS.index(floor) >= PYTHON_FLOORS.index("emitter"), f"{path} imports asyncio"


def test_house_sees_something() -> None:
    assert len(C_FILES) > 5
    assert any(p.suffix == ".pyx" for p in PY_FILES)
