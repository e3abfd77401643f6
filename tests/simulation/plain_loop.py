"""A plain loop to compare the engine with: every sequence by itself, every block by its identity, every pass timed as it stands.

Nothing is summed, remembered or jumped. Times may be fractions: then nothing is rounded either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from headway.simulation.policies import DecodeFirst, Departures, Static


@dataclass
class Outcome:
    start: dict = field(default_factory=dict)
    first: dict = field(default_factory=dict)
    end: dict = field(default_factory=dict)
    away: set = field(default_factory=set)
    preempted: dict = field(default_factory=dict)
    cached: dict = field(default_factory=dict)
    passes: list = field(default_factory=list)  # (start, seconds, riders, new tokens)
    most_held: int = 0


class Pool:
    """Blocks by identity, some of them known by the unit of a prefix that they hold."""

    def __init__(self, total, unit):
        self.free, self.unit = list(range(total)), unit
        self.users, self.idle, self.blocks = {}, {}, {}  # unit -> users; unit -> last use; unit -> its blocks

    @property
    def available(self):
        return len(self.free) + len(self.idle) * self.unit

    def get(self, count):
        while len(self.free) < count:
            self.drop(next(iter(self.idle)))
        return [self.free.pop() for _ in range(count)]

    def drop(self, name):
        del self.idle[name]
        self.free += self.blocks.pop(name)


class PlainLoop:
    def __init__(self, seconds, limits, policy, requests, *, admission=None, prefix=None, exact=float):
        self.seconds, self.limits, self.policy, self.r, self.exact = seconds, limits, policy, requests, exact
        self.prefix = prefix if len(requests.first_hash) and not isinstance(policy, Static) else None
        self.tokens = requests.hash_tokens
        self.pool = Pool(limits.blocks, -(-self.tokens // limits.block))
        tiers = max(len(requests.tiers), 1)
        self.tier = requests.tier.tolist() if len(requests.tier) else [0] * len(requests)
        self.seats = list(admission.seats) if admission and admission.seats else [10**9] * tiers
        self.patience = list(admission.patience) if admission and admission.patience else [math.inf] * tiers
        self.queue = admission.queue if admission else 10**9
        self.again, self.fresh = [[] for _ in range(tiers)], [[] for _ in range(tiers)]
        self.running, self.decoding, self.done_riding = [], [], []
        self.made, self.done = [0] * len(requests), [0] * len(requests)
        self.held, self.owned = {}, {}
        self.padded, self.now, self.out = 0, exact(0), Outcome()

    # memory
    def of(self, tokens):
        return -(-tokens // self.limits.block)

    def claim(self, i, tokens):
        if self.limits.reserve:
            return self.of(self.limits.reserve)
        return self.of(self.r.prompt[i] + self.r.output[i] - 1 if self.limits.whole else tokens)

    def grows(self):
        return not (self.limits.whole or self.limits.reserve)

    def growth(self):
        return {i: self.claim(i, self.done[i] + 1) - len(self.held[i]) for i in self.decoding} if self.grows() else {}

    def units(self, i):
        return self.r.blocks_of(i).tolist()

    def board(self, i):
        known = int(self.r.prompt[i]) + self.made[i]
        found = []
        if self.prefix:
            for name in [n for n, used in self.pool.idle.items() if self.now - used > self.prefix.ttl]:
                self.pool.drop(name)
            for name in self.units(i)[: (known - 1) // self.tokens]:
                if name not in self.pool.blocks:
                    break
                found.append(name)
        idle = sum(n in self.pool.idle for n in found)
        need = self.claim(i, known) - len(found) * self.pool.unit
        room = self.pool.available - idle * self.pool.unit - sum(self.growth().values())
        in_use = self.limits.blocks - self.pool.available
        if need > room - (self.limits.watermark if in_use else 0):
            return False
        for name in found:
            self.pool.idle.pop(name, None)
            self.pool.users[name] = self.pool.users.get(name, 0) + 1
        self.held[i] = [b for name in found for b in self.pool.blocks[name]] + self.pool.get(need)
        self.owned[i] = found
        self.done[i] = len(found) * self.tokens
        if found and i not in self.out.preempted:
            self.out.cached[i] = self.done[i]
        return True

    def learn(self, i, tokens):
        if not self.prefix:
            return
        for k in range(len(self.owned[i]), min(tokens // self.tokens, len(self.units(i)))):
            name, own = self.units(i)[k], self.held[i][k * self.pool.unit : (k + 1) * self.pool.unit]
            if self.pool.users.get(name):
                return
            if name in self.pool.idle:
                del self.pool.idle[name]
                self.pool.free += own
                self.held[i][k * self.pool.unit : (k + 1) * self.pool.unit] = self.pool.blocks[name]
            else:
                self.pool.blocks[name] = own
            self.pool.users[name] = 1
            self.owned[i].append(name)

    def give(self, i):
        kept = {b for name in self.owned[i] for b in self.pool.blocks[name]}
        self.pool.free += [b for b in self.held.pop(i) if b not in kept]
        for name in reversed(self.owned.pop(i)):
            self.pool.users[name] -= 1
            if not self.pool.users[name]:
                del self.pool.users[name]
                self.pool.idle[name] = self.now

    def check(self):
        """No block is owned twice, none is lost."""
        shared = {b for blocks in self.pool.blocks.values() for b in blocks}
        own = [b for i, blocks in self.held.items() for b in blocks if b not in shared]
        every = [*self.pool.free, *own, *shared]
        assert len(every) == len(set(every)) == self.limits.blocks
        self.out.most_held = max(self.out.most_held, self.limits.blocks - self.pool.available)

    # who is next
    def waiting(self):
        return sum(map(len, self.again)) + sum(map(len, self.fresh))

    def expire(self, now):
        for line, most in zip(self.fresh, self.patience, strict=True):
            while line and self.r.arrival[line[0]] + most <= now:
                self.out.away.add(line.pop(0))

    def admit(self, short):
        if short or len(self.running) >= self.limits.sequences:
            return None
        for t, (again, fresh) in enumerate(zip(self.again, self.fresh, strict=True)):
            line = again or fresh
            if line and sum(self.tier[i] == t for i in self.running) < self.seats[t]:
                i = line[0]
                if not self.board(i):
                    return None
                line.pop(0)
                self.running.append(i)
                self.out.start.setdefault(i, self.now)
                return i
        return None

    def chunks(self, short):
        policy, begun = self.policy, [i for i in self.running if i not in self.decoding]
        room, most = self.limits.tokens - (len(self.decoding) if policy.mixes else 0), 10**9
        if isinstance(policy, DecodeFirst | Static):
            room = 0 if self.decoding else 10**9
        if isinstance(policy, Static):
            most = policy.batch
            since = min((self.r.arrival[line[0]] for line in self.fresh if line), default=math.inf)
            if self.waiting() < policy.batch and self.now < since + policy.timeout:
                return []
        found = []
        for i in begun:
            new = min(int(self.r.prompt[i]) + self.made[i] - self.done[i], room)
            if new > 0:
                found.append((i, new))
                room -= new
        while room > 0 and len(found) < most and (i := self.admit(short)) is not None:
            new = min(int(self.r.prompt[i]) + self.made[i] - self.done[i], room)
            found.append((i, new))
            room -= new
        return found

    def make_room(self):
        short = False
        while self.decoding and sum(self.growth().values()) > self.pool.available:
            worst = max(self.tier[i] for i in self.running)
            i = [i for i in self.running if self.tier[i] == worst][-1]
            self.running.remove(i)
            if i in self.decoding:
                self.decoding.remove(i)
            self.give(i)
            self.done[i] = 0
            self.out.preempted[i] = self.out.preempted.get(i, 0) + 1
            self.again[self.tier[i]].insert(0, i)
            short = True
        return short

    def run(self):
        coming = list(range(len(self.r)))
        while coming or self.waiting() or self.running:
            while coming and self.exact(self.r.arrival[coming[0]]) <= self.now:
                i = coming.pop(0)
                if self.waiting() >= self.queue:
                    self.expire(self.r.arrival[i])
                if self.waiting() >= self.queue:
                    self.out.away.add(i)
                else:
                    self.fresh[self.tier[i]].append(i)
            if not self.step(coming):
                return self.out
        return self.out

    def step(self, coming):
        self.expire(self.now)
        arrival = self.exact(self.r.arrival[coming[0]]) if coming else math.inf
        if isinstance(self.policy, Departures):
            leaves = math.ceil(self.now / self.policy.headway - 1e-9) * self.policy.headway
            if leaves > self.now * (1 + 1e-12):
                self.now = min(leaves if self.waiting() or self.running else math.inf, arrival)
                return True
        short = self.make_room()
        chunks = self.chunks(short)
        riders = list(self.decoding) if self.policy.mixes or not chunks else []
        if not riders and not chunks:
            lines = zip(self.fresh, self.patience, strict=True)
            wake = min((self.r.arrival[line[0]] + most for line, most in lines if line), default=math.inf)
            if isinstance(self.policy, Static) and self.waiting():
                wake = min(wake, min(self.r.arrival[line[0]] for line in self.fresh if line) + self.policy.timeout)
            wake = min(arrival, wake)
            self.now = max(self.now, self.exact(wake) if wake < math.inf else wake)
            return self.now < math.inf
        self.do_pass(riders, chunks)
        return True

    def do_pass(self, riders, chunks):
        for i, more in self.growth().items() if riders else ():
            self.held[i] += self.pool.get(more)
        self.check()
        padded = isinstance(self.policy, Static)
        if padded and chunks:
            self.padded = max(int(self.r.prompt[i]) for i, _ in chunks)
        groups = [(1, self.done[i]) for i in riders]
        groups += [(self.padded, 0) if padded else (new, self.done[i]) for i, new in chunks]
        took = self.seconds(groups)
        self.out.passes.append((self.now, took, len(riders), sum(g[0] for g in groups)))
        assert (
            padded
            or sum(g[0] for g in groups) <= max(self.limits.tokens, len(riders))
            or isinstance(self.policy, DecodeFirst)
        )
        self.now += took
        for i in riders:
            self.done[i] += 1
            self.made[i] += 1
        self.leave(sorted(riders))
        ready = []
        for i, new in chunks:
            self.done[i] += new
            self.learn(i, self.done[i])
            if self.done[i] == int(self.r.prompt[i]) + self.made[i]:
                self.made[i] += 1
                self.decoding.append(i)
                ready.append(i)
                self.out.first.setdefault(i, self.now)
                if padded:
                    self.done[i] = self.padded
                else:
                    self.leave([i])
        if padded:
            self.leave(ready)

    def leave(self, group):
        """Those who have all their tokens go; of a padded batch all at once."""
        for i in group:
            if self.made[i] == self.r.output[i]:
                self.out.end[i] = self.now
        over = [i for i in group if i in self.out.end]
        if isinstance(self.policy, Static):
            over = [] if any(i not in self.out.end for i in self.decoding) else list(self.decoding)
        for i in over:
            self.running.remove(i)
            self.decoding.remove(i)
            self.give(i)
