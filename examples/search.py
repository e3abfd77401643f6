"""The cheapest fleet for a service, on two systems, and why the runner-up lost."""

import headway as hw

found = hw.search_layouts(
    hw.Query("gpt-oss-120b", systems="h200x8,b200x8", prompt="4k", output="500", ttft="1s", tpot="20ms", rate="20/s")
)
best = found.best
print(
    f"best: {best.deployment} on {best.system}, {best.per_user:.0f} tokens/s for a user, ${best.per_mtok[1]:.2f} per million"
)
print(f"runner-up: {found.losers[0].deployment} on {found.losers[0].system}: {found.losers[0].reason}")

fleet = found.fleets[0].fleet
print(f"20 requests/s: {fleet.chips:.0f} chips, ${fleet.dollars * 3600:.0f} an hour, TTFT {fleet.ttft * 1e3:.0f} ms")
for option in found.frontier[:: max(len(found.frontier) // 4, 1)]:
    print(f"{option.per_user:6.0f} tokens/s/user  {option.per_chip:7.0f} tokens/s/chip  {option.deployment}")
