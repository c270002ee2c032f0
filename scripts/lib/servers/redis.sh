# Redis three ways: one server, a Cluster, and a master with replicas under Sentinel.
# shellcheck shell=bash

readonly SENTINEL_MASTER=sync-tracker
readonly CLUSTER_OFFSETS=(30 31 32 33 34 35)
readonly CLUSTER_BUS_OFFSETS=(10030 10031 10032 10033 10034 10035)
readonly SENTINEL_NODE_OFFSETS=(10 11 12)
readonly SENTINEL_OFFSETS=(20 21 22)

# Its password would be sent to servers that have none.
unset REDISCLI_AUTH

# redis-check-rdb is the same program, and takes its role from its name. Debian has it in a
# package without a service, so that nothing starts when it is installed.
redis_program() {
    command -v redis-server || command -v redis-check-rdb
}

redis_needs() {
    has_command openssl || needs_package openssl "the certificates of the servers"
    if redis_program >/dev/null && has_command redis-cli; then return; fi
    needs_package redis-tools "the Redis server and client, without Debian's service"
}

redis_cluster_needs() { redis_needs; }
redis_sentinel_needs() { redis_needs; }

redis_start() {
    local base dir=$STATE_DIR/redis
    base=$(choose_base redis 1 5)
    make_certificates redis
    redis_launch redis node $((base + 1)) "tls-port $((base + 5))" "tls-auth-clients no" \
        "tls-cert-file $dir/server.crt" "tls-key-file $dir/server.key" \
        "tls-ca-cert-file $dir/authority.crt"
    wait_until 30 redis redis_is_healthy
    publish redis "SYNC_TRACKER_REDIS_URL=redis://127.0.0.1:$((base + 1))/" \
        "SYNC_TRACKER_REDIS_TLS_URL=rediss://127.0.0.1:$((base + 5))/" \
        "SYNC_TRACKER_REDIS_TLS_AUTHORITY=$dir/authority.crt"
}

redis_is_healthy() { redis_answers $(($(base_of redis) + 1)); }

redis_cluster_start() {
    local base offset nodes=() urls=()
    base=$(choose_base redis-cluster "${CLUSTER_OFFSETS[@]}" "${CLUSTER_BUS_OFFSETS[@]}")
    for offset in "${CLUSTER_OFFSETS[@]}"; do
        redis_launch redis-cluster "node-$offset" $((base + offset)) \
            "cluster-enabled yes" "cluster-node-timeout 5000"
        nodes+=("127.0.0.1:$((base + offset))")
        urls+=("redis://127.0.0.1:$((base + offset))/")
    done
    for offset in "${CLUSTER_OFFSETS[@]}"; do
        wait_until 30 redis-cluster redis_answers $((base + offset))
    done
    redis-cli --cluster create "${nodes[@]}" --cluster-replicas 1 --cluster-yes \
        >"$STATE_DIR/redis-cluster/create.log" 2>&1
    wait_until 30 redis-cluster redis_cluster_is_healthy
    publish redis-cluster "SYNC_TRACKER_REDIS_CLUSTER_URLS=$(join_by_comma "${urls[@]}")"
}

# Every node knows of three replicas and serves all slots, and three nodes follow a master.
redis_cluster_is_healthy() {
    local base port offset info nodes replicas=0
    base=$(base_of redis-cluster)
    for offset in "${CLUSTER_OFFSETS[@]}"; do
        port=$((base + offset))
        info=$(redis_ask "$port" cluster info)
        [[ $info == *cluster_state:ok* && $info == *cluster_known_nodes:6* &&
            $info == *cluster_size:3* ]] || return 1
        nodes=$(redis_ask "$port" cluster nodes)
        [[ $(grep -c slave <<<"$nodes") == 3 && $nodes != *fail* ]] || return 1
        if redis_follows_master "$port"; then replicas=$((replicas + 1)); fi
    done
    ((replicas == 3))
}

