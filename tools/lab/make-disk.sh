#!/bin/bash
# Writes a host's disk: what an installation puts into /etc, empty state directories, and its
# services. Everything comes by name from the environment: DISK NAME FABRIC NODES (addresses of the
# engines' hosts, in order) HOSTS ("address name" a line) SECRET (file) PEERS (addresses of all
# hosts, with commas) GATEWAY MYSQL_TEMPLATE CGROUP CONFIG (the text of atoll.yaml) DISK_MIB (size
# of /var/lib; 0: no limit).
set -euo pipefail
ROOT=$(dirname "$(dirname "$(dirname "$(readlink -f "$0")")")")
# shellcheck source=scripts/lib.sh
. "$ROOT/scripts/lib.sh"
# shellcheck source=engines/lib-engines.sh
. "$ROOT/engines/lib-engines.sh"
etc=$DISK/etc

# service NAME: its run script is stdin; what it says is in /var/log/NAME.log. The supervisor starts
# it again when it ends. As on any Debian machine, /etc/default/NAME may give it another
# environment.
service() {
  mkdir -p "$DISK/services/$1"
  {
    printf '#!/bin/sh\nexec >>/var/log/%s.log 2>&1\nROOT=%s\nset -a; [ ! -r /etc/default/%s ] || . /etc/default/%s; set +a\n' "$1" "$ROOT" "$1" "$1"
    cat
  } >"$DISK/services/$1/run"
  chmod +x "$DISK/services/$1/run"
}

machine() {
  mkdir -p "$etc/atoll" "$DISK"/{lib/atoll,lib/docker,log,services,work}
  printf '%s\n' "$NAME" >"$etc/hostname"
  printf '127.0.0.1 localhost\n%s\n' "$HOSTS" >"$etc/hosts"
  printf 'nameserver %s\n' "$GATEWAY" >"$etc/resolv.conf"
  install -m 600 "$SECRET" "$etc/atoll/secret"
  # As scripts/install does; the daemon renews it.
  "$ROOT/node_modules/.bin/node" "$ROOT/engines/certificates.ts" make --secret-file "$SECRET" --directory "$etc/atoll/tls" \
    --name "$NAME" --address "$FABRIC"
}

atoll() {
  printf '%s' "$CONFIG" >"$etc/atoll/atoll.yaml"
  service atolld <<'RUN'
exec "$ROOT/bin/atolld" --config /etc/atoll/atoll.yaml
RUN
  # Instances outlive their engine, as they do the daemon.
  service dockerd <<RUN
# /etc is this host's own.
bash -euc '. "\$0/scripts/lib.sh"; ensure_remap_user' "\$ROOT"
exec dockerd --bridge=none --iptables=false --ip-forward=false --live-restore --cgroup-parent=$CGROUP --userns-remap $REMAP_USER
RUN
}

engines() {
  # shellcheck disable=SC2206 # a list of addresses
  local nodes=($NODES) names
  engines_config "$NAME" "$FABRIC" "${NODES// /,}" "$PEERS" >"$etc/atoll/engines.conf"
  service engines-guard <<'RUN'
exec "$ROOT/scripts/engines-guard" watch
RUN
  mkdir -p "$etc/mysql/mariadb.conf.d" "$etc/rabbitmq" "$DISK/lib/rabbitmq" "$DISK/log/rabbitmq"
  galera_config "$NAME" "$FABRIC" "${nodes[@]}" >"$etc/mysql/mariadb.conf.d/60-atoll-galera.cnf"
  # A lab is small, and there are several nodes on one machine.
  cat >"$etc/mysql/mariadb.conf.d/70-lab.cnf" <<'CONFIG'
[mariadbd]
innodb_buffer_pool_size = 32M
innodb_log_file_size = 16M
performance_schema = OFF
CONFIG
  derived_password "$SECRET" galera >"$etc/mysql/atoll.secret"
  derived_password "$SECRET" mariadb >"$etc/mysql/atoll.password"
  store_accounts atoll atoll "$etc/mysql/atoll.password" >"$etc/mysql/atoll-accounts.sql"
  chown root:mysql "$etc"/mysql/atoll*
  chmod 640 "$etc"/mysql/atoll*
  cp -a "$MYSQL_TEMPLATE" "$DISK/lib/mysql"
  install -d -o mysql -g mysql -m 700 "$DISK/lib/$(basename "$GALERA_TMP")"
  # Three hosts share the processors of one machine here: a node that is not let run for a second is
  # left out by the others. The guard is first, as in the units of an installation: without it no
  # engine starts.
  service mariadb <<RUN
"\$ROOT/scripts/engines-guard" apply || exit 1
exec nice -n -10 "\$ROOT/engines/galera/galera-start" --self $FABRIC --nodes ${NODES// /,} --secret-file /etc/mysql/atoll.secret \\
  --init-file /etc/mysql/atoll-accounts.sql -- --user=mysql
RUN
  service galera-watch <<RUN
exec "\$ROOT/engines/galera/galera-watch" --self $FABRIC --nodes ${NODES// /,} --secret-file /etc/mysql/atoll.secret
RUN

  mapfile -t names < <(sed -n 's/^[0-9.]* \(.*\)$/rabbit@\1/p' <<<"$HOSTS" | head -n ${#nodes[@]})
  rabbitmq_config "$FABRIC" "${names[@]}" >"$etc/rabbitmq/rabbitmq.conf"
  mkdir "$DISK$RABBIT_CODE"
  rabbitmq_code "$DISK$RABBIT_CODE"
  rabbitmq_nodes_tls "${names[@]#rabbit@}" >"$DISK$RABBIT_NODES_TLS"
  rabbitmq_environment "$FABRIC" >"$etc/rabbitmq/rabbitmq-env.conf"
  derived_password "$SECRET" rabbitmq >"$etc/rabbitmq/atoll.password"
  rabbitmq_definitions atoll "$etc/rabbitmq/atoll.password" >"$etc/rabbitmq/atoll-definitions.json"
  derived_password "$SECRET" erlang >"$DISK/lib/rabbitmq/.erlang.cookie"
  chmod 400 "$DISK/lib/rabbitmq/.erlang.cookie"
  chown -R rabbitmq: "$etc/rabbitmq" "$DISK/lib/rabbitmq" "$DISK/log/rabbitmq"
  # RUNNING_UNDER_SYSTEMD: the Erlang machine itself is the service, without a shell around it that
  # would take our signals. --ready is what systemd calls once the node has said that it is up.
  service rabbitmq <<RUN
cd /var/lib/rabbitmq
export HOME=/var/lib/rabbitmq RUNNING_UNDER_SYSTEMD=1 RABBITMQ_NODENAME=rabbit@$NAME
# It listens when all else of it has started.
up() { bash -c ': </dev/tcp/$FABRIC/5671'; }
"\$ROOT/scripts/engines-guard" apply || exit 1
( { until up; do sleep 2; done && s6-setuidgid rabbitmq "\$ROOT/engines/rabbitmq/rabbitmq-start" --ready; } >/dev/null 2>&1 & )
exec nice -n -10 s6-setuidgid rabbitmq "\$ROOT/engines/rabbitmq/rabbitmq-start"
RUN
}

# A file system of its own, so that it can be full.
limit_disk() {
  truncate -s "${DISK_MIB}M" "$DISK/lib.img"
  mkfs.ext4 -q -d "$DISK/lib" "$DISK/lib.img"
  rm -r "${DISK:?}/lib"
}

machine
atoll
case " $NODES " in *" $FABRIC "*) engines ;; esac
[ "$DISK_MIB" -eq 0 ] || limit_disk
