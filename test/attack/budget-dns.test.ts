/**
 * Instances that ask the resolver for many names outside.
 *
 * Before: eight instances that asked for names whose server is silent held all places of the
 * forwarder, so a ninth's question failed without being forwarded. One instance had 1,000 questions
 * a second forwarded, each with a socket and an entry in the host's connection table.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import dnsPacket from 'dns-packet'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Ipv4, ipv4 } from '../../src/model/addr.ts'
import { MIB } from '../../src/model/sizes.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  GATEWAY,
  type Script,
  scriptedServer,
  startDns,
  VPC_RESOLVER,
  wantWith,
} from '../kit/dns.ts'

const SERVER = '127.0.0.9'
const GUESTS = Array.from({ length: 9 }, (_, index) => ipv4(`172.31.0.${index + 10}`))

let netns: Netns
let leave: () => void = () => {}

beforeAll(async () => {
  netns = await createNetns('budget-dns')
  for (const address of [GATEWAY, VPC_RESOLVER, '169.254.169.253', ...GUESTS])
    await netns.must(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
  leave = netns.enter()
})
afterAll(async () => {
  leave()
  await netns?.destroy()
})

/**
 * Sends questions for these names from an instance's address, and counts the answers in `heard`.
 */
async function flood(from: Ipv4, names: readonly string[]) {
  // It shares the process with the server, which answers many at once before this one reads.
  const socket = createSocket({ type: 'udp4', recvBufferSize: MIB })
  socket.bind(0, from)
  await once(socket, 'listening')
  const heard: Buffer[] = []
  socket.on('message', (message) => heard.push(message))
  for (const name of names) {
    const questions = [{ type: 'A', name }] as const
    const query = { type: 'query', id: 7, flags: dnsPacket.RECURSION_DESIRED } as const
    socket.send(dnsPacket.encode({ ...query, questions: [...questions] }), 53, GATEWAY)
  }
  return { heard, close: () => socket.close() }
}

const namesOf = (who: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${who}-${index}.example.com`)

/** Runs the service over one server that answers by `script`. */
async function withServer(
  script: Script,
  work: (server: Awaited<ReturnType<typeof scriptedServer>>) => Promise<void>,
): Promise<void> {
  const server = await scriptedServer(SERVER, script)
  const dns = startDns({ forwarders: [SERVER], forwardLocal: true, timeoutMs: 2000 })
  try {
    await dns.apply(wantWith(GUESTS))
    await work(server)
  } finally {
    await dns.close()
    await server.close()
  }
}

function askedFor(asked: readonly Buffer[], who: string): number {
  const names = asked.map((query) => dnsPacket.decode(query).questions?.[0]?.name.toLowerCase())
  return new Set(names.filter((name) => name?.startsWith(who))).size
}

test('a client without a pending query gets a place, however many others have', async () => {
  await withServer(
    () => [],
    async ({ asked }) => {
      const hostile = await Promise.all(
        GUESTS.slice(0, 8).map((guest, index) => flood(guest, namesOf(`mallory${index}`, 200))),
      )
      // What exceeds their places is refused at once.
      await eventually('the places are taken', () =>
        hostile.every(({ heard }) => heard.length > 60),
      )
      const bob = await flood(GUESTS[8] ?? GATEWAY, ['bob.example.com'])
      await eventually('the neighbour’s question is asked', () => askedFor(asked, 'bob') === 1)
      for (const { close } of [...hostile, bob]) close()
    },
  )
})

test('questions go out at a rate', async () => {
  const answer: Script = (query) => {
    const { id = 0, questions = [] } = dnsPacket.decode(query)
    return [dnsPacket.encode({ type: 'response', id, flags: 0x0183, questions })]
  }
  await withServer(answer, async ({ asked }) => {
    const mallory = await flood(GUESTS[0] ?? GATEWAY, namesOf('mallory', 1000))
    await eventually('all are answered', () => mallory.heard.length === 1000, 20_000)
    expect(askedFor(asked, 'mallory')).toBeLessThan(500)
    mallory.close()
  })
})
