# The cluster's engines on this host, from Debian's own packages and units: a MariaDB Galera node and a RabbitMQ node. Sourced by
# scripts/install, never run. Wants lib.sh, lib-engines.sh; ADDRESS, HOSTS (both as given), NEW_CLUSTER (yes or nothing), SECRET, CURRENT.
#
# What it puts on the machine: settings in files of its own (60-atoll-galera.cnf, rabbitmq.conf), drop-ins for mariadb.service and
# rabbitmq-server.service, galera-watch.service, and what the two programs store. All of it is removed by remove_engines.

GALERA_SETTINGS=/etc/mysql/mariadb.conf.d/60-atoll-galera.cnf
GALERA_SQL=/etc/mysql/atoll.sql
GALERA_SECRET=/etc/mysql/atoll.secret
MARIADB_DATA=/var/lib/mysql
MARIADB_DROP_IN=/etc/systemd/system/mariadb.service.d/atoll.conf
GALERA_WATCH=/etc/systemd/system/galera-watch.service
RABBIT_SETTINGS=/etc/rabbitmq/rabbitmq.conf
RABBIT_ENVIRONMENT=/etc/rabbitmq/rabbitmq-env.conf
RABBIT_DEFINITIONS=/etc/rabbitmq/atoll-definitions.json
RABBIT_DATA=/var/lib/rabbitmq
RABBIT_DROP_IN=/etc/systemd/system/rabbitmq-server.service.d/atoll.conf
MARK='# Made by scripts/install of Atoll; removed by its --uninstall.'

# Databases on this machine that are neither MariaDB's own nor Atoll's: a node that joins loses all that it had.
foreign_databases() {
  [ -d "$MARIADB_DATA" ] || return 0
  find "$MARIADB_DATA" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' |
    grep -vxE 'mysql|performance_schema|sys|atoll|lost\+found|\..*|#.*' || true
}

ensure_engines() {
  local foreign
  foreign=$(foreign_databases)
  [ -z "$foreign" ] || fail "this machine's MariaDB has databases of its own: $(echo $foreign)" \
    "install the engines on another machine, or move these databases away first: a node that joins loses them"
  ensure_packages mariadb-server galera-4 rsync rabbitmq-server openssl
  step "Set up the MariaDB Galera node" "read $LOG" set_up_mariadb
  step "Set up the RabbitMQ node" "read $LOG" set_up_rabbitmq
}

# write_file FILE MODE OWNER: from stdin; says by its status whether the file is other than before.
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
  printf '%s --self %s --nodes %s --secret-file %s --data-dir %s --init-file %s --new-cluster-mark %s' \
    "$CURRENT/scripts/galera-start" "$ADDRESS" "$HOSTS" "$GALERA_SECRET" "$MARIADB_DATA" "$GALERA_SQL" "$MARIADB_DATA/atoll-new-cluster"
}

# The unit waits for the other nodes in its start, as long as that takes; nothing else on the machine waits for the unit.
mariadb_drop_in() {
  cat <<UNIT
$MARK
[Unit]
StartLimitIntervalSec=0
[Service]
EnvironmentFile=
ExecStart=
ExecStart=$(galera_start_command) -- --bind-address=$ADDRESS \$MYSQLD_OPTS
TimeoutStartSec=infinity
TimeoutStopSec=60
SendSIGKILL=yes
Restart=always
RestartSec=2
LimitNOFILE=65536
# Before the instances: members that get no processor for a second take each other for dead, and writes stand still for all hosts.
Nice=-10
CPUWeight=1000
OOMScoreAdjust=-600
UNIT
}

# It goes with mariadb.service, but does not wait for it: a start that hangs is among what it looks after. What it is started with is what
# the node is started with, so that an upgrade needs to be told nothing.
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
ExecStart=$CURRENT/scripts/galera-watch $arguments
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

# After the engines were set up, and after each upgrade: the one that runs is of the version before.
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
  { echo "-- ${MARK#\# }"; store_accounts atoll atoll "$SECRET"; } | write_file "$GALERA_SQL" 640 root:mysql && changed=yes
  # mariadb.service does not run as root; what it needs to know the other nodes by, it may read.
  write_file "$GALERA_SECRET" 640 root:mysql <"$SECRET" && changed=yes
  mariadb_drop_in | write_file "$MARIADB_DROP_IN" 644 root:root && changed=yes
  if [ "$NEW_CLUSTER" = yes ] && [ ! -e "$MARIADB_DATA/grastate.dat" ]; then
    install -o mysql -g mysql -m 600 /dev/null "$MARIADB_DATA/atoll-new-cluster"
  fi
  has_systemd || return 0
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
[Service]
ExecStart=
ExecStart=$CURRENT/scripts/rabbitmq-start
ExecStartPost=$CURRENT/scripts/rabbitmq-start --ready
TimeoutStartSec=infinity
TimeoutStopSec=60
Restart=always
RestartSec=2
UNIT
}

