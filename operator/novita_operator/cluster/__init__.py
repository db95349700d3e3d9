"""Floor 1: everything that talks to the Kubernetes API, except kopf's watch. Thin: no retries, no decisions."""
