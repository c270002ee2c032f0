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
}

postgres_is_healthy() {
    "$(postgres_program pg_isready)" --quiet --timeout=2 --dbname=postgres \
        --host=127.0.0.1 --port="$(base_of postgres)"
}

postgres_start() {
    local base password
    base=$(choose_base postgres 0)
    password=$(head -c 16 /dev/urandom | od -An -v -tx1 | tr -d ' \n')
    postgres_make_home
    postgres_make_data "$password"
    launch postgres postgres "${AS_POSTGRES[@]}" "$(postgres_program postgres)" \
        -D "$STATE_DIR/postgres/home/data" -p "$base" -c listen_addresses=127.0.0.1 \
        -c unix_socket_directories= -c max_connections=200
    wait_until 30 postgres postgres_is_healthy
    publish postgres \
        "SYNC_TRACKER_POSTGRES_URL=postgres://sync_tracker:$password@127.0.0.1:$base/postgres"
}

postgres_make_home() {
    local home=$STATE_DIR/postgres/home owner=()
    if ((EUID == 0)); then
        id postgres >/dev/null 2>&1 ||
            die "PostgreSQL refuses to run as root, and there is no user postgres to run it"
        owner=(--owner=postgres --group=postgres)
    fi
    chmod 711 -- "$STATE_DIR/postgres"
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
