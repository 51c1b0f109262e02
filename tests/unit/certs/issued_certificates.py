#!/usr/bin/env python3
"""What certs/ issues, looked at by OpenSSL's and GnuTLS's command lines, and shown by Python's TLS server to its client:
issued_certificates.py ISSUE_CERTIFICATES

certtool is left out where it is not installed.
"""

import pathlib
import shutil
import ssl
import subprocess
import sys
import tempfile

KEY_TYPES = ("rsa_2048", "rsa_3072", "rsa_4096", "ecdsa_p256", "ecdsa_p384")
CA_KEYS = {
    "rsa": ["-newkey", "rsa:2048"],
    "p256": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "p384": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
}
SIGNATURES = {"rsa": "sha256WithRSAEncryption", "p256": "ecdsa-with-SHA256", "p384": "ecdsa-with-SHA384"}
HOSTS = ("a.example.com", "b.example.com", "xn--bcher-kva.example")
ADDRESSES = ("192.0.2.1", "2001:db8::1")
SUBJECT = "/C=DE/O=Example, Inc./OU=Web"
NAMES = (
    "DNS:a.example.com, DNS:*.example.com, DNS:xn--bcher-kva.example, IP Address:192.0.2.1, "
    "IP Address:2001:DB8:0:0:0:0:0:1, email:admin@example.com, URI:spiffe://cluster.local/ns/a"
)


def run(*words, fails=False):
    words = [str(word) for word in words]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert (done.returncode != 0) == fails, f"{' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def make_ca(folder, name, key, issuer=None):
    extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
    above = ["-CA", folder / f"{issuer}.crt", "-CAkey", folder / f"{issuer}.key"] if issuer else []
    path = folder / name
    if not issuer:
        run("openssl", "req", "-x509", *CA_KEYS[key], "-nodes", "-days", "365", "-subj", f"{SUBJECT}/CN={name}",
            *extensions, "-keyout", f"{path}.key", "-out", f"{path}.crt")
        return path
    run("openssl", "req", *CA_KEYS[key], "-nodes", "-subj", f"{SUBJECT}/CN={name}", *extensions,
        "-keyout", f"{path}.key", "-out", f"{path}.csr")
    run("openssl", "x509", "-req", "-in", f"{path}.csr", "-copy_extensions", "copyall", "-days", "300", *above,
        "-out", f"{path}.crt")
    with open(f"{path}.crt", "a") as chain:
        chain.write((folder / f"{issuer}.crt").read_text())
    return path


def verify(leaf, trusted, hosts, addresses, by_gnutls=True):
    files = ["-CAfile", trusted, "-untrusted", f"{leaf}.crt", f"{leaf}.crt"]
    for name in [["-verify_hostname", host] for host in hosts] + [["-verify_ip", ip] for ip in addresses]:
        run("openssl", "verify", "-x509_strict", "-purpose", "sslserver", *name, *files)
    run("openssl", "verify", "-x509_strict", "-verify_hostname", "other.example.net", *files, fails=True)
    if by_gnutls and shutil.which("certtool"):
        for host in hosts:
            shown = run("certtool", "--verify", "--load-ca-certificate", trusted, "--infile", f"{leaf}.crt",
                        "--verify-hostname", host, "--verify-purpose", "1.3.6.1.5.5.7.3.1")
            assert "Verified. The certificate is trusted." in shown, shown


def shake_hands(leaf, trusted, host):
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(f"{leaf}.crt", f"{leaf}.key")
    client_side = ssl.create_default_context(cafile=trusted)
    client_side.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    client = client_side.wrap_bio(to_client, to_server, server_hostname=host)
    done = set()
    for _ in range(10):
        for side in (client, server):
            try:
                side.do_handshake()
                done.add(side)
            except ssl.SSLWantReadError:
                pass
    assert len(done) == 2, "the handshake does not end"


def check_text(leaf, key_type, is_ca):
    text = run("openssl", "x509", "-in", f"{leaf}.crt", "-noout", "-text")
    usage = ["Digital Signature"]
    if key_type.startswith("rsa"):
        usage.append("Key Encipherment")
    if is_ca:
        usage += ["Certificate Sign", "CRL Sign"]
    for expected in (
        "Version: 3 (0x2)",
        "X509v3 Basic Constraints: critical\n" + 16 * " " + f"CA:{'TRUE' if is_ca else 'FALSE'}",
        "X509v3 Key Usage: critical\n" + 16 * " " + ", ".join(usage) + "\n",
        "X509v3 Extended Key Usage: \n" + 16 * " " + "TLS Web Server Authentication, TLS Web Client Authentication\n",
        "X509v3 Subject Key Identifier: ",
        "X509v3 Subject Alternative Name: \n" + 16 * " " + NAMES + "\n",
    ):
        assert expected in text, f"{expected!r} is missing:\n{text}"
    run("openssl", "pkey", "-in", f"{leaf}.key", "-check", "-noout")
    return text


def main(program):
    folder = pathlib.Path(tempfile.mkdtemp())
    try:
        for key_type in KEY_TYPES:
            leaf = folder / f"self_signed_{key_type}"
            run(program, "self_signed", key_type, leaf)
            verify(leaf, f"{leaf}.ca", HOSTS, ADDRESSES)
            shake_hands(leaf, f"{leaf}.ca", "a.example.com")
            check_text(leaf, key_type, is_ca=True)

            request = folder / f"request_{key_type}"
            run(program, "request", key_type, request)
            shown = run("openssl", "req", "-in", f"{request}.csr", "-verify", "-noout", "-text")
            assert "verify OK" in shown and NAMES in shown, shown

        for ca_key in CA_KEYS:
            root = make_ca(folder, f"root_{ca_key}", ca_key)
            middle = make_ca(folder, f"middle_{ca_key}", ca_key, issuer=f"root_{ca_key}")
            for issuer, key_type in ((root, "rsa_2048"), (middle, "ecdsa_p256"), (middle, "ecdsa_p384")):
                leaf = folder / f"{issuer.name}_{key_type}"
                run(program, issuer, key_type, leaf)
                verify(leaf, f"{root}.crt", HOSTS, ADDRESSES)
                shake_hands(leaf, f"{root}.crt", "b.example.com")
                text = check_text(leaf, key_type, is_ca=False)
                assert f"Signature Algorithm: {SIGNATURES[ca_key]}" in text, text
                assert 'Subject: C = DE, O = "Example, Inc.", OU = Web, CN = a.example.com' in text, text

        run("openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-subj", "/CN=Ed25519", "-keyout",
            folder / "ed25519.key", "-out", folder / "ed25519.crt")
        shown = run(program, folder / "ed25519", "rsa_2048", folder / "none", fails=True)
        assert "tls.key is an Ed25519 key, which is not supported" in shown, shown

        fallback = folder / "fallback"
        run(program, "fallback", "rsa_2048", fallback)
        verify(fallback, f"{fallback}.crt", ("b.example.com", "a.example.org"), (),
               by_gnutls=False)  # which trusts CAs only
        challenge = folder / "challenge"
        run(program, "challenge", "rsa_2048", challenge)
        text = run("openssl", "x509", "-in", f"{challenge}.crt", "-noout", "-text")
        assert "1.3.6.1.5.5.7.1.31: critical" in text and "DNS:a.example.com\n" in text, text
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1])
