/** DHCP on real links, with the clients that guests really run: busybox udhcpc and ISC dhclient. */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Host } from '../../../src/host/host.ts'
import { createLinuxHost } from '../../../src/host/linux.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import type { Metrics } from '../../../src/lib/metrics.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { METADATA_ADDRESS } from '../../../src/model/addr.ts'
import { GATEWAY_LINK } from '../../../src/model/names.ts'
import { createDhcp } from '../../../src/services/dhcp/dhcp.ts'
import type { HostService } from '../../../src/services/service.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import type { Netns } from '../../../tools/kit/netns.ts'
import { createNetns, eventually } from '../../../tools/kit/netns.ts'
import { attachGuest, createGuest, nicSpecOf } from '../../kit/guest.ts'
import { OPEN_RULES } from '../../kit/open-rules.ts'

const one = instance(7)
const spec = nicSpecOf(one)
const LEASE_SECONDS = 3600
/** Clients draw at random how long they wait before they ask again. */
const BACKOFF_MS = 60_000

let hostSpace: Netns
let leave: () => void
let host: Host
let directory: string
let services: HostService[] = []
let guests: Netns[] = []

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-dhcp-'))
  hostSpace = await createNetns('dhcp')
  leave = hostSpace.enter()
  // The addresses that a machine has anyway come first wherever the kernel chooses one.
  const uplink = 'ip link add up0 up type bridge; ip addr add 198.51.100.9/24 dev up0'
  await hostSpace.must(['sh', '-ec', uplink])
  host = createLinuxHost({ log: silentLog })
  await host.ensureForwarding()
  await host.applyRules(OPEN_RULES)
  await host.ensureGateway(GATEWAY_LINK, [spec.gateway, METADATA_ADDRESS])
  // Writes down what the client was told; gives eth0 the address, as every client's script does.
  await writeFile(
    script(),
    `#!/bin/sh
set -- "\${reason:-$1}"
address=\${new_ip_address:-$ip}
[ "$1" = PREINIT ] && ip link set eth0 up
case "$1" in BOUND|bound|REBOOT|RENEW|REBIND|renew) ip addr replace "$address/20" dev eth0; ip route replace default via 172.31.0.1 ;; esac
echo "$1 $address" >> ${log()}
env > ${directory}/env.$1
exit 0
`,
    { mode: 0o755 },
  )
})

afterEach(async () => {
  await Promise.all(services.map((service) => service.close()))
  await Promise.all(guests.map((guest) => guest.destroy()))
  await host.removeNic(spec.hostLink)
  await hostSpace.run(['nft', 'flush', 'ruleset'])
  await host.applyRules(OPEN_RULES)
  await rm(log(), { force: true })
  services = []
  guests = []
})

afterAll(async () => {
  await host.close()
  leave()
  await hostSpace.destroy()
  await rm(directory, { recursive: true })
})

const script = () => join(directory, 'script')
const log = () => join(directory, 'log')
const told = async () => (await readFile(log(), 'utf8').catch(() => '')).trim().split('\n')
/** What the client was told when its script was last run for this reason. */
const environment = async (reason: string) => readFile(join(directory, `env.${reason}`), 'utf8')

function serve(leaseSeconds = LEASE_SECONDS): { dhcp: HostService; metrics: Metrics } {
  const metrics = createMetrics()
  const settings = { leaseSeconds, mtu: 1400, zone: 'atoll.internal' }
  const dhcp = createDhcp({ host, settings, clock: systemClock, metrics, log: silentLog })
  services.push(dhcp)
  return { dhcp, metrics }
}

async function guestOf(): Promise<Netns> {
  const guest = await createGuest(host, one)
  guests.push(guest)
  return guest
}

async function count(metrics: Metrics, message: string, outcome: string): Promise<number> {
  const label = `atoll_dhcp_messages_total{message="${message}",outcome="${outcome}"}`
  const line = (await metrics.render()).split('\n').find((text) => text.startsWith(label))
  return Number(line?.split(' ').at(-1) ?? 0)
}

