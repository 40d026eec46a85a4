#!/bin/bash
# Does one thing in a shared directory: shared-directory.sh PLACE LOCK DIRECTORY MARKER ACTION [ARGUMENT...]
# Started by shared-directory.ts, because whoever uses a file system whose server does not answer may stand still for
# ever. PLACE is shared-place.sh.
#
#   look                                 writes the free bytes, then the marker. Exit 15: an earlier look stands still
#   init                                 writes MARKER with an id in place of NEW, and to stdout. Exit 16: there is one
#   find VOLUME                          exit 0 if the volume has a disk that can be read
#   make VOLUME BYTES ARGUMENT...        makes its disk by qemu-img create ARGUMENT..., unless there is one
#   remove VOLUME                        removes it, if it is there
#
# Exit 17: what the file system lacks is on stderr.
set -eu
# shellcheck source=src/host/files/shared-place.sh
. "$1"
lock=$2
directory=$3
marker=$4
action=$5
shift 5

# A file has its name only when it is complete, and never gets the name of one that is there: whoever stood still here
# for an hour does no harm when it goes on. link(2) is what does both.
publish() {
  sync "$1"
  ln -T "$1" "$2" 2>/dev/null || [ -f "$2" ] || { echo "hard links cannot be made in $PWD" >&2; exit 17; }
  rm -f "$1"
  sync .
}

case $action in
look)
  exec 9>"$lock"
  # Others of this host may look, too, which takes less than a second.
  flock -w 5 9 || exit 15
  enter "$directory"
  [ -w . ] || { echo "it is read-only" >&2; exit 17; }
  dd if="$MARKER_FILE" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null ||
    { echo "it cannot be read without the cache of this host (open(2), O_DIRECT)" >&2; exit 17; }
  stat -f -c '%a %S' .
  head -c "$MARKER_BYTES" "$MARKER_FILE"
  ;;
init)
  cd -P -- "$directory" 2>/dev/null || exit 10
  [ ! -L "$MARKER_FILE" ] && [ ! -e "$MARKER_FILE" ] || exit 16
  id=$(od -An -N8 -tx1 /dev/urandom | tr -d ' ')
  aside=.new-$id
  printf %s "${marker/NEW/$id}" >"$aside"
  publish "$aside" "$MARKER_FILE"
  enter "$directory"
  expect "${marker/NEW/$id}"
  head -c "$MARKER_BYTES" "$MARKER_FILE"
  ;;
find)
  enter "$directory"
  expect "$marker"
  enter_volume "$1"
  open_disk
  head -c 512 <&3 >/dev/null
  ;;
make)
  volume=$1
  size=$2
  shift 2
  enter "$directory"
  expect "$marker"
  [ ! -L volumes ] || exit 14
  mkdir -p -m 700 volumes
  [ -L "volumes/$volume" ] || mkdir -p -m 700 "volumes/$volume"
  enter_volume "$volume"
  [ -e disk.qcow2 ] || [ -L disk.qcow2 ] || {
    # Its own for each host and attempt: another one may still be at work.
    aside=new-$(cat /proc/sys/kernel/random/uuid).qcow2
    qemu-img create -q -f qcow2 "$@" "$aside" "$size" >&2
    publish "$aside" disk.qcow2
  }
  require_disk
  ;;
remove)
  enter "$directory"
  expect "$marker"
  [ ! -L volumes ] || exit 14
  rm -rf --one-file-system -- "volumes/$1"
  ;;
*)
  exit 2
  ;;
esac
