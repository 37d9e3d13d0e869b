"""What a refusal says to those who have not signed in: why, and when else; no ids of what is none of their business."""

from collections.abc import Mapping, Sequence
from typing import cast

from application.slots import Slot

PUBLIC = "/v1/public/"
"""What is under this path is answered to anyone."""


def told_to_anyone(extra: Mapping[str, object]) -> dict[str, object]:
    """``extra``: the members of a problem document. Of alternatives the times."""
    told = {name: value for name, value in extra.items() if not name.endswith("_id")}
    if "alternatives" in extra:
        slots = cast(Sequence[Slot], extra["alternatives"])
        told["alternatives"] = [{"start": slot.start, "end": slot.end} for slot in slots]
    return told
