"""What is asked of the kernel, and what is said where it does not grant it."""

import socket
import struct

import pytest

from netfeed.errors import MisuseError
from netfeed.transport.tcp_info import read_info
from netfeed.transport.tcp_options import KeepAlive, Options, apply, fast_open_warnings, stamp


@pytest.mark.net
def test_every_option_reaches_the_kernel() -> None:
    wanted = Options(
        quick_ack=True, keep_alive=KeepAlive(11, 7, 4), user_timeout_ns=2_500_000_000, receive_buffer_bytes=40_000,
        send_buffer_bytes=50_000, stamps=True,
    )  # fmt: skip
    with socket.socket() as one:
        assert apply(one, wanted) == []
        tcp, level = socket.IPPROTO_TCP, socket.SOL_SOCKET
        found = [one.getsockopt(tcp, option) for option in (socket.TCP_NODELAY, socket.TCP_USER_TIMEOUT)]
        assert found == [1, 2500]
        alive = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        assert [one.getsockopt(tcp, option) for option in alive] == [11, 7, 4]
        assert one.getsockopt(level, socket.SO_KEEPALIVE) == 1
        assert [one.getsockopt(level, option) // 2 for option in (socket.SO_RCVBUF, socket.SO_SNDBUF)] == [
            40_000,
            50_000,
        ]


@pytest.mark.net
def test_a_buffer_that_is_not_granted_is_a_warning_with_its_remedy() -> None:
    with socket.socket() as one:
        (warning,) = apply(one, Options(receive_buffer_bytes=2**30))
    assert "sysctl -w net.core.rmem_max=1073741824" in warning


def test_fast_open_needs_a_setting_of_the_kernel_for_each_side() -> None:
    assert fast_open_warnings(client=True, setting="1\n") == []
    assert fast_open_warnings(client=False, setting="3\n") == []
    assert "`sysctl -w net.ipv4.tcp_fastopen=3`" in fast_open_warnings(client=False, setting="1\n")[0]
    assert "clients" in fast_open_warnings(client=True, setting="")[0]


def test_the_kernels_stamp_is_found_among_control_messages() -> None:
    data = struct.pack("@qq", 12, 345)
    assert stamp([(1, 2, b""), (socket.SOL_SOCKET, 35, data)]) == 12_000_000_345
    assert stamp([]) is None


def test_times_and_watermarks_make_sense() -> None:
    with pytest.raises(MisuseError, match="positive"):
        KeepAlive(0)
    with pytest.raises(MisuseError, match="watermark"):
        Options(low_bytes=5, high_bytes=5)


def test_the_account_of_an_older_kernel_is_read_as_far_as_it_goes() -> None:
    first = struct.pack("=8B24I", 1, 0, 0, 0, 0, 0x20, 0, 0, *range(24))
    found = read_info(first)
    assert found is not None
    assert (found.state, found.rto_ns, found.mss_bytes, found.unacked, found.lost) == ("established", 0, 2, 4, 6)
    assert (found.rtt_ns, found.rttvar_ns, found.cwnd, found.retransmits) == (15_000, 16_000, 18, 23)
    assert (found.fast_open, found.min_rtt_ns) == (True, None)
    more = read_info(first + struct.pack("=4Q6I4Q2I2Q", *range(100, 118)) + b"later fields")
    assert more is not None
    assert (more.unsent_bytes, more.min_rtt_ns) == (106, 107_000)
    assert (more.delivery_rate, more.retransmitted_bytes) == (110, 117)
    assert read_info(first[:-1]) is None
