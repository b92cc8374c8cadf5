"""The account of every message: what was handed in, what arrived where and as what, what is
excused and what is not. Reads nothing and runs nothing, so that it can be proven with planted
losses (selftest.py).

A duplicate is excused only by a fault that names its message, lies between the two deliveries, and
can have cut off an acknowledgement:

    cut-ack, hang   the reply of the next hop did not come
    cut-some        LMTP: not for these recipients
    gave-up         it came when nobody waited any more
    dot, drop       SMTP and milter: another copy was refused, or its connection went away, after
                    this one was taken
    killed, full    Waxseal was killed, or the disk was full, while the client waited for its reply

Over LMTP a fault excuses only the recipients that it met: they have replies of their own. At the
hop a copy goes into Postfix's queue and arrives some time later, so there the first delivery bounds
nothing. And each fault excuses one more copy of a recipient, not two: it brought one retry.
"""

from collections import defaultdict
from dataclasses import dataclass, field

import reading

# Logs of other programs have whole seconds, and what a killed process had sent already is still
# read by the next hop, late on a loaded machine.
SLACK = 4.0
# What Fault.detail says where a queue follows (hop.Hop).
AT_HOP = "at hop"
CUTS = {"cut-ack", "cut-some", "hang", "gave-up", "killed", "full"}


@dataclass
class Line:
    """Something unusual, for the report."""

    id: str
    what: str

    def __str__(self):
        return f"{self.id}: {self.what}"


@dataclass
class Tally:
    """The account, settled."""

    sent: int = 0
    recipients: int = 0
    counts: dict = field(default_factory=lambda: defaultdict(int))
    violations: list = field(default_factory=list)
    duplicates: list = field(default_factory=list)
    bounced: list = field(default_factory=list)
    queued: list = field(default_factory=list)
    refused: list = field(default_factory=list)

    def print(self):
        print(f"{self.sent} messages for {self.recipients} recipients")
        for name, count in sorted(self.counts.items()):
            print(f"  {count:7}  {name}")
        for name in ("duplicates", "bounced", "queued", "refused", "violations"):
            lines = getattr(self, name)
            print(f"{len(lines)} {name}" + (":" if lines else ""))
            for line in lines:
                print(f"    {line}")

    def as_text(self):
        rows = []
        for name in ("violations", "duplicates", "bounced", "queued", "refused"):
            rows += [f"{name}\t{line}" for line in getattr(self, name)]
        return "\n".join(rows) + "\n"


