# shellcheck shell=bash
# Installs the engines of the cluster on this host, from Debian's packages and units: a MariaDB
# Galera node and a RabbitMQ node. Sourced by scripts/install, never run. Needs lib.sh,
# lib-engines.sh, and the variables ADDRESS, HOSTS, PEERS, NAME (as given), NEW_CLUSTER (yes or
# empty), SECRET and CURRENT.
#
# It writes settings in files of its own (60-atoll-galera.cnf, rabbitmq.conf), copies of the host's
# certificate, drop-ins for mariadb.service and rabbitmq-server.service, galera-watch.service, and
# atoll-engines.service with its nftables table. remove_engines removes all of it, and the data of
# both programs.

GALERA_SETTINGS=/etc/mysql/mariadb.conf.d/60-atoll-galera.cnf
GALERA_SQL=/etc/mysql/atoll.sql
GALERA_SECRET=/etc/mysql/atoll.secret
GALERA_PASSWORD=/etc/mysql/atoll.password
MARIADB_DATA=/var/lib/mysql
MARIADB_DROP_IN=/etc/systemd/system/mariadb.service.d/atoll.conf
GALERA_WATCH=/etc/systemd/system/galera-watch.service
RABBIT_SETTINGS=/etc/rabbitmq/rabbitmq.conf
RABBIT_ENVIRONMENT=/etc/rabbitmq/rabbitmq-env.conf
RABBIT_PASSWORD=/etc/rabbitmq/atoll.password
RABBIT_DEFINITIONS=/etc/rabbitmq/atoll-definitions.json
RABBIT_DATA=/var/lib/rabbitmq
ENGINES_CONFIG=$ETC/engines.conf
ENGINES_UNIT=/etc/systemd/system/atoll-engines.service
RABBIT_DROP_IN=/etc/systemd/system/rabbitmq-server.service.d/atoll.conf
MARK='# Made by scripts/install of Atoll; removed by its --uninstall.'

# Prints the databases on this machine that are neither MariaDB's own nor Atoll's. A node that joins
# a cluster loses them.
foreign_databases() {
  [ -d "$MARIADB_DATA" ] || return 0
  find "$MARIADB_DATA" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' |
    grep -vxE 'mysql|performance_schema|sys|atoll|lost\+found|\..*|#.*' || true
}

ensure_engines() {
  local foreign
  foreign=$(foreign_databases)
  [ -z "$foreign" ] || fail "the MariaDB on this machine has other databases, which would be lost: $(echo $foreign)" \
    "move these databases to another machine first, or install the engines on another machine"
  # shellcheck disable=SC2046 # a list of names
  ensure_packages $(engine_packages)
  step "Let only hosts of the cluster reach the engines" "read $LOG" set_up_guard
  step "Set up the MariaDB Galera node" "read $LOG" set_up_mariadb
  step "Set up the RabbitMQ node" "read $LOG" set_up_rabbitmq
}

# write_file FILE MODE OWNER: writes stdin to FILE. Status 0 if the file has changed, else 1.
write_file() {
  local new
  new=$(mktemp "$(dirname "$1")/.atoll.XXXXXX")
  cat >"$new"
  chmod "$2" "$new"
  chown "$3" "$new"
  if cmp -s "$new" "$1"; then
    rm "$new"
    return 1
  fi
  mv -T "$new" "$1"
}

galera_start_command() {
  printf '%s --self %s --nodes %s --secret-file %s --password-file %s --tls-directory %s --data-dir %s --init-file %s --new-cluster-mark %s' \
    "$CURRENT/engines/galera/galera-start" "$ADDRESS" "$HOSTS" "$GALERA_SECRET" "$GALERA_PASSWORD" "$GALERA_TLS" "$MARIADB_DATA" \
    "$GALERA_SQL" "$MARIADB_DATA/atoll-new-cluster"
}

guard_unit() {
  cat <<UNIT
$MARK
[Unit]
Description=Atoll: who may reach this host's engines, and their certificates
Documentation=file:$CURRENT/README.md
DefaultDependencies=no
After=local-fs.target sysinit.target
Before=mariadb.service rabbitmq-server.service shutdown.target
Conflicts=shutdown.target
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStartPre=$CURRENT/scripts/engines-guard apply
ExecStart=$CURRENT/scripts/engines-guard watch
Restart=always
RestartSec=2
OOMScoreAdjust=-600
UMask=0077
[Install]
WantedBy=multi-user.target
UNIT
}

