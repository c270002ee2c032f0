# Installs what the servers need and this machine lacks, after saying so.
# shellcheck shell=bash

readonly CLUSTER_SETTINGS=/etc/postgresql-common/createcluster.d/sync-tracker-test-servers.conf

MISSING_PACKAGES=()
MISSING_REASONS=()
MISSING_MONGOD=false
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
CLUSTER_SETTINGS_MADE=false
SERVICE_POLICY_MADE=false
DOWNLOAD_DIR=

needs_package() {
    local package=$1 reason=$2
    [[ " ${MISSING_PACKAGES[*]} " != *" $package "* ]] || return 0
    MISSING_PACKAGES+=("$package")
    MISSING_REASONS+=("Debian package $package: $reason")
}

needs_mongod() {
    if [[ $MISSING_MONGOD == true ]]; then return; fi
    MISSING_MONGOD=true
    MISSING_REASONS+=("$1")
}

has_command() { command -v -- "$1" >/dev/null; }

install_missing() {
    find_missing "$@"
    if ((${#MISSING_REASONS[@]} == 0)); then return; fi
    say "To be installed:"
    printf '  %s\n' "${MISSING_REASONS[@]}" >&2
    check_can_install
    confirm_install
    install_packages
    if [[ $MISSING_MONGOD == true ]]; then mongo_download; fi
    find_missing "$@"
    ((${#MISSING_REASONS[@]} == 0)) ||
        die "installed, but still not found: ${MISSING_REASONS[*]}"
}

find_missing() {
    local server
    MISSING_PACKAGES=()
    MISSING_REASONS=()
    MISSING_MONGOD=false
    for server in "$@"; do call "$server" needs; done
}

check_can_install() {
    if ((${#MISSING_PACKAGES[@]} == 0)); then return; fi
    has_command apt-get ||
        die "no apt-get here: please install these yourself, and try again"
    ((EUID == 0)) || has_command sudo ||
        die "not root, and no sudo: have root run: apt-get install ${MISSING_PACKAGES[*]}"
}

confirm_install() {
    local answer
    if [[ $ASSUME_YES == true || ${CI:-} == true ]]; then return; fi
    [[ -t 0 ]] || die "no terminal to ask on; run again with --yes or CI=true to install these"
    read -r -p "Install? [y/N] " answer
    [[ $answer == [yY] || $answer == [yY][eE][sS] ]] || die "nothing installed, nothing started"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -- "$@"; fi
}

install_packages() {
    if ((${#MISSING_PACKAGES[@]} == 0)); then return; fi
    forbid_main_cluster
    forbid_services
    if ! run_apt_get update ||
        ! run_apt_get install --yes --no-install-recommends -- "${MISSING_PACKAGES[@]}"; then
        die "could not install; have root run: apt-get install ${MISSING_PACKAGES[*]}"
    fi
    # Nor shall it start with the machine.
    if [[ " ${MISSING_PACKAGES[*]} " == *" pgbouncer "* ]] && has_command systemctl; then
        as_root systemctl --quiet disable pgbouncer >&2 || true
    fi
    allow_services
    allow_main_cluster
}

run_apt_get() {
    (
        umask 022
        as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
            apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@" </dev/null >&2
    )
}

# Installing the package postgresql makes and starts a cluster `main`, unless this forbids it.
forbid_main_cluster() {
    [[ " ${MISSING_PACKAGES[*]} " == *" postgresql "* ]] || return 0
    CLUSTER_SETTINGS_MADE=true
    echo "create_main_cluster = false" |
        as_root install -D -m 644 -- /dev/stdin "$CLUSTER_SETTINGS"
}

allow_main_cluster() {
    [[ $CLUSTER_SETTINGS_MADE == true ]] || return 0
    as_root rm -f -- "$CLUSTER_SETTINGS"
    as_root rmdir --ignore-fail-on-non-empty -- "${CLUSTER_SETTINGS%/*}"
    CLUSTER_SETTINGS_MADE=false
}

# Installing the package pgbouncer starts its service, unless a policy forbids it.
forbid_services() {
    [[ ! -e $SERVICE_POLICY ]] || return 0
    SERVICE_POLICY_MADE=true
    printf '#!/bin/sh\nexit 101\n' | as_root install -m 755 -- /dev/stdin "$SERVICE_POLICY"
}

allow_services() {
    [[ $SERVICE_POLICY_MADE == true ]] || return 0
    as_root rm -f -- "$SERVICE_POLICY"
    SERVICE_POLICY_MADE=false
}

clean_up_install() {
    allow_services
    allow_main_cluster
    if [[ -n $DOWNLOAD_DIR ]]; then rm -rf -- "$DOWNLOAD_DIR"; fi
}
