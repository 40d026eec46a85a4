/**
 * Our resolver alone, as a process of its own, for the benchmark `dns`: `server.ts SETTINGS`, which
 * is JSON (`ServerSettings`). It says `ready` once it listens.
 *
 * Each line on its input changes the address of one name and is answered by `changed`, or with
 * `memory` by the resident bytes.
 */
import { createInterface } from 'node:readline'
import { loadLibc, SO_REUSEADDR } from '../../../src/host/libc.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { type Ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import { formatId } from '../../../src/model/ids.ts'
import type { InstanceWant, SharedWant } from '../../../src/model/want.ts'
import { withEdits } from '../../../src/parts/name-edits.ts'
import { createDns } from '../../../src/services/dns/dns.ts'
import { hostWant, instance } from '../../kit/instance.ts'
import { silentLog } from '../../kit/log.ts'
import { nameOf, VPC_CIDR, wantedNames, ZONE } from './names.ts'

export interface ServerSettings {
  readonly names: number
  /** Where it forwards to. */
  readonly forwarder: string
  /** Who asks. */
  readonly askers: readonly Ipv4[]
}

/** SO_REUSEPORT of socket(7): several processes listen at one address. */
const SO_REUSEPORT = 15
const VPC = formatId('vpc', Buffer.alloc(9, 1))
const NO_LIMIT = 1e9

const { names, forwarder, askers } = JSON.parse(process.argv[2] ?? '{}') as ServerSettings
const libc = loadLibc()
const service = createDns({
  settings: {
    zone: ZONE,
    forwarders: [forwarder],
    timeoutMs: 1_000,
    ttlSeconds: 30,
    forwardLocal: false,
    cacheEntries: 10_000,
    maxOutstanding: 1_024,
  },
  // One asker stands for many: the limits of one instance are not what is measured.
  limits: {
    queriesPerSecond: NO_LIMIT,
    questionsPerSecond: NO_LIMIT,
    questionsPerSecondOfAll: NO_LIMIT,
    maxOutstandingPerSource: 1_024,
  },
  metrics: createMetrics(),
  log: silentLog,
  clock: systemClock,
  sockets: {
    async bindUdp(socket, address, port) {
      const fd = libc.udpSocket()
      libc.setSocketFlag(fd, SO_REUSEPORT, 1)
      libc.bind(fd, address, port)
      await new Promise<void>((done) => socket.bind({ fd }, done))
      return fd
    },
    async listenTcp(server, address, port) {
      const fd = libc.tcpSocket()
      libc.setSocketFlag(fd, SO_REUSEADDR, 1)
      libc.setSocketFlag(fd, SO_REUSEPORT, 1)
      libc.bind(fd, address, port)
      await new Promise<void>((done) => server.listen({ fd }, done))
    },
  },
})
const shared = {
  ...hostWant().shared,
  vpcs: [{ id: VPC, cidr: VPC_CIDR }],
}

async function apply(list: SharedWant['names']): Promise<void> {
  const { local } = hostWant(...askers.map(askerAt))
  const want = { local, shared: { ...shared, names: list } }
  await service.apply({
    ...{ want, resync: false, log: silentLog },
    signal: new AbortController().signal,
  })
}

function askerAt(ip: Ipv4): InstanceWant {
  const made = instance(1)
  return { ...made, nics: made.nics.map((nic) => ({ ...nic, ip })) }
}

let list = wantedNames(names)
await apply(list)
process.stdout.write('ready\n')
let changes = 0
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'memory') process.stdout.write(`${process.memoryUsage().rss}\n`)
  else {
    changes += 1
    const at = (changes * 7919) % names
    // As the process of services does with what the agent tells it.
    const added = [{ ...nameOf(at), ip: ipv4FromNumber(changes), primary: true }]
    list = withEdits(list, [{ at, removed: 1, added }]) ?? list
    await apply(list)
    process.stdout.write('changed\n')
  }
}
process.exit(0)
