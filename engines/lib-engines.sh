# shellcheck shell=bash
# Prints the configuration of a MariaDB Galera node and of a RabbitMQ node; writes no files. Sourced
# by scripts/install and by the lab, so that drills measure what an installation gets. Needs ROOT
# (the checkout).
#
# Each engine has copies of the host's certificate and key that its user may read
# (scripts/engines-guard makes them).

GALERA_PORT=4567
GALERA_TLS=/etc/mysql/atoll-tls
RABBIT_TLS=/etc/rabbitmq/atoll-tls
RABBIT_CODE=/etc/rabbitmq/atoll-code
RABBIT_NODES_TLS=/etc/rabbitmq/atoll-nodes-tls.config
# Not /tmp: a starting server deletes the temporary tables of other servers in the same directory.
GALERA_TMP=/var/lib/mysql-tmp

# galera_config NAME ADDRESS NODE_ADDRESS...: text of /etc/mysql/mariadb.conf.d/60-atoll-galera.cnf
galera_config() {
  local name=$1 address=$2 nodes
  shift 2
  nodes=$(IFS=, && printf '%s' "$*")
  cat <<CONFIG
# Written by Atoll. The order of nodes in wsrep_cluster_address must be alike on all of them.
[mariadbd]
bind-address = $address
skip-name-resolve
# Clients over the network show a certificate of the cluster, too: their user is made with REQUIRE
# X509.
require_secure_transport = ON
tls_version = TLSv1.2,TLSv1.3
ssl_ca = $GALERA_TLS/ca.crt
ssl_cert = $GALERA_TLS/host.crt
ssl_key = $GALERA_TLS/host.key
tmpdir = $GALERA_TMP
# All hosts use the first node that is well, with up to ten connections each; a thousand hosts must
# find room.
max_connections = 10000
binlog_format = ROW
default_storage_engine = InnoDB
innodb_autoinc_lock_mode = 2
# Nodes that lose power together must not lose what was committed: Galera's usual 0 or 2 keeps a
# second of it in memory.
innodb_flush_log_at_trx_commit = 1
wsrep_on = ON
wsrep_provider = /usr/lib/galera/libgalera_smm.so
wsrep_cluster_name = atoll
wsrep_cluster_address = gcomm://$nodes
wsrep_node_name = $name
wsrep_node_address = $address
wsrep_sst_method = rsync
wsrep_slave_threads = 2
# A node that lost power is left out after one second, and writes go on. The others get longer to
# agree on that: where a busy machine kept them from it within Galera's time (half of
# inactive_timeout), each went on alone, and none of them was a majority. While they agree they say
# nothing but their proposals, so these must come more often than one takes the other for dead: with
# Galera's second between two, members that were well suspected each other, and writes stood still
# for 2 to 6 s when one of them came back.
wsrep_provider_options = "gmcast.listen_addr=ssl://$address:$GALERA_PORT; ist.recv_bind=$address; socket.ssl=YES; socket.ssl_ca=$GALERA_TLS/ca.crt; socket.ssl_cert=$GALERA_TLS/host.crt; socket.ssl_key=$GALERA_TLS/host.key; gcache.size=64M; evs.keepalive_period=PT0.3S; evs.join_retrans_period=PT0.3S; evs.suspect_timeout=PT1S; evs.inactive_timeout=PT10S; evs.install_timeout=PT10S"
[sst]
# rsync inside TLS: both sides have a certificate of the cluster, and the one that is fed has it for
# its address (galera/bin/stunnel).
ssl-mode = VERIFY_CA
tca = $GALERA_TLS/ca.crt
tcert = $GALERA_TLS/host.crt
tkey = $GALERA_TLS/host.key
CONFIG
}

# galera_config_emulated ADDRESS: text of a file that is read after galera_config's, for machines so
# slow that healthy nodes miss its deadlines. It repeats all options of the provider.
galera_config_emulated() {
  local patience='gmcast.peer_timeout=PT30S; evs.keepalive_period=PT1S; evs.inactive_check_period=PT2S; evs.suspect_timeout=PT20S; evs.inactive_timeout=PT60S; evs.install_timeout=PT60S'
  printf '# Written by Atoll: in the place of those of galera_config.\n[mariadbd]\n'
  galera_config emulated "$1" "$1" | sed -n "s/^\(wsrep_provider_options = .*; \)evs\.keepalive_period.*/\1$patience\"/p"
}

# engines_config NAME ADDRESS NODES PEERS: text of /etc/atoll/engines.conf, for
# scripts/engines-guard. NODES and PEERS with commas.
engines_config() { printf '# Written by Atoll.\nENGINES_NAME=%s\nENGINES_ADDRESS=%s\nENGINES_NODES=%s\nENGINES_PEERS=%s\n' "$@"; }

# derived_password SECRET_FILE PURPOSE: a password for the engines, derived from the secret.
derived_password() {
  "$ROOT/bin/script" "${CURRENT:-$ROOT}" engines/certificates.ts derive --secret-file "$1" --purpose "$2"
}

