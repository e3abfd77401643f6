"""The plan: one model on one system, every headline number with its reasons."""

from headway.plan.answer import Plan, Point, Request
from headway.plan.make import curve, make_plan, sweep
from headway.plan.record import record

__all__ = ["Plan", "Point", "Request", "curve", "make_plan", "record", "sweep"]
