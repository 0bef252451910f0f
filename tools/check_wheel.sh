#!/bin/sh
# Builds a wheel, installs it into a fresh venv, and passes the tests of what is compiled there, away from the source
# tree and without a compiler.
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
# What a wheel can break: modules, the libraries they are linked with, programs, types. `make test` has the rest.
# test_house.py, test_stubs.py and test_aiortc_names.py look at the source tree.
CC=false "$work/venv/bin/pytest" -q tests/unit/test_aiortc_connection.py tests/unit/test_cli.py \
    tests/unit/test_connection_live.py tests/unit/test_connection_media.py tests/unit/test_examples.py \
    tests/unit/test_lazy.py tests/unit/test_payload.py tests/unit/test_rtp.py tests/unit/test_sctp.py \
    tests/unit/test_srtp.py tests/unit/test_worker.py
echo "tested: $wheel"
