"""Secrets at rest: values sealed with AES-256-GCM under data keys, which are wrapped by keys from the environment."""
