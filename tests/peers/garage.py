"""The console against Garage, an S3 server that was written by others.

    python3 garage.py GRAIL_CONSOLE GARAGE

GARAGE is the program of Garage 2.5.0. Two of its servers are started on loopback, each with one node and a folder of its
own, and a sandbox of the console for the chain. Buckets and keys are made, changed and deleted through Garage's admin API.
Each check prints one line; exits 1 when one of them failed. Needs Python's standard library only.
"""

import contextlib
import datetime
import hashlib
import hmac
import http.client
import json
import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

WINDOW_BLOCKS, BLOCK_TIME, GRACE_BLOCKS = 30, "500ms", "12"
# The region that GRAIL signs with unless R2_REGION names another.
USUAL_REGION = "us-east-1"
OBJECT = b"PAR1" + bytes(4096) + b"PAR1"
OWN_UID, OTHER_UID = 42, 7
PATIENCE_S = 180


class Checks:
    """What was expected, and what came."""

    def __init__(self):
        self.made, self.failed = 0, 0

    def that(self, name, got, expected):
        """One check: both must be equal."""
        self.made += 1
        if got == expected:
            print(f"ok    {name}: {shown(got)}", flush=True)
        else:
            self.failed += 1
            print(f"FAIL  {name}: {shown(got)}, expected {shown(expected)}", flush=True)

    def says(self, name, text, *words):
        """One check: the text has each of these words."""
        missing = [word for word in words if word.lower() not in text.lower()]
        self.that(name, f"{text!r} lacks {missing}" if missing else "said", "said")


def shown(value):
    return value if isinstance(value, str) else json.dumps(value)


def free_ports(count):
    """Ports that nobody listens on now."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_for(what, holds, seconds=PATIENCE_S):
    """Asks until the answer is one, and returns it."""
    give_up = time.monotonic() + seconds
    while not (answer := holds()):
        if time.monotonic() > give_up:
            raise SystemExit(f"waited {seconds} s in vain for {what}")
        time.sleep(0.2)
    return answer


def end(process):
    """Ends a process that was started here."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_or_end(process, what, holds):
    """The same for a process that was started just now. It does not outlive a failure."""
    try:
        return wait_for(what, holds)
    except BaseException:
        end(process)
        raise


class Key:
    """A key of Garage."""

    def __init__(self, answer):
        self.id, self.secret = answer["accessKeyId"], answer["secretAccessKey"]
        # As the console shows it.
        self.shown = f"{self.id[:6]}…{self.id[-4:]}"

    def with_secret(self, secret):
        return Key({"accessKeyId": self.id, "secretAccessKey": secret})


