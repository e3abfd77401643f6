"""The plan: one model on one system, every headline number with its reasons."""

from headway.plan.answer import Plan, Point
from headway.plan.make import curve, make_plan, sweep

__all__ = ["Plan", "Point", "curve", "make_plan", "sweep"]
