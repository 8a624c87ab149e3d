"""`whoami`: what is declared, held and true, and whether the three agree."""
