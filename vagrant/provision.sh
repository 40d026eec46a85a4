#!/bin/bash
# provision.sh ADDRESS HOSTS [--new-cluster]: installs Atoll with both engines on a machine of the Vagrant cluster, or upgrades it.
set -euo pipefail
case ${1:-} in
  '' | -*) sed -n '2s/^# //p' "$0"; [ "${1:-}" != '' ] || exit 2; exit 0 ;;
esac
trap 'rm -f /tmp/atoll-secret' EXIT
address=$1 hosts=$2
shift 2
# --new-cluster is for the first time only. An installed host knows its engines.
[ ! -e /etc/atoll/atoll.yaml ] || set --
# An emulated machine is slow. Emulation translates machine code that is made at run time again each time, so the daemon is
# interpreted (its libraries loaded in 16 s instead of 51 s, measured once). And Galera nodes need longer time-outs: otherwise
# they take each other for dead while one gets its state.
if [ "${ATOLL_EMULATED:-}" = yes ]; then
  mkdir -p /etc/systemd/system/atolld.service.d /etc/mysql/mariadb.conf.d
  printf '[Service]\nEnvironment=NODE_OPTIONS=--jitless\n' >/etc/systemd/system/atolld.service.d/emulated.conf
  ROOT=/usr/src/atoll
  # shellcheck source=engines/lib-engines.sh
  . "$ROOT/engines/lib-engines.sh"
  galera_config_emulated "$address" >/etc/mysql/mariadb.conf.d/61-emulated.cnf
fi
/usr/src/atoll/scripts/install --engines --hosts "$hosts" --address "$address" --secret-file /tmp/atoll-secret "$@"
# An image that every host has under the same name: the root file system of the sample.
published=/var/lib/atoll/images/atoll-sample.tar.gz
[ -e "$published" ] || { mkdir -p "${published%/*}" && /usr/src/atoll/scripts/make-sample-image --archive "$published"; }
