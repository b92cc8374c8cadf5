#!/usr/bin/env python3
"""Held mail: what `postsuper -h`, `-H` and `-r` of Postfix can let out.

By the milter, quarantine is Postfix's hold queue only for what may leave in clear; for what must
be encrypted it is an address, to which an encrypted copy goes, or the client is deferred. After the
queue, mail that was held before or after Waxseal saw it leaves encrypted all the same.
"""

import sys
import time

import mtas
import readers
from machine import Workshop
from samples import ALICE, CARL, ERIN, GUARD, SECRET, World, expect, mail

PRIVATE = f'address = "{GUARD}"\nprofile = "guard"'
AS_IT_CAME = f'address = "{GUARD}"'


class Held:
    def __init__(self, workshop, world, kind, name, quarantine):
        """A gateway where nothing may go to Erin in clear."""
        policy = world.policy(name, quarantine, must_encrypt=[ERIN])
        self.world, self.gateway = world, kind(workshop.dir(name), policy, world.users)
        workshop.started(self.gateway).start()

    def submit(self, recipient, subject):
        return self.gateway.submit(ALICE, [recipient], mail(ALICE, [recipient], subject))[0]

    def held(self):
        return [m for m in self.gateway.postfix.queue() if m["queue_name"] == "hold"]

    def release(self):
        """Everything that is held goes on its way, and the queue is tried."""
        self.gateway.postfix.postsuper("-H", "ALL")
        self.gateway.flush()
        self.gateway.wait_idle()

    def encrypted_for(self, identity, octets):
        expect(readers.encrypted(octets), True)
        expect(SECRET.encode() in octets, False)
        expect(SECRET.encode() in readers.decrypt(octets, identity), True)

    def left(self):
        return [(m.recipients, SECRET in m.text) for m in self.gateway.world.messages]


def milter_deferred(workshop, world, name, quarantine):
    """No place where an encrypted copy could go: the client keeps the mail. What may leave in
    clear is held, and leaves when a person says so."""
    test = Held(workshop, world, mtas.PostfixMilter, name, quarantine)
    expect(test.submit(ERIN, "[hold] Figures") // 100, 4)
    expect(test.held(), [])
    if not quarantine:
        expect(test.submit(CARL, "[hold] Figures"), 250)
        expect([m["recipients"][0]["address"] for m in test.held()], [CARL])
    test.release()
    expect([recipients for recipients, _ in test.left()], [] if quarantine else [[CARL]])


def milter_address(workshop, world, name):
    """An encrypted copy for the guard; nothing that Postfix could let go."""
    test = Held(workshop, world, mtas.PostfixMilter, name, PRIVATE)
    expect(test.submit(ERIN, "[hold] Figures"), 250)
    test.encrypted_for(world.guard, test.gateway.mailboxes.to(GUARD).octets)
    expect(test.held(), [])
    test.release()
    expect(test.left(), [])


def after_queue(workshop, world, name, kind):
    """Held before Waxseal saw it, held after, and queued once more."""
    test = Held(workshop, world, kind, name, PRIVATE)
    postfix, sink = test.gateway.postfix, test.gateway.world
    test.gateway.waxseal.stop()
    expect(test.submit(ERIN, "Figures"), 250)
    test.gateway.wait_deferred()
    postfix.postsuper("-h", "ALL")
    expect(len(test.held()), 1)
    test.gateway.waxseal.start()
    test.release()
    test.encrypted_for(world.erin, sink.take()[0].octets)

    for again in ("-H", "-r"):
        sink.answer = lambda stage, _: {"MAIL": "451 4.3.0 later"}.get(stage)
        expect(test.submit(ERIN, "Figures"), 250)
        test.gateway.wait_deferred()
        postfix.postsuper("-h", "ALL")
        sink.answer = lambda stage, argument: None
        postfix.postsuper(again, "ALL")
        postfix.flush()
        test.encrypted_for(world.erin, sink.take()[0].octets)
        test.gateway.wait_idle()
        expect(test.left(), [])


def milter_requeued(workshop, world, name):
    """By the milter, what is queued is encrypted already."""
    test = Held(workshop, world, mtas.PostfixMilter, name, PRIVATE)
    postfix, sink = test.gateway.postfix, test.gateway.world
    for again in ("-H", "-r"):
        sink.answer = lambda stage, _: {"MAIL": "451 4.3.0 later"}.get(stage)
        expect(test.submit(ERIN, "Figures"), 250)
        test.gateway.wait_deferred()
        postfix.postsuper("-h", "ALL")
        expect(len(test.held()), 1)
        sink.answer = lambda stage, argument: None
        postfix.postsuper(again, "ALL")
        postfix.flush()
        test.encrypted_for(world.erin, sink.take()[0].octets)
        test.gateway.wait_idle()


TESTS = (
    ("milter-no-quarantine", lambda w, world, n: milter_deferred(w, world, n, None)),
    ("milter-clear-quarantine", lambda w, world, n: milter_deferred(w, world, n, AS_IT_CAME)),
    ("milter-encrypted-quarantine", milter_address),
    ("milter-requeued", milter_requeued),
    ("smtp", lambda w, world, n: after_queue(w, world, n, mtas.PostfixSmtp)),
    ("lmtp", lambda w, world, n: after_queue(w, world, n, mtas.PostfixLmtp)),
)


def main(names):
    if unknown := set(names) - {name for name, _ in TESTS}:
        raise SystemExit(f"error: no such test: {' '.join(unknown)}")
    with Workshop("held") as workshop:
        world = World(workshop)
        for name, test in TESTS:
            if names and name not in names:
                continue
            begun = time.monotonic()
            test(workshop, world, name)
            print(f"  {name:28} {time.monotonic() - begun:5.1f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
