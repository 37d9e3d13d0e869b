"""What Daybook stands on: pinned by version and hash in ``requirements.lock``, and asked about for known advisories."""
