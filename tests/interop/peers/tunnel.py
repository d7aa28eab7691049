"""HTTP/2 over a link with python-h2 (sans-IO), both roles: the device end serves, the cloud end asks (Uplink 5.1.1.3, 5.1.1.4)."""

import asyncio
import time

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingAckReceived,
    PingReceived,
    RemoteSettingsChanged,
    RequestReceived,
    ResponseReceived,
    SettingsAcknowledged,
    StreamEnded,
    StreamReset,
    WindowUpdated,
)
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes, Settings
from link import emit

WINDOW = 1 << 20


class Reversed(H2Connection):
    """GOAWAY(NO_ERROR) as RFC 9113 6.8 has it: streams under way go on, and PING may follow. Bare python-h2 takes it for the end.

    From the HTTP/2 client it bars only pushes; from the server it bars new streams.
    """

    leaving = False

    def _receive_goaway_frame(self, frame):
        if frame.error_code != ErrorCodes.NO_ERROR:
            return super()._receive_goaway_frame(frame)
        self.leaving = True
        emit(
            "goaway",
            code=int(frame.error_code),
            last=frame.last_stream_id,
            debug=frame.additional_data.decode("latin-1"),
        )
        return [], []


class Stream:
    def __init__(self):
        self.headers, self.body, self.done = [], bytearray(), asyncio.get_running_loop().create_future()


