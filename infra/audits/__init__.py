"""The parts of the audit of the journal (``infra.verification``): each judges one thing that must hold."""
