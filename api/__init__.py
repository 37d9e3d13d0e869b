"""HTTP and WebSocket: parse, hand over, shape the answer."""
