# One PostgreSQL server, in a data directory of its own.
# shellcheck shell=bash

AS_POSTGRES=()
if ((EUID == 0)); then
    AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi
readonly AS_POSTGRES

# Debian keeps the server's programs off PATH.
postgres_program() {
    local dir
    for dir in $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        if [[ -x $dir/initdb ]]; then
            echo "$dir/$1"
            return
        fi
    done
    command -v -- "$1"
}

postgres_needs() {
    postgres_program initdb >/dev/null || needs_package postgresql "the PostgreSQL server"
    has_command openssl || needs_package openssl "the certificates of the servers"
}

postgres_is_healthy() {
    "$(postgres_program pg_isready)" --quiet --timeout=2 --dbname=postgres \
        --host=127.0.0.1 --port="$(base_of postgres)"
}

postgres_start() {
    local base password
    base=$(choose_base postgres 0)
    password=$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    make_home_for_postgres postgres
    postgres_make_data "$password"
    postgres_make_certificates
    launch postgres postgres "${AS_POSTGRES[@]}" "$(postgres_program postgres)" \
        -D "$STATE_DIR/postgres/home/data" -p "$base" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=200 -c ssl=on \
        -c ssl_cert_file="$STATE_DIR/postgres/home/server.crt" \
        -c ssl_key_file="$STATE_DIR/postgres/home/server.key"
    wait_until 30 postgres postgres_is_healthy
    local url=postgres://sync_tracker:$password@127.0.0.1:$base/postgres
    local verified="sslmode=verify-full&sslrootcert=$STATE_DIR/postgres/authority.crt"
    # Whoever does not ask for TLS gets none, as on a server without it.
    publish postgres "SYNC_TRACKER_POSTGRES_URL=$url?sslmode=disable" \
        "SYNC_TRACKER_POSTGRES_TLS_URL=$url?$verified"
}

# A folder for a server that refuses to run as root.
make_home_for_postgres() {
    local server=$1 home=$STATE_DIR/$1/home owner=()
    if ((EUID == 0)); then
        id postgres >/dev/null 2>&1 ||
            die "$server refuses to run as root, and there is no user postgres to run it"
        owner=(--owner=postgres --group=postgres)
    fi
    chmod 711 -- "$STATE_DIR/$server"
    install -d -m 700 "${owner[@]}" -- "$home"
    "${AS_POSTGRES[@]}" test -w "$home" ||
        die "the user postgres cannot reach $home; name another place in SYNC_TRACKER_TEST_DIR"
}

# Sorts text as a language does, like most users' servers: a query that depends on the order
# of bytes, but does not ask for it, fails here too.
postgres_make_data() {
    local home=$STATE_DIR/postgres/home
    "${AS_POSTGRES[@]}" tee -- "$home/password" <<<"$1" >/dev/null
    "${AS_POSTGRES[@]}" "$(postgres_program initdb)" -D "$home/data" --no-sync --no-instructions \
        --username=sync_tracker --pwfile="$home/password" --auth=scram-sha-256 \
        --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en \
        >"$STATE_DIR/postgres/initdb.log" 2>&1
}

postgres_make_certificates() {
    local home=$STATE_DIR/postgres/home file
    make_certificates postgres
    for file in server.crt server.key; do
        "${AS_POSTGRES[@]}" tee -- "$home/$file" <"$STATE_DIR/postgres/$file" >/dev/null
        "${AS_POSTGRES[@]}" chmod 600 -- "$home/$file"
    done
}
