"""headway: what an LLM token costs, and why.

>>> import headway as hw
>>> step = hw.build_step(hw.model("deepseek-v3"), hw.Layout(tp=8))
>>> round(float(hw.step_time(step, hw.Load.decode(32, 1024), hw.chip("h200")).seconds) * 1e3, 1)
12.0

`step_time` is the ideal machine's unless it is given a calibration: a lower bound. What an engine takes is one argument
away, ``hw.calibration("vllm", hw.chip("h200"))``; and `make_plan`, `predict` and `search_layouts` estimate by default.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from headway._version import __version__ as __version__

if TYPE_CHECKING:  # the names below, as a type checker sees them
    from headway.batching import Scene as Scene
    from headway.batching import against_batch as against_batch
    from headway.batching import balance_batch as balance_batch
    from headway.batching import cost_per_token as cost_per_token
    from headway.batching import goldilocks_context as goldilocks_context
    from headway.catalog import use as use
    from headway.catalog import using as using
    from headway.economics import OwnedPrice as OwnedPrice
    from headway.economics import PriceList as PriceList
    from headway.economics import PriceSheet as PriceSheet
    from headway.economics import Usage as Usage
    from headway.economics import Workload as Workload
    from headway.economics import bill as bill
    from headway.economics import bill_log as bill_log
    from headway.economics import kv_bytes_from_slope as kv_bytes_from_slope
    from headway.economics import kv_bytes_from_step as kv_bytes_from_step
    from headway.economics import owned_price as owned_price
    from headway.equations import Asked as Asked
    from headway.equations import ask as ask
    from headway.errors import HeadwayError as HeadwayError
    from headway.errors import InputError as InputError
    from headway.errors import PhysicsError as PhysicsError
    from headway.figures import asked_figure as asked_figure
    from headway.figures import audit_figure as audit_figure
    from headway.figures import break_even_figure as break_even_figure
    from headway.figures import cache_figure as cache_figure
    from headway.figures import capacity_figure as capacity_figure
    from headway.figures import comparison_figure as comparison_figure
    from headway.figures import costs_figure as costs_figure
    from headway.figures import curve_figure as curve_figure
    from headway.figures import engine_figure as engine_figure
    from headway.figures import fleet_figure as fleet_figure
    from headway.figures import holding_figure as holding_figure
    from headway.figures import inference_figure as inference_figure
    from headway.figures import lab_figure as lab_figure
    from headway.figures import predictions_figure as predictions_figure
    from headway.figures import racks_figure as racks_figure
    from headway.figures import search_figure as search_figure
    from headway.figures import simulation_figure as simulation_figure
    from headway.figures import terms_figure as terms_figure
    from headway.figures import tiers_figure as tiers_figure
    from headway.figures import trains_figure as trains_figure
    from headway.figures import write_figure as write_figure
    from headway.front import calibrate as calibrate
    from headway.front import calibration as calibration
    from headway.front import drain_time as drain_time
    from headway.front import predict as predict
    from headway.front import validate as validate
    from headway.hardware import Chip as Chip
    from headway.hardware import System as System
    from headway.hardware import chip as chip
    from headway.hardware import chips as chips
    from headway.hardware import hardware_ratio as hardware_ratio
    from headway.hardware import system as system
    from headway.hardware import systems as systems
    from headway.lab import audit as audit
    from headway.lab import demonstrate as demonstrate
    from headway.lab import network as network
    from headway.lab import tiny as tiny
    from headway.lab.findings import Audit as Audit
    from headway.lab.findings import Demonstration as Demonstration
    from headway.learn import cards as cards
    from headway.learn import draw_card as draw_card
    from headway.learn import grade_answer as grade_answer
    from headway.lecture import headlines as headlines
    from headway.measure.logs import read_benches as read_benches
    from headway.measure.machine import Machine as Machine
    from headway.measure.machine import measure_machine as measure_machine
    from headway.measure.measuring import Measured as Measured
    from headway.measure.measuring import measure_endpoint as measure_endpoint
    from headway.measure.sweeps import Sweep as Sweep
    from headway.models import Architecture as Architecture
    from headway.models import kv_bytes_read as kv_bytes_read
    from headway.models import kv_bytes_stored as kv_bytes_stored
    from headway.models import model as model
    from headway.models import number_format as number_format
    from headway.models import touched_experts as touched_experts
    from headway.parallel import Deployment as Deployment
    from headway.parallel import Layout as Layout
    from headway.parallel import build_step as build_step
    from headway.parallel import read_deployment as read_deployment
    from headway.parallel import read_layout as read_layout
    from headway.plan import Plan as Plan
    from headway.plan import curve as curve
    from headway.plan import make_plan as make_plan
    from headway.plan import sweep_against as sweep_against
    from headway.plan.bills import bill_workload as bill_workload
    from headway.plan.break_even import against_api as against_api
    from headway.plan.capacity import Capacity as Capacity
    from headway.plan.capacity import find_capacity as find_capacity
    from headway.plan.costs import Costs as Costs
    from headway.plan.costs import costs as costs
    from headway.plan.costs import costs_against as costs_against
    from headway.plan.fleets import FleetPlan as FleetPlan
    from headway.plan.fleets import plan_fleet as plan_fleet
    from headway.plan.holding import Holding as Holding
    from headway.plan.holding import hold_cache as hold_cache
    from headway.plan.infer import Inference as Inference
    from headway.plan.infer import infer as infer
    from headway.plan.lifetime import Lifetime as Lifetime
    from headway.plan.lifetime import lifetime_plan as lifetime_plan
    from headway.plan.model_choice import ModelChoice as ModelChoice
    from headway.plan.model_choice import choose_models as choose_models
    from headway.plan.prompt_cache import PromptCache as PromptCache
    from headway.plan.prompt_cache import prompt_cache as prompt_cache
    from headway.plan.racks import racks as racks
    from headway.plan.reinforcement import Loop as Loop
    from headway.plan.reinforcement import LoopQuestion as LoopQuestion
    from headway.plan.reinforcement import reinforcement as reinforcement
    from headway.plan.simulated import simulate as simulate
    from headway.plan.speculate import speculate as speculate
    from headway.plan.tiers import TierSheet as TierSheet
    from headway.plan.tiers import design_tiers as design_tiers
    from headway.plan.train import TrainingPlan as TrainingPlan
    from headway.plan.train import TrainingQuestion as TrainingQuestion
    from headway.plan.train import train as train
    from headway.plan.trains import Timetables as Timetables
    from headway.plan.trains import trains as trains
    from headway.questions import Query as Query
    from headway.questions import Request as Request
    from headway.roofline import Calibration as Calibration
    from headway.roofline import CompiledStep as CompiledStep
    from headway.roofline import Load as Load
    from headway.roofline import Step as Step
    from headway.roofline import Work as Work
    from headway.roofline import compiled as compiled
    from headway.roofline import step_time as step_time
    from headway.search import SearchAnswer as SearchAnswer
    from headway.search import search_layouts as search_layouts
    from headway.serving import Account as Account
    from headway.serving import Answer as Answer
    from headway.serving import Case as Case
    from headway.serving import answer as answer
    from headway.serving import case as case
    from headway.serving import memory_account as memory_account
    from headway.serving import require_fit as require_fit
    from headway.serving import served_model as served_model
    from headway.serving import setting as setting
    from headway.simulation.hit_rates import hit_rates as hit_rates

# name -> (room, name there); imported on first use, so that `import headway` stays cheap
_HOME = {
    "Account": ("headway.serving", "Account"),
    "against_api": ("headway.plan.break_even", "against_api"),
    "against_batch": ("headway.batching", "against_batch"),
    "Answer": ("headway.serving", "Answer"),
    "answer": ("headway.serving", "answer"),
    "Architecture": ("headway.models", "Architecture"),
    "ask": ("headway.equations", "ask"),
    "Asked": ("headway.equations", "Asked"),
    "asked_figure": ("headway.figures", "asked_figure"),
    "audit": ("headway.lab", "audit"),
    "Audit": ("headway.lab.findings", "Audit"),
    "audit_figure": ("headway.figures", "audit_figure"),
    "balance_batch": ("headway.batching", "balance_batch"),
    "bill": ("headway.economics", "bill"),
    "bill_log": ("headway.economics", "bill_log"),
    "bill_workload": ("headway.plan.bills", "bill_workload"),
    "break_even_figure": ("headway.figures", "break_even_figure"),
    "build_step": ("headway.parallel", "build_step"),
    "cache_figure": ("headway.figures", "cache_figure"),
    "calibrate": ("headway.front", "calibrate"),
    "calibration": ("headway.front", "calibration"),
    "Calibration": ("headway.roofline", "Calibration"),
    "Capacity": ("headway.plan.capacity", "Capacity"),
    "capacity_figure": ("headway.figures", "capacity_figure"),
    "cards": ("headway.learn", "cards"),
    "Case": ("headway.serving", "Case"),
    "case": ("headway.serving", "case"),
    "Chip": ("headway.hardware", "Chip"),
    "chip": ("headway.hardware", "chip"),
    "chips": ("headway.hardware", "chips"),
    "choose_models": ("headway.plan.model_choice", "choose_models"),
    "comparison_figure": ("headway.figures", "comparison_figure"),
    "compiled": ("headway.roofline", "compiled"),
    "CompiledStep": ("headway.roofline", "CompiledStep"),
    "cost_per_token": ("headway.batching", "cost_per_token"),
    "Costs": ("headway.plan.costs", "Costs"),
    "costs": ("headway.plan.costs", "costs"),
    "costs_against": ("headway.plan.costs", "costs_against"),
    "costs_figure": ("headway.figures", "costs_figure"),
    "curve": ("headway.plan", "curve"),
    "curve_figure": ("headway.figures", "curve_figure"),
    "demonstrate": ("headway.lab", "demonstrate"),
    "Demonstration": ("headway.lab.findings", "Demonstration"),
    "Deployment": ("headway.parallel", "Deployment"),
    "draw_card": ("headway.learn", "draw_card"),
    "drain_time": ("headway.front", "drain_time"),
    "find_capacity": ("headway.plan.capacity", "find_capacity"),
    "engine_figure": ("headway.figures", "engine_figure"),
    "fleet_figure": ("headway.figures", "fleet_figure"),
    "FleetPlan": ("headway.plan.fleets", "FleetPlan"),
    "goldilocks_context": ("headway.batching", "goldilocks_context"),
    "grade_answer": ("headway.learn", "grade_answer"),
    "hardware_ratio": ("headway.hardware", "hardware_ratio"),
    "headlines": ("headway.lecture", "headlines"),
    "HeadwayError": ("headway.errors", "HeadwayError"),
    "hold_cache": ("headway.plan.holding", "hold_cache"),
    "Holding": ("headway.plan.holding", "Holding"),
    "holding_figure": ("headway.figures", "holding_figure"),
    "infer": ("headway.plan.infer", "infer"),
    "Inference": ("headway.plan.infer", "Inference"),
    "inference_figure": ("headway.figures", "inference_figure"),
    "InputError": ("headway.errors", "InputError"),
    "hit_rates": ("headway.simulation.hit_rates", "hit_rates"),
    "kv_bytes_from_slope": ("headway.economics", "kv_bytes_from_slope"),
    "kv_bytes_from_step": ("headway.economics", "kv_bytes_from_step"),
    "kv_bytes_read": ("headway.models", "kv_bytes_read"),
    "kv_bytes_stored": ("headway.models", "kv_bytes_stored"),
    "lab_figure": ("headway.figures", "lab_figure"),
    "Layout": ("headway.parallel", "Layout"),
    "Load": ("headway.roofline", "Load"),
    "make_plan": ("headway.plan", "make_plan"),
    "Machine": ("headway.measure.machine", "Machine"),
    "measure_machine": ("headway.measure.machine", "measure_machine"),
    "measure_endpoint": ("headway.measure.measuring", "measure_endpoint"),
    "Measured": ("headway.measure.measuring", "Measured"),
    "memory_account": ("headway.serving", "memory_account"),
    "model": ("headway.models", "model"),
    "ModelChoice": ("headway.plan.model_choice", "ModelChoice"),
    "network": ("headway.lab", "network"),
    "number_format": ("headway.models", "number_format"),
    "PhysicsError": ("headway.errors", "PhysicsError"),
    "owned_price": ("headway.economics", "owned_price"),
    "OwnedPrice": ("headway.economics", "OwnedPrice"),
    "plan_fleet": ("headway.plan.fleets", "plan_fleet"),
    "Plan": ("headway.plan", "Plan"),
    "predict": ("headway.front", "predict"),
    "PriceList": ("headway.economics", "PriceList"),
    "PriceSheet": ("headway.economics", "PriceSheet"),
    "prompt_cache": ("headway.plan.prompt_cache", "prompt_cache"),
    "PromptCache": ("headway.plan.prompt_cache", "PromptCache"),
    "Query": ("headway.questions", "Query"),
    "racks": ("headway.plan.racks", "racks"),
    "predictions_figure": ("headway.figures", "predictions_figure"),
    "racks_figure": ("headway.figures", "racks_figure"),
    "read_deployment": ("headway.parallel", "read_deployment"),
    "read_layout": ("headway.parallel", "read_layout"),
    "Request": ("headway.questions", "Request"),
    "read_benches": ("headway.measure.logs", "read_benches"),
    "require_fit": ("headway.serving", "require_fit"),
    "Scene": ("headway.batching", "Scene"),
    "search_figure": ("headway.figures", "search_figure"),
    "simulation_figure": ("headway.figures", "simulation_figure"),
    "SearchAnswer": ("headway.search", "SearchAnswer"),
    "search_layouts": ("headway.search", "search_layouts"),
    "served_model": ("headway.serving", "served_model"),
    "setting": ("headway.serving", "setting"),
    "simulate": ("headway.plan.simulated", "simulate"),
    "speculate": ("headway.plan.speculate", "speculate"),
    "Step": ("headway.roofline", "Step"),
    "step_time": ("headway.roofline", "step_time"),
    "Sweep": ("headway.measure.sweeps", "Sweep"),
    "sweep_against": ("headway.plan", "sweep_against"),
    "System": ("headway.hardware", "System"),
    "system": ("headway.hardware", "system"),
    "systems": ("headway.hardware", "systems"),
    "TierSheet": ("headway.plan.tiers", "TierSheet"),
    "Timetables": ("headway.plan.trains", "Timetables"),
    "Lifetime": ("headway.plan.lifetime", "Lifetime"),
    "Loop": ("headway.plan.reinforcement", "Loop"),
    "LoopQuestion": ("headway.plan.reinforcement", "LoopQuestion"),
    "reinforcement": ("headway.plan.reinforcement", "reinforcement"),
    "lifetime_plan": ("headway.plan.lifetime", "lifetime_plan"),
    "design_tiers": ("headway.plan.tiers", "design_tiers"),
    "TrainingPlan": ("headway.plan.train", "TrainingPlan"),
    "TrainingQuestion": ("headway.plan.train", "TrainingQuestion"),
    "train": ("headway.plan.train", "train"),
    "tiny": ("headway.lab", "tiny"),
    "touched_experts": ("headway.models", "touched_experts"),
    "trains": ("headway.plan.trains", "trains"),
    "terms_figure": ("headway.figures", "terms_figure"),
    "tiers_figure": ("headway.figures", "tiers_figure"),
    "trains_figure": ("headway.figures", "trains_figure"),
    "Usage": ("headway.economics", "Usage"),
    "use": ("headway.catalog", "use"),
    "using": ("headway.catalog", "using"),
    "validate": ("headway.front", "validate"),
    "Workload": ("headway.economics", "Workload"),
    "Work": ("headway.roofline", "Work"),
    "write_figure": ("headway.figures", "write_figure"),
}

__all__ = list(_HOME)  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # type checkers know the names above, and that there are no others

    def __getattr__(name: str) -> Any:
        """Import a public name from its room on first use."""
        if name in _HOME:
            module, there = _HOME[name]
            return getattr(importlib.import_module(module), there)
        raise AttributeError(f"module 'headway' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
