"""PyPI's aerospike on a leash: one JSON command a line on stdin, one JSON answer a line on stdout.

Values travel with their type, as {"int": "1"} or {"float": 1.0}: JSON alone cannot tell one from
the other.
"""

import base64
import json
import sys

import aerospike


def tag(value):
    if value is None:
        return {"null": True}
    if isinstance(value, bool):
        return {"bool": value}
    if isinstance(value, int):
        return {"int": str(value)}
    if isinstance(value, float):
        return {"float": value}
    if isinstance(value, str):
        return {"text": value}
    if isinstance(value, (bytes, bytearray)):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return {"list": [tag(item) for item in value]}
    if isinstance(value, dict):
        return {"map": [[key, tag(item)] for key, item in value.items()]}
    return {"unknown": type(value).__name__}


def untag(tagged):
    ((kind, value),) = tagged.items()
    if kind == "null":
        return None
    if kind == "int":
        return int(value)
    if kind == "float":
        return float(value)
    if kind == "bytes":
        return base64.b64decode(value)
    if kind == "list":
        return [untag(item) for item in value]
    if kind == "map":
        return {key: untag(item) for key, item in value}
    return value


def put(client, key, command):
    client.put(key, {"data": untag(command["data"])}, {"ttl": command["ttl"]})


def get(client, key, _command):
    try:
        _, meta, bins = client.get(key)
    except aerospike.exception.RecordNotFound:
        return None
    return {"ttl": meta["ttl"], "data": tag(bins["data"])}


def touch(client, key, command):
    client.touch(key, command["ttl"])


def remove(client, key, _command):
    client.remove(key)


COMMANDS = {"put": put, "get": get, "touch": touch, "remove": remove}


def main():
    hosts = [(host.rsplit(":", 1)[0], int(host.rsplit(":", 1)[1])) for host in sys.argv[1].split(",")]
    client = aerospike.client({"hosts": hosts}).connect()
    for line in sys.stdin:
        command = json.loads(line)
        try:
            answer = {"ok": COMMANDS[command["do"]](client, tuple(command["key"]), command)}
        except Exception as error:  # every failure is the test's to report
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    client.close()


main()
