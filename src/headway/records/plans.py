"""The plan as plain data for ``--json``: stable names, SI units."""

from __future__ import annotations

from typing import Any

from headway.batching import Curve, split_memory
from headway.models import kv_bytes_read
from headway.numeric import finite
from headway.plan.answer import Plan, Point
from headway.records.predictions import answer_record
from headway.serving import Account, Pool


def plan_record(plan: Plan) -> dict[str, Any]:
    """Return the plan as plain data for ``--json``: SI units, names end in the unit where it is not a count."""
    s = plan.system
    return {
        "model": _model_record(plan),
        "system": {
            "name": s.name, "chip": s.chip.name, "chips": s.chips, "domain": s.domain,
            "price_dollars_per_chip_hour": None if s.price is None else s.price * 3600, "price_note": s.price_note,
            "flop_per_byte": plan.flop_per_byte, "compute_kind": plan.compute_kind, "drain_time_s": s.chip.drain_time,
        },
        "layout": {
            "name": str(plan.layout), "tp": plan.layout.tp, "dp": plan.layout.dp, "ep": plan.layout.ep,
            "chips_per_replica": plan.layout.chips, "replicas": plan.replicas, "idle_chips": plan.idle_chips,
            "compared": plan.layouts_tried, "cpu_layers": plan.layout.cpu_layers, "cpu_experts": plan.layout.cpu_experts,
        },
        "load": {"context": plan.context, "prompt": plan.prompt, "output": plan.output},
        "engine": plan.setting.engine.name, "calibration": plan.scene.calibration.name, "convention": plan.request.convention,
        "memory": {**_memory_record(plan.account), "kv_pool": _pool_record(plan.pool)},
        "latency_floor": {"batch_1_s": plan.floor.seconds, "all_weights_once_s": plan.all_weights_seconds,
            "fastest_layout": str(plan.fastest[0]), "fastest_layout_s": plan.fastest[1],
        },
        "balance_batch": {
            "one_copy": plan.balance_one_copy, "weights_only": plan.balance_weights, "with_kv": finite(plan.balance_kv),
            "recommended_low": finite(plan.recommended[0]), "recommended_high": finite(plan.recommended[1]),
            "cheap": plan.cheap_batch,
        },
        "goldilocks_context": finite(plan.goldilocks),
        "decode": _decode_record(plan),
        "loaded": answer_record(plan.loaded),
        "decode_batch_1": _point_record(plan.alone),
        "decode_memory_full": _point_record(plan.at_full),
        "decode_ideal": _point_record(plan.ideal),
        "interval_80": _interval_record(plan),
        "prefill": {
            "ttft_alone_s": plan.ttft, "pass_s": plan.prefill_seconds, "pass_tokens": plan.prefill_tokens,
            "dollars_per_mtok": plan.prefill_dollars_per_mtok,
        },
        "cached_input": None if plan.cached is None else {"tier": plan.cached[0], "dollars_per_mtok": plan.cached[1]},
        "cost": {
            "floor_dollars_per_mtok": plan.cost_floor,
            "batch_1_over_floor": None if not plan.cost_floor or plan.alone.dollars_per_mtok is None
            else plan.alone.dollars_per_mtok / plan.cost_floor,
        },
        **_traffic_record(plan),
        "warnings": plan.warnings,
    }  # fmt: skip


def _traffic_record(plan: Plan) -> dict[str, Any]:
    d, at = plan.departures, plan.arriving
    return {
        "departures": {
            "headway_s": d.headway, "mean_s": finite(d.mean), "worst_s": finite(d.worst),
            "fill": d.fill if plan.request.arrivals else None, "capacity_requests_per_s": plan.capacity,
        },
        "arriving": None if at is None else {
            "requests_per_s": at.rate, "in_flight": at.in_flight, "dollars_per_mtok": at.dollars_per_mtok,
            "answer": answer_record(at.answer),
        },
    }  # fmt: skip


def _pool_record(p: Pool) -> dict[str, Any]:
    return {
        "bytes_per_chip": p.bytes, "tokens": finite(p.tokens), "blocks": finite(p.blocks), "block_tokens": p.block,
        "counted_tokens": p.context, "concurrency": finite(p.concurrency),
        "reserved_bytes_per_sequence_per_chip": p.reserved, "ideal_bytes_per_sequence_per_chip": p.ideal,
    }  # fmt: skip


