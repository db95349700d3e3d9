"""One file a rule: a function from a situation to a decision, or None where the rule has nothing to say."""
