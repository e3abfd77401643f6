"""Cost, tiers, price sheets and bills, cache tiers, and prices read backwards."""

from headway.economics.bills import Bill, PriceSheet, Usage, bill
from headway.economics.cache_tiers import (
    LECTURE_DRAINS,
    Recompute,
    Tier,
    catalogue_tiers,
    cheapest,
    crossover,
    hbm_against_recompute,
    recompute_cost,
    tier_of_ttl,
    total_cost,
)
from headway.economics.from_prices import (
    CachePremium,
    RatioReading,
    Shape,
    cache_premium,
    candidate_shapes,
    kv_bytes_from_step,
    read_price_ratio,
)
from headway.economics.tiers import (
    SpeedTier,
    check_tariff,
    context_cost,
    covered_context,
    implied_batch_cut,
    mean_context_cost,
    tier_at,
)

__all__ = [
    "LECTURE_DRAINS",
    "Bill",
    "CachePremium",
    "PriceSheet",
    "RatioReading",
    "Recompute",
    "Shape",
    "SpeedTier",
    "Tier",
    "Usage",
    "bill",
    "cache_premium",
    "candidate_shapes",
    "catalogue_tiers",
    "cheapest",
    "check_tariff",
    "context_cost",
    "covered_context",
    "crossover",
    "hbm_against_recompute",
    "implied_batch_cut",
    "kv_bytes_from_step",
    "mean_context_cost",
    "read_price_ratio",
    "recompute_cost",
    "tier_at",
    "tier_of_ttl",
    "total_cost",
]
