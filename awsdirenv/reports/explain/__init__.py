"""`explain`: how a profile gets its credentials, step by step, with the source of each value."""
