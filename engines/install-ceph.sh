# shellcheck shell=bash
# Sets a Ceph cluster up on hosts of the cloud, from Debian's packages and units, for the root disks
# of virtual machines. Sourced by scripts/install, never run. Needs lib.sh, lib-engines.sh and
# install-engines.sh, and the variables CEPH (addresses of the hosts with monitors, `none` or
# empty), CEPH_DISKS, ADDRESS, NAME (as given), NEW_CLUSTER, SECRET and CONFIG.
#
# All hosts have the same keys of the monitors and of the administrator, derived from the cluster's
# secret. The first host makes a cluster of one monitor. Each further one asks those that answer,
# and joins them, so no two clusters come about. Every step looks first at what there is, and makes
# a directory of a daemon beside its place: whoever was interrupted runs it again.
#
# Files: /etc/ceph (configuration, keys, `atoll` with what this host has, `atoll-disks`), and
# /var/lib/ceph/{mon,mgr,osd}/ceph-*. scripts/install --uninstall leaves all of it: other hosts'
# instances have their disks there.

CEPH_ETC=/etc/ceph
CEPH_CONF=$CEPH_ETC/ceph.conf
CEPH_ADMIN=$CEPH_ETC/ceph.client.admin.keyring
CEPH_KEY=$CEPH_ETC/ceph.client.atoll.keyring
# What this host has of the cluster: its name there.
CEPH_MARK=$CEPH_ETC/atoll
# One line for each disk: its OSD's UUID, and where it is, or its size as a file.
CEPH_DISK_LIST=$CEPH_ETC/atoll-disks
CEPH_STATE=/var/lib/ceph
CEPH_RUN=/run/ceph
CEPH_LOG=/var/log/ceph/atoll.log
CEPH_POOL=atoll
# Copies of each block, on different hosts; a cluster of one monitor has one.
CEPH_COPIES=3
CEPH_SECONDS=${ATOLL_CEPH_SECONDS:-120}
CEPH_WRITTEN='# Written by Atoll'

# ---- what this host is -----------------------------------------------------------------------------------------------------

has_ceph() { [ -e "$CEPH_MARK" ]; }

