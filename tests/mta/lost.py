"""Nothing lost: many messages through Postfix and `waxseal serve`, over milter, SMTP and LMTP,
while everything fails.

    tests/run mta lost [--count 20000] [--seed 1] [--report FILE]

First a tenth of the messages without faults, with a new policy every second. Then the rest, and
all of this at once:

    every second    another policy: two good ones, one whose filter traps for a fifth of the
                    messages, which are deferred, one whose filter traps for one in a hundred,
                    which are refused
    every 9 s       kill -9, and a new start one second later
    every 15 s      a full disk for three seconds: Postfix's queue and Waxseal's state in turn
    by the seed     the next hops refuse, stall, hang, cut, and take without an answer

In the end the faults stop, and what is on its way gets time to arrive. Then the account is settled
(ledger.py): every message arrived for every recipient at least once, or was bounced, or is still
queued; every duplicate has its fault; nothing that must be encrypted arrived in clear. One in forty
is opened with OpenSSL. Fails on any violation; prints everything unusual by id.

The full disk is a small tmpfs, so this runs as root.
"""

import argparse
import asyncio
import contextlib
import os
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

import flow as ways
from client import Client, Sent
from ledger import Ledger
from machine import Workshop

# Of 1,000 transactions at each next hop.
RATES = {"refuse": 0.004, "rcpt": 0.006, "dot": 0.006, "some": 0.006, "drop": 0.006,
         "cut-ack": 0.006, "cut-some": 0.006, "stall": 0.01, "hang": 0.001}
KILL_EVERY, FULL_EVERY, FULL_FOR = 9.0, 15.0, 3.0
# Messages from which on a run is to prove something.
LONG = 2000
# Failing filters are part of the day here: neither roll back nor stop asking them.
RELOAD = "failures = 1000\nwithin = 1000\nbreaker-failures = 1000\nbreaker-seconds = 30"


class Disk:
    """Two small file systems, and what fills them."""

    def __init__(self):
        self.places = []

    def prepare(self, queue, state):
        for place, mib in ((queue, 64), (state, 32)):
            ways.mount_tmpfs(place, mib)
            self.places.append(Path(place))

    async def fill(self, place, seconds):
        """Nothing fits any more; what is removed meanwhile does not help."""
        filler = place / "filler"
        end = time.time() + seconds
        with open(filler, "ab", buffering=0) as file:
            while time.time() < end:
                with contextlib.suppress(OSError):
                    for size in (1 << 20, 4096):
                        while True:
                            file.write(bytes(size))
                await asyncio.sleep(0.02)
        filler.unlink()

    def close(self):
        for place in self.places:
            ways.unmount(place)


class Trouble:
    """Everything that goes wrong on purpose, until `stop`."""

    def __init__(self, flow, disk, seed):
        self.flow, self.disk, self.random = flow, disk, random.Random(seed)
        self.kills, self.full, self.flips = [], [], 0
        self._tasks = []

    def enough(self):
        return len(self.kills) >= 3 and len(self.full) >= 2

    def reload(self, versions):
        self._begin(self._reload(versions))

    def break_everything(self):
        self.flow.faults(True)
        self._begin(self._kill())
        self._begin(self._fill())

    def _begin(self, work):
        self._tasks.append(asyncio.ensure_future(work))

    async def stop(self):
        """Each task ends what it began: the server runs, the disks have room."""
        self.flow.faults(False)
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result
        if not self.flow.server.running():
            await asyncio.to_thread(ways.serve, self.flow.server)

    async def _reload(self, versions):
        while True:
            for version in versions:
                self.flow.policies.flip(version)
                self.flips += 1
                await asyncio.sleep(1)

    async def _kill(self):
        while True:
            await asyncio.sleep(KILL_EVERY + self.random.uniform(-1, 1))
            self.kills.append(time.time())
            self.flow.server.kill()
            await asyncio.sleep(1)
            starting = asyncio.ensure_future(asyncio.to_thread(ways.serve, self.flow.server))
            try:
                await asyncio.shield(starting)
            finally:
                await starting

    async def _fill(self):
        while True:
            for place in self.disk.places:
                await asyncio.sleep(FULL_EVERY - FULL_FOR)
                began = time.time()
                try:
                    await self.disk.fill(place, FULL_FOR)
                finally:
                    with contextlib.suppress(FileNotFoundError):
                        (place / "filler").unlink()
                    self.full.append((began, time.time(), place.name))


