"""The machines: what may be done, in parts and as a whole. What must hold after each step, the parts know.

``DAYBOOK_ENGINE_EXAMPLES=5000 pytest tests/engine`` looks further than a test run does.
"""

import os

from hypothesis import HealthCheck, Phase, settings

from tests.engine.asking import Asking
from tests.engine.changes import Changes
from tests.engine.recurring import Recurring
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


class Slots(Asking):
    """Bookings, and questions between them."""


class Queue(Waiting):
    """Bookings, and those who wait for them."""


class Standing(Recurring):
    """Bookings, and series among them."""


class Engine(Asking, Changes, Waiting):
    """All that may happen in a house."""


class EngineWithSeries(Changes, Recurring, Waiting):
    """All that may happen in a house with standing customers."""
