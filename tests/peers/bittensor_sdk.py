"""The Python SDK against the sandbox: every commitment that the node holds must come back from the SDK.

    python bittensor_sdk.py ws://127.0.0.1:PORT

What the node holds is read over a second connection as raw keys and values. Prints one line and exits 0 when the SDK
returns the same hotkeys, blocks and contents, and the subnet's name; otherwise says what differs and exits 1. Needs bittensor 11.3.0.
"""

import asyncio
import os
import sys
import tempfile

from node import commitments

NETUID = 81
RAW_FIRST, RAW_LAST = 1, 129


def single_raw(stored):
    """Content of a registration with exactly one Raw field; None for every other form."""
    count, first = stored[12], stored[13] if len(stored) > 13 else None
    if count != 1 << 2 or first is None or not RAW_FIRST <= first <= RAW_LAST:
        return None
    content = stored[14 : 14 + first - RAW_FIRST]
    return content if len(stored) == 14 + len(content) else None


def text(content):
    """Content as the SDK shows it."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return "0x" + content.hex()


def differences(held, returned):
    for hotkey in held.keys() - returned.keys():
        yield f"{hotkey.hex()} is on chain and was not returned"
    for hotkey in returned.keys() - held.keys():
        yield f"{hotkey.hex()} was returned and is not on chain"
    for hotkey in held.keys() & returned.keys():
        stored, commitment = held[hotkey], returned[hotkey]
        block = int.from_bytes(stored[8:12], "little")
        if commitment.block != block:
            yield f"{hotkey.hex()}: block {commitment.block}, not {block}"
        content = single_raw(stored)
        if content is not None and commitment.data != text(content):
            yield f"{hotkey.hex()}: content {commitment.data!r}, not {text(content)!r}"


def main(url):
    with tempfile.TemporaryDirectory() as home:
        # The SDK caches metadata and token symbols in the home directory; the sandbox's have no business in a real one.
        os.environ["HOME"] = home
        from bittensor import Subtensor
        from bittensor.sp_core import ss58_decode

        held = asyncio.run(commitments(url, NETUID, "chain_getBlockHash"))
        subtensor = Subtensor(url)
        try:
            answer = subtensor.subnets.commitments(NETUID)
            identity = subtensor.subnets.subnet_identity(NETUID) or {}
        finally:
            subtensor.close()
        returned = {bytes(ss58_decode(hotkey)): commitment for hotkey, commitment in answer.items()}
        wrong = list(differences(held, returned))
        if not held:
            wrong.append("the node holds no commitment at all")
        if identity.get("subnet_name") != "GRAIL":
            wrong.append(f"the subnet is called {identity.get('subnet_name')!r}")
        for line in wrong[:20]:
            print(line, file=sys.stderr)
        if wrong:
            raise SystemExit(f"the SDK and the node differ in {len(wrong)} places")
        print(f"the SDK returned all {len(returned)} commitments")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(sys.argv[1])
