"""The network: its parts, its configuration and its weights files."""
