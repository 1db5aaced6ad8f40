"""Whom this system trusts: the certificate files that OpenSSL was built for, or that the environment names.

SSL_CERT_FILE and SSL_CERT_DIR come before the built-in places. Machines read neither: they are given a `Trust`.
Source: SSL_CTX_set_default_verify_paths(3).
"""

import os
import ssl

from netfeed.errors import ConfigurationError
from netfeed.proto.tls import Trust


def system_trust() -> Trust:
    """Find whom the system trusts.

    Raises: ConfigurationError that says where it looked.
    """
    paths = ssl.get_default_verify_paths()
    file = paths.cafile if paths.cafile and os.path.isfile(paths.cafile) else None
    directory = paths.capath if paths.capath and os.path.isdir(paths.capath) and os.listdir(paths.capath) else None
    if file is None and directory is None:
        raise ConfigurationError(
            f"no trusted certificates: neither {paths.openssl_cafile} nor {paths.openssl_capath} is there; install "
            "ca-certificates, or name a file by SSL_CERT_FILE"
        )
    return Trust(file=file, directory=directory)
