"""`python -m rtcore` is the `rtcore` command."""

from rtcore.cli import main

main()