class Ledger:
    """`sent` are client.Sent, `record` a recorder.Record, `queued` pairs of id and recipient
    (None: a report about it)."""

    def __init__(self, sent, record, queued=(), calm=("calm",)):
        self.sent = {message.id: message for message in sent}
        self.record, self.calm = record, set(calm)
        self.queued = set(queued)
        self.by_id = defaultdict(list)
        for fault in record.faults:
            for id in fault.ids:
                self.by_id[id].append(fault)
        self.arrived = defaultdict(list)
        self.reports = defaultdict(list)
        self.tally = Tally(len(self.sent), sum(len(m.recipients) for m in self.sent.values()))

    def settle(self):
        for delivery in self.record.deliveries:
            self._enter(delivery)
        for message in self.sent.values():
            for recipient in message.recipients:
                self._settle(message, recipient)
            if message.phase in self.calm:
                self._expect_calm(message)
        return self.tally

    def _expect_calm(self, message):
        """Without faults everything is taken at the first try."""
        if len(message.attempts) > 1:
            self._wrong(message.id, f"deferred without a fault: {message.attempts[0].reply}")
        for fault in self.by_id[message.id]:
            self._wrong(message.id, f"met by a fault in the calm: {fault.kind} {fault.detail}")

    def _enter(self, delivery):
        """Is it one of ours, for whom it was meant, and as it had to be?"""
        read = delivery.read
        if read.form == "report":
            self._enter_report(delivery)
            return
        message = self.sent.get(read.id)
        if message is None or delivery.envelope_id != read.id:
            self._wrong(read.id or "?", f"is none of ours, or in the envelope of "
                                        f"{delivery.envelope_id}, for {delivery.recipient}")
            return
        if delivery.recipient not in message.recipients:
            self._wrong(read.id, f"arrived for a stranger: {delivery.recipient}")
            return
        self.arrived[read.id, delivery.recipient].append(delivery)
        if reading.must_encrypt(delivery.recipient):
            if read.form != "envelope" or read.reveals:
                self._wrong(read.id, f"in clear ({read.form}) for {delivery.recipient}")
        elif read.form != "signed":
            self._wrong(read.id, f"not signed ({read.form}) for {delivery.recipient}")
        self.tally.counts[f"arrived over {delivery.via}, {read.form}"] += 1

    def _enter_report(self, delivery):
        read = delivery.read
        message = self.sent.get(read.id)
        if message is None:
            self._wrong(read.id or "?", "a report about nothing that was sent")
            return
        if read.reveals and any(map(reading.must_encrypt, message.recipients)):
            self._wrong(read.id, "a report shows its content")
        self.tally.counts["reports"] += 1
        for recipient in read.failed:
            self.reports[read.id, recipient].append(delivery)

    def _settle(self, message, recipient):
        key = (message.id, recipient)
        copies, reports = self.arrived[key], self.reports[key]
        if not copies and not reports:
            self._missing(message, recipient)
        elif len(copies) > 1 or (copies and reports):
            self._twice(message, recipient, sorted(copies + reports, key=lambda d: d.at))
        else:
            self.tally.counts["recipients with one copy" if copies else "recipients bounced"] += 1
        if reports and not copies:
            self.tally.bounced.append(Line(message.id, f"report for {recipient}"))
            if message.phase in self.calm:
                self._wrong(message.id, f"bounced without a fault for {recipient}")

    def _missing(self, message, recipient):
        if message.refused:
            self.tally.refused.append(Line(message.id, f"{recipient}: {message.refused}"))
            if message.phase in self.calm:
                self._wrong(message.id, f"refused without a fault: {message.refused}")
        elif not message.accepted:
            self.tally.queued.append(Line(message.id, f"{recipient}: with the client"))
        elif (message.id, recipient) in self.queued:
            self.tally.queued.append(Line(message.id, f"{recipient}: in Postfix's queue"))
        elif (message.id, None) in self.queued:
            self.tally.queued.append(Line(message.id, f"{recipient}: its report is queued"))
        else:
            self._wrong(message.id, f"LOST for {recipient} by {message.share}, "
                                    f"after {[a.reply for a in message.attempts]}")

    def _twice(self, message, recipient, copies):
        """Each copy after the first needs a fault between it and the one before."""
        self.tally.counts["recipients with more copies"] += 1
        spent = set()
        for before, after in zip(copies, copies[1:]):
            if message.phase in self.calm:
                self._wrong(message.id, f"twice without faults for {recipient}")
                continue
            fault = self._excuse(message, recipient, before.at, after.at, spent)
            if fault is None:
                told = [f"{f.kind} {f.at - before.at:+.2f}" for f in self.by_id[message.id]]
                self._wrong(message.id, f"twice for {recipient} by {message.share}, "
                            f"{after.at - before.at:.2f} s apart, and no fault that excuses it; "
                            f"faults: {told}; attempts: "
                            f"{[(round(a.at - before.at, 2), a.reply) for a in message.attempts]}")
                continue
            spent.add(id(fault))
            self.tally.duplicates.append(Line(
                message.id, f"for {recipient} by {message.share}: {fault.kind} {fault.detail}"))

    def _excuse(self, message, recipient, first, second, spent):
        def queued(fault):
            return fault.detail == AT_HOP and message.share != "lmtp"

        # Those that can excuse other copies too come last.
        for fault in sorted(self.by_id[message.id], key=queued):
            if id(fault) in spent:
                continue
            slack = SLACK if fault.kind in ("killed", "full") else 0.1
            queued_since = queued(fault)
            if fault.at > second + slack or not queued_since and fault.at < first - slack:
                continue
            met = not fault.recipients or recipient in fault.recipients
            if fault.kind in CUTS and (met or message.share != "lmtp"):
                return fault
            if fault.kind in ("dot", "drop") and not met and message.share != "lmtp":
                return fault
        return None

    def _wrong(self, id, what):
        self.tally.violations.append(Line(id, what))
