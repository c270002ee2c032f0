# What runs, and where: the state directory, processes and ports.
#
# Each server has a directory in the state directory: NAME.pid and NAME.log for each of its
# processes, `base` (its first port) and `exports`, which is written last.
# shellcheck shell=bash

readonly LOCK_FILE=$STATE_DIR/test-servers.lock

is_state_dir() { [[ -f $LOCK_FILE && -O $STATE_DIR && ! -L $STATE_DIR ]]; }

# Others may make files in /tmp, and users may name a directory with data of their own:
# only what is ours already, or is empty, will do.
make_state_dir() {
    mkdir -p -- "$(dirname -- "$STATE_DIR")"
    mkdir -- "$STATE_DIR" 2>/dev/null || true
    if ! is_state_dir; then
        [[ -d $STATE_DIR && -O $STATE_DIR && ! -L $STATE_DIR && -z $(ls -A -- "$STATE_DIR") ]] ||
            die "$STATE_DIR was not made by this script; name another in SYNC_TRACKER_TEST_DIR"
    fi
    # The postgres user must get through, but list nothing.
    chmod 711 -- "$STATE_DIR"
    touch -- "$LOCK_FILE"
}

# Descriptor 9 holds the lock. `down` deletes the file: then the lock held is worth nothing.
lock_state_dir() {
    exec 9<"$LOCK_FILE"
    if ! flock --nonblock 9; then
        say "waiting for another test-servers to finish"
        flock 9
    fi
    [[ $LOCK_FILE -ef /proc/self/fd/9 ]] || die "another test-servers just ended; try again"
}

has_state() { [[ -d $STATE_DIR/$1 ]]; }

make_server_dir() { mkdir -- "$STATE_DIR/$1"; }

remove_state_dir_if_unused() {
    local server
    for server in "${ALL_SERVERS[@]}"; do
        if has_state "$server"; then return; fi
    done
    rm -f -- "$LOCK_FILE"
    rmdir -- "$STATE_DIR"
}

# publish SERVER NAME=VALUE... records what tests need to know, which ends a start.
publish() {
    local server=$1
    shift
    printf '%s\n' "$@" >"$STATE_DIR/$server/exports"
}

published() {
    sed -n "s/^$2=//p" "$STATE_DIR/$1/exports"
}

print_published() {
    local line
    while IFS= read -r line; do
        print_export "${line%%=*}" "${line#*=}"
    done <"$STATE_DIR/$1/exports"
}

# Hosts and ports only: a URL has a password.
addresses() {
    published "$1" "${URL_VARIABLE[$1]}" | sed -E 's#[a-z]+://([^@/,]*@)?([^/,?]*)[^,]*#\2#g'
}

# Runs a server in the background: launch SERVER NAME COMMAND...
# Every command line names a file below the server's directory; is_ours depends on that.
launch() {
    local server=$1 name=$2 dir=$STATE_DIR/$1 pid
    shift 2
    (exec setsid -- "$@") >"$dir/$name.log" 2>&1 </dev/null 9<&- &
    pid=$!
    echo "$pid" >"$dir/$name.pid"
    until is_ours "$server" "$pid" || ! is_alive "$pid"; do sleep 0.01; done
}

is_alive() { [[ -d /proc/$1 ]]; }

# A process id may long belong to someone else.
is_ours() {
    local server=$1 pid=$2 command_line
    command_line=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
    [[ $command_line == *"$STATE_DIR/$server/"* ]]
}

recorded_pids() {
    local file
    for file in "$STATE_DIR/$1"/*.pid; do
        if [[ -s $file ]]; then cat -- "$file"; fi
    done
}

all_processes_run() {
    local pid
    for pid in $(recorded_pids "$1"); do
        is_ours "$1" "$pid" || return 1
    done
}

is_running() { [[ -s $STATE_DIR/$1/exports ]] && all_processes_run "$1"; }

# wait_until SECONDS SERVER CONDITION... fails at once if a process of the server has ended.
wait_until() {
    local deadline=$((SECONDS + $1)) seconds=$1 server=$2
    shift 2
    until "$@"; do
        if ! all_processes_run "$server"; then
            say "$server: a process of it has ended"
            return 1
        elif ((SECONDS >= deadline)); then
            say "$server: not ready after $seconds s ($*)"
            return 1
        fi
        sleep 0.1
    done
    # What answered may be a stranger that took the port first.
    all_processes_run "$server"
}

stop() {
    local server=$1 pid pids=() signal=TERM
    if ! has_state "$server"; then return; fi
    for pid in $(recorded_pids "$server"); do
        if is_ours "$server" "$pid"; then pids+=("$pid"); fi
    done
    # TERM makes PostgreSQL wait until its clients are gone.
    if [[ $server == postgres ]]; then signal=INT; fi
    if ((${#pids[@]})); then
        kill -s "$signal" -- "${pids[@]}" 2>/dev/null || true
        for pid in "${pids[@]}"; do end_process "$server" "$pid"; done
    fi
    rm -rf -- "${STATE_DIR:?}/$server"
}

end_process() {
    local server=$1 pid=$2 polls=0
    while is_ours "$server" "$pid"; do
        if ((polls == 100)); then kill -s KILL -- "$pid" 2>/dev/null || true; fi
        ((polls < 150)) || die "$server: process $pid does not end; its data is kept"
        sleep 0.1
        polls=$((polls + 1))
    done
}

# choose_base SERVER OFFSET... records and prints a base: base + OFFSET is a free port for each.
# The default ports are below those that Linux gives to outgoing connections.
choose_base() {
    local server=$1 last=$((PORT_BASE + 2000)) base offset
    shift
    for ((base = PORT_BASE; base < last && base <= 55400; base += 100)); do
        for offset in "$@"; do
            if is_port_taken $((base + offset)); then continue 2; fi
        done
        echo "$base" | tee -- "$STATE_DIR/$server/base"
        return
    done
    die "$server: found no free ports from $PORT_BASE on; set SYNC_TRACKER_PORT_BASE"
}

base_of() { cat -- "$STATE_DIR/$1/base"; }

is_port_taken() {
    local port
    printf -v port '%04X' "$1"
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
        awk -v port=":$port" '
            # Column 2 is the local address, and state 0A means that it listens.
            substr($2, length($2) - 4) == port && $4 == "0A" { taken = 1 }
            END { exit !taken }'
}

print_log_tails() {
    local file
    for file in "$STATE_DIR/$1"/*.log; do
        [[ -e $file ]] || continue
        say "--- ${file##*/}"
        tail -n 12 -- "$file" >&2
    done
}