# RabbitMQ forms its cluster at a node's first start, so that one must not happen before it has its settings: it is stopped, and what
# it made under its old name is of no interest.
set_up_rabbitmq() {
  local changed=
  mkdir -p "$(dirname "$RABBIT_DROP_IN")"
  [ -e "$RABBIT_ENVIRONMENT.before-atoll" ] || [ ! -e "$RABBIT_ENVIRONMENT" ] ||
    cp -a "$RABBIT_ENVIRONMENT" "$RABBIT_ENVIRONMENT.before-atoll"
  # shellcheck disable=SC2046,SC2086 # lists of addresses
  { echo "$MARK"; rabbitmq_config $(printf 'rabbit@%s ' ${HOSTS//,/ }); } | write_file "$RABBIT_SETTINGS" 640 root:rabbitmq && changed=yes
  # Named by address, so no name must resolve for the nodes to meet.
  { echo "$MARK"; rabbitmq_environment; printf 'NODENAME=rabbit@%s\nUSE_LONGNAME=true\n' "$ADDRESS"; } |
    write_file "$RABBIT_ENVIRONMENT" 644 root:root && changed=yes
  # Written once for a secret, as its hash is another one each time.
  if [ ! "$RABBIT_DEFINITIONS" -nt "$SECRET" ]; then
    rabbitmq_definitions atoll "$SECRET" | write_file "$RABBIT_DEFINITIONS" 640 root:rabbitmq && changed=yes
  fi
  rabbitmq_drop_in | write_file "$RABBIT_DROP_IN" 644 root:root && changed=yes
  if has_systemd && [ "$changed" = yes ]; then
    systemctl daemon-reload
    systemctl stop rabbitmq-server
    # The port mapper remembers the node's old name, and listens where Debian's socket unit told it to.
    systemctl stop epmd.socket epmd.service 2>/dev/null || true
  fi
  erlang_cookie "$SECRET" | write_file "$RABBIT_DATA/.erlang.cookie" 400 rabbitmq:rabbitmq || true
  has_systemd || return 0
  systemctl enable -q rabbitmq-server
  systemctl start --no-block rabbitmq-server
}

# By hand where no systemd runs: nothing starts them again after a reboot.
start_engines_by_hand() {
  pgrep -x mariadbd >/dev/null || pgrep -f "$CURRENT/scripts/galera-options.ts" >/dev/null || {
    install -d -o mysql -g mysql /run/mysqld
    # shellcheck disable=SC2046 # words without spaces in them
    setsid setpriv --reuid mysql --regid mysql --init-groups --bounding-set=-all \
      $(galera_start_command) -- --bind-address="$ADDRESS" </dev/null >>/var/log/atoll/mariadb.log 2>&1 &
  }
  rabbitmqctl -q status >/dev/null 2>&1 ||
    setsid setpriv --reuid rabbitmq --regid rabbitmq --init-groups env HOME="$RABBIT_DATA" "$CURRENT/scripts/rabbitmq-start" \
      </dev/null >>/var/log/atoll/rabbitmq.log 2>&1 &
}

# engines_answer: for as long as somebody waits for it. RabbitMQ listens when all else of it has started; its own command would start an
# Erlang machine for every question.
engines_answer() {
  MYSQL_PWD=$(tr -d '[:space:]' <"$SECRET") mariadb -h "$ADDRESS" -u atoll --connect-timeout=2 -N \
    -e "SHOW STATUS LIKE 'wsrep_ready'" 2>/dev/null | grep -q ON &&
    (: </dev/tcp/"$ADDRESS"/5672) 2>/dev/null
}

# remove_engines KEEP_STATE
remove_engines() {
  [ -e "$GALERA_SETTINGS" ] || [ -e "$MARIADB_DROP_IN" ] || return 0
  if has_systemd; then
    systemctl disable -q --now galera-watch || true
    systemctl disable -q --now mariadb rabbitmq-server || true
  else
    mariadb-admin shutdown || true
    rabbitmqctl -q stop || true
  fi
  rm -rf "$GALERA_TMP"
  rm -f "$GALERA_SETTINGS" "$GALERA_SQL" "$GALERA_SECRET" "$MARIADB_DROP_IN" "$GALERA_WATCH" "$RABBIT_DROP_IN" "$RABBIT_SETTINGS" "$RABBIT_DEFINITIONS"
  rmdir --ignore-fail-on-non-empty "$(dirname "$MARIADB_DROP_IN")" "$(dirname "$RABBIT_DROP_IN")" 2>/dev/null || true
  [ ! -e "$RABBIT_ENVIRONMENT.before-atoll" ] || mv -T "$RABBIT_ENVIRONMENT.before-atoll" "$RABBIT_ENVIRONMENT"
  ! has_systemd || systemctl daemon-reload
  [ "$1" != yes ] || return 0
  rm -rf "$RABBIT_DATA/mnesia" "$RABBIT_DATA/.erlang.cookie"
  # A MariaDB as the package made it; but not where somebody put a database of his own into the cluster.
  if [ -z "$(foreign_databases)" ]; then
    find "$MARIADB_DATA" -mindepth 1 -delete
    mariadb-install-db --user=mysql --datadir="$MARIADB_DATA" --skip-test-db --auth-root-authentication-method=socket
  fi
}
