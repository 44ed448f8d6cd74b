"""Operations inside maps and lists."""

import aerospike
from aerospike import exception as errors
from aerospike_helpers import cdt_ctx
from aerospike_helpers.operations import list_operations as lists
from aerospike_helpers.operations import map_operations as maps
from tools import raises


def maps_(client, key, **_):
    def run(*steps):
        return client.operate(key("a"), list(steps))[2].get("map")

    keys, values, count = aerospike.MAP_RETURN_KEY, aerospike.MAP_RETURN_VALUE, aerospike.MAP_RETURN_COUNT
    client.put(key("a"), {"map": {"c": 3, "a": 1}})
    assert run(maps.map_put("map", "b", 2)) == 3
    assert run(maps.map_put_items("map", {"d": 4, "e": [5]})) == 5
    assert run(maps.map_increment("map", "a", 10)) == 11
    assert run(maps.map_get_by_key("map", "b", values)) == 2
    assert run(maps.map_get_by_key("map", "none", values)) is None
    assert run(maps.map_get_by_key_range("map", "b", "d", keys)) == ["b", "c"]
    assert run(maps.map_get_by_index_range("map", -2, 2, keys)) == ["d", "e"]
    assert run(maps.map_get_by_rank("map", 0, values)) == 2
    assert run(maps.map_get_by_value("map", 3, keys)) == ["c"]
    assert run(maps.map_remove_by_key("map", "c", values)) == 3
    assert run(maps.map_remove_by_key_list("map", ["a", "none"], count)) == 1
    assert run(maps.map_size("map")) == 3
    raises(errors.InvalidRequest, run, maps.map_increment("map", "e", 1))
    create_only = {"map_write_flags": aerospike.MAP_WRITE_FLAGS_CREATE_ONLY}
    raises(errors.ElementExistsError, run, maps.map_put("map", "b", 0, create_only))
    run(maps.map_clear("map"))
    assert client.get(key("a"))[2] == {"map": {}}


def lists_(client, key, **_):
    def run(*steps):
        return client.operate(key("a"), list(steps))[2].get("list")

    client.put(key("a"), {"list": [3, 1]})
    assert run(lists.list_append("list", 2)) == 3
    assert run(lists.list_append_items("list", [5, 4])) == 5
    assert run(lists.list_insert("list", 0, 9)) == 6
    assert run(lists.list_get("list", -1)) == 4
    assert run(lists.list_get_range("list", 1, 2)) == [3, 1]
    assert run(lists.list_get_by_rank("list", -1, aerospike.LIST_RETURN_VALUE)) == 9
    assert run(lists.list_get_by_value_list("list", [1, 7], aerospike.LIST_RETURN_INDEX)) == [2]
    assert run(lists.list_pop("list", 0)) == 9
    assert run(lists.list_increment("list", 0, 7)) == 10
    run(lists.list_set("list", 0, 0))
    run(lists.list_sort("list"))
    assert client.get(key("a"))[2]["list"] == [0, 1, 2, 4, 5]
    assert run(lists.list_remove_by_value("list", 4, aerospike.LIST_RETURN_COUNT)) == 1
    assert run(lists.list_trim("list", 1, 2)) == 2
    assert run(lists.list_size("list")) == 2
    raises(errors.OpNotApplicable, run, lists.list_get("list", 9))
    run(lists.list_clear("list"))
    assert client.get(key("a"))[2] == {"list": []}


def nested_contexts(client, key, **_):
    client.put(key("a"), {"cart": {"items": [{"name": "tea", "n": 1}, {"name": "pot", "n": 2}]}})
    items = cdt_ctx.cdt_ctx_map_key("items")

    def run(step):
        return client.operate(key("a"), [step])[2].get("cart")

    assert run(maps.map_increment("cart", "n", 5, ctx=[items, cdt_ctx.cdt_ctx_list_index(1)])) == 7
    run(lists.list_append("cart", {"name": "cup"}, ctx=[items]))
    last = [items, cdt_ctx.cdt_ctx_list_index(-1)]
    assert run(maps.map_get_by_key("cart", "name", aerospike.MAP_RETURN_VALUE, ctx=last)) == "cup"
    nowhere = [cdt_ctx.cdt_ctx_map_key("none"), cdt_ctx.cdt_ctx_list_index(0)]
    raises(errors.AerospikeError, run, maps.map_put("cart", "x", 1, ctx=nowhere))
    assert client.get(key("a"))[2]["cart"] == {"items": [{"name": "tea", "n": 1}, {"name": "pot", "n": 7}, {"name": "cup"}]}


EXAMPLES = [
    maps_,
    lists_,
    nested_contexts,
]
