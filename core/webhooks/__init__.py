"""Outbound webhooks: events as signed POST requests, in the format of Standard Webhooks 1.0 (standardwebhooks.com)."""
