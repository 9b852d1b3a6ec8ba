"""The correlation store: one Redis, every transition a named and fenced Lua function."""
