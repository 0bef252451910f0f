"""`python -m rtcore.aiortc program.py arguments` (or `-m module ...`): runs a program of aiortc on rtcore."""

import os
import runpy
import sys

from .install import install

USAGE = "usage: python -m rtcore.aiortc (program.py | -m module) [arguments]"


def main() -> None:
    arguments = sys.argv[1:]
    if not arguments or arguments == ["-m"] or arguments[0] in ("-h", "--help"):
        print(USAGE)
        raise SystemExit(0 if arguments[:1] in (["-h"], ["--help"]) else 2)
    install()
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        runpy.run_path(arguments[0], run_name="__main__")


if __name__ == "__main__":
    main()
