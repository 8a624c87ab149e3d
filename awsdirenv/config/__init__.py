"""What the user has written: AWS's files, .env, .envrc and settings, up to the chain of roles behind a profile."""
