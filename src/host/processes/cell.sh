#!/bin/bash
# Becomes the process of a virtual machine, confined: cell.sh USER GROUP DESCRIPTORS PROCESSES DISK PROGRAM ARGUMENT...
# DISK is empty, or one of these:
#
#   file PLACE DIRECTORY MARKER VOLUME   the volume to open in a shared directory; PLACE is the path of shared-place.sh
#   ceph CONF KEYRING USER               what librbd needs to open a disk itself
#
# Started by cell.ts in IPC, UTS and mount namespaces of its own, and in a network namespace of its own, except for ceph.
#
# The new root has /usr, a /proc that shows no other process, and a few devices. It is made on a file system that
# nobody else sees. It needs util-linux, coreutils and sed alone.
set -e
user=$1
group=$2
descriptors=$3
processes=$4
disk=$5
shift 5
case $disk in
file)
  place=$1
  directory=$2
  marker=$3
  volume=$4
  shift 4
  ;;
ceph)
  conf=$1
  keyring=$2
  client=$3
  shift 3
  ;;
esac

CEPH_FILE_BYTES=16384

# Whoever starts us moves us into our control group first, and then writes a line. If it died, there is no line, and we
# end.
read -r _
exec </dev/null
umask 022
if [ "$disk" = file ]; then
  # shellcheck source=src/host/files/shared-place.sh
  . "$place"
  trap '[ $? = 0 ] || echo "the disk on $directory cannot be opened" >&2' EXIT
  enter "$directory"
  expect "$marker"
  enter_volume "$volume"
  open_disk
  trap - EXIT
fi
if [ "$disk" = ceph ]; then
  # Before anything hides them.
  exec {from_conf}<"$conf" {from_keyring}<"$keyring"
fi
mount -t tmpfs -o mode=0755,size=64k,nr_inodes=64 root /tmp
cd /tmp
mkdir usr proc dev
for name in bin lib lib64 sbin; do ln -s "usr/$name" "$name"; done
mount --bind /usr usr
mount -o remount,bind,ro,nosuid,nodev usr
mount -t proc -o nosuid,nodev,noexec,hidepid=invisible proc proc
for name in null zero random urandom kvm; do
  [ -c "/dev/$name" ] || continue
  : >"dev/$name"
  mount --bind "/dev/$name" "dev/$name"
done
if [ "$disk" = ceph ]; then
  mkdir -p etc/ceph
  # librbd looks for the key where the configuration says, or in etc/ceph/keyring. Of the key's file, only the user's part
  # is copied, and logs and sockets of the host are not there.
  head -c "$CEPH_FILE_BYTES" <&"$from_conf" |
    sed -E '/^[[:space:]]*(keyring|log[ _]+file|admin[ _]+socket)[[:space:]]*=/Id' >etc/ceph/ceph.conf
  head -c "$CEPH_FILE_BYTES" <&"$from_keyring" |
    sed -n "/^[[:space:]]*\[client\.$client\]/,/^[[:space:]]*\[/p" >etc/ceph/keyring
  [ -s etc/ceph/keyring ] || { echo "$keyring has no key of client.$client" >&2; exit 1; }
  exec {from_conf}<&- {from_keyring}<&-
  chmod 0400 etc/ceph/*
  chown "$user:$group" etc/ceph/*
fi
mount -o remount,ro,nosuid .
pivot_root . .
umount -l .
cd /
exec prlimit --core=0 "--nofile=$descriptors" "--nproc=$processes" -- \
  setpriv --reuid="$user" --regid="$group" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- \
  "$@"
