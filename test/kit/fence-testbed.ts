/**
 * Hosts with a process `fence` each, on one segment, and an instance on each, which is a program of
 * a user of its own behind a link. It sends a packet every 10 ms to a witness, by another link than
 * the hosts use among each other.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { setPriority, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { openFenceFiles } from '../../src/fence/files.ts'
import { bootId, loadBootClock } from '../../src/host/boot-clock.ts'
import { nextTurn, systemClock } from '../../src/lib/clock.ts'
import { deriveKey } from '../../src/lib/key-derivation.ts'
import { type Ipv4, ipv4 } from '../../src/model/addr.ts'
import type { Guarded } from '../../src/model/guarded.ts'
import { type HostName, parseHostName, parseId } from '../../src/model/ids.ts'
import { PERMISSION_TABLE as TABLE } from '../../src/model/names.ts'
import { FenceLink } from '../../src/parts/fence-link.ts'
import { fenceDirectory } from '../../src/parts/fence-places.ts'
import type { Membership } from '../../src/plan/failover/membership.ts'
import { type FailoverSettings, failoverTimes } from '../../src/plan/failover/times.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { createNetns, type Netns } from '../../tools/kit/netns.ts'
import { readUnit, rightsOf } from './systemd-unit.ts'

const DAEMON = resolve(import.meta.dirname, '../../bin/atolld')
const PORT = 8772
const WITNESS_PORT = 9000
const FIRST_USER = 1_877_000_000
/** Sends what it is called, and when it does, to an address, every 10 ms. */
const BEACON = `
use Socket; use Time::HiRes qw(clock_gettime);
my ($address, $text) = @ARGV;
socket(my $socket, PF_INET, SOCK_DGRAM, 0);
my $to = pack_sockaddr_in(${WITNESS_PORT}, inet_aton($address));
while (1) { send($socket, sprintf('%s %.3f', $text, clock_gettime(7) * 1000), 0, $to); select(undef, undef, undef, 0.01); }
`

/** One of them. */
export interface FencedHost {
  readonly name: HostName
  readonly netns: Netns
  readonly link: FenceLink
  readonly guarded: Guarded
  /** When the watchdog has fired, by the machine's clock; null: it has not. */
  firedAtMs: number | null
  /** Whether the watchdog is connected to. */
  isArmed: boolean
  readonly process: () => ChildProcess
  /** When its packets that have come were sent, by the machine's clock. */
  readonly packets: number[]
  /** Its instance, which was started last. */
  readonly program: () => ChildProcess
  /** Starts its instance. */
  run(): void
  /** Starts another process; the one before must have ended. */
  restart(): void
  /** When its permission ends by what the process has kept. */
  readonly untilMs: () => number
  /** The packets that its kernel has dropped for want of permission. */
  muted(): Promise<string>
  /** Takes it off the network of the hosts, or back. */
  cut(isCut: boolean): Promise<void>
}

export interface FenceTestbed {
  readonly hosts: readonly FencedHost[]
  readonly membership: Membership
  readonly nowMs: () => number
  close(): Promise<void>
}

/** Three hosts, of which each knows the others, and whose processes have just been started. */
export async function openFenceTestbed(settings: FailoverSettings): Promise<FenceTestbed> {
  const directory = mkdtempSync(join(tmpdir(), 'fence-'))
  const nowMs = loadBootClock()
  const wire = await createNetns('fence-wire')
  await wire.must(['ip', 'link', 'add', 'br0', 'up', 'type', 'bridge'])
  const names = ['a', 'b', 'c'].flatMap((name) => parseHostName(name) ?? [])
  const membership = { version: 1, members: names }
  const addresses = new Map(
    names.map((name, index) => [name, ipv4(`10.9.0.${index + 1}`)] as const),
  )
  const shared = { directory, nowMs, wire, membership, addresses, settings }
  const hosts: (FencedHost & { readonly close: () => Promise<void> })[] = []
  for (const [index, name] of names.entries()) hosts.push(await openHost(shared, name, index))
  const leave = wire.enter()
  const witness = createSocket('udp4')
  witness.bind(WITNESS_PORT)
  await once(witness, 'listening')
  leave()
  witness.on('message', (text) => {
    const [from, sentAtMs] = text.toString().split(' ')
    hosts.find(({ name }) => name === from)?.packets.push(Number(sentAtMs))
  })
  return {
    ...{ hosts, membership, nowMs },
    async close() {
      for (const host of hosts) await host.close()
      witness.close()
      await wire.destroy()
      rmSync(directory, { recursive: true, force: true })
    },
  }
}

interface Shared {
  readonly directory: string
  readonly nowMs: () => number
  readonly wire: Netns
  readonly membership: Membership
  readonly addresses: ReadonlyMap<HostName, Ipv4>
  readonly settings: FailoverSettings
}

