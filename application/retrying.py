"""How long to wait before trying again."""

RETRY_FIRST_S = 0.1
RETRY_LONGEST_S = 30.0
RECONNECT_LONGEST_S = 2.0
"""A database that comes back is back at once; a fact that cannot be applied waits for someone to mend the code."""


def retry_delay_s(failures: int, longest_s: float = RETRY_LONGEST_S) -> float:
    """How long to wait after so many failures in a row."""
    return min(longest_s, RETRY_FIRST_S * 2.0 ** min(failures - 1, 16))
