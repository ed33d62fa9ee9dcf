"""Starts functions against a small Lambda runtime API, and prints how large they are and how soon they ask for an event."""

import http.server
import io
import os
import pathlib
import queue
import statistics
import subprocess
import sys
import threading
import time
import zipfile

# What the functions do not start without; nothing is called before the first event.
SETTINGS = {
    "CROSSWALK_TABLE": "table",
    "CROSSWALK_BUCKET": "bucket",
    "COGNITO_IDENTITY_POOL_ID": "eu-central-1_pool",
    "KEYCLOAK_BASE_URL": "https://sso.example.org",
    "KEYCLOAK_REALM": "staff",
    "KEYCLOAK_CLIENT_ID": "crosswalk",
    "KEYCLOAK_CLIENT_SECRET": "secret",
    "GLEAN_API_URL": "https://example-be.glean.example.org",
    "GLEAN_API_TOKEN": "token",
    "SYNC_SOURCE": "ldap",
    "SYNC_TARGET": "cognito",
    "LDAP_SERVER": "ldaps://ldap.example.org",
    "LDAP_BIND_USER_DN": "cn=crosswalk,dc=example,dc=org",
    "LDAP_BIND_PASSWORD": "secret",
    "LDAP_BASE_DN": "dc=example,dc=org",
    "NEMO_URL": "https://nemo.example.org",
    "NEMO_TOKEN": "token",
    "LABARCHIVES_AKID": "akid",
    "LABARCHIVES_ACCESS_PASSWORD": "password",
    "REGISTRATION_URL": "https://crosswalk.example.org",
    "AUDIT_REQUIRED_SYSTEMS": "nemo",
    "AWS_REGION": "eu-central-1",
    "AWS_ACCESS_KEY_ID": "key",
    "AWS_SECRET_ACCESS_KEY": "secret",
    # As Lambda sets them.
    "AWS_LAMBDA_FUNCTION_NAME": "function",
    "AWS_LAMBDA_FUNCTION_VERSION": "1",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
}
PATIENCE = 30


class RuntimeApi(http.server.BaseHTTPRequestHandler):
    """Notes when a function asks for its next event, and lets it wait."""

    asked: "queue.Queue[float]" = queue.Queue()

    def do_GET(self):
        RuntimeApi.asked.put(time.perf_counter())
        # The function is ended while it waits.
        try:
            self.rfile.read(1)
        except OSError:
            pass

    def log_message(self, *_):
        pass


def start(binary: pathlib.Path, address: str) -> float:
    """Milliseconds from the start of the process until it asks for an event."""
    began = time.perf_counter()
    environment = {**SETTINGS, "AWS_LAMBDA_RUNTIME_API": address}
    process = subprocess.Popen([binary], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        asked = RuntimeApi.asked.get(timeout=PATIENCE)
    except queue.Empty:
        process.kill()
        sys.exit(f"{binary} did not ask for an event within {PATIENCE} s:\n{process.stderr.read().decode()}")
    finally:
        process.kill()
        process.wait()
    return (asked - began) * 1000


def zipped(binary: pathlib.Path) -> int:
    """Bytes of what would be uploaded."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(binary, "bootstrap")
    return len(archive.getvalue())


def main() -> None:
    starts, folder, names = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    binaries = {name: folder / name / "bootstrap" for name in names}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), RuntimeApi)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"127.0.0.1:{server.server_address[1]}"

    times: dict[str, list[float]] = {name: [] for name in names}
    for round in range(-1, starts):
        # In turn, so that what else the machine does falls on all alike; the first round only warms the disk's cache.
        for name, binary in binaries.items():
            took = start(binary, address)
            if round >= 0:
                times[name].append(took)
    server.shutdown()

    bare = statistics.median(times[names[0]])
    print(f"{starts} starts each, in turn; {os.cpu_count()} processors\n")
    print("| function | zip, MB | binary, MB | initialisation, median ms | of them | beside a bare function |")
    print("|---|---|---|---|---|---|")
    for name, binary in binaries.items():
        median, few, many = statistics.median(times[name]), min(times[name]), max(times[name])
        size, packed = binary.stat().st_size / 1e6, zipped(binary) / 1e6
        row = f"| {name} | {packed:.1f} | {size:.1f} | {median:.1f} | {few:.1f} to {many:.1f} | {median / bare:.2f} × |"
        print(row)


main()
