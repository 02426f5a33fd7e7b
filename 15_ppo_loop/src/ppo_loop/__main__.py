"""Learning from preferences."""
COMMANDS = []
