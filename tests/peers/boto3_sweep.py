"""The same 256 checks by boto3, eight at a time: HEAD of `.parquet.gz`, then of `.parquet`, with the keys on chain.

    python boto3_sweep.py ws://127.0.0.1:PORT http://127.0.0.1:PORT

Prints the seconds that the checks took, without reading the chain and without starting Python. One client a bucket, made
in its turn, as a validator does. Needs boto3 and what `boto3_store.py` needs.
"""

import asyncio
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
from boto3_store import CREDENTIALS, NETUID, WINDOW_BLOCKS, best_block, ss58
from botocore.config import Config
from botocore.exceptions import ClientError
from node import commitments


def check(session, endpoint, address, text, window):
    """Whether a validator finds the window."""
    client = session.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=text[32:64],
        aws_secret_access_key=text[64:],
        region_name="auto",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, connect_timeout=3, read_timeout=6),
    )
    for ending in (".gz", ""):
        try:
            client.head_object(Bucket=text[:32], Key=f"grail/windows/{address}-window-{window}.parquet{ending}")
            return True
        except ClientError:
            continue
    return False


def main(node, endpoint):
    held = asyncio.run(commitments(node, NETUID, "chain_getBlockHash"))
    window = asyncio.run(best_block(node)) // WINDOW_BLOCKS * WINDOW_BLOCKS - WINDOW_BLOCKS
    keys = [(ss58(account), stored[-CREDENTIALS:].decode()) for account, stored in held.items()]
    session = boto3.Session()
    began = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: check(session, endpoint, *key, window), keys))
    print(f"{time.monotonic() - began:.3f} s for {len(keys)} buckets, {sum(found)} on time")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
