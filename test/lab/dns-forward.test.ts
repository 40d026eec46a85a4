/**
 * The forwarder against servers that are silent, broken or hostile. Each case has a server of its
 * own on a loopback address of its own, inside a namespace, and asks as an instance would.
 */
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import dnsPacket from 'dns-packet'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ipv4 } from '../../src/model/addr.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  type DnsUnderTest,
  GATEWAY,
  metric,
  type Script,
  scriptedServer,
  startDns,
  VPC_RESOLVER,
  wantWith,
  ZONE,
} from '../kit/dns.ts'

/** The instance is on the same machine here: its address is on the loopback device. */
const GUEST = ipv4('172.31.0.7')
const GOOD = '192.0.2.1'
const FORGED = '6.6.6.6'
/** Of a server that says nothing. */
const TIMEOUT_MS = 300
const BRIEFLY = { timeoutMs: TIMEOUT_MS }
/** Of one that answers, so that a busy machine does not make it late. */
const PATIENCE_MS = 30_000
/** What a machine that runs other tests, too, may add. */
const BUSY_MS = 20_000
const TRIES = 3

let netns: Netns
let leave: () => void = () => {}

beforeAll(async () => {
  netns = await createNetns('dns-forward')
  for (const address of [GATEWAY, VPC_RESOLVER, GUEST, '169.254.169.253'])
    await netns.must(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
  leave = netns.enter()
})
afterAll(async () => {
  leave()
  await netns?.destroy()
})

/** The reply to `query` with one address, changed as told. */
function reply(query: Buffer, address: string, change: Partial<dnsPacket.Packet> = {}): Buffer {
  const asked = dnsPacket.decode(query)
  const question = asked.questions?.[0]
  return dnsPacket.encode({
    type: 'response',
    id: asked.id ?? 0,
    flags: 0x0180,
    questions: question === undefined ? [] : [question],
    answers: [{ type: 'A', name: question?.name ?? '', data: address, ttl: 60 }],
    ...change,
  })
}

/** Asks as the instance would; null when nothing comes within the deadline. */
async function ask(
  name: string,
  withinMs = 5000,
): Promise<(dnsPacket.DecodedPacket & { rcode: string }) | null> {
  const socket = createSocket('udp4')
  socket.bind(0, GUEST)
  await once(socket, 'listening')
  const query = dnsPacket.encode({
    type: 'query',
    id: 99,
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ type: 'A', name }],
  })
  const heard = once(socket, 'message', { signal: AbortSignal.timeout(withinMs) })
  socket.send(query, 53, GATEWAY)
  try {
    const [bytes] = (await heard) as [Buffer]
    return dnsPacket.decode(bytes) as dnsPacket.DecodedPacket & { rcode: string }
  } catch {
    return null
  } finally {
    socket.close()
  }
}

const addresses = (packet: dnsPacket.DecodedPacket | null) =>
  packet?.answers?.map((one) => ('data' in one ? one.data : '')) ?? []

/** Runs `body` with a DNS service in front of scripted servers, and takes all of it down. */
async function withServers(
  scripts: readonly { readonly udp: Script; readonly tcp?: (query: Buffer) => Buffer | null }[],
  body: (parts: {
    readonly dns: DnsUnderTest
    readonly servers: readonly Awaited<ReturnType<typeof scriptedServer>>[]
  }) => Promise<void>,
  limits: Parameters<typeof startDns>[1] = {},
  settings: Parameters<typeof startDns>[0] = {},
): Promise<void> {
  const servers = await Promise.all(
    scripts.map(({ udp, tcp }, index) => scriptedServer(`127.0.0.${index + 2}`, udp, tcp)),
  )
  const dns = startDns(
    {
      forwarders: scripts.map((_script, index) => `127.0.0.${index + 2}`),
      timeoutMs: PATIENCE_MS,
      ...settings,
    },
    limits,
  )
  try {
    await dns.apply(wantWith([GUEST]))
    await body({ dns, servers })
  } finally {
    await dns.close()
    await Promise.all(servers.map((server) => server.close()))
  }
}

/** As `withServers`, with one that says nothing. */
const withSilence = (body: Parameters<typeof withServers>[1]) =>
  withServers([{ udp: () => [] }], body, {}, BRIEFLY)