def messages(count, phase, start, seed):
    """Small mails, a third each way; some for two recipients whose copies differ."""
    dice = random.Random(f"{seed}/{phase}")
    for number in range(start, start + count):
        secret, plain = dice.choice(ways.SECRET), dice.choice(ways.OPEN)
        other = dice.choice([reader for reader in ways.SECRET if reader != secret])
        groups = [[secret], [plain], [secret, plain], [secret, other]]
        recipients = dice.choices(groups, [4, 2, 3, 1])[0]
        yield Sent(f"m{number:05d}", recipients, ways.WAYS[number % 3], phase,
                   padding=dice.choice([0, 0, 500, 4000]))


def cut_off(flow, trouble, sent):
    """Writes down whose client did not hear the end, because of a kill or a full disk: what the
    client saw, and what Postfix says of its own deliveries."""
    record = flow.record

    def cause(at, slack):
        if any(kill - slack <= at <= kill + 3 for kill in trouble.kills):
            return "killed"
        if any(began - slack <= at <= ended + 1 + slack for began, ended, _ in trouble.full):
            return "full"
        return None

    for message in sent:
        for attempt in message.attempts:
            if attempt.whole and attempt.reply[:1] not in "25" and (kind := cause(attempt.at, 0.1)):
                record.fault(kind, [message.id], at=attempt.at,
                             detail=f"the client heard: {attempt.reply}")
    for deferral in ways.deferrals(flow.postfix.said()):
        kind = cause(deferral.at, 1.0)
        cut = ways.CUT in deferral.why
        refused = kind == "full" and ways.AT_END in deferral.why
        if kind and (cut or refused):
            recipients = [deferral.recipient] if "lmtp" in deferral.service else []
            record.fault(kind, [deferral.id], recipients,
                         detail=f"Postfix: {deferral.why}", at=deferral.at)


async def settle_down(flow, client, sent, bound):
    """Until everything arrived or stands in a report, or for `bound` seconds."""
    end = time.time() + bound
    while client.on_the_way and time.time() < end:
        await asyncio.to_thread(flow.postfix.flush)
        await asyncio.sleep(1)
    while time.time() < end and await asyncio.to_thread(flow.postfix.queue):
        await asyncio.sleep(0.5)


async def run(workshop, given):
    disk = Disk()
    # Which messages meet a trap is drawn by their last two digits. Those that are deferred come
    # again under another policy.
    endings = random.Random(given.seed).sample([f"news m*{n:02d}" for n in range(100)], 21)
    flaky = [ways.flaky(endings[1:]), ways.flaky(endings[:1], "reject")]
    versions = {"a": "", "b": "", "flaky": flaky[0], "harsh": flaky[1]}
    try:
        flow = await ways.Flow.start(workshop, seed=given.seed, rates=RATES, reload=RELOAD,
                                     versions=versions, queue_first=disk.prepare)
        try:
            return await account(flow, disk, given)
        finally:
            flow.stop()
    finally:
        disk.close()


