"""Floor 2: the hands. What is observed comes in here, decisions are carried out here, and status goes out from here."""