# ceph_monitor_address: the one of CEPH that this machine has. Nothing: it has no monitor.
ceph_monitor_address() {
  local host
  for host in ${CEPH//,/ }; do
    [ -z "$(ip -o -4 address show to "$host/32")" ] || { printf '%s' "$host"; return 0; }
  done
}

# ceph_own_address: from which this host reaches the cluster.
ceph_own_address() {
  local own=${ADDRESS:-$(ceph_monitor_address)}
  [ -n "$own" ] || own=$(ip -o -4 route get "${CEPH%%,*}" | sed -n 's/.* src \([0-9.]*\).*/\1/p')
  printf '%s' "$own"
}

# ceph_name: this host in the cluster. It stays what it was when the host joined.
ceph_name() {
  local name=''
  ! has_ceph || name=$(sed -n 's/^CEPH_NAME=//p' "$CEPH_MARK")
  printf '%s' "${name:-${NAME:-$(hostname | cut -d . -f 1 | tr '[:upper:]' '[:lower:]')}}"
}

ceph_monitors() { wc -w <<<"${CEPH//,/ }"; }
# Copies of each block that the cluster is to have.
ceph_copies() { [ "$(ceph_monitors)" = 1 ] && echo 1 || echo "$CEPH_COPIES"; }

# stable_disk DEVICE: a name of the device that it has after the next boot, too.
stable_disk() {
  local link
  for link in /dev/disk/by-id/* /dev/disk/by-partuuid/*; do
    [ "$(readlink -f "$link")" != "$(readlink -f "$1")" ] || { printf '%s' "$link"; return 0; }
  done
  printf '%s' "$1"
}

# ceph_disk_uuid DISK: of its OSD. Nothing: it has none here.
ceph_disk_uuid() {
  local uuid disk
  while read -r uuid disk; do
    [ "$disk" = "$1" ] || { [ -e "$disk" ] && [ "$disk" -ef "$1" ]; } || continue
    printf '%s' "$uuid"
    return 0
  done <<<"$(cat "$CEPH_DISK_LIST" 2>/dev/null)"
}

# check_ceph_options: refuses what can be refused before anything is changed.
check_ceph_options() {
  local host disk
  [ "$CEPH" != none ] || return 0
  for host in ${CEPH//,/ }; do
    is_address "$host" || fail "--ceph $host is not an IPv4 address" 'give the addresses of 1, 3 or 5 hosts, in the same order on every host'
  done
  case $(ceph_monitors) in
    1 | 3 | 5) ;;
    *) fail "--ceph names $(ceph_monitors) hosts" 'name 1, 3 or 5: a majority of them has to answer, and of two there is none without both. Further hosts give disks only: they are not named' ;;
  esac
  [ ! -e "$CEPH_CONF" ] || grep -q "^$CEPH_WRITTEN" "$CEPH_CONF" ||
    fail "$CEPH_CONF is not Atoll's" 'to use a Ceph cluster that you have, leave out --ceph and see docs/shared-storage.md. Otherwise move the file away'
  has_ceph || [ -z "$(find "$CEPH_STATE/mon" "$CEPH_STATE/osd" -mindepth 1 2>/dev/null)" ] ||
    fail "$CEPH_STATE has daemons of another Ceph cluster" 'choose a host without one, or remove them first'
  if [ -n "$(ceph_monitor_address)" ] && [ -z "$(ceph_disks)" ]; then
    fail 'this host has no disk for Ceph' "add an empty disk, or the size of a file in $CEPH_STATE: --ceph-disk /dev/sdb or --ceph-disk 100G"
  fi
  for disk in ${CEPH_DISKS//,/ }; do [ -n "$(ceph_disk_uuid "$disk")" ] || check_ceph_disk "$disk"; done
}

# check_ceph_disk DISK: that it can be given to Ceph without a loss.
check_ceph_disk() {
  local disk=$1 found free
  if [[ $disk =~ ^[0-9]+G$ ]]; then
    [ "${disk%G}" -ge 4 ] || fail "--ceph-disk $disk is too small" 'give it 4G at least'
    [ ! -s "$CEPH_DISK_LIST" ] || fail "this host has a disk for Ceph: $(cut -d ' ' -f 2- "$CEPH_DISK_LIST" | xargs)" 'a second one must be a device'
    free=$(($(stat -f -c '%a * %S' /var/lib) / 1073741824))
    [ "$free" -gt "${disk%G}" ] || fail "/var/lib has $free GiB left, less than --ceph-disk $disk" 'choose less, or a device'
    return 0
  fi
  [ -b "$disk" ] || fail "--ceph-disk $disk is neither a device nor a size" 'for example: --ceph-disk /dev/sdb, or --ceph-disk 100G for a file'
  found=$(lsblk -nro MOUNTPOINTS "$disk" | xargs)
  [ -z "$found" ] || fail "$disk is in use ($found)" 'choose an empty disk'
  found=$(wipefs --noheadings --output TYPE "$disk" | xargs)
  [ -z "$found" ] || fail "$disk is not empty: $found" "choose another one, or destroy what it has: wipefs --all $disk"
  [ "$(lsblk -nro NAME "$disk" | wc -l)" = 1 ] || fail "$disk has partitions or is part of another device" 'choose an empty disk or one of its partitions'
}

# ---- asking the cluster ----------------------------------------------------------------------------------------------------

# ceph_key PURPOSE: a key of Ceph (its type, time and length before 16 bytes), from the secret.
ceph_key() {
  local hex
  hex=$(derived_password "$SECRET" "$1" | cut -c 1-32)
  [ "${#hex}" = 32 ] || return 1
  # shellcheck disable=SC2059 # the bytes are made by printf
  printf "$(printf '01000000000000000000''1000%s' "$hex" | sed 's/../\\x&/g')" | base64 -w 0
}

# ceph_admin ARGUMENTS...: `ceph` as the cluster's administrator. Hosts without a monitor do not
# keep the key.
ceph_admin() {
  local keyring=$CEPH_ADMIN status=0
  if [ ! -e "$CEPH_ADMIN" ]; then
    keyring=$(mktemp /run/atoll-ceph.XXXXXX)
    admin_keyring >"$keyring" || { rm -f "$keyring"; return 1; }
  fi
  # It looks for a key before it reads its options, and complains.
  CEPH_KEYRING=$keyring timeout 30 ceph --conf "$CEPH_CONF" --keyring "$keyring" --name client.admin --connect-timeout 10 "$@" || status=$?
  [ "$keyring" = "$CEPH_ADMIN" ] || rm -f "$keyring"
  return "$status"
}

admin_keyring() {
  local key
  key=$(ceph_key ceph-admin) || return
  printf '[client.admin]\n\tkey = %s\n' "$key"
}

# put_ceph_key FILE OWNER ENTITY RIGHTS...: writes the key of this user of the cluster, who is made
# if need be.
put_ceph_key() {
  local text
  text=$(ceph_admin auth get-or-create "${@:3}") || return
  printf '%s\n' "$text" | write_file "$1" 600 "$2:$2" || true
}

# as_atoll PROGRAM ARGUMENTS...: as the daemon does.
as_atoll() { timeout 30 "$1" --conf "$CEPH_CONF" --keyring "$CEPH_KEY" --id atoll "${@:2}"; }

ceph_answers() { ceph_admin fsid; }
# All of an answer is read: who writes it may fail otherwise.
monitor_is_in() { ceph_admin quorum_status | tr -d ' \n' | grep -o '"quorum_names":\[[^]]*\]' | grep "\"$(ceph_name)\"" >/dev/null; }
osd_is_up() { ceph_admin osd dump | grep "^osd\.$1 up " >/dev/null; }
pool_is_there() { ceph_admin osd pool ls | grep -x "$CEPH_POOL" >/dev/null; }
# Hosts with a disk that serves.
ceph_disk_hosts() { ceph_admin osd tree up | awk '$3 == "host"' | wc -l; }
# "size: 3"
pool_copies() { ceph_admin osd pool get "$CEPH_POOL" size | sed -n 's/^size: //p'; }

# ---- daemons ---------------------------------------------------------------------------------------------------------------

# ceph_config: text of CEPH_CONF. A host that is lost is noticed after 8 s: guests that write
# wait for so long. All connections are encrypted.
ceph_config() {
  local monitors
  monitors=$(printf '[v2:%s:3300],' ${CEPH//,/ })
  cat <<CONFIG
$CEPH_WRITTEN (scripts/install --ceph). Other settings: ceph config set.
[global]
mon_host = ${monitors%,}
public_network = $(ceph_own_address)/32
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
ms_bind_msgr1 = false
ms_cluster_mode = secure
ms_service_mode = secure
ms_client_mode = secure
osd_heartbeat_interval = 2
osd_heartbeat_grace = 8
mon_client_ping_interval = 2
mon_client_ping_timeout = 8
osd_pool_default_size = $(ceph_copies)
[mon]
public_addr = $(ceph_own_address):3300
mon_lease = 3
mon_election_timeout = 3
CONFIG
  [ "$(ceph_copies)" != 1 ] || printf 'mon_allow_pool_size_one = true\nmon_warn_on_pool_no_redundancy = false\n'
  cat <<CONFIG
[osd]
crush_location = root=default host=$(ceph_name)
osd_memory_target = 1610612736
CONFIG
}

# ceph_drop_in mon|mgr|osd: they are restarted and spared, as the other engines of this host.
ceph_drop_in() {
  cat <<UNIT
$CEPH_WRITTEN (scripts/install --ceph); removed by: scripts/install --ceph none
[Unit]
StartLimitIntervalSec=0
[Service]
Restart=always
RestartSec=2
CPUWeight=1000
OOMScoreAdjust=-600
UNIT
  [ "$1" != osd ] || printf 'ExecStartPre=+/bin/sh -c "chown ceph: $$(readlink -f %s/osd/ceph-%%i/block)"\n' "$CEPH_STATE"
}

# start_ceph mon|mgr|osd ID: starts the daemon if it does not run, and after each boot.
start_ceph() {
  local drop_in=/etc/systemd/system/ceph-$1@.service.d/atoll.conf pid=$CEPH_RUN/atoll-$1.$2.pid
  if has_systemd; then
    mkdir -p "$(dirname "$drop_in")"
    ! ceph_drop_in "$1" | write_file "$drop_in" 644 root:root || systemctl daemon-reload
    systemctl enable -q ceph.target "ceph-$1.target" "ceph-$1@$2"
    systemctl start "ceph-$1@$2"
    return 0
  fi
  is_running "$pid" "ceph-$1" && return 0
  [ "$1" != osd ] || chown ceph: "$(readlink -f "$CEPH_STATE/osd/ceph-$2/block")"
  ulimit -n 1048576 2>/dev/null || true
  setsid "ceph-$1" -f --id "$2" --setuser ceph --setgroup ceph </dev/null >>"$CEPH_LOG" 2>&1 &
  echo $! >"$pid"
}

stop_ceph() {
  local pid=$CEPH_RUN/atoll-$1.$2.pid
  if has_systemd; then systemctl disable -q --now "ceph-$1@$2"; else stop_process "$pid" "ceph-$1" 60; fi
  rm -f "$pid"
}

set_up_ceph_files() {
  mkdir -p "$CEPH_ETC"
  install -d -o ceph -g ceph "$CEPH_RUN" /var/log/ceph "$CEPH_STATE" "$CEPH_STATE"/{mon,mgr,osd}
  ceph_config | write_file "$CEPH_CONF" 644 root:root || true
  { echo "$CEPH_WRITTEN"; printf 'CEPH_HOSTS=%s\nCEPH_NAME=%s\n' "$CEPH" "$(ceph_name)"; } | write_file "$CEPH_MARK" 644 root:root || true
  [ -n "$(ceph_monitor_address)" ] || return 0
  [ -e "$CEPH_ADMIN" ] || admin_keyring | write_file "$CEPH_ADMIN" 600 root:root
}

# monitor_keys: of the monitors, and of the administrator, whom they know from their first start.
monitor_keys() {
  local key
  key=$(ceph_key ceph-mon) || return
  printf '[mon.]\n\tkey = %s\n\tcaps mon = "allow *"\n' "$key"
  admin_keyring || return
  printf '\tcaps %s = "allow *"\n' mon osd mgr mds
}

# set_up_monitor: of the cluster that answers, or of a new one.
set_up_monitor() {
  local name data new
  name=$(ceph_name) data=$CEPH_STATE/mon/ceph-$(ceph_name)
  new=$data.new
  if [ ! -d "$data" ]; then
    rm -rf "$new"
    install -d -o ceph -g ceph -m 700 "$new"
    monitor_keys >"$new/keys"
    if ceph_answers; then
      if ceph_admin mon dump | grep " mon\.$name\$"; then
        echo "the cluster has a monitor with the name $name already, on another host"
        return 1
      fi
      ceph_admin mon getmap -o "$new/map"
    elif [ "$NEW_CLUSTER" = yes ] || [ "$CEPH" = "$(ceph_monitor_address)" ]; then
      monmaptool --create --fsid "$(cat /proc/sys/kernel/random/uuid)" --addv "$name" "[v2:$(ceph_monitor_address):3300]" "$new/map"
    else
      echo "no monitor of Ceph answers at $CEPH"
      return 1
    fi
    chown ceph: "$new"/*
    ceph-mon --mkfs --id "$name" --mon-data "$new/data" --monmap "$new/map" --keyring "$new/keys" --setuser ceph --setgroup ceph
    mv -T "$new/data" "$data"
    rm -rf "$new"
  fi
  start_ceph mon "$name"
  wait_for "$CEPH_SECONDS" monitor_is_in || { tail -n 20 "$CEPH_LOG"; return 1; }
  ceph_admin config set mon auth_allow_insecure_global_id_reclaim false
  ceph_admin osd set-require-min-compat-client mimic
}

# set_up_manager: what counts and balances. The first two hosts have one, of which one waits.
set_up_manager() {
  local name data
  name=$(ceph_name) data=$CEPH_STATE/mgr/ceph-$(ceph_name)
  install -d -o ceph -g ceph -m 700 "$data"
  put_ceph_key "$data/keyring" ceph "mgr.$name" mon 'allow profile mgr' osd 'allow *' mds 'allow *'
  start_ceph mgr "$name"
}

# set_up_osd DISK
set_up_osd() {
  local uuid id data new block
  uuid=$(ceph_disk_uuid "$1")
  if [ -z "$uuid" ]; then
    uuid=$(cat /proc/sys/kernel/random/uuid)
    { cat "$CEPH_DISK_LIST" 2>/dev/null || true; printf '%s %s\n' "$uuid" "$(stable_disk "$1")"; } | write_file "$CEPH_DISK_LIST" 600 root:root
  fi
  block=$(sed -n "s/^$uuid //p" "$CEPH_DISK_LIST")
  id=$(ceph_admin osd create "$uuid")
  [[ $id =~ ^[0-9]+$ ]]
  data=$CEPH_STATE/osd/ceph-$id new=$CEPH_STATE/osd/ceph-$id.new
  if [ ! -d "$data" ]; then
    rm -rf "$new"
    install -d -o ceph -g ceph -m 700 "$new"
    put_ceph_key "$new/keyring" ceph "osd.$id" mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *'
    if [ -b "$block" ]; then
      ln -s "$block" "$new/block"
      chown ceph: "$(readlink -f "$block")"
    else
      fallocate -l "$block" "$new/block"
      chown ceph: "$new/block"
    fi
    ceph-osd --mkfs --id "$id" --osd-uuid "$uuid" --osd-data "$new" --keyring "$new/keyring" --setuser ceph --setgroup ceph
    mv -T "$new" "$data"
  fi
  start_ceph osd "$id"
  wait_for "$CEPH_SECONDS" osd_is_up "$id" || { tail -n 20 "$CEPH_LOG"; return 1; }
}

# set_up_ceph_key: the user of the daemon and of machines, with the rights that
# docs/shared-storage.md names.
set_up_ceph_key() {
  local rights=(mon 'profile rbd, allow command "osd blocklist"' osd "profile rbd pool=$CEPH_POOL")
  # Refused if it is there with other rights.
  ceph_admin auth get-or-create client.atoll "${rights[@]}" >/dev/null || ceph_admin auth caps client.atoll "${rights[@]}"
  put_ceph_key "$CEPH_KEY" root client.atoll "${rights[@]}"
}

# ceph_disks: those that this host gives, and those that it is to give.
ceph_disks() {
  local disk
  cut -d ' ' -f 2- "$CEPH_DISK_LIST" 2>/dev/null || true
  for disk in ${CEPH_DISKS//,/ }; do [ -n "$(ceph_disk_uuid "$disk")" ] || echo "$disk"; done
}

# ensure_ceph_host: this host's part of the cluster.
ensure_ceph_host() {
  local disk self packages='ceph-common qemu-block-extra'
  self=$(ceph_monitor_address)
  [ -z "$self" ] || packages="$packages ceph-mon ceph-mgr"
  [ -z "$(ceph_disks)" ] || packages="$packages ceph-osd"
  # shellcheck disable=SC2086 # a list of names
  ensure_packages $packages
  step 'Configure Ceph' "read $LOG" set_up_ceph_files
  if [ -n "$self" ]; then
    step 'Start the monitor of Ceph' "on the first host: add --new-cluster. On the others: a majority of the monitors that there are has to answer at port 3300; their log is $CEPH_LOG" set_up_monitor
  fi
  step 'Reach the Ceph cluster' "a majority of its monitors ($CEPH) has to answer at port 3300. If the cluster's secret has changed since: copy $CEPH_ADMIN from a host with a monitor" \
    wait_for 30 ceph_answers
  if [ -n "$self" ] && [[ ",$(cut -d , -f 1-2 <<<"$CEPH")," = *",$self,"* ]]; then
    step 'Start the manager of Ceph' "read $LOG" set_up_manager
  fi
  [ -n "$(ceph_disks)" ] || say '    this host gives no disk to Ceph (--ceph-disk)'
  for disk in $(ceph_disks); do
    step "Give $disk to Ceph" "read the end of /var/log/ceph/ceph-osd.*.log, and run this again" set_up_osd "$disk"
  done
  step 'Give Atoll its key of Ceph' "read $LOG" set_up_ceph_key
}

# ---- the pool --------------------------------------------------------------------------------------------------------------

# fit_pool: makes the pool, and gives it its copies where a cluster of one host has grown.
fit_pool() {
  local copies sure=()
  copies=$(ceph_copies)
  pool_is_there || ceph_admin osd pool create "$CEPH_POOL" 32
  if [ "$(pool_copies)" != "$copies" ]; then
    [ "$copies" != 1 ] || sure=(--yes-i-really-mean-it)
    ceph_admin osd pool set "$CEPH_POOL" size "$copies" "${sure[@]}"
  fi
  ceph_admin osd pool set "$CEPH_POOL" min_size $((copies == 1 ? 1 : copies - 1))
  ceph_admin osd pool application enable "$CEPH_POOL" rbd
}

storage_is_made() { as_atoll rbd image-meta get "$CEPH_POOL/atoll-storage" atoll.marker; }

# make_storage RELEASE: the pool's marker. Another host may be making it now.
make_storage() {
  storage_is_made || "$1/bin/atoll" --config "$CONFIG" storage init || wait_for 20 storage_is_made || {
    # It was interrupted before the marker, without which nobody has used the image.
    as_atoll rbd rm --no-progress "$CEPH_POOL/atoll-storage"
    "$1/bin/atoll" --config "$CONFIG" storage init
  }
}

# ensure_ceph_pool RELEASE: once enough hosts have a disk.
ensure_ceph_pool() {
  local hosts copies
  hosts=$(ceph_disk_hosts) copies=$(ceph_copies)
  if [ "$hosts" -lt "$copies" ]; then
    say "    $hosts of $copies hosts have a disk for Ceph: install the others with the same --ceph. The last of them makes the pool."
    return 0
  fi
  step "Make the pool $CEPH_POOL, with $copies $([ "$copies" = 1 ] && echo copy || echo copies) of each block" "see what ceph -s says, and run this again" fit_pool
  step 'Make the pool a storage of this cloud' "see what ceph -s says, and run this again" make_storage "$1"
}

# set_ceph_pool FILE POOL: writes storage.ceph.pool into settings of which nothing else changes.
# Fails where it cannot tell how.
set_ceph_pool() {
  if grep -q '^storage: {ceph: {pool: ' "$1"; then
    sed -i "s/^storage: {ceph: {pool: .*/storage: {ceph: {pool: $2}}/" "$1"
  elif grep -q '^storage:' "$1"; then
    return 1
  elif [ "$2" != null ]; then
    printf 'storage: {ceph: {pool: %s}}\n' "$2" >>"$1"
  fi
}
