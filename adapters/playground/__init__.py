"""The local chat page: a team chat on loopback, for newcomers, demos and tests."""
