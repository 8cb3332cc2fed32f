"""A host server in Python, without packages: whoever is logged in to the shop
gets a token for the map. Run with:

    LISTEN=127.0.0.1:3000 LIVEMAP_HS256_KEY_FILE=map.key python3 docs/examples/host.py
    livemap serve --hs256-key-file map.key --issuer https://shop.example --audience livemap …
"""
import base64, hashlib, hmac, json, os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

secret = Path(os.environ["LIVEMAP_HS256_KEY_FILE"]).read_bytes().strip()

def encode(b: bytes) -> bytes:
    return base64.urlsafe_b64encode(b).rstrip(b"=")

def mint(claims: dict) -> bytes:
    signed = encode(b'{"alg":"HS256","typ":"JWT"}') + b"." + encode(json.dumps(claims).encode())
    return signed + b"." + encode(hmac.digest(secret, signed, hashlib.sha256))

class Host(BaseHTTPRequestHandler):
    def do_POST(self):
        user = self.headers.get("X-User")  # in truth: from the session of your shop
        if self.path != "/map-token" or not user:
            return self.send_error(401 if self.path == "/map-token" else 404)
        token = mint({
            "iss": "https://shop.example", "aud": "livemap", "sub": user, "exp": int(time.time()) + 15 * 60,
            "livemap": {"topics": ["metrics", "shipments"], "keys": ["world", "shop/{sub}"]},
        })
        self.send_response(200)
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(token)

address, port = os.environ["LISTEN"].split(":")
ThreadingHTTPServer((address, int(port)), Host).serve_forever()
