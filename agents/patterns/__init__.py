"""Agents made of members: whose turn it is, what each reads, and where people look. See `docs/agents.md`."""
