"""One module per long-running process or job: the verbs of ``daybook``."""
