/**
 * How a host takes an instance over from another one while it runs, beside its files
 * (`protocol.ts`). Pure.
 *
 * `/<instance>/<move>/live` says how it runs (JSON). `/disk` and `/memory` become plain connections
 * (`Upgrade`, RFC 9110, 7.8), over which the instance is passed on. `/send` begins that, and says
 * how far it is: a line of JSON for each piece of news, the last of which is `sent` or `failed`.
 * `flows` has its connections, as soon as it stands still.
 */
import { z } from 'zod'
import { parseIpv4 } from '../../model/addr.ts'
import { type CarriedFlow, MOST_SECONDS, TCP_STATES } from '../../model/carried-flow.ts'
import { PROTOCOLS } from '../../model/group-rule.ts'
import { type InstanceId, parseId } from '../../model/ids.ts'
import type { LiveKind } from '../driver.ts'

/** What both sides upgrade to. */
export const LIVE_PROTOCOL = 'atoll-live'
/** Longest line of news. */
export const NEWS_MAX_CHARS = 4_000
/** How often there is news while an instance is sent. Its host is away when there is none. */
export const NEWS_EVERY_MS = 1_000

/**
 * The progress that is said at once when the instance stands still. It is a message because older
 * versions know no other news.
 */
export const STANDS_STILL = 'it stands still'

const TIB = 1024 ** 4
/** Largest disk of an instance. */
const DISK_MAX_BYTES = 64 * TIB
const words = z.string().max(300)

/** How an instance runs. */
export const liveMachineSchema = z.strictObject({
  kind: z.strictObject({ qemu: words, machine: words, processor: words, mtu: words }),
  diskBytes: z.int().min(0).max(DISK_MAX_BYTES),
})

/** Connections in a line: so many are shorter than `NEWS_MAX_CHARS`. */
export const FLOWS_PER_LINE = 40
const PORT_MAX = 65_535
const ip = z.string().transform((text, context) => {
  const found = parseIpv4(text)
  if (found !== undefined) return found
  context.addIssue('it is no IPv4 address')
  return z.NEVER
})
const port = z.int().min(0).max(PORT_MAX)
const protocols = z.union([z.literal(PROTOCOLS.tcp), z.literal(PROTOCOLS.udp)])
const seconds = z.int().min(1).max(MOST_SECONDS)
const flowSchema = z
  .tuple([protocols, ip, port, ip, port, z.int(), seconds, z.boolean()])
  .refine(([protocol, , , , , state]) =>
    protocol === PROTOCOLS.tcp ? TCP_STATES.includes(state) : state === 0,
  )

/** A connection as it is said. */
export function formatFlow(flow: CarriedFlow): z.input<typeof flowSchema> {
  const { protocol, source, sourcePort, destination, destinationPort } = flow
  return [
    protocol === PROTOCOLS.tcp ? PROTOCOLS.tcp : PROTOCOLS.udp,
    ...([source, sourcePort, destination, destinationPort] as const),
    ...([flow.state, flow.seconds, flow.isAssured] as const),
  ]
}

/** A connection as it was said. */
export function parseFlow(said: z.output<typeof flowSchema>): CarriedFlow {
  const [protocol, source, sourcePort, destination, destinationPort, ...rest] = said
  const [state, seconds, isAssured] = rest
  const ends = { source, sourcePort, destination, destinationPort }
  return { protocol, ...ends, state, seconds, isAssured }
}

/** A line of news. `sent`: it stands still, and the other host has everything. */
export const newsSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('progress'), message: words }),
  z.strictObject({
    kind: z.literal('flows'),
    flows: z.array(flowSchema).min(1).max(FLOWS_PER_LINE),
  }),
  z.strictObject({ kind: z.literal('sent') }),
  z.strictObject({ kind: z.literal('failed'), message: z.string().max(2_000) }),
])
export type News = z.output<typeof newsSchema>
/** As it is said. */
export type SaidNews = z.input<typeof newsSchema>

/** The connections over which an instance is passed on. */
export type LiveStream = 'disk' | 'memory'

/** What is asked for. */
export interface LiveRequest {
  readonly instance: InstanceId
  readonly move: number
  readonly what: 'live' | 'send' | LiveStream
}

/** The path of a request. */
export function formatLiveRequest({ instance, move, what }: LiveRequest): string {
  return `/${instance}/${move}/${what}`
}

/** Undefined when the path is none. */
export function parseLiveRequest(path: string): LiveRequest | undefined {
  const found = /^\/(i-[0-9a-f]{17})\/(\d{1,15})\/(live|send|disk|memory)$/.exec(path)
  const [, id = '', move, what] = found ?? []
  const instance = parseId('i', id)
  if (instance === undefined) return undefined
  return { instance, move: Number(move), what: what as LiveRequest['what'] }
}

/** Why an instance that runs so on one host cannot go on on another. Null: it can. */
export function differenceOf(
  from: { readonly host: string; readonly kind: LiveKind },
  to: { readonly host: string; readonly kind: LiveKind },
): string | null {
  const differing = NAMES.find(([field]) => from.kind[field] !== to.kind[field])
  if (differing === undefined) return null
  const [field, name] = differing
  return `${name} differs: ${from.host} has "${from.kind[field]}", ${to.host} "${to.kind[field]}"`
}

const NAMES: readonly (readonly [keyof LiveKind, string])[] = [
  ['qemu', 'the version of QEMU'],
  ['machine', 'the type of machine'],
  ['processor', 'the processor'],
  ['mtu', 'the MTU of NICs'],
]
