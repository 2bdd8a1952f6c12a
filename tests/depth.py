"""How often tests draw and repeat: enough to notice a fault while one works, many times that where CI asks for it."""

import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import pytest

THOROUGH = os.environ.get("CICLO_TEST_THOROUGH") == "1"
Case = TypeVar("Case")
Test = TypeVar("Test", bound=Callable[..., Any])


def thorough(test: Test) -> Test:
    """Mark a test of seconds beside others that show most of it: it is run with ``CICLO_TEST_THOROUGH=1`` alone."""
    is_left_out = pytest.mark.skipif(not THOROUGH, reason="takes seconds: CI runs it, and CICLO_TEST_THOROUGH=1")
    marked: Test = pytest.mark.slow(is_left_out(test))
    return marked


def rounds(usual: int, thorough: int) -> int:
    """The first, or the second with ``CICLO_TEST_THOROUGH=1``."""
    return thorough if THOROUGH else usual


def some(cases: Sequence[Case], step: int = 3) -> list[Case]:
    """Every third case, or all with ``CICLO_TEST_THOROUGH=1``.

    For cases that go the same way through the code, as those of every task with every estimator do.
    """
    return list(cases[:: 1 if THOROUGH else step])