const events = (dns: DnsUnderTest, event: string) =>
  metric(dns.metrics, 'atoll_dns_forward_events_total', `event="${event}"`)

describe('a forged reply is not believed', () => {
  const flipFirstLetter = (query: Buffer) => {
    const copy = Buffer.from(query)
    copy[13] = (copy[13] ?? 0) ^ 0x20
    return copy
  }
  const forgeries: Readonly<Record<string, (query: Buffer) => Buffer>> = {
    'with the wrong id': (query) =>
      reply(query, FORGED, { id: (query.readUInt16BE(0) + 1) & 0xffff }),
    'to another question': (query) =>
      reply(query, FORGED, { questions: [{ type: 'A', name: 'www.example.org' }] }),
    'of another type': (query) =>
      reply(query, FORGED, {
        questions: [{ type: 'AAAA', name: dnsPacket.decode(query).questions?.[0]?.name ?? '' }],
      }),
    'in another letter case': (query) => reply(flipFirstLetter(query), FORGED),
    'that is a query': (query) => reply(query, FORGED, { type: 'query' }),
    'of noise': () => Buffer.from('noise, and long enough to hold a header'),
  }
  it.each(Object.entries(forgeries))('%s', async (_what, forge) => {
    const scripts = [
      {
        udp: (query: Buffer) => [forge(query), reply(query, GOOD)],
        tcp: (query: Buffer) => reply(query, GOOD),
      },
    ]
    await withServers(scripts, async ({ dns }) => {
      expect(addresses(await ask('www.example.com'))).toEqual([GOOD])
      expect((await events(dns, 'stray')) + (await events(dns, 'recased'))).toBe(1)
    })
  })

  it('from another sender', async () => {
    const forger = createSocket('udp4')
    forger.bind(0, '127.0.0.99')
    await once(forger, 'listening')
    const udp: Script = (query, peer) => {
      forger.send(reply(query, FORGED), peer.port, peer.address)
      return []
    }
    const isForged = async () => {
      expect((await ask('www.example.com'))?.rcode).toBe('SERVFAIL')
    }
    await withServers([{ udp }], isForged, {}, BRIEFLY)
    forger.close()
  })

  it('with records beside the answer: they are neither passed on nor remembered', async () => {
    const bank = { type: 'A', name: 'bank.example', data: FORGED, ttl: 9999 } as const
    const udp: Script = (query) => {
      const asksBank = dnsPacket.decode(query).questions?.[0]?.name.toLowerCase() === 'bank.example'
      return [
        asksBank
          ? reply(query, GOOD)
          : reply(query, GOOD, { additionals: [bank], authorities: [bank] }),
      ]
    }
    await withServers([{ udp }], async () => {
      expect((await ask('www.example.com'))?.additionals).toEqual([])
      expect(addresses(await ask('bank.example'))).toEqual([GOOD])
    })
  })

  it('with names of our zone', async () => {
    const udp: Script = (query) => [
      reply(query, GOOD, {
        answers: [{ type: 'A', name: `web.${ZONE}`, data: FORGED, ttl: 9999 }],
      }),
    ]
    await withServers([{ udp }], async ({ dns }) => {
      expect((await ask('www.example.com'))?.rcode).toBe('SERVFAIL')
      expect(await events(dns, 'ours')).toBe(TRIES)
      expect(addresses(await ask(`web.${ZONE}`))).toEqual([GUEST])
    })
  })
})

