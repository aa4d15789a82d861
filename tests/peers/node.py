"""A node's JSON-RPC without the SDK, so that the SDK is not its own witness."""

import json
from contextlib import asynccontextmanager

# twox128("Commitments") ++ twox128("CommitmentOf").
COMMITMENT_OF = "0xca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf"
PAGE = 1000


@asynccontextmanager
async def asked(url):
    """A connection, as the function that calls a method on it."""
    from websockets.asyncio.client import connect

    async with connect(url, max_size=None) as socket:

        async def call(method, *params):
            await socket.send(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))
            answer = json.loads(await socket.recv())
            if "error" in answer:
                raise SystemExit(f"{method} failed: {answer['error']}")
            return answer["result"]

        yield call


async def commitments(url, netuid, head_method):
    """Account to stored value of a subnet's commitments, in the state of the block whose hash that method answers."""
    prefix = COMMITMENT_OF + netuid.to_bytes(2, "little").hex()
    async with asked(url) as call:
        head = await call(head_method)
        keys = []
        while page := await call("state_getKeysPaged", prefix, PAGE, keys[-1] if keys else None, head):
            keys += page
        (changes,) = await call("state_queryStorageAt", keys, head)
    # A key ends with the account.
    return {bytes.fromhex(key[-64:]): bytes.fromhex(value[2:]) for key, value in changes["changes"]}