redis_sentinel_start() {
    local base master offset urls=()
    base=$(choose_base redis-sentinel "${SENTINEL_NODE_OFFSETS[@]}" "${SENTINEL_OFFSETS[@]}")
    master=$((base + SENTINEL_NODE_OFFSETS[0]))
    redis_launch redis-sentinel "node-${SENTINEL_NODE_OFFSETS[0]}" "$master"
    wait_until 30 redis-sentinel redis_answers "$master"
    for offset in "${SENTINEL_NODE_OFFSETS[@]:1}"; do
        redis_launch redis-sentinel "node-$offset" $((base + offset)) \
            "replicaof 127.0.0.1 $master"
    done
    for offset in "${SENTINEL_OFFSETS[@]}"; do
        redis_launch_sentinel "$offset" $((base + offset)) "$master"
        urls+=("redis://127.0.0.1:$((base + offset))/")
    done
    wait_until 30 redis-sentinel redis_sentinel_is_healthy
    publish redis-sentinel "SYNC_TRACKER_REDIS_SENTINEL_URLS=$(join_by_comma "${urls[@]}")" \
        "SYNC_TRACKER_REDIS_SENTINEL_MASTER=$SENTINEL_MASTER"
}

# Every sentinel knows the two others and both replicas, and two nodes follow a master.
redis_sentinel_is_healthy() {
    local base offset replicas=0
    base=$(base_of redis-sentinel)
    for offset in "${SENTINEL_OFFSETS[@]}"; do
        [[ $(redis_ask $((base + offset)) info sentinel) == \
            *name=$SENTINEL_MASTER,status=ok,*,slaves=2,sentinels=3* ]] || return 1
    done
    for offset in "${SENTINEL_NODE_OFFSETS[@]}"; do
        if redis_follows_master $((base + offset)); then replicas=$((replicas + 1)); fi
    done
    ((replicas == 2))
}

# redis_launch SERVER NAME PORT SETTING...
redis_launch() {
    local server=$1 name=$2 port=$3
    shift 3
    redis_configure "$server" "$name" "$port" 'save ""' "appendonly yes" \
        "appendfsync always" "maxmemory-policy noeviction" "repl-diskless-sync-delay 0" "$@"
    redis_run "$server" "$name"
}

# redis_launch_sentinel OFFSET PORT MASTER_PORT
redis_launch_sentinel() {
    local name=sentinel-$1 port=$2 master=$3
    redis_configure redis-sentinel "$name" "$port" \
        "sentinel monitor $SENTINEL_MASTER 127.0.0.1 $master 2" \
        "sentinel down-after-milliseconds $SENTINEL_MASTER 500" \
        "sentinel failover-timeout $SENTINEL_MASTER 5000"
    redis_run redis-sentinel "$name" --sentinel
}

# redis_configure SERVER NAME PORT SETTING...
redis_configure() {
    local server=$1 name=$2 port=$3 dir=$STATE_DIR/$1/$2
    shift 3
    mkdir -- "$dir"
    # Without a title of its own, the process can be told by its command line.
    printf '%s\n' "bind 127.0.0.1" "port $port" "dir $dir" "daemonize no" "set-proc-title no" \
        "$@" >"$dir/redis.conf"
}

# redis_run SERVER NAME ARGUMENT...
redis_run() {
    local server=$1 name=$2 program=$STATE_DIR/$1/$2/redis-server
    shift 2
    ln -s -- "$(redis_program)" "$program"
    launch "$server" "$name" "$program" "${program%/*}/redis.conf" "$@"
}

# redis_ask PORT COMMAND...
redis_ask() {
    local port=$1
    shift
    redis-cli -h 127.0.0.1 -p "$port" "$@" 2>/dev/null | tr -d '\r'
}

redis_answers() { [[ $(redis_ask "$1" ping) == PONG ]]; }

redis_follows_master() { [[ $(redis_ask "$1" info replication) == *master_link_status:up* ]]; }

join_by_comma() {
    local IFS=,
    echo "$*"
}
