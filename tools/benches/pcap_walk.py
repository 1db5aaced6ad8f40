"""Walk a capture of one million UDP packets: nanoseconds for each packet, from a mapped file.

Rows: `netfeed` (the compiled walker), `pure` (its twin, on fewer packets), `floor:c_walk` (the least that a C loop can
do: find each payload of an Ethernet/IPv4 nanosecond file, add up the lengths and first bytes, write nothing down),
`peer:libpcap` (pcap_next_ex in a C loop that finds the same payloads), `peer:dpkt` (fewer packets). The C programs
stand below and are compiled when the bench runs. Every run maps the file anew; what a row reads lies in the page
cache, so this measures decoding and not the disk. `libpcap` reads through a buffer, not a map: that is its own design.
"""

import atexit
import ctypes
import mmap
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from netfeed.wire import capture, pcap
from netfeed.wire.headers import udp_frame

NAME = "pcap_walk"
UNIT = "ns/packet"
Row = tuple[str, Callable[[], float]]

PACKETS = 1_000_000
PAYLOAD_BYTES = 100
SLOW_PACKETS = 20_000  # for the rows that are Python for every packet
BATCH = 4096  # packets of one walk: 320 KiB, which stays in the second-level cache

FLOOR = r"""
#include <stdint.h>
#include <string.h>
static inline uint32_t u32(const uint8_t *at) { uint32_t value; memcpy(&value, at, 4); return value; }
static inline uint32_t n16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
int64_t walk(const uint8_t *data, int64_t size, uint64_t *sum) {
    int64_t at = 24, packets = 0;
    uint64_t total = 0;
    while (size - at >= 16) {
        uint32_t captured = u32(data + at + 8);
        const uint8_t *frame = data + at + 16;
        if (size - at - 16 < captured) break;
        if (captured >= 42 && n16(frame + 12) == 0x0800 && frame[14] >> 4 == 4 && frame[23] == 17) {
            uint32_t start = 14 + (frame[14] & 15) * 4, length;
            const uint8_t *udp = frame + start;
            if (start + 8 <= captured && (length = n16(udp + 4)) > 8 && start + length <= captured) {
                total += length - 8 + udp[8];
                packets++;
            }
        }
        at += 16 + (int64_t)captured;
    }
    *sum = total;
    return packets;
}
"""

LIBPCAP = r"""
#include <pcap/pcap.h>
#include <stdint.h>
static inline uint32_t n16(const uint8_t *at) { return (uint32_t)at[0] << 8 | at[1]; }
const char *version(void) { return pcap_lib_version(); }
int64_t walk(const char *path, uint64_t *sum) {
    char why[PCAP_ERRBUF_SIZE];
    struct pcap_pkthdr *head;
    const u_char *frame;
    int64_t packets = 0;
    uint64_t total = 0;
    pcap_t *file = pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, why);
    if (!file) return -1;
    while (pcap_next_ex(file, &head, &frame) == 1) {
        if (head->caplen >= 42 && n16(frame + 12) == 0x0800 && frame[14] >> 4 == 4 && frame[23] == 17) {
            uint32_t start = 14 + (frame[14] & 15) * 4, length;
            const uint8_t *udp = frame + start;
            if (start + 8 <= head->caplen && (length = n16(udp + 4)) > 8 && start + length <= head->caplen) {
                total += length - 8 + udp[8];
                packets++;
            }
        }
    }
    pcap_close(file);
    *sum = total;
    return packets;
}
"""


