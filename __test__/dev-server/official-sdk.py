"""PyPI's aerospike-sdk on a leash: one JSON command a line on stdin, one JSON answer a line on stdout."""

import asyncio
import json
import sys

from aerospike_sdk import AerospikeError, Behavior, ClusterDefinition, DataSet

TTL_REFUSED = 22


async def succeeds(builder):
    """False where there is no record to work on."""
    row = await (await builder.execute()).first()
    return row is not None and row.is_ok


async def with_ttl(builder, ttl, without):
    """Says what came of it. A namespace that refuses TTLs gets `without`."""
    try:
        return await succeeds(builder.expire_record_after_seconds(ttl))
    except AerospikeError as error:
        if error.result_code != TTL_REFUSED:
            raise
        return await succeeds(without)


async def save(session, key, command):
    bins = {"data": command["data"]}
    return await with_ttl(session.upsert(key).put(bins), command["ttl"], session.upsert(key).put(bins))


async def get(session, key, _command):
    row = await (await session.query(key).execute()).first()
    if row is None or not row.is_ok:
        return None
    return {"ttl": row.record.ttl, "data": row.record.bins["data"]}


async def touch(session, key, command):
    return await with_ttl(session.touch(key), command["ttl"], session.touch(key))


async def delete(session, key, _command):
    return await succeeds(session.delete(key))


COMMANDS = {"save": save, "get": get, "touch": touch, "delete": delete}


async def main():
    host, port = sys.argv[1].split(",")[0].rsplit(":", 1)
    async with ClusterDefinition(host, int(port)).connect() as cluster:
        session = cluster.create_session(Behavior.DEFAULT)
        for line in sys.stdin:
            command = json.loads(line)
            namespace, set_name, id = command["key"]
            key = DataSet.of(namespace, set_name).id(id)
            try:
                answer = {"ok": await COMMANDS[command["do"]](session, key, command)}
            except Exception as error:  # every failure is the test's to report
                answer = {"error": f"{type(error).__name__}: {error}"}
            print(json.dumps(answer), flush=True)


asyncio.run(main())
