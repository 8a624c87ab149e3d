"""The wall to botocore: clients, calls and providers, with their errors in our words."""
