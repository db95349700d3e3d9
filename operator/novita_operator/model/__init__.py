"""Floor 0: what things are. Frozen values, no I/O, no clock; the CRD is printed from here."""
