/**
 * DHCP clients of many links in one process, for the benchmark `dhcp`: `clients.ts SETTINGS`, which
 * is JSON (`ClientSettings`). It runs in the namespace that has the links, does full exchanges on
 * each, and prints one line of JSON (`Load`).
 */
import { ipv4, type Mac, macToBytes } from '../../../src/model/addr.ts'
import {
  formatPacket,
  MESSAGE_TYPE,
  OPTION,
  type Packet,
} from '../../../src/services/dhcp/packet.ts'
import { ETH_P_IP, type Frames, openFrames } from './frames.ts'

export interface ClientSettings {
  /** Each has one client. */
  readonly links: readonly { readonly name: string; readonly mac: Mac }[]
  readonly seconds: number
  /**
   * Exchanges that are begun each second, whether or not earlier ones have ended. Null: each client
   * begins one when its last one has ended.
   */
  readonly perSecond: number | null
}

export interface Load {
  readonly begun: number
  /** Those that had DISCOVER, OFFER, REQUEST and ACK. */
  readonly ended: number
  readonly seconds: number
}

const IP_AT = 14
const UDP_AT = IP_AT + 20
const DHCP_AT = UDP_AT + 8
const [CLIENT_PORT, SERVER_PORT] = [68, 67]
const XID_AT = DHCP_AT + 4
const YIADDR_AT = DHCP_AT + 16
const OPTIONS_AT = DHCP_AT + 240
/** The options of a REQUEST begin with its type, the server and the address. */
const SERVER_AT = OPTIONS_AT + 3 + 2
const REQUESTED_AT = SERVER_AT + 4 + 2
/** A client that hears nothing begins again. */
const RETRY_MS = 500
const LOOK_MS = 50
const NOBODY = ipv4('0.0.0.0')
/** The list of dhclient. */
const PARAMETERS = Uint8Array.of(1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42)

interface Client {
  readonly link: number
  readonly discover: Buffer
  readonly request: Buffer
  begunMs: number
}

function clientOf({ name, mac }: ClientSettings['links'][number], frames: Frames): Client {
  const chaddr = macToBytes(mac)
  const type = (value: number) => [OPTION.messageType, Uint8Array.of(value)] as const
  const list = [OPTION.parameterRequestList, PARAMETERS] as const
  const server = [OPTION.serverIdentifier, new Uint8Array(4)] as const
  const requested = [OPTION.requestedAddress, new Uint8Array(4)] as const
  return {
    link: frames.indexOf(name),
    discover: frameOf(chaddr, new Map([type(MESSAGE_TYPE.discover), list])),
    request: frameOf(chaddr, new Map([type(MESSAGE_TYPE.request), server, requested, list])),
    begunMs: 0,
  }
}

/** A whole frame, by broadcast. Its UDP checksum is left out (RFC 768). */
function frameOf(mac: Uint8Array, options: Packet['options']): Buffer {
  const body = formatPacket(
    {
      ...{ op: 'request', htype: 1, hops: 0, xid: 0, secs: 0, broadcast: false, chaddr: mac },
      ...{ ciaddr: NOBODY, yiaddr: NOBODY, siaddr: NOBODY, giaddr: NOBODY, options },
    },
    1_400,
  )
  const frame = Buffer.alloc(DHCP_AT + body.length)
  frame.fill(0xff, 0, 6)
  frame.set(mac, 6)
  frame.writeUInt16BE(ETH_P_IP, 12)
  frame.set([0x45, 0x10], IP_AT)
  frame.writeUInt16BE(frame.length - IP_AT, IP_AT + 2)
  frame.set([64, 17], IP_AT + 8)
  frame.fill(0xff, IP_AT + 16, UDP_AT)
  frame.writeUInt16BE(checksum(frame.subarray(IP_AT, UDP_AT)), IP_AT + 10)
  frame.writeUInt16BE(CLIENT_PORT, UDP_AT)
  frame.writeUInt16BE(SERVER_PORT, UDP_AT + 2)
  frame.writeUInt16BE(frame.length - UDP_AT, UDP_AT + 4)
  frame.set(body, DHCP_AT)
  return frame
}

/** RFC 1071. */
function checksum(header: Buffer): number {
  let sum = 0
  for (let at = 0; at < header.length; at += 2) sum += header.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

/** Where the value of an option is in a frame; 0: it is not there. */
function optionAt(frame: Buffer, code: number): number {
  let at = OPTIONS_AT
  while (at + 1 < frame.length && frame[at] !== code)
    at += frame[at] === OPTION.pad ? 1 : 2 + (frame[at + 1] ?? 0)
  return at + 2 < frame.length ? at + 2 : 0
}

function run({ links, seconds, perSecond }: ClientSettings, frames: Frames): Load {
  const clients = links.map((link) => clientOf(link, frames))
  const byLink = new Map(clients.map((client) => [client.link, client]))
  const began = performance.now()
  const end = began + seconds * 1000
  let [begun, ended, turn, xid, lookedMs] = [0, 0, 0, 0, began]

  const begin = (client: Client, nowMs: number) => {
    xid += 1
    client.discover.writeUInt32BE(xid, XID_AT)
    client.begunMs = nowMs
    frames.send(client.link, client.discover)
    begun += 1
  }
  const hear = (client: Client, frame: Buffer, nowMs: number) => {
    if (frame.length <= OPTIONS_AT || frame.readUInt16BE(UDP_AT + 2) !== CLIENT_PORT) return
    const type = frame[optionAt(frame, OPTION.messageType)]
    // One that is late is of an exchange that was given up.
    const isLast = frame.readUInt32BE(XID_AT) === client.discover.readUInt32BE(XID_AT)
    if (perSecond === null && !isLast) return
    if (type === MESSAGE_TYPE.offer) {
      const server = optionAt(frame, OPTION.serverIdentifier)
      frame.copy(client.request, XID_AT, XID_AT, XID_AT + 4)
      frame.copy(client.request, REQUESTED_AT, YIADDR_AT, YIADDR_AT + 4)
      frame.copy(client.request, SERVER_AT, server, server + 4)
      frames.send(client.link, client.request)
    } else if (type === MESSAGE_TYPE.ack) {
      ended += 1
      if (perSecond === null) begin(client, nowMs)
    }
  }

  if (perSecond === null) for (const client of clients) begin(client, began)
  frames.flush()
  for (let nowMs = began; nowMs < end; nowMs = performance.now()) {
    const count = frames.receive(perSecond === null)
    for (let at = 0; at < count; at += 1) {
      const client = byLink.get(frames.link(at))
      if (client !== undefined) hear(client, frames.frame(at), nowMs)
    }
    if (perSecond !== null)
      for (const due = ((nowMs - began) / 1000) * perSecond; begun < due; turn += 1) {
        const client = clients[turn % clients.length]
        if (client !== undefined) begin(client, nowMs)
      }
    else if (nowMs - lookedMs > LOOK_MS) {
      lookedMs = nowMs
      for (const client of clients) if (nowMs - client.begunMs > RETRY_MS) begin(client, nowMs)
    }
    frames.flush()
  }
  return { begun, ended, seconds: (performance.now() - began) / 1000 }
}

const settings = JSON.parse(process.argv[2] ?? '{}') as ClientSettings
process.stdout.write(`${JSON.stringify(run(settings, openFrames()))}\n`)
