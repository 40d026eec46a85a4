/**
 * Flow logs of NICs in one network namespace.
 *
 * - Its part of want: `flowLogs` of every NIC of `local.instances`. What is refused the firewall
 *   collects (`plan/flow-log-rules.ts`).
 * - A fresh daemon begins new intervals: what the one before had not yet written is lost.
 * - If we die on any line here, written lines stay, and an interval has none.
 *
 * It reads the kernel every few seconds while there are flow logs. Packets never wait for it.
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
import { createInterval, type Interval } from './intervals.ts'
import { createRefusedReader } from './refused.ts'
import type { Batch } from './sinks.ts'

/** Less than the kernel keeps the entry of an ended connection (`plan/budgets.ts`). */
const READ_EVERY_MS = 5_000
/** Batches that wait for a destination that does not take them. The oldest go first. */
const WAITING_MAX = 20

/** A NIC with flow logs. */
interface LoggedNic {
  readonly owner: FlowRecordOwner
  readonly ip: Ipv4
  readonly link: string
  readonly logs: readonly FlowLogWant[]
}

interface Running {
  readonly log: FlowLogWant
  readonly interval: Interval
}

export interface FlowLogOptions {
  readonly host: Pick<NamespaceHost, 'flowTraffic' | 'elementCounters'>
  readonly clock: Pick<Clock, 'now' | 'after'>
  readonly log: Log
  readonly metrics: Metrics
  /** Writes lines. */
  readonly write: (batch: Batch) => Promise<void>
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

class Recorder {
  readonly #options: FlowLogOptions
  readonly #running = new Map<FlowLogId, Running>()
  readonly #accepted = createAcceptedReader()
  readonly #refused: ReturnType<typeof createRefusedReader>
  readonly #failures: Counter<string>
  #waiting: Batch[] = []
  #nics: readonly LoggedNic[] = []
  #stop: (() => void) | null = null
  #reading: Promise<void> = Promise.resolve()

  constructor(options: FlowLogOptions) {
    this.#options = options
    this.#refused = createRefusedReader(options.host)
    this.#failures = options.metrics.counter(
      'atoll_flow_log_errors_total',
      'Times flow logs could not be read (read) or written (write), or lines were lost (lost)',
      ['what'],
    )
  }

  follow(nics: readonly LoggedNic[]): void {
    this.#nics = nics
    const logs = new Map(nics.flatMap((nic) => nic.logs.map((log) => [log.id, log] as const)))
    for (const id of this.#running.keys()) if (!logs.has(id)) this.#running.delete(id)
    for (const [id, log] of logs) {
      const known = this.#running.get(id)
      const interval = known?.interval ?? createInterval(log, this.#now())
      interval.follow(
        nics.flatMap(({ owner, logs }) => (logs.some((l) => l.id === id) ? owner : [])),
      )
      this.#running.set(id, { log, interval })
    }
    if (this.#running.size > 0 && this.#stop === null) this.#next()
    if (this.#running.size === 0) this.#pause()
  }

  async close(): Promise<void> {
    this.#pause()
    await this.#reading
  }

  #now(): number {
    return Math.floor(this.#options.clock.now() / 1000)
  }

  #pause(): void {
    this.#stop?.()
    this.#stop = null
  }

  #next(): void {
    this.#stop = this.#options.clock.after(READ_EVERY_MS, () => {
      this.#reading = this.#look().finally(() => {
        if (this.#stop !== null) this.#next()
      })
    })
  }

  async #look(): Promise<void> {
    try {
      await this.#read()
    } catch (error) {
      this.#failures.inc({ what: 'read' })
      this.#options.log.warn({ error }, 'flow logs cannot be read')
    }
    for (const { log, interval } of this.#running.values()) {
      const nics = interval.take(this.#now())
      if (nics !== null) this.#waiting.push({ log, nics, at: this.#options.clock.now() })
    }
    await this.#write()
  }

  async #read(): Promise<void> {
    const { host } = this.#options
    const now = this.#now()
    const byIp = new Map(
      this.#nics.flatMap((nic) => addressesOf(nic).map((ip) => [ip, nic] as const)),
    )
    const byLink = new Map(this.#nics.map((nic) => [nic.link, nic]))
    const flows = await host.flowTraffic()
    for (const { nic, ...seen } of this.#accepted(flows, new Set(byIp.keys())))
      this.#see(byIp.get(nic), { ...seen, action: 'ACCEPT' }, now)
    const { refused, skipped } = await this.#refused()
    for (const { link, ...seen } of refused)
      this.#see(byLink.get(link), { ...seen, action: 'REJECT' }, now)
    for (const link of skipped) {
      const nic = byLink.get(link)
      for (const log of nic?.logs ?? [])
        this.#running.get(log.id)?.interval.skip(nic?.owner.nic ?? '')
    }
  }

  #see(nic: LoggedNic | undefined, seen: Parameters<Interval['see']>[1], now: number): void {
    for (const log of nic?.logs ?? [])
      this.#running.get(log.id)?.interval.see(nic?.owner.nic ?? '', seen, now)
  }

  async #write(): Promise<void> {
    const waiting = this.#waiting
    this.#waiting = []
    for (const batch of waiting)
      try {
        await this.#options.write(batch)
      } catch (error) {
        this.#failures.inc({ what: 'write' })
        this.#options.log.warn({ error, flowLog: batch.log.id }, 'flow logs cannot be written')
        this.#waiting.push(batch)
      }
    const lost = this.#waiting.length - WAITING_MAX
    if (lost <= 0) return
    this.#failures.inc({ what: 'lost' }, lost)
    this.#waiting = this.#waiting.slice(lost)
  }
}

function loggedNics({ local }: HostWant): readonly LoggedNic[] {
  return local.instances.flatMap(({ id: instance, account, nics }) =>
    nics.flatMap(({ id: nic, ip, vpc, subnet, flowLogs = [] }) =>
      flowLogs.length === 0
        ? []
        : [
            {
              owner: { account, nic, vpc, subnet, instance },
              ...{ ip, link: nicLinkName(nic), logs: flowLogs },
            },
          ],
    ),
  )
}
