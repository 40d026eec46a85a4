# Finds its way in a shared directory, where anything may have been changed by others. Sourced, not run.
# Exit codes: 10 it cannot be entered, 11 it has no marker, 12 another marker, 13 there is no such disk, 14 a link is in
# the way (shared-directory.ts has the words).

MARKER_FILE=atoll-storage.json
MARKER_BYTES=4096

# enter DIRECTORY: goes there. Whatever is mounted over it later, the rest is done in what was entered.
enter() {
  cd -P -- "$1" 2>/dev/null || exit 10
  root=$(pwd -P)
  [ ! -L "$MARKER_FILE" ] || exit 14
  [ -f "$MARKER_FILE" ] || exit 11
}

# expect MARKER: ends unless the directory is the storage with this marker.
expect() {
  [ "$(head -c "$MARKER_BYTES" "$MARKER_FILE" | tr -d '\0')" = "$1" ] || exit 12
}

# enter_volume VOLUME: goes into the directory of a volume.
enter_volume() {
  cd -P -- "volumes/$1" 2>/dev/null || exit 13
  [ "$(pwd -P)" = "$root/volumes/$1" ] || exit 14
}

# require_disk: ends unless the volume has a disk.
require_disk() {
  [ ! -L disk.qcow2 ] || exit 14
  [ -f disk.qcow2 ] || exit 13
}

# open_disk: opens it as descriptor 3, for reading and writing.
open_disk() {
  require_disk
  exec 3<>disk.qcow2
  # What was opened, and not what has the name now.
  [ "$(readlink /proc/self/fd/3)" = "$(pwd -P)/disk.qcow2" ] || exit 14
}
