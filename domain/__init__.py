"""What Daybook knows about booking: facts, rules and refusals. Standard library only; no clock, no I/O."""