async function openHost(shared: Shared, name: HostName, index: number) {
  const { directory: root, nowMs, wire, membership, addresses, settings } = shared
  const directory = fenceDirectory(join(root, name))
  mkdirSync(directory, { recursive: true })
  const netns = await createNetns(`fence-${name}`)
  const guest = await createNetns(`fence-guest-${name}`)
  const link = `at-h0000000000${index}`
  await connectHost({ wire, netns, guest, link, name, index, address: addresses.get(name) ?? '' })
  const watchdog = join(root, `${name}.watchdog`)
  const times = failoverTimes(settings)
  let fence = spawnFence(netns, directory)
  const user = FIRST_USER + index
  let program: ChildProcess | null = null
  const instance = parseId('i', `i-0000000000000000${index}`)
  if (instance === undefined) throw new Error('no id')
  const host = {
    ...{ name, netns, firedAtMs: null as number | null, isArmed: false },
    packets: [] as number[],
    process: () => fence,
    guarded: {
      ...{ instance, user, containers: [], addresses: [] },
      links: [{ name: link, network: null }],
    },
    link: new FenceLink({
      ...{ directory, times, nowMs, clock: systemClock, log: silentLog },
      orders: {
        ...{ build: 'test', host: name, port: PORT, watchdog: `unix:${watchdog}`, settings },
        address: addresses.get(name) ?? ipv4('127.0.0.1'),
        key: deriveKey('a secret of the test', 'failover', 32).toString('base64'),
      },
      lost: () => undefined,
      kill: () => undefined,
    }),
    run: () => {
      const argv = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups']
      const beacon = ['perl', '-e', BEACON, `10.8.${index}.1`, name]
      program = guest.spawn([...argv, ...beacon])
    },
    program: () => {
      if (program === null) throw new Error('it was never started')
      return program
    },
    restart: () => {
      fence = spawnFence(netns, directory)
    },
    untilMs: () => {
      const kept = openFenceFiles(directory).readPermission(bootId())
      return (kept?.grantedAtMs ?? Number.NEGATIVE_INFINITY) + times.permissionMs
    },
    muted: async () => await netns.must(['nft', 'list', 'counter', 'inet', TABLE, 'muted']),
    cut: async (isCut: boolean) => {
      await wire.must(['ip', 'link', 'set', `f-${name}`, isCut ? 'down' : 'up'])
    },
    close: async () => {
      host.link.close()
      fence.kill('SIGKILL')
      dog.close()
      await guest.destroy()
      await netns.destroy()
    },
  }
  const dog = await openDog(watchdog, times.watchdogMs, host, nowMs)
  host.link.order({ membership, addresses })
  host.link.begin()
  return host
}

/** With the capabilities that its unit leaves it, and at its priority. */
function spawnFence(netns: Netns, directory: string): ChildProcess {
  const unit = readUnit('atolld-fence.service')
  const argv = ['setpriv', ...rightsOf(unit), DAEMON, '--part', 'fence']
  const fence = spawn('nsenter', ['--net', `--target=${netns.pid}`, '--', ...argv], {
    ...{ cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] },
  })
  if (fence.pid !== undefined) setPriority(fence.pid, Number(unit.value('Nice')))
  return fence
}

/** The other end of a watchdog, which would reset the machine. */
async function openDog(
  path: string,
  timeoutMs: number,
  host: { firedAtMs: number | null; isArmed: boolean },
  nowMs: () => number,
): Promise<Server> {
  const server = createServer((socket) => {
    let isDisarmed = false
    let feedings = 0
    const fire = () => {
      if (!isDisarmed) host.firedAtMs ??= nowMs()
    }
    // What has come while this process did not run counts.
    const late = async (since: number) => {
      await nextTurn()
      if (feedings === since) fire()
    }
    const watch = () => systemClock.after(timeoutMs, () => void late(feedings))
    host.isArmed = true
    let cancel = watch()
    socket.on('data', (bytes) => {
      cancel()
      feedings += 1
      isDisarmed = bytes.at(-1) === 'V'.charCodeAt(0)
      if (!isDisarmed) cancel = watch()
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      host.isArmed = false
      cancel()
      fire()
    })
  })
  server.listen(path)
  await once(server, 'listening')
  return server
}

async function connectHost(place: {
  readonly wire: Netns
  readonly netns: Netns
  readonly guest: Netns
  readonly link: string
  readonly name: HostName
  readonly index: number
  readonly address: string
}): Promise<void> {
  const { wire, netns, guest, link, name, index, address } = place
  const script = (at: Netns, lines: readonly string[]) => at.must(['sh', '-ec', lines.join('\n')])
  await script(wire, [
    `ip link add f-${name} master br0 up type veth peer name fabric netns ${netns.pid}`,
    `ip link add u-${name} type veth peer name uplink netns ${netns.pid}`,
    `ip address add 10.8.${index}.1/24 dev u-${name}`,
    `ip link set u-${name} up`,
  ])
  await script(netns, [
    'echo 1 > /proc/sys/net/ipv4/ip_forward',
    `ip address add ${address}/24 dev fabric`,
    `ip address add 10.8.${index}.2/24 dev uplink`,
    'ip link set fabric up; ip link set uplink up',
    `ip link add ${link} type veth peer name eth0 netns ${guest.pid}`,
    `ip address add 10.7.${index}.1/24 dev ${link}; ip link set ${link} up`,
  ])
  await script(guest, [
    `ip address add 10.7.${index}.2/24 dev eth0; ip link set eth0 up`,
    `ip route add default via 10.7.${index}.1`,
  ])
  await script(wire, [`ip route add 10.7.${index}.0/24 via 10.8.${index}.2`])
}
