"""One picture per system of the lecture, each by one command: docs/gallery/*.svg and docs/gallery.md. `--check` looks whether they are there."""

from __future__ import annotations

import contextlib
import io
import sys
from pathlib import Path

from headway.cli import app
from headway.equations import find

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "gallery"
# system, what is seen (the alternative text), the command
PICTURES = (
    ("A1", "Step time against batch: weights flat, compute and caches straight lines, the step their envelope", "ask E1 --sweep batch=16,128,1024,8192,65536"),
    ("A2", "Latency and cost against batch of DeepSeek-V3 on a GB200 rack: cost falls like one over the batch and ends on a floor",
     "curve deepseek-v3 --on gb200-nvl72 --context 4k"),
    ("A3", "Balance batch against the hardware ratio: a straight line, 2,400 at 300", "ask E5 --sweep ratio=100,200,300,400,500,600"),
    ("A4", "Hardware ratio against memory bandwidth: faster memory needs smaller batches", "ask E6 --sweep bandwidth=2TB/s,4TB/s,8TB/s,16TB/s,22TB/s"),
    ("A5", "Dollars per million tokens against batch: a hyperbola, 800 dollars at 1 and 40 cents at 2,000", "ask E4 --sweep batch=1,10,100,1000,2000"),
    ("A6", "Cost over its floor against batch: 2,400 times at batch 1, one from the balance batch on",
     "ask SYS-A6 --sweep batch=1,8,64,512,2400,9600"),
    ("A7", "Trains leaving with their riders, against time", "trains gpt-oss-120b --on h200 --rate 1/s"),
    ("A8", "Tokens per second and share of the world's traffic against batch: straight lines", "ask E10 --sweep batch=500,1000,2000,4000,8000"),
    ("A9", "Price against speed of tiers of a model on a machine: faster costs more, slower saves nothing past the balance batch",
     "tiers llama-3.1-70b --on h200x8 --prompt 2k --output 300"),
    ("A10", "Share of experts that a pass reads against batch: 3 per cent at 1, all from a few hundred on",
     "ask SYS-A10 --sweep batch=1,4,16,64,256,1024"),
    ("A11", "Dense parameters of equal quality against experts: rising ever slower", "ask SYS-A11 --sweep experts=2,8,32,64,128,256"),
    ("B1", "Utilisation against context: one up to the goldilocks context, then falling like its inverse",
     "ask E11 --sweep context=50k,100k,200k,400k,800k,1.6M"),
    ("B2", "FLOPs for a sequence's next token against its length: flat from a cache, a rising line where everything is computed again", "lab decode"),
    ("B3", "Bytes of cache per token against layers with a cache of their own: a straight line", "ask E23 --sweep layers=1,8,16,32,61,128"),
    ("B4", "Bytes that a new token reads under each read law at a hundred million tokens",
     "ask SYS-B4 --sweep law=dense,sqrt,top-k,fraction,window"),
    ("B5", "Where attention's own arithmetic equals the weights', against query heads per KV head: falling",
     "ask SYS-B5 --sweep queries_per_kv=1,2,4,8,16,64,128"),
    ("B6", "Memory of attention over a prompt against its length: in tiles a line, plain a square", "lab prefill"),
    ("C1", "Experts that a run of a tiny mixture touches, beside what uniform routing would", "lab experts"),
    ("C2", "Chips of a rack that are used by 256 experts, against its size: steps at divisors", "ask SYS-C2 --sweep chips=8,16,36,64,72,144"),
    ("C3", "Copies of tokens between every two of eight devices that share experts", "lab dispatch"),
    ("C4", "All-to-all over racks against one rack: 4 times over two, towards 8", "ask SYS-C4 --sweep racks=1,2,4,8,16"),
    ("C5", "Memory, bandwidth and cables of a scale-up domain against chips: straight lines", "ask SYS-C5 --sweep chips=8,36,72,144,576"),
    ("D1", "Scale-up over scale-out time against activated experts: above one the rack boundary is hidden",
     "ask E12 --sweep active_experts=1,2,4,8,16,32"),
    ("D2", "Idle share and time of a token of four racks against micro-batches: idle falls to none at four",
     "ask E13 --sweep micro_batches=1,2,3,4,5,6"),
    ("D3", "Training bubble of four stages against micro-batches: three quarters at one, falling", "ask SYS-D3 --sweep micro_batches=1,4,8,16,64"),
    ("D4", "Weights and caches per chip against racks in a pipeline: weights fall, caches stay", "ask E17 --sweep stages=1,2,4,8"),
    ("D5", "Time to read a trillion bytes of weights against chips of the scale-up domain: falling like one over it",
     "ask E18 --sweep chips=8,36,72,144,576"),
    ("D6", "Racks of gpt-oss-120b: what a step takes with experts and pipelines over one and two racks",
     "racks gpt-oss-120b --on h200x8 --racks 1,2"),
    ("E1", "Where a falling and a rising cost are least, against the rising one's exponent: their ratio equals it",
     "ask SYS-E1 --sweep q=0.5,1,1.5,2,3"),
    ("E2", "FLOPs of pre-training, reinforcement learning and inference against tokens served", "ask SYS-E2 --sweep inference=10T,50T,200T,1000T"),
    ("E3", "Tokens of pre-training over those of reinforcement learning and of inference, against decode's utilisation",
     "ask SYS-E3 --sweep relative_mfu=0.1,0.2,0.33,0.5,1"),
    ("E4", "Tokens that a model serves against days: a straight line", "ask SYS-E4 --sweep days=15,30,60,90,180"),
    ("E5", "Over-training against tokens: a hundred times at 200 trillion", "ask SYS-E5 --sweep tokens=2T,15T,50T,100T,200T"),
    ("E6", "Reward against steps of a network that learns from its own answers: flat without training, rising with a quarter, faster with all",
     "lab rl"),
    ("E7", "Over-training against days of serving, at both ends of what is guessed", "ask SYS-E7 --sweep days_high=30,45,60,90,120"),
    ("F1", "Bytes of cache per token from the context at which prices step: falling like its inverse",
     "ask E22 --sweep step_context=32k,64k,128k,200k,400k,1M"),
    ("F2", "Cost and a two-price tariff against context: flat, then rising; the tariff covers up to 300,000",
     "ask SYS-F2 --sweep context=100k,200k,300k,400k,1M"),
    ("F3", "Cost per token against the length of a pass: falling until compute binds at five tokens",
     "ask E24 --sweep new_tokens=1,2,3,5,10,30"),
    ("F4", "What a million cached tokens cost by how long they are held: HBM, DDR, flash and disk in turn",
     "ask E25 --sweep held=1ms,100ms,1s,1min,5min,1h,1d"),
    ("F5", "How far a device's drain time is from the tier that a time to live names, against that time",
     "ask SYS-F5 --sweep ttl=1s,5s,1min,5min,1h"),
    ("F6", "A prompt cache at work: hits against its size", "cache llama-3.1-8b --on h100x1 --requests 200"),
    ("F7", "A bill against the tokens of a prompt: a step at 200,000", "ask SYS-F7 --sweep input=50k,100k,200k,201k,400k"),
    ("F8", "Hits that pay for a cache write against the price of the write", "ask SYS-F8 --sweep write_1h_price=6,8,10,15,20"),
    ("G1", "Error of a Feistel network's way back over real numbers, by rounds", "lab cipher"),
    ("G2", "Share of bits that one changed bit flips, by round of a cipher and by layer of a network", "lab avalanche"),
    ("G3", "Loss of a reversible transformer and an ordinary one against steps: one curve", "lab reversible"),
    ("G4", "Memory of training kept for layers: growing with them, or two units if the network is reversible",
     "ask SYS-G4 reversible=no --sweep layers=10,30,61,100"),
    ("H1", "Step time of a small engine against its batch, beside the roofline of this machine, and what a token costs", "lab engine"),
    ("H4", "Tokens per pass against drafted tokens at four in five accepted: rising towards five", "ask SYS-H4 --sweep length=1,2,4,8,16"),
    ("H5", "Energy per use of a weight against batch: a thousand at one, two at a thousand", "ask SYS-H5 --sweep batch=1,10,100,256,1000"),
    ("I1", "Cost of a token against load: far above the full machine's where few come",
     "cost llama-3.1-8b --on h100x1 --prompt 500 --output 100 --against load --points 5"),
    ("I2", "Trains held until full or for a moment, with their riders, against time", "trains llama-3.1-8b --on h100x1 --prompt 500 --output 64 --rate 20/s --hold 200ms"),
    ("I3", "Times of two classes of requests on one machine: the urgent one waits less",
     "simulate llama-3.1-8b --on h100x1 --traffic poisson:30/s --requests 400 --prompt 500 --output 100 --tiers fast:20%,ttft=500ms,batch:80%"),
    ("I8", "Requests in padded batches: who has ended waits until all have",
     "simulate llama-3.1-8b --on h100x1 --traffic azure-conv --requests 300 --policy static:16,timeout=1s"),
    ("I9", "What a model costs over its life against its size, at equal quality: a valley",
     "lifetime llama-3.1-8b --on h100x1 --prompt 2k --output 300 --train-on h100x64 --tokens 15T --demand 100T"),
)  # fmt: skip


