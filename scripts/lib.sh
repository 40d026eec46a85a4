# shellcheck shell=bash
# Shared by the scripts: steps with visible progress, and failures that say which step failed, why,
# and what to do. Sourced, never run. Needs ROOT (the checkout) and LOG (for the output of
# commands). choose_engine and start_engine also need STATE and RUN, the daemon's directories.

# The PATH of su and cron lacks some of these.
export PATH="$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Colours, on a terminal only.
if [ -t 1 ]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' RED=$'\e[31m' GREEN=$'\e[32m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' RED='' GREEN='' PLAIN=''
fi

# step "What" "what to do when it fails" COMMAND...: runs the command with its output in LOG. Shows
# the step while it runs, then how long it took. On failure prints the end of the output and the
# advice, and ends the script.
step() {
  local what=$1 advice=$2 began=$SECONDS pid ticker
  shift 2
  # The log names hosts and instances: for root only.
  # shellcheck disable=SC2174  # its parent directory exists
  [ -e "$LOG" ] || mkdir -p -m 700 "$(dirname "$LOG")"
  printf '\n== %s\n' "$what" >>"$LOG"
  if [ -t 1 ]; then
    printf '%s... %s%s' "$DIM" "$what" "$PLAIN"
  else
    printf '... %s\n' "$what"
  fi
  "$@" >>"$LOG" 2>&1 &
  pid=$!
  if [ -t 1 ]; then
    while kill -0 "$pid" 2>/dev/null; do
      printf '\r%s... %s (%d s)%s' "$DIM" "$what" $((SECONDS - began)) "$PLAIN"
      sleep 0.5
    done &
    ticker=$!
  fi
  local status=0
  wait "$pid" || status=$?
  if [ -n "${ticker:-}" ]; then
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    printf '\r\e[K'
  fi
  if [ "$status" -eq 0 ]; then
    printf '%sok%s  %s %s(%d s)%s\n' "$GREEN" "$PLAIN" "$what" "$DIM" $((SECONDS - began)) "$PLAIN"
    return 0
  fi
  {
    printf '%sFAILED%s  %s (exit %d). The end of %s:\n' "$RED" "$PLAIN" "$what" "$status" "$LOG"
    tail -n 15 "$LOG" | sed 's/^/    /'
    printf 'What to do: %s\n' "$advice"
  } >&2
  exit 1
}

# asks_for_help "$@": whether an argument is -h or --help. Arguments after -- do not count.
asks_for_help() {
  local argument
  for argument in "$@"; do
    case $argument in
      --) return 1 ;;
      -h | --help) return 0 ;;
    esac
  done
  return 1
}

# usage: prints the comment at the top of the script, which is its help.
usage() { awk 'NR == 1 { next } !/^#/ { exit } { sub(/^# ?/, ""); print }' "$0"; }

# help_if_asked "$@": prints the help if it is asked for, before anything is installed.
help_if_asked() {
  asks_for_help "$@" || return 0
  usage
  exit 0
}

# end_steps: for the exit trap of a script with job control (set -m), in which each step is a
# process group. Kills everything that a step has started. Without job control it would go on after
# ^C.
end_steps() {
  local job
  for job in $(jobs -p); do kill -KILL -- "-$job" 2>/dev/null || true; done
  wait 2>/dev/null || true
}

# fail "why" "what to do"
fail() {
  printf '%sFAILED%s  %s\nWhat to do: %s\n' "$RED" "$PLAIN" "$1" "$2" >&2
  exit 1
}

