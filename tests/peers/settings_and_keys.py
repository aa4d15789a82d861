"""python-dotenv, boto3 and the Bittensor wallet against what the console says of the same settings and key files.

    python settings_and_keys.py GRAIL_CONSOLE [FOLDER_WITH_OLDER_PYTHON_DOTENV]

A byte order mark hides the first variable from python-dotenv before 1.2.4 and from no later one; a region that the console
calls none is one that boto3 refuses; a key file that the wallet loads is one whose address the console shows, and one that it
does not load is named. Says what differs and exits 1. Needs bittensor 11.3.0, boto3 and python-dotenv 1.2.4.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import boto3
from bittensor.keyfiles import Keyfile
from botocore.exceptions import InvalidRegionError

FIXTURES = Path(__file__).parent.parent / "fixtures/wallets/practice/hotkeys"
ENV = {"PATH": os.environ["PATH"]}
READS = (
    "import json,sys; from dotenv import dotenv_values;"
    "print(json.dumps({k: v for k, v in dotenv_values(sys.argv[1], encoding='utf-8').items() if v is not None}))"
)


def doctor(console: str, home: Path, *flags: str) -> dict:
    """What `doctor` says, in a home of its own."""
    ran = subprocess.run(
        [console, "doctor", "--offline", "--json", *flags], env={**ENV, "HOME": str(home)}, capture_output=True, check=False
    )
    return json.loads(ran.stdout)


def marks(console: str, home: Path, older: str | None) -> list[str]:
    faults = []
    rest = "R2_WRITE_ACCESS_KEY_ID=w\nR2_WRITE_SECRET_ACCESS_KEY=ws\nR2_READ_SECRET_ACCESS_KEY=rs\n"
    for first in ["R2_READ_ACCESS_KEY_ID=r\n", "export R2_READ_ACCESS_KEY_ID=r\n", " R2_READ_ACCESS_KEY_ID=r\n", "# c\nR2_READ_ACCESS_KEY_ID=r\n"]:
        path = home / "env"
        path.write_text("\ufeff" + first + rest, encoding="utf-8")
        seen = {}
        for name, folder in [("newest", None), ("older", older)]:
            if name == "older" and older is None:
                continue
            env = {**ENV, **({"PYTHONPATH": folder} if folder else {})}
            out = subprocess.run([sys.executable, "-c", READS, str(path)], env=env, capture_output=True, check=True)
            seen[name] = "R2_READ_ACCESS_KEY_ID" in json.loads(out.stdout)
        told = [f for f in doctor(console, home, "--env-file", str(path))["findings"] if f["code"] == "env_file_mark"]
        if not seen["newest"]:
            faults.append(f"{first!r}: python-dotenv here does not see it")
        if "older" in seen and seen["older"] == bool(told):
            faults.append(f"{first!r}: the older python-dotenv sees it: {seen['older']}, the console says {told}")
    return faults


def regions(console: str, home: Path) -> list[str]:
    faults = []
    for region in ["us-east-1", "auto", "US-EAST-1", "us_east_1", "eu.west", "-x", "x-", "123", "a/b", "a" * 63, "a" * 64]:
        try:
            boto3.client("s3", region_name=region, aws_access_key_id="a", aws_secret_access_key="b")
            taken = True
        except InvalidRegionError:
            taken = False
        path = home / "env"
        path.write_text(f"R2_REGION={region}\n")
        told = any(f["code"] == "s3_region" for f in doctor(console, home, "--env-file", str(path))["findings"])
        if taken == told:
            faults.append(f"region {region!r}: boto3 takes it: {taken}, the console complains: {told}")
    return faults


def key_files(console: str, home: Path) -> list[str]:
    plain = (FIXTURES / "plain").read_bytes()
    forms = {
        "plain": plain, "mnemonic": (FIXTURES / "mnemonic").read_bytes(), "blank_lines": b"\n\n" + plain + b"\n",
        "empty": b"", "blank": b" \n", "mark": b"\xef\xbb\xbf" + plain, "utf16": plain.decode().encode("utf-16"),
        "cut": plain[:-20], "behind": plain + b"garbage", "twice": plain + plain, "quotes": plain.replace(b'"', b"'"),
    }
    folder = home / "wallets/w/hotkeys"
    folder.mkdir(parents=True)
    loads = {}
    for name, content in forms.items():
        path = folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        try:
            loads[name] = Keyfile(path=str(path), name=name).get_keypair().ss58_address
        except Exception:  # noqa: BLE001, the wallet has many, and which one does not matter
            loads[name] = None
    lines = {line["hotkey"]: line for line in doctor(console, home, "--wallet-path", str(home / "wallets"))["wallets"]}
    faults = [
        f"{name}: the wallet says {address}, the console {lines[name]['address']}"
        for name, address in loads.items()
        if lines[name]["address"] != address
    ]
    return faults + [f"{name}: not named" for name in loads if not loads[name] and not lines[name]["problem"]]


def main() -> None:
    console, older = sys.argv[1], (sys.argv[2] if len(sys.argv) > 2 else None)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        faults = marks(console, home, older) + regions(console, home) + key_files(console, home)
    for fault in faults:
        print(fault)
    if faults:
        raise SystemExit(1)
    print("python-dotenv, boto3 and the wallet agree with what the console says of marks, regions and key files")


if __name__ == "__main__":
    main()
