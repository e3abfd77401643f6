"""A chip of your own, in a catalogue that holds only where you say; and a sweep of a million batches and contexts."""

import tempfile
from pathlib import Path

import numpy as np

import headway as hw

ROW = "name,bf16_TFLOPS,fp8_TFLOPS,memory_GB,memory_GBps,scaleup_GBps,scaleup_kind,scaleup_domain,price_usd_h,source,date\n"
with tempfile.TemporaryDirectory() as folder:
    (Path(folder) / "chips.csv").write_text(ROW + "MyChip,1200,2400,256,8000,900,link,16,3.10,my datasheet,2026-11\n")
    with hw.using(folder):
        plan = hw.make_plan(hw.Request("gpt-oss-120b", "mychipx8", prompt="4k", output="1k"))
        print(f"{plan.layout} on 8 x MyChip: ${plan.loaded.dollars_per_mtok:.2f} per million tokens under load")
        print("outside the evidence:", ", ".join(plan.outside))
        chip = hw.chip("mychip")

step = hw.compiled(hw.build_step(hw.model("gpt-oss-120b"), hw.Layout(tp=8)), chip)
batch, context = np.meshgrid(np.geomspace(1, 4096, 1000), np.geomspace(1e3, 1e5, 1000))
seconds = step.seconds(hw.Load.decode(batch, context))
quick = seconds <= 5e-3
print(f"{seconds.size:,} floors; a step of 5 ms carries up to {batch[quick].max():,.0f} sequences")
