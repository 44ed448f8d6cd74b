"""Runs one example with PyPI's aerospike: `python main.py HOSTS SET NAME`. What it says is in the exit code, and in
the error on stderr."""

import contextlib
import sys

import aerospike

import cluster
import many
import nested
import records

EXAMPLES = {
    example.__name__.strip("_").replace("_", " "): example
    for example in [*records.EXAMPLES, *nested.EXAMPLES, *many.EXAMPLES, *cluster.EXAMPLES]
}


def main(hosts, set, name):
    hosts = [(host.rsplit(":", 1)[0], int(host.rsplit(":", 1)[1])) for host in hosts.split(",")]
    client = aerospike.client({"hosts": hosts})

    @contextlib.contextmanager
    def indexed(bin, kind):
        index = f"{set}-{bin}"
        client.index_single_value_create("test", set, bin, kind, index)
        try:
            yield
        finally:
            client.index_remove("test", index)

    namespaces = client.info_random_node("namespaces").split("\t")[1].strip().split(";")
    try:
        EXAMPLES[name](
            client=client,
            hosts=hosts,
            set=set,
            namespaces=namespaces,
            key=lambda id: ("test", set, id),
            indexed=indexed,
        )
    finally:
        for (_, _, _, digest), _, _ in client.scan("test", set).results():
            with contextlib.suppress(aerospike.exception.RecordNotFound):
                client.remove(("test", set, None, digest))
        client.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
