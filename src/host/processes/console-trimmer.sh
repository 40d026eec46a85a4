#!/bin/sh
# Keeps the console logs of virtual machines within a limit: console-trimmer.sh DIRECTORY BYTES. DIRECTORY has a
# directory for each machine. Started by console-trimmer.ts, which holds the lock of the state directory for it.
#
# A log that has grown to twice BYTES is cut: its end is kept beside it, and it is emptied, as QEMU appends at the new
# end. Of one that grew meanwhile some lines are lost. Symbolic links are not followed. It ends when DIRECTORY or the
# last machine is gone. It needs coreutils and procps alone.
directory=$1
kept_bytes=$2
turn=0
while [ -d "$directory" ]; do
  for log in "$directory"/*/console.log "$directory"/*/qemu.log; do
    [ -f "$log" ] && [ ! -L "$log" ] || continue
    [ "$(stat -c %s -- "$log")" -gt "$((2 * kept_bytes))" ] || continue
    tail -c "$kept_bytes" -- "$log" >"$log.1.new" && mv -T -- "$log.1.new" "$log.1"
    truncate -s 0 -- "$log"
  done
  turn=$((turn + 1))
  [ "$((turn % 60))" -ne 0 ] || pgrep -f -- "-name guest=atoll:$directory/" >/dev/null || exit 0
  sleep 1
done
