"""A node's JSON-RPC without the SDK, so that the SDK is not its own witness."""

import json
from contextlib import asynccontextmanager

# twox128("Commitments") ++ twox128("CommitmentOf").
COMMITMENT_OF = "0xca407206ec1ab726b2636c4b145ac287419a60ae8b01e6dcaebd7317e43c69bf"


def commitments_of(netuid):
    """Prefix of the keys of a subnet's commitments; each ends with the account."""
    return COMMITMENT_OF + netuid.to_bytes(2, "little").hex()


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
