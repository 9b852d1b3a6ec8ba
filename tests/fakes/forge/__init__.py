"""Strict imitations of GitHub and GitLab, on loopback."""
