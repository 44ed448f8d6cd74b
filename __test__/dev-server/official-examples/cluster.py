"""The cluster itself."""

import time

import aerospike
from aerospike import exception as errors
from tools import raises


def connect_and_close(hosts, **_):
    client = aerospike.client({"hosts": hosts})
    assert client.is_connected()
    assert len(client.get_nodes()) > 0
    client.close()
    assert not client.is_connected()
    raises(errors.AerospikeError, aerospike.client, {"hosts": [("127.0.0.1", 1)]})


def info(client, namespaces, **_):
    names = client.get_node_names()
    answers = client.info_all("node")
    assert {name: (None, f"{name}\n") for name in answers} == answers, answers
    assert sorted(answers) == sorted(name["node_name"] for name in names), names
    for error, build in client.info_all("build").values():
        assert error is None and build.startswith("8."), build
    assert "test" in namespaces
    answer = client.info_random_node("namespace/test").split("\t")[1].strip()
    fields = dict(pair.split("=", 1) for pair in answer.split(";"))
    for name in ["objects", "expired_objects", "stop_writes", "data_used_bytes", "nsup-period", "default-ttl", "replication-factor"]:
        assert name in fields, name
    raises(errors.InvalidRequest, client.info_random_node, "no-such-command")


def truncate(client, key, set, **_):
    client.put(key("a"), {"n": 1})
    client.put(key("b"), {"n": 2})
    # A truncation does not affect records that were written in the same millisecond.
    time.sleep(0.005)
    client.truncate("test", set, 0)
    while client.scan("test", set).results():
        pass
    assert client.exists(key("a"))[1] is None
    client.put(key("a"), {"n": 3})
    assert client.get(key("a"))[2] == {"n": 3}


EXAMPLES = [
    connect_and_close,
    info,
    truncate,
]
