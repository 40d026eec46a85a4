/**
 * Tracing one packet through the rules of hosts: what is sent, and what is seen of it. Pure data,
 * which hosts also send each other.
 */
import { z } from 'zod'
import { isNicLink } from './names.ts'

/**
 * What tells the packet from every other, whatever address translation does to it: the
 * identification of its IP header and 32 random bits of its own.
 */
const tracedPacketSchema = z.object({
  protocol: z.union([z.literal('tcp'), z.literal('udp'), z.literal('icmp')]),
  identification: z.int().min(1).max(0xffff),
  token: z.int().min(1).max(0xffffffff),
})
export type TracedPacket = z.infer<typeof tracedPacketSchema>

/** What one rule, or the policy of a chain, did with the packet. */
export interface TraceEvent {
  /** The same for all events of one packet on its way through a namespace. */
  readonly packet: number
  /** `inet atoll`. */
  readonly table: string
  readonly chain: string
  /** The number of the rule in its table; null: the chain's policy, or its end. */
  readonly handle: number | null
  /** `accept`, `drop`, `continue`, `return`, `jump CHAIN` or `goto CHAIN`. */
  readonly verdict: string
  /** Indexes of links; null where there is none. */
  readonly from: number | null
  readonly to: number | null
}

const stepSchema = z.object({
  /** `inet atoll`. */
  table: z.string(),
  chain: z.string(),
  /** As nft prints it; null: the chain's policy, or its end. */
  rule: z.string().nullable(),
  /** As in `TraceEvent`. */
  verdict: z.string(),
  /** Names of links. */
  from: z.string().nullable(),
  to: z.string().nullable(),
})
/** The same as an event, with what a reader can understand. */
export type TraceStep = Readonly<z.infer<typeof stepSchema>>

const partSchema = z.object({
  /** Of the VPC whose namespace it is; null: the machine's own. */
  network: z.int().nullable(),
  steps: z.array(stepSchema.readonly()).readonly(),
})
/** What was seen in one network namespace of a host, in order. */
export type TracePart = Readonly<z.infer<typeof partSchema>>

const sendingSchema = z.object({
  /** The link of a NIC on which it arrives; null: that of the host's default route. */
  link: z.string().max(15).refine(isNicLink, 'the name of the link of a NIC').nullable(),
  /** Its sender's Ethernet address. */
  from: z.string().regex(/^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/),
  network: z.int().min(1).nullable(),
  source: z.ipv4(),
  destination: z.ipv4(),
  port: z.int().min(0).max(0xffff),
  code: z.int().min(0).max(0xff),
})
/** How the packet is sent. */
export type TraceSending = z.infer<typeof sendingSchema>

/** What a host is asked to do. */
export const traceAskSchema = z.discriminatedUnion('do', [
  z.object({
    do: z.literal('watch'),
    packet: tracedPacketSchema,
    /** The VPCs in whose namespaces to look, besides the machine's own. */
    networks: z.array(z.int().min(1)).max(4).readonly(),
  }),
  z.object({ do: z.literal('send'), packet: tracedPacketSchema, how: sendingSchema }),
  z.object({ do: z.literal('report'), packet: tracedPacketSchema }),
])
export type TraceAsk = z.infer<typeof traceAskSchema>

/** What was seen; empty for all but reports. */
export const traceAnswerSchema = z.object({ parts: z.array(partSchema.readonly()).readonly() })
export type TraceAnswer = Readonly<z.infer<typeof traceAnswerSchema>>
