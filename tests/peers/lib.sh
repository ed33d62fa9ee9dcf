# What every peer's script needs; sourced, after `set -euo pipefail`.

repository=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
peer_cache=${XDG_CACHE_HOME:-$HOME/.cache}/crosswalk/peers
mkdir -p "$peer_cache"
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/crosswalk/target}

work=$(mktemp -d)
server_pid=
# A peer whose server takes longer sets its own.
start_seconds=60 stop_seconds=5

# Ends the server and removes the work folder, however the script ends.
clean_up() {
    local status=$?
    if [ -n "$server_pid" ] && kill -0 "$server_pid" 2>/dev/null; then
        kill "$server_pid" 2>/dev/null || true
        for _ in $(seq $((stop_seconds * 10))); do kill -0 "$server_pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$server_pid" 2>/dev/null || true
    fi
    if [ "$status" -ne 0 ] && [ -f "$work/server.log" ]; then
        echo "-- the end of the server's log:" >&2
        tail -n 40 "$work/server.log" >&2
    fi
    rm -rf "$work"
    exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# need TOOL HINT: fails, naming what is missing.
need() {
    command -v "$1" >/dev/null || { echo "peer: '$1' is missing: $2" >&2; exit 1; }
}

# free_port: a port on loopback that nothing listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start COMMAND…: runs a server in the background, its output in $work/server.log.
start() {
    "$@" >"$work/server.log" 2>&1 </dev/null &
    server_pid=$!
}

# wait_for_http URL STATUS: until URL answers with STATUS, start_seconds at most.
wait_for_http() {
    for _ in $(seq $((start_seconds * 5))); do
        kill -0 "$server_pid" 2>/dev/null || { echo "peer: the server ended before it served" >&2; exit 1; }
        if [ "$(curl -s -o /dev/null -w '%{http_code}' --max-time 2 "$1")" = "$2" ]; then return; fi
        sleep 0.2
    done
    echo "peer: $1 did not answer $2 within $start_seconds s" >&2
    exit 1
}
