"""A code review whose findings people accept, modify or skip. See `docs/examples/code_review.md`."""
