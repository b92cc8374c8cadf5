"""Faults one at a time: each MTA defers, nothing half-changed is delivered, and what was deferred
arrives whole afterwards.

    tests/run mta faults [NAME…]

Postfix is on the other side. milter_proxy.py cuts, hangs or kills between a header change and the
new body; other MTAs are put behind it in the same way (docs/mta).
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time

import flow as ways
import reading
from client import Client, Sent, try_once
from ledger import Ledger
from machine import Workshop, wait_until
from milter_proxy import MilterProxy
from waxseal import binary

# Postfix gives up soon, so that a test of hanging takes seconds.
SHORT = {
    "milter_connect_timeout": "4s", "milter_command_timeout": "4s", "milter_content_timeout": "4s",
}
SHORT_CLIENT = [f"{protocol}_{name}_timeout=4s" for protocol in ("smtp", "lmtp")
                for name in ("connect", "mail", "rcpt", "data_init", "data_xfer")]
SHORT_CLIENT += ["smtp_helo_timeout=4s", "lmtp_lhlo_timeout=4s"]


class Failed(AssertionError):
    """What was not as it must be."""


def must(condition, what):
    if not condition:
        raise Failed(what)


class Stage:
    """A flow with the proxy before its milter, and messages that are counted."""

    def __init__(self, workshop, settings, client_options):
        self.workshop, self.sent, self.number = workshop, [], 0
        self.settings, self.client_options = settings, client_options

    async def __aenter__(self):
        self.proxy = None

        async def between(port):
            self.proxy = MilterProxy(f"inet:{port}")
            await self.proxy.start()
            return self.proxy.port

        self.flow = await ways.Flow.start(
            self.workshop, versions={"a": "", "b": ""}, milter_port=between, hop_timeout="120s",
            settings=self.settings, client_options=self.client_options)
        self.record, self.server = self.flow.record, self.flow.server
        return self

    async def __aexit__(self, kind, error, trace):
        if kind is not None:
            print(f"--- the end of Waxseal's log\n{self.server.said()[-4000:]}\n---")
            print(f"--- the end of Postfix's log\n{self.flow.postfix.said()[-3000:]}\n---")
        self.proxy.close()
        self.flow.stop()

    def message(self, recipients, share, padding=0):
        self.number += 1
        sent = Sent(f"f{self.number:05d}", list(recipients), share, "faults", padding)
        self.sent.append(sent)
        return sent

    async def once(self, sent, head=b""):
        """One attempt to hand it in; gives the reply. `head` are further header fields."""
        lines = {}
        attempt = await try_once(lines, self.flow.ports[sent.share], sent, ways.SENDERS[0], head)
        for line in lines.values():
            line.close()
        return attempt.reply

    def copies(self, sent):
        return [d for d in self.record.deliveries if d.envelope_id == sent.id]

    async def arrives(self, sent, bound=60):
        """Every recipient gets one copy."""
        end = time.time() + bound
        while len({d.recipient for d in self.copies(sent)}) < len(sent.recipients):
            must(time.time() < end, f"{sent.id} did not arrive for all of {sent.recipients}: "
                                    f"{[d.recipient for d in self.copies(sent)]}")
            await asyncio.to_thread(self.flow.postfix.flush)
            await asyncio.sleep(0.3)

    async def quiet(self, sent):
        """Nothing of it arrived, nor waits in a queue: whoever handed it in has it still."""
        # What Postfix would deliver it had in its queue when it replied.
        await asyncio.sleep(0.3)
        queued = {id for id, _ in await asyncio.to_thread(self.flow.queued)}
        must(sent.id not in queued, f"{sent.id} is in Postfix's queue though it was deferred")
        must(not self.copies(sent), f"{sent.id} was delivered though it was deferred")

    def settle(self):
        queued = self.flow.queued()
        tally = Ledger(self.sent, self.record, queued).settle()
        must(not tally.violations, "; ".join(map(str, tally.violations)))
        must(not tally.duplicates, "duplicates: " + "; ".join(map(str, tally.duplicates)))

    def status(self):
        return json.loads(self.server.command("status", "--json", codes=(0, 1)))

    async def active(self, unlike):
        """Waits for another active generation; gives its id."""
        end = time.time() + 60
        while (found := (await asyncio.to_thread(self.status))["active"]["id"]) == unlike:
            must(time.time() < end, f"no other generation than {unlike}")
            await asyncio.sleep(0.1)
        return found


def line_of(stage, sent):
    """(position, text) of the line in Waxseal's log about a message."""
    log = stage.server.said()
    for match in re.finditer(rf".*from\+{sent.id}@.*", log):
        if re.search(r'\bgeneration"?[=:]', match.group(0)):
            return match.start(), match.group(0)
    raise Failed(f"no line about {sent.id} in Waxseal's log")


