/**
 * This host's part of `atoll trace`: it looks out for one packet in its network namespaces, sends
 * it, and reports what rules did with it.
 *
 * One trace at a time, for a few seconds at most. The rule that traces it is in a table of its own,
 * which a daemon that was killed leaves behind and its successor removes (`plan/ruleset.ts`). Other
 * packets are only compared with one rule more meanwhile.
 */
import type { Host, NamespaceHost } from '../host/host.ts'
import type { Clock } from '../lib/clock.ts'
import type { Log } from '../lib/log.ts'
import type { Mac } from '../model/addr.ts'
import { unavailable } from '../model/errors.ts'
import {
  type TraceAnswer,
  type TraceAsk,
  type TracedPacket,
  type TraceEvent,
  type TracePart,
  type TraceSending,
  traceAskSchema,
} from '../model/trace.ts'
import { removeTraceScript, traceFrame, traceScript } from '../plan/trace-packet.ts'

/** Afterwards it ends without a report. */
const LONGEST_MS = 10_000
/** Most events that are kept of one namespace. */
const EVENTS_LIMIT = 80
/** Longest text of a rule: those with sets of many elements are longer. */
const RULE_LIMIT_CHARS = 300

interface Place {
  readonly network: number | null
  readonly host: NamespaceHost
  readonly events: (TraceEvent & { readonly at: number })[]
  readonly stop: () => void
}

interface Trace {
  readonly packet: TracedPacket
  readonly places: readonly Place[]
  readonly forget: () => void
}

/** A function that does what it is asked, by this host or another. */
export function createTracing({
  host,
  clock,
  log,
}: {
  readonly host: Host
  readonly clock: Pick<Clock, 'after' | 'monotonic'>
  readonly log: Log
}): (ask: TraceAsk) => Promise<TraceAnswer> {
  let running: Trace | null = null

  const end = async (trace: Trace) => {
    if (running === trace) running = null
    trace.forget()
    for (const place of trace.places) {
      place.stop()
      await place.host
        .applyRules(removeTraceScript())
        .catch((error: unknown) => log.warn({ error }, 'the table of a trace could not be removed'))
    }
  }
  const watch = async (packet: TracedPacket, networks: readonly number[]) => {
    if (running !== null)
      throw unavailable('another trace runs on this host; try again in some seconds')
    const opened = networks.flatMap((network) => {
      const found = host.vpcs.opened(network)
      return found === undefined ? [] : [{ network, host: found }]
    })
    const places = [{ network: null, host }, ...opened].map((place) => {
      const events: Place['events'] = []
      const heard = (event: TraceEvent) => {
        if (events.length < EVENTS_LIMIT) events.push({ ...event, at: clock.monotonic() })
      }
      return { ...place, events, stop: place.host.watchTrace(heard) }
    })
    const trace: Trace = { packet, places, forget: clock.after(LONGEST_MS, () => void end(trace)) }
    running = trace
    try {
      for (const place of places) await place.host.applyRules(traceScript(packet))
    } catch (error) {
      await end(trace)
      throw error
    }
  }
  const send = async (packet: TracedPacket, how: TraceSending) => {
    const place = how.network === null ? host : host.vpcs.opened(how.network)
    if (place === undefined) throw unavailable('the VPC has no network on this host')
    const link = how.link ?? (await host.surroundings()).defaultRoutes[0]?.link
    if (link === undefined) throw unavailable('this host has no default route')
    await place.injectFrame(link, how.from as Mac, traceFrame(packet, how))
  }
  const report = async (packet: TracedPacket): Promise<readonly TracePart[]> => {
    const trace = running
    if (trace === null || trace.packet.token !== packet.token)
      throw unavailable('the trace has ended on this host: it took too long')
    try {
      return await Promise.all(inOrder(trace.places).map(partOf))
    } finally {
      await end(trace)
    }
  }
  return async (asked) => {
    const ask = traceAskSchema.parse(asked)
    if (ask.do === 'watch') await watch(ask.packet, ask.networks)
    else if (ask.do === 'send') await send(ask.packet, ask.how)
    else return { parts: await report(ask.packet) }
    return { parts: [] }
  }
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
      rule: handle === null ? null : ruleText(texts.get(table)?.get(handle)),
    })),
  }
}

function ruleText(rule = 'a rule that is gone'): string {
  return rule.slice(0, RULE_LIMIT_CHARS)
}
