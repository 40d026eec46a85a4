/** Drills that take engines away: one node of a kind, or all of them. */
import { setTimeout as delay } from 'node:timers/promises'
import { until } from '../lab/run.ts'
import { describe, launch } from './api.ts'
import { callersOf } from './api-load.ts'
import { cpuShare } from './cpu.ts'
import type { Drill, DrillContext } from './drill.ts'

const HOLD_MS = 8000
const AWAY_MS = 12_000
const CPU_WINDOW_MS = 8000
const CPU_LIMIT_PERCENT = 5
const LAUNCH_MS = 60_000
/** After this time since the fault, every read must come from a replica. */
const SETTLE_MS = 5000

async function killNode(context: DrillContext, service: string): Promise<void> {
  const { lab, fault, healed, progress } = context
  fault()
  await lab.host('h1').service(service).kill()
  await delay(HOLD_MS)
  await launchWhileAway(context)
  progress(`${service} on h1 is started`)
  await lab.host('h1').service(service).start()
  healed()
}

/** Launches one instance on each host, and waits until all run. */
async function launchWhileAway({ list, image, figure, lab }: DrillContext): Promise<void> {
  const began = performance.now()
  const count = lab.hosts.length
  const ids = new Set(await launch(list, image, count, `away-${Date.now()}`))
  await until('the launched instances run', LAUNCH_MS, async () => {
    const mine = (await describe(list)).filter(({ InstanceId = '' }) => ids.has(InstanceId))
    return mine.length === count && mine.every((one) => one.State?.Name === 'running') ? true : null
  })
  figure({
    label: `${count} instances launched meanwhile run`,
    value: performance.now() - began,
    unit: 'ms',
  })
}

export const dbNodeLoss: Drill = {
  name: 'db-node-loss',
  about: 'the MariaDB node on h1, which every host prefers, is killed and comes back after a while',
  answer:
    'The daemons go to the next node in their list within a second. Galera excludes the dead node after one more. A transaction that was under way is repeated. When the node is back, it gets what it missed from another node and is used again.',
  holdsApi: true,
  run: (context) => killNode(context, 'mariadb'),
}

export const busNodeLoss: Drill = {
  name: 'bus-node-loss',
  about:
    'the RabbitMQ node on h1, which every host prefers, is killed and comes back after a while',
  answer:
    'The daemons connect to the next node in their list. A lost message costs only a delay, because every host also looks at the records every ten seconds.',
  holdsApi: true,
  run: (context) => killNode(context, 'rabbitmq'),
}

export const busAllLoss: Drill = {
  name: 'bus-all-loss',
  about: 'all RabbitMQ nodes are killed, and come back after a while',
  answer:
    'Hosts cannot wake each other. They find changes when they next look at the records, every ten seconds, so launches take up to that much longer. Questions between hosts, such as console output, get no answer until a broker is back.',
  holdsApi: false,
  async run(context) {
    const { lab, fault, healed, progress } = context
    const nodes = lab.hosts.filter(({ hasEngines }) => hasEngines)
    fault()
    await Promise.all(nodes.map((host) => host.service('rabbitmq').kill()))
    await delay(2000)
    await launchWhileAway(context)
    progress('the brokers are started')
    await Promise.all(nodes.map((host) => host.service('rabbitmq').start()))
    healed()
  },
}

export const dbAllLoss: Drill = {
  name: 'db-all-loss',
  about: 'all MariaDB nodes are killed at once, and come back after a while',
  answer:
    "Running instances go on: each host has what DHCP, DNS, metadata, NAT and groups need. API reads are answered from each host's copy of the records, with its time (x-atoll-records-as-of); writes get 503. When the nodes are back, they find out by themselves which of them has the latest commit.",
  holdsApi: false,
  async run(context) {
    const { lab, fault, healed, progress, api, figure } = context
    const nodes = lab.hosts.filter(({ hasEngines }) => hasEngines)
    fault()
    const faultAt = performance.now()
    await Promise.all(nodes.map((host) => host.service('mariadb').kill()))
    await delay(AWAY_MS)
    const to = performance.now()
    const during = lab.hosts.flatMap(({ name }) => [
      ...callersOf(api, 'read', name),
      ...callersOf(api, 'write', name),
    ])
    const calls = during.flatMap(({ kind, calls }) =>
      calls
        .filter(({ at, endedAt }) => at >= faultAt + SETTLE_MS && endedAt <= to)
        .map((call) => ({ ...call, kind })),
    )
    const reads = calls.filter(({ kind }) => kind === 'read')
    const writes = calls.filter(({ kind }) => kind === 'write')
    const count = (label: string, value: number, limit?: number) =>
      figure({ label, value, unit: '', ...(limit === undefined ? {} : { limit }) })
    count('reads from copies', reads.filter(({ ok, stale }) => ok && stale).length)
    count(
      'reads that failed or did not say of what time',
      reads.filter(({ ok, stale }) => !(ok && stale)).length,
      0,
    )
    count('writes refused with 503', writes.filter(({ status }) => status === 503).length)
    count('writes with another end', writes.filter(({ status }) => status !== 503).length, 0)
    const names = lab.hosts.map(({ name }) => name)
    const share = await api.paused(() => cpuShare(lab, names, CPU_WINDOW_MS))
    figure({
      label: 'CPU of the busiest atolld',
      value: share,
      unit: '%',
      limit: CPU_LIMIT_PERCENT,
    })
    progress('the databases are started')
    await Promise.all(nodes.map((host) => host.service('mariadb').start()))
    healed()
  },
}
