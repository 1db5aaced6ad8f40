"""TLS records that wait in memory to plaintext: CPU nanoseconds for each record, decryption included.

    netfeed            the machine: one record an input
    netfeed:batch      64 records an input, as one read of a busy connection gives them
    floor:ssl          a bare SSLObject between two MemoryBIOs: written to, and read until it wants more
    floor:ssl_batch    the same, 64 records at a time

Input: TLS 1.3 (the kind that both sides choose: AES-256-GCM), records of 256 bytes of plaintext. `--file` is not used.
Needs trustme.
"""

import contextlib
import ssl
import tempfile
from pathlib import Path
from time import thread_time_ns

import trustme

from benches import Row
from netfeed.proto import tls

NAME = "tls_receive"
UNIT = "CPU ns/record"
SIZE, BATCH = 256, 64
RECORDS, QUICK_RECORDS = 12_800, 640
VENUE = "venue.example"


def rows(file: Path | None, quick: bool) -> list[Row]:
    records = QUICK_RECORDS if quick else RECORDS
    ours, theirs = contexts()
    return [
        ("netfeed", lambda: received(ours, theirs, records, 1)),
        ("netfeed:batch", lambda: received(ours, theirs, records, BATCH)),
        ("floor:ssl", lambda: bare(ours, theirs, records, 1)),
        ("floor:ssl_batch", lambda: bare(ours, theirs, records, BATCH)),
    ]


def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    authority = trustme.CA()
    with tempfile.NamedTemporaryFile() as file:
        authority.issue_cert(VENUE).private_key_and_cert_chain_pem.write_to_path(file.name)
        theirs = tls.server_context(tls.Identity(file.name))
    return tls.client_context(tls.Trust(authority.cert_pem.bytes().decode())), theirs


def inputs(server: tls.Tls, records: int, batch: int) -> list[bytes]:
    """Give records of the server, so many an input."""
    found = []
    for _ in range(records // batch):
        for _ in range(batch):
            server.send(bytes(SIZE))
        found.append(b"".join(server.transmit()))
    return found


def received(ours: ssl.SSLContext, theirs: ssl.SSLContext, records: int, batch: int) -> float:
    client, server = tls.client(ours, VENUE, 0), tls.server(theirs, 0)
    for _ in range(2):
        server.receive(b"".join(client.transmit()), 0)
        client.receive(b"".join(server.transmit()), 0)
    waiting = inputs(server, records, batch)
    start = thread_time_ns()
    for data in waiting:
        client.receive(data, 0)
    spent = thread_time_ns() - start
    if client.statistics().plain_in_bytes != records * SIZE:
        raise RuntimeError("not all of it was received")
    return spent / records


def bare(ours: ssl.SSLContext, theirs: ssl.SSLContext, records: int, batch: int) -> float:
    come, go, server = ssl.MemoryBIO(), ssl.MemoryBIO(), tls.server(theirs, 0)
    client = ours.wrap_bio(come, go, server_hostname=VENUE)
    for _ in range(2):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        server.receive(go.read(), 0)
        come.write(b"".join(server.transmit()))
    waiting = inputs(server, records, batch)
    with contextlib.suppress(ssl.SSLWantReadError):  # the tickets
        client.read(SIZE)
    start = thread_time_ns()
    got = sum(drained(client, come, data) for data in waiting)
    spent = thread_time_ns() - start
    if got != records * SIZE:
        raise RuntimeError("not all of it was received")
    return spent / records


def drained(client: ssl.SSLObject, come: ssl.MemoryBIO, data: bytes) -> int:
    come.write(data)
    got = 0
    try:
        while True:
            got += len(client.read(16384))
    except ssl.SSLWantReadError:
        return got
