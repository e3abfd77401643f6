"""Cost, tiers, price sheets and bills, cache tiers, and prices read backwards."""

from headway.economics.bills import Bill, ContextStep, Prices, PriceSheet, Usage, bill
from headway.economics.cache_tiers import (
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
from headway.economics.price_lists import Offer, Offers, offers
from headway.economics.quotes import Quote, Workload, quote
from headway.economics.self_hosting import Crossing, Rent, break_even, margin
from headway.economics.tiers import (
    SpeedTier,
    check_tariff,
    context_cost,
    covered_context,
    implied_batch_cut,
    mean_context_cost,
    tier_at,
)
from headway.economics.usage_logs import Ledger, bill_log

__all__ = [
    "Bill",
    "CachePremium",
    "ContextStep",
    "Crossing",
    "Ledger",
    "Offer",
    "Offers",
    "PriceSheet",
    "Prices",
    "Quote",
    "RatioReading",
    "Recompute",
    "Rent",
    "Shape",
    "SpeedTier",
    "Tier",
    "Usage",
    "Workload",
    "bill",
    "bill_log",
    "break_even",
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
    "margin",
    "mean_context_cost",
    "offers",
    "quote",
    "read_price_ratio",
    "recompute_cost",
    "tier_at",
    "tier_of_ttl",
    "total_cost",
]
