"""The Python SDK commits to the sandbox with the practice hotkey of the wallet on disk, and the chain has it.

    python bittensor_commit.py SERVED.json [committed | failed:ERROR | refused:ERROR]

SERVED.json is what `grail-console sandbox --serve --json` prints. The SDK signs, submits, waits for finality and reads
back; then the stored value and the events are read over a second connection without the SDK. Prints one
line and exits 0 when the end is the expected one (`committed`, without a second argument); otherwise says what it was and
exits 1. Needs bittensor 11.3.0.
"""

import asyncio
import json
import os
import sys
import tempfile

from node import commitments

# A practice value of the right shape: an account, a key id and a secret, each of one digit.
CONTENT = "5" * 32 + "a" * 32 + "c" * 64


def committed(result, url, served, subtensor, wallet):
    """Nothing, if the commitment is on chain, in the SDK's eyes and in ours."""
    if not result.success:
        return f"the SDK says: {result.message}"
    if result.fee.rao != 0:
        return f"it cost {result.fee}"
    events = json.dumps(result.events, default=str)
    if "Commitment" not in events or "ExtrinsicSuccess" not in events:
        return f"the events are {events}"
    read = subtensor.identity.commitment(netuid=served["netuid"], hotkey_ss58=served["hotkey"])
    if read is None or read.data != CONTENT:
        return f"the SDK reads back {read}"
    held = asyncio.run(commitments(url, served["netuid"], "chain_getFinalizedHead"))
    value = held.get(bytes(wallet.hotkey.public_key), b"")
    if not value.endswith(CONTENT.encode()) or len(value) != 142:
        return f"the node has stored {value.hex()}"
    return None


def otherwise(result, expected):
    """Nothing, if the commitment failed in its block with the expected error, or was refused with the expected words."""
    how, _, what = expected.partition(":")
    said = [getattr(result.error, "name", None), result.message]
    if result.success or what not in said or (result.block_hash is None) != (how == "refused"):
        return f"expected {expected}, the SDK says {said} of block {result.block_hash}"
    return None


def main(path, expected="committed"):
    with open(path, encoding="utf-8") as file:
        served = json.load(file)
    url = served["node"]
    with tempfile.TemporaryDirectory() as home:
        # The SDK caches metadata and token symbols in the home directory; the sandbox's have no business in a real one.
        os.environ["HOME"] = home
        from bittensor import Subtensor, Wallet, calls

        environment = served["environment"]
        wallet = Wallet(environment["BT_WALLET_COLD"], environment["BT_WALLET_HOT"], path=served["wallet_path"])
        if password := served.get("password"):
            wallet.hotkey_file.save_password_to_env(password)
        if wallet.hotkey.ss58_address != served["hotkey"]:
            raise SystemExit(f"the wallet's hotkey is {wallet.hotkey.ss58_address}, not {served['hotkey']}")
        subtensor = Subtensor(url)
        try:
            info = {"fields": [[{f"Raw{len(CONTENT)}": "0x" + CONTENT.encode().hex()}]]}
            call = calls.Commitments.set_commitment(netuid=served["netuid"], info=info)
            result = subtensor.submit_call(call, wallet, signer="hotkey")
            if expected == "committed":
                wrong = committed(result, url, served, subtensor, wallet)
            else:
                wrong = otherwise(result, expected)
        finally:
            subtensor.close()
        if wrong:
            raise SystemExit(f"the SDK's commitment did not end as it should: {wrong}")
        print(f"the SDK's commitment ended as it should: {expected}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
