"""Python libraries as contestants. Reads `LIBRARY OPERATION INPUT OUTPUT` from standard input, does
it, and answers with the seconds that it took; reading and writing the files, and loading keys, are
not counted. Prints the contestants first, one `LIBRARY VERSION OPERATION` on a line, then an empty
line. A library that is not installed is no contestant.

    python.py DIRECTORY    where the keys are: 1.pem, 1.key (sender), 2.pem, 2.key (recipient),
                           root.pem
"""

import sys
import time
from importlib.metadata import version
from pathlib import Path

DIRECTORY = Path(sys.argv[1])


def file(name):
    return (DIRECTORY / name).read_bytes()


def cryptography():
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.ciphers import algorithms
    from cryptography.hazmat.primitives.serialization import pkcs7

    sender, recipient = (x509.load_pem_x509_certificate(file(f"{n}.pem")) for n in "12")
    sender_key, recipient_key = (
        serialization.load_pem_private_key(file(f"{n}.key"), None) for n in "12")
    smime = serialization.Encoding.SMIME

    def sign(mail):
        builder = pkcs7.PKCS7SignatureBuilder().set_data(mail)
        builder = builder.add_signer(sender, sender_key, hashes.SHA256())
        return builder.sign(smime, [pkcs7.PKCS7Options.DetachedSignature,
                                    pkcs7.PKCS7Options.Binary])

    def encrypt(mail):
        builder = pkcs7.PKCS7EnvelopeBuilder().set_data(mail).add_recipient(recipient)
        builder = builder.set_content_encryption_algorithm(algorithms.AES256)
        return builder.encrypt(smime, [pkcs7.PKCS7Options.Binary])

    def decrypt(mail):
        return pkcs7.pkcs7_decrypt_smime(mail, recipient, recipient_key, [])

    return {"sign": sign, "encrypt": encrypt, "decrypt": decrypt}


def m2crypto():
    from M2Crypto import BIO, SMIME, X509

    signer, reader, verifier, writer = (SMIME.SMIME() for _ in range(4))
    signer.load_key(str(DIRECTORY / "1.key"), str(DIRECTORY / "1.pem"))
    reader.load_key(str(DIRECTORY / "2.key"), str(DIRECTORY / "2.pem"))
    recipients = X509.X509_Stack()
    recipients.push(X509.load_cert(str(DIRECTORY / "2.pem")))
    writer.set_x509_stack(recipients)
    writer.set_cipher(SMIME.Cipher("aes_256_cbc"))
    roots = X509.X509_Store()
    roots.load_info(str(DIRECTORY / "root.pem"))
    verifier.set_x509_store(roots)
    verifier.set_x509_stack(X509.X509_Stack())

    def written(pkcs7, *content):
        out = BIO.MemoryBuffer()
        signer.write(out, pkcs7, *map(BIO.MemoryBuffer, content), flags=SMIME.PKCS7_BINARY)
        return out.read()

    def sign(mail):
        flags = SMIME.PKCS7_DETACHED | SMIME.PKCS7_BINARY
        return written(signer.sign(BIO.MemoryBuffer(mail), flags, algo="sha256"), mail)

    def encrypt(mail):
        return written(writer.encrypt(BIO.MemoryBuffer(mail), SMIME.PKCS7_BINARY))

    def decrypt(mail):
        pkcs7, _ = SMIME.smime_load_pkcs7_bio(BIO.MemoryBuffer(mail))
        return reader.decrypt(pkcs7)

    def verify(mail):
        pkcs7, content = SMIME.smime_load_pkcs7_bio(BIO.MemoryBuffer(mail))
        return verifier.verify(pkcs7, content)

    return {"sign": sign, "encrypt": encrypt, "decrypt": decrypt, "verify": verify}


def main():
    libraries = {}
    for library, operations in (("cryptography", cryptography), ("M2Crypto", m2crypto)):
        try:
            libraries[library] = operations()
        except ImportError as error:
            print(f"error: {library}: {error}", file=sys.stderr)
            continue
        for operation in libraries[library]:
            print(library, version(library), operation)
    print(flush=True)
    for line in sys.stdin:
        library, operation, source, target = line.split()
        mail = Path(source).read_bytes()
        began = time.perf_counter()
        result = libraries[library][operation](mail)
        elapsed = time.perf_counter() - began
        Path(target).write_bytes(result)
        print(elapsed, flush=True)


if __name__ == "__main__":
    main()