# The units of both engines load the table again before they start, and do not start without it,
# whatever the order of units is.
set_up_guard() {
  local name=${NAME:-$(hostname | cut -d . -f 1 | tr '[:upper:]' '[:lower:]')}
  # Rules of other firewalls do not matter: a drop in one table is final.
  { echo "$MARK"; engines_config "$name" "$ADDRESS" "$HOSTS" "$PEERS"; } | write_file "$ENGINES_CONFIG" 600 root:root || true
  "$CURRENT/scripts/engines-guard" certificates
  "$CURRENT/scripts/engines-guard" apply
  has_systemd || return 0
  guard_unit | write_file "$ENGINES_UNIT" 644 root:root && systemctl daemon-reload
  systemctl enable -q atoll-engines
  systemctl restart --no-block atoll-engines
}

# The start of the unit waits for the other nodes as long as that takes. No other unit waits for it.
mariadb_drop_in() {
  cat <<UNIT
$MARK
[Unit]
StartLimitIntervalSec=0
Wants=atoll-engines.service
After=atoll-engines.service
[Service]
EnvironmentFile=
ExecStartPre=+$CURRENT/scripts/engines-guard apply
ExecStart=
ExecStart=$(galera_start_command) -- --bind-address=$ADDRESS \$MYSQLD_OPTS
TimeoutStartSec=infinity
TimeoutStopSec=60
SendSIGKILL=yes
Restart=always
RestartSec=2
LimitNOFILE=65536
# Before the instances: members that get no processor for a second take each other for dead, and
# writes stand still for all hosts.
Nice=-10
CPUWeight=1000
OOMScoreAdjust=-600
UNIT
}

# It starts and stops with mariadb.service, but does not wait for it, because it also handles a
# start that hangs. Its arguments are those of the node, so that an upgrade needs no options.
galera_watch_unit() {
  local arguments
  arguments=$(sed -n 's/^ExecStart=.*galera-start \(--self .*\) --init-file .*/\1/p' "$MARIADB_DROP_IN")
  cat <<UNIT
$MARK
[Unit]
Description=Atoll: looks after this host's Galera node
Documentation=file:$CURRENT/README.md
PartOf=mariadb.service
StartLimitIntervalSec=0
[Service]
Type=exec
ExecStart=$CURRENT/engines/galera/galera-watch $arguments
Restart=always
RestartSec=2
# As the server itself: it may ask it as its administrator, read its directory, and end it.
User=mysql
Group=mysql
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
UMask=0077
[Install]
WantedBy=mariadb.service
UNIT
}

# Upgrades an installation whose engines do not use TLS, which this version requires. The arguments
# in the old unit give the options.
take_up_old_engines() {
  [ -e "$MARIADB_DROP_IN" ] && [ ! -e "$ENGINES_CONFIG" ] || return 0
  # shellcheck disable=SC2034  # read by scripts/install
  ENGINES=yes
  [ -n "$ADDRESS" ] || ADDRESS=$(sed -n 's/^ExecStart=.*galera-start --self \([0-9.]*\) .*/\1/p' "$MARIADB_DROP_IN")
  [ -n "$HOSTS" ] || HOSTS=$(sed -n 's/^ExecStart=.* --nodes \([0-9.,]*\) .*/\1/p' "$MARIADB_DROP_IN")
  say "    The engines on this host change to TLS. Database and bus are down until all of $HOSTS are upgraded; instances keep running. See docs/upgrading.md."
}

# Restarts the service after a change or an upgrade, because the old version still runs.
ensure_guard() {
  [ -e "$ENGINES_UNIT" ] && has_systemd || return 0
  systemctl restart --no-block atoll-engines
}

ensure_galera_watch() {
  [ -e "$MARIADB_DROP_IN" ] && has_systemd || return 0
  galera_watch_unit | write_file "$GALERA_WATCH" 644 root:root && systemctl daemon-reload
  systemctl enable -q galera-watch
  systemctl restart --no-block galera-watch
}

