"""Why a pipeline has no compiled form."""


class NotCompiledError(Exception):
    """A pipeline, or a part of it, has no compiled form; its message says why. The fitted pipeline answers itself."""
