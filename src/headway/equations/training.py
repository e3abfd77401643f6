"""Equations of chapter 6: equal costs, FLOPs of a model's life, token balance, over-training, the scaling law."""

from __future__ import annotations

import math

from headway import training
from headway.equations.declared import COUNT, DAYS, PER_SECOND, RATIO, TOKENS, WORD, Equation, Parameter, Result, Value
from headway.equations.inputs import ACTIVE, FRONTIER, MFU, RL

_SECTION = "6 training and over-training"
_ACTIVE = ACTIVE.given(100e9, FRONTIER)
_PRE = Parameter("pretraining", "D_pre", TOKENS, "tokens", "of pre-training", 2e14, "lecture 6.3 (DIS-18)")
_RL = Parameter("reinforcement", "D_RL", TOKENS, "tokens", "of rollouts", 2e14 / 1.5, "E20: D_pre / 1.5")
_INF = Parameter("inference", "D_inf", TOKENS, "tokens", "served", 2e14, "lecture 6.3")
_RATE = Parameter("rate", "", PER_SECOND, "tok/s", "of the family", 500e6, "lecture 6.3 (LIM-3)")
_LIFE = Parameter("days", "", DAYS, "days", "that the model is current", 60.0, "'two months', lecture 6.3 (LIM-3)")
_PER = Parameter(
    "tokens_per_parameter", "", RATIO, "tokens/parameter", "compute-optimal", 20.0, "Chinchilla, lecture 6.3"
)


def _exponential(a: float, p: float, b: float, q: float) -> training.Optimum:
    """The numeric optimiser on a e^-px + b e^qx, over all x whose exponentials are numbers."""
    far = 300 / max(p, q)
    return training.balance_costs(lambda x: a * math.exp(-p * x), lambda x: b * math.exp(q * x), -far, far)


def _equal(a: Value, p: Value, b: Value, q: Value, curves: Value) -> tuple[Value, ...]:
    best = training.balance_power_laws(a, p, b, q) if curves == "power" else _exponential(a, p, b, q)
    return best.x, best.first, best.second, best.first / best.second, "yes" if best.equal_costs else "no"


def _pretraining(active: Value, pretraining: Value) -> tuple[Value, ...]:
    return (training.pretraining_flops(active, pretraining),)


def _reinforcement(active: Value, reinforcement: Value, rl_factor: Value, relative_mfu: Value) -> tuple[Value, ...]:
    return (training.reinforcement_flops(active, reinforcement, rl_factor, relative_mfu),)


def _inference(active: Value, inference: Value, relative_mfu: Value) -> tuple[Value, ...]:
    return (training.inference_flops(active, inference, relative_mfu),)


def _lifetime(
    active: Value, pretraining: Value, reinforcement: Value, inference: Value, rl_factor: Value, relative_mfu: Value
) -> tuple[Value, ...]:
    cost = training.lifetime(active, pretraining, reinforcement, inference, rl_factor, relative_mfu)
    return (cost.pretraining, cost.reinforcement, cost.inference, cost.total, *cost.shares)


def _tokens(rl_factor: Value, relative_mfu: Value, pre: Value, rl: Value, inf: Value) -> tuple[Value, ...]:
    b = training.token_balance(rl_factor, relative_mfu, (pre, rl, inf))
    return b.over_reinforcement, b.over_inference, 1 / b.over_inference


def _life(rate: Value, days: Value, models: Value, used: Value) -> tuple[Value, ...]:
    return training.lifetime_tokens(rate, days), training.lifetime_tokens(rate, days, models, used)


def _over(tokens: Value, active: Value, tokens_per_parameter: Value) -> tuple[Value, ...]:
    o = training.over_training(tokens, active, tokens_per_parameter)
    return o.chinchilla_tokens, o.ratio


def _range(tokens_per_parameter: Value, **p: Value) -> tuple[Value, ...]:
    ends = {k: (p[f"{k}_low"], p[f"{k}_high"]) for k in ("rate", "active", "days")}
    r = training.over_training_range(ends["rate"], ends["active"], ends["days"], tokens_per_parameter)
    return r.low, r.high, r.drivers["tokens_per_second"], r.drivers["n_active"], r.drivers["days"]


def _law(active: Value, tokens: Value, law: Value) -> tuple[Value, ...]:
    s = training.scaling_law(law)
    best = s.optimal_tokens_per_parameter(training.pretraining_flops(active, tokens))
    return s.loss(active, tokens), s.loss(active, math.inf), s.loss(math.inf, tokens), best, tokens / active


def _ends(name: str, unit: str, about: str, low: float, high: float) -> tuple[Parameter, Parameter]:
    quantity = {"rate": PER_SECOND, "active": COUNT, "days": DAYS}[name]
    return (Parameter(f"{name}_low", "", quantity, unit, f"{about}, at least", low, "a guess, lecture 6.3 (LIM-3)"),
            Parameter(f"{name}_high", "", quantity, unit, f"{about}, at most", high,
            "a guess, lecture 6.3 (LIM-3)"))  # fmt: skip