TITLES = {
    "B2": "decoding with a cache, and without",
    "B6": "attention over a prompt in tiles",
    "C1": "a mixture of experts at work",
    "C3": "dispatch and combine at work",
    "E6": "reinforcement learning at work",
    "G1": "a Feistel network there and back",
    "G2": "what a small difference becomes",
    "G3": "a reversible transformer that trains",
    "H1": "an engine in the lecture's variables",
    "I2": "trains that wait for riders",
    "I3": "classes of speed",
    "I8": "padded batches",
    "I9": "the least cost of a model's life",
    "A2": "latency and cost against batch",
    "A7": "trains that leave with who is ready",
    "A9": "what speed costs",
    "D5": "time to read the weights by scale-up size",
    "D6": "layouts over racks",
    "F3": "cost of a token by the length of the pass",
    "F6": "a prompt cache at work",
    "I1": "what a token costs at the load there is",
}


def title_of(system: str) -> str:
    """Return what a system is: its equation's title, or a title of its picture's own."""
    return TITLES.get(system) or find(f"SYS-{system}").title


def file_of(system: str) -> str:
    """Return the name of a system's picture."""
    return f"{system.lower()}.svg"


def page() -> str:
    """Return docs/gallery.md."""
    out = [
        "# Gallery", "", "One picture per system of the lecture, each by the one command below it (`-o` draws; `make gallery` draws all anew).",
        "Those of `headway lab` are of programs that ran ([the lab](lab.md)). Systems whose answer is text have none: cards, claims, one file for a chat model,",
        "a bill's forecast, a choice of models.", "",
    ]  # fmt: skip
    for system, alt, command in PICTURES:
        out += [
            f"## {title_of(system)[0].upper()}{title_of(system)[1:]} (SYS-{system})",
            "",
            f"![{alt}](gallery/{file_of(system)})",
            "",
            f"    headway {command} -o {file_of(system)}",
            "",
        ]
    return "\n".join(out).rstrip() + "\n"


def draw(system: str, command: str, folder: Path = FOLDER) -> int:
    """Draw one picture; return the exit status of its command."""
    with contextlib.redirect_stdout(io.StringIO()):
        return app.run([*command.split(), "-o", str(folder / file_of(system))])


def main() -> int:
    """Draw every picture and write the page, or check that they are there."""
    if "--check" in sys.argv:
        missing = [s for s, _, _ in PICTURES if not (FOLDER / file_of(s)).is_file()]
        print(f"missing: {missing}" if missing else "every picture is there")
        return bool(missing)
    FOLDER.mkdir(exist_ok=True)
    failed = [s for s, _, command in PICTURES if draw(s, command)]
    (ROOT / "docs" / "gallery.md").write_text(page(), encoding="utf-8")
    print(f"{len(PICTURES) - len(failed)} pictures in {FOLDER}; failed: {failed}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