# wait_for SECONDS COMMAND...: waits until the command succeeds. Tries every 50 ms, or every time
# that the command itself takes if that is less, so that a slow machine is not kept busy by waiting.
wait_for() {
  local deadline=$((SECONDS + $1)) began pause
  shift
  while began=${EPOCHREALTIME//[.,]/} && ! "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    pause=$((${EPOCHREALTIME//[.,]/} - began))
    [ "$pause" -gt 50000 ] || pause=50000
    sleep "$((pause / 1000000)).$(printf '%06d' $((pause % 1000000)))"
  done
}

# is_address TEXT: whether it looks like an IPv4 address.
is_address() { [[ $1 =~ ^([0-9]{1,3}\.){3}[0-9]{1,3}$ ]]; }

say() { printf '%s\n' "$*"; }
heading() { printf '\n%s%s%s\n' "$BOLD" "$*" "$PLAIN"; }

# What is in the command line of a daemon: built, or read by Node itself, as older versions were.
# shellcheck disable=SC2034  # for those that source this
DAEMON='atolld\.cjs\|src/main\.'

# is_running PIDFILE WORD: whether the process of PIDFILE runs and its command line contains WORD
# (a basic regular expression).
is_running() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q -- "$2"
}

# stop_process PIDFILE WORD SECONDS: sends SIGTERM, waits up to SECONDS, then sends SIGKILL.
stop_process() {
  local pid
  is_running "$1" "$2" || return 0
  pid=$(cat "$1")
  kill "$pid"
  wait_for "$3" process_has_ended "$pid" || kill -9 "$pid" 2>/dev/null || true
  wait_for 5 process_has_ended "$pid"
}

# alone: ends this script if another one that changes this machine runs. Two at a time would remove
# what the other one has just made.
ALONE=/run/lock/atoll-script.pid
alone() {
  mkdir -p "${ALONE%/*}"
  if ! (set -o noclobber && echo $$ >"$ALONE") 2>/dev/null; then
    ! is_running "$ALONE" scripts/ ||
      fail "process $(cat "$ALONE") changes Atoll on this machine: $(tr '\0' ' ' <"/proc/$(cat "$ALONE")/cmdline")" \
        "wait until it has ended, or end it (kill $(cat "$ALONE")), and run this again"
    # It was killed.
    echo $$ >"$ALONE"
  fi
  trap 'rm -f "$ALONE"' EXIT
}

# A zombie counts as ended: its parent has not noticed yet.
process_has_ended() {
  [ ! -e "/proc/$1" ] || grep -q '^State:[[:space:]]*Z' "/proc/$1/status" 2>/dev/null
}

# missing_packages NAME...: prints those Debian packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || printf '%s ' "$package"
  done
}

