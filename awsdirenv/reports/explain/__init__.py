"""`explain`: how a profile comes to its credentials, step by step, with the source of each value."""
