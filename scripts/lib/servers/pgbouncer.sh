# PgBouncer in front of the PostgreSQL server, with pool_mode = transaction.
# shellcheck shell=bash

# Debian keeps it where only root looks.
pgbouncer_program() {
    command -v -- pgbouncer || { [[ -x /usr/sbin/pgbouncer ]] && echo /usr/sbin/pgbouncer; }
}

pgbouncer_needs() {
    pgbouncer_program >/dev/null || needs_package pgbouncer "the pooler in front of PostgreSQL"
}

pgbouncer_is_healthy() {
    local url
    url=$(published pgbouncer SYNC_TRACKER_PGBOUNCER_URL 2>/dev/null) || return 1
    "$(postgres_program psql)" --no-psqlrc --quiet --dbname="$url" --command='SELECT 1' \
        >/dev/null 2>&1
}

# The PostgreSQL server that it leads to: yours, or the one of this script.
pgbouncer_server() {
    local url=${SYNC_TRACKER_POSTGRES_URL:-}
    if ! is_yours postgres; then
        is_running postgres || die "pgbouncer: start postgres, too, which it leads to"
        url=$(published postgres SYNC_TRACKER_POSTGRES_URL)
    fi
    [[ $url =~ ^postgres(ql)?://([^:@/]+):([^@/]+)@([^:/?]+)(:([0-9]+))?/([^?]+) ]] ||
        die "pgbouncer: SYNC_TRACKER_POSTGRES_URL is not postgres://USER:PASSWORD@HOST/DATABASE"
    printf '%s\n' "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" "${BASH_REMATCH[4]}" \
        "${BASH_REMATCH[6]:-5432}" "${BASH_REMATCH[7]}"
}

pgbouncer_start() {
    local server user password host port database base home=$STATE_DIR/pgbouncer/home
    server=$(pgbouncer_server)
    { read -r user && read -r password && read -r host && read -r port && read -r database; } \
        <<<"$server"
    base=$(choose_base pgbouncer 3)
    make_home_for_postgres pgbouncer
    "${AS_POSTGRES[@]}" tee -- "$home/users" <<<"\"$user\" \"$password\"" >/dev/null
    "${AS_POSTGRES[@]}" tee -- "$home/pgbouncer.ini" >/dev/null <<SETTINGS
[databases]
* = host=$host port=$port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $((base + 3))
unix_socket_dir =
pool_mode = transaction
auth_type = scram-sha-256
auth_file = $home/users
max_client_conn = 500
default_pool_size = 20
SETTINGS
    launch pgbouncer pgbouncer "${AS_POSTGRES[@]}" "$(pgbouncer_program)" "$home/pgbouncer.ini"
    publish pgbouncer "SYNC_TRACKER_PGBOUNCER_URL=$(
        printf 'postgres://%s:%s@127.0.0.1:%s/%s' "$user" "$password" $((base + 3)) "$database"
    )"
    wait_until 30 pgbouncer pgbouncer_is_healthy
}
