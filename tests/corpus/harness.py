#!/usr/bin/env python3
"""Takes the mails of the corpus through every protecting policy, opens what comes out with
OpenSSL, and compares what was inside with what went in.

    harness.py --waxseal BINARY [--dist FILTERS] [--corpus DIR]
               [--only SET] [--policy NAME] [--every N] [--second-every N] [--jobs N]
               [--report FILE] [--keep DIR]

Each mail ends as one of
    same                 OpenSSL recovered the same MIME content
    already protected    it was S/MIME already: passed on octet for octet, or only put into the
                         layer that it lacked
    named error: CODE    refused or deferred, with its code
or as one of these, each of which fails the run:
    different            the content or a header field outside changed
    openssl failed       a layer did not verify or decrypt
    panic or silence     no mail and no named error

A second table says what other programs made of every Nth of the same outputs, and what `waxseal
open` makes of all of them. There a layer that a program cannot read by design is counted as such;
any other failure fails the run.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import sys
import tempfile
import threading
from pathlib import Path

import compare
import identities
import layers
import own_reader
import producers
import second_readers

SETS = {
    "spamassassin-public": ["*.txt"],
    "mail-parser": ["*.eml"],
    "python-email": ["msg_*.txt"],
    "mimekit-messages": ["*.txt", "*.eml"],
    "mime-tools-testmsgs": ["*.msg"],
    "jsmime": ["*"],
    "wildduck-mime": ["*.eml"],
}
# Of all runs, the share that may end in named errors.
MOST_ERRORS = 0.02
FAILURES = ("different", "openssl failed", "panic or silence")
SENDER, RECIPIENT = "gateway@corpus.example", "reader@corpus.example"


def mails(corpus, name):
    """The mails of one set, in a fixed order."""
    found = {p for pattern in SETS[name] for p in (corpus / name).rglob(pattern)
             if p.is_file() and p.name not in ("MANIFEST.md", "COPYING")}
    return sorted(found)


class Run:
    """One run: who produces, who reads, what came out."""

    def __init__(self, producer, reader, seconds=(), second_every=10, report=None):
        self.producer, self.reader = producer, reader
        self.seconds, self.second_every = seconds, second_every
        self.report = report                         # a file, one line for each record
        self.outcomes = collections.Counter()        # (set, policy, outcome)
        self.second = collections.Counter()          # (reader, policy, outcome)
        self.failures = []
        self.lock = threading.Lock()

    def mail(self, name, number, path, policy):
        original = path.read_bytes()
        try:
            produced = self.producer.produce(path, policy)
            outcome, why = self.outcome(original, produced, policy)
        except Exception as error:      # the harness must count its own failures too
            produced, outcome, why = None, "panic or silence", f"harness: {error!r}"
        seconds = []
        if outcome == "same":
            readers = [r for r in self.seconds if getattr(r, "reads_all", False)
                       or number % self.second_every == 0]
            seconds = [(r.name, *self.second_outcome(original, produced, policy, r))
                       for r in readers]
        self.count(name, path, policy, outcome, why, seconds)

    def outcome(self, original, produced, policy):
        if produced.broken:
            return "panic or silence", produced.broken
        if produced.error:
            return f"named error: {produced.error}", ""
        expected, made = producers.POLICIES[policy][0], produced.protections
        if len(made) == len(expected):
            return self.opened(original, produced, expected, "same")
        # A layer less: right only where the mail had that layer already.
        if not is_smime(original):
            return "different", f"made {made} instead of {expected}: {produced.notes}"
        return self.opened(original, produced, made, "already protected")

    def opened(self, original, produced, expected, good):
        """Opens the layers that were made; what is inside must be what came."""
        try:
            inside = layers.open_all(produced.mail, self.reader, expected)
        except layers.Unread as error:
            return "openssl failed", str(error)
        found = compare.content_differences(original, inside)
        found += compare.outside_differences(original, produced.mail)
        if good == "already protected" and not expected and not same_body(original, produced.mail):
            found.append("the octets of S/MIME content changed")
        return ("different", "; ".join(found)) if found else (good, "")

    def second_outcome(self, original, produced, policy, reader):
        try:
            expected = producers.POLICIES[policy][0]
            if getattr(reader, "reads_all", False):
                inside = reader.open_all(produced.mail, expected)
            else:
                inside = layers.open_all(produced.mail, reader, expected)
        except layers.Unread as error:
            return ("cannot" if error.capability else "failed"), str(error)
        found = compare.content_differences(original, inside)
        return ("different", "; ".join(found)) if found else ("read", "")

    def count(self, name, path, policy, outcome, why, seconds):
        with self.lock:
            self.outcomes[name, policy, outcome] += 1
            if self.report:
                record = {"set": name, "mail": str(path), "policy": policy, "outcome": outcome,
                          "why": why, "second": seconds}
                print(json.dumps(record), file=self.report, flush=True)
            if outcome in FAILURES:
                self.failures.append(f"{name}/{path.name} [{policy}]: {outcome}: {why}")
            for reader, result, reason in seconds:
                self.second[reader, policy, result] += 1
                if result in ("failed", "different"):
                    self.failures.append(
                        f"{name}/{path.name} [{policy}]: {reader}: {result}: {reason}")

    def table(self, policies):
        """Counts for each set and policy, then what the second readers said."""
        rows = [("set", "policy", "mails", "same", "already protected", "different",
                 "openssl failed", "panic or silence", "named errors")]
        sets = dict.fromkeys(name for name, _, _ in self.outcomes)
        for name in [*sets, "all"]:
            for policy in policies:
                counts = collections.Counter()
                for (n, p, outcome), count in self.outcomes.items():
                    if name in (n, "all") and p == policy:
                        counts[outcome] += count
                if counts:
                    named = sorted((k.removeprefix("named error: "), v) for k, v in counts.items()
                                   if k.startswith("named error: "))
                    errors = ", ".join(f"{code} {count}" for code, count in named)
                    rows.append((name, policy, sum(counts.values()), counts["same"],
                                 counts["already protected"], *(counts[f] for f in FAILURES),
                                 errors or "0"))
        lines = aligned(rows)
        if self.second:
            rows = [("second reader", "policy", "read", "cannot by design", "failed", "different")]
            for reader in dict.fromkeys(r for r, _, _ in self.second):
                for policy in policies:
                    rows.append((reader, policy, *(self.second[reader, policy, k] for k in
                                                   ("read", "cannot", "failed", "different"))))
            lines += ["", *aligned(rows)]
        return "\n".join(lines)


def same_body(original, result):
    """What was passed on is the same, octet for octet but for CRLF."""
    bodies = [producers.canonical(mail).split(b"\r\n\r\n", 1)[1:] for mail in (original, result)]
    return bodies[0] == bodies[1]


def too_many_errors(outcomes):
    """A gateway that refuses everything by name would fail no mail; so this fails the run."""
    refused = sum(n for (_, _, outcome), n in outcomes.items() if outcome.startswith("named"))
    if refused > MOST_ERRORS * sum(outcomes.values()):
        return [f"{refused} named errors are more than the share that odd mail explains"]
    return []


def is_smime(original):
    """Does the original claim any S/MIME at its root? Judged by Python's parser."""
    message = compare.parse(original)
    types = ("multipart/signed", "application/pkcs7-mime", "application/x-pkcs7-mime")
    return message.get_content_type() in types


