"""Automations: when this happens, if that holds, then do these things; written by admins, without code."""
