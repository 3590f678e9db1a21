"""Why a TLS session was not trusted, in words that tell the causes apart."""

import ssl

_CERTIFICATE = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the chain ends in a self-signed certificate that is not trusted",
    20: "the issuer of the certificate is not known",
    21: "the issuer of the certificate is not known",
    23: "the certificate was revoked",
}
_WRONG_NAME = (62, 64)
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNKNOWN_PROTOCOL", "HTTPS_PROXY_REQUEST",
            "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE")  # fmt: skip


def explain(error: ssl.SSLError, server_name: str) -> str:
    """One sentence for people; the reason word is ``tls`` in every case."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _WRONG_NAME:
            return f"the certificate is not for {server_name}"
        return _CERTIFICATE.get(error.verify_code, error.verify_message)
    if error.reason in _NOT_TLS:
        return "the answer is not TLS (a plain port?)"
    return (error.reason or str(error)).replace("_", " ").lower()
