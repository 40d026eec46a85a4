# shellcheck shell=bash
# Sourced by scripts that set a host up: one address for clients of the API, which is always at a
# host that answers. keepalived moves it (VRRP version 3, RFC 5798). All hosts are set up alike, and
# none has a list of the others: they hear each other on the network that has the address. It runs
# beside a keepalived of the machine's own, with files and a unit of its own.
#
# Needs what scripts/lib.sh needs, and ETC and CURRENT.

VRRP_CONFIG=$ETC/keepalived.conf
VRRP_UNIT=/etc/systemd/system/atoll-api-address.service
VRRP_PID=/run/atoll-api-address.pid
VRRP_LOG=/var/log/atoll/keepalived.log

# vrrp_config ADDRESS LINK PORT ID: prints the configuration of keepalived (keepalived.conf(5)).
vrrp_config() {
  cat <<END
# Made by scripts/install --api-address, alike on all hosts. Changes are overwritten.
global_defs {
  router_id atoll
  vrrp_version 3
  vrrp_rt_priority 50
  # Two hosts of the same priority may take the address at once. The one that keeps it must be the
  # last that clients hear of. With the defaults they believed the other one for six seconds.
  vrrp_garp_master_delay 1
  vrrp_garp_lower_prio_delay 0
  vrrp_garp_master_refresh 1
  script_user root
  enable_script_security
}

# Whether the API answers at all. A host without it does not have the address. The shell is named
# because keepalived keeps the path of a program as it was when it started, and upgrades move it.
vrrp_script answers {
  script "/bin/sh $CURRENT/bin/atoll check --api --answers --port $3"
  interval 1
  timeout 3
  fall 1
  rise 1
  init_fail
}

# Whether this host can serve clients. Hosts that can come first. If none can (the records are away
# for all), one of them has the address all the same, and answers reads from its copy.
vrrp_script serves {
  script "/bin/sh $CURRENT/bin/atoll check --api --port $3"
  interval 1
  timeout 3
  fall 3
  rise 2
  init_fail
  weight -50
}

# All hosts have the same priority, and equals do not take the address from each other: a host that
# comes back moves nothing.
vrrp_instance atoll_api {
  state BACKUP
  interface $2
  virtual_router_id $4
  priority 100
  advert_int 0.3
  virtual_ipaddress {
    $1/32 dev $2
  }
  track_script {
    answers
    serves
  }
}
END
}

# vrrp_command: what runs keepalived with this configuration. Only VRRP, in the foreground.
vrrp_command() {
  printf '%s ' /usr/sbin/keepalived --dont-fork --vrrp --log-console --use-file "$VRRP_CONFIG" \
    --pid "$VRRP_PID" --vrrp_pid "${VRRP_PID%.pid}-vrrp.pid"
}

# vrrp_unit: prints the unit. Debian's own keepalived.service is left alone.
vrrp_unit() {
  cat <<END
# Made by scripts/install --api-address. Changes to this unit: systemctl edit atoll-api-address
[Unit]
Description=Atoll: the address of the API that moves among hosts
Documentation=file:$CURRENT/docs/api-address.md
Wants=network-online.target
After=network-online.target atolld.service
StartLimitIntervalSec=0

[Service]
ExecStart=$(vrrp_command)
Restart=always
RestartSec=1
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
END
}

# shared_address: the address that keepalived was set up for here. Nothing when it was not.
shared_address() { sed -n 's/^    \([0-9.]*\)\/32 dev .*/\1/p' "$VRRP_CONFIG" 2>/dev/null || true; }

# vrrp_id: the virtual router id that it was set up with.
vrrp_id() { sed -n 's/^  virtual_router_id //p' "$VRRP_CONFIG" 2>/dev/null || true; }

# link_towards ADDRESS: the link whose own network has the address. Nothing when there is none.
link_towards() {
  { ip -o -4 route show scope link match "$1" 2>/dev/null || true; } | awk '
    $1 != "default" {
      split($1, network, "/")
      length_ = network[2] == "" ? 32 : network[2]
      for (i = 2; i < NF; i++) if ($i == "dev" && length_ > longest) { longest = length_; link = $(i + 1) }
    }
    END { print link }'
}

# check_shared_address ADDRESS ID HOSTS: refuses what can be refused before anything is changed.
# What instances and engines have is refused by the settings (src/config-shared-address.ts).
check_shared_address() {
  local address=$1 link
  case $address in
    *:*) fail "--api-address $address is IPv6" 'the API listens on IPv4: choose a free IPv4 address of the network of the hosts' ;;
  esac
  is_address "$address" || fail "--api-address $address is not an IPv4 address" 'choose a free address of the network of the hosts, or none'
  [[ $2 =~ ^[0-9]{1,3}$ ]] && [ "$2" -ge 1 ] && [ "$2" -le 255 ] ||
    fail "--vrrp-id $2 is not between 1 and 255" 'choose a number that no other VRRP router on this network uses'
  [[ ",$3," != *",$address,"* ]] ||
    fail "--api-address $address is the address of a host" 'choose an address that no host has: keepalived gives it to one of them'
  link=$(link_towards "$address")
  case $link in
    '' ) fail "no network of this host has $address" "choose an address of a network that this host is connected to (ip -4 address)" ;;
    lo | at-*) fail "$address belongs to $link, not to the network of the hosts" 'choose a free address of the network of the hosts' ;;
  esac
  if [ "$(shared_address)" != "$address" ] && [ -n "$(ip -o -4 address show to "$address/32")" ]; then
    fail "this machine has the address $address" 'choose an address that no machine has, or remove it here: ip address delete'
  fi
}