EQUATIONS = (
    Equation(
        "SYS-E1", (), _SECTION, "equal costs at the minimum?",
        "A = a x^-p, B = b x^q (or exponentials): p A = q B at the minimum",
        (Parameter("a", "", RATIO, "", "of the falling cost", 9.0, "an example"), Parameter("p", "", RATIO, "",
        "its exponent", 1.0, "lecture 6.1"),
         Parameter("b", "", RATIO, "", "of the rising cost", 4.0, "an example"), Parameter("q", "", RATIO, "",
         "its exponent", 1.0, "lecture 6.1"),
         Parameter("curves", "", WORD, "", "power: a x^-p, b x^q; exponential: a e^-px, b e^qx", "power",
         "lecture 6.1", choices=("power", "exponential"))),
        (Result("x"), Result("falling"), Result("rising"), Result("falling_over_rising"), Result("equal_costs")),
        _equal,
        ("training.balance_power_laws", "training.balance_costs"), "T", "",
        "exact only for p = q: p A = q B is derived",
    ),
    Equation(
        "E19", (), _SECTION, "FLOPs of pre-training", "C = 6 N D", (_ACTIVE, _PRE), (Result("flops", "FLOP"),),
        _pretraining,
        ("training.pretraining_flops",), "T",
    ),
    Equation(
        "E20", (), _SECTION, "FLOPs of reinforcement learning", "C = f N D_RL / e", (_ACTIVE, _RL, RL, MFU),
        (Result("flops", "FLOP"),),
        _reinforcement, ("training.reinforcement_flops",), "T", "",
        "in training's FLOPs: decode's lower MFU makes each dearer",
    ),
    Equation(
        "E21", (), _SECTION, "FLOPs of inference", "C = 2 N D_inf / e", (_ACTIVE, _INF, MFU), (Result("flops",
        "FLOP"),), _inference,
        ("training.inference_flops",), "T",
    ),
    Equation(
        "SYS-E2", (), _SECTION, "the three costs of a model's life", "C = 6 N D_pre + f N D_RL / e + 2 N D_inf / e",
        (_ACTIVE, _PRE, _RL, _INF, RL, MFU), (Result("pretraining", "FLOP"), Result("reinforcement", "FLOP"),
        Result("inference", "FLOP"),
        Result("total", "FLOP"), Result("share_pretraining"), Result("share_reinforcement"),
        Result("share_inference")), _lifetime,
        ("training.lifetime",), "T",
    ),
    Equation(
        "SYS-E3", (), _SECTION, "tokens when costs stand as wished",
        "D_pre / D_RL = f / (6 e) s_pre / s_RL; D_pre / D_inf = 2 / (6 e) s_pre / s_inf",
        (RL, MFU, *(Parameter(n, "", RATIO, "", f"part of {what}", 1.0, "equal thirds, lecture 6.2")
                    for n, what in (("pre", "pre-training"), ("rl", "RL"), ("inf", "inference")))),
        (Result("pre_over_rl"), Result("pre_over_inf"), Result("inf_over_pre")), _tokens,
        ("training.token_balance",), "T",
    ),
    Equation(
        "SYS-E4", (), _SECTION, "tokens that a model serves in its life", "D = rate x days x 86400 / models x used",
        (_RATE, _LIFE, Parameter("models", "", RATIO, "", "that share the traffic, 5 to 10", 10.0, "lecture 6.3"),
         Parameter("used", "", RATIO, "", "chance that it is used at all", 1.0, "lecture 6.2")),
        (Result("family", "tokens"), Result("one_model", "tokens")), _life, ("training.lifetime_tokens",), "T",
    ),
    Equation(
        "SYS-E5", (), _SECTION, "over-training", "ratio = D / (20 N)",
        (Parameter("tokens", "D", TOKENS, "tokens", "that it is trained on", 200e12, "lecture 6.3 (DIS-18)"), _ACTIVE, _PER),
        (Result("chinchilla", "tokens"), Result("over_training", "x")), _over, ("training.over_training",), "T",
    ),
    Equation(
        "SYS-E7", (), _SECTION, "over-training when its inputs are guesses",
        "ratio = rate x days x 86400 / (20 N), from end to end",
        (*_ends("rate", "tok/s", "traffic of the model", 20e6, 100e6), *_ends("active", "parameters",
        "touched per token", 50e9, 200e9),
         *_ends("days", "days", "that it is current", 30.0, 90.0), _PER),
        (Result("low", "x"), Result("high", "x"), *(Result(f"due_to_{n}", "",
        "share of the logarithmic range") for n in ("rate", "active", "days"))),
        _range, ("training.over_training_range",), "D",
    ),
    Equation(
        "loss", ("chinchilla",), _SECTION, "the scaling law behind 20 tokens per parameter",
        "L = E + A / N^alpha + B / D^beta",
        (_ACTIVE.given(70e9, "Chinchilla"), Parameter("tokens", "D", TOKENS, "tokens", "that it is trained on",
        1.4e12, "Chinchilla"),
         Parameter("law", "", WORD, "", "whose coefficients", "besiroglu2024", "catalogue, scaling_laws",
         choices=("besiroglu2024", "hoffmann2022"))),
        (Result("loss"), Result("endless_data"), Result("endless_model"), Result("optimal_tokens_per_parameter"),
        Result("tokens_per_parameter")),
        _law, ("training.ScalingLaw.loss", "training.ScalingLaw.optimal_tokens_per_parameter"), "X",
    ),
)  # fmt: skip
