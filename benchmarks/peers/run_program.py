"""Runs a program that was written for aiortc: `run_program.py aiortc|rtcore.aiortc PROGRAM [ARGUMENT ...]`.

PROGRAM is a file, or `-m MODULE`. With "rtcore.aiortc" the program's `import aiortc` gives rtcore's layer.
Either uses 127.0.0.1 alone.
"""

import os
import runpy
import sys


def use_rtcore() -> None:
    import rtcore.aiortc
    from rtcore.connection import transport

    rtcore.aiortc.install()
    make = transport.Transport.__init__

    def on_loopback(self, connection, options):  # type: ignore[no-untyped-def]
        object.__setattr__(options, "interfaces", ("127.0.0.1",))
        make(self, connection, options)

    transport.Transport.__init__ = on_loopback  # type: ignore[method-assign]


def use_aiortc() -> None:
    import benchmarks.peers.aiortc_loopback  # noqa: F401


def main() -> None:
    stack, *command = sys.argv[1:]
    {"aiortc": use_aiortc, "rtcore.aiortc": use_rtcore}[stack]()
    if command[0] == "-m":
        sys.argv = command[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = command
        runpy.run_path(os.fspath(command[0]), run_name="__main__")


if __name__ == "__main__":
    main()
