/**
 * Probes from inside instances: pings, DNS queries and DHCP renewals, each sent on time, whatever
 * happened to earlier ones.
 */
import type { Socket } from 'node:dgram'
import { decode, encode, RECURSION_DESIRED } from 'dns-packet'
import { type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { formatPacket, MESSAGE_TYPE, OPTION, parsePacket } from '../../src/services/dhcp/packet.ts'
import type { Series } from './probe-losses.ts'
import { ANY_PORT, echoReply, echoRequest, pingSocket, udpSocket } from './sockets.ts'

/** A probe's number has 16 bits in the packet. */
const NUMBERS = 0x10000
const DNS_PORT = 53
const DHCP_SERVER_PORT = 67
const DHCP_CLIENT_PORT = 68
const DHCP_BYTES = 548
const UNSPECIFIED = ipv4('0.0.0.0')

export interface Prober {
  /** Sends no more. Probes under way may still be answered until `close`. */
  stop(): void
  close(): void
}

interface Wire {
  readonly socket: Socket
  /** Sends probe `number`. */
  send(number: number): void
  /** The number of the probe that a message answers correctly. Null: none. */
  answers(message: Buffer): number | null
}

/**
 * Sends a probe every `everyMs`. Probes that this process is too late for are left out, because
 * they say nothing about the host.
 */
function startProbing(series: Series, everyMs: number, wire: Wire): Prober {
  const { sentAt, answeredAt } = series
  wire.socket.on('message', (message) => {
    const number = wire.answers(message)
    if (number === null) return
    const newest = sentAt.length - 1
    const index = newest - ((newest - number) & (NUMBERS - 1))
    if (Number.isNaN(answeredAt[index] ?? 0)) answeredAt[index] = performance.now()
  })
  const timer = setInterval(() => {
    const number = sentAt.length & (NUMBERS - 1)
    sentAt.push(performance.now())
    answeredAt.push(Number.NaN)
    wire.send(number)
  }, everyMs)
  const stop = () => clearInterval(timer)
  return {
    stop,
    close() {
      stop()
      wire.socket.close()
    },
  }
}

const ignored = () => undefined

/** Pings `address`. */
export async function startPings(
  series: Series,
  everyMs: number,
  from: { readonly netnsFile: string },
  address: string,
): Promise<Prober> {
  const socket = await pingSocket(from.netnsFile)
  return startProbing(series, everyMs, {
    socket,
    send: (number) => socket.send(echoRequest(number), ANY_PORT, address, ignored),
    answers: echoReply,
  })
}

/** Asks `server` for each of the names in turn. Only the right address counts as an answer. */
export async function startDnsQueries(
  series: Series,
  everyMs: number,
  from: { readonly netnsFile: string },
  server: string,
  names: readonly { readonly name: string; readonly ip: string }[],
): Promise<Prober> {
  const socket = await udpSocket(from.netnsFile)
  return startProbing(series, everyMs, {
    socket,
    send(number) {
      const { name = '' } = names[number % names.length] ?? {}
      const question = { type: 'A', name } as const
      const bytes = encode({
        type: 'query',
        id: number,
        flags: RECURSION_DESIRED,
        questions: [question],
      })
      socket.send(bytes, DNS_PORT, server, ignored)
    },
    answers(message) {
      const { id = 0, answers = [] } = decode(message)
      const expected = names[id % names.length]
      const isRight = answers.some((one) => one.type === 'A' && one.data === expected?.ip)
      return isRight ? id : null
    },
  })
}

/** Renews the lease of an address as a client in state RENEWING does (RFC 2131 section 4.3.2). */
export async function startRenewals(
  series: Series,
  everyMs: number,
  from: { readonly netnsFile: string; readonly ip: string; readonly mac: string },
  server: string,
): Promise<Prober> {
  const socket = await udpSocket(from.netnsFile, DHCP_CLIENT_PORT)
  const ip = ipv4(from.ip)
  return startProbing(series, everyMs, {
    socket,
    send: (number) => socket.send(renewal(number, ip, from.mac), DHCP_SERVER_PORT, server, ignored),
    answers(message) {
      const parsed = parsePacket(message)
      if (parsed.kind === 'malformed') return null
      const { xid, yiaddr, options } = parsed.packet
      const isAck = options.get(OPTION.messageType)?.[0] === MESSAGE_TYPE.ack
      return isAck && yiaddr === ip ? xid : null
    },
  })
}

function renewal(xid: number, ciaddr: Ipv4, mac: string): Uint8Array {
  return formatPacket(
    {
      op: 'request',
      htype: 1,
      hops: 0,
      xid,
      secs: 0,
      broadcast: false,
      ciaddr,
      yiaddr: UNSPECIFIED,
      siaddr: UNSPECIFIED,
      giaddr: UNSPECIFIED,
      chaddr: Uint8Array.from(mac.split(':'), (octet) => Number.parseInt(octet, 16)),
      options: new Map([[OPTION.messageType, Uint8Array.of(MESSAGE_TYPE.request)]]),
    },
    DHCP_BYTES,
  )
}