def _memory_record(a: Account) -> dict[str, Any]:
    return {
        "capacity_bytes_per_chip": a.capacity, "reserve_bytes_per_chip": a.reserve, "weight_bytes_per_chip": a.weights,
        "activation_bytes_per_chip": a.activations, "engine_bytes_per_chip": a.engine, "share": a.share,
        "kv_bytes_per_sequence_per_chip": a.kv_per_sequence,
        "counted_tokens": a.tokens, "policy": a.policy, "max_batch": finite(a.holds),
        "max_batch_to_the_last_token": finite(a.held_whole),
        "host": None if a.host is None else {
            "processors": a.host.name, "capacity_bytes": a.host.capacity, "weight_bytes": a.host.weights,
            "kv_bytes_per_sequence": a.host.kv_per_sequence,
        },
    }  # fmt: skip


def _model_record(plan: Plan) -> dict[str, Any]:
    m = plan.model
    return {
        "name": m.name, "family": m.family, "total_parameters": m.total_parameters,
        "active_parameters": m.active_parameters,
        "active_parameters_without_embedding": m.active_without_embedding, "sparsity": m.sparsity, "layers": m.layer_count,
        "experts": m.experts.count if m.experts else None, "active_experts": m.experts.active if m.experts else None,
        "weight_bytes": m.weight_bytes, "loaded_bytes": m.loaded_bytes, "mtp_bytes": m.mtp_bytes,
        "towers": [{"kind": t.kind, "parameters": t.parameters, "bytes": t.bytes} for t in m.towers],
        "weights_format": m.weights_format, "kv_format": m.kv_format.name,
        "kv_bytes_per_sequence": plan.kv_per_sequence, "kv_bytes_per_further_token": plan.kv_growth,
        "kv_read_bytes_per_token": float(kv_bytes_read(m, plan.context)),
        "max_context": m.max_context,
    }  # fmt: skip


def _decode_record(plan: Plan) -> dict[str, Any]:
    p = plan.point
    weights, kv = split_memory(p.time)
    return {
        **_point_record(p), "compute_s": float(p.time.compute), "weights_s": float(weights), "kv_s": float(kv),
        "network_s": float(p.time.network), "overhead_s": float(p.time.overhead),
        "rows": [
            {"name": r.name, "seconds": float(r.seconds), "compute_s": float(r.compute), "memory_s": float(r.memory),
             "network_s": float(r.network), "bound": r.bound} for r in p.time.rows
        ],
    }  # fmt: skip


def _interval_record(plan: Plan) -> dict[str, Any] | None:
    """80 % intervals of the operating point and of a prompt alone; null for the ideal machine."""
    if plan.spread is None or plan.prompt_spread is None:
        return None
    low, high = plan.interval(plan.point.seconds, plan.ideal.seconds) or (0.0, 0.0)
    first = plan.ttft_interval or (0.0, 0.0)
    price = plan.point.dollars_per_mtok
    return {
        "decode_step_s": [low, high], "tok_s_per_user": [1 / high, 1 / low],
        "tok_s_system": [plan.replicas * plan.point.batch / high, plan.replicas * plan.point.batch / low],
        "dollars_per_mtok": None if price is None else [price * low / plan.point.seconds, price * high / plan.point.seconds],
        "ttft_alone_s": list(first), "outside_evidence": list(plan.outside),
        "rows": plan.spread.rows,
    }  # fmt: skip


def _point_record(p: Point) -> dict[str, Any]:
    return {
        "batch": p.batch, "step_s": p.seconds, "bound": p.time.bound, "mfu": p.mfu,
        "tok_s_per_user": p.tokens_per_second_user, "tok_s_per_chip": p.tokens_per_second_chip,
        "tok_s_system": p.tokens_per_second_system, "dollars_per_mtok": p.dollars_per_mtok,
    }  # fmt: skip


def curve_rows(plan: Plan, curve: Curve) -> list[dict[str, Any]]:
    """Return a sweep as records, the 80 % interval beside each step time and what the evidence does not cover last."""
    return [_sure(plan, curve.axis, row) for row in curve.rows()]


def _sure(plan: Plan, axis: str, row: dict[str, Any]) -> dict[str, Any]:
    spread, outside = plan.spread_at(axis, row[axis.replace(" ", "_")], row["batch"])
    low, high = spread.around(row["step_s"]) if spread else (None, None)
    at = list(row).index("step_s") + 1
    items = list(row.items())
    last = [("outside", " ".join(outside))] if spread else []
    return dict([*items[:at], ("step_low_s", low), ("step_high_s", high), *items[at:], *last])
