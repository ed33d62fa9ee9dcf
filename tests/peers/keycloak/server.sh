# A real Keycloak on loopback; sourced, after lib.sh.

need java "a JDK 17 or later (Debian: openjdk-17-jdk-headless)"
need mvn "Maven (Debian: maven)"
need python3 "Python 3.10 or later"
need curl "Debian: curl"

keycloak_version=26.7.3
# It imports its realm before it serves. Killed for taking too long to stop, its script would leave the server itself behind.
start_seconds=300 stop_seconds=30

# Downloads Keycloak and builds it for one embedded database in memory, once.
install_keycloak() {
    local home=$peer_cache/keycloak-$keycloak_version
    [ ! -f "$home/installed" ] || return 0
    rm -rf "$home"
    mkdir -p "$home"
    mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
        -Dartifact=org.keycloak:keycloak-quarkus-dist:$keycloak_version:tar.gz -DoutputDirectory="$work/download"
    tar -xzf "$work/download/keycloak-quarkus-dist-$keycloak_version.tar.gz" -C "$home" --strip-components=1
    rm -rf "$work/download"
    "$home/bin/kc.sh" build --db=dev-mem --cache=local --health-enabled=true >"$work/server.log" 2>&1
    touch "$home/installed"
}

# start_keycloak USERS GROUPS MEMBERSHIPS: with the realm of realm.py. Sets keycloak_url and keycloak_realm, its file.
start_keycloak() {
    install_keycloak
    # A home of its own around the installed parts: the realm file's place is fixed.
    local home=$work/keycloak port management
    mkdir -p "$home/data/import" "$home/tmp"
    cp -r "$peer_cache/keycloak-$keycloak_version/"{bin,conf} "$home"
    ln -s "$peer_cache/keycloak-$keycloak_version/"{lib,providers,themes} "$home"
    keycloak_realm=$home/data/import/realm.json
    python3 "$here/realm.py" "$@" >"$keycloak_realm"

    port=$(free_port) management=$(free_port)
    keycloak_url=http://127.0.0.1:$port
    # `--cache=local` here too: else it opens a cluster's ports.
    start env JAVA_OPTS_KC_HEAP=-Xmx640m \
        JAVA_OPTS_APPEND="-XX:TieredStopAtLevel=1 -Djava.io.tmpdir=$home/tmp" \
        "$home/bin/kc.sh" start --optimized --import-realm --cache=local --http-enabled=true --hostname-strict=false \
        --http-host=127.0.0.1 --http-port="$port" --log-level=INFO,io.smallrye.health:WARN \
        --http-management-host=127.0.0.1 --http-management-port="$management"
    wait_for_http "http://127.0.0.1:$management/health/ready" 200
}
