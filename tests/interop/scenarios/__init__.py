"""The scenarios, one module a theme."""
