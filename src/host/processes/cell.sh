#!/bin/bash
# Becomes the process of a virtual machine, confined: cell.sh USER GROUP DESCRIPTORS PROCESSES DISK PROGRAM ARGUMENT...
# DISK is empty, or four arguments: the path of shared-place.sh, a directory, its marker, and the volume to open there.
# Started by cell.ts in network, IPC, UTS and mount namespaces of its own.
#
# The new root has /usr, a /proc that shows no other process, and a few devices. It is made on a file system that
# nobody else sees. It needs util-linux and coreutils alone.
set -e
user=$1
group=$2
descriptors=$3
processes=$4
place=$5
shift 5
if [ -n "$place" ]; then
  directory=$1
  marker=$2
  volume=$3
  shift 3
fi

# Whoever starts us moves us into our control group first, and then writes a line. If it died, there is no line, and we
# end.
read -r _
exec </dev/null
umask 022
if [ -n "$place" ]; then
  # shellcheck source=src/host/files/shared-place.sh
  . "$place"
  trap '[ $? = 0 ] || echo "the disk on $directory cannot be opened" >&2' EXIT
  enter "$directory"
  expect "$marker"
  enter_volume "$volume"
  open_disk
  trap - EXIT
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
mount -o remount,ro,nosuid .
pivot_root . .
umount -l .
cd /
exec prlimit --core=0 "--nofile=$descriptors" "--nproc=$processes" -- \
  setpriv --reuid="$user" --regid="$group" --clear-groups --inh-caps=-all --bounding-set=-all --no-new-privs -- \
  "$@"