# store_accounts DATABASE USER PASSWORD_FILE: SQL that makes the database and its user. It may run
# repeatedly.
store_accounts() {
  local password
  password=$(cat "$3")
  cat <<SQL
CREATE DATABASE IF NOT EXISTS \`$1\` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE USER IF NOT EXISTS '$2'@'%' IDENTIFIED BY '$password' REQUIRE X509;
ALTER USER '$2'@'%' IDENTIFIED BY '$password' REQUIRE X509;
GRANT ALL ON \`$1\`.* TO '$2'@'%';
SQL
}

# rabbitmq_config ADDRESS NODE...: text of /etc/rabbitmq/rabbitmq.conf; a node is rabbit@name.
rabbitmq_config() {
  local address=$1 node number=0
  shift
  cat <<CONFIG
# Written by Atoll.
# Passwords are said in clear inside of TLS, so there is no door without it.
listeners.tcp = none
listeners.ssl.default = $address:5671
ssl_options.cacertfile = $RABBIT_TLS/ca.crt
ssl_options.certfile = $RABBIT_TLS/host.crt
ssl_options.keyfile = $RABBIT_TLS/host.key
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = true
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
# The side of a partition with fewer nodes stops serving, so that no message is taken twice.
cluster_partition_handling = pause_minority
# A node that lost power is known after 1.25 times as many seconds at most (docs/bus.md).
net_ticktime = 8
# Nothing that hosts or clients say is larger; the broker's own limit is 128 MiB, in memory.
max_message_size = 1048576
load_definitions = /etc/rabbitmq/atoll-definitions.json
# All nodes may start at once and in any order. Those that were running last are waited for for two
# minutes, and then again when the service manager starts this node again
# (engines/rabbitmq/rabbitmq-start says how that ends).
mnesia_table_loading_retry_timeout = 10000
mnesia_table_loading_retry_limit = 12
log.file.level = warning
cluster_formation.peer_discovery_backend = classic_config
CONFIG
  for node in "$@"; do
    number=$((number + 1))
    printf 'cluster_formation.classic_config.nodes.%d = %s\n' "$number" "$node"
  done
}

# rabbitmq_environment ADDRESS: text of /etc/rabbitmq/rabbitmq-env.conf. Busy waiting of idle
# schedulers is off: it costs a tenth of a core. Nodes and rabbitmqctl use TLS among each other. The
# port mapper listens at the address of the node and at loopback.
rabbitmq_environment() {
  local distribution
  distribution="-pa $RABBIT_CODE -proto_dist inet_tls -ssl_dist_optfile $RABBIT_NODES_TLS -kernel inet_dist_use_interface {${1//./,}}"
  cat <<CONFIG
# Written by Atoll.
SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none $distribution"
CTL_ERL_ARGS="$distribution"
ERL_EPMD_ADDRESS=$1
CONFIG
}

# rabbitmq_nodes_tls HOST...: text of $RABBIT_NODES_TLS. Both sides of a connection between nodes
# verify certificates: the client, that it is for the server's host; the server, that it is for one
# of these hosts (rabbitmq/atoll_peer.erl).
rabbitmq_nodes_tls() {
  local hosts files="{cacertfile, \"$RABBIT_TLS/ca.crt\"}, {certfile, \"$RABBIT_TLS/host.crt\"}, {keyfile, \"$RABBIT_TLS/host.key\"}, {verify, verify_peer}"
  hosts=$(printf '"%s", ' "$@")
  cat <<CONFIG
%% Written by Atoll.
[{server, [$files, {fail_if_no_peer_cert, true}, {verify_fun, {fun atoll_peer:verify/3, [${hosts%, }]}}]},
 {client, [$files]}].
CONFIG
}

# rabbitmq_code DIRECTORY: compiles atoll_peer.erl with the compiler of RabbitMQ's Erlang.
rabbitmq_code() { erlc -o "$1" "$ROOT/engines/rabbitmq/atoll_peer.erl"; }

# rabbitmq_definitions USER PASSWORD_FILE: text of /etc/rabbitmq/atoll-definitions.json: the user
# and what it may do. The hash is RabbitMQ's own: base64(salt, sha256(salt, password)).
rabbitmq_definitions() {
  local salt hash
  salt=$(head -c 4 /dev/urandom | od -An -tx1 | tr -d ' \n')
  # shellcheck disable=SC2059 # the salt's bytes are made by printf
  hash=$({
    printf "$(printf '%s' "$salt" | sed 's/../\\x&/g')"
    {
      printf "$(printf '%s' "$salt" | sed 's/../\\x&/g')"
      tr -d '\n' <"$2"
    } | openssl dgst -sha256 -binary
  } | base64 -w 0)
  cat <<JSON
{
  "vhosts": [{ "name": "/" }],
  "users": [{ "name": "$1", "password_hash": "$hash", "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": [] }],
  "permissions": [{ "user": "$1", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*" }]
}
JSON
}
