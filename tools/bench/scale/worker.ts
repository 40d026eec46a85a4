/**
 * A process with simulated hosts, controlled over its IPC channel: one request and one reply at a
 * time.
 *
 * `worker-client.ts` starts it, and kills it when the hosts have been measured.
 */
import type { Log } from '../../../src/lib/log.ts'
import { messageOf } from '../../../src/model/errors.ts'
import { type ScaleEnvironment, type SimulatedHost, startSimulatedHost } from './host.ts'
import { type Launched, type Load, makeVpcs, registerSample, storm, stream } from './launches.ts'

/** Hosts that start at the same time. */
const STARTING = 20

/** The requests to the process, and their answers. */
export interface Requests {
  readonly start: {
    readonly ask: {
      readonly environment: ScaleEnvironment
      readonly from: number
      readonly count: number
    }
    readonly answer: null
  }
  readonly figures: { readonly ask: null; readonly answer: Figures }
  readonly register: { readonly ask: null; readonly answer: string }
  /** Creates this many VPCs, and returns their subnets. */
  readonly vpcs: { readonly ask: number; readonly answer: readonly string[] }
  readonly storm: {
    readonly ask: { readonly load: Load; readonly count: number; readonly width: number }
    readonly answer: Launched
  }
  readonly stream: {
    readonly ask: { readonly load: Load; readonly perSecond: number; readonly seconds: number }
    readonly answer: Launched
  }
}

/** The state of the process and its hosts. */
export interface Figures {
  readonly rssBytes: number
  /** After a garbage collection. */
  readonly heapBytes: number
  readonly cpuMs: number
  /** Bells to other hosts that its hosts have sent. */
  readonly bells: number
  /** Hosts with a valid lease, as far as they know. */
  readonly held: number
  /** Number of warnings, by message. */
  readonly warnings: Readonly<Record<string, number>>
}

const hosts: SimulatedHost[] = []
const warnings: Record<string, number> = {}

const countingLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: count,
  error: count,
  child: () => countingLog,
}

function count(fields: object, message: string): void {
  const line = 'error' in fields ? `${message}: ${messageOf(fields.error)}` : message
  warnings[line] = (warnings[line] ?? 0) + 1
}

type Answers = {
  readonly [K in keyof Requests]: (ask: Requests[K]['ask']) => Promise<Requests[K]['answer']>
}

const answers: Answers = {
  async start({ environment, from, count: size }) {
    let next = 0
    const work = async () => {
      while (next < size) {
        const number = from + next++
        hosts.push(await startSimulatedHost(environment, number, countingLog))
      }
    }
    await Promise.all(Array.from({ length: STARTING }, work))
    return null
  },
  async figures() {
    globalThis.gc?.()
    const { rss, heapUsed } = process.memoryUsage()
    const { user, system } = process.cpuUsage()
    const bells = await Promise.all(hosts.map((host) => host.bells()))
    return {
      rssBytes: rss,
      heapBytes: heapUsed,
      cpuMs: (user + system) / 1000,
      bells: bells.reduce((sum, one) => sum + one, 0),
      held: hosts.filter((host) => host.held()).length,
      warnings,
    }
  },
  register: () => registerSample(first()),
  vpcs: (count) => makeVpcs(first(), count),
  storm: ({ load, count: size, width }) => storm(apis(), load, size, width),
  stream: ({ load, perSecond, seconds }) => stream(apis(), load, perSecond, seconds),
}

function first() {
  const [one] = apis()
  if (one === undefined) throw new RangeError('there is no host')
  return one
}

function apis() {
  return hosts.map(({ api }) => api)
}

async function answer(message: unknown): Promise<void> {
  const { kind, ask } = message as { readonly kind: keyof Requests; readonly ask: never }
  try {
    process.send?.({ answer: await answers[kind](ask) })
  } catch (error) {
    process.send?.({ failed: messageOf(error) })
  }
}

process.on('message', (message) => void answer(message))
process.on('disconnect', () => process.exit(0))
