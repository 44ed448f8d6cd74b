"""Many records in one request."""

import aerospike
from aerospike import exception as errors
from aerospike import predicates
from aerospike_helpers import expressions as exp
from aerospike_helpers.batch import records as batch
from aerospike_helpers.operations import operations as op
from tools import about, raises

NOT_FOUND, EXISTS = 2, 5


def put_many(client, key, count):
    for n in range(count):
        client.put(key(f"k{n}"), {"n": n, "kind": "odd" if n % 2 else "even"})


def numbers(rows):
    return sorted(bins["n"] for _, _, bins in rows)


def batch_reads(client, key, **_):
    put_many(client, key, 3)
    keys = [key("k0"), key("k1"), key("none")]
    rows = client.batch_read(keys).batch_records
    assert [row.result for row in rows] == [0, 0, NOT_FOUND]
    assert [row.record[2] for row in rows[:2]] == [{"n": 0, "kind": "even"}, {"n": 1, "kind": "odd"}]
    rows = client.batch_read(keys, ["n"]).batch_records
    assert [row.record[2] for row in rows[:2]] == [{"n": 0}, {"n": 1}]
    rows = client.batch_read(keys, []).batch_records
    assert [row.result for row in rows] == [0, 0, NOT_FOUND]


def a_batch_of_mixed_rows(client, key, **_):
    put_many(client, key, 3)
    create = {"exists": aerospike.POLICY_EXISTS_CREATE}
    rows = batch.BatchRecords(
        [
            batch.Write(key("new"), [op.write("n", 100), op.read("n")]),
            batch.Write(key("k0"), [op.increment("n", 5), op.read("n")]),
            batch.Read(key("k1"), None, read_all_bins=True),
            batch.Remove(key("k2")),
            batch.Remove(key("none")),
            batch.Write(key("k1"), [op.write("n", 0)], policy=create),
        ]
    )
    client.batch_write(rows)
    rows = rows.batch_records
    assert [row.result for row in rows] == [0, 0, 0, 0, NOT_FOUND, EXISTS], [row.result for row in rows]
    assert [row.record[2]["n"] for row in rows[:3]] == [100, 5, 1]
    assert client.exists(key("k2"))[1] is None


def batch_writes_with_a_time_to_live(client, key, **_):
    client.batch_write(batch.BatchRecords([batch.Write(key("a"), [op.write("n", 1)], meta={"ttl": 300})]))
    about(client.get(key("a"))[1]["ttl"], 300)


def scan(client, key, set, **_):
    put_many(client, key, 50)
    rows = []
    client.scan("test", set).foreach(rows.append)
    assert numbers(rows) == list(range(50))
    selected = client.scan("test", set)
    selected.select("n")
    assert all(list(bins) == ["n"] for _, _, bins in selected.results())
    bare = []
    client.scan("test", set).foreach(bare.append, {}, {"nobins": True})
    assert len(bare) == 50 and not any(bins for _, _, bins in bare)
    odd = client.scan("test", set).results({"expressions": exp.Eq(exp.StrBin("kind"), "odd").compile()})
    assert numbers(odd) == list(range(1, 50, 2))
    assert client.scan("test", f"{set}-none").results() == []


def scan_of_some_partitions(client, key, set, **_):
    put_many(client, key, 50)

    def part(begin, count):
        return client.scan("test", set).results({"partition_filter": {"begin": begin, "count": count}})

    assert numbers(part(0, 2048) + part(2048, 2048)) == list(range(50))


def scan_in_pages(client, key, set, **_):
    put_many(client, key, 25)
    walk = client.scan("test", set)
    walk.paginate()
    pages = []
    while not walk.is_done():
        pages.append(walk.results({"max_records": 10}))
    assert len(pages) >= 3 and all(len(page) <= 10 for page in pages), [len(page) for page in pages]
    assert numbers(row for page in pages for row in page) == list(range(25))


def query_on_integers(client, key, set, indexed, **_):
    put_many(client, key, 20)

    def query(where, policy={}):
        found = client.query("test", set)
        found.where(where)
        return found.results(policy)

    with indexed("n", aerospike.INDEX_NUMERIC):
        assert numbers(query(predicates.between("n", 5, 8))) == [5, 6, 7, 8]
        assert numbers(query(predicates.equals("n", 7))) == [7]
        assert query(predicates.equals("n", 99)) == []
        even = {"expressions": exp.Eq(exp.StrBin("kind"), "even").compile()}
        assert numbers(query(predicates.between("n", 5, 8), even)) == [6, 8]
        client.put(key("k5"), {"n": 500})
        client.remove(key("k6"))
        assert numbers(query(predicates.between("n", 5, 8))) == [7, 8]


def query_on_strings(client, key, set, indexed, **_):
    put_many(client, key, 20)

    def query():
        found = client.query("test", set)
        found.select("n")
        found.where(predicates.equals("kind", "odd"))
        return found.results()

    with indexed("kind", aerospike.INDEX_STRING):
        rows = query()
        assert numbers(rows) == list(range(1, 20, 2))
        assert list(rows[0][2]) == ["n"]
    raises(errors.IndexNotFound, query)


EXAMPLES = [
    batch_reads,
    a_batch_of_mixed_rows,
    batch_writes_with_a_time_to_live,
    scan,
    scan_of_some_partitions,
    scan_in_pages,
    query_on_integers,
    query_on_strings,
]