set_up_mariadb() {
  local changed=
  mkdir -p "$(dirname "$MARIADB_DROP_IN")"
  install -d -o mysql -g mysql -m 700 "$GALERA_TMP"
  # shellcheck disable=SC2086 # a list of addresses
  { echo "$MARK"; galera_config "$ADDRESS" "$ADDRESS" ${HOSTS//,/ }; } | write_file "$GALERA_SETTINGS" 644 root:root && changed=yes
  # mariadb.service does not run as root. It may read derived passwords, but not the cluster's
  # secret.
  derived_password "$SECRET" galera | write_file "$GALERA_SECRET" 640 root:mysql && changed=yes
  derived_password "$SECRET" mariadb | write_file "$GALERA_PASSWORD" 640 root:mysql && changed=yes
  { echo "-- ${MARK#\# }"; store_accounts atoll atoll "$GALERA_PASSWORD"; } | write_file "$GALERA_SQL" 640 root:mysql && changed=yes
  mariadb_drop_in | write_file "$MARIADB_DROP_IN" 644 root:root && changed=yes
  if [ "$NEW_CLUSTER" = yes ] && [ ! -e "$MARIADB_DATA/grastate.dat" ]; then
    install -o mysql -g mysql -m 600 /dev/null "$MARIADB_DATA/atoll-new-cluster"
  fi
  if ! has_systemd; then
    # It runs with the old settings. start_engines_by_hand starts it again.
    [ "$changed" != yes ] || stop_by_hand mariadbd
    return 0
  fi
  if [ "$changed" = yes ]; then
    systemctl daemon-reload
    systemctl stop mariadb
  fi
  systemctl enable -q mariadb
  systemctl start --no-block mariadb
}

rabbitmq_drop_in() {
  cat <<UNIT
$MARK
[Unit]
StartLimitIntervalSec=0
Wants=atoll-engines.service
After=atoll-engines.service
[Service]
ExecStartPre=+$CURRENT/scripts/engines-guard apply
ExecStart=
ExecStart=$CURRENT/engines/rabbitmq/rabbitmq-start
ExecStartPost=$CURRENT/engines/rabbitmq/rabbitmq-start --ready
TimeoutStartSec=infinity
TimeoutStopSec=60
Restart=always
RestartSec=2
UNIT
}

# RabbitMQ joins its cluster at its first start, so it must not start before it has its settings. It
# is stopped. Data under its old name is ignored.
set_up_rabbitmq() {
  local changed=
  mkdir -p "$(dirname "$RABBIT_DROP_IN")"
  [ -e "$RABBIT_ENVIRONMENT.before-atoll" ] || [ ! -e "$RABBIT_ENVIRONMENT" ] ||
    cp -a "$RABBIT_ENVIRONMENT" "$RABBIT_ENVIRONMENT.before-atoll"
  # shellcheck disable=SC2046,SC2086 # lists of addresses
  { echo "$MARK"; rabbitmq_config "$ADDRESS" $(printf 'rabbit@%s ' ${HOSTS//,/ }); } | write_file "$RABBIT_SETTINGS" 640 root:rabbitmq && changed=yes
  install -d -m 755 "$RABBIT_CODE"
  rabbitmq_code "$RABBIT_CODE"
  # shellcheck disable=SC2086 # a list of addresses
  rabbitmq_nodes_tls ${HOSTS//,/ } | write_file "$RABBIT_NODES_TLS" 640 root:rabbitmq && changed=yes
  # Named by address, so no name must resolve for the nodes to meet.
  { echo "$MARK"; rabbitmq_environment "$ADDRESS"; printf 'NODENAME=rabbit@%s\nUSE_LONGNAME=true\n' "$ADDRESS"; } |
    write_file "$RABBIT_ENVIRONMENT" 644 root:root && changed=yes
  # Written once per password, because the hash has a random salt.
  derived_password "$SECRET" rabbitmq | write_file "$RABBIT_PASSWORD" 600 root:root && changed=yes
  if [ ! "$RABBIT_DEFINITIONS" -nt "$RABBIT_PASSWORD" ]; then
    rabbitmq_definitions atoll "$RABBIT_PASSWORD" | write_file "$RABBIT_DEFINITIONS" 640 root:rabbitmq && changed=yes
  fi
  rabbitmq_drop_in | write_file "$RABBIT_DROP_IN" 644 root:root && changed=yes
  if has_systemd && [ "$changed" = yes ]; then
    systemctl daemon-reload
    systemctl stop rabbitmq-server
  fi
  # Debian's unit of the port mapper listens on all addresses. The node starts its own, which does
  # not.
  ! has_systemd || systemctl mask -q --now epmd.socket epmd.service 2>/dev/null || true
  derived_password "$SECRET" erlang | write_file "$RABBIT_DATA/.erlang.cookie" 400 rabbitmq:rabbitmq || true
  if ! has_systemd; then
    # The old port mapper listens on all addresses.
    [ "$changed" != yes ] || { stop_by_hand beam.smp; stop_by_hand epmd; }
    return 0
  fi
  systemctl enable -q rabbitmq-server
  systemctl start --no-block rabbitmq-server
}

# stop_by_hand PROGRAM: stops its processes in this process namespace, and waits until they end.
stop_by_hand() {
  local pid
  for pid in $(pgrep --ns $$ --nslist pid,mnt -x "$1"); do
    kill "$pid" 2>/dev/null || continue
    wait_for 60 process_has_ended "$pid"
  done
}

# Without systemd. Nothing starts them again after a reboot.
start_engines_by_hand() {
  is_running "$RUN/engines-guard.pid" engines-guard || {
    mkdir -p "$RUN"
    setsid "$CURRENT/scripts/engines-guard" watch </dev/null >>/var/log/atoll/engines-guard.log 2>&1 &
    echo $! >"$RUN/engines-guard.pid"
  }
  pgrep -x mariadbd >/dev/null || pgrep -f '/galera-options\.(ts|cjs) ' >/dev/null || {
    install -d -o mysql -g mysql /run/mysqld
    # shellcheck disable=SC2046 # words without spaces in them
    setsid setpriv --reuid mysql --regid mysql --init-groups --bounding-set=-all \
      $(galera_start_command) -- --bind-address="$ADDRESS" </dev/null >>/var/log/atoll/mariadb.log 2>&1 &
  }
  rabbitmqctl -q status >/dev/null 2>&1 ||
    setsid setpriv --reuid rabbitmq --regid rabbitmq --init-groups env HOME="$RABBIT_DATA" "$CURRENT/engines/rabbitmq/rabbitmq-start" \
      </dev/null >>/var/log/atoll/rabbitmq.log 2>&1 &
}

# link_older_names RELEASE: makes the paths that the units of older installations use. An upgrade
# does not change those units, because that would restart the engines.
link_older_names() {
  ln -sf ../engines/galera/galera-start ../engines/galera/galera-watch ../engines/rabbitmq/rabbitmq-start "$1/scripts/"
}

# engine_packages: the Debian packages of both engines. MariaDB's state transfer uses rsync and
# stunnel4.
engine_packages() { echo mariadb-server galera-4 rsync stunnel4 rabbitmq-server openssl nftables; }

# engines_answer: whether both engines serve. RabbitMQ opens its port when it has started. Its own
# command would start an Erlang VM each time.
engines_answer() {
  MYSQL_PWD=$(cat "$GALERA_PASSWORD") mariadb -h "$ADDRESS" -u atoll --connect-timeout=2 -N --ssl-verify-server-cert \
    --ssl-ca="$GALERA_TLS/ca.crt" --ssl-cert="$GALERA_TLS/host.crt" --ssl-key="$GALERA_TLS/host.key" \
    -e "SHOW STATUS LIKE 'wsrep_ready'" 2>/dev/null | grep -q ON &&
    (: </dev/tcp/"$ADDRESS"/5671) 2>/dev/null
}

# remove_engines KEEP_STATE
remove_engines() {
  [ -e "$GALERA_SETTINGS" ] || [ -e "$MARIADB_DROP_IN" ] || return 0
  if has_systemd; then
    systemctl disable -q --now galera-watch || true
    systemctl disable -q --now mariadb rabbitmq-server atoll-engines || true
    systemctl unmask -q epmd.socket epmd.service || true
  else
    mariadb-admin shutdown || true
    rabbitmqctl -q stop || true
    stop_by_hand epmd
    stop_process "$RUN/engines-guard.pid" engines-guard 5
  fi
  # Removed last: it protects the engines while they run.
  nft delete table inet atoll_engines 2>/dev/null || true
  rm -rf "$GALERA_TMP" "$GALERA_TLS" "$RABBIT_TLS" "$RABBIT_CODE"
  rm -f "$ENGINES_CONFIG" "$ENGINES_UNIT" "$GALERA_PASSWORD" "$RABBIT_NODES_TLS" "$RABBIT_PASSWORD"
  rm -f "$GALERA_SETTINGS" "$GALERA_SQL" "$GALERA_SECRET" "$MARIADB_DROP_IN" "$GALERA_WATCH" "$RABBIT_DROP_IN" "$RABBIT_SETTINGS" "$RABBIT_DEFINITIONS"
  rmdir --ignore-fail-on-non-empty "$(dirname "$MARIADB_DROP_IN")" "$(dirname "$RABBIT_DROP_IN")" 2>/dev/null || true
  [ ! -e "$RABBIT_ENVIRONMENT.before-atoll" ] || mv -T "$RABBIT_ENVIRONMENT.before-atoll" "$RABBIT_ENVIRONMENT"
  ! has_systemd || systemctl daemon-reload
  [ "$1" != yes ] || return 0
  rm -rf "$RABBIT_DATA/mnesia" "$RABBIT_DATA/.erlang.cookie"
  # Resets MariaDB to the state of the package, unless it has databases of others.
  if [ -z "$(foreign_databases)" ]; then
    find "$MARIADB_DATA" -mindepth 1 -delete
    mariadb-install-db --user=mysql --datadir="$MARIADB_DATA" --skip-test-db --auth-root-authentication-method=socket
  fi
}
