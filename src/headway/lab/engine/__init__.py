"""The lab engine: a tiny serving engine of the lab's networks, with the simulator's schedulers.

For learning and for testing what measures engines; no rival of vLLM.
"""