def aligned(rows):
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))]
    def cell(value, width):
        return str(value).rjust(width) if isinstance(value, int) else str(value).ljust(width)
    return ["  ".join(cell(v, w) for v, w in zip(row, widths)).rstrip() for row in rows]


def main():
    arguments = parse_arguments()
    # A corpus mail nests a thousand levels deep; Python's parser recurses.
    sys.setrecursionlimit(20000)
    threading.stack_size(256 << 20)
    if not arguments.corpus.is_dir():
        print(f"corpus harness did NOT run: no corpus at {arguments.corpus}", file=sys.stderr)
        sys.exit(1 if os.environ.get("CI") else 0)
    with tempfile.TemporaryDirectory() as directory:
        directory = arguments.keep or Path(directory)
        directory.mkdir(parents=True, exist_ok=True)
        sys.exit(run(arguments, directory))


def run(arguments, directory):
    root = identities.make_root(directory)
    sender = identities.make(directory, "gateway", SENDER)
    recipient = identities.make(directory, "reader", RECIPIENT)
    policies = arguments.policy or list(producers.POLICIES)
    if arguments.waxseal:
        import policy_directories
        producer = producers.Waxseal(
            arguments.waxseal, policy_directories.make(directory, arguments.dist, sender, [recipient]),
            SENDER, [RECIPIENT])
    else:
        producer = producers.OpenSslProducer(sender, recipient)
    seconds, missing = [], []
    if arguments.second_every:
        seconds, missing = second_readers.start(directory, [recipient], [root])
    if arguments.waxseal:
        seconds.append(own_reader.WaxsealOpen(arguments.waxseal, directory, recipient))
    this = Run(producer, layers.OpenSsl(recipient, root), seconds, arguments.second_every or 1,
               arguments.report)
    work = [(name, number, path, policy)
            for name in arguments.only or SETS
            for number, path in enumerate(mails(arguments.corpus, name))
            if number % arguments.every == 0
            for policy in policies]
    try:
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            list(pool.map(lambda job: this.mail(*job), work))
    finally:
        for reader in seconds:
            reader.close()
    return report(this, policies, missing, arguments)


def report(this, policies, missing, arguments):
    print(this.table(policies))
    for line in missing:
        print(f"second reader NOT run: {line}")
    this.failures += too_many_errors(this.outcomes)
    if this.failures:
        print(f"\n{len(this.failures)} failures:")
        print("\n".join(this.failures[:arguments.show]))
    failed = bool(this.failures) or not this.outcomes or bool(missing and os.environ.get("CI"))
    return 1 if failed else 0


def parse_arguments():
    here = Path(__file__).resolve().parent
    repository = here.parent.parent
    corpus = Path(os.environ.get("WAXSEAL_CORPUS", repository.parent / "shared" / "corpus"))
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waxseal", type=Path, help="the binary; without it OpenSSL produces")
    parser.add_argument("--dist", type=Path, default=repository / "filters" / "dist")
    parser.add_argument("--corpus", type=Path, default=corpus)
    parser.add_argument("--only", action="append", choices=list(SETS))
    parser.add_argument("--policy", action="append", choices=list(producers.POLICIES))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--second-every", type=int, default=10, help="0: none")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--show", type=int, default=40)
    parser.add_argument("--report", type=argparse.FileType("w"), help="one JSON line for each mail and policy")
    parser.add_argument("--keep", type=Path, help="keep identities and policies here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
