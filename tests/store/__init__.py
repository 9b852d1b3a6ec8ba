"""The store: one real server, every transition."""
