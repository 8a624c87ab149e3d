"""All that lies in ~/.cache/awsdirenv: each format has one module, the only one that reads and writes it."""