install_packages() {
  apt-get update -q
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

# The Debian packages that a host needs beside Docker and the engines. scripts/make-box installs
# them in its machines, which may have no network.
host_packages() {
  echo bubblewrap ca-certificates curl iproute2 nftables iptables busybox-static passwd procps util-linux libatomic1 libstdc++6 \
    qemu-system-x86 qemu-utils ovmf xorriso
}

# The Debian packages that scripts/lab needs.
lab_packages() {
  echo bubblewrap passwd ca-certificates curl iproute2 iputils-ping nftables iptables busybox-static docker.io util-linux procps \
    s6 socat openssl dnsmasq-base e2fsprogs mariadb-server galera-4 rsync stunnel4 rabbitmq-server
}

# ensure_packages NAME...: installs what is missing. Does not use the network if nothing is.
ensure_packages() {
  local missing
  missing=$(missing_packages "$@")
  [ -n "$missing" ] || return 0
  # shellcheck disable=SC2086 # a list of package names
  step "Install Debian packages: $missing" "check the machine's network and /etc/apt/sources.list, then run this again" \
    install_packages $missing
}

# Installs the packages of this checkout's lock file, among them a current Node. Install scripts do
# not run, except that of `node`, which puts its binary in place. The file .atoll-installed is
# written last, so that an interrupted installation is repeated.
install_npm_packages() {
  cd "$ROOT" || return
  # Not `npm ci`: npm 11 refuses a lock file without the optional packages of other platforms, and
  # some registry mirrors do not have those. `--no-save` installs the locked versions and does not
  # change the lock file.
  npm install --no-save --ignore-scripts --no-audit --no-fund "$@"
  npm rebuild node --no-audit --no-fund
  node_modules/.bin/node --version
  npm_packages_wanted "$@" >node_modules/.atoll-installed
}

npm_packages_wanted() { printf '%s %s\n' "$(sha256sum <"$ROOT/package-lock.json")" "$*"; }

# An installation with development packages also serves --omit=dev.
npm_packages_are_current() {
  local installed
  installed=$(cat "$ROOT/node_modules/.atoll-installed" 2>/dev/null) || return 1
  [ "$installed" = "$(npm_packages_wanted "$@")" ] || [ "$installed" = "$(npm_packages_wanted)" ] || return 1
  "$ROOT/node_modules/.bin/node" --version >/dev/null 2>&1
}

# ensure_npm_packages [--omit=dev]
ensure_npm_packages() {
  # The Node of the npm package needs these two, which a minimal Debian lacks.
  ensure_packages libatomic1 libstdc++6
  if ! npm_packages_are_current "$@"; then
    command -v npm >/dev/null || ensure_packages npm
    step "Install npm packages and Node from package-lock.json" "read the lines above, and check that the npm registry answers: npm ping" \
      install_npm_packages "$@"
  fi
  export PATH="$ROOT/node_modules/.bin:$PATH"
}

engine_answers() { curl -sf -m 5 --noproxy '*' --unix-socket "$1" http://docker/_ping; }

# If the kernel has AppArmor, Docker needs the parser of this package, which docker.io only
# recommends.
ensure_apparmor() {
  [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" != Y ] || ensure_packages apparmor
}

# Chooses the machine's Docker Engine if it answers. Otherwise starts one for Atoll, which does not
# change the machine's network.
choose_engine() {
  ensure_apparmor
  if engine_answers /var/run/docker.sock >/dev/null 2>&1; then
    DOCKER_SOCKET=/var/run/docker.sock
    say "ok  A Docker engine answers at $DOCKER_SOCKET"
    return
  fi
  ensure_packages docker.io
  # Where systemd runs, installing the package has started the engine.
  if [ -d /run/systemd/system ] && wait_for 10 engine_answers /var/run/docker.sock; then
    DOCKER_SOCKET=/var/run/docker.sock
    return
  fi
  DOCKER_SOCKET=$RUN/docker.sock
  engine_answers "$DOCKER_SOCKET" >/dev/null 2>&1 ||
    step "Start a Docker engine for Atoll" "read $RUN/dockerd.log" start_engine
}

# The user whose subordinate ids are those of users in containers: root in a container has no rights
# on the host (user_namespaces(7)).
REMAP_USER=atoll-remap
# 65,536 ids, above those that systemd gives to containers (0x00080000 to 0x6FFFFFFF) and below
# those of virtual machines (qemu.firstUser).
REMAP_FIRST=1879048192
REMAP_LAST=1879113727

ensure_remap_user() {
  # useradd and usermod fail if another one has locked the files.
  exec 8<"${BASH_SOURCE[0]}"
  flock 8
  getent passwd "$REMAP_USER" >/dev/null ||
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$REMAP_USER"
  grep -q "^$REMAP_USER:" /etc/subuid 2>/dev/null || usermod --add-subuids "$REMAP_FIRST-$REMAP_LAST" "$REMAP_USER"
  grep -q "^$REMAP_USER:" /etc/subgid 2>/dev/null || usermod --add-subgids "$REMAP_FIRST-$REMAP_LAST" "$REMAP_USER"
  exec 8>&-
}

# Keeps the user while an engine runs with it or is configured to.
remove_remap_user() {
  ! grep -qsz "^$REMAP_USER\$" /proc/[0-9]*/cmdline || return 0
  ! grep -qs "$REMAP_USER" /etc/docker/daemon.json || return 0
  ! getent passwd "$REMAP_USER" >/dev/null || userdel "$REMAP_USER"
}

# The data directory of an engine that we start. Users of containers must be able to pass through
# it, so it is not below STATE, which only root may enter.
engine_state() { printf '%s-docker' "$STATE"; }

start_engine() {
  local state remap=(--userns-remap "$REMAP_USER")
  state=$(engine_state)
  if [ -d "$STATE/docker/containers" ]; then
    # An older version started it without user namespaces. With them it would not find its
    # containers.
    state=$STATE/docker
    remap=()
  else
    ensure_remap_user
  fi
  mkdir -p "$RUN" "$state"
  # After a kill, the old pid file would keep dockerd from starting.
  is_running "$RUN/docker.pid" dockerd || rm -f "$RUN/docker.pid" "$RUN/docker.sock"
  # Instances get at most as many open files as their engine, and a shell may have few.
  ulimit -n 1048576 2>/dev/null || true
  with_proxies setsid dockerd --data-root "$state" --exec-root "$RUN/docker" --pidfile "$RUN/docker.pid" \
    --host "unix://$RUN/docker.sock" --bridge=none --iptables=false --ip-forward=false --live-restore \
    "${remap[@]}" </dev/null >>"$RUN/dockerd.log" 2>&1 &
  wait_for 60 engine_answers "$RUN/docker.sock" || { tail -n 20 "$RUN/dockerd.log"; return 1; }
}

# When our own engine was killed or hangs, its containers run on without it (live-restore), and only
# an engine can end them. So teardown needs one that answers.
revive_engine() {
  # One that could not start has no file of its process.
  [ -e "$RUN/docker.pid" ] || [ -d "$RUN/docker" ] || return 0
  ! engine_answers "$RUN/docker.sock" >/dev/null 2>&1 || return 0
  stop_process "$RUN/docker.pid" dockerd 5
  # Its containerd may hang as well. The engine would take the process for a living one as long as
  # nobody has waited for it.
  stop_process "$RUN/docker/containerd/containerd.pid" containerd 5
  rm -f "$RUN/docker/containerd/containerd.pid"
  start_engine
}

# tear_down TREE...: removes instances, links, routes and rules, by the first of these trees that
# can run. An interrupted removal may have taken one of them.
tear_down() {
  local tree options=()
  revive_engine
  if [ -e "$CONFIG" ]; then
    options=(--config "$CONFIG")
  elif [ -S "$RUN/docker.sock" ]; then
    printf 'docker: {socket: %s}\n' "$RUN/docker.sock" >"$RUN/teardown.yaml"
    options=(--config "$RUN/teardown.yaml")
  fi
  for tree in "$@"; do
    [ -x "$tree/node_modules/.bin/node" ] || continue
    "$tree/bin/atoll" "${options[@]}" teardown --yes
    return
  done
  [ -d "$STATE" ] || ip -o link | grep -q ': at-' || return 0
  echo "nothing was removed: there is no Node in $*. Install it with scripts/quickstart, and run this again"
  return 1
}

# Ends our own engine and removes what it leaves outside its directories.
remove_engine() {
  [ -e "$RUN/docker.pid" ] || return 0
  stop_process "$RUN/docker.pid" dockerd 60
  # An engine that had to be killed leaves its mounts.
  awk -v run="$RUN/docker/" -v old="$STATE/docker/" -v state="$(engine_state)/" 'index($2, run) == 1 || index($2, old) == 1 || index($2, state) == 1 { print $2 }' /proc/self/mounts |
    xargs -r umount -l
  # Docker also uses these directories. Keep them if another engine runs.
  pgrep -r D,R,S,I -x 'dockerd|containerd' >/dev/null || rm -rf /run/docker /run/containerd
  remove_remap_user
}

daemon_is_healthy() { curl -sf -m 10 --noproxy '*' http://127.0.0.1:9773/healthz; }
