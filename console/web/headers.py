"""What every answer of the console says to the browser: run nothing, show it nowhere, keep nothing.

Source: OWASP Secure Headers. Styles and scripts are files of ours; nothing is allowed inside pages,
so that a name with markup in it stays a name even if escaping failed.
"""

from __future__ import annotations

POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
ALWAYS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
NOT_KEPT = {"cache-control": "no-store"}
KEPT = {"cache-control": "public, max-age=31536000, immutable"}
# A year; sent only where people reach the console by https.
ONLY_HTTPS = {"strict-transport-security": "max-age=31536000"}
