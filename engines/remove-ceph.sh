# shellcheck shell=bash
# Takes this host out of the Ceph cluster that engines/install-ceph.sh has set up: `scripts/install
# --ceph none`. Sourced by scripts/install. Nothing is destroyed that other hosts do not have, or
# that an instance needs: it says what stands in the way, and goes on where it was when it is run
# again. The last host ends the cluster, once no instance has a disk there.

# ceph_osds: the numbers of the OSDs that are here.
ceph_osds() { find "$CEPH_STATE/osd" -maxdepth 1 -name 'ceph-*' ! -name '*.new' -printf '%f\n' 2>/dev/null | sed 's/^ceph-//'; }
# ceph_other_osds: how many are elsewhere and are to be used.
ceph_other_osds() {
  ceph_admin osd dump | grep -E '^osd\.[0-9]+ .* in ' | sed 's/^osd\.\([0-9]*\) .*/\1/' | grep -vxF -f <(ceph_osds) | wc -l
}
ceph_monitor_count() { ceph_admin mon dump 2>/dev/null | grep -cE '^[0-9]+: '; }
is_last_ceph_host() { [ -d "$CEPH_STATE/mon/ceph-$(ceph_name)" ] && [ "$(ceph_monitor_count)" = 1 ]; }
# Disks of instances in the pool.
ceph_volumes() { ! pool_is_there || as_atoll rbd ls "$CEPH_POOL" | grep -c '^atoll-vol-' || true; }

# check_ceph_removal: why this host cannot leave now.
check_ceph_removal() {
  local volumes hosts copies
  ceph_answers >/dev/null || fail 'the Ceph cluster does not answer' 'see what ceph -s says; a host leaves it while it answers'
  if is_last_ceph_host; then
    volumes=$(ceph_volumes)
    [ "$volumes" = 0 ] || fail "this is the last monitor of the cluster, and the pool has the disks of $volumes instances" 'terminate them, or give the cluster further hosts first'
    [ "$(ceph_other_osds)" = 0 ] || fail 'this is the last monitor of the cluster, and other hosts give it disks' 'take those out first'
    return 0
  fi
  [ -z "$(ceph_osds)" ] && return 0
  hosts=$(ceph_admin osd tree up | awk '$3 == "host"' | awk -v own="$(ceph_name)" '$4 != own' | wc -l)
  copies=$(pool_copies)
  [ "$hosts" -ge "${copies:-1}" ] ||
    fail "$hosts other hosts have disks for Ceph, too few for ${copies:-1} copies" 'add a host first (scripts/install --ceph on it)'
}

osds_are_empty() {
  # shellcheck disable=SC2046 # numbers
  ceph_admin osd safe-to-destroy $(ceph_osds)
}

# leave_osds: gives this host's data to others, and removes its OSDs once they have it.
leave_osds() {
  local id
  [ -n "$(ceph_osds)" ] || return 0
  # shellcheck disable=SC2046 # numbers
  ceph_admin osd out $(ceph_osds)
  wait_for "$CEPH_SECONDS" osds_are_empty || { ceph_admin status; return 1; }
  for id in $(ceph_osds); do
    stop_ceph osd "$id"
    wait_for 60 osd_is_down "$id"
    ceph_admin osd purge "$id" --yes-i-really-mean-it
    remove_osd "$id"
  done
  ceph_admin osd crush rm "$(ceph_name)"
}

osd_is_down() { ! osd_is_up "$1"; }

# remove_osd ID: its directory, and what a device has of it.
remove_osd() {
  local device
  device=$(readlink -f "$CEPH_STATE/osd/ceph-$1/block")
  [ ! -b "$device" ] || wipefs --all --quiet "$device" || true
  [ ! -b "$device" ] || dd if=/dev/zero of="$device" bs=1M count=10 conv=fsync status=none
  rm -rf "$CEPH_STATE/osd/ceph-$1"
}

leave_managers_and_monitors() {
  local name
  name=$(ceph_name)
  if [ -d "$CEPH_STATE/mgr/ceph-$name" ]; then
    stop_ceph mgr "$name"
    ceph_admin auth rm "mgr.$name"
    rm -rf "$CEPH_STATE/mgr/ceph-$name"
  fi
  if [ -d "$CEPH_STATE/mon/ceph-$name" ]; then
    ceph_admin mon ok-to-rm "$name"
    ceph_admin mon rm "$name"
    stop_ceph mon "$name"
    rm -rf "$CEPH_STATE/mon/ceph-$name"
  fi
}

# end_ceph: the last host.
end_ceph() {
  local id name
  name=$(ceph_name)
  for id in $(ceph_osds); do stop_ceph osd "$id"; done
  stop_ceph mgr "$name"
  stop_ceph mon "$name"
  for id in $(ceph_osds); do remove_osd "$id"; done
  rm -rf "$CEPH_STATE/mgr/ceph-$name" "$CEPH_STATE/mon/ceph-$name"
}

remove_ceph_files() {
  rm -rf "$CEPH_STATE"/{osd,mon}/ceph-*.new
  rm -f "$CEPH_CONF" "$CEPH_ADMIN" "$CEPH_KEY" "$CEPH_DISK_LIST" "$CEPH_LOG" /etc/systemd/system/ceph-{mon,mgr,osd}@.service.d/atoll.conf
  ! has_systemd || systemctl daemon-reload
  # Last: it says that there is something to remove.
  rm -f "$CEPH_MARK"
}

# leave_ceph: this host's part, or the whole cluster if this is its last host.
leave_ceph() {
  local machines
  has_ceph || { say 'ok  this host has no part of a Ceph cluster of Atoll'; return 0; }
  CEPH=$(sed -n 's/^CEPH_HOSTS=//p' "$CEPH_MARK")
  machines=$({ find "$STATE/machines" -maxdepth 2 -name disk-place.json -exec grep -l '"rbd-' {} + 2>/dev/null || true; } | wc -l)
  [ "$machines" = 0 ] || fail "virtual machines on this host have their disks in the pool ($machines)" 'move them away (atoll evacuate) or terminate them'
  # It may have got as far as this.
  if [ -d "$CEPH_STATE/mon/ceph-$(ceph_name)" ] || [ -n "$(ceph_osds)" ]; then
    check_ceph_removal
    if is_last_ceph_host; then
      step 'End the Ceph cluster' "read $LOG" end_ceph
    else
      step "Copy this host's data to other hosts of the Ceph cluster" 'it goes on: see ceph -s, and run this again later' leave_osds
      step 'Leave the Ceph cluster' "read $LOG" leave_managers_and_monitors
    fi
  fi
  remove_ceph_files
  # shellcheck disable=SC2034  # read by scripts/install
  CEPH=none
}

# tell_ceph_stays: after --uninstall.
tell_ceph_stays() {
  has_ceph || return 0
  say "    Kept: this host's part of the Ceph cluster, which has disks of other hosts' instances ($CEPH_ETC, $CEPH_STATE). It runs on."
  say '    To take it out: scripts/install --uninstall --ceph none.'
}
