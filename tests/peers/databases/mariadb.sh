# A real MariaDB 10.11 on loopback; sourced, after postgresql.sh.

mariadb_pid=

# start_mariadb [OPTION…]: with more options of `mariadbd`. Sets mariadb_url: its user may do everything.
start_mariadb() {
    install_by_apt /usr/sbin/mariadbd mariadb-server
    local home=$work/mariadb port password
    # The server's user must pass through the work folder, which only its owner may list.
    chmod 711 "$work"
    mkdir "$home"
    [ "$(id -u)" -ne 0 ] || chown mysql:mysql "$home"
    (cd "$home" && as_user mysql mariadb-install-db --no-defaults --auth-root-authentication-method=normal \
        --datadir="$home/data" --skip-test-db) >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2; exit 1; }

    password=$(openssl rand -hex 16)
    # Before anybody can connect: a server whose root has no password serves nobody.
    (
        umask 077
        cat >"$home/init.sql" <<SQL
DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';
FLUSH PRIVILEGES;
CREATE DATABASE crosswalk CHARACTER SET utf8mb4;
CREATE USER crosswalk@'%' IDENTIFIED BY '$password';
GRANT ALL ON *.* TO crosswalk@'%' WITH GRANT OPTION;
SQL
    )
    [ "$(id -u)" -ne 0 ] || chown mysql:mysql "$home/init.sql"

    # Set before the server is there: whatever ends the script from now on ends the server too.
    trap stop_mariadb EXIT
    port=$(free_port)
    (cd "$home" && as_user mysql mariadbd --no-defaults --datadir="$home/data" --port="$port" --bind-address=127.0.0.1 \
        --socket="$home/socket" --pid-file="$home/pid" --init-file="$home/init.sql" --skip-name-resolve \
        --innodb-flush-log-at-trx-commit=0 "$@") >"$work/mariadb.log" 2>&1 </dev/null &
    mariadb_pid=$!
    for _ in $(seq $((start_seconds * 5))); do
        kill -0 "$mariadb_pid" 2>/dev/null || { echo "peer: MariaDB ended before it served" >&2; exit 1; }
        if MYSQL_PWD=$password mariadb --no-defaults -h 127.0.0.1 -P "$port" -u crosswalk -e 'SELECT 1' \
            >"$work/client.log" 2>&1; then
            mariadb_url=mysql://crosswalk:$password@127.0.0.1:$port/crosswalk
            return
        fi
        sleep 0.2
    done
    cat "$work/client.log" >&2
    echo "peer: MariaDB did not serve within $start_seconds s" >&2
    exit 1
}

# Ends MariaDB, and then PostgreSQL and what lib.sh's clean_up ends.
stop_mariadb() {
    local status=$?
    set +e
    if [ -n "$mariadb_pid" ]; then
        kill "$mariadb_pid" 2>/dev/null
        for _ in $(seq $((stop_seconds * 10))); do kill -0 "$mariadb_pid" 2>/dev/null || break; sleep 0.1; done
        kill -9 "$mariadb_pid" 2>/dev/null
        wait "$mariadb_pid" 2>/dev/null
    fi
    if [ "$status" -ne 0 ] && [ -f "$work/mariadb.log" ]; then
        echo "-- the end of MariaDB's log:" >&2
        tail -n 40 "$work/mariadb.log" >&2
    fi
    (exit "$status")
    stop_postgresql
}
