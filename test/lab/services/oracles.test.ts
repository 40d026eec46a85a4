/**
 * The running services compared with independent implementations: the packages `dns2` and `dhcp` as
 * clients, which send random requests and decode the answers themselves, and dnsmasq, which serves
 * the same names and must give the same answers.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { join } from 'node:path'
import dhcp from 'dhcp/lib/protocol.js'
import Dns2 from 'dns2'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Host } from '../../../src/host/host.ts'
import { createLinuxHost } from '../../../src/host/linux.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { ipv4, RESOLVER_ADDRESS } from '../../../src/model/addr.ts'
import { GATEWAY_LINK } from '../../../src/model/names.ts'
import { createDhcp } from '../../../src/services/dhcp/dhcp.ts'
import { MESSAGE_TYPE } from '../../../src/services/dhcp/packet.ts'
import type { HostService } from '../../../src/services/service.ts'
import { instance, passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { createNetns, eventually, type Netns } from '../../../tools/kit/netns.ts'
import {
  type DnsUnderTest,
  GATEWAY,
  instanceId,
  startDns,
  VPC_RESOLVER,
  wantWith,
  ZONE,
} from '../../kit/dns.ts'
import { createGuest, nicSpecOf } from '../../kit/guest.ts'
import { OPEN_RULES } from '../../kit/open-rules.ts'

const ROOT = join(import.meta.dirname, '../../..')
const QUESTIONS = 300
const MESSAGES = 300
/** So many at once are answered whatever the rate: it is another test's subject. */
const SPEEDUP = 10_000
const fast = { ...systemClock, monotonic: () => systemClock.monotonic() * SPEEDUP }

let space: Netns
let leave: () => void
let host: Host

beforeAll(async () => {
  space = await createNetns('oracles')
  leave = space.enter()
  host = createLinuxHost({ log: silentLog })
  await host.ensureForwarding()
  await host.applyRules(OPEN_RULES)
  await host.ensureGateway(GATEWAY_LINK, [GATEWAY, VPC_RESOLVER, RESOLVER_ADDRESS])
})
afterAll(async () => {
  await host?.close()
  leave?.()
  await space?.destroy()
})