class Tunnel:
    def __init__(self, link, client_side, serve=None, ping_after=None, deadline=30.0):
        config = H2Configuration(client_side=client_side, header_encoding="utf-8")
        self.conn, self.link, self.serve = Reversed(config), link, serve
        self.streams, self.window = {}, asyncio.Event()
        self.ping_after, self.deadline = ping_after, deadline
        self.heard = time.monotonic()
        self.tasks, self.frozen = set(), False

    def start(self):
        client = self.conn.config.client_side
        first = {SettingCodes.INITIAL_WINDOW_SIZE: WINDOW, SettingCodes.MAX_CONCURRENT_STREAMS: 100}
        first[SettingCodes.ENABLE_PUSH if client else SettingCodes.ENABLE_CONNECT_PROTOCOL] = 0 if client else 1
        # Initial values, not an update: python-h2 sends the first SETTINGS from what is current.
        self.conn.local_settings = Settings(client=client, initial_values=first)
        self.conn.initiate_connection()
        self.conn.increment_flow_control_window(WINDOW)

    def opening(self):
        """The first bytes of this end, to be sent by the caller in one write with a head."""
        self.start()
        return self.conn.data_to_send()

    def flush(self):
        if not self.frozen:
            self.link.send(self.conn.data_to_send())

    async def run(self):
        """Until the peer is gone; returns the reason."""
        watch = asyncio.create_task(self.watch(asyncio.current_task()))
        try:
            while True:
                data = await self.link.recv()
                if self.frozen:
                    await asyncio.sleep(3600)
                if not data:
                    return "end of stream"
                self.heard = time.monotonic()
                reason = self.receive(data)
                self.flush()
                await self.link.drain()
                if reason:
                    return reason
        except (ConnectionError, OSError, ProtocolError) as error:
            return f"{type(error).__name__}: {error}"
        except asyncio.CancelledError:
            return "silent"
        finally:
            watch.cancel()
            self.flush_quietly()
            for stream in self.streams.values():
                if not stream.done.done():
                    stream.done.set_exception(ConnectionError("tunnel closed"))
                    stream.done.exception()

    def flush_quietly(self):
        try:
            self.flush()
            self.link.end()
        except (ConnectionError, OSError, RuntimeError):
            pass

    async def watch(self, runner):
        """Uplink 5.2: ping a silent peer, give it up after 30 s without a byte."""
        pinged = 0.0
        while True:
            await asyncio.sleep(0.25)
            now = time.monotonic()
            if self.deadline and now - self.heard > self.deadline:
                runner.cancel()
                return
            if self.ping_after and now - max(self.heard, pinged) > self.ping_after:
                self.conn.ping(b"interop.")
                self.flush()
                pinged = now

    def receive(self, data):
        for event in self.conn.receive_data(data):
            if isinstance(event, RequestReceived):
                stream = self.streams[event.stream_id] = Stream()
                stream.headers = event.headers
            elif isinstance(event, ResponseReceived):
                self.streams[event.stream_id].headers = event.headers
            elif isinstance(event, DataReceived):
                self.streams[event.stream_id].body += event.data
                self.conn.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                self.ended(event.stream_id)
            elif isinstance(event, StreamReset):
                self.reset(event)
            elif isinstance(event, (WindowUpdated, RemoteSettingsChanged)):
                self.window.set()
            elif isinstance(event, PingReceived):
                emit("ping")
            elif isinstance(event, PingAckReceived):
                emit("pong")
            elif isinstance(event, SettingsAcknowledged):
                settings = self.conn.remote_settings
                emit("settings", connect_protocol=settings.enable_connect_protocol, window=settings.initial_window_size)
            elif isinstance(event, ConnectionTerminated):
                debug = (event.additional_data or b"").decode("latin-1")
                emit("goaway", code=int(event.error_code), last=event.last_stream_id, debug=debug)
                return f"GOAWAY {int(event.error_code)} {debug}".strip()
        return None

    def ended(self, stream_id):
        stream = self.streams[stream_id]
        if self.conn.config.client_side:
            if not stream.done.done():
                stream.done.set_result(stream)
            return
        task = asyncio.create_task(self.answer(stream_id, stream))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def reset(self, event):
        stream = self.streams.pop(event.stream_id, None)
        emit("reset", stream=event.stream_id, code=int(event.error_code))
        if stream and not stream.done.done():
            stream.done.set_exception(ConnectionError(f"stream reset {int(event.error_code)}"))
            stream.done.exception()

    async def answer(self, stream_id, stream):
        status, headers, body = self.serve(dict(stream.headers), bytes(stream.body))
        headers = [(":status", str(status)), *headers, ("content-length", str(len(body)))]
        try:
            self.conn.send_headers(stream_id, headers, end_stream=not body)
            await self.send_body(stream_id, body)
        except (ProtocolError, ConnectionError) as error:
            emit("unanswered", stream=stream_id, reason=str(error))
        self.streams.pop(stream_id, None)

    async def send_body(self, stream_id, body):
        view = memoryview(body)
        while len(view):
            room = min(self.conn.local_flow_control_window(stream_id), self.conn.max_outbound_frame_size, len(view))
            if room <= 0:
                self.window.clear()
                await self.window.wait()
                continue
            part, view = view[:room], view[room:]
            self.conn.send_data(stream_id, bytes(part), end_stream=not len(view))
            self.flush()
            await self.link.drain()
        self.flush()

    async def ask(self, method, path, headers=(), body=b"", authority="device", timeout=20.0):
        """One request of the cloud to the device, on the connection that the device dialled."""
        stream_id = self.conn.get_next_available_stream_id()
        stream = self.streams[stream_id] = Stream()
        head = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path), *headers]
        if body:
            head.append(("content-length", str(len(body))))
        self.conn.send_headers(stream_id, head, end_stream=not body)
        await self.send_body(stream_id, body)
        try:
            await asyncio.wait_for(asyncio.shield(stream.done), timeout)
        finally:
            self.streams.pop(stream_id, None)
        return int(dict(stream.headers)[":status"]), dict(stream.headers), bytes(stream.body)

    def goaway(self):
        """A client's GOAWAY: written by hand, since python-h2 would take the connection for closed."""
        from hyperframe.frame import GoAwayFrame

        self.flush()
        self.link.send(GoAwayFrame(0, last_stream_id=0, error_code=0).serialize())