async def account(flow, disk, given):
    client = Client(flow.ports, lambda id: ways.SENDERS[int(id[1:]) % 4 == 0],
                    connections=12, most=given.most)
    flow.record.keep_one_in = 40
    flow.record.watcher = lambda delivery: client.arrived(delivery.read.id)
    calm = list(messages(given.count // 10, "calm", 0, given.seed))
    rough = list(messages(given.count - len(calm), "faults", len(calm), given.seed))
    trouble = Trouble(flow, disk, given.seed)

    began = time.time()
    trouble.reload(["a", "b"])
    await client.hand_in(calm)
    await settle_down(flow, client, calm, 60)
    print(f"without faults: {len(calm)} messages in {time.time() - began:.0f} s", flush=True)
    await trouble.stop()

    began = time.time()
    trouble.reload(["a", "flaky", "b", "harsh"])
    trouble.break_everything()
    await client.hand_in(rough)
    while given.count >= LONG and not trouble.enough():
        # However fast it all went: everything is to go wrong more than once.
        more = list(messages(500, "faults", len(calm) + len(rough), given.seed))
        rough += more
        await client.hand_in(more)
    print(f"with faults: {len(rough)} messages handed in after {time.time() - began:.0f} s",
          flush=True)
    await trouble.stop()
    flow.policies.flip("a")
    await settle_down(flow, client, rough, given.drain)
    print(f"and settled after {time.time() - began:.0f} s: {trouble.flips} policies, "
          f"{len(trouble.kills)} kills, {len(trouble.full)} full disks", flush=True)
    return judge(flow, trouble, calm + rough, given)


def judge(flow, trouble, sent, given):
    cut_off(flow, trouble, sent)
    tally = Ledger(sent, flow.record, flow.queued()).settle()
    tally.print()
    faults = Counter(fault.kind for fault in flow.record.faults)
    print("faults: " + ", ".join(f"{kind} {count}" for kind, count in sorted(faults.items())))
    opened, wrong = flow.open_kept()
    print(f"opened with OpenSSL: {opened}, wrong: {wrong}")
    generations = generations_of(flow.server.said())
    print("messages by generation, by Waxseal's log: " + ", ".join(
        f"{generation[:12]} {count}" for generation, count in sorted(generations.items())))
    if given.report:
        Path(given.report).write_text(tally.as_text())
    problems = [str(line) for line in tally.violations] + [f"{id}: {why}" for id, why in wrong]
    in_calm = {message.id for message in sent if message.phase == "calm"}
    problems += [f"{deferral.id}: deferred without a fault: {deferral.why}"
                 for deferral in ways.deferrals(flow.postfix.said()) if deferral.id in in_calm]
    problems += unproven(faults, trouble, generations, given, opened)
    for problem in problems:
        print(f"VIOLATION {problem}")
    print("nothing lost, nothing leaked" if not problems else f"{len(problems)} violations")
    return not problems


def unproven(faults, trouble, generations, given, opened):
    """A run in which nothing went wrong proves nothing."""
    if given.count < LONG:
        return
    # Those that need a new connection, or several recipients over LMTP, are rare.
    wanted = set(RATES) if given.count >= 10000 else {"dot", "drop", "cut-ack", "stall"}
    for kind in wanted | {"killed", "full"}:
        if not faults[kind]:
            yield f"no fault of this kind: {kind}"
    if not trouble.enough():
        yield f"too short: {len(trouble.kills)} kills, {len(trouble.full)} full disks"
    if len(generations) < 4:
        yield f"not all policies decided about messages: {dict(generations)}"
    if not opened:
        yield "no copy was opened"


def generations_of(log):
    """How many messages each generation decided about, by the lines of Waxseal's log."""
    found = Counter()
    for line in log.splitlines():
        if match := re.search(r'generation"?[=:]\s*"?([0-9a-f]{8,})', line):
            if re.search(r'\bending"?[=:]', line):
                found[match.group(1)] += 1
    return found


def main():
    parser = argparse.ArgumentParser(description="Nothing lost.")
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--most", type=int, default=800, help="messages on their way at a time")
    parser.add_argument("--drain", type=int, default=90, help="seconds for what is left")
    parser.add_argument("--report", help="a file for all that is unusual")
    parser.add_argument("--keep", help="a directory that stays")
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("error: Postfix and the small disks need root\nhint: sudo tests/run mta lost")
    with Workshop("lost", given.keep) as workshop:
        good = asyncio.run(run(workshop, given))
        if not good:
            raise SystemExit(1)


if __name__ == "__main__":
    main()
