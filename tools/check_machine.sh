#!/bin/sh
# Names, in one line each, what this machine lacks to build rtcore.
missing=0
say() { echo "$1" >&2; missing=1; }
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || say "Python 3.11 or newer not found: apt install python3"
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || say "Python's venv not found: apt install python3-venv"
command -v "${CC:-cc}" >/dev/null || say "C compiler not found: apt install gcc"
if command -v "${CC:-cc}" >/dev/null; then
    echo '#include <Python.h>' | "${CC:-cc}" -E -I"$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')" - >/dev/null 2>&1 ||
        say "Python headers not found: apt install python3-dev"
    printf '#include <openssl/opensslv.h>\n#if OPENSSL_VERSION_MAJOR < 3\n#error\n#endif\n' |
        "${CC:-cc}" -E ${OPENSSL_ROOT_DIR:+-I"$OPENSSL_ROOT_DIR/include"} - >/dev/null 2>&1 ||
        say "OpenSSL 3 headers not found: apt install libssl-dev"
fi
exit $missing
