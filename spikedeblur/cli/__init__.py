"""The command line: thin files that turn options into calls of the layers below."""
