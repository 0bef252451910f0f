"""The building blocks: one thin Cython module per subsystem of the C core, usable alone and sans-IO."""
