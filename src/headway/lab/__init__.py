"""The lab: the lecture's systems run for real, small, and the program that ran audits the formulas that predicted it.

Networks are built from the same `Architecture` that plans read, at tiny widths, on JAX (the ``[lab]`` extra); XLA counts what
their compiled programs multiply, move, hold and send.
"""
