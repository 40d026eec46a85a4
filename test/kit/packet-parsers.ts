/**
 * The parsers of what instances and servers outside send to DHCP, DNS and metadata, for fuzzing:
 * each with valid inputs, and with what must be true of its answer whatever the input is.
 */
import dnsPacket from 'dns-packet'
import { OLDER_METADATA } from '../../src/model/metadata-options.ts'
import { answer as answerDhcp } from '../../src/services/dhcp/answer.ts'
import { parsePacket } from '../../src/services/dhcp/packet.ts'
import { answerQuery, failureReply, upstreamReply } from '../../src/services/dns/answer.ts'
import { keyOf, MAX_TCP_BYTES, MAX_UDP_BYTES, TYPE } from '../../src/services/dns/packet.ts'
import {
  agedBody,
  composeQuestion,
  QUESTION_RANDOM_BYTES,
  readReply,
  upstreamQuestion,
} from '../../src/services/dns/upstream.ts'
import { answer as answerMetadata } from '../../src/services/metadata/answer.ts'
import { createTokens } from '../../src/services/metadata/tokens.ts'
import { metadataTree } from '../../src/services/metadata/tree.ts'
import { instance } from '../../tools/kit/instance.ts'
import { bytesOf, PROFILE, request } from '../unit/services/dhcp/arbitrary.ts'
import { queryBytes, sampleZone } from '../unit/services/dns/arbitraries.ts'
import type { Chance } from './mutate.ts'

/** A parser, and what it is to do with the bytes. */
export interface PacketParser {
  readonly name: string
  readonly seeds: readonly Buffer[]
  /** Throws for a fault. */
  readonly parse: (bytes: Buffer, chance: Chance) => void
}

const ZONE = sampleZone()
const ASKED = {
  key: keyOf('www.example.com'),
  type: TYPE.A,
  dnssecOk: false,
  checkingDisabled: false,
}
const SENT = composeQuestion(ASKED, new Uint8Array(QUESTION_RANDOM_BYTES).fill(0x5a), true)
const QUERY = queryBytes('www.example.com', 'A', { edns: { bytes: 1232 } })
const CALLER = {
  instance: instance(7).id,
  tree: metadataTree(instance(7), {
    zone: 'atoll.internal',
    region: 'atoll',
    architecture: 'x86_64',
  }),
  options: OLDER_METADATA,
}
const TOKENS = createTokens(new Uint8Array(32))
const NOW = Date.UTC(2026, 10, 30)
const TOKEN = TOKENS.issue(CALLER.instance, 60, NOW)

