/** Flow logs: one, the NIC that it is about, and the service with a clock that the test holds. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Clock } from '../../src/lib/clock.ts'
import { createMetrics, type Metrics } from '../../src/lib/metrics.ts'
import { DEFAULT_FIELDS, type FlowLogWant, type FlowRecordOwner } from '../../src/model/flow-log.ts'
import type { HostWant, InstanceWant } from '../../src/model/want.ts'
import { createFlowLogs, type FlowLogOptions } from '../../src/services/flow-logs/flow-logs.ts'
import { createSink } from '../../src/services/flow-logs/sinks.ts'
import { createFlowLogWriter, type FlowLogOutput } from '../../src/services/flow-logs/writer.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { account, numbered } from './records.ts'
import { metricValue } from './testbed.ts'

export const OWNER: FlowRecordOwner = {
  account,
  nic: numbered('eni', 1),
  vpc: numbered('vpc', 1),
  subnet: numbered('subnet', 1),
  instance: numbered('i', 1),
}
export const LOG: FlowLogWant = {
  id: numbered('fl', 1),
  trafficType: 'ALL',
  destination: { kind: 'files', group: 'team/web' },
  fields: DEFAULT_FIELDS,
  aggregationSeconds: 60,
}

/** The want with these flow logs of all its NICs. */
export function withFlowLogs(want: HostWant, flowLogs: readonly FlowLogWant[]): HostWant {
  if (flowLogs.length === 0) return want
  const instances = want.local.instances.map((instance) => ({
    ...instance,
    nics: instance.nics.map((nic) => ({ ...nic, flowLogs })),
  }))
  return { ...want, local: { ...want.local, instances } }
}

/** Others use the machine, too. */
const DEADLINE_MS = 30_000

/** A clock whose timers run when the test says so. */
function steppedClock() {
  let nowMs = 1_700_000_000_000
  let due: (() => void)[] = []
  const clock: Pick<Clock, 'now' | 'monotonic' | 'after'> = {
    now: () => nowMs,
    monotonic: () => nowMs - 1_600_000_000_000,
    after: (_ms, run) => {
      due.push(run)
      return () => {
        due = due.filter((one) => one !== run)
      }
    },
  }
  return {
    clock,
    pending: () => due.length,
    step(ms: number) {
      nowMs += ms
      const now = due
      due = []
      for (const run of now) run()
    },
  }
}

/** The service of one host, which writes to files of its own. */
export interface FlowLogBed extends AsyncDisposable {
  readonly directory: string
  apply(want: HostWant): Promise<void>
  /** Lets it look once, this much later. */
  look(ms: number): Promise<void>
  /** The lines of the instance's first NIC; none before the first. */
  linesOf(instance: InstanceWant): Promise<readonly string[]>
  /** How many timers wait. */
  pending(): number
  /** Ends the service as the daemon does, and begins anew, as another one. */
  restart(): Promise<void>
}

/** The service, without a want. */
export async function openFlowLogs(host: FlowLogOptions['host']): Promise<FlowLogBed> {
  const directory = await mkdtemp(join(tmpdir(), 'atoll-flow-logs-'))
  const time = steppedClock()
  const { clock } = time
  const limits = { fileBytes: 1e8, totalBytes: 1e9, accountBytes: 1e9, buckets: null }
  const begin = () => {
    const metrics: Metrics = createMetrics()
    const sink = createSink({ directory, ...limits }, null, clock)
    const parts = { log: silentLog, metrics: metrics.share() }
    // The writer's own timers are for destinations that fail.
    const timers = { monotonic: clock.monotonic, after: () => () => undefined }
    const writer = createFlowLogWriter({ ...parts, sink, region: 'atoll-1', clock: timers })
    const output: FlowLogOutput = {
      room: writer.room,
      take: (batch) => {
        taken += batch.nics.reduce((sum, { lines }) => sum + lines.length, 0)
        writer.take(batch)
      },
    }
    return { metrics, writer, service: createFlowLogs({ ...parts, host, clock, output }) }
  }
  let taken = 0
  let running = begin()
  const wantedLines = async () =>
    (await metricValue(running.metrics, 'atoll_flow_log_records_total')) >= taken
  const end = async () => {
    await running.service.close()
    await running.writer.close()
  }
  return {
    directory,
    apply: async (want) => {
      const signal = new AbortController().signal
      await running.service.apply({ want, resync: false, signal, log: silentLog })
    },
    async look(ms) {
      time.step(ms)
      await eventually('it has looked', () => time.pending() > 0, DEADLINE_MS)
      await eventually('all is written', wantedLines, DEADLINE_MS)
    },
    async linesOf({ account: owner, nics: [nic] }) {
      const file = join(directory, owner, 'team/web', `${nic?.id}-all`)
      const text = await readFile(file, 'utf8').catch(() => '')
      return text.split('\n').filter((line) => line !== '')
    },
    pending: time.pending,
    async restart() {
      await end()
      taken = 0
      running = begin()
    },
    [Symbol.asyncDispose]: async () => {
      await end()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
