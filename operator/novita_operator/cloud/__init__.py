"""Floor 1: Novita. A port (protocol), its errors, the wire, the adapter, its pacing and its metrics."""
