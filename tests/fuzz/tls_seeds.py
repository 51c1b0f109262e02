#!/usr/bin/env python3
"""Writes the programs among the seeds of the TLS fuzz targets: tests/fuzz/tls_seeds.py [FOLDER], corpus/ by default.

A program is a few bytes; their meaning is that of the targets (fuzz_tls_server.cc, fuzz_tls_client.cc and so on) and of
hostile_peer/: editor.cc, whose changes are the numbers below. The flights among the seeds, whose names begin with
"flight_", are what such programs have sent (hostile_peer/recording.h).
"""

import pathlib
import sys

(NOTHING, CONTENT, INJECTION, CIPHERTEXT, DROPPED, TWICE, OVERTAKEN, JOINED, SPLIT, PADDED, TYPE, VERSION, EPOCH,
 EARLIER) = range(14)
PEER_WRITES, SESSION_WRITES, INJECT, KEY_UPDATE, PEER_CLOSES, SESSION_CLOSES, RENEGOTIATE, BOTH_WRITE = range(8)
KEY_UPDATE_REQUESTED, EMPTY_HANDSHAKE, EMPTY_DATA, CCS, CLOSE_NOTIFY, WARNING, HELLO_REQUEST = 1, 4, 5, 7, 9, 11, 3
FLOOD = bytes([2])

# First byte: 0 is the mode in its bits 2 to 7 modulo 3 (0 none, 1 optional, 2 required), bit 1: waits for signatures.
NONE, OPTIONAL, REQUIRED, WAITS = 0, 4, 8, 2
WHOLE = 0
TLS_1_2, ONLY_RSA, RETRY, P_384, STATUS, NO_EMS, RETURNS, ALTERED_TICKET = (1 << bit for bit in range(8))


def server(mode, client, choices, *program, feeding=WHOLE):
    return bytes([mode, feeding, client, choices]) + b"".join(
        part if isinstance(part, bytes) else bytes([part]) for part in program)


SERVER = {
    "plain_1_3": server(NONE, 0, 0),
    "plain_1_2": server(NONE, TLS_1_2, 0),
    "talk_1_3": server(NONE, 0, 8, bytes(4), PEER_WRITES, 200, bytes(2), SESSION_WRITES, 200, KEY_UPDATE, BOTH_WRITE, 9, 9),
    "close_1_2": server(NONE, TLS_1_2, 0, bytes(6), PEER_WRITES, 9, 0, PEER_CLOSES, 0, SESSION_WRITES, 9, SESSION_CLOSES),
    "rsa_waits": server(NONE | WAITS, ONLY_RSA, 0),
    "rsa_leaves_while_it_waits": server(NONE | WAITS, ONLY_RSA, 0, feeding=0xf0),
    "retry": server(NONE, RETRY, 1),
    "cbc_1_2": server(NONE, TLS_1_2, 3),
    "cbc_changed_1_2": server(NONE, TLS_1_2, 3, bytes(3), CIPHERTEXT, 40, 0, 9),
    "status_1_2": server(NONE, TLS_1_2 | STATUS, 2),
    "returns_1_3": server(NONE, RETURNS, 0),
    "returns_1_2": server(NONE, RETURNS | TLS_1_2, 0),
    "altered_ticket_1_3": server(NONE, RETURNS | ALTERED_TICKET, 20, 3, 4, b"wxyz", 0),
    "altered_ticket_1_2": server(NONE, RETURNS | ALTERED_TICKET | TLS_1_2, 20, 3, 4, b"wxyz", 0),
    "certificate_1_3": server(REQUIRED, 0, 0),
    "certificate_1_2": server(REQUIRED, TLS_1_2, 0),
    "no_certificate": server(REQUIRED, 0, 0x10),
    "certificate_by_intermediate": server(OPTIONAL, 0, 0x20),
    "certificate_of_others": server(REQUIRED, TLS_1_2, 0x30),
    "certificate_revoked": server(REQUIRED, 0, 0x40),
    "certificate_changed": server(REQUIRED, TLS_1_2, 0, NOTHING, CONTENT, 1, 0, 80, 3, b"abcd"),
    "byte_by_byte": server(REQUIRED, 0, 0, feeding=1),
    "hello_split": server(NONE, 0, 0, SPLIT, 0, 60),
    "hello_without_extension": server(NONE, 0, 0, CONTENT, 0, 3, 1),
    "hello_twice": server(NONE, 0, 0, TWICE),
    "finished_dropped": server(NONE, 0, 0, NOTHING, NOTHING, DROPPED),
    "finished_overtaken": server(REQUIRED, 0, 0, NOTHING, NOTHING, OVERTAKEN),
    "certificate_joined": server(REQUIRED, 0, 0, NOTHING, NOTHING, JOINED, JOINED),
    "finished_of_earlier": server(NONE, 0, 0, NOTHING, NOTHING, EARLIER, 0),
    "early_ccs_1_2": server(NONE, TLS_1_2, 0, NOTHING, INJECTION, CCS, 0),
    "key_update_flood": server(NONE, 0, 0, bytes(4), INJECT, KEY_UPDATE_REQUESTED, FLOOD, 160),
    "empty_flood": server(NONE, 0, 0, bytes(4), INJECT, EMPTY_DATA, FLOOD, 200),
    "warning_flood": server(NONE, TLS_1_2, 0, bytes(6), INJECT, WARNING, FLOOD, 2),
    "renegotiates": server(NONE, TLS_1_2, 0, bytes(6), RENEGOTIATE, 0),
    "padded": server(NONE, 0, 0, bytes(4), PEER_WRITES, 9, PADDED, 2, 0),
}

