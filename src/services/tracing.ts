/**
 * This host's part of `atoll trace`: it looks out for one packet in its network namespaces, sends
 * it, and reports what rules did with it.
 *
 * One trace at a time, for a few seconds at most. The rule that traces it is in a table of its own,
 * which a daemon that was killed leaves behind and its successor removes (`plan/ruleset.ts`). Other
 * packets are only compared with one rule more meanwhile. Who asks may be another host: nothing is
 * sent but the packet that was announced, once, and on the link of a NIC or of the default route.
 */
import type { Host, NamespaceHost } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import { createQueue } from '../lib/queue.ts'
import type { Mac } from '../model/addr.ts'
import { unavailable } from '../model/errors.ts'
import { TRACE_TABLE } from '../model/names.ts'
import {
  type TraceAnswer,
  type TraceAsk,
  type TracedPacket,
  type TraceEvent,
  type TracePart,
  type TraceSending,
  traceAskSchema,
} from '../model/trace.ts'
import { removeTraceScript, TRACE_CHAIN, traceFrame, traceScript } from '../plan/trace-packet.ts'

/** Afterwards it ends without a report. */
const LONGEST_MS = 10_000
/** Most events that are kept of one namespace. */
const EVENTS_LIMIT = 80
/** Longest text of a rule: those with sets of many elements are longer. */
const RULE_LIMIT_CHARS = 300

interface Place {
  readonly network: number | null
  readonly host: NamespaceHost
  readonly events: HeardEvent[]
  readonly stop: () => void
}

interface HeardEvent extends TraceEvent {
  /** Monotonic. */
  readonly at: number
}

interface Trace {
  readonly packet: TracedPacket
  readonly places: Place[]
  readonly forget: () => void
  isSent: boolean
  ending?: Promise<void>
}

export interface TracingOptions {
  readonly host: Host
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly log: Log
}

/** A function that does what it is asked, by this host or another. */
export function createTracing(options: TracingOptions): (ask: TraceAsk) => Promise<TraceAnswer> {
  const tracing = new Tracing(options)
  const inTurn = createQueue()
  return async (asked) => {
    const ask = traceAskSchema.parse(asked)
    return await inTurn(async () => {
      if (ask.do === 'report') return { parts: await tracing.report(ask.packet) }
      if (ask.do === 'watch') await tracing.watch(ask.packet, ask.networks)
      else await tracing.send(ask.packet, ask.how)
      return { parts: [] }
    })
  }
}

class Tracing {
  readonly #options: TracingOptions
  #running: Trace | null = null

  constructor(options: TracingOptions) {
    this.#options = options
  }

  async watch(packet: TracedPacket, networks: readonly number[]): Promise<void> {
    if (this.#running !== null)
      throw unavailable('another trace runs on this host; try again in some seconds')
    const { host, clock } = this.#options
    const opened = [...new Set(networks)].flatMap((network) => {
      const found = host.vpcs.opened(network)
      return found === undefined ? [] : [{ network, host: found }]
    })
    const places: Place[] = []
    const trace: Trace = {
      ...{ packet, places, isSent: false },
      forget: clock.after(LONGEST_MS, () => void this.#end(trace)),
    }
    this.#running = trace
    try {
      for (const place of [{ network: null, host }, ...opened]) {
        const events: HeardEvent[] = []
        places.push({ ...place, events, stop: place.host.watchTrace(hear(events, clock)) })
        await place.host.applyRules(traceScript(packet))
      }
    } catch (error) {
      await this.#end(trace)
      throw error
    }
  }

  async send(packet: TracedPacket, how: TraceSending): Promise<void> {
    const trace = this.#traceOf(packet)
    if (trace.isSent) throw unavailable('the packet of this trace has been sent')
    trace.isSent = true
    const { host } = this.#options
    const place = how.network === null ? host : host.vpcs.opened(how.network)
    if (place === undefined) throw unavailable('the VPC has no network on this host')
    const link = how.link ?? (await host.surroundings()).defaultRoutes[0]?.link
    if (link === undefined) throw unavailable('this host has no default route')
    await place.injectFrame(link, how.from as Mac, traceFrame(packet, how))
  }

  async report(packet: TracedPacket): Promise<readonly TracePart[]> {
    const trace = this.#traceOf(packet)
    try {
      const parts = await Promise.all(inOrder(trace.places).map(partOf))
      await requireTables(trace.places)
      return parts
    } finally {
      await this.#end(trace)
    }
  }

  #traceOf({ token }: TracedPacket): Trace {
    if (this.#running?.packet.token === token) return this.#running
    throw unavailable('the trace has ended on this host: it took too long')
  }

  /** The next one begins when nothing of this one is left. */
  #end(trace: Trace): Promise<void> {
    trace.ending ??= this.#remove(trace)
    return trace.ending
  }

  async #remove(trace: Trace): Promise<void> {
    trace.forget()
    for (const { stop, host } of trace.places) {
      stop()
      await host
        .applyRules(removeTraceScript())
        .catch((error: unknown) =>
          this.#options.log.warn({ error }, 'the table of a trace could not be removed'),
        )
    }
    this.#running = null
  }
}

/**
 * Keeps the events of our packet. The kernel sends those of other programs' traces, too; a packet
 * is ours from when it comes to the chain behind our rule.
 */
function hear(events: HeardEvent[], clock: Pick<Clock, 'monotonic'>): (event: TraceEvent) => void {
  const ours = new Set<number>()
  return (event) => {
    if (event.table === `inet ${TRACE_TABLE}` && event.chain === TRACE_CHAIN) ours.add(event.packet)
    if (ours.has(event.packet) && events.length < EVENTS_LIMIT)
      events.push({ ...event, at: clock.monotonic() })
  }
}

/** Where nothing was seen, the table may have been removed meanwhile. Errors: `unavailable`. */
async function requireTables(places: readonly Place[]): Promise<void> {
  for (const { events, host } of places)
    if (events.length === 0 && (await host.listTable('inet', TRACE_TABLE)) === null)
      throw unavailable('the rules of this host were replaced meanwhile: trace again')
}

/** Namespaces in the order in which the packet came to them. */
function inOrder(places: readonly Place[]): readonly Place[] {
  return places.toSorted((a, b) => (a.events[0]?.at ?? 0) - (b.events[0]?.at ?? 0))
}

/** The events in a place with texts and names instead of numbers. */
async function partOf({ network, host, events }: Place): Promise<TracePart> {
  const tables = [...new Set(events.map(({ table }) => table))]
  const texts = new Map(
    await Promise.all(
      tables.map(async (table) => {
        const [family = '', name = ''] = table.split(' ')
        return [table, await host.ruleTexts(family, name)] as const
      }),
    ),
  )
  const names = events.length === 0 ? new Map<number, string>() : await host.linkNames()
  const nameOf = (index: number | null) => (index === null ? null : (names.get(index) ?? null))
  return {
    network,
    steps: events.map(({ table, chain, handle, verdict, from, to }) => ({
      ...{ table, chain, verdict, from: nameOf(from), to: nameOf(to) },
      rule: handle === null ? null : ruleText(texts.get(table)?.get(`${chain} ${handle}`)),
    })),
  }
}

function ruleText(rule = 'a rule that is gone'): string {
  return rule.slice(0, RULE_LIMIT_CHARS)
}
