"""A small real HTTP server with the OpenAI API that misbehaves on purpose."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

STEP = 0.002  # seconds of a token


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def say(self, status, body, **more):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for k, v in more.items():
            self.send_header(k.replace("_", "-"), v)
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        self.server.keys.add(self.headers.get("authorization"))
        if self.server.mode == "locked":
            self.say(401, {"error": {"message": f"bad key {self.headers.get('authorization')}"}})
        else:
            self.say(200, {"object": "list", "data": [{"id": "m"}]})

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        server = self.server
        with server.lock:
            server.count += 1
            number = server.count
        mode = server.mode if number > server.after else ""
        if mode == "busy" and number <= server.after + 2:
            return self.say(429, {"error": {"message": "slow down"}}, Retry_After="0.1")
        if mode == "very busy":
            return self.say(429, {"error": {"message": "slow down"}}, Retry_After="3600")
        if mode == "broken":
            return self.say(500, {"error": {"message": "out of\n memory"}})
        if mode == "plain" and ("stream_options" in body or "ignore_eos" in body):
            name = "stream_options" if "stream_options" in body else "ignore_eos"
            return self.say(400, {"error": {"message": f"unknown field {name}"}})
        if mode == "chat only" and "chat" not in self.path:
            return self.say(404, {"detail": "Not Found"})
        return self.stream(body, mode)

    def stream(self, body, mode):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        prompt = body.get("prompt") or body["messages"][0]["content"]
        chat = "messages" in body
        time.sleep(self.server.step + 1e-5 * len(prompt))
        held = 0
        for i in range(body["max_tokens"]):
            if i:
                time.sleep(self.server.step)
            if mode == "stalled" and i == 3:
                time.sleep(self.server.stall)
            if mode == "cut" and i == 3:
                self.close_connection = True
                return
            if mode == "error" and i == 3:
                self.event({"error": {"message": "engine died"}})
                break
            held += 1
            if mode == "held" and i % 3 != 2:  # a character of three tokens, whole only with the third
                continue
            piece = {"delta": {"content": "€"}} if chat else {"text": "€"}
            self.event({"choices": [{"index": 0, "finish_reason": None, **piece}]})
        empty = {"delta": {}} if chat else {"text": ""}
        if mode == "held":
            time.sleep(0.02)  # the empty last chunk comes late
        self.event({"choices": [{"index": 0, "finish_reason": "length", **empty}]})
        if body.get("stream_options"):
            words = len(prompt) // 4
            self.event({"choices": [], "usage": {"prompt_tokens": words, "completion_tokens": body["max_tokens"]}})
        self.raw(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")
        return

    def event(self, body):
        self.raw(b"data: " + json.dumps(body).encode() + b"\n\n")

    def raw(self, data):
        with contextlib.suppress(OSError):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_):
        pass


@contextlib.contextmanager
def serving(mode="", after=0, certificate=None, stall=1.5, step=STEP):
    """The address of a server that misbehaves in a way from some request on."""
    server = Server(("127.0.0.1", 0), Handler)
    server.mode, server.after, server.count, server.lock, server.keys = mode, after, 0, threading.Lock(), set()
    server.stall, server.step = stall, step
    scheme = "http"
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket, scheme = context.wrap_socket(server.socket, server_side=True), "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    server.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