# set_shared_address FILE ADDRESS: writes api.sharedAddress into settings of which nothing else
# changes. Fails where it cannot tell how.
set_shared_address() {
  if grep -q '^  sharedAddress:' "$1"; then
    sed -i "s/^  sharedAddress:.*/  sharedAddress: $2/" "$1"
  elif grep -Eq '^api:[[:space:]]*(#.*)?$' "$1"; then
    sed -Ei "s/^api:[[:space:]]*(#.*)?\$/&\n  sharedAddress: $2/" "$1"
  elif grep -q '^api:' "$1"; then
    return 1
  else
    printf 'api:\n  sharedAddress: %s\n' "$2" >>"$1"
  fi
}

# api_setting KEY: the setting api.KEY.
api_setting() {
  "$CURRENT/bin/atolld" --print-config --config "$CONFIG" |
    awk -v key="$1:" '/^[a-z]/ { inside = /^api:/ } inside && $1 == key { print $2; exit }'
}

# is_free_or_ours ADDRESS LINK PORT: whether no other machine has the address (RFC 5227), or a host
# of this cloud, which its certificate proves.
is_free_or_ours() {
  /bin/busybox arping -q -D -c 2 -w 2 -I "$2" "$1" && return 0
  curl --disable --silent --noproxy '*' --max-time 5 --output /dev/null --cacert "$ETC/tls/ca.crt" "https://$1:$3/healthz"
}

vrrp_runs() { is_running "$VRRP_PID" keepalived; }

start_vrrp() {
  if has_systemd; then
    vrrp_unit >"$VRRP_UNIT"
    systemctl daemon-reload
    systemctl enable -q atoll-api-address
    systemctl restart atoll-api-address
  else
    stop_process "$VRRP_PID" keepalived 5
    # shellcheck disable=SC2046 # words
    setsid $(vrrp_command) </dev/null >>"$VRRP_LOG" 2>&1 &
  fi
  wait_for 10 vrrp_runs
}

# ensure_shared_address ADDRESS ID: sets keepalived up, or leaves it as it is where nothing changes.
ensure_shared_address() {
  local link port
  link=$(link_towards "$1")
  port=$(api_setting port)
  (umask 022 && vrrp_config "$1" "$link" "$port" "$2" >"$VRRP_CONFIG.new")
  if cmp -s "$VRRP_CONFIG.new" "$VRRP_CONFIG" && vrrp_runs; then
    rm "$VRRP_CONFIG.new"
    say "ok  keepalived already looks after $1"
    return 0
  fi
  if ! [ -e "$VRRP_CONFIG" ] && ! is_free_or_ours "$1" "$link" "$port"; then
    rm "$VRRP_CONFIG.new"
    fail "another machine has the address $1" "choose a free one. Who has it: /bin/busybox arping -c 1 -I $link $1. The settings of this host name it until then (api.sharedAddress)"
  fi
  /usr/sbin/keepalived --config-test --vrrp --use-file "$VRRP_CONFIG.new" ||
    fail "keepalived refuses $VRRP_CONFIG.new" 'fix what the lines above name'
  mv -T "$VRRP_CONFIG.new" "$VRRP_CONFIG"
  step "Start keepalived for $1" "read the log: journalctl -u atoll-api-address, or $VRRP_LOG" start_vrrp
}

# remove_shared_address: gives the address away and takes keepalived off this host.
remove_shared_address() {
  if has_systemd && [ -e "$VRRP_UNIT" ]; then systemctl disable -q --now atoll-api-address || true; fi
  stop_process "$VRRP_PID" keepalived 5
  rm -f "$VRRP_UNIT" "$VRRP_CONFIG" "$VRRP_CONFIG.new" "$VRRP_PID" "${VRRP_PID%.pid}-vrrp.pid"
  ! has_systemd || systemctl daemon-reload
}

# ---- Pacemaker -------------------------------------------------------------------------------------------------------------

OCF_AGENT=/usr/lib/ocf/resource.d/atoll/atolld

# ensure_ocf_agent: for Pacemaker, where it is installed.
ensure_ocf_agent() {
  [ -d /usr/lib/ocf/resource.d ] || return 0
  install -D -m 755 "$CURRENT/scripts/ocf/atolld" "$OCF_AGENT"
}

remove_ocf_agent() {
  rm -f "$OCF_AGENT"
  ! [ -d "${OCF_AGENT%/*}" ] || rmdir --ignore-fail-on-non-empty "${OCF_AGENT%/*}"
}
