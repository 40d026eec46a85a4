#!/bin/bash
# provision.sh ADDRESS HOSTS [--new-cluster]: on a machine of the Vagrant cluster: Atoll with both engines. Again: brings it up to date.
set -euo pipefail
case ${1:-} in
  '' | -*) sed -n '2s/^# //p' "$0"; [ "${1:-}" != '' ] || exit 2; exit 0 ;;
esac
trap 'rm -f /tmp/atoll-secret' EXIT
address=$1 hosts=$2
shift 2
# A permission to start a cluster is for the first time only; installed once, the host knows its engines.
[ ! -e /etc/atoll/atoll.yaml ] || set --
# An emulated machine has little of a processor. Machine code that is made at run time is translated once more each time, so the
# daemon is interpreted (its libraries loaded in 16 s instead of 51, measured once); and Galera nodes that expect an answer within a
# second take each other for dead while one gets its state.
if [ "${ATOLL_EMULATED:-}" = yes ]; then
  mkdir -p /etc/systemd/system/atolld.service.d /etc/mysql/mariadb.conf.d
  printf '[Service]\nEnvironment=NODE_OPTIONS=--jitless\n' >/etc/systemd/system/atolld.service.d/emulated.conf
  ROOT=/usr/src/atoll
  # shellcheck source=engines/lib-engines.sh
  . "$ROOT/engines/lib-engines.sh"
  galera_config_emulated "$address" >/etc/mysql/mariadb.conf.d/61-emulated.cnf
fi
/usr/src/atoll/scripts/install --engines --hosts "$hosts" --address "$address" --secret-file /tmp/atoll-secret "$@"
# An image that every host has, under one name: the sample's root file system.
published=/var/lib/atoll/images/atoll-sample.tar.gz
[ -e "$published" ] || { mkdir -p "${published%/*}" && /usr/src/atoll/scripts/make-sample-image --archive "$published"; }
