"""From a declared profile to usable credentials: request, plan, MFA codes, refresh, timer, live directories."""
