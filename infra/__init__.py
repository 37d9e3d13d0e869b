"""Settings, composition, processes and the command line."""