/** All of them. */
export const PACKET_PARSERS: readonly PacketParser[] = [
  {
    name: 'DHCP',
    seeds: (['discover', 'request', 'inform', 'release', 'decline'] as const).map((type) =>
      Buffer.from(bytesOf(request(type))),
    ),
    parse(bytes) {
      const answer = answerDhcp(bytes, PROFILE)
      if (answer.kind !== 'reply') return
      demand(parsePacket(answer.bytes).kind === 'packet', 'a reply that we cannot read')
      demand(answer.bytes.length <= PROFILE.maxReplyBytes, 'a reply longer than the link takes')
    },
  },
  {
    name: 'DNS questions',
    seeds: [
      QUERY,
      queryBytes('web.atoll.internal', 'A', { edns: { bytes: 1232 } }),
      queryBytes('many.atoll.internal', 'ANY'),
      queryBytes('7.0.31.172.in-addr.arpa', 'PTR'),
    ],
    parse(bytes, { below }) {
      const transport = below(2) === 0 ? 'udp' : 'tcp'
      const answer = answerQuery(bytes, ZONE, transport, below(1_000))
      const limit = transport === 'udp' ? MAX_UDP_BYTES : MAX_TCP_BYTES
      if (answer.kind === 'drop') return
      const reply = answer.kind === 'reply' ? answer.bytes : failureReply(answer.query, transport)
      demand(reply.length <= limit, 'a reply that is too long')
      demand(reply.readUInt16BE(0) === bytes.readUInt16BE(0), 'a reply to another question')
      decodeDns(reply)
    },
  },
  {
    name: 'DNS answers from outside',
    seeds: replies(),
    parse(bytes, { below }) {
      // What does not answer the question is thrown away at once: most of it does.
      if (bytes.length > SENT.message.length && below(8) > 0) {
        SENT.message.copy(bytes, 0, 0, 2)
        SENT.question.copy(bytes, 12)
      }
      if (bytes.length > 3 && below(8) > 0) bytes[2] = 0x81
      const reading = readReply(bytes, SENT, ASKED, () => below(1_000) === 0)
      if (reading.kind !== 'answer') return
      const asked = answerQuery(QUERY, ZONE, 'udp', 0)
      if (asked.kind !== 'forward') throw new Error('a question that is not forwarded')
      demand(upstreamQuestion(asked.query).key === ASKED.key, 'another question')
      const body = agedBody(reading.answer, below(100_000))
      const udp = upstreamReply(asked.query, 'udp', reading.answer.rcode, body)
      demand(udp.length <= MAX_UDP_BYTES, 'a reply that is too long')
      const tcp = upstreamReply(asked.query, 'tcp', reading.answer.rcode, body)
      demand(tcp.length <= MAX_TCP_BYTES, 'a reply that is too long')
    },
  },
  {
    name: 'metadata requests',
    seeds: [
      '/latest/meta-data/instance-id',
      '/latest/api/token',
      '/2021-07-15/dynamic/%2e%2e/x',
      `/latest/user-data/?${TOKEN}`,
      TOKEN,
    ].map((text) => Buffer.from(text)),
    parse(bytes, { pick }) {
      const text = bytes.toString('latin1')
      const target = pick([text, '/latest/meta-data/'])
      const token = pick([undefined, TOKEN, text])
      const request = {
        ...{ method: pick(['GET', 'PUT', 'HEAD', 'POST']), target, token, hasBody: false },
        ...{ tokenTtl: pick([undefined, '60', text]), isForwarded: pick([false, true]) },
      }
      const { status } = answerMetadata(request, CALLER, TOKENS, NOW)
      const isMade = request.method === 'PUT' && status === 200
      demand(!(isMade && request.isForwarded), 'a token for whoever a proxy stands for')
    },
  },
]

/**
 * Answers to `SENT`: an address, an alias with its address, a negative one, one with an OPT record,
 * and one with the longest way to each of many names.
 */
function replies(): readonly Buffer[] {
  const address = 'c00c000100010000003c000401020304'
  const alias = 'c00c000500010000003c0006036f7468c010'
  const soa = `c01000060001000000050026016ec010016dc010${'00000001'.repeat(5)}`
  const reply = (counts: string, records: string) => {
    const message = Buffer.concat([
      SENT.message.subarray(0, 12 + SENT.question.length),
      Buffer.from(records, 'hex'),
    ])
    message.write(`8180${counts}`, 2, 'hex')
    return message
  }
  return [
    reply('0001000100000000', address),
    reply('0001000200000000', alias + address),
    reply('0001000000010000', soa),
    Buffer.concat([
      reply('0001000100000001', address),
      Buffer.from('0000291000000000000000', 'hex'),
    ]),
    reply('000107d000000000', longWays(12 + SENT.question.length)),
  ]
}

/** 2,000 records. The first has pointers to pointers, with which the names of all others begin. */
function longWays(start: number): string {
  const first = start + 12
  const chain = Buffer.alloc(8_000 * 2)
  for (let at = 0; at < chain.length; at += 2)
    chain.writeUInt16BE(0xc000 | (at === 0 ? 12 : first + at - 2), at)
  const record = (owner: number, data: Buffer) => {
    const head = Buffer.from('0000001000010000003c0000', 'hex')
    head.writeUInt16BE(0xc000 | owner, 0)
    head.writeUInt16BE(data.length, 10)
    return Buffer.concat([head, data]).toString('hex')
  }
  return record(12, chain) + record(first + chain.length - 2, Buffer.of()).repeat(1_999)
}

function decodeDns(message: Buffer): void {
  // A name with an empty or odd label is repeated as it was asked, which the decoder does not like.
  if (message.readUInt16BE(4) === 0) return
  dnsPacket.decode(message)
  demand(dnsPacket.decode.bytes === message.length, 'a reply with a wrong length')
}

function demand(holds: boolean, fault: string): void {
  if (!holds) throw new Error(fault)
}
