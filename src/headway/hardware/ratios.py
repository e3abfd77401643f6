"""Closed forms that need only a machine: hardware ratio H (E6), drain time (E9), weight read time (E18)."""

from __future__ import annotations

from typing import Any

Real = Any  # a float or a NumPy array; everything broadcasts


def hardware_ratio(peak_flops: Real, bandwidth: Real, bytes_per_parameter: Real) -> Real:
    """Return H, multiply-adds per parameter read, dimensionless (lecture E6, SYS-A4).

    Parameters
    ----------
    peak_flops : float or array
        Vendor's dense peak, 2 FLOP per multiply-add. [FLOP/s]
    bandwidth : float or array
        Memory bandwidth. [bytes/s]
    bytes_per_parameter : float or array
        Stored size of one parameter in the format of that peak. [bytes]

    Notes
    -----
    H = (FLOPS / 2) w / BW

    About 300 on H100 and B200; the lecture's mode uses 300 outright.
    """
    return peak_flops / 2 * bytes_per_parameter / bandwidth


def drain_time(capacity: Real, bandwidth: Real) -> Real:
    """Return the seconds to read a memory once: capacity / bandwidth (lecture E9, E26).

    Parameters
    ----------
    capacity : float or array
        [bytes]
    bandwidth : float or array
        [bytes/s]
    """
    return capacity / bandwidth


def weights_read_time(parameters: Real, bytes_per_parameter: Real, domain: Real, chip_bandwidth: Real) -> Real:
    """Return the seconds to read all weights with the bandwidth of one scale-up domain (lecture E18).

    Pipeline stages cannot be used in parallel for one token; the chips of a domain can.

    Parameters
    ----------
    parameters : float or array
        Stored parameters. [parameters]
    bytes_per_parameter : float or array
        [bytes]
    domain : float or array
        Chips in the scale-up domain. [chips]
    chip_bandwidth : float or array
        Memory bandwidth of one chip. [bytes/s]
    """
    return parameters * bytes_per_parameter / (domain * chip_bandwidth)
