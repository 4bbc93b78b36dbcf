"""Durable background work: a row for each job, and schedules with one leader."""
