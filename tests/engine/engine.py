"""The machine: everything that may be done, and what must hold after each step.

``DAYBOOK_ENGINE_EXAMPLES=5000 pytest tests/engine`` looks further than a test run does.
"""

import os

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import invariant

from tests.engine.asking import Asking
from tests.engine.changes import Changes
from tests.engine.invariants import ensure_all
from tests.engine.waiting import Waiting

EXAMPLES = int(os.environ.get("DAYBOOK_ENGINE_EXAMPLES", "60"))

SEARCH = settings(
    max_examples=300,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
"""For something that is known to be there: it stops as soon as that is found."""


class Engine(Asking, Changes, Waiting):
    @invariant()
    def all_is_well(self) -> None:
        if hasattr(self, "opened"):
            ensure_all(self.both)
            self.ensure_same_waitlist()
