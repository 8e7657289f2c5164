"""python lossy_proxy.py TARGET_HOST TARGET_PORT

A TCP proxy on a free port of 127.0.0.1 that breaks its connections on command. Prints {"event": "listening", "port"}, then reads
operations as JSON, one a line, and answers each with {"event": "cut", "id", "count"}.

  {"op": "cut", "id", "how", "pick", "ms"}

`pick` is a number in [0, 1) that chooses one of the open connections, or null for all of them. `how`:

  rst, fin   both sides are closed that way
  blackhole  no packet passes any more in either direction, not even an acknowledgement; after `ms` both sides get a reset
  stall      the same, but after `ms` all goes on as if nothing had been

The hole is a socket filter of the kernel (SO_ATTACH_FILTER) that drops each segment before TCP sees it: to the peer the machine is gone,
and only its own keepalive tells it.
"""

import ctypes
import json
import socket
import struct
import sys
import threading

SO_ATTACH_FILTER, SO_DETACH_FILTER = 26, 27
# One instruction, BPF_RET | BPF_K with 0: drop the packet.
DROP_ALL = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
PROGRAM = struct.pack("HL", 1, ctypes.addressof(DROP_ALL))

output_lock = threading.Lock()
connections = set()


def emit(**fields):
    with output_lock:
        sys.stdout.write(json.dumps(fields) + "\n")
        sys.stdout.flush()


class Connection:
    def __init__(self, near, far):
        self.sockets = (near, far)
        self.passable = threading.Event()
        self.passable.set()
        self.isOver = False
        for source, sink in ((near, far), (far, near)):
            source.settimeout(None)
            source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self.relay, args=(source, sink), daemon=True).start()

    def relay(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                self.passable.wait()
                if not data:
                    break
                sink.sendall(data)
        except OSError:
            pass
        self.close(abort=False)

    def close(self, abort):
        if self.isOver:
            return
        self.isOver = True
        connections.discard(self)
        for each in self.sockets:
            try:
                if abort:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    # A socket that another thread reads is not closed by close() alone; this one is disconnected by its reset.
                    disconnect(each)
                else:
                    each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            each.close()
        self.passable.set()

    def cover(self):
        self.passable.clear()
        for each in self.sockets:
            each.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, PROGRAM)

    def uncover(self, abort):
        for each in self.sockets:
            try:
                each.setsockopt(socket.SOL_SOCKET, SO_DETACH_FILTER, 0)
            except OSError:
                pass
        if abort:
            self.close(abort=True)
        self.passable.set()


def disconnect(each):
    """connect(AF_UNSPEC): with SO_LINGER at 0 the peer gets a reset at once."""
    libc = ctypes.CDLL(None)
    libc.connect(each.fileno(), struct.pack("H14x", socket.AF_UNSPEC), 16)
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


def cut(how, pick, ms):
    chosen = sorted(connections, key=id)
    if pick is not None:
        chosen = chosen[int(pick * len(chosen)) :][:1]
    for connection in chosen:
        if how in ("rst", "fin"):
            connection.close(abort=how == "rst")
        else:
            connection.cover()
            threading.Timer(ms / 1000.0, connection.uncover, args=(how == "blackhole",)).start()
    return len(chosen)


def accept(server, target):
    while True:
        near, _ = server.accept()
        try:
            connections.add(Connection(near, socket.create_connection(target, 10)))
        except OSError:
            near.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            near.close()


def main():
    target = (sys.argv[1], int(sys.argv[2]))
    server = socket.create_server(("127.0.0.1", 0), backlog=128)
    threading.Thread(target=accept, args=(server, target), daemon=True).start()
    emit(event="listening", port=server.getsockname()[1])
    for line in sys.stdin:
        operation = json.loads(line)
        count = cut(operation["how"], operation["pick"], operation["ms"])
        emit(event="cut", id=operation["id"], count=count)


main()
