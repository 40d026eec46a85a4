/**
 * `atoll trace`: sends one packet from an instance, or from outside, and says where it went. All
 * hosts that it may cross look out for it before it is sent.
 */
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../lib/clock.ts'
import type { Ipv4 } from '../model/addr.ts'
import { refused } from '../model/errors.ts'
import { PROTOCOLS } from '../model/group-rule.ts'
import type { HostName } from '../model/ids.ts'
import { nicLinkName } from '../model/names.ts'
import type { TraceAnswer, TraceAsk, TracedPacket, TraceSending } from '../model/trace.ts'
import { stateSteps } from '../plan/explain.ts'
import { carrierOf } from '../plan/explain-nat.ts'
import {
  type CloudRecords,
  type End,
  parseTraffic,
  type Traffic,
} from '../plan/explain-question.ts'
import { routerOf } from '../plan/explain-router.ts'
import { judgeLeaving } from '../plan/explain-routes.ts'
import { reportTrace, type TraceReport } from '../plan/trace-report.ts'
import type { InformedStore } from '../store/replica-reads.ts'
import { endsOf, type Question, readCloud, understood } from './explain.ts'

/** How long another host may take to answer. */
const ASK_TIMEOUT_MS = 4_000
/** How long the packet may take, through all hosts. */
const ON_THE_WAY_MS = 500
const ECHO_REQUEST = 8
/** Who sends what comes from outside. */
const SOME_MAC = '02:00:00:00:00:01'

export interface TracingOptions {
  readonly store: Pick<InformedStore, 'read'>
  readonly bus: Bus
  readonly host: HostName
  readonly clock: Pick<Clock, 'sleep'>
  /** Random bytes. */
  readonly random: (bytes: number) => Uint8Array
  /** This host's part. */
  readonly trace: (ask: TraceAsk) => Promise<TraceAnswer>
}

/** Answers other hosts from now on, and traces. Errors: `refused`, `unavailable`. */
export function createTracer(
  options: TracingOptions,
): (question: Question) => Promise<TraceReport> {
  const { store, bus, host, clock, random, trace } = options
  bus.onAsk('trace', trace)
  const ask = (at: HostName, what: TraceAsk) =>
    at === host ? trace(what) : bus.ask(at, 'trace', what, { timeoutMs: ASK_TIMEOUT_MS })

  return async ({ from, to, what }) => {
    const { value: records } = await store.read((tx) => readCloud(tx, [from, to]))
    const { source, destination } = endsOf(from, to, records)
    const traffic = understood(parseTraffic(what))
    requireRunning(source, destination, records)
    const packet = packetOf(traffic, random)
    const how = sendingOf(source, destination, traffic, records)
    const router = routerOf(source, how.destination as Ipv4, records)
    const gateway = gatewayTo(source, how.destination as Ipv4, records)
    const carrier = gateway === undefined ? null : carrierOf(gateway, records)
    const hosts = hostsOf([source, router], carrier, [destination])
    const [first] = hosts
    if (first === undefined) throw refused('InvalidParameterValue', 'no host has either')
    const networks = networksOf([source, destination], records)
    const report = (at: HostName) => ask(at, { do: 'report', packet })
    try {
      // One that refuses may do so before another one has begun.
      const begun = await Promise.allSettled(
        hosts.map((at) => ask(at, { do: 'watch', packet, networks })),
      )
      for (const one of begun) if (one.status === 'rejected') throw one.reason
      await ask(first, { do: 'send', packet, how })
    } catch (error) {
      // Or they would look out for it until their time is over.
      await Promise.allSettled(hosts.map(report))
      throw error
    }
    await clock.sleep(ON_THE_WAY_MS)
    const seen = await Promise.all(hosts.map(async (at) => ({ host: at, ...(await report(at)) })))
    const subject = `${traffic.text} from ${how.source} to ${how.destination}`
    return reportTrace(subject, destination, seen, records)
  }
}

/** A packet like no other. */
function packetOf({ protocol, text }: Traffic, random: TracingOptions['random']): TracedPacket {
  const name = (['tcp', 'udp', 'icmp'] as const).find((one) => PROTOCOLS[one] === protocol)
  if (name === undefined)
    throw refused(
      'InvalidParameterValue',
      `${text} cannot be sent: use tcp/PORT, udp/PORT, icmp or icmp/TYPE`,
    )
  return {
    protocol: name,
    identification: Math.max(1, Buffer.from(random(2)).readUInt16BE()),
    token: Math.max(1, Buffer.from(random(4)).readUInt32BE()),
  }
}

function sendingOf(
  source: End,
  destination: End,
  { port, code }: Traffic,
  records: CloudRecords,
): TraceSending {
  const type = { port: port < 0 ? ECHO_REQUEST : port, code: Math.max(0, code) }
  if (source.kind === 'instance' && source.nic !== null) {
    const { id, mac, ip, vpc } = source.nic
    const network = networkOf(vpc, records)
    const target =
      destination.kind === 'address'
        ? destination.ip
        : (destination.floatingIp ?? destination.nic?.ip ?? '')
    return { link: nicLinkName(id), from: mac, network, source: ip, destination: target, ...type }
  }
  const nic = destination.kind === 'instance' ? destination.nic : null
  return {
    ...{ link: null, from: SOME_MAC, network: null },
    source: source.kind === 'address' ? source.ip : '',
    destination: nic?.publicIp ?? nic?.ip ?? '',
    ...type,
  }
}

/** Hosts that it may cross; the first one sends it. */
function hostsOf(
  first: readonly (End | undefined)[],
  carrier: HostName | null,
  last: readonly End[],
): readonly HostName[] {
  const of = (ends: readonly (End | undefined)[]) =>
    ends.flatMap((end) => (end?.kind === 'instance' ? [end.instance.host] : []))
  return [...new Set([...of(first), ...(carrier === null ? [] : [carrier]), ...of(last)])]
}

/** The NAT gateway with an address that the sender goes out by; undefined: there is none. */
function gatewayTo(source: End, destination: Ipv4, records: CloudRecords) {
  const nic = source.kind === 'instance' ? source.nic : null
  return nic === null ? undefined : judgeLeaving(nic, destination, records)?.gateway?.gateway
}

function networksOf(ends: readonly End[], records: CloudRecords): readonly number[] {
  const numbers = ends.flatMap((end) =>
    end.kind === 'instance' && end.nic !== null ? (networkOf(end.nic.vpc, records) ?? []) : [],
  )
  return [...new Set(numbers)]
}

function networkOf(vpc: string, { vpcs }: CloudRecords): number | null {
  return vpcs.find(({ id }) => id === vpc)?.network ?? null
}

function requireRunning(source: End, destination: End, records: CloudRecords): void {
  const [dead] = [
    ...stateSteps('source', source, records),
    ...stateSteps('destination', destination, records),
  ].filter(({ passes }) => !passes)
  if (dead !== undefined) throw refused('IncorrectInstanceState', dead.text)
}
