"""The roof: settings, telemetry, packaging."""
