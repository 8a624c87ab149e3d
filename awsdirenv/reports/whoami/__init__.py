"""`whoami`: the identity that is declared, the one that is held, the actual one, and whether the three agree."""