describe('DNS beside dns2 and dnsmasq', () => {
  const OTHER = '127.0.0.3'
  const addresses = [7, 8, 9].map((last) => ipv4(`172.31.0.${last}`))
  const more = Array.from({ length: 30 }, (_, at) => ({
    name: `host-${at}`,
    ip: ipv4(`172.31.1.${at + 1}`),
    primary: true,
  }))
  const want = wantWith(addresses, more)
  let dns: DnsUnderTest

  beforeAll(async () => {
    dns = startDns({}, { queriesPerSecond: 1_000_000 })
    await dns.apply(want)
    const { names } = want.shared
    space.spawn([
      ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--no-resolv', '--no-hosts'],
      ...['--pid-file=', '--user=root', '--bind-interfaces', `--listen-address=${OTHER}`],
      ...[`--local=/${ZONE}/`, '--local=/31.172.in-addr.arpa/', '--local-ttl=30'],
      ...names.map(({ name, ip }) => `--host-record=${name}.${ZONE},${ip}`),
    ])
    const asked = Dns2.UDPClient({ dns: OTHER, timeout: 500 })
    const answers = () =>
      asked(`web.${ZONE}`).then(
        () => true,
        () => false,
      )
    await eventually('dnsmasq answers', answers)
  })
  afterAll(() => dns?.close())

  const known = fc.constantFrom(...want.shared.names.map(({ name }) => `${name}.${ZONE}`))
  const reverse = fc
    .tuple(fc.constantFrom(0, 1, 200), fc.integer({ min: 1, max: 40 }))
    .map(([third, last]) => `${last}.${third}.31.172.in-addr.arpa`)
  const label = fc.stringMatching(/^[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?$/)
  const strange = fc
    .array(label, { minLength: 1, maxLength: 3 })
    .map((all) => `${all.join('.')}.${ZONE}`)
  const below = fc.tuple(label, known).map((parts) => parts.join('.'))
  const anyQuestion = fc
    .record({
      name: fc.oneof({ weight: 3, arbitrary: known }, reverse, strange, below),
      type: fc.constantFrom(
        'A' as const,
        'AAAA' as const,
        'PTR' as const,
        'TXT' as const,
        'MX' as const,
      ),
      upper: fc.array(fc.boolean(), { minLength: 5, maxLength: 40 }),
      transport: fc.constantFrom('udp' as const, 'tcp' as const),
    })
    // Of a way back, dnsmasq says that there is no such name when it is asked for anything else.
    .filter(({ name, type }) => type === 'PTR' || !name.endsWith('.arpa'))
    .map(({ name, upper, ...rest }) => {
      const mixed = [...name].map((letter, at) =>
        upper[at % upper.length] ? letter.toUpperCase() : letter,
      )
      return { ...rest, name: mixed.join('') }
    })
  type Question = typeof anyQuestion extends fc.Arbitrary<infer T> ? T : never

  async function ask(server: string, { name, type, transport }: Question) {
    const client = transport === 'udp' ? Dns2.UDPClient : Dns2.TCPClient
    const { header, answers, questions } = await client({ dns: server })(name, type)
    const values = answers.map((one) =>
      'address' in one ? one.address : 'domain' in one ? one.domain : '',
    )
    return { rcode: header.rcode, asked: questions[0]?.name, values: values.toSorted() }
  }

  it('both say the same, and repeat the question as it was asked', async () => {
    await fc.assert(
      fc.asyncProperty(anyQuestion, async (question) => {
        const ours = await ask(GATEWAY, question)
        const theirs = await ask(OTHER, question)
        expect(ours.asked).toBe(question.name)
        // An address has one way back here; dnsmasq tells all names that it was given for it.
        const isReverse = question.type === 'PTR' && theirs.values.length > 1
        if (isReverse) expect(theirs.values).toEqual(expect.arrayContaining(ours.values))
        expect({ ...ours, asked: '' }).toEqual({
          ...theirs,
          asked: '',
          ...(isReverse ? { values: ours.values } : {}),
        })
      }),
      { numRuns: QUESTIONS },
    )
  })

  it('an instance that shares a name is found by it, and by its own', async () => {
    const { values } = await ask(GATEWAY, { name: `WEB.${ZONE}`, type: 'A', transport: 'udp' })
    expect(values).toEqual([...addresses].toSorted())
    const own = { name: `${instanceId(1)}.${ZONE}`, type: 'A', transport: 'tcp' } as const
    expect((await ask(GATEWAY, own)).values).toEqual([addresses[0]])
  })
})

describe('DHCP beside the package dhcp', () => {
  const one = instance(7)
  const { ip, gateway, mac, hostLink } = nicSpecOf(one)
  const SETTINGS = { leaseSeconds: 3600, mtu: 1400, zone: 'atoll.internal' }
  const asText = (text: string) => text.toUpperCase().replaceAll(':', '-')
  const NOWHERE = '0.0.0.0'
  const OTHER_MAC = '02-00-00-00-00-99'
  let service: HostService
  let guest: Netns
  let socket: Socket | undefined
  const heard: Buffer[] = []

  beforeAll(async () => {
    guest = await createGuest(host, one, { isStatic: true })
    const parts = { clock: fast, metrics: createMetrics(), log: silentLog }
    service = createDhcp({ host, settings: SETTINGS, ...parts })
    await service.apply(passWith(one))
  })
  afterAll(async () => {
    socket?.close()
    await service?.close()
    await guest?.destroy()
    await host?.removeNic(hostLink)
  })

  it('its client gets a lease', async () => {
    // It asks for the address that it had before the offer, which is none: it is told of the new
    // one in time.
    const script = `
      const client = require('dhcp').createClient({ mac: '${asText(mac)}', features: ['hostname'] })
      client.on('message', ({ options, yiaddr }) => { if (options[53] === 2) client._state.address = yiaddr })
      client.on('bound', (state) => { console.log(JSON.stringify(state)); process.exit(0) })
      client.on('error', (error) => { console.log(String(error)); process.exit(1) })
      client.on('listening', () => { client._sock.setBroadcast(true); client.sendDiscover() })
      client.listen(68)`
    const node = ['sh', '-c', `cd ${ROOT} && exec ${process.execPath} -e "$0"`, script]
    const said = await guest.must(node)
    expect(JSON.parse(said)).toMatchObject({
      address: ip,
      server: gateway,
      options: { netmask: told[1], hostname: one.hostname },
    })
  })

  /**
   * In the guest, once its client has ended: of two sockets on one port only one receives what
   * comes.
   */
  async function openSocket(): Promise<void> {
    socket = createSocket({
      type: 'udp4',
      reuseAddr: true,
      lookup: (address, _options, callback) => callback(null, address, 4),
    })
    socket.on('message', (bytes) => heard.push(bytes))
    const listening = once(socket, 'listening')
    // With that look-up the socket is made within the call, and stays where it was made.
    const back = guest.enter()
    socket.bind(68, NOWHERE)
    back()
    await listening
    socket.setBroadcast(true)
  }

  const anyAddress = fc.constantFrom(
    NOWHERE,
    ip,
    gateway,
    '172.31.0.99',
    '203.0.113.5',
    '255.255.255.255',
  )
  const anyMessage = fc.record({
    type: fc.option(fc.integer({ min: 1, max: 9 }), { freq: 20 }),
    op: fc.constantFrom(1, 1, 1, 1, 1, 1, 2),
    xid: fc.nat(0xffff_0000),
    flags: fc.constantFrom(0, 0x8000),
    ciaddr: anyAddress,
    giaddr: fc.oneof({ weight: 8, arbitrary: fc.constant(NOWHERE) }, anyAddress),
    chaddr: fc.constantFrom(asText(mac), asText(mac), asText(mac), OTHER_MAC),
    requested: fc.option(anyAddress),
    server: fc.option(fc.constantFrom(gateway, gateway, '203.0.113.1')),
    features: fc.option(fc.subarray([1, 3, 6, 12, 15, 26, 28, 51, 54, 58, 59], { minLength: 1 })),
    maximum: fc.option(fc.constantFrom(0, 57, 300, 576, 1500, 65_535)),
  })
  type Message = typeof anyMessage extends fc.Arbitrary<infer T> ? T : never

  function written(message: Message): Buffer {
    const { type, requested, server, features, maximum, ...header } = message
    const { _data, _w } = dhcp.format({
      ...{ htype: 1, hlen: 6, hops: 0, secs: 0, yiaddr: NOWHERE, siaddr: NOWHERE },
      ...{ sname: '', file: '', ...header },
      options: {
        ...(type === null ? {} : { 53: type }),
        ...(requested === null ? {} : { 50: requested }),
        ...(server === null ? {} : { 54: server }),
        ...(features === null ? {} : { 55: features }),
        ...(maximum === null ? {} : { 57: maximum }),
      },
    })
    return _data.subarray(0, _w)
  }

  /**
   * What RFC 2131 section 4.3 has a server say that has one address for this client, and none for
   * others.
   */
  function due({ type, op, ciaddr, giaddr, chaddr, requested, server }: Message): string | null {
    if (op !== 1 || giaddr !== NOWHERE || chaddr !== asText(mac)) return null
    if (type === MESSAGE_TYPE.discover) return 'offer'
    if (type === MESSAGE_TYPE.inform) return ciaddr === ip ? 'ack' : null
    if (type !== MESSAGE_TYPE.request || (server !== null && server !== gateway)) return null
    const asked = requested ?? (ciaddr === NOWHERE ? null : ciaddr)
    if (asked === null) return null
    return asked === ip && (ciaddr === NOWHERE || ciaddr === ip) ? 'ack' : 'nak'
  }

  const told: Readonly<Record<number, unknown>> = {
    1: '255.255.240.0',
    3: [gateway],
    6: [gateway, RESOLVER_ADDRESS],
    12: one.hostname,
    15: SETTINGS.zone,
    26: SETTINGS.mtu,
    28: '172.31.15.255',
  }

  function check(message: Message, reply: Buffer): void {
    const theirs = dhcp.parse(reply)
    const kind = due(message)
    expect(reply.length).toBeLessThanOrEqual(Math.max(548, (message.maximum ?? 576) - 28))
    expect(theirs).toMatchObject({ op: 2, xid: message.xid, chaddr: asText(mac), giaddr: NOWHERE })
    expect(theirs.options[53]).toBe(MESSAGE_TYPE[kind as keyof typeof MESSAGE_TYPE])
    expect(theirs.options[54]).toBe(gateway)
    const hasLease = kind !== 'nak' && message.type !== MESSAGE_TYPE.inform
    expect(theirs.yiaddr).toBe(hasLease ? ip : NOWHERE)
    expect(theirs.options[51]).toBe(hasLease ? SETTINGS.leaseSeconds : undefined)
    if (kind === 'nak') return
    for (const [code, value] of Object.entries(told)) {
      const isAsked = message.features?.includes(Number(code)) ?? true
      expect(theirs.options[Number(code)], code).toEqual(isAsked ? value : undefined)
    }
  }

  it('random messages of it are answered as the RFC says, and it decodes each answer as we do', async () => {
    await openSocket()
    const well = {
      op: 1 as const,
      type: MESSAGE_TYPE.discover,
      flags: 0 as const,
      ciaddr: NOWHERE,
      giaddr: NOWHERE,
    }
    const last = { ...well, chaddr: asText(mac), requested: null, server: null, features: null }
    let count = 0
    await fc.assert(
      fc.asyncProperty(anyMessage, async (message) => {
        heard.length = 0
        // What is answered is answered in order: after this one nothing more is to come.
        const xid = 0xffff_0001 + (count++ % 0xfff0)
        const end = written({ ...last, xid, maximum: null })
        for (const bytes of [written(message), end]) socket?.send(bytes, 67, gateway)
        const isOver = () => heard.some((bytes) => bytes.readUInt32BE(4) === xid)
        await eventually('the last is answered', isOver, 10_000)
        const replies = heard.filter((bytes) => bytes.readUInt32BE(4) !== xid)
        expect(replies.length).toBe(due(message) === null ? 0 : 1)
        for (const reply of replies) check(message, reply)
      }),
      { numRuns: MESSAGES },
    )
  })
})
