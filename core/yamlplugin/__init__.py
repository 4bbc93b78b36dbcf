"""Plugins from a ``plugin.yaml`` alone, compiled to the very objects that Python plugins declare."""
