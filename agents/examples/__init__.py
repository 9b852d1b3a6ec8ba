"""Small stories to try: each folder holds agents, what the rehearsal plays for them, and code where it needs some."""