const udhcpc = (...more: string[]) => [
  'busybox',
  'udhcpc',
  '-f',
  '-i',
  'eth0',
  '-s',
  script(),
  ...more,
]
const dhclient = (lease: string, ...more: string[]) => [
  ...['dhclient', '-4', '-d', '-cf', '/dev/null', '-sf', script()],
  ...['-lf', join(directory, lease), '-pf', join(directory, `${lease}.pid`), ...more, 'eth0'],
]

test('a reply has no checksum or a right one, as a client sees it that reads frames', async () => {
  const { dhcp } = serve()
  const guest = await guestOf()
  await dhcp.apply(passWith(one))
  await guest.must(['ip', 'link', 'set', 'eth0', 'up'])
  let seen = ''
  const watch = ['tcpdump', '-i', 'eth0', '-vv', '-n', '-l', '-c', '1', 'udp and src port 67']
  const tcpdump = guest.spawn(
    ['sh', '-c', `exec ${watch.map((word) => `'${word}'`).join(' ')} 2>&1`],
    (text) => {
      seen += text
    },
  )
  await eventually('tcpdump listens', () => seen.includes('listening on'))
  await guest.must(udhcpc('-q', '-n'))
  await eventually('a reply is seen', () => tcpdump.exitCode === 0)
  expect(seen).toMatch(/\[(no cksum|udp sum ok)\]/)
})

describe('udhcpc', () => {
  test.each([
    ['by unicast', []],
    ['by broadcast', ['-B']],
  ])('gets the recorded address and all that goes with it, %s', async (_way, flags) => {
    const { dhcp } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    const { exitCode, stderr } = await guest.run(
      udhcpc('-q', '-n', '-O', 'mtu', '-O', 'staticroutes', ...flags),
    )
    expect(exitCode, stderr).toBe(0)
    expect(await told()).toContain(`bound ${spec.ip}`)
    const env = await environment('bound')
    for (const line of [
      `serverid=${spec.gateway}`,
      `router=${spec.gateway}`,
      `dns=${spec.gateway} 169.254.169.253`,
      'domain=atoll.internal',
      `hostname=${one.hostname}`,
      'mtu=1400',
      `lease=${LEASE_SECONDS}`,
      'mask=20',
      `staticroutes=0.0.0.0/0 ${spec.gateway}`,
    ])
      expect(env).toContain(line)
  })

  test('renews, and releases its address', async () => {
    const { dhcp, metrics } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    const client = guest.spawn(udhcpc())
    await eventually('bound', async () => (await told()).includes(`bound ${spec.ip}`))
    const before = await count(metrics, 'request', 'ack')
    client.kill('SIGUSR1')
    await eventually('renewed', async () => (await told()).includes(`renew ${spec.ip}`))
    expect(await count(metrics, 'request', 'ack')).toBeGreaterThan(before)
    client.kill('SIGUSR2')
    await eventually('release', async () => (await count(metrics, 'release', 'noted')) === 1)
  })

  test('is answered again when its link was made again', async () => {
    const { dhcp } = serve()
    const first = await guestOf()
    await dhcp.apply(passWith(one))
    await first.must(udhcpc('-q', '-n'))
    // As when a container restarts: its namespace dies, and the link with it.
    await first.destroy()
    await eventually('link gone', async () => (await host.nics()).length === 0)
    const second = await createNetns('guest')
    guests.push(second)
    await attachGuest(host, one, second)
    await dhcp.apply(passWith(one))
    await second.must(udhcpc('-q', '-n'))
  })
})

