"""Teams: mouth and ears in Microsoft Teams. See `docs/teams.md`."""
