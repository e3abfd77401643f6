"""A plan, a prediction and a search of one point: one question, one answer."""

import headway as hw

ask = {"model": "deepseek-v3", "prompt": "8k", "output": "1k", "layout": "dp8ep8", "batch": 64}

plan = hw.make_plan(hw.Request(system="h200x8", **ask))
print(plan)
print(f"a step without prompts takes {plan.point.seconds * 1e3:.1f} ms; memory holds {plan.max_batch:,.0f} sequences")

answer = hw.predict(hw.Request(system="h200x8", **ask))
low, high = answer.tpot_interval
print(f"predict: TPOT {answer.tpot * 1e3:.1f} ms ({low * 1e3:.1f} to {high * 1e3:.1f}), TTFT {answer.ttft:.2f} s")

best = hw.search_layouts(hw.Query(systems="h200x8", split=False, **ask)).best
print(
    f"search:  TPOT {best.tpot[1] * 1e3:.1f} ms, TTFT {best.ttft[1]:.2f} s, ${best.per_mtok[1]:.2f} per million tokens"
)