def line_within(stage, sent):
    """The same, once it is there."""
    found = []

    def there():
        with contextlib.suppress(Failed):
            found.append(line_of(stage, sent))
        return found

    wait_until(there, f"a line about {sent.id} in Waxseal's log")
    return found[0]


def generation_of(text):
    return re.search(r'generation"?[=:]\s*"?([0-9a-f]+)', text).group(1)


async def stopped(stage):
    """Waxseal is stopped (SIGSTOP): it takes connections and answers nothing."""
    ready = [stage.message([ways.SECRET[0]], way) for way in ways.WAYS]
    for sent in ready:
        await stage.once(sent)
        await stage.arrives(sent)
    await asyncio.to_thread(stage.server.freeze)
    waiting = [stage.message([ways.SECRET[0]], way) for way in ways.WAYS]
    try:
        replies = await asyncio.gather(*map(stage.once, waiting))
        must(replies[0].startswith("4"), f"milter: the client heard {replies[0]}")
        await stage.quiet(waiting[0])
        for sent, reply in zip(waiting[1:], replies[1:]):
            must(reply.startswith("2"), f"{sent.share}: Postfix's own queue said {reply}")
        await deferred(stage, waiting[1:])
    finally:
        await asyncio.to_thread(stage.server.thaw)
    await again(stage, waiting)


async def deferred(stage, messages):
    """Postfix has tried, and keeps them."""
    end = time.time() + 60
    while True:
        tried = {d.id for d in ways.deferrals(stage.flow.postfix.said())}
        if all(sent.id in tried for sent in messages):
            break
        must(time.time() < end, f"not deferred: {[s.id for s in messages if s.id not in tried]}")
        await asyncio.sleep(0.2)
    for sent in messages:
        must(not stage.copies(sent), f"{sent.id} was delivered past a Waxseal that is stopped")


async def again(stage, messages):
    """What was deferred arrives once the fault is gone: the client hands in again what it kept."""
    for sent in messages:
        while not sent.accepted:
            must(len(sent.attempts) < 20, f"{sent.id}: {sent.attempts[-3:]}")
            await stage.once(sent)
            await asyncio.sleep(0.2)
        await stage.arrives(sent)


async def killed(stage):
    """Waxseal is not there at all."""
    await asyncio.to_thread(stage.server.kill)
    waiting = [stage.message([ways.SECRET[0]], way) for way in ways.WAYS]
    replies = await asyncio.gather(*map(stage.once, waiting))
    must(replies[0].startswith("4"), f"milter: the client heard {replies[0]}")
    await stage.quiet(waiting[0])
    await deferred(stage, waiting[1:])
    await asyncio.to_thread(ways.serve, stage.server)
    await again(stage, waiting)


async def half_changed(stage):
    """Cut, hung and killed at each packet with which a milter changes a message."""
    stage.proxy.passed.clear()
    whole = stage.message([ways.SECRET[0]], "milter", padding=150_000)
    await stage.once(whole)
    await stage.arrives(whole)
    changes = {kind: stage.proxy.passed[kind] for kind in "himb+-ea" if stage.proxy.passed[kind]}
    print(f"    an encrypted message takes these packets: {changes}")
    must("b" in changes, f"the body was not replaced in place: {changes}")
    must(set(changes) & set("him"), f"no header field was changed in place: {changes}")
    places = sorted({f"{kind}:{number}" for kind, count in changes.items()
                     for number in (1, count)})
    ways_to_fail = [("cut", "cut"), ("killed", lambda: asyncio.to_thread(stage.server.kill))]
    for place in places:
        for name, then in ways_to_fail + ([("hang", "hang")] if place in ("b:1", "a:1") else []):
            await at_place(stage, place, name, then)


async def at_place(stage, place, name, then):
    proxy = stage.proxy
    proxy.kind, number = place.split(":")
    proxy.number, proxy.then = int(number), then
    struck = proxy.struck
    sent = stage.message([ways.SECRET[0]], "milter", padding=150_000)
    reply = await stage.once(sent)
    must(proxy.struck == struck + 1, f"{name} at {place}: it did not come to that ({reply})")
    must(reply.startswith("4"), f"{name} at {place}: the client heard {reply}")
    proxy.then = "pass"
    proxy.release()
    await stage.quiet(sent)
    if not stage.server.running():
        await asyncio.to_thread(ways.serve, stage.server)
    await again(stage, [sent])
    print(f"    {name} at {place}: {reply[:50]}")


