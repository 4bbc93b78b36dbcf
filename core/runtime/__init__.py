"""Runs Guildhall on one machine: embedded PostgreSQL and Redis, and a supervisor for our processes."""

from core.runtime.engines import engines
from core.runtime.lifeline import watch
from core.runtime.problem import RuntimeProblem
from core.runtime.supervisor import Process, Supervisor

__all__ = ["Process", "RuntimeProblem", "Supervisor", "engines", "watch"]