describe('dhclient', () => {
  test('gets the recorded address', async () => {
    const { dhcp } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await guest.must(dhclient('first', '-1', '-sf', script()).filter((word) => word !== '-d'))
    expect(await told()).toContain(`BOUND ${spec.ip}`)
    expect(await environment('BOUND')).toContain(`new_dhcp_server_identifier=${spec.gateway}`)
    await guest.run(dhclient('first', '-x'))
  })

  test('that remembers another address gets a NAK, and then the right one', async () => {
    const { dhcp, metrics } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await writeFile(
      join(directory, 'stale'),
      `lease {
  interface "eth0";
  fixed-address 172.31.0.99;
  option subnet-mask 255.255.240.0;
  option dhcp-server-identifier 172.31.0.1;
  renew never;
  rebind never;
  expire never;
}
`,
    )
    guest.spawn(dhclient('stale'))
    await eventually('bound', async () => (await told()).includes(`BOUND ${spec.ip}`), BACKOFF_MS)
    expect(await count(metrics, 'request', 'nak')).toBeGreaterThan(0)
  })

  test('rebinds by broadcast when its unicasts do not arrive', async () => {
    // The shortest lease in which dhclient, told to be quick, tries again between T2 (10 s) and the
    // end.
    const { dhcp } = serve(12)
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await hostSpace.must(['nft', '-f', '-'], {
      stdin: `table ip rebind { chain c { type filter hook input priority 0; ip daddr ${spec.gateway} udp dport 67 drop; }; }`,
    })
    const settings = join(directory, 'quick.conf')
    await writeFile(settings, 'initial-interval 1;\nbackoff-cutoff 1;\n')
    guest.spawn(dhclient('rebind', '-cf', settings))
    // dhclient calls its script with RENEW for either; no unicast can have done it.
    await eventually('rebound', async () => (await told()).includes(`RENEW ${spec.ip}`), BACKOFF_MS)
  })
})

/**
 * Python: asks by broadcast until it is answered, wants the answer by broadcast, and prints where
 * that came from. A link that has just come up may drop the first one.
 */
const ASK_BY_BROADCAST = `
import socket, sys
client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
client.bind(("0.0.0.0", 68))
client.settimeout(1)
mac = bytes.fromhex(sys.argv[1].replace(":", ""))
header = bytes.fromhex("01010600" "12345678" "0000" "8000") + bytes(16) + mac + bytes(202)
for _ in range(20):
    client.sendto(header + bytes.fromhex("63825363" "350101" "ff"), ("255.255.255.255", 67))
    try:
        print(client.recvfrom(2000)[1][0], end="")
        break
    except TimeoutError: pass
`

describe('the service', () => {
  test('a broadcast reply has the source that it names as server, whatever other addresses the host has', async () => {
    const { dhcp } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await guest.must(['ip', 'link', 'set', 'eth0', 'up'])
    const from = await guest.must(['python3', '-c', ASK_BY_BROADCAST, spec.mac])
    expect(from).toBe(spec.gateway)
  })

  test('a link that is missing keeps no other from being served', async () => {
    const { dhcp } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(instance(6), one, instance(8)))
    await guest.must(udhcpc('-q', '-n'))
  })

  test('a daemon that knows nothing answers a renewal of a lease it never gave', async () => {
    const before = serve()
    const guest = await guestOf()
    await before.dhcp.apply(passWith(one))
    const client = guest.spawn(udhcpc())
    await eventually('bound', async () => (await told()).includes(`bound ${spec.ip}`))
    await before.dhcp.close()
    const after = serve()
    await after.dhcp.apply(passWith(one))
    client.kill('SIGUSR1')
    await eventually('renewed', async () => (await told()).includes(`renew ${spec.ip}`))
  })

  test('an instance that is no longer wanted is no longer answered', async () => {
    const { dhcp } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await dhcp.apply(passWith())
    expect((await guest.run(udhcpc('-q', '-n', '-t', '1', '-T', '1'))).exitCode).not.toBe(0)
  })

  test('a flood costs the guest its own service until the next pass, and nobody else anything', async () => {
    const { dhcp, metrics } = serve()
    const guest = await guestOf()
    await dhcp.apply(passWith(one))
    await guest.must(['ip', 'addr', 'add', `${spec.ip}/20`, 'dev', 'eth0'])
    await guest.must([
      'python3',
      '-c',
      `import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(20000):
    try: s.sendto(b"x" * 300, ("${spec.gateway}", 67))
    except OSError: pass`,
    ])
    await eventually('closed', async () => (await count(metrics, 'unknown', 'flood')) === 1)
    await dhcp.apply(passWith(one))
    await eventually('served again', async () => {
      return (await guest.run(udhcpc('-q', '-n', '-t', '2', '-T', '1'))).exitCode === 0
    })
  })
})