describe('every question outside', () => {
  it('goes out from another port with another id and letter case', async () => {
    await withServers([{ udp: (query) => [reply(query, GOOD)] }], async ({ servers }) => {
      for (let index = 0; index < 20; index += 1) await ask(`www-${index}.example.com`)
      const [server] = servers
      expect(server?.asked).toHaveLength(20)
      expect(new Set(server?.peers.map(({ port }) => port)).size).toBeGreaterThan(15)
      expect(new Set(server?.asked.map((query) => query.readUInt16BE(0))).size).toBeGreaterThan(15)
      const tails = server?.asked.map((query) => query.toString('latin1').slice(-40, -16))
      expect(new Set(tails).size).toBeGreaterThan(15)
    })
  })

  it('is not asked at all when it is about our zone or our addresses', async () => {
    await withServers([{ udp: (query) => [reply(query, FORGED)] }], async ({ servers }) => {
      for (const name of [ZONE, `nobody.${ZONE}`, '9.9.31.172.in-addr.arpa', 'x.localhost'])
        expect((await ask(name))?.rcode).toMatch(/NXDOMAIN|NOERROR/)
      expect(servers[0]?.asked).toEqual([])
    })
  })

  it('goes out for a name below .local', async () => {
    const answer = (query: Buffer) => [reply(query, GOOD)]
    await withServers([{ udp: answer }], async ({ servers }) => {
      expect((await ask('files.corp.local'))?.rcode).toBe('NOERROR')
      expect(servers[0]?.asked).toHaveLength(1)
    })
  })

  it('is asked once, however many ask it at the same time', async () => {
    await withSilence(async ({ dns, servers }) => {
      const answers = Promise.all(Array.from({ length: 20 }, () => ask('same.example.com')))
      await eventually('all have joined', async () => (await events(dns, 'joined')) === 19)
      expect((await answers).every((one) => one?.rcode === 'SERVFAIL')).toBe(true)
      expect(servers[0]?.asked.length).toBe(TRIES)
    })
  })
})

describe('a server that fails', () => {
  it('by silence costs SERVFAIL within the deadline, and the failure is remembered', async () => {
    await withSilence(async ({ servers }) => {
      const startMs = performance.now()
      expect((await ask('www.example.com'))?.rcode).toBe('SERVFAIL')
      expect(performance.now() - startMs).toBeLessThan(TRIES * TIMEOUT_MS + BUSY_MS)
      expect((await ask('www.example.com'))?.rcode).toBe('SERVFAIL')
      expect(servers[0]?.asked).toHaveLength(TRIES)
    })
  })

  it('by silence is asked last from then on', async () => {
    await withServers(
      [{ udp: () => [] }, { udp: (query) => [reply(query, GOOD)] }],
      async ({ servers }) => {
        expect(addresses(await ask('one.example.com'))).toEqual([GOOD])
        expect(addresses(await ask('two.example.com'))).toEqual([GOOD])
        expect(servers.map(({ asked }) => asked.length)).toEqual([1, 2])
      },
      {},
      { timeoutMs: 2_000 },
    )
  })

  it('by silence, by UDP and by TCP, delays no name of our own', async () => {
    const truncated = (query: Buffer) => [reply(query, GOOD, { flags: 0x0380, answers: [] })]
    const silent = { udp: () => [] }
    const silentByTcp = { udp: truncated, tcp: () => null }
    for (const server of [silent, silentByTcp])
      await withServers(
        [server],
        async ({ dns, servers }) => {
          const waiting = Array.from({ length: 10 }, (_, n) => ask(`w-${n}.example.com`, 60_000))
          await eventually('they wait', () => (servers[0]?.asked.length ?? 0) >= 10)
          for (let n = 0; n < 20; n += 1)
            expect(addresses(await ask(`web.${ZONE}`))).toEqual([GUEST])
          expect((await ask('1.0.31.172.in-addr.arpa'))?.rcode).toBe('NXDOMAIN')
          // Nobody has given up meanwhile.
          expect(await metric(dns.metrics, 'atoll_dns_forward_outstanding')).toBe(10)
          void Promise.all(waiting)
        },
        {},
        { timeoutMs: 300_000 },
      )
  })

  it.each([
    ['SERVFAIL', 2],
    ['REFUSED', 5],
  ])('by %s leaves it to the next', async (_what, rcode) => {
    await withServers(
      [
        { udp: (query) => [reply(query, GOOD, { flags: 0x0180 | rcode, answers: [] })] },
        { udp: (query) => [reply(query, GOOD)] },
      ],
      async () => expect(addresses(await ask('www.example.com'))).toEqual([GOOD]),
    )
  })

  it('by knowing no EDNS is asked plainly', async () => {
    const udp: Script = (query) => {
      const hasOpt = (dnsPacket.decode(query).additionals ?? []).length > 0
      return [hasOpt ? reply(query, GOOD, { flags: 0x0181, answers: [] }) : reply(query, GOOD)]
    }
    await withServers([{ udp }], async () =>
      expect(addresses(await ask('www.example.com'))).toEqual([GOOD]),
    )
  })

  it('by cutting its answer is asked by TCP', async () => {
    const udp: Script = (query) => [reply(query, FORGED, { flags: 0x0380 })]
    await withServers([{ udp, tcp: (query) => reply(query, GOOD) }], async () =>
      expect(addresses(await ask('www.example.com'))).toEqual([GOOD]),
    )
  })

  it('by writing names its own way is believed by TCP', async () => {
    const lowered = (query: Buffer) => {
      const asked = dnsPacket.decode(query).questions?.[0]
      const name = asked?.name.toLowerCase() ?? ''
      return reply(query, GOOD, { questions: [{ type: 'A', name }] })
    }
    await withServers([{ udp: (query) => [lowered(query)], tcp: lowered }], async () =>
      expect(addresses(await ask('www.example.com'))).toEqual([GOOD]),
    )
  })
})

