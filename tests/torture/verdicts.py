"""Every promise that a run is held against, in the order in which it is told."""

from collections.abc import Callable, Sequence

from tests.torture import judging, judging_followers
from tests.torture.evidence import Evidence
from tests.torture.timeline import Verdict

Check = Callable[[Evidence], Verdict]

OF_WHAT_WAS_SEEN: Sequence[Check] = (
    judging.no_double_booking,
    judging.kept,
    judging.in_order,
    judging.refusals_justified,
    judging.reads_are_fresh,
    judging_followers.relay_misses_nothing,
    judging.one_answer_per_key,
    judging_followers.messages_once,
    judging_followers.sockets_complete,
    judging_followers.free_slots_right,
)
OF_JOBS: Sequence[Check] = (
    judging_followers.verified,
    judging_followers.replay_equal,
    judging_followers.signed_as_it_is,
)
"""These take what ``evidence.run_jobs`` finds, too."""


def judge(evidence: Evidence, checks: Sequence[Check] = (*OF_WHAT_WAS_SEEN, *OF_JOBS)) -> list[Verdict]:
    return [check(evidence) for check in checks]
