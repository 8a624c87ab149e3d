"""What others have written into an `.envrc` to get AWS credentials, and our line in its place. Nothing in it is run."""
