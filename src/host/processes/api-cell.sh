#!/bin/bash
# Becomes a process of the API: api-cell.sh HIDDEN-COUNT HIDDEN... SHOWN-COUNT SHOWN... PROGRAM ARGUMENT...
# Started in mount and IPC namespaces of its own. Of the hidden directories the process has only the shown ones. Of root's
# rights it keeps that of becoming another user, which it does once it has read its settings. It needs util-linux alone.
set -e
hidden=("${@:2:$1}")
shift "$(($1 + 1))"
shown=("${@:2:$1}")
shift "$(($1 + 1))"

umask 066
opened=()
for directory in "${shown[@]}"; do
  exec {descriptor}<"$directory"
  opened+=("$descriptor")
done
for directory in "${hidden[@]}"; do mount -t tmpfs -o mode=0711,size=64k,nr_inodes=64 hidden "$directory"; done
for index in "${!shown[@]}"; do
  mkdir -p "${shown[index]}"
  # The path of the descriptor, not what it leads to: that is hidden.
  mount --no-canonicalize --bind "/proc/self/fd/${opened[index]}" "${shown[index]}"
  descriptor=${opened[index]}
  exec {descriptor}<&-
done
for directory in "${hidden[@]}"; do mount -o remount,ro,nosuid,nodev,noexec "$directory"; done
umask 077
cd /
exec prlimit --core=0 -- \
  setpriv --inh-caps=-all --bounding-set=-all,+setuid,+setgid --no-new-privs -- "$@"
