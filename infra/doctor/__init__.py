"""What makes a deployment unsafe, each check a small function that looks at the real thing."""
