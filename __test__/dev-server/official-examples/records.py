"""One record at a time."""

import aerospike
from aerospike import exception as errors
from aerospike_helpers import expressions as exp
from aerospike_helpers.operations import operations as op
from tools import about, raises


def put_and_get(client, key, **_):
    bins = {"whole": 7, "fraction": 0.5, "text": "tea", "bytes": b"\x00\xff", "yes": True, "list": [1, "two", [3]]}
    bins["map"] = {"a": {"b": None}, 7: "seven"}
    client.put(key("a"), bins)
    _, meta, got = client.get(key("a"))
    assert got == bins, got
    assert meta["gen"] == 1, meta
    client.put(key("a"), {"more": 1})
    client.remove_bin(key("a"), ["text", "bytes"])
    assert set(client.get(key("a"))[2]) == {"whole", "fraction", "yes", "list", "map", "more"}


def select(client, key, **_):
    client.put(key("a"), {"one": 1, "two": 2, "three": 3})
    assert client.select(key("a"), ["one", "three", "none"])[2] == {"one": 1, "three": 3}
    raises(errors.RecordNotFound, client.select, key("none"), ["one"])


def exists(client, key, **_):
    assert client.exists(key("a"))[1] is None
    client.put(key("a"), {"n": 1})
    assert client.exists(key("a"))[1]["gen"] == 1


def touch(client, key, **_):
    client.put(key("a"), {"n": 1}, {"ttl": 100})
    client.touch(key("a"), 1_000)
    meta = client.exists(key("a"))[1]
    about(meta["ttl"], 1_000)
    assert meta["gen"] == 2, meta
    raises(errors.RecordNotFound, client.touch, key("none"), 10)


def operate_in_order(client, key, **_):
    client.put(key("a"), {"n": 1, "text": "b"})
    steps = [op.increment("n", 4), op.read("n"), op.append("text", "c"), op.prepend("text", "a"), op.read("text"), op.write("new", [1])]
    assert client.operate(key("a"), steps)[2] == {"n": 5, "text": "abc"}
    _, _, results = client.operate_ordered(key("a"), [op.increment("n", 1), op.read("n"), op.increment("n", 1), op.read("n")])
    assert [row for row in results if row[1] is not None] == [("n", 6), ("n", 7)], results
    client.operate(key("a"), [op.delete()])
    assert client.exists(key("a"))[1] is None


def append_prepend_and_increment(client, key, **_):
    client.put(key("a"), {"text": "b", "n": 1})
    client.append(key("a"), "text", "c")
    client.append(key("a"), "fresh", "x")
    client.prepend(key("a"), "text", "a")
    client.increment(key("a"), "n", -3)
    client.increment(key("a"), "born", 9)
    assert client.get(key("a"))[2] == {"text": "abc", "fresh": "x", "n": -2, "born": 9}
    raises(errors.BinIncompatibleType, client.increment, key("a"), "text", 1)
    raises(errors.BinIncompatibleType, client.append, key("a"), "n", "x")


def remove(client, key, **_):
    client.put(key("a"), {"n": 1})
    client.remove(key("a"))
    raises(errors.RecordNotFound, client.get, key("a"))
    raises(errors.RecordNotFound, client.remove, key("a"))


def generation_policies(client, key, **_):
    equal, greater = {"gen": aerospike.POLICY_GEN_EQ}, {"gen": aerospike.POLICY_GEN_GT}
    client.put(key("a"), {"n": 1})
    client.put(key("a"), {"n": 2}, {"gen": 1}, equal)
    raises(errors.RecordGenerationError, client.put, key("a"), {"n": 3}, {"gen": 1}, equal)
    raises(errors.RecordGenerationError, client.put, key("a"), {"n": 3}, {"gen": 2}, greater)
    client.put(key("a"), {"n": 4}, {"gen": 9}, greater)
    raises(errors.RecordGenerationError, client.remove, key("a"), {"gen": 1}, equal)
    _, meta, bins = client.get(key("a"))
    assert (bins["n"], meta["gen"]) == (4, 3), (bins, meta)


def existence_policies(client, key, **_):
    def put(bins, policy):
        client.put(key("a"), bins, policy={"exists": policy})

    raises(errors.RecordNotFound, put, {"n": 1}, aerospike.POLICY_EXISTS_UPDATE)
    put({"n": 1, "m": 1}, aerospike.POLICY_EXISTS_CREATE)
    raises(errors.RecordExistsError, put, {"n": 2}, aerospike.POLICY_EXISTS_CREATE)
    put({"n": 2}, aerospike.POLICY_EXISTS_UPDATE)
    assert client.get(key("a"))[2] == {"n": 2, "m": 1}
    put({"n": 3}, aerospike.POLICY_EXISTS_REPLACE)
    assert client.get(key("a"))[2] == {"n": 3}


def user_keys(client, key, set, **_):
    client.put(key("kept"), {"n": 1}, policy={"key": aerospike.POLICY_KEY_SEND})
    client.put(key("left out"), {"n": 2})
    rows = client.scan("test", set).results()
    assert {bins["n"]: k[2] for k, _, bins in rows} == {1: "kept", 2: None}, rows


def time_to_live(client, key, **_):
    def ttl_after(ttl):
        client.put(key("a"), {"n": 1}, {"ttl": ttl})
        return client.get(key("a"))[1]["ttl"]

    about(ttl_after(500), 500)
    about(ttl_after(aerospike.TTL_DONT_UPDATE), 500)
    assert ttl_after(aerospike.TTL_NEVER_EXPIRE) == aerospike.TTL_NEVER_EXPIRE
    assert ttl_after(aerospike.TTL_NAMESPACE_DEFAULT) == aerospike.TTL_NEVER_EXPIRE
    raises(errors.InvalidRequest, ttl_after, 10 * 365 * 24 * 3600 + 1)


def a_namespace_without_time_to_live(client, set, namespaces, **_):
    if "nottl" not in namespaces:
        return
    key = ("nottl", set, "a")
    raises(errors.ForbiddenError, client.put, key, {"n": 1}, {"ttl": 100})
    client.put(key, {"n": 1})
    raises(errors.ForbiddenError, client.touch, key, 100)
    client.put(key, {"n": 2}, {"ttl": aerospike.TTL_NEVER_EXPIRE})
    assert client.get(key)[2] == {"n": 2}
    client.remove(key)


def filter_expressions(client, key, **_):
    client.put(key("a"), {"n": 5, "text": "tea", "map": {"size": 2}})

    def get(expression):
        return client.get(key("a"), {"expressions": expression.compile()})[2]

    assert get(exp.GT(exp.IntBin("n"), 4))["n"] == 5
    raises(errors.FilteredOut, get, exp.GT(exp.IntBin("n"), 5))
    get(exp.And(exp.Eq(exp.StrBin("text"), "tea"), exp.Not(exp.BinExists("none"))))
    size = exp.MapGetByKey(None, aerospike.MAP_RETURN_VALUE, exp.ResultType.INTEGER, "size", exp.MapBin("map"))
    get(exp.Eq(size, 2))
    refusing = {"expressions": exp.LT(exp.IntBin("n"), 0).compile()}
    raises(errors.FilteredOut, client.remove, key("a"), None, refusing)
    assert client.exists(key("a"))[1] is not None


EXAMPLES = [
    put_and_get,
    select,
    exists,
    touch,
    operate_in_order,
    append_prepend_and_increment,
    remove,
    generation_policies,
    existence_policies,
    user_keys,
    time_to_live,
    a_namespace_without_time_to_live,
    filter_expressions,
]
