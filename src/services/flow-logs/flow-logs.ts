/**
 * Flow logs of NICs in one network namespace.
 *
 * - Its part of want: `flowLogs` of every NIC of `local.instances`. What is refused the firewall
 *   collects (`plan/flow-log-rules.ts`).
 * - A fresh daemon begins new intervals with what it sees from then on. One that is stopped hands
 *   over what it has; one that is killed loses that.
 * - If we die on any line here, what is written stays, and nothing is written twice.
 *
 * It reads the kernel every few seconds while there are flow logs. Packets never wait for it, and
 * it never waits for what writes (`writer.ts`).
 */
import type { NamespaceHost } from '../../host/host.ts'
import type { Clock } from '../../lib/clock.ts'
import type { Log } from '../../lib/log.ts'
import type { Counter, Metrics } from '../../lib/metrics.ts'
import type { Ipv4 } from '../../model/addr.ts'
import type { FlowLogWant, FlowRecordOwner } from '../../model/flow-log.ts'
import type { FlowLogId } from '../../model/ids.ts'
import { nicLinkName } from '../../model/names.ts'
import { addressesOf, type HostWant } from '../../model/want.ts'
import type { HostService } from '../service.ts'
import { createAcceptedReader } from './accepted.ts'
import { createInterval, type Interval, type Moment } from './intervals.ts'
import { createRefusedReader } from './refused.ts'
import type { Batch } from './sinks.ts'
import { FLOW_LOG_ERRORS, type FlowLogOutput } from './writer.ts'

/** Less than the kernel keeps the entry of an ended connection (`plan/budgets.ts`). */
const READ_EVERY_MS = 5_000

/** A NIC with flow logs. */
interface LoggedNic {
  readonly owner: FlowRecordOwner
  readonly addresses: readonly Ipv4[]
  readonly link: string
  readonly logs: readonly FlowLogWant[]
}

interface Running {
  readonly log: FlowLogWant
  readonly interval: Interval
}

export interface FlowLogOptions {
  readonly host: Pick<NamespaceHost, 'flowTraffic' | 'elementCounters'>
  readonly clock: Pick<Clock, 'now' | 'monotonic' | 'after'>
  readonly log: Log
  readonly metrics: Metrics
  readonly output: FlowLogOutput
}

/** The service. */
export function createFlowLogs(options: FlowLogOptions): HostService {
  const recorder = new Recorder(options)
  let last: HostWant | null = null
  return {
    name: 'flow-logs',
    gate: false,
    apply: async ({ want }) => {
      if (want !== last) recorder.follow(loggedNics(want))
      last = want
      return []
    },
    close: () => recorder.close(),
  }
}

/** Reads the kernel again and again, from when there is a flow log until there is none. */
interface Reading {
  readonly accepted: ReturnType<typeof createAcceptedReader>
  readonly refused: ReturnType<typeof createRefusedReader>
  stop: () => void
}

class Recorder {
  readonly #options: FlowLogOptions
  readonly #running = new Map<FlowLogId, Running>()
  readonly #failures: Counter<string>
  #nics: readonly LoggedNic[] = []
  #reading: Reading | null = null
  #looking: Promise<void> = Promise.resolve()

