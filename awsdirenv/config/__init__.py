"""What the person wrote: AWS's files, .env, .envrc and settings, up to the chain of roles behind a profile."""