# First byte: bits 1 and 2 trust (CA, CA and list, pinned, nobody asked), 3 own certificate, 4 waits, 5 wrong name, 6 IP.
CA, CA_AND_LIST, PINNED, NOBODY_ASKED, OWN, WAITS_TOO, WRONG_NAME, BY_IP = 0, 2, 4, 6, 8, 16, 32, 64
ECDSA, RSA, BY_INTERMEDIATE, OF_OTHERS = range(4)
TO_1_2, ASKS, NO_TICKETS, AGAIN, H2 = 4, 8, 16, 32, 64


def client(kind, peer, *program, feeding=WHOLE):
    return bytes([kind, feeding, peer]) + b"".join(
        part if isinstance(part, bytes) else bytes([part]) for part in program)


CLIENT = {
    "plain_1_3": client(CA, ECDSA),
    "plain_1_2": client(CA, ECDSA | TO_1_2),
    "rsa": client(CA_AND_LIST, RSA | H2),
    "by_intermediate": client(CA, BY_INTERMEDIATE),
    "of_others": client(CA, OF_OTHERS),
    "of_others_not_asked": client(NOBODY_ASKED, OF_OTHERS),
    "wrong_name": client(CA | WRONG_NAME, ECDSA),
    "by_ip": client(CA | BY_IP, ECDSA),
    "pinned": client(PINNED, ECDSA | TO_1_2),
    "pinned_other": client(PINNED, RSA),
    "own_certificate_1_3": client(CA | OWN | WAITS_TOO, ECDSA | ASKS),
    "own_certificate_1_2": client(CA | OWN, ECDSA | ASKS | TO_1_2),
    "no_certificate_of_its_own": client(CA, ECDSA | ASKS),
    "again_1_3": client(CA, ECDSA | AGAIN),
    "again_1_2": client(CA, ECDSA | AGAIN | TO_1_2),
    "again_by_id_1_2": client(CA, ECDSA | AGAIN | TO_1_2 | NO_TICKETS),
    "talk": client(CA, ECDSA, bytes(8), PEER_WRITES, 200, bytes(2), SESSION_WRITES, 200, KEY_UPDATE, BOTH_WRITE, 9, 9),
    "close_1_2": client(CA, ECDSA | TO_1_2, bytes(7), PEER_CLOSES, 0, SESSION_CLOSES),
    "byte_by_byte": client(CA, ECDSA, feeding=1),
    "flight_joined": client(CA, ECDSA | TO_1_2, JOINED, JOINED, JOINED),
    "certificate_split": client(CA, ECDSA, NOTHING, NOTHING, NOTHING, SPLIT, 0, 99),
    "certificate_changed_1_2": client(CA, ECDSA | TO_1_2, NOTHING, CONTENT, 1, 0, 80, 3, b"abcd"),
    "certificate_changed_1_3": client(CA, ECDSA, bytes(3), CONTENT, 1, 0, 80, 3, b"abcd"),
    "certificate_request_changed": client(CA | OWN, ECDSA | ASKS, bytes(3), CONTENT, 0, 0, 5),
    "key_exchange_changed": client(CA, ECDSA | TO_1_2, bytes(2), CONTENT, 1, 30, 3, b"abcd"),
    "ticket_changed": client(CA, ECDSA, bytes(6), CONTENT, 1, 10, 3, b"abcd"),
    "verify_dropped": client(CA, ECDSA, bytes(4), DROPPED),
    "hello_requests": client(CA, ECDSA | TO_1_2, NOTHING, INJECTION, HELLO_REQUEST, 0),
    "hello_request_afterwards": client(CA, ECDSA | TO_1_2, bytes(8), INJECT, HELLO_REQUEST, 0),
    "ccs_flood": client(CA, ECDSA, NOTHING, INJECTION, CCS, 3, 1),
    "key_update_flood": client(CA, ECDSA, bytes(9), INJECT, KEY_UPDATE_REQUESTED, FLOOD, 160),
    "finished_again": client(CA, ECDSA, bytes(6), EARLIER, 5),
    "empty_records": client(CA, ECDSA, bytes(3), INJECTION, EMPTY_HANDSHAKE, FLOOD, 1),
}