describe('limits', () => {
  it('of questions under way hold, for all and for each source, and pass', async () => {
    await withServers(
      [{ udp: () => [] }],
      async ({ dns, servers }) => {
        const answers = await Promise.all(
          Array.from({ length: 30 }, (_, index) => ask(`w-${index}.example.com`)),
        )
        expect(answers.every((one) => one?.rcode === 'SERVFAIL')).toBe(true)
        // Of the ten places one source gets four: never more than half of what is free.
        expect(new Set(servers[0]?.peers.map(({ port }) => port)).size).toBe(4 * TRIES)
        expect(await metric(dns.metrics, 'atoll_dns_forward_outstanding')).toBe(0)
      },
      { maxOutstandingPerSource: 20 },
      { ...BRIEFLY, maxOutstanding: 10 },
    )
  })

  it('of TCP hold: connections, length, and what the zone says goes on', async () => {
    await withServers(
      [{ udp: () => [] }],
      async ({ dns }) => {
        const open = Array.from({ length: 8 }, () =>
          connect({ host: GATEWAY, port: 53, localAddress: GUEST }),
        )
        for (const socket of open) socket.on('error', () => {})
        await eventually(
          'four are ended at once',
          () =>
            open.filter(({ destroyed, readableEnded }) => destroyed || readableEnded).length === 4,
        )
        const kept = open.find(({ destroyed, readableEnded }) => !destroyed && !readableEnded)
        kept?.write(Buffer.from([0xff, 0xff]))
        await eventually('an oversize message ends its connection', () => kept?.destroyed ?? false)
        expect(
          await metric(dns.metrics, 'atoll_dns_queries_total', 'transport="tcp",result="oversize"'),
        ).toBe(1)
        expect(addresses(await ask(`web.${ZONE}`))).toEqual([GUEST])
        for (const socket of open) socket.destroy()
      },
      { maxConnectionsPerSource: 4 },
    )
  })

  it('are answered when another process is to go on, which reads what comes then', async () => {
    const dns = startDns({ forwarders: ['127.0.0.2'], timeoutMs: 60_000 })
    const upstream = createSocket('udp4')
    upstream.bind(53, '127.0.0.2')
    await once(upstream, 'listening')
    await dns.apply(wantWith([GUEST]))
    const first = once(upstream, 'message')
    const waiting = ask('www.example.com')
    const [query, asker] = (await first) as [Buffer, { port: number; address: string }]
    const finished = dns.finish()
    // Nobody reads it here, where there is no other process.
    const others: unknown[] = []
    upstream.on('message', (message) => others.push(message))
    expect(await ask('late.example.com', 500)).toBe(null)
    expect(others).toEqual([])
    upstream.send(reply(query, GOOD), asker.port, asker.address)
    await finished
    expect(addresses(await waiting)).toEqual([GOOD])
    await dns.close()
    upstream.close()
  })

  it('leave nothing waiting when the service closes', async () => {
    const dns = startDns({ forwarders: ['127.0.0.2'], timeoutMs: 60_000 })
    const silent = await scriptedServer('127.0.0.2', () => [])
    await dns.apply(wantWith([GUEST]))
    const waiting = ask('www.example.com', 2000)
    await eventually('asked', () => silent.asked.length === 1)
    const startMs = performance.now()
    await dns.close()
    expect(performance.now() - startMs).toBeLessThan(BUSY_MS)
    await waiting
    await silent.close()
  })
})
