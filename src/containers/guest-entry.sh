#!/.atoll/busybox sh
# shellcheck shell=dash
# The guest's first program: busybox sh /.atoll/enter KIND COMMAND... KIND is a GuestNetwork (src/containers/spec.ts).
#
# It waits for the NIC, does on the first boot what cloud-init does on a machine, and becomes the image's command. It runs
# as whatever user the image names. The command is looked up in the image's own PATH: busybox's shell would otherwise
# prefer its built-in programs of the same name.
kit=/.atoll
bb=$kit/busybox
# On the guest's own disk: the instance whose first boot it has seen.
mark=/var/lib/atoll/first-boot
# How often, ten times a second, user data looks for a network before it runs without one.
network_tries=600
# UNRUNNABLE_EXIT_CODE in src/plan/workloads.ts.
unrunnable_exit_code=251
kind=$1
shift
# As process 1 of its namespace it would ignore signals that it has no handler for (pid_namespaces(7)).
trap 'exit 143' TERM INT

plugged() {
  [ -e /proc/sys/net/ipv4/conf/eth0 ]
}

# A default route: the guest's network is up.
routed() {
  plugged || return 1
  while read -r link destination _; do
    [ "$link" = eth0 ] && [ "$destination" = 00000000 ] && return 0
  done </proc/net/route
  return 1
}

ready() {
  if [ "$kind" = dhcp ]; then plugged; else routed; fi
}

install_key() {
  ssh=${HOME:-/root}/.ssh
  ( umask 077
    $bb mkdir -p "$ssh" && $bb cat "$kit/authorized-keys" >>"$ssh/authorized_keys" )
}

seed_cloud_init() {
  seed=/var/lib/cloud/seed/nocloud
  $bb mkdir -p "$seed"
  $bb cp "$kit/meta-data" "$seed/meta-data"
  if [ -e "$kit/user-data" ]; then
    $bb cp "$kit/user-data" "$seed/user-data"
  else
    : >"$seed/user-data"
  fi
}

# Anyone may restart a container while the kit still says "first boot", so the container's own disk remembers too. The
# mark is made before the work, as cloud-init's are: what runs once must not run twice.
first_boot_due() {
  [ -e "$kit/first-boot" ] || return 1
  read -r instance <"$kit/first-boot"
  seen=
  [ -e "$mark" ] && read -r seen <"$mark"
  [ "$seen" != "$instance" ] || return 1
  ( $bb mkdir -p "${mark%/*}" && echo "$instance" >"$mark" ) 2>/dev/null
  return 0
}

# Scripts count on a network, which an image that uses DHCP has only later. Without one they run all the same.
run_user_data() {
  tries=0
  until routed || [ $tries = "$network_tries" ]; do
    $bb usleep 100000 || exit 143
    tries=$((tries + 1))
  done
  exec "$kit/user-data"
}

first_boot() {
  if [ -x /usr/bin/cloud-init ] || [ -x /usr/local/bin/cloud-init ]; then
    seed_cloud_init
    return
  fi
  [ -e "$kit/authorized-keys" ] && install_key
  [ -x "$kit/user-data" ] && ( run_user_data & )
}

unrunnable() {
  echo "atoll: $1" >&2
  exit "$unrunnable_exit_code"
}

resolve() {
  case $1 in
    */*) [ -x "$1" ] && [ ! -d "$1" ] && program=$1; return ;;
  esac
  old_ifs=$IFS
  IFS=:
  for dir in $PATH; do
    if [ -x "$dir/$1" ] && [ ! -d "$dir/$1" ]; then program=$dir/$1; break; fi
  done
  IFS=$old_ifs
}

# Started before its instance is known (src/containers/warm.ts): the other end is closed when it is.
[ -p "$kit/wait" ] && { read -r _ <"$kit/wait"; } 2>/dev/null

# It looks some hundred times, and a program each time would take more than all that Atoll does for a start. So it waits
# for input that never comes: from the pipe of a here-document, of which it opens the other end, too.
exec 3<<PIPE
PIPE
wait_a_little() { $bb usleep 4000; }
if ( exec 3<>/proc/self/fd/3 ) 2>/dev/null; then
  exec 3<>/proc/self/fd/3
  # shellcheck disable=SC3045 # busybox's shell has it
  wait_a_little() { read -r -t 0.002 _ <&3; [ -e $kit/enter ]; }
fi
# Without its kit it is nobody's any more, and would never end.
until ready; do wait_a_little || exit 143; done
exec 3>&-

if [ $# = 0 ]; then
  for init in /sbin/init /init /linuxrc; do
    if [ -x "$init" ]; then set -- "$init"; break; fi
  done
  [ $# = 0 ] && unrunnable 'the image names no command and has none of /sbin/init, /init, /linuxrc'
fi
program=
resolve "$1"
[ -n "$program" ] || unrunnable "the image's command does not exist or is not executable: $1"
first_boot_due && first_boot
shift
trap - TERM INT
exec "$program" "$@"