async def forged(stage):
    """Nothing that a sender can write skips the policy."""
    marks = [
        b"X-Waxseal: done", b"X-Waxseal-SMIME: encrypted", b"X-Waxseal-Signed: yes",
        b"X-Content-Filtered-By: waxseal", b"Authentication-Results: ours.example; smime=pass",
        b"Received: from gw.example.org (localhost [127.0.0.1])\r\n\tby gw.example.org "
        b"(waxseal/smtp) with ESMTP id 00000001\r\n\tfor <e0@secret.example>; "
        b"Sun, 29 Nov 2026 12:00:00 +0000",
        b"Received: by gw.example.org (waxseal) with ESMTP id 00000001; "
        b"Sun, 29 Nov 2026 12:00:00 +0000",
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
    ]
    for mark in [*marks, b"\r\n".join(marks[:-1])]:
        for way in ways.WAYS:
            sent = stage.message([ways.SECRET[0]], way)
            reply = await stage.once(sent, mark + b"\r\n")
            # What cannot be done may be refused, never let through.
            if reply.startswith("2") and not mark.startswith(b"Content-Type"):
                await stage.arrives(sent)
            elif reply.startswith("2"):
                await outcome(stage, sent)
            else:
                must(reply.startswith("5"), f"{mark[:40]} by {way}: {reply}")
    clear = [d for d in stage.record.deliveries if d.read.reveals]
    must(not clear, f"in clear: {clear[:3]}")


async def outcome(stage, sent):
    """Two Content-Types: it arrives encrypted, or comes back."""
    end = time.time() + 60
    while not [d for d in stage.record.deliveries
               if d.envelope_id == sent.id or sent.id == d.read.id]:
        must(time.time() < end, f"{sent.id} neither arrived nor came back")
        await asyncio.to_thread(stage.flow.postfix.flush)
        await asyncio.sleep(0.2)


