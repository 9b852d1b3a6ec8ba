"""Slack: mouth and ears in Slack workspaces. See `docs/slack.md`."""
