"""A pretend Novita: its v1 API over HTTP, with a ledger of what was billed and a lever for each fault."""