  constructor(options: FlowLogOptions) {
    this.#options = options
    this.#failures = options.metrics.counter(
      FLOW_LOG_ERRORS.name,
      FLOW_LOG_ERRORS.help,
      FLOW_LOG_ERRORS.labels,
    )
  }

  follow(nics: readonly LoggedNic[]): void {
    this.#nics = nics
    const now = this.#now()
    const logs = new Map(nics.flatMap((nic) => nic.logs.map((log) => [log.id, log] as const)))
    for (const [id, { log, interval }] of this.#running) {
      if (logs.has(id)) continue
      this.#running.delete(id)
      this.#hand(log, interval.end(now))
    }
    for (const [id, log] of logs) {
      const known = this.#running.get(id)
      const interval = known?.interval ?? createInterval(log, this.#options.output.room, now)
      interval.follow(
        nics.flatMap(({ owner, logs }) => (logs.some((one) => one.id === id) ? owner : [])),
      )
      this.#running.set(id, { log, interval })
    }
    if (this.#running.size === 0) this.#stop()
    else if (this.#reading === null) this.#start()
  }

  /** Hands over what there is. */
  async close(): Promise<void> {
    const last = this.#reading
    this.#stop()
    await this.#looking
    if (last !== null) await this.#read(last)
    for (const { log, interval } of this.#running.values())
      this.#hand(log, interval.end(this.#now()))
    this.#running.clear()
  }

  #now(): Moment {
    const { clock } = this.#options
    return {
      wall: Math.floor(clock.now() / 1000),
      monotonic: Math.floor(clock.monotonic() / 1000),
    }
  }

  /** From the first reading on, which is at once, connections have counters. */
  #start(): void {
    this.#reading = {
      accepted: createAcceptedReader(),
      refused: createRefusedReader(this.#options.host),
      stop: () => undefined,
    }
    this.#next(this.#reading, 0)
  }

  #stop(): void {
    this.#reading?.stop()
    this.#reading = null
  }

  #next(reading: Reading, ms: number): void {
    reading.stop = this.#options.clock.after(ms, () => {
      this.#looking = this.#looking
        .then(() => this.#look(reading))
        .finally(() => {
          if (this.#reading === reading) this.#next(reading, READ_EVERY_MS)
        })
    })
  }

  async #look(reading: Reading): Promise<void> {
    if (this.#reading !== reading) return
    await this.#read(reading)
    for (const { log, interval } of this.#running.values()) {
      const nics = interval.take(this.#now())
      if (nics !== null) this.#hand(log, nics)
    }
  }

  #hand(log: FlowLogWant, nics: Batch['nics']): void {
    if (nics.length > 0) this.#options.output.take({ log, nics, at: this.#options.clock.now() })
  }

  async #read({ accepted, refused }: Reading): Promise<void> {
    try {
      await this.#readAccepted(accepted)
      await this.#readRefused(refused)
    } catch (error) {
      this.#failures.inc({ what: 'read' })
      this.#options.log.warn({ error }, 'flow logs cannot be read')
    }
  }

  async #readAccepted(read: Reading['accepted']): Promise<void> {
    const flows = await this.#options.host.flowTraffic()
    const byIp = new Map(this.#nics.flatMap((nic) => nic.addresses.map((ip) => [ip, nic] as const)))
    const { wall } = this.#now()
    for (const { nic, ...seen } of read(flows, new Set(byIp.keys())))
      this.#see(byIp.get(nic), { ...seen, action: 'ACCEPT' }, wall)
  }

  async #readRefused(read: Reading['refused']): Promise<void> {
    const { refused, skipped } = await read()
    const byLink = new Map(this.#nics.map((nic) => [nic.link, nic]))
    const { wall } = this.#now()
    for (const { link, ...seen } of refused)
      this.#see(byLink.get(link), { ...seen, action: 'REJECT' }, wall)
    for (const link of skipped) {
      const nic = byLink.get(link)
      for (const log of nic?.logs ?? [])
        this.#running.get(log.id)?.interval.skip(nic?.owner.nic ?? '')
    }
  }

  #see(nic: LoggedNic | undefined, seen: Parameters<Interval['see']>[1], wall: number): void {
    for (const log of nic?.logs ?? [])
      this.#running.get(log.id)?.interval.see(nic?.owner.nic ?? '', seen, wall)
  }
}

function loggedNics({ local }: HostWant): readonly LoggedNic[] {
  return local.instances.flatMap(({ id: instance, account, nics }) =>
    nics.flatMap((nic) => {
      const { id, vpc, subnet, flowLogs: logs = [] } = nic
      if (logs.length === 0) return []
      const owner = { account, nic: id, vpc, subnet, instance }
      return [{ owner, addresses: addressesOf(nic), link: nicLinkName(id), logs }]
    }),
  )
}
