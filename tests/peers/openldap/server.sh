# A real OpenLDAP on loopback; sourced, after lib.sh.

need python3 "Python 3.10 or later"
need openssl "Debian: openssl"

# Debian 12's; where another is installed already, that one is taken.
slapd_version=2.5.13+dfsg-5

install_openldap() {
    if command -v slapd >/dev/null && command -v ldapsearch >/dev/null; then return; fi
    need apt-get "install slapd and ldap-utils ($slapd_version)"
    # The package must not start a service of its own.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends \
        "slapd=$slapd_version" "ldap-utils=$slapd_version" >"$work/server.log" 2>&1
}

# An authority, a server's certificate of it, and an authority that has signed nothing.
make_certificates() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
    for name in ca other-ca; do
        openssl req -x509 "${key[@]}" -keyout "$work/$name.key" -out "$work/$name.pem" -days 2 \
            -subj "/CN=$name.example.org" 2>/dev/null
    done
    openssl req "${key[@]}" -keyout "$work/server.key" -out "$work/server.csr" -subj /CN=server.example.org 2>/dev/null
    printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth\n' >"$work/server.ext"
    openssl x509 -req -in "$work/server.csr" -CA "$work/ca.pem" -CAkey "$work/ca.key" -CAcreateserial -days 2 \
        -extfile "$work/server.ext" -out "$work/server.pem" 2>/dev/null
}

# configuration FOLDER [LINE…]: slapd.conf for the database in FOLDER, with further lines at its top. cn=root may change it
# by $password.
configuration() {
    local folder=$1
    shift
    printf 'include /etc/ldap/schema/%s.schema\n' core cosine nis inetorgperson
    printf '%s\n' "$@"
    cat <<CONF
# What other directories have, under their own OIDs.
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
objectclass ( 2.16.840.1.113730.3.2.999 NAME 'testPerson' AUXILIARY
    MAY ( objectGUID \$ userAccountControl \$ nsAccountLock ) )
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile $folder.pid
sizelimit size.soft=500 size.hard=500 size.prtotal=unlimited
database mdb
maxsize 1073741824
suffix "dc=example,dc=org"
directory $folder
rootdn "cn=root,dc=example,dc=org"
rootpw $password
index objectClass eq
# Cuts the third page of 500 off; and takes no paging at all.
limits dn.exact="cn=short,dc=example,dc=org" size.soft=500 size.hard=500 size.prtotal=1200
limits dn.exact="cn=whole,dc=example,dc=org" size.soft=500 size.hard=500 size.prtotal=disabled
# The same for a directory of hundreds.
limits dn.exact="cn=few,dc=example,dc=org" size.soft=500 size.hard=500 size.prtotal=120
access to attrs=userPassword by anonymous auth by * none
access to dn.subtree="ou=hidden,dc=example,dc=org" by * none
access to attrs=entryUUID by dn.exact="cn=blind,dc=example,dc=org" none by users read by * none
access to * by users read by * none
CONF
}

# start_openldap URL…: on $work/slapd.conf. Sets ldap_url, whose port it chooses; further URLs are served too.
start_openldap() {
    ldap_url=ldap://127.0.0.1:$(free_port)
    start slapd -d 0 -f "$work/slapd.conf" -h "$ldap_url/ $*"
    for _ in $(seq $((start_seconds * 5))); do
        kill -0 "$server_pid" 2>/dev/null || { echo "peer: slapd ended before it served" >&2; exit 1; }
        if ldapsearch -x -H "$ldap_url" -b '' -s base 1.1 >/dev/null 2>&1; then return; fi
        sleep 0.2
    done
    echo "peer: slapd did not serve within $start_seconds s" >&2
    exit 1
}
