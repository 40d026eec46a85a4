/**
 * DHCP clients that guests really run, as Debian packages them, each with files and names of its
 * own.
 *
 * A client is one shell command for a guest's namespaces, on its `eth0`. `$HOME_DIR` is its
 * directory: it keeps its lease there between starts, and writes there what it was told.
 */
import { existsSync } from 'node:fs'
import { packageLibraries, unpackedPackages } from './debian-packages.ts'

export interface DhcpClient {
  readonly name: string
  /** The program that has to be there. */
  readonly program: string
  readonly start: string
  /** Prints what it was told of resolvers and domains, once it has been. */
  readonly told: string
  /** How the domain is said there. */
  readonly domain: string
  /**
   * What has it release its address: a signal, or a command beside it; null for one that never
   * does.
   */
  readonly release: NodeJS.Signals | { readonly command: string } | null
  /**
   * Whether, restarted, it asks for the address that it had (INIT-REBOOT, RFC 2131 section 3.2).
   */
  readonly remembers: boolean
}

/**
 * A machine's own directories, empty, in a mount namespace; `/etc/resolv.conf` becomes a file of
 * the client's.
 */
const OWN_FILES = `
mount --make-rprivate /
mkdir -p $HOME_DIR/lib
touch $HOME_DIR/resolv.conf
mount -t tmpfs tmpfs /run
mount --bind $HOME_DIR/resolv.conf /etc/resolv.conf
`

/** As in a container: no udev reports links. */
export const NO_UDEV = 'mount -t sysfs -o ro sysfs /sys\n'

/**
 * What a client that leaves it all to a script calls: sets the address up, and writes down what it
 * was told.
 */
const SCRIPT = `{ echo '#!/bin/sh'; echo "HOME_DIR='$HOME_DIR'"; cat <<'SCRIPT'
set -- "\${reason:-$1}"
address=\${new_ip_address:-$ip}
router=\${new_routers:-$router}
mtu=\${new_interface_mtu:-$mtu}
case "$1" in
  PREINIT) ip link set eth0 up ;;
  BOUND | bound | REBOOT | RENEW | REBIND | renew)
    ip addr replace "$address/20" dev eth0
    ip route replace default via $router
    ip link set eth0 mtu $mtu
    {
      echo "nameserver \${new_domain_name_servers:-$dns}"
      echo "domain \${new_domain_name:-$domain}"
      echo "search \${new_domain_search:-$search}"
    } > $HOME_DIR/resolv.conf
    ;;
esac
exit 0
SCRIPT
} > $HOME_DIR/script
chmod +x $HOME_DIR/script
`

const DHCLIENT_CONF = `
initial-interval 1;
backoff-cutoff 1;
option rfc3442-classless-static-routes code 121 = array of unsigned integer 8;
request subnet-mask, broadcast-address, routers, domain-name, domain-name-servers, domain-search, host-name, interface-mtu,
  rfc3442-classless-static-routes, ntp-servers;
`

const DHCLIENT =
  'dhclient -4 -cf $HOME_DIR/conf -sf $HOME_DIR/script -lf $HOME_DIR/lease -pf $HOME_DIR/pid'

const NETWORK_FILE = `
[Match]
Name=eth0
[Network]
DHCP=ipv4
LinkLocalAddressing=no
IPv6AcceptRA=no
[DHCPv4]
UseMTU=yes
UseDomains=yes
`

const BUS = `<busconfig>
<type>system</type>
<listen>unix:path=/run/dbus/system_bus_socket</listen>
<auth>EXTERNAL</auth>
<policy context="default">
<allow user="*"/><allow own="*"/><allow send_type="method_call"/><allow send_destination="*"/><allow receive_sender="*"/>
</policy>
</busconfig>
`

/** A system bus of its own in /run, for as long as the program that the shell becomes. */
export const OWN_BUS = `mkdir -p /run/dbus
cat > /run/bus.conf <<'BUS'\n${BUS}BUS
env ${packageLibraries()} setpriv --pdeathsig KILL ${unpackedPackages()}/usr/bin/dbus-daemon --config-file=/run/bus.conf --nofork --nopidfile &
until [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done
`

