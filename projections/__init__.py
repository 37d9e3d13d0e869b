"""Read models: one file each, with its table, its ``project()`` and its queries."""
