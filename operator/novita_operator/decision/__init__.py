"""Floor 1: what to do. Pure functions of frozen values: no clock, no await, no logging."""
