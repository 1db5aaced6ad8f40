"""The alerts of TLS by name, and what each failure of OpenSSL means: tables, and small functions that read them.

Source: RFC 8446, section 6 (alerts); OpenSSL's verification codes (X509_verify_cert_error_string(3)) and the alerts
that it sends for them. `ssl` tells an alert that came in by the error's reason, and does not tell which one it sent:
that is read off the record where it is in the clear, and from these tables where it is not.

Leaves out: warnings of TLS 1.2 that OpenSSL takes without a word.
"""

import re
import ssl
from typing import Final

from netfeed.proto.tls_words import Reason

ALERTS: Final = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    42: "bad_certificate", 43: "unsupported_certificate", 44: "certificate_revoked", 45: "certificate_expired",
    46: "certificate_unknown", 47: "illegal_parameter", 48: "unknown_ca", 49: "access_denied", 50: "decode_error",
    51: "decrypt_error", 70: "protocol_version", 71: "insufficient_security", 80: "internal_error",
    86: "inappropriate_fallback", 90: "user_canceled", 100: "no_renegotiation", 109: "missing_extension",
    110: "unsupported_extension", 112: "unrecognized_name", 113: "bad_certificate_status_response",
    115: "unknown_psk_identity", 116: "certificate_required", 120: "no_application_protocol",
}  # fmt: skip
ALERT_RECORD: Final = 21

_WEAK, _OTHER = (Reason.WEAK, "bad_certificate"), (Reason.OTHER, "certificate_unknown")
VERDICTS: Final[dict[int, tuple[Reason, str]]] = {
    2: (Reason.UNKNOWN_AUTHORITY, "unknown_ca"),
    7: (Reason.BAD_SIGNATURE, "decrypt_error"),
    8: (Reason.BAD_SIGNATURE, "decrypt_error"),
    9: (Reason.NOT_YET_VALID, "bad_certificate"),
    10: (Reason.EXPIRED, "certificate_expired"),
    12: (Reason.OTHER, "certificate_expired"),
    13: (Reason.OTHER, "bad_certificate"),
    14: (Reason.OTHER, "bad_certificate"),
    18: (Reason.SELF_SIGNED, "unknown_ca"),
    19: (Reason.UNKNOWN_AUTHORITY, "unknown_ca"),
    20: (Reason.UNKNOWN_AUTHORITY, "unknown_ca"),
    21: (Reason.UNKNOWN_AUTHORITY, "unknown_ca"),
    22: (Reason.OTHER, "unknown_ca"),
    23: (Reason.REVOKED, "certificate_revoked"),
    24: (Reason.UNKNOWN_AUTHORITY, "unknown_ca"),
    25: (Reason.OTHER, "unknown_ca"),
    26: (Reason.WRONG_PURPOSE, "unsupported_certificate"),
    27: (Reason.UNKNOWN_AUTHORITY, "bad_certificate"),
    28: (Reason.OTHER, "bad_certificate"),
    62: (Reason.WRONG_NAME, "bad_certificate"),
    64: (Reason.WRONG_NAME, "bad_certificate"),
    66: _WEAK, 67: _WEAK, 68: _WEAK,
}  # fmt: skip
"""By verification code: why, and the alert that OpenSSL sends for it."""

PLAIN: Final = "WRONG_VERSION_NUMBER"
"""What OpenSSL calls an answer in plain text."""
SENT: Final = {
    "DECRYPTION_FAILED_OR_BAD_RECORD_MAC": "bad_record_mac",
    "BAD_RECORD_TYPE": "unexpected_message",
    "UNEXPECTED_MESSAGE": "unexpected_message",
    "UNEXPECTED_RECORD": "unexpected_message",
    "ENCRYPTED_LENGTH_TOO_LONG": "record_overflow",
    "DATA_LENGTH_TOO_LONG": "record_overflow",
    "PACKET_LENGTH_TOO_LONG": "record_overflow",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "certificate_required",
    "DIGEST_CHECK_FAILED": "decrypt_error",
    "BAD_SIGNATURE": "decrypt_error",
    "LENGTH_MISMATCH": "decode_error",
}
"""By OpenSSL's reason: the alert that it sends when the record that holds it is encrypted."""

_HEARD = re.compile(r"(?:SSLV3|TLSV1|TLSV13)_(?:ALERT_)?(\w+)\Z")
_SPELLED: Final = {"DECRYPTION_FAILED": "decryption_failed", "EXPORT_RESTRICTION": "export_restriction"}
_HEARD_NAMES: Final = frozenset(ALERTS.values()) | frozenset(_SPELLED.values()) | {"no_certificate"}


def alert_received(error: ssl.SSLError) -> str | None:
    """Give the name of the alert that the peer sent, None when the error is no alert."""
    match = _HEARD.match(error.reason or "")
    if match is None:
        return None
    name = match[1].lower()
    return name if name in _HEARD_NAMES else None


def alert_sent(error: ssl.SSLError, out: bytes) -> str:
    """Give the name of the alert that goes out with an error, "" where it is not known.

    `out` are the records that were made meanwhile.
    """
    if isinstance(error, ssl.SSLCertVerificationError):
        return verdict(error)[1]
    found = SENT.get(error.reason or "", "")
    at = 0
    while at + 5 <= len(out):
        length = int.from_bytes(out[at + 3 : at + 5], "big")
        if out[at] == ALERT_RECORD and length == 2 and at + 7 <= len(out):
            found = ALERTS.get(out[at + 6], str(out[at + 6]))
        at += 5 + length
    return found


def verdict(error: ssl.SSLCertVerificationError) -> tuple[Reason, str]:
    """Say why a certificate was not believed, and by which alert the peer is told."""
    return VERDICTS.get(error.verify_code, _OTHER)


def reason_text(error: ssl.SSLError) -> str:
    """Write what OpenSSL found, in plain words: `wrong version number`."""
    if error.reason == PLAIN:
        return f"{error.reason.lower().replace('_', ' ')}: is that a plain port, of ws:// or http://?"
    if error.reason:
        return error.reason.lower().replace("_", " ")
    return "bytes that are no TLS"
