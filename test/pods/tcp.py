"""TCP for tests: `listen ADDRESS/PORT...` says to whom it was meant to go, then echoes; `connect ADDRESS PORT` talks."""
import selectors
import socket
import struct
import sys


def original(connection):
    """Where the caller wanted to go: SO_ORIGINAL_DST, else where it came to."""
    peer = connection.getpeername()[0]
    try:
        if connection.family == socket.AF_INET6 and not peer.startswith("::ffff:"):
            raw = connection.getsockopt(41, 80, 28)
            return f"[{socket.inet_ntop(socket.AF_INET6, raw[8:24])}]:{struct.unpack('!H', raw[2:4])[0]}"
        raw = connection.getsockopt(socket.SOL_IP, 80, 16)
        return f"{socket.inet_ntoa(raw[4:8])}:{struct.unpack('!H', raw[2:4])[0]}"
    except OSError:
        host, port = connection.getsockname()[:2]
        host = host.removeprefix("::ffff:")
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def listen(places):
    selector = selectors.DefaultSelector()
    for place in places:
        address, port = place.rsplit("/", 1)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        listener = socket.create_server(
            (address, int(port)), family=family, dualstack_ipv6=address == "::", backlog=64
        )
        selector.register(listener, selectors.EVENT_READ, True)
    print("listening", flush=True)
    while True:
        for key, _ in selector.select():
            if key.data is True:
                connection, peer = key.fileobj.accept()
                selector.register(connection, selectors.EVENT_READ, False)
                port = key.fileobj.getsockname()[1]
                host = peer[0].removeprefix("::ffff:")
                connection.sendall(f"{port} of {original(connection)} by {host}\n".encode())
                continue
            try:
                data = key.fileobj.recv(65536)
                if data:
                    key.fileobj.sendall(data)
                    continue
            except OSError:
                pass
            selector.unregister(key.fileobj)
            key.fileobj.close()


def connect(address, port, mark="0", source=""):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family)
    connection.settimeout(5)
    if int(mark):
        connection.setsockopt(socket.SOL_SOCKET, 36, int(mark))
    if source:
        connection.bind((source, 0))
    connection.connect((address, int(port)))
    reader = connection.makefile("r")
    sys.stdout.write(reader.readline() or "closed\n")
    sys.stdout.flush()
    for line in sys.stdin:
        connection.sendall(line.encode())
        sys.stdout.write(reader.readline() or "closed\n")
        sys.stdout.flush()


try:
    listen(sys.argv[2:]) if sys.argv[1] == "listen" else connect(*sys.argv[2:])
except OSError as error:
    print(f"failed: {error.strerror or error}", flush=True)
