"""One forward pass: the floor, what an engine makes of it, and what binds it."""

import headway as hw

chip = hw.chip("h200")
step = hw.build_step(hw.model("llama-3.1-70b", precision="fp8"), hw.Layout(tp=8))
vllm = hw.calibration("vllm", chip)

for batch in (1, 16, 64, 256):
    load = hw.Load.decode(batch, context=4096)
    floor = hw.step_time(step, load, chip)  # ideal by default: nothing is faster
    real = hw.step_time(step, load, chip, vllm)  # calibrated: one argument away
    print(
        f"batch {batch:>3}: floor {floor.seconds * 1e3:5.2f} ms, vllm {real.seconds * 1e3:5.2f} ms, bound by {real.bound}"
    )

slowest = max(real.rows, key=lambda row: row.seconds)
print(f"longest at batch 256: {slowest.name}, {slowest.seconds / real.seconds:.0%} of the pass")
