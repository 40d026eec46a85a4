#!/bin/bash
# A machine's power-on: runs as PID 1 of fresh mount, PID, UTS and IPC namespaces, makes them a
# machine of their own with its disk in place, and becomes the supervisor of its services. What the
# disk does not hold is gone after a power cut, as it should be.
#
#   boot.sh NAME DISK PIDFILE CACHE
#
# DISK/etc is laid over the real /etc; DISK/lib (or the file system in DISK/lib.img) and DISK/log
# are /var/lib and /var/log; DISK/services are the services.
set -euo pipefail
name=$1 disk=$2 pid_file=$3 cache=$4

# Seen through the /proc of whoever started us, our number there. Field 22 is the start time
# (proc(5)).
read -r stat </proc/self/stat
read -ra fields <<<"${stat##*) }"
printf '%s %s\n' "${stat%% *}" "${fields[19]}" >"$pid_file"

mount --make-rprivate /
# Others' network namespaces and file systems would live on as long as our copies of their mounts
# do.
findmnt -rno TARGET -t nsfs,overlay | grep -E '^/(run|tmp|var/lib)/' | tac |
  # A mount below another one cannot be named. Nothing here uses it.
  xargs -r umount -l 2>/dev/null || true
mount -t proc proc /proc
# This sysfs shows our links; the control groups stay those of the machine.
mount --rbind /sys/fs/cgroup /mnt
mount -t sysfs sysfs /sys
mount --rbind /mnt /sys/fs/cgroup
umount -l /mnt
hostname "$name"
mount -t overlay "$name-etc" -o "lowerdir=/etc,upperdir=$disk/etc,workdir=$disk/work" /etc
mount --bind "$cache" /var/cache
mount --bind "$disk/log" /var/log
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/lock /run/mysqld
cp -a "$disk/services" /run/service
# The last one, as the disk itself is below.
if [ -e "$disk/lib.img" ]; then
  mount -o loop "$disk/lib.img" /var/lib
else
  mount --bind "$disk/lib" /var/lib
fi
[ ! -d /var/lib/mysql ] || chown mysql: /run/mysqld
ip link set lo up
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
  s6-svscan /run/service </dev/null >>/var/log/supervisor.log 2>&1
