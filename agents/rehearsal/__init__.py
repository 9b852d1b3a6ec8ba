"""A stand-in for a language model: an OpenAI-compatible endpoint on loopback that plays from a written playbook."""
