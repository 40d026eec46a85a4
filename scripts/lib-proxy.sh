# shellcheck shell=bash
# Sourced by scripts that set a host up: the proxies of this machine, for the Docker Engine (which
# fetches docker:// images by itself) and for atolld. Wants ROOT, CONFIG.
#
# A service of systemd's has nothing of a shell's environment, so they are kept in a file. Only root
# reads it: a proxy's URL may have a password, and what `Environment=` of a unit says is told to
# everybody (systemd.exec(5)).

PROXY_FILE=/etc/atoll/proxy.env
DOCKER_PROXY_DROP_IN=/etc/systemd/system/docker.service.d/atoll-proxy.conf

# take_up_proxies: a shell that names no proxy goes on with those of the shell before it, apt and
# npm with it.
take_up_proxies() {
  [ -z "${HTTP_PROXY:-}${http_proxy:-}${HTTPS_PROXY:-}${https_proxy:-}" ] || return 0
  grep -qs '^# .*from the environment' "$PROXY_FILE" || return 0
  set -a
  # shellcheck source=/dev/null
  . "$PROXY_FILE"
  set +a
}

# proxies_wanted TREE: lines NAME="VALUE", as images.proxy and the environment have them; none where
# there is no proxy.
proxies_wanted() { "$1/node_modules/.bin/node" "$1/scripts/proxies.ts" --config "$CONFIG"; }

# with_proxies COMMAND...: runs it in the place of this shell with the proxies of images.proxy, or
# with those of the environment.
with_proxies() {
  local tree
  for tree in "${CURRENT:-$ROOT}" "$ROOT"; do
    [ -x "$tree/node_modules/.bin/node" ] && [ -e "$tree/scripts/proxies.ts" ] || continue
    set -a
    # shellcheck source=/dev/null
    . <(proxies_wanted "$tree")
    set +a
    break
  done
  exec "$@"
}

# write_proxies LINES: the file, and what has docker.service read it, unless that has proxies of its
# operator's.
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

# The engine's own words for them; in its answer they are empty where there is none.
engine_has_proxy() { engine_info | grep -Eq '"Https?Proxy": ?"[^"]'; }

# Nothing of others' is ended for a proxy: without live restore an engine that starts anew takes its
# containers with it.
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
    engine_has_proxy || [ -z "$lines" ] || say '    The Docker engine uses the proxies when it is started anew'
    return 0
  fi
  systemctl daemon-reload
  if engine_may_restart; then
    step 'Have the Docker engine use the proxies of this machine' 'journalctl -u docker' restart_docker
  else
    say '    The proxies have changed. The Docker engine uses them after this, which ends its containers, as live-restore is off:'
    say '    systemctl restart docker'
  fi
}

remove_proxies() {
  rm -f "$PROXY_FILE" "$DOCKER_PROXY_DROP_IN"
  rmdir --ignore-fail-on-non-empty "${DOCKER_PROXY_DROP_IN%/*}" 2>/dev/null || true
}
