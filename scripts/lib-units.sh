# shellcheck shell=bash
# Sourced by scripts/install: the units of systemd, one for each part of the daemon. Restarting one
# restarts no other (docs/processes.md). Needs CURRENT (the release) and CONFIG.

UNIT_DIRECTORY=/etc/systemd/system
SERVICES_UNITS='atolld-services.socket atolld-services.service'
API_UNITS='atolld-api.socket atolld-api.service'
# The first starts the second where the agent has orders for it (setting fence.enabled).
FENCE_UNITS='atolld-fence.path atolld-fence.service'
UNITS="atolld.service $SERVICES_UNITS $API_UNITS $FENCE_UNITS"
# The second and further processes of the API.
API_TEMPLATE=atolld-api@.service
# Where the socket of the API listens.
API_LISTEN=$UNIT_DIRECTORY/atolld-api.socket.d/listen.conf
# The user of the API, with the number that the agent gives files to (API_USER in
# src/model/names.ts).
API_USER=atoll-api API_USER_NUMBER=1879113730

# has_parts: whether the current release has a unit for each part. Older ones have one for all.
has_parts() { [ -e "$CURRENT/scripts/atolld-api.service" ]; }

# restart_units: gives systemd the units of the current release, starts those that do not run, and
# restarts the agent, which replaces parts that run with other code or settings.
restart_units() {
  local workers=0 units='' worker
  ! has_parts || { workers=$(api_setting workers) units=$SERVICES_UNITS; }
  if [ "$workers" != 0 ]; then
    units="$units $API_UNITS"
    for ((worker = 2; worker <= workers; worker++)); do units="$units ${API_TEMPLATE/@/@$worker}"; done
    ensure_api_user
  fi
  put_units
  stop_others "$units $(! has_parts || printf '%s' "$FENCE_UNITS")"
  # Until now the agent has their socket, or a unit of an older release that started everything.
  [ "$workers" = 0 ] || systemctl is-active -q atolld-api.socket || systemctl stop atolld
  # shellcheck disable=SC2086 # a list of names
  systemctl enable -q atolld.service $units
  # shellcheck disable=SC2086
  [ -z "$units" ] || systemctl start $units
  systemctl restart atolld
  # After the agent has ended the process of an older release: there must not be two.
  ! has_parts || systemctl enable -q --now "${FENCE_UNITS%% *}"
}

# put_units: writes the units. The socket of the API moves if the settings have moved it.
put_units() {
  local unit listen=''
  for unit in $UNITS; do
    [ ! -e "$CURRENT/scripts/$unit" ] || install -m 644 "$CURRENT/scripts/$unit" "$UNIT_DIRECTORY/$unit"
  done
  if has_parts; then
    sed 's/--part api$/--part api --worker %i/; s/^Description=.*/& (process %i)/' "$CURRENT/scripts/atolld-api.service" >"$UNIT_DIRECTORY/$API_TEMPLATE"
    listen=$(printf '# Made by scripts/install from the settings api.listen and api.port.\n[Socket]\nListenStream=\nListenStream=%s:%s' \
      "$(api_setting listen)" "$(api_setting port)")
  fi
  if has_parts && [ "$listen" != "$(cat "$API_LISTEN" 2>/dev/null)" ]; then
    mkdir -p "${API_LISTEN%/*}"
    printf '%s\n' "$listen" >"$API_LISTEN"
    systemctl daemon-reload
    # With the processes, which have the old one.
    ! systemctl is-active -q atolld-api.socket || systemctl restart atolld-api.socket
  fi
  systemctl daemon-reload
}

# stop_others UNITS: stops and disables the units of parts that are not among these, such as the
# third process of the API after the setting has become two. Those that the release does not have
# are removed.
stop_others() {
  local unit
  for unit in $(installed_parts); do
    [[ " $1 " != *" $unit "* ]] || continue
    systemctl disable -q --now "$unit" 2>/dev/null || true
    has_parts || rm -f "$UNIT_DIRECTORY/$unit" "$UNIT_DIRECTORY/$API_TEMPLATE"
  done
  has_parts || { rm -rf "${API_LISTEN%/*}" && systemctl daemon-reload; }
}

# installed_parts: the units that there are beside the agent's.
installed_parts() {
  local unit
  for unit in $SERVICES_UNITS $API_UNITS $FENCE_UNITS; do
    [ ! -e "$UNIT_DIRECTORY/$unit" ] || printf '%s\n' "$unit"
  done
  for unit in "$UNIT_DIRECTORY"/multi-user.target.wants/atolld-api@*.service; do
    [ ! -L "$unit" ] || printf '%s\n' "${unit##*/}"
  done
}

# remove_units: stops all parts and removes their units.
remove_units() {
  local unit
  systemctl disable -q --now atolld.service 2>/dev/null || true
  for unit in $(installed_parts); do systemctl disable -q --now "$unit" 2>/dev/null || true; done
  for unit in $UNITS $API_TEMPLATE; do rm -f "$UNIT_DIRECTORY/$unit"; done
  rm -rf "${API_LISTEN%/*}"
  systemctl daemon-reload
}

ensure_api_user() {
  getent group "$API_USER" >/dev/null || groupadd --gid "$API_USER_NUMBER" "$API_USER"
  # --no-log-init: the logs of logins are indexed by the number, and would become huge files.
  getent passwd "$API_USER" >/dev/null ||
    useradd --no-log-init --no-user-group --uid "$API_USER_NUMBER" --gid "$API_USER" --no-create-home \
      --home-dir /nonexistent --shell /usr/sbin/nologin --key SUB_UID_COUNT=0 --key SUB_GID_COUNT=0 "$API_USER"
}

remove_api_user() {
  ! getent passwd "$API_USER" >/dev/null || userdel "$API_USER"
  ! getent group "$API_USER" >/dev/null || groupdel "$API_USER"
}
