"""How many random examples tests look at: some in each run, many in `nox -s fuzz`."""

import os
from typing import Final

from hypothesis import HealthCheck, settings

FACTOR_VARIABLE: Final = "PGFLOW_FUZZ"


def examples(quantity: int) -> settings:
    """Look at so many examples, the same in each run; at a multiple of other ones to fuzz.

    PGFLOW_FUZZ says what multiple.
    """
    factor = os.environ.get(FACTOR_VARIABLE)
    return settings(
        max_examples=quantity * int(factor or 1),
        derandomize=factor is None,
        database=None,
        print_blob=True,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
