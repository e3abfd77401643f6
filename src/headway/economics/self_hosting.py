"""Where rented machines cost as much as an API: rent comes in whole systems, idle or not; an API is paid by request."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from headway.economics.bills import exact
from headway.errors import InputError


@dataclass(frozen=True)
class Rent:
    """What a system costs.

    Attributes
    ----------
    name : str
    per_hour : Decimal
        Of a whole system, its idle chips as well. [$/h]
    hours : Decimal
        Of a day, that are paid. [h]
    note : str
        Where the price is from.
    """

    name: str
    per_hour: Decimal
    hours: Decimal = Decimal(24)
    note: str = ""

    def per_busy_second(self, busy: Decimal) -> Decimal:
        """Return the rent of a system over the time in which requests come. [$/s]

        Parameters
        ----------
        busy : Decimal
            Hours of a day in which they come. [h]
        """
        return self.per_hour * self.hours / busy / 3600


@dataclass(frozen=True)
class Crossing:
    """Rates at which rent and API cost the same.

    Attributes
    ----------
    first : Decimal or None
        The lowest; None where a full system costs more by request than the API. [requests/s]
    always : Decimal or None
        Beyond it self-hosting is never the dearer one, although every further system begins almost empty. [requests/s]
    systems : int
        That run at `always`. [systems]
    """

    first: Decimal | None
    always: Decimal | None
    systems: int


def systems_for(rate: Decimal, capacity: Decimal) -> int:
    """Return how many systems a rate needs: one at least. [systems]

    Parameters
    ----------
    rate, capacity : Decimal
        That comes, and that one system carries. [requests/s]

    Raises
    ------
    InputError
        When a system carries nothing.
    """
    if capacity <= 0:
        raise InputError("a system that carries nothing within its limits cannot serve any rate")
    return max(1, math.ceil(rate / capacity))


def margin(rate: Decimal, api: Decimal, capacity: Decimal, rent: Decimal) -> Decimal:
    """Return what self-hosting saves: the API's bill less the rent of all systems; negative where the API is cheaper. [$/s]

    Parameters
    ----------
    rate : Decimal
        [requests/s]
    api : Decimal
        Bill of one request. [$/request]
    capacity : Decimal
        Of one system, within the limits. [requests/s]
    rent : Decimal
        Of one system, whether its chips have work or not. [$/s]
    """
    return rate * api - systems_for(rate, capacity) * rent


def break_even(api: Decimal, capacity: Decimal | float, rent: Decimal) -> Crossing:
    """Return where self-hosting begins to pay, and from where on it always does.

    Parameters
    ----------
    api : Decimal
        Bill of one request. [$/request]
    capacity : Decimal or float
        Of one system, within the limits. [requests/s]
    rent : Decimal
        Of one system. [$/s]

    Notes
    -----
    n systems pay from n R/b on, and carry n c: they pay at all where R/b <= c. A further system begins when n are full, and pays
    at once where n c b >= (n + 1) R.
    """
    c = exact(capacity, "capacity")
    if api <= 0 or c * api < rent:
        return Crossing(None, None, 0)
    spare = c * api - rent
    if spare == 0:
        return Crossing(rent / api, None, 0)
    n = max(1, math.ceil(rent / spare))
    return Crossing(rent / api, n * rent / api, n)
