"""How often tests draw and repeat: enough to notice a fault while one works, many times that where CI asks for it."""

import os

THOROUGH = os.environ.get("CICLO_TEST_THOROUGH") == "1"


def rounds(usual: int, thorough: int) -> int:
    """The first, or the second with ``CICLO_TEST_THOROUGH=1``."""
    return thorough if THOROUGH else usual