async def reload_under_load(stage):
    """A new policy every half second, and nobody notices: no message is dropped, deferred or
    doubled."""
    client = Client(stage.flow.ports, ways.SENDERS[0], connections=6, most=200)
    stage.record.watcher = lambda delivery: client.arrived(delivery.read.id)
    kinds = [[ways.SECRET[0]], [ways.OPEN[0]], [ways.SECRET[1], ways.OPEN[1]]]
    load = [stage.message(kinds[n % 3], ways.WAYS[n // 3 % 3]) for n in range(240)]
    for sent in load:
        sent.phase = "calm"
    handing = asyncio.ensure_future(client.hand_in(load))
    flips, known = 0, set()
    while not handing.done():
        flips += 1
        stage.flow.policies.flip("ab"[flips % 2])
        known.add((await asyncio.to_thread(stage.status))["active"]["id"])
        await asyncio.sleep(0.5)
    await handing
    for sent in load:
        await stage.arrives(sent)
        must(len(sent.attempts) == 1, f"{sent.id} was not taken at once: {sent.attempts}")
    tried_again = [d for d in ways.deferrals(stage.flow.postfix.said())
                   if d.id in {sent.id for sent in load}]
    must(not tried_again, f"deferred by a reload: {tried_again[:3]}")
    used = {generation_of(line_of(stage, sent)[1]) for sent in load}
    must(len(used) > 1, f"one generation decided about all messages: {used}")
    print(f"    {len(load)} messages, {flips} flips, by generations "
          f"{', '.join(sorted(g[:12] for g in used))}")


async def own_generation(stage):
    """A message that began before a reload ends on its own generation, by the log."""
    sink = stage.flow.sinks["lmtp"]
    before = (await asyncio.to_thread(stage.status))["active"]["id"]
    sink.schedule.rates, sink.schedule.active = {"hold": 1.0}, True
    early, late = stage.message([ways.SECRET[0]], "lmtp"), stage.message([ways.OPEN[0]], "lmtp")
    await stage.once(early)
    await stage.arrives(early)     # the next hop has it, and is silent
    sink.schedule.active = False
    current = os.readlink(stage.flow.policies.link)
    stage.flow.policies.flip("b" if current == "a" else "a")
    after = await stage.active(unlike=before)
    await stage.once(late)
    await stage.arrives(late)
    await asyncio.to_thread(line_within, stage, late)
    sink.release.set()
    first = await asyncio.to_thread(line_within, stage, early)
    second = line_of(stage, late)
    must(generation_of(first[1]) == before, f"began on {before}, and ended so: {first[1]}")
    must(generation_of(second[1]) == after, f"began on {after}, and ended so: {second[1]}")
    must(second[0] < first[0], "the early message's line stands before the late one's")
    print(f"    under way during the change: {before[:12]}; begun after it, ended before: "
          f"{after[:12]}")


def broken(policies):
    """Policies that must never become active, each a directory: (name, what its rejection names)."""
    good = policies.directory / "a"

    def like_a(name):
        place = policies.directory / name
        shutil.copytree(good, place)
        return place

    def replace(name, old, new):
        file = like_a(name) / "waxseal.toml"
        text = file.read_text()
        must(old in text, f"no {old} in the policy")
        file.write_text(text.replace(old, new, 1))

    replace("bad-toml", "[[filter]]", "[[filter")
    replace("bad-key", "component =", "componnent =")
    replace("bad-grant", '"actions", "inspect", ', "")
    (like_a("bad-component") / "filters" / "rules.wasm").write_bytes(b"\0asm\x0d\0\x01\0 broken")
    (like_a("bad-settings") / "rules.json").write_text('{"rules": [{"when": {"no": 1}}]}')
    policies.add("bad-loop", ways.flaky(["news*"], behave="loop-in-validate"))
    tests = like_a("bad-fixture") / "tests"
    tests.mkdir()
    (tests / "one.eml").write_text("From: alice@ours.example\nSubject: x\n\nhello\n")
    (tests / "one.toml").write_text(
        'to = ["o1@open.example"]\nfrom = "alice@ours.example"\nat = "2026-11-29T12:00:00Z"\n'
        '[session]\nlistener = "smtp"\n')
    (tests / "one.plan.txt").write_text("something else\n")
    return {"bad-toml": "", "bad-key": "componnent", "bad-grant": "rules", "bad-component": "rules",
            "bad-settings": "rules", "bad-loop": "flaky", "bad-fixture": "one"}


async def bad_policy(stage):
    """Under load, no bad policy becomes active, and each is named with what is wrong."""
    active = (await asyncio.to_thread(stage.status))["active"]["id"]
    client = Client(stage.flow.ports, ways.SENDERS[0], connections=2, most=50)
    stage.record.watcher = lambda delivery: client.arrived(delivery.read.id)
    stop, load = False, []

    async def keep_sending():
        while not stop:
            batch = [stage.message([ways.SECRET[0]], way) for way in ways.WAYS]
            load.extend(batch)
            await client.hand_in(batch)
            await asyncio.sleep(0.3)

    sending = asyncio.ensure_future(keep_sending())
    try:
        for name, word in broken(stage.flow.policies).items():
            seen = len(stage.server.said())
            stage.flow.policies.flip(name)
            done = await asyncio.to_thread(
                run_quietly, stage.server, "reload")
            must(done.returncode != 0, f"{name} was loaded: {done.stdout}")
            said = done.stderr + stage.server.said()[seen:]
            must(word in said, f"{name}: the rejection names no {word!r}: {done.stderr}")
            now = (await asyncio.to_thread(stage.status))["active"]["id"]
            must(now == active, f"{name} is active: {now}")
            print(f"    {name}: {done.stderr.strip().splitlines()[0][:110]}")
    finally:
        stop = True
        await sending
        stage.flow.policies.flip("a")
    for sent in load:
        await stage.arrives(sent)
        must(len(sent.attempts) == 1, f"{sent.id} was not taken at once: {sent.attempts}")
        must(generation_of(line_of(stage, sent)[1]) == active, "another generation decided")
    print(f"    {len(load)} messages meanwhile, all by {active[:12]}")


def run_quietly(server, command):
    return subprocess.run([binary(), command, "--socket", server.control],
                          capture_output=True, text=True)


# Where Waxseal is silent, Postfix gives up soon; where nothing may be deferred, it does not.
SILENT = [stopped, killed, half_changed, forged]
CHANGING = [reload_under_load, own_generation, bad_policy]
FAULTS = SILENT + CHANGING


async def play(names):
    for part, faults, settings, options in (
            ("silent", SILENT, SHORT, SHORT_CLIENT), ("changing", CHANGING, {}, ())):
        wanted = [fault for fault in faults if not names or fault.__name__ in names]
        if wanted:
            with Workshop(f"faults-{part}") as workshop:
                async with Stage(workshop, settings, options) as stage:
                    for fault in wanted:
                        await play_one(fault, stage)


async def play_one(fault, stage):
    began = time.time()
    print(f"{fault.__name__}: {' '.join(fault.__doc__.split())}", flush=True)
    await fault(stage)
    stage.settle()
    print(f"    as it must be, after {time.time() - began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Faults, one at a time.")
    parser.add_argument("names", nargs="*", help=" ".join(f.__name__ for f in FAULTS))
    given = parser.parse_args()
    if unknown := set(given.names) - {fault.__name__ for fault in FAULTS}:
        sys.exit(f"error: no such fault: {' '.join(sorted(unknown))}")
    if os.geteuid() != 0:
        sys.exit("error: Postfix needs root\nhint: sudo tests/run mta faults")
    try:
        asyncio.run(play(given.names))
    except Failed as failed:
        sys.exit(f"FAILED {failed}")


if __name__ == "__main__":
    main()
