/**
 * Listens for what rules do with packets that are traced (nft(8), `meta nftrace set 1`), in one
 * network namespace. The kernel sends such messages only while somebody listens, and drops them
 * when they are too many. Message layout: linux/netfilter/nf_tables.h, `nft_trace_attributes`.
 */
import { Protocol, RawNetlinkSocket } from 'netlink'
import { KIB } from '../../model/sizes.ts'
import type { TraceEvent } from '../../model/trace.ts'
import { attributesOf } from '../netlink/attributes.ts'
import { familyOf, HEADER_BYTES, messagesIn, nameIn, SUBSYSTEM } from './messages.ts'

/** NFNLGRP_NFTRACE of linux/nfnetlink.h. */
const TRACE_GROUP = 9
const BUFFER_BYTES = 256 * KIB
const SEND_BUFFER_BYTES = 16 * KIB
/** NFT_MSG_TRACE. */
const TRACE_MESSAGE = (SUBSYSTEM << 8) | 17
const TRACE = {
  ...{ table: 1, chain: 2, handle: 3, type: 4, verdict: 5, id: 6, from: 10, to: 12, policy: 17 },
}
const VERDICT_CODE = 1
const VERDICT_CHAIN = 2
/** `nft_trace_types`. */
const POLICY = 1
const RULE = 3
/** `nft_verdicts`, and netfilter's own. */
const VERDICTS: ReadonlyMap<number, string> = new Map([
  [0, 'drop'],
  [1, 'accept'],
  [3, 'queue'],
  [-1, 'continue'],
  [-2, 'continue'],
  [-3, 'jump'],
  [-4, 'goto'],
  [-5, 'return'],
])

/**
 * Opens a socket in the calling thread's network namespace, synchronously. The returned function
 * closes it.
 */
export function openTraceWatch(heard: (event: TraceEvent) => void): () => void {
  const socket = new RawNetlinkSocket(Protocol.NETFILTER, {
    recvBufferSize: BUFFER_BYTES,
    sendBufferSize: SEND_BUFFER_BYTES,
  })
  socket.unref()
  socket.on('message', (bytes) => {
    for (const event of parseTrace(bytes)) heard(event)
  })
  // What is missing then is only not shown.
  socket.on('truncatedMessage', () => undefined)
  socket.on('error', () => undefined)
  socket.addMembership(TRACE_GROUP)
  return () => socket.close()
}

/** The events in what a socket has received. What is no such message is skipped. */
export function parseTrace(bytes: Buffer): readonly TraceEvent[] {
  return [...messagesIn(bytes)].flatMap(({ type, body }) => {
    if (type !== TRACE_MESSAGE || body.length < HEADER_BYTES) return []
    try {
      return eventOf(body)
    } catch {
      // A part of a message. What is missing is only not shown.
      return []
    }
  })
}

function eventOf(message: Buffer): readonly TraceEvent[] {
  const found = attributesOf(message.subarray(HEADER_BYTES))
  const table = nameIn(found.get(TRACE.table))
  const chain = nameIn(found.get(TRACE.chain))
  if (table === undefined || chain === undefined) return []
  const kind = found.get(TRACE.type)?.readUInt32BE()
  const handle = found.get(TRACE.handle)?.readBigUInt64BE()
  const index = (type: number) => found.get(type)?.readUInt32BE() ?? null
  return [
    {
      ...{ packet: found.get(TRACE.id)?.readUInt32BE() ?? 0 },
      ...{ table: `${familyOf(message)} ${table}`, chain },
      handle: kind === RULE && handle !== undefined ? Number(handle) : null,
      verdict:
        kind === POLICY
          ? (VERDICTS.get(found.get(TRACE.policy)?.readInt32BE() ?? 1) ?? 'accept')
          : verdictOf(found.get(TRACE.verdict)),
      from: index(TRACE.from),
      to: index(TRACE.to),
    },
  ]
}

function verdictOf(nested: Buffer | undefined): string {
  if (nested === undefined) return 'continue'
  const verdict = attributesOf(nested)
  const code = verdict.get(VERDICT_CODE)?.readInt32BE() ?? -1
  const chain = nameIn(verdict.get(VERDICT_CHAIN))
  const name = VERDICTS.get(code) ?? `verdict ${code}`
  return chain === undefined ? name : `${name} ${chain}`
}