const MANAGER_CONF = `
[main]
plugins=keyfile
rc-manager=file
dns=default
dhcp=internal
no-auto-default=*
[keyfile]
path=/run/connections
`

const CONNECTION = `
[connection]
id=eth0
uuid=11111111-2222-3333-4444-555555555555
type=ethernet
interface-name=eth0
[ipv4]
method=auto
[ipv6]
method=disabled
`

/** The table. */
export const DHCP_CLIENTS: readonly DhcpClient[] = [
  {
    name: 'busybox udhcpc',
    program: '/bin/busybox',
    start: `${SCRIPT}exec busybox udhcpc -f -i eth0 -t 20 -T 1 -O mtu -O staticroutes -O search -s $HOME_DIR/script`,
    told: 'cat $HOME_DIR/resolv.conf',
    domain: 'search atoll.internal',
    release: 'SIGUSR2',
    remembers: false,
  },
  {
    name: 'ISC dhclient',
    program: '/sbin/dhclient',
    start: `${SCRIPT}cat > $HOME_DIR/conf <<'CONF'${DHCLIENT_CONF}CONF
exec ${DHCLIENT} -d eth0`,
    told: 'cat $HOME_DIR/resolv.conf',
    domain: 'search atoll.internal',
    release: { command: `${DHCLIENT} -r eth0` },
    remembers: true,
  },
  {
    name: 'dhcpcd',
    program: '/usr/sbin/dhcpcd',
    start: `${OWN_FILES}mount --bind $HOME_DIR/lib /var/lib/dhcpcd
exec dhcpcd -4 -B --noipv4ll eth0`,
    told: 'cat $HOME_DIR/resolv.conf',
    domain: 'domain atoll.internal',
    release: 'SIGALRM',
    remembers: true,
  },
  {
    name: 'systemd-networkd',
    program: `${unpackedPackages()}/lib/systemd/systemd-networkd`,
    start: `${OWN_FILES}${NO_UDEV}echo 'systemd-network:x:998:998::/:/bin/false' > $HOME_DIR/users
mount --bind $HOME_DIR/users /etc/passwd
mkdir -p /run/systemd/network $HOME_DIR/lib/links $HOME_DIR/lib/leases $HOME_DIR/lib/lldp /run/systemd/netif
mount --bind $HOME_DIR/lib /run/systemd/netif
chown -R 998:998 /run/systemd/netif
cat > /run/systemd/network/10-eth0.network <<'NETWORK'${NETWORK_FILE}NETWORK
exec env ${packageLibraries()} SYSTEMD_LOG_TARGET=console ${unpackedPackages()}/lib/systemd/systemd-networkd`,
    told: 'cat $HOME_DIR/lib/leases/*',
    domain: 'DOMAINNAME=atoll.internal',
    release: 'SIGTERM',
    remembers: false,
  },
  {
    name: 'NetworkManager',
    program: `${unpackedPackages()}/usr/sbin/NetworkManager`,
    start: `${OWN_FILES}${NO_UDEV}${OWN_BUS}mkdir -p /run/NetworkManager /run/connections
mount -t tmpfs tmpfs /var/lib && mkdir /var/lib/NetworkManager
mount --bind $HOME_DIR/lib /var/lib/NetworkManager
cat > /run/manager.conf <<'CONF'${MANAGER_CONF}CONF
cat > /run/connections/eth0.nmconnection <<'CONNECTION'${CONNECTION}CONNECTION
chmod 600 /run/connections/*
exec env ${packageLibraries()} ${unpackedPackages()}/usr/sbin/NetworkManager --no-daemon --config=/run/manager.conf --config-dir=/run/none --intern-config=/run/none`,
    told: 'cat /run/NetworkManager/resolv.conf',
    domain: 'search atoll.internal',
    // Only since 1.48, where it is told to.
    release: null,
    remembers: true,
  },
]

/** Why a client cannot be tried here, or null. */
export function missing({ program }: Pick<DhcpClient, 'program'>): string | null {
  return existsSync(program) ? null : `there is no ${program}`
}
