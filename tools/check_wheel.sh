#!/bin/sh
# Builds a wheel, installs it into a fresh venv, and passes the unit tests there, away from the source tree and
# without a compiler.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$PYTHON" -m venv "$work/venv"
pip="$work/venv/bin/python -m pip --disable-pip-version-check -q"
$pip wheel --no-deps -w "$root/dist" "$root"
wheel=$(ls -t "$root"/dist/rtcore-*.whl | head -1)
$pip install "${wheel}[test]"
cp -r "$root/tests" "$root/examples" "$root/pyproject.toml" "$root/README.md" "$work/"
cd "$work"
# The source tree is what the two left out look at.
CC=false "$work/venv/bin/pytest" -q tests/unit --ignore tests/unit/test_house.py --ignore tests/unit/test_stubs.py
echo "tested: $wheel"
