# shellcheck shell=bash
# Sourced by scripts that set a host up: tells network managers to leave Atoll's links, routes and
# rules alone.
#
# systemd-networkd removes routes and policy rules that it does not know, whenever it starts or
# reloads. With `[Match] Name=*` it would also run DHCP clients on Atoll's links (networkd.conf(5),
# systemd.network(5)). NetworkManager manages every new link (NetworkManager.conf(5),
# keyfile.unmanaged-devices).

# network_notes BASE: the names of the files. BASE is /etc, or /run for files that go with the next
# boot.
network_notes() {
  printf '%s\n' "$1/systemd/networkd.conf.d/atoll.conf" "$1/systemd/network/00-atoll.network" "$1/NetworkManager/conf.d/atoll.conf"
}

# write_network_notes BASE: managers read the files when they start. Running ones reload.
write_network_notes() (
  local networkd links manager
  { read -r networkd && read -r links && read -r manager; } < <(network_notes "$1")
  # networkd does not read them as root.
  umask 022
  mkdir -p "${networkd%/*}" "${links%/*}" "${manager%/*}"
  printf '%s\n' '# Written by Atoll, whose routes and policy rules systemd-networkd would take away when it starts.' \
    '[Network]' 'ManageForeignRoutes=no' 'ManageForeignRoutingPolicyRules=no' >"$networkd"
  printf '%s\n' "# Written by Atoll: these links are its own." '[Match]' 'Name=at-*' '' '[Link]' 'Unmanaged=yes' >"$links"
  printf '%s\n' "# Written by Atoll: these links are its own." '[keyfile]' 'unmanaged-devices+=interface-name:at-*' '' \
    '# Said twice: the list above may be set again by a file that is read later.' '[device-atoll]' 'match-device=interface-name:at-*' \
    'managed=0' >"$manager"
  tell_network_managers
)

remove_network_notes() {
  local note directory
  for note in $(network_notes "$1"); do
    rm -f "$note"
    # Remove directories that were made for it: they are empty and belong to no package.
    directory=${note%/*}
    while [ "$directory" != "$1" ] && ! dpkg-query -S "$directory" >/dev/null 2>&1 && rmdir "$directory" 2>/dev/null; do
      directory=${directory%/*}
    done
  done
  tell_network_managers
}

tell_network_managers() {
  [ -d /run/systemd/system ] || return 0
  ! systemctl -q is-active systemd-networkd || networkctl reload || true
  ! systemctl -q is-active NetworkManager || systemctl reload NetworkManager || true
}