class Garage:
    """A server of one node, its admin API, and an S3 client of its own for what the console does not do."""

    def __init__(self, program, folder, region):
        self.region = region
        self.folder = Path(folder)
        self.folder.mkdir()
        self.token = secrets.token_hex(32)
        rpc, self.s3_port, self.admin_port = free_ports(3)
        config = self.folder / "garage.toml"
        config.write_text(
            f"""
metadata_dir = "{self.folder}/meta"
data_dir = "{self.folder}/data"
db_engine = "sqlite"
replication_factor = 1
rpc_bind_addr = "127.0.0.1:{rpc}"
rpc_public_addr = "127.0.0.1:{rpc}"
rpc_secret = "{secrets.token_hex(32)}"

[s3_api]
s3_region = "{region}"
api_bind_addr = "127.0.0.1:{self.s3_port}"

[admin]
api_bind_addr = "127.0.0.1:{self.admin_port}"
admin_token = "{self.token}"
""",
            encoding="utf-8",
        )
        config.chmod(0o600)
        self.log = self.folder / "garage.log"
        with self.log.open("w") as log:
            line = [program, "-c", str(config), "server", "--single-node"]
            # Without the caller's variables.
            environment = {"PATH": os.environ["PATH"], "RUST_LOG": "garage=warn"}
            self.process = subprocess.Popen(line, stdout=log, stderr=log, env=environment, cwd=self.folder)
        wait_or_end(self.process, f"Garage in region {region}", self.is_healthy)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.s3_port}"

    def is_healthy(self):
        if self.process.poll() is not None:
            raise SystemExit(f"Garage ended with {self.process.returncode}: {self.log.read_text()[-2000:]}")
        try:
            return self.admin("GET", "GetClusterHealth")["status"] == "healthy"
        except OSError:
            return False

    # The admin API, version 2.

    def admin(self, method, call, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, f"/v2/{call}", text, {"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            said = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise SystemExit(f"Garage's admin API answers {call} with {answer.status}: {said.decode()}")
        return json.loads(said) if said.strip() else None

    def bucket(self, name):
        return self.admin("POST", "CreateBucket", {"globalAlias": name})["id"]

    def alias(self, call, bucket, name):
        self.admin("POST", call, {"bucketId": bucket, "globalAlias": name})

    def key(self, name, *buckets, read=True, write=False, owner=False):
        """A new key with these rights on these buckets."""
        key = Key(self.admin("POST", "CreateKey", {"name": name, "neverExpires": True}))
        for bucket in buckets:
            self.allow(bucket, key, read=read, write=write, owner=owner)
        return key

    def imported(self, key):
        self.admin("POST", "ImportKey", {"name": "imported", "accessKeyId": key.id, "secretAccessKey": key.secret})

    def allow(self, bucket, key, read=True, write=False, owner=False):
        self.permit("AllowBucketKey", bucket, key, {"read": read, "write": write, "owner": owner})

    def deny(self, bucket, key):
        self.permit("DenyBucketKey", bucket, key, {"read": True, "write": True, "owner": True})

    def permit(self, call, bucket, key, permissions):
        self.admin("POST", call, {"bucketId": bucket, "accessKeyId": key.id, "permissions": permissions})

    def expire(self, key):
        self.admin("POST", f"UpdateKey?id={key.id}", {"expiration": "2020-01-01T00:00:00Z"})

    def enable(self, key):
        self.admin("POST", f"UpdateKey?id={key.id}", {"neverExpires": True})

    def delete(self, key):
        self.admin("POST", f"DeleteKey?id={key.id}")

    # S3, signed with version 4.

    def s3(self, method, path, key, body=b"", region=None, query=""):
        """Status, code, message and body of the answer to a signed request."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        host, digest = f"127.0.0.1:{self.s3_port}", hashlib.sha256(body).hexdigest()
        names = "host;x-amz-content-sha256;x-amz-date"
        path = urllib.parse.quote(path)
        headers = f"host:{host}\nx-amz-content-sha256:{digest}\nx-amz-date:{now}\n"
        request = "\n".join([method, path, query, headers, names, digest])
        scope = f"{now[:8]}/{region or self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
        sign = b"AWS4" + key.secret.encode()
        for part in [*scope.split("/"), text]:
            sign = hmac.new(sign, part.encode(), hashlib.sha256).digest()
        given = {
            "x-amz-content-sha256": digest,
            "x-amz-date": now,
            "Authorization": f"AWS4-HMAC-SHA256 Credential={key.id}/{scope}, SignedHeaders={names}, Signature={sign.hex()}",
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.s3_port, timeout=30)
        try:
            connection.request(method, path + (f"?{query}" if query else ""), body or None, given)
            answer = connection.getresponse()
            said = answer.read().decode(errors="replace")
        finally:
            connection.close()
        code, message = (re.search(f"<{tag}>(.*?)</{tag}>", said, re.DOTALL) for tag in ("Code", "Message"))
        return answer.status, code and code[1], message and message[1], said

    def put(self, key, bucket, name, content):
        status, code, message, _ = self.s3("PUT", f"/{bucket}/{name}", key, content)
        if status != 200:
            raise SystemExit(f"Garage answers a PUT of {name} with {status} {code}: {message}")


class Sandbox:
    """The console's practice chain."""

    def __init__(self, console, folder):
        self.served_file = Path(folder) / "served.json"
        line = [console, "sandbox", "--serve", "--json", "--scenario", "healthy", "--block-time", BLOCK_TIME]
        home = Path(folder) / "sandbox-home"
        home.mkdir()
        with self.served_file.open("w") as out:
            environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
            self.process = subprocess.Popen(line, stdout=out, stderr=subprocess.DEVNULL, env=environment)
        self.served = wait_or_end(self.process, "the sandbox", self.read)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end(self.process)

    def bucket(self):
        """The name of the bucket that the operator has published."""
        text = Path(self.served["env_file"]).read_text(encoding="utf-8")
        return re.search("^R2_BUCKET_ID=(.*)$", text, re.MULTILINE)[1]

    def read(self):
        if self.process.poll() is not None:
            raise SystemExit(f"the sandbox ended with {self.process.returncode}")
        try:
            return json.loads(self.served_file.read_text())
        except ValueError:
            return None


class Operator:
    """A home folder with a `.env` and a vault, and the console run there."""

    def __init__(self, console, sandbox, garage, folder):
        self.console, self.served, self.garage = console, sandbox.served, garage
        self.bucket = sandbox.bucket()
        self.folder = Path(folder)
        (self.folder / "home").mkdir(parents=True)
        self.env_file, self.vault_key = self.folder / ".env", self.folder / "vault.key"
        self.plain("keys", "create-key-file", str(self.vault_key))

    def writes(self, name, text):
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
        return path

    def has(self, read, write, garage=None, region=""):
        """Writes the `.env`. Without a region it names that of the store; with None, none."""
        garage = garage or self.garage
        lines = [
            f"NETUID={self.served['netuid']}",
            f"BT_WALLET_COLD={self.served['environment']['BT_WALLET_COLD']}",
            f"BT_WALLET_HOT={self.served['environment']['BT_WALLET_HOT']}",
            f"R2_ENDPOINT_URL={garage.url}",
            "R2_FORCE_PATH_STYLE=true",
            f"R2_ACCOUNT_ID={self.bucket}",
            f"R2_BUCKET_ID={self.bucket}",
        ]
        if region is not None:
            lines.append(f"R2_REGION={region or garage.region}")
        for side, key in (("READ", read), ("WRITE", write)):
            if key:
                lines += pair(side, key)
        self.writes(".env", "\n".join(lines) + "\n")
        return self

    def plain(self, *words):
        """A command that reads no chain, which must end well."""
        subprocess.run([self.console, *words], env=self.environment(), check=True, capture_output=True)

    def environment(self):
        return {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home")}

    def starts(self, *words):
        line = [self.console, *words, "--json", "--env-file", str(self.env_file)]
        line += ["--endpoint", self.served["node"], "--witness", self.served["witness"]]
        line += ["--wallet-path", self.served["wallet_path"]]
        line += ["--vault", "file", "--vault-key-file", str(self.vault_key)]
        pipe = subprocess.PIPE
        return subprocess.Popen(line, env=self.environment(), stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe)

    def ends(self, process):
        """Exit code and document of a command."""
        try:
            out, err = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise SystemExit(f"no end after {PATIENCE_S} s: {process.args}") from None
        try:
            return process.returncode, json.loads(out)
        except ValueError:
            said = f"{out.decode()}{err.decode()}"
            raise SystemExit(f"no JSON, exit code {process.returncode}: {process.args}: {said}") from None

    def runs(self, *words):
        return self.ends(self.starts(*words))

    # Single commands, and what counts of their answers.

    def commit(self, *words):
        """Exit code, outcome and reason."""
        code, said = self.runs("commit", *(words or ["--dry-run"]))
        return [code, said["outcome"], said["reason"]]

    def probe(self, uid=OWN_UID):
        """Exit code and verdict, with the whole row."""
        code, said = self.runs("probe", str(uid))
        (row,) = said["results"]
        return [code, row["verdict"]], row

    def self_test(self):
        """Exit code, how each step ended, and the risks; with the whole document."""
        code, said = self.runs("self-test")
        steps = {step["step"]: step["outcome"] for step in said["steps"]}
        return code, steps, [risk["risk"] for risk in said["risks"]], said

    def rotate(self, *words):
        """Exit code, phase and what stands against the next step; with the whole document."""
        code, said = self.runs("rotate", *words)
        return [code, said["phase"], said["blocked_by"]], said

    def held(self):
        """The read keys in the vault, as they are shown."""
        _, said = self.runs("keys", "list", "--check")
        return sorted(generation["read"]["shown"] for generation in said["generations"])


def pair(side, key):
    return [f"R2_{side}_ACCESS_KEY_ID={key.id}", f"R2_{side}_SECRET_ACCESS_KEY={key.secret}"]


def keys_file(operator, name, *sides):
    lines = [line for side, key in sides for line in pair(side, key)]
    return str(operator.writes(name, "\n".join(lines) + "\n"))


def window_name(hotkey, window):
    return f"grail/windows/{hotkey}-window-{window}.parquet"


class Setup:
    """Everything that the checks need."""

    def __init__(self, console, program, folder, stack):
        self.console, self.folder = console, Path(folder)
        self.checks = Checks()
        self.garage = stack.enter_context(Garage(program, self.folder / "garage", "garage"))
        # Another store with a key of the same id.
        self.other = stack.enter_context(Garage(program, self.folder / "other", USUAL_REGION))
        self.sandbox = stack.enter_context(Sandbox(console, folder))
        # Named like the account, as the subnet wants it. What is on chain at first names this bucket, with a key that
        # Garage does not know.
        self.name = self.sandbox.bucket()
        self.bucket = self.garage.bucket(self.name)
        self.second_bucket = self.garage.bucket("another-bucket")
        self.read = self.garage.key("read", self.bucket)
        self.write = self.garage.key("write", self.bucket, write=True)
        self.deleted = self.garage.key("deleted", self.bucket)
        self.garage.delete(self.deleted)
        self.expired = self.garage.key("expired", self.bucket)
        self.garage.expire(self.expired)
        self.reader = self.garage.key("reader", self.bucket)
        self.elsewhere = self.garage.key("elsewhere", self.second_bucket)
        self.owner = self.garage.key("owner", self.bucket, owner=True)
        self.wide = self.garage.key("wide", self.bucket, self.second_bucket)
        self.mistyped = self.read.with_secret(secrets.token_hex(32))

    def operator(self, name):
        return Operator(self.console, self.sandbox, self.garage, self.folder / name)


def dialect(setup):
    """Garage's own words, as the console takes them to be."""
    checks, garage = setup.checks, setup.garage
    read, write, thing = setup.read, setup.write, f"/{setup.name}/no-such-object"
    upload = f"uploadId={secrets.token_hex(32)}"
    denied = "Forbidden: Operation is not allowed for this key"
    malformed = "Authorization header malformed, unexpected scope: "
    cases = [
        ("unknown key", "GET", thing, Key({"accessKeyId": "GK" + "0" * 24, "secretAccessKey": "0" * 64}), {},
         (403, "AccessDenied", "Forbidden: No such key")),
        ("deleted key", "GET", thing, setup.deleted, {}, (403, "AccessDenied", "Forbidden: No such key")),
        ("expired key", "GET", thing, setup.expired, {}, (403, "AccessDenied", "Forbidden: Access key GK")),
        ("wrong secret", "GET", thing, setup.mistyped, {}, (403, "AccessDenied", "Forbidden: Invalid signature")),
        ("no right on this bucket", "GET", thing, setup.elsewhere, {}, (403, "AccessDenied", denied)),
        ("no bucket", "GET", "/no-such-bucket/object", read, {}, (404, "NoSuchBucket", "Bucket not found")),
        ("no object", "GET", thing, read, {}, (404, "NoSuchKey", "Key not found")),
        ("wrong region", "GET", thing, read, {"region": "nowhere"}, (400, "AuthorizationHeaderMalformed", malformed)),
        ("a write with a read key", "PUT", thing, read, {"body": b"x"}, (403, "AccessDenied", denied)),
        ("abort of no upload, read key", "DELETE", thing, read, {"query": upload}, (403, "AccessDenied", denied)),
        ("abort of no upload, write key", "DELETE", thing, write, {"query": upload}, (404, "NoSuchUpload", "Upload not")),
    ]
    for name, method, path, key, more, (status, code, begins) in cases:
        got = garage.s3(method, path, key, **more)
        begun = (got[2] or "").startswith(begins)
        checks.that(f"Garage: {name}", [*got[:2], begins if begun else got[2]], [status, code, begins])
    for name, key, expected in (
        ("read", read, ["READ", "READ_ACP"]),
        ("read and write", write, ["READ", "READ_ACP", "WRITE"]),
        ("read and own", setup.owner, ["FULL_CONTROL"]),
    ):
        # One key's rights, in answer to that key alone: tells without a write what a pair may do.
        acl = garage.s3("GET", f"/{setup.name}", key, query="acl=")[3]
        granted = re.findall(f"<ID>{key.id}</ID></Grantee><Permission>(.*?)</Permission>", acl)
        checks.that(f"Garage: what is granted to a key that may {name}", sorted(granted), expected)
    both = [setup.name, "another-bucket"]
    for name, key, expected in (("one bucket", read, [setup.name]), ("two buckets", setup.wide, both)):
        listed = re.findall("<Bucket>.*?<Name>(.*?)</Name>", garage.s3("GET", "/", key)[3], re.DOTALL)
        checks.that(f"Garage: the list of buckets with a key of {name}", sorted(listed), sorted(expected))


def pairs_before_commit(setup):
    """What may be published, and what is refused by which name."""
    checks, operator = setup.checks, setup.operator("pairs")
    fresh_write = setup.garage.key("second write", setup.bucket, write=True)
    write_alone = setup.garage.key("cannot read", setup.bucket, read=False, write=True)
    cases = [
        ("a good read pair", setup.read, {}, [0, "planned", None]),
        ("a mistyped secret", setup.mistyped, {}, [3, "refused", "auth_bad_secret"]),
        ("a key of another bucket", setup.elsewhere, {}, [3, "refused", "scope_denied"]),
        ("a key that writes and cannot read", write_alone, {}, [3, "refused", "scope_denied"]),
        ("a key of two buckets", setup.wide, {}, [3, "refused", "account_wide"]),
        ("a wrong region", setup.read, {"region": "nowhere"}, [3, "refused", "wrong_region"]),
        ("no region, at a store that wants its own", setup.read, {"region": None}, [3, "refused", "wrong_region"]),
    ]
    for name, key, more, expected in cases:
        checks.that(f"commit --dry-run, {name}", operator.has(key, setup.write, **more).commit(), expected)
    operator.has(fresh_write, setup.write)
    # Garage's access list of the bucket names the key: nothing has to be written to know.
    checks.that("commit --dry-run, a pair that writes", operator.commit("--dry-run"), [3, "refused", "write_capable"])
    checks.that("commit --yes, a pair that writes", operator.commit("--yes"), [3, "refused", "write_capable"])
    operator.has(fresh_write, None)
    checks.that("commit --yes, the same without a write pair", operator.commit("--yes"), [3, "refused", "write_capable"])
    code, outcome, _ = operator.has(setup.write, setup.write).commit("--yes")
    checks.that("commit --yes, the write pair under both names", [code, outcome], [3, "refused"])
    canaries = setup.garage.s3("GET", f"/{setup.name}", setup.write, query="list-type=2&prefix=grail-console")[3]
    checks.that("no canary is left by any of them", "<Contents>" in canaries, False)


def refused_for_good(setup, named, key):
    """A key that the store does not know is waited for: checked beside everything else."""
    operator = setup.operator(f"refused-{named}").has(key, setup.write)
    return named, operator.commit("--yes")


def own_keys(setup):
    """`self-test` of a good local pair, while the key on chain is one that Garage does not know."""
    checks = setup.checks
    code, steps, risks, said = setup.operator("self-test").has(setup.read, setup.write).self_test()
    checks.that("self-test, an unknown key on chain", [code, steps["get_canary_published_key"]], [1, "failed"])
    words = next(step["explanation"] for step in said["steps"] if step["step"] == "get_canary_published_key")
    checks.says("self-test, an unknown key on chain, is named", words, "does not know it")
    checks.that("self-test, the local pair reads what was written", steps["get_canary_local_key"], "passed")
    # The store refused the key, and said nothing of what it may list.
    checks.that("self-test, an unknown key is not called limited", steps["list_buckets"], "inconclusive")
    checks.that("self-test, an unknown key, no risk is seen", risks, [])


def own_keys_published(setup, operator):
    """`self-test` when the read pair is on chain."""
    checks = setup.checks
    every = ["put_canary", "get_canary_published_key", "delete_canary", "abort_upload", "list_buckets"]
    code, steps, risks, _ = operator.has(setup.read, setup.write).self_test()
    got = [code, {step: steps.get(step) for step in every}, risks]
    checks.that("self-test, good keys", got, [0, dict.fromkeys(every, "passed"), []])
    setup.garage.allow(setup.second_bucket, setup.read)
    code, steps, risks, _ = operator.self_test()
    got = [code, steps["list_buckets"], risks]
    checks.that("self-test, a read key of two buckets", got, [1, "failed", ["account_wide"]])
    setup.garage.deny(setup.second_bucket, setup.read)
    code, steps, risks, _ = operator.has(setup.read, setup.write.with_secret("0" * 64)).self_test()
    checks.that("self-test, a mistyped write secret", [code, steps["put_canary"]], [1, "failed"])
    code, steps, risks, _ = operator.has(setup.read, setup.garage.key("no write", setup.bucket)).self_test()
    checks.that("self-test, a write key that cannot write", [code, steps["put_canary"]], [1, "failed"])
    code, _, _, said = operator.has(setup.read, setup.write, region="nowhere").self_test()
    words = " ".join(step["explanation"] + step["fix"] for step in said["steps"])
    checks.says("self-test, a wrong region, is said", words, "region")
    operator.has(setup.read, setup.write)


def write_capable_on_chain(setup, operator):
    """The key on chain is given the right to write afterwards."""
    setup.garage.allow(setup.bucket, setup.read, write=True)
    code, _, risks, _ = operator.self_test()
    setup.checks.that("self-test, a read key that can write", [code, risks], [1, ["write_capable"]])
    setup.garage.deny(setup.bucket, setup.read)
    setup.garage.allow(setup.bucket, setup.read)


def commit_for_real(setup, operator):
    checks = setup.checks
    operator.has(setup.read, setup.write)
    checks.that("commit --dry-run, good read pair", operator.commit(), [0, "planned", None])
    code, said = operator.runs("commit", "--yes")
    got = [code, said["outcome"], said["reason"], said["finalized"], said["read_back"]]
    checks.that("commit --yes, good read pair", got, [0, "committed", None, True, True])
    checks.that("commit --yes again", operator.commit("--yes"), [0, "unchanged", None])
    code, said = operator.runs("doctor")
    checks.that("doctor", [code, "GK" in json.dumps(said), setup.read.secret in json.dumps(said)], [0, True, False])


def read_tests(setup, operator):
    """Verdicts on the own row, while the store is changed under it."""
    checks, garage, hotkey = setup.checks, setup.garage, setup.sandbox.served["hotkey"]
    checks.that("probe, nothing uploaded", operator.probe()[0], [1, "no_object"])
    checks.that("probe, another uid's key, unknown here", operator.probe(OTHER_UID)[0], [1, "auth_unknown_key"])
    code, said = operator.runs("visible")
    checks.that("visible, nothing uploaded", [code, said["visible"]], [1, False])

    def of_newest(name, content, expected):
        # A window may end between the upload and the test.
        for _ in range(6):
            _, row = operator.probe()
            garage.put(setup.write, setup.name, window_name(hotkey, row["window"]), content)
            got, after = operator.probe()
            if after["window"] == row["window"]:
                break
        checks.that(name, got, expected)

    of_newest("probe, uploaded after the deadline", OBJECT, [1, "late"])
    # For the next half hour: only what comes too late counts against an upload.
    newest = operator.probe()[1]["window"]
    for window in range(newest + WINDOW_BLOCKS, newest + 130 * WINDOW_BLOCKS, WINDOW_BLOCKS):
        garage.put(setup.write, setup.name, window_name(hotkey, window), OBJECT)
    wait_for("two windows", lambda: operator.probe()[1]["window"] > newest + WINDOW_BLOCKS)
    got, row = operator.probe()
    checks.that("probe, a window in time", [*got, row["size"]], [0, "ok", len(OBJECT)])
    code, said = operator.runs("visible")
    checks.that("visible, a window in time", [code, said["visible"]], [0, True])
    standing = {check["check"]: check["standing"] for check in said["checks"]}
    got = [standing[name] for name in ("key_reads", "newest_window", "format")]
    checks.that("visible, each of its own checks", got, ["yes"] * 3)
    code, said = operator.runs("probe", str(OWN_UID), "--list")
    listed = json.dumps(said)
    got = [code, window_name(hotkey, newest + WINDOW_BLOCKS) in listed]
    checks.that("probe --list shows what is there", got, [0, True])
    of_newest("probe, an object of 100 bytes", b"x" * 100, [1, "bad_size"])
    small = operator.probe()[1]["window"]

    garage.deny(setup.bucket, setup.read)
    checks.that("probe, the right to read taken away", operator.probe()[0], [1, "scope_denied"])
    code, said = operator.runs("visible")
    checks.that("visible, the right to read taken away", [code, said["visible"]], [1, False])
    garage.allow(setup.bucket, setup.read)

    garage.alias("AddBucketAlias", setup.bucket, "parked")
    garage.alias("RemoveBucketAlias", setup.bucket, setup.name)
    checks.that("probe, no bucket of that name", operator.probe()[0], [1, "no_bucket"])
    checks.that("commit --dry-run, no bucket of that name", setup.operator("no-bucket").has(
        setup.garage.key("new", setup.bucket), setup.write).commit(), [3, "refused", "no_bucket"])
    garage.alias("AddBucketAlias", setup.bucket, setup.name)
    garage.alias("RemoveBucketAlias", setup.bucket, "parked")

    garage.expire(setup.read)
    got, row = operator.probe()
    checks.that("probe, the key disabled", got, [1, "auth_unknown_key"])
    garage.enable(setup.read)

    operator.has(setup.read, setup.write, region="nowhere")
    got, row = operator.probe()
    checks.that("probe, a wrong region", got, [1, "wrong_region"])
    checks.says("probe names the right region", f"{row['explanation']} {row['fix']}", "R2_REGION", garage.region)
    operator.has(setup.read, setup.write, region=None)
    checks.that("probe, no region, at a store that wants its own", operator.probe()[0], [1, "wrong_region"])
    code, said = operator.runs("visible")
    checks.that("visible, no region, at a store that wants its own", [code, said["visible"]], [1, False])
    operator.has(setup.read, setup.write)
    wait_for("the next window", lambda: operator.probe()[1]["window"] > small)
    checks.that("probe, everything as before", operator.probe()[0], [0, "ok"])


def other_store(setup, operator):
    """A second store that knows another secret for the key on chain, as after a roll in place."""
    checks, other = setup.checks, setup.other
    rolled = setup.read.with_secret(secrets.token_hex(32))
    other.imported(rolled)
    other.allow(other.bucket(setup.name), rolled)
    operator.has(setup.read, setup.write, garage=other)
    checks.that("probe, another secret than on chain", operator.probe()[0], [1, "auth_bad_secret"])
    code, said = operator.runs("visible")
    checks.that("visible, another secret than on chain", [code, said["visible"]], [1, False])
    operator.has(setup.read, setup.write)


def usual_region(setup):
    """No region named, at a store of us-east-1: what works for GRAIL works here."""
    checks, other, name = setup.checks, setup.other, "no region named, at a store of us-east-1"
    bucket = other.admin("GET", f"GetBucketInfo?globalAlias={setup.name}")["id"]
    read, write = other.key("read", bucket), other.key("write", bucket, write=True)
    operator = setup.operator("usual-region").has(read, write, garage=other, region=None)
    checks.that(f"commit --yes, {name}", operator.commit("--yes"), [0, "committed", None])
    checks.that(f"probe, {name}", operator.probe()[0], [1, "no_object"])
    code, steps, risks, _ = operator.self_test()
    checks.that(f"self-test, {name}", [code, steps["put_canary"], risks], [0, "passed", []])
    file = keys_file(operator, "new.env", ("READ", other.key("new read", bucket)))
    got, _ = operator.rotate("start", "--new-key-file", file)
    checks.that(f"rotate start, {name}", got, [7, "planned", ["needs_confirmation"]])
    operator.rotate("rollback", "--yes")


def until_grace_is_over(operator):
    def over():
        return operator.runs("rotate", "status")[1]["grace"]["blocks_left"] == 0

    wait_for("the end of the grace", over)


def new_keys_that_must_not_be_published(setup, operator):
    """`rotate start` with keys that may do too much, or that do not work."""
    checks, garage = setup.checks, setup.garage
    fine = garage.key("fine", setup.bucket)
    cases = [
        ("that write", garage.key("writes", setup.bucket, write=True), "write_capable"),
        ("of two buckets", garage.key("too wide", setup.bucket, setup.second_bucket), "account_wide"),
        ("with a mistyped secret", fine.with_secret("1" * 64), "new_key_fails"),
        ("of another bucket", garage.key("other bucket", setup.second_bucket), "new_key_fails"),
    ]
    for name, key, reason in cases:
        file = keys_file(operator, "new.env", ("READ", key))
        code, said = operator.runs("rotate", "start", "--new-key-file", file, "--grace", GRACE_BLOCKS, "--yes")
        checks.that(f"rotate start, keys {name}", [code, said["reason"]], [3, reason])
        checks.that("rotate rollback after it", operator.rotate("rollback", "--yes")[0], [0, "abandoned", []])


def whole_rotation(setup, operator):
    """From `rotate start` to `rotate retire`, which succeeds when Garage has deleted the old key."""
    checks, garage = setup.checks, setup.garage
    new = garage.key("new read", setup.bucket)
    file = keys_file(operator, "new.env", ("READ", new))
    got, _ = operator.rotate("start", "--new-key-file", file, "--grace", GRACE_BLOCKS)
    checks.that("rotate start, without a yes", got, [7, "planned", ["needs_confirmation"]])
    got, _ = operator.rotate("resume", "--yes")
    checks.that("rotate resume --yes", got, [0, "grace", ["grace_running"]])
    env = operator.env_file.read_text()
    checks.that("the .env has the new pair alone", [new.secret in env, setup.read.secret in env], [True, False])
    checks.that("probe, the new key on chain", operator.probe()[0], [0, "ok"])
    until_grace_is_over(operator)
    got, _ = operator.rotate("retire")
    checks.that("rotate retire, the old key works still", got, [7, "grace", ["old_key_still_works"]])
    garage.delete(setup.read)
    got, _ = operator.rotate("retire")
    checks.that("rotate retire, the old key deleted at Garage", got, [0, "retired", []])
    checks.that("keys list, the old read pair is gone", operator.held(), [new.shown])
    # The pair in the vault counts, and GRAIL would take the other one.
    operator.has(setup.read, setup.write)
    code, said = operator.runs("commit", "--yes")
    codes = [finding["code"] for finding in said["findings"]]
    got = [code, said["outcome"], codes]
    checks.that("commit --yes, a .env with the retired pair", got, [0, "unchanged", ["env_differs_from_vault"]])
    operator.has(new, setup.write)
    return new


def kept_rotation(setup, operator, old):
    """An old key that works is never retired; one that is disabled instead of deleted is."""
    checks, garage = setup.checks, setup.garage
    new = garage.key("third read", setup.bucket)
    file = keys_file(operator, "new.env", ("READ", new))
    got, _ = operator.rotate("start", "--new-key-file", file, "--grace", GRACE_BLOCKS, "--yes")
    checks.that("rotate start --yes", got, [0, "grace", ["grace_running"]])
    until_grace_is_over(operator)
    for name in ("never deleted", "never deleted, asked again"):
        got, _ = operator.rotate("retire")
        checks.that(f"rotate retire, the old key {name}", got, [7, "grace", ["old_key_still_works"]])
    got, _ = operator.rotate("resume", "--yes")
    checks.that("rotate resume retires nothing", got[1], "grace")
    checks.that("keys list, the old read pair is kept", operator.held(), sorted([old.shown, new.shown]))
    # The store still knows the key, so this is no proof that it is dead.
    garage.deny(setup.bucket, old)
    got, _ = operator.rotate("retire")
    checks.that("rotate retire, the old key without a right on the bucket", got, [7, "grace", ["old_key_unproven"]])
    garage.allow(setup.bucket, old)
    garage.expire(old)
    got, _ = operator.rotate("retire")
    checks.that("rotate retire, the old key disabled at Garage", got, [0, "retired", []])
    if got[1] != "retired":
        # Only so that what comes next begins with no rotation open.
        garage.delete(old)
        operator.rotate("retire")
    return new


def late_key(setup, operator):
    """A key that the store takes only some seconds later, as with R2, and then with all its rights at once."""
    checks, garage = setup.checks, setup.garage
    new = Key({"accessKeyId": "GK" + secrets.token_hex(12), "secretAccessKey": secrets.token_hex(32)})
    garage.imported(new)
    garage.expire(new)
    garage.allow(setup.bucket, new)
    file = keys_file(operator, "new.env", ("READ", new))
    begun = operator.starts("rotate", "start", "--new-key-file", file, "--grace", GRACE_BLOCKS, "--yes")
    time.sleep(6)
    checks.that("rotate start waits for a key that is not taken yet", begun.poll(), None)
    garage.enable(new)
    code, said = operator.ends(begun)
    checks.that("rotate start, when the store takes it", [code, said["phase"]], [0, "grace"])
    got, _ = operator.rotate("rollback", "--yes")
    checks.that("rotate rollback from the grace", got[:2], [0, "rolled_back"])


def write_rotation(setup, operator, read):
    """A write pair, proven by a canary and never on chain."""
    checks, garage = setup.checks, setup.garage
    new = garage.key("new write", setup.bucket, write=True)
    file = keys_file(operator, "new.env", ("WRITE", new))
    got, said = operator.rotate("start", "--new-key-file", file, "--grace", GRACE_BLOCKS, "--yes")
    checks.that("rotate start, a write pair", got[:2], [0, "grace"])
    if said["grace"]:
        until_grace_is_over(operator)
    got, _ = operator.rotate("retire")
    checks.that("rotate retire, the old write key works still", got, [7, "grace", ["old_key_still_works"]])
    garage.delete(setup.write)
    checks.that("rotate retire, the old write key deleted", operator.rotate("retire")[0], [0, "retired", []])
    env = operator.env_file.read_text()
    got = [new.secret in env, setup.write.secret in env, read.secret in env]
    checks.that("the .env has the new write pair and the same read pair", got, [True, False, True])
    code, steps, risks, _ = operator.self_test()
    got = [code, sorted(set(steps.values())), risks]
    checks.that("self-test after all rotations", got, [0, ["passed", "skipped"], []])


def emergency(setup, operator):
    """A write key leaked: nothing goes on before Garage refuses both old keys, and then without grace."""
    checks, garage = setup.checks, setup.garage
    old_read, old_write = garage.key("leaked read", setup.bucket), garage.key("leaked write", setup.bucket, write=True)
    new_read, new_write = garage.key("safe read", setup.bucket), garage.key("safe write", setup.bucket, write=True)
    operator.has(old_read, old_write)
    checks.that("commit --yes, before the emergency", operator.commit("--yes"), [0, "committed", None])
    file = keys_file(operator, "new.env", ("READ", new_read), ("WRITE", new_write))
    got, _ = operator.rotate("start", "--emergency", "--new-key-file", file, "--yes")
    checks.that("rotate start --emergency, the old keys work still", got, [7, "staged", ["old_key_still_works"]])
    garage.delete(old_read)
    got, _ = operator.rotate("resume", "--yes")
    checks.that("rotate resume, the old write key works still", got, [7, "staged", ["old_key_still_works"]])
    garage.delete(old_write)
    got, _ = operator.rotate("resume", "--yes")
    checks.that("rotate resume, both deleted", got, [0, "grace", []])
    checks.that("rotate retire, at once", operator.rotate("retire")[0], [0, "retired", []])
    checks.that("keys list, the leaked pair is gone", operator.held(), [new_read.shown])


def owner_of_the_bucket(setup):
    """With such a key anybody can let every object expire, or serve the bucket as a web site."""
    rules = b"""<LifecycleConfiguration><Rule><ID>all</ID><Status>Enabled</Status><Filter></Filter>
        <Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"""
    for name, key, expected in (("read and own", setup.owner, 200), ("read", setup.reader, 403)):
        got = setup.garage.s3("PUT", f"/{setup.name}", key, rules, query="lifecycle=")[0]
        setup.checks.that(f"Garage: expiry of every object, set by a key that may {name}", got, expected)
    setup.garage.s3("DELETE", f"/{setup.name}", setup.owner, query="lifecycle=")
    write = setup.garage.key("write for the owner", setup.bucket, write=True)
    code, outcome, _ = setup.operator("owner").has(setup.owner, write).commit("--yes")
    setup.checks.that("commit --yes, a key that owns the bucket", [code, outcome], [3, "refused"])


def main(console, program):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = tempfile.mkdtemp(prefix="grail-console-garage-")
    try:
        with contextlib.ExitStack() as stack:
            # Entered first, so that it ends last: commands that still run end soon after the servers did.
            background = stack.enter_context(ThreadPoolExecutor(2))
            setup = Setup(console, program, folder, stack)
            waited = [
                background.submit(refused_for_good, setup, named, key)
                for named, key in (("deleted", setup.deleted), ("expired", setup.expired))
            ]
            dialect(setup)
            own_keys(setup)
            pairs_before_commit(setup)
            operator = setup.operator("operator")
            commit_for_real(setup, operator)
            own_keys_published(setup, operator)
            write_capable_on_chain(setup, operator)
            read_tests(setup, operator)
            other_store(setup, operator)
            new_keys_that_must_not_be_published(setup, operator)
            second = whole_rotation(setup, operator)
            third = kept_rotation(setup, operator, second)
            late_key(setup, operator)
            write_rotation(setup, operator, third)
            emergency(setup, setup.operator("emergency"))
            usual_region(setup)
            # At the end, since it must not be published.
            owner_of_the_bucket(setup)
            for future in waited:
                named, got = future.result()
                setup.checks.that(f"commit --yes, a key that is {named}", got, [3, "refused", "auth_unknown_key"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    checks = setup.checks
    if checks.failed:
        raise SystemExit(f"{checks.failed} of {checks.made} checks against Garage failed")
    print(f"all {checks.made} checks against Garage hold")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    main(*sys.argv[1:])
