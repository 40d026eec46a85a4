#!/bin/bash
# provision.sh ADDRESS HOSTS [--new-cluster]: on a machine of the Vagrant cluster: Atoll with both engines. Again: brings it up to date.
set -euo pipefail
trap 'rm -f /tmp/atoll-secret' EXIT
address=$1 hosts=$2
shift 2
# A permission to start a cluster is for the first time only; installed once, the host knows its engines.
[ ! -e /etc/atoll/atoll.yaml ] || set --
/usr/src/atoll/scripts/install --engines --hosts "$hosts" --address "$address" --secret-file /tmp/atoll-secret "$@"
# An image that every host has, under one name: the sample's root file system.
[ -e /srv/atoll-sample.tar.gz ] || /usr/src/atoll/scripts/make-sample-image --archive /srv/atoll-sample.tar.gz
