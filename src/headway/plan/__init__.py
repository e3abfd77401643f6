"""The plan: one model on one system, every headline number with its reasons."""

from headway.plan.answer import Plan, Point
from headway.plan.make import make_plan
from headway.plan.sweeps import curve, sweep, sweep_against

__all__ = ["Plan", "Point", "curve", "make_plan", "sweep", "sweep_against"]
