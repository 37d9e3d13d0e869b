"""Settings, composition, processes and the command line."""

import zoneinfo

# Every node decides by the same rules: those of the tzdata package, which comes with the code, and not the machine's.
zoneinfo.reset_tzpath(to=())
