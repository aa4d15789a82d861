"""boto3 against the sandbox's S3 server: miners' windows are read with the keys that are on the sandbox's chain.

    python boto3_store.py ws://127.0.0.1:PORT http://127.0.0.1:PORT

Like a validator it takes the keys from the chain, and nothing else. Prints one line and exits 0 when every bucket answers
as a healthy one must; otherwise says what is wrong and exits 1. Needs boto3, bittensor 11.3.0 and its websockets.
"""

import asyncio
import hashlib
import sys
from datetime import datetime, timezone

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from node import asked, commitments

NETUID, WINDOW_BLOCKS, CREDENTIALS = 81, 30, 128


def ss58(account):
    """The address of an account, by SS58's own rule."""
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    body = bytes([42]) + account
    number = int.from_bytes(body + hashlib.blake2b(b"SS58PRE" + body).digest()[:2], "big")
    digits = ""
    while number:
        number, digit = divmod(number, 58)
        digits = alphabet[digit] + digits
    return digits


async def best_block(url):
    async with asked(url) as call:
        return int((await call("chain_getHeader"))["number"], 16)


def store(endpoint, text):
    """A client with the key of a commitment, and the bucket."""
    bucket, key_id, secret = text[:32], text[32:64], text[64:]
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key_id,
        aws_secret_access_key=secret,
        region_name="auto",
        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}),
    )
    return client, bucket


def refusal(call, **arguments):
    """Status and code of a request that must be refused."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"]
    return 200, "it was not refused"


def problems(client, bucket, address, window):
    """What is wrong with a bucket that is to be healthy."""
    names = [f"grail/windows/{address}-window-{window}.parquet{ending}" for ending in ("", ".gz")]
    listed = client.list_objects_v2(Bucket=bucket, Prefix=f"grail/windows/{address}-window-{window}.")
    found = [entry["Key"] for entry in listed.get("Contents", [])]
    if len(found) != 1 or found[0] not in names:
        yield f"window {window} is listed as {found}"
        return
    head = client.head_object(Bucket=bucket, Key=found[0])
    if not 200 <= head["ContentLength"] <= 350 * 1024 * 1024:
        yield f"{head['ContentLength']} bytes"
    if head["LastModified"] > datetime.now(timezone.utc):
        yield f"modified in the future: {head['LastModified']}"
    first = client.get_object(Bucket=bucket, Key=found[0], Range="bytes=0-3")["Body"].read()
    if first != b"PAR1" and first[:3] != b"\x1f\x8b\x08":
        yield f"begins with {first!r}"
    expected = [
        (client.put_object, {"Key": "grail/peer", "Body": b"peer"}, (403, "AccessDenied")),
        (client.get_object, {"Key": "grail/no-such-object"}, (404, "NoSuchKey")),
        # A HEAD has no body: boto3 makes its code from the status.
        (client.head_object, {"Key": "grail/no-such-object"}, (404, "404")),
    ]
    for call, arguments, answer in expected:
        got = refusal(call, Bucket=bucket, **arguments)
        if got != answer:
            yield f"{call.__name__} is answered with {got}, not {answer}"


def main(node, endpoint):
    held = asyncio.run(commitments(node, NETUID, "chain_getBlockHash"))
    window = asyncio.run(best_block(node)) // WINDOW_BLOCKS * WINDOW_BLOCKS - WINDOW_BLOCKS
    wrong, read, former = [], 0, 0
    for account, stored in held.items():
        client, bucket = store(endpoint, stored[-CREDENTIALS:].decode())
        address = ss58(account)
        if not client.list_objects_v2(Bucket=bucket).get("KeyCount"):
            former += 1
            continue
        read += 1
        wrong += [f"{address}: {problem}" for problem in problems(client, bucket, address, window)]
    if read < 200 or former > 5:
        wrong.append(f"{read} buckets have windows, {former} have none")
    for line in wrong[:20]:
        print(line, file=sys.stderr)
    if wrong:
        raise SystemExit(f"boto3 found {len(wrong)} things wrong")
    print(f"boto3 read window {window} of {read} buckets with the keys on chain")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
