"""Sets up a MongoDB replica set of one node, where no MongoDB shell is at hand.

Usage: mongo_replica_set.py initiate|is-primary PORT SET_NAME

Exits 0 if the set is initiated, or if the node is its writable primary; 1 if not (yet).
"""

import socket
import struct
import sys

OP_MSG = 2013
OK = b"\x01ok\x00" + struct.pack("<d", 1.0)
ALREADY_INITIATED = b"\x02codeName\x00" + struct.pack("<i", 19) + b"AlreadyInitialized\x00"
WRITABLE_PRIMARY = b"\x08isWritablePrimary\x00\x01"


def bson(document):
    """Encodes a dict of strings, small integers, dicts and lists."""
    elements = b"".join(element(name, value) for name, value in document.items())
    return struct.pack("<i", len(elements) + 5) + elements + b"\x00"


def element(name, value):
    if isinstance(value, str):
        text = value.encode() + b"\x00"
        kind, body = b"\x02", struct.pack("<i", len(text)) + text
    elif isinstance(value, int):
        kind, body = b"\x10", struct.pack("<i", value)
    elif isinstance(value, list):
        kind, body = b"\x04", bson({str(i): item for i, item in enumerate(value)})
    else:
        kind, body = b"\x03", bson(value)
    return kind + name.encode() + b"\x00" + body


def run_command(port, command):
    """Answers the reply's BSON as bytes: what is looked for in it is found without decoding."""
    body = struct.pack("<i", 0) + b"\x00" + bson({**command, "$db": "admin"})
    message = struct.pack("<iiii", len(body) + 16, 1, 0, OP_MSG) + body
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        connection.sendall(message)
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack("<i", stream.read(4))
            return stream.read(length - 4)


def initiate(port, set_name):
    member = {"_id": 0, "host": f"127.0.0.1:{port}"}
    reply = run_command(port, {"replSetInitiate": {"_id": set_name, "members": [member]}})
    return OK in reply or ALREADY_INITIATED in reply


def is_primary(port):
    return WRITABLE_PRIMARY in run_command(port, {"hello": 1})


def main():
    if len(sys.argv) != 4 or sys.argv[1] not in ("initiate", "is-primary"):
        sys.exit(__doc__)
    action, port, set_name = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    try:
        done = initiate(port, set_name) if action == "initiate" else is_primary(port)
    except (OSError, struct.error):
        done = False
    sys.exit(0 if done else 1)


main()
