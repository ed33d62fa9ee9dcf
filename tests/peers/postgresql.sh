# A real PostgreSQL 15 on loopback; sourced, after lib.sh.

need openssl "Debian: openssl"
need python3 "Python 3.10 or later"

postgresql_bin=/usr/lib/postgresql/15/bin
postgresql_pid=

# install_by_apt FILE PACKAGE…: installs the packages where FILE is missing. No service of theirs is started.
install_by_apt() {
    local file=$1 policy=/usr/sbin/policy-rc.d
    shift
    [ ! -e "$file" ] || return 0
    if [ "$(id -u)" -ne 0 ]; then
        echo "peer: $file is missing: install it as root (Debian 12: apt-get install $*)" >&2
        exit 1
    fi
    need apt-get "this script installs $* on Debian 12 only"
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    else
        policy=
    fi
    local status=0
    {
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
    } </dev/null >"$work/apt.log" 2>&1 || status=$?
    [ -z "$policy" ] || rm -f "$policy"
    if [ "$status" -ne 0 ] || [ ! -e "$file" ]; then
        tail -n 20 "$work/apt.log" >&2
        echo "peer: apt-get could not install $*" >&2
        exit 1
    fi
}

# as_user NAME COMMAND…: becomes the command, as that user where this is root: no database runs as root.
as_user() {
    local user=$1
    shift
    if [ "$(id -u)" -eq 0 ]; then
        exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
    else
        exec "$@"
    fi
}

# start_postgresql [OPTION…]: with more options of `postgres`. Sets postgresql_url: its role may do everything, the database is
# its own, and there is no other.
start_postgresql() {
    install_by_apt "$postgresql_bin/postgres" postgresql-15
    local home=$work/postgresql port
    # The server's user must pass through the work folder, which only its owner may list.
    chmod 711 "$work"
    mkdir "$home"
    openssl rand -hex 16 >"$home/password"
    chmod 600 "$home/password"
    [ "$(id -u)" -ne 0 ] || chown -R postgres:postgres "$home"
    (cd "$home" && as_user postgres "$postgresql_bin/initdb" --pgdata="$home/data" --username=crosswalk --encoding=UTF8 \
        --locale=C.UTF-8 --auth=scram-sha-256 --pwfile="$home/password" --no-sync) >"$work/initdb.log" ||
        { cat "$work/initdb.log" >&2; exit 1; }

    # Set before the server is there: whatever ends the script from now on ends the server too.
    trap stop_postgresql EXIT
    port=$(free_port)
    (cd "$home" && as_user postgres "$postgresql_bin/postgres" -D "$home/data" -p "$port" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories="$home" -c fsync=off "$@") \
        >"$work/postgresql.log" 2>&1 </dev/null &
    postgresql_pid=$!
    PGPASSWORD=$(cat "$home/password")
    export PGPASSWORD
    for _ in $(seq $((start_seconds * 5))); do
        kill -0 "$postgresql_pid" 2>/dev/null || { echo "peer: PostgreSQL ended before it served" >&2; exit 1; }
        if "$postgresql_bin/psql" -h 127.0.0.1 -p "$port" -U crosswalk -d postgres -qc 'CREATE DATABASE crosswalk' \
            2>"$work/psql.log"; then
            postgresql_url=postgresql://crosswalk:$PGPASSWORD@127.0.0.1:$port/crosswalk
            unset PGPASSWORD
            return
        fi
        sleep 0.2
    done
    cat "$work/psql.log" >&2
    echo "peer: PostgreSQL did not serve within $start_seconds s" >&2
    exit 1
}

# Ends PostgreSQL, and then what lib.sh's clean_up ends.
stop_postgresql() {
    local status=$?
    set +e
    if [ -n "$postgresql_pid" ]; then
        # INT breaks connections off; TERM would wait for them.
        kill -INT "$postgresql_pid" 2>/dev/null
        for _ in $(seq $((stop_seconds * 10))); do kill -0 "$postgresql_pid" 2>/dev/null || break; sleep 0.1; done
        # QUIT, not KILL: it takes the server's children with it.
        kill -QUIT "$postgresql_pid" 2>/dev/null
        wait "$postgresql_pid" 2>/dev/null
    fi
    if [ "$status" -ne 0 ] && [ -f "$work/postgresql.log" ]; then
        echo "-- the end of PostgreSQL's log:" >&2
        tail -n 40 "$work/postgresql.log" >&2
    fi
    (exit "$status")
    clean_up
}
