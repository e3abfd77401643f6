"""Predictions for rows of a benchmark table; a row that cannot be answered says why."""

import headway as hw

common = {
    "model": "llama-3.1-70b",
    "weights_dtype": "fp8",
    "engine": "vllm",
    "tp": 4,
    "load": "closed_loop",
    "isl": 1024,
    "osl": 512,
}
rows = [
    {**common, "system": "H100", "chips": 4, "batch_or_concurrency": 8},
    {**common, "system": "H200", "chips": 8, "batch_or_concurrency": 128},
    {**common, "system": "MI355X", "chips": 4, "batch_or_concurrency": 512},
    {**common, "system": "L40S", "chips": 1, "tp": 1, "batch_or_concurrency": 8},
]
for row in hw.predict(rows):
    name = f"{row['chips']} x {row['system']}, {row['batch_or_concurrency']} in flight"
    if row["refused"]:
        print(f"{name}: refused: {row['refused'].split(';')[0]}")
        continue
    print(
        f"{name}: TPOT {float(row['predicted_tpot_ms']):.1f} ms ({float(row['tpot_ms_low']):.1f} to "
        f"{float(row['tpot_ms_high']):.1f}), TTFT {float(row['predicted_ttft_ms']):.0f} ms, floor {float(row['floor_tpot_ms']):.1f} ms"
    )