def rows(file: Path | None) -> list[Row]:
    """Give the rows over `file`, or over a capture that is made for the run."""
    folder = Path(tempfile.mkdtemp(prefix="netfeed-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = file or _generate(folder / "million.pcap", PACKETS)
    short = _shorten(path, folder / "short.pcap")
    return [
        ("netfeed", lambda: _walk(_core_walker, path)),
        ("pure", lambda: _walk(capture.Walker, short)),
        *_floor(path, folder),
        *_libpcap(path, folder),
        *_dpkt(short),
    ]


def _core_walker() -> capture.Walker:
    from netfeed._core.capture import Walker

    return Walker()  # type: ignore[return-value]


def _generate(path: Path, packets: int) -> Path:
    frame = udp_frame(bytes(range(PAYLOAD_BYTES)), ("10.0.0.1", 1234), ("233.252.0.1", 26400))
    record = np.dtype([("seconds", "<u4"), ("fraction", "<u4"), ("lengths", "<u4", 2), ("frame", "u1", len(frame))])
    table = np.zeros(packets, record)
    table["seconds"] = 1_700_000_000 + np.arange(packets) // 1_000_000
    table["fraction"] = np.arange(packets) % 1_000_000 * 1000
    table["lengths"] = len(frame)
    table["frame"] = np.frombuffer(frame, "u1")
    path.write_bytes(pcap.file_header() + table.tobytes())
    return path


def _shorten(path: Path, short: Path) -> Path:
    """Copy the first records of a classic pcap; another format is left as it is."""
    with path.open("rb") as file:
        head = file.read(4)
        if pcap.order_of(head) is None:
            return path
        data = head + file.read(SLOW_PACKETS * 300)
    end = 24
    for count, one in enumerate(pcap.records(data, []), 1):
        end = one.data_offset + len(one.data)
        if count == SLOW_PACKETS:
            break
    short.write_bytes(data[:end])
    return short


def _timed(run: Callable[[], int]) -> float:
    start = time.perf_counter_ns()
    packets = run()
    return (time.perf_counter_ns() - start) / max(packets, 1)


def _mapped(path: Path) -> mmap.mmap:
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _walk(make: Callable[[], capture.Walker], path: Path) -> float:
    out = np.zeros(BATCH, capture.PACKET)

    def run() -> int:
        walker, data, at, status = make(), memoryview(_mapped(path)), 0, 0
        while status == capture.Status.MORE:
            _, at, status = walker.walk(data, at, out)
        return walker.records

    return _timed(run)


def _compiled(source: str, folder: Path, name: str, *libraries: str) -> ctypes.CDLL | None:
    text, library = folder / f"{name}.c", folder / f"{name}.so"
    text.write_text(source)
    command = ["gcc", "-O3", "-shared", "-fPIC", str(text), "-o", str(library), *libraries]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[0]
        print(f"pcap_walk: no row {name}: {why}", file=sys.stderr)
        return None
    return ctypes.CDLL(str(library))


def _floor(path: Path, folder: Path) -> list[Row]:
    library = _compiled(FLOOR, folder, "c_walk")
    if library is None:
        return []
    library.walk.restype = ctypes.c_int64
    library.walk.argtypes = [ctypes.c_void_p, ctypes.c_int64, ctypes.POINTER(ctypes.c_uint64)]

    def run() -> int:
        data = np.frombuffer(_mapped(path), "u1")
        return int(library.walk(data.ctypes.data, len(data), ctypes.byref(ctypes.c_uint64())))

    with path.open("rb") as file:
        if file.read(4) != struct.pack("<I", pcap.NANOSECONDS) or file.read(20)[-4:] != struct.pack("<I", 1):
            print("pcap_walk: no row c_walk: it reads little-endian nanosecond Ethernet files only", file=sys.stderr)
            return []
    return [("floor:c_walk", lambda: _timed(run))]


def _libpcap(path: Path, folder: Path) -> list[Row]:
    library = _compiled(LIBPCAP, folder, "libpcap", "-lpcap")
    if library is None:
        return []
    library.version.restype = ctypes.c_char_p
    library.walk.restype = ctypes.c_int64
    version = library.version().decode().split()[2]
    name, total = str(path).encode(), ctypes.c_uint64()
    return [(f"peer:libpcap-{version}", lambda: _timed(lambda: int(library.walk(name, ctypes.byref(total)))))]


def _dpkt(path: Path) -> list[Row]:
    try:
        import dpkt
    except ImportError:
        print("pcap_walk: no row dpkt: it is not installed", file=sys.stderr)
        return []

    def run() -> int:
        packets = 0
        with path.open("rb") as file:
            for _, frame in dpkt.pcap.UniversalReader(file):
                udp = dpkt.ethernet.Ethernet(frame).data.data
                packets += len(udp.data) > 0
        return packets

    return [(f"peer:dpkt-{dpkt.__version__}", lambda: _timed(run))]
