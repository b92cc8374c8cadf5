"""`waxseal open` as a reader of what Waxseal made: all layers at once, every mail."""

from layers import Unread
from opening import Waxseal

# What would not survive transport is signed opaque whatever the policy says (rule 1).
FORMS = {"signed": ("multipart-signed", "signed-data"), "opaque": ("signed-data",),
         "encrypted": ("enveloped-data",)}
GOOD = ("valid", "decrypted", "decrypted-unauthenticated")


def is_made_of(expected, forms):
    return len(forms) >= len(expected) and all(
        form in FORMS[layer] for layer, form in zip(expected, forms))


class WaxsealOpen:
    name = "waxseal open"
    reads_all = True        # not only every Nth mail

    def __init__(self, binary, directory, recipient):
        self.waxseal, self.directory = Waxseal(binary, directory), directory
        self.arguments = ["--identity", recipient.certificate, "--key", recipient.key, "--anchor",
                          recipient.root, "--any-signer"]

    def open_all(self, mail, expected):
        """The innermost entity. CBC without a signature inside, around HTML that asks for
        something outside, is `suspicious` by rule 8: counted as what cannot be by design."""
        done = self.waxseal.open_octets(mail, *self.arguments)
        forms = [layer["form"].removeprefix("auth-") for layer in done.layers]
        # Mail that was signed before it came has a layer of its own inside.
        if done.crash or not is_made_of(expected, forms):
            raise Unread(f"{done.why}, not {expected}")
        if done.verdict == "suspicious" and expected == ["encrypted"]:
            raise Unread(done.why, capability=True)
        states = [layer["state"] for layer in done.layers[:len(expected)]]
        if not all(state in GOOD for state in states) or done.content is None:
            raise Unread(done.why)
        if len(forms) > len(expected):
            raise Unread("S/MIME inside", capability=True)
        return done.content

    def close(self):
        pass
