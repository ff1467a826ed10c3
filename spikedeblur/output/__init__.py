"""Where sharp frames go: into the output, or into segments that are kept, shared out and joined."""