SEEDS = {
    "tls_server": SERVER,
    "tls_client": CLIENT,
    # 0: one of ours that is changed: which, how many changes, then element, change, ...
    "certificate": {
        **{f"own_{which}": bytes([0, which, 0]) for which in range(5)},
        "name_changed": bytes([0, 0, 1, 20, 0, 5]) + b'a";,=',
        "element_erased": bytes([0, 2, 1, 12, 2]),
        "many_elements": bytes([0, 2, 1, 40, 3, 60]),
        "der": bytes([1, 0x30, 3, 2, 1, 1]),
        "pem": b"\x02-----BEGIN CERTIFICATE-----\nMAMCAQE=\n-----END CERTIFICATE-----\n",
    },
    "ocsp_staple": {
        "good": bytes([0, 0]),
        "changed": bytes([0, 1, 30, 6, 3, 9]),
        "der": bytes([1, 0x30, 3, 10, 1, 6]),
    },
    # With the list or without, how many more certificates, then each: which, how many changes.
    "peer_verifier": {
        "good": bytes([0, 0, 0, 0]),
        "revoked": bytes([0, 0, 4, 0]),
        "revoked_not_asked": bytes([1, 0, 4, 0]),
        "intermediate": bytes([1, 1, 1, 0, 2, 0]),
        "intermediate_behind_others": bytes([1, 3, 1, 0, 3, 0, 7, 0, 2, 0]),
        "others": bytes([0, 0, 3, 0]),
        "ca": bytes([1, 0, 8, 0]),
        "changed": bytes([1, 1, 1, 1, 30, 0, 2, 97, 98, 2, 0]),
    },
    "revocation_lists": {
        "good": bytes([0, 0]),
        "changed": bytes([0, 1, 18, 6, 0, 67]),
        "many_entries": bytes([0, 1, 14, 3, 63]),
        "der": bytes([1, 0x30, 0]),
        "pem": b"\x02-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
    },
    "ticket_keys": {
        "sealed": bytes([0, 0, 5]) + b"state",
        "changed": bytes([0, 0, 5]) + b"state" + bytes([0, 3, 1]),
        "by_key_holder": bytes([1, 0, 48, 0]) + bytes(46) + bytes([1]),
        "by_key_holder_padding": bytes([1, 0, 16, 0]) + bytes([16] * 16),
        "anything": bytes([2, 0]) + bytes(80),
    },
}


def main():
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else pathlib.Path(__file__).resolve().parent / "corpus"
    for target, seeds in SEEDS.items():
        (root / target).mkdir(parents=True, exist_ok=True)
        for name, program in seeds.items():
            (root / target / name).write_bytes(program)
    print(f"{sum(map(len, SEEDS.values()))} seeds in {root}")


if __name__ == "__main__":
    main()
