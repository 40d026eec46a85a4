# shellcheck shell=bash
# Sourced by scripts that set a host up: gives this machine's proxies to atolld and to the Docker
# Engine, which fetches docker:// images itself. Needs ROOT and CONFIG.
#
# Services of systemd do not see the environment of a shell, so the proxies are kept in a file. Only
# root reads it, because the URL of a proxy may contain a password. `Environment=` in a unit would
# show it to everybody (systemd.exec(5)).

PROXY_FILE=/etc/atoll/proxy.env
DOCKER_PROXY_DROP_IN=/etc/systemd/system/docker.service.d/atoll-proxy.conf

# take_up_proxies: if the shell names no proxy, uses those that an earlier run found in its shell,
# also for apt and npm. `atoll env` sets NO_PROXY for its own address in every shell; that is not
# what the operator wants of the proxies.
take_up_proxies() {
  [ -z "${HTTP_PROXY:-}${http_proxy:-}${HTTPS_PROXY:-}${https_proxy:-}" ] || return 0
  grep -qs '^# .*from the environment' "$PROXY_FILE" || return 0
  unset NO_PROXY no_proxy
  set -a
  # shellcheck source=/dev/null
  . "$PROXY_FILE"
  set +a
}

# proxies_wanted TREE: prints lines NAME="VALUE" from images.proxy or the environment; nothing if
# there is no proxy.
proxies_wanted() { "$ROOT/bin/script" "$1" scripts/proxies.ts --config "$CONFIG"; }

# with_proxies COMMAND...: replaces this shell by the command, with the proxies of images.proxy or
# of the environment.
with_proxies() {
  local tree
  for tree in "${CURRENT:-$ROOT}" "$ROOT"; do
    [ -x "$tree/node_modules/.bin/node" ] && { [ -e "$tree/dist/proxies.cjs" ] || [ -e "$tree/scripts/proxies.ts" ]; } || continue
    set -a
    # shellcheck source=/dev/null
    . <(proxies_wanted "$tree")
    set +a
    break
  done
  exec "$@"
}

# write_proxies LINES: writes the file, and a drop-in with which docker.service reads it, unless the
# operator has given the engine proxies.
write_proxies() (
  if [ "$1" != "$(cat "$PROXY_FILE" 2>/dev/null)" ]; then
    umask 077
    printf '%s\n' "$1" >"$PROXY_FILE.new"
    mv -T "$PROXY_FILE.new" "$PROXY_FILE"
  fi
  [ -e "$DOCKER_PROXY_DROP_IN" ] || ! engine_has_proxy || return 0
  umask 022
  mkdir -p "${DOCKER_PROXY_DROP_IN%/*}"
  printf '%s\n' '# Written by Atoll: docker:// images are fetched through these proxies.' '[Service]' "EnvironmentFile=-$PROXY_FILE" \
    >"$DOCKER_PROXY_DROP_IN"
)

proxies_written() { cat "$PROXY_FILE" "$DOCKER_PROXY_DROP_IN" 2>/dev/null || true; }

engine_info() { curl -sf -m 5 --noproxy '*' --unix-socket "$DOCKER_SOCKET" http://docker/info; }

# In the engine's answer the members are empty if it has no proxy.
engine_has_proxy() { engine_info | grep -Eq '"Https?Proxy": ?"[^"]'; }

# Without live restore, restarting the engine would stop the containers of others.
engine_may_restart() { engine_info | grep -Eq '"LiveRestoreEnabled": ?true|"ContainersRunning": ?0\b'; }

restart_docker() {
  systemctl restart docker
  wait_for 60 engine_answers "$DOCKER_SOCKET"
}

# ensure_proxies TREE
ensure_proxies() {
  local lines had
  lines=$(proxies_wanted "$1")
  had=$(proxies_written)
  if [ -n "$lines" ]; then write_proxies "$lines"; else remove_proxies; fi
  [ "$had" != "$(proxies_written)" ] || return 0
  if ! [ -d /run/systemd/system ] || ! systemctl -q is-active docker; then
    engine_has_proxy || [ -z "$lines" ] || say '    Restart the Docker engine: it does not use the proxies yet'
    return 0
  fi
  systemctl daemon-reload
  if engine_may_restart; then
    step 'Have the Docker engine use the proxies of this machine' 'journalctl -u docker' restart_docker
  else
    say '    The proxies have changed. The Docker engine uses them after a restart, which stops its containers (live-restore is off):'
    say '    systemctl restart docker'
  fi
}

remove_proxies() {
  rm -f "$PROXY_FILE" "$DOCKER_PROXY_DROP_IN"
  rmdir --ignore-fail-on-non-empty "${DOCKER_PROXY_DROP_IN%/*}" 2>/dev/null || true
}
