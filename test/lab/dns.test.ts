/**
 * The resolver as an instance sees it: real sockets on the gateway's addresses, dig in a guest's
 * namespace, dnsmasq outside.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ipv4, RESOLVER_ADDRESS } from '../../src/model/addr.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'
import {
  type DnsUnderTest,
  GATEWAY,
  instanceId,
  metric,
  startDns,
  VPC_RESOLVER,
  wantWith,
  ZONE,
} from '../kit/dns.ts'

const GUEST = ipv4('172.31.0.7')
const STRANGER = ipv4('172.31.0.66')
const UPSTREAM = '127.0.0.2'
const MANY_NAMES = Array.from({ length: 200 }, (_, index) => ({
  name: 'many',
  ip: ipv4(`172.31.4.${index}`),
  primary: false,
}))

let host: Netns
let guest: Netns
let leave: () => void = () => {}
let dns: DnsUnderTest

/** dig in the guest, asked once. */
async function dig(...argv: readonly string[]) {
  const server = argv.some((one) => one.startsWith('@')) ? [] : [`@${GATEWAY}`]
  const { stdout } = await guest.run(['dig', '+time=20', '+tries=1', ...server, ...argv])
  const section = (name: string) =>
    (stdout.split(`;; ${name} SECTION:\n`)[1]?.split('\n\n')[0] ?? '').split('\n').filter(Boolean)
  return {
    stdout,
    status: /status: (\w+)/.exec(stdout)?.[1] ?? 'none',
    flags: /;; flags: ([^;]*);/.exec(stdout)?.[1]?.split(' ') ?? [],
    answers: section('ANSWER').map((line) => line.split(/\s+/).slice(3).join(' ')),
    ttls: section('ANSWER').map((line) => Number(line.split(/\s+/)[1])),
    authority: section('AUTHORITY'),
  }
}

beforeAll(async () => {
  host = await createNetns('dns-host')
  guest = await createNetns('dns-guest')
  await host.must([
    'ip',
    'link',
    'add',
    'at-h',
    'type',
    'veth',
    'peer',
    'name',
    'eth0',
    'netns',
    `${guest.pid}`,
  ])
  await host.must(['ip', 'address', 'add', `${GATEWAY}/20`, 'dev', 'at-h'])
  for (const address of [VPC_RESOLVER, RESOLVER_ADDRESS])
    await host.must(['ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
  await host.must(['ip', 'link', 'set', 'at-h', 'up'])
  for (const address of [GUEST, STRANGER])
    await guest.must(['ip', 'address', 'add', `${address}/20`, 'dev', 'eth0'])
  await guest.must(['ip', 'link', 'set', 'eth0', 'up'])
  await guest.must(['ip', 'route', 'add', 'default', 'via', GATEWAY, 'src', GUEST])
  host.spawn([
    'dnsmasq',
    '--keep-in-foreground',
    '--conf-file=/dev/null',
    '--no-resolv',
    '--no-hosts',
    '--pid-file=',
    `--listen-address=${UPSTREAM}`,
    '--bind-interfaces',
    '--auth-ttl=60',
    '--local-ttl=60',
    '--address=/www.example.com/192.0.2.80',
    '--local=/example.com/',
    '--ptr-record=9.2.0.192.in-addr.arpa,ptr.example.com',
    ...Array.from(
      { length: 100 },
      (_, index) => `--host-record=big.example.net,198.51.100.${index}`,
    ),
    // What an outside that wants to be us would say.
    `--address=/evil.${ZONE}/203.0.113.66`,
    `--cname=lure.example.net,evil.${ZONE}`,
    '--user=root',
  ])
  leave = host.enter()
  dns = startDns({ forwarders: [UPSTREAM, GATEWAY] }, { queriesPerSecond: 500 })
  await dns.apply(wantWith([GUEST], MANY_NAMES))
  await eventually('dnsmasq answers', async () => {
    const { stdout } = await host.run([
      'dig',
      `@${UPSTREAM}`,
      '+time=1',
      '+tries=1',
      '+short',
      'www.example.com',
    ])
    return stdout.includes('192.0.2.80')
  })
})

afterAll(async () => {
  await dns?.close()
  leave()
  await guest?.destroy()
  await host?.destroy()
})

it.each([GATEWAY, VPC_RESOLVER, RESOLVER_ADDRESS])(
  'the host itself gets an answer at %s',
  async (address) => {
    const query = ['dig', `@${address}`, '+time=20', '+tries=1', '+short', `many.${ZONE}`]
    expect((await host.must(query)).split('\n')).toContain('172.31.4.0')
    expect((await host.must([...query, '+tcp'])).split('\n')).toContain('172.31.4.0')
  },
)

describe('dig from an instance', () => {
  it.each([
    ['by UDP', []],
    ['by TCP', ['+tcp']],
    ['without EDNS', ['+noedns']],
    ['with DNSSEC wished for', ['+dnssec']],
    ['with a cookie and padding', ['+cookie', '+padding=64']],
    ['at the link-local address', ['@169.254.169.253']],
    ['at the base plus two', ['@172.31.0.2']],
  ])('%s finds an instance by its id and its Name tag', async (_what, options) => {
    for (const name of [`${instanceId(1)}.${ZONE}`, `WEB.${ZONE}`]) {
      const { status, flags, answers, ttls } = await dig(...options, name)
      expect({ status, answers, ttls }).toEqual({
        status: 'NOERROR',
        answers: [`A ${GUEST}`],
        ttls: [30],
      })
      expect(flags).toEqual(expect.arrayContaining(['qr', 'aa', 'rd', 'ra']))
    }
  })

  it('finds the way back', async () => {
    const { answers, flags } = await dig('-x', GUEST)
    expect(answers).toEqual([`PTR ${instanceId(1)}.${ZONE}.`])
    expect(flags).toContain('aa')
  })

  it.each([
    ['a name that nobody has', [`nobody.${ZONE}`], 'NXDOMAIN', `${ZONE}.`],
    ['an address that nobody has', ['-x', '172.31.9.9'], 'NXDOMAIN', '31.172.in-addr.arpa.'],
    ['a type that the name lacks', [`web.${ZONE}`, 'AAAA'], 'NOERROR', `${ZONE}.`],
  ])('is told no with an SOA for %s', async (_what, argv, expected, apex) => {
    const { status, answers, authority } = await dig(...argv)
    expect({ status, answers }).toEqual({ status: expected, answers: [] })
    expect(authority[0]).toMatch(new RegExp(`^${apex.replaceAll('.', '\\.')}\\s+5\\s+IN\\s+SOA`))
  })

  it('comes back by TCP for what does not fit', async () => {
    const cut = await dig('+ignore', '+bufsize=512', `many.${ZONE}`)
    expect(cut.flags).toContain('tc')
    expect(cut.answers.length).toBeGreaterThan(20)
    expect((await dig(`many.${ZONE}`)).answers).toHaveLength(MANY_NAMES.length)
  })

  it('may send many queries on one connection', async () => {
    const names = Array.from({ length: 20 }, () => `web.${ZONE}`)
    const { stdout } = await dig('+tcp', '+keepopen', '+short', ...names)
    expect(stdout.trim().split('\n')).toEqual(names.map(() => GUEST))
  })

  it.each([
    ['a transfer', ['+tcp', 'AXFR', ZONE]],
    ['class CH', ['-c', 'CH', '-t', 'TXT', 'version.bind']],
  ])('is refused %s', async (_what, argv) => {
    const { stdout, answers } = await dig(...argv)
    expect(stdout).toMatch(/REFUSED|Transfer failed/)
    expect(answers).toEqual([])
  })

  it('is told when its opcode or version is unknown', async () => {
    expect((await dig('+opcode=NOTIFY', ZONE)).status).toBe('NOTIMP')
    expect((await dig('+edns=1', '+noednsnegotiation', ZONE)).status).toBe('BADVERS')
  })
})

describe('names outside', () => {
  it.each([
    ['an address', ['www.example.com'], 'NOERROR', ['A 192.0.2.80']],
    ['by TCP', ['+tcp', 'www.example.com'], 'NOERROR', ['A 192.0.2.80']],
    ['in any letter case', ['wWw.eXAMPLE.com'], 'NOERROR', ['A 192.0.2.80']],
    ['no such name', ['nobody.example.com'], 'NXDOMAIN', []],
    ['a reverse name', ['-x', '192.0.2.9'], 'NXDOMAIN', []],
  ])('are forwarded: %s', async (_what, argv, status, answers) => {
    expect(await dig(...argv)).toMatchObject({ status, answers })
  })

  it('come whole when they are large, and are cut for a small client', async () => {
    expect((await dig('big.example.net')).answers).toHaveLength(100)
    expect((await dig('+ignore', '+noedns', 'big.example.net')).flags).toContain('tc')
  })

  it('are remembered', async () => {
    const before = await metric(dns.metrics, 'atoll_dns_forward_events_total', 'event="asked"')
    for (let again = 0; again < 5; again += 1) await dig('www.example.com')
    expect(await metric(dns.metrics, 'atoll_dns_forward_events_total', 'event="asked"')).toBe(
      before,
    )
  })

  it('are never used for our zone', async () => {
    expect((await dig(`evil.${ZONE}`)).status).toBe('NXDOMAIN')
    // The outside chains from its own name into our zone: what it says about us is not passed on.
    const lured = await dig('lure.example.net')
    expect(lured.stdout).not.toContain('203.0.113.66')
  })
})

describe('who may ask', () => {
  it('nobody but our instances', async () => {
    const before = await metric(
      dns.metrics,
      'atoll_dns_queries_total',
      'transport="udp",result="stranger"',
    )
    for (const transport of ['+notcp', '+tcp'])
      expect((await dig(transport, '-b', STRANGER, '+time=1', `web.${ZONE}`)).status).toBe('none')
    expect(
      await metric(dns.metrics, 'atoll_dns_queries_total', 'transport="udp",result="stranger"'),
    ).toBeGreaterThan(before)
  })

  it('an instance from the pass that brings it to the pass that takes it', async () => {
    await dns.apply(wantWith([GUEST, STRANGER]))
    const { status, answers } = await dig('-b', STRANGER, `web.${ZONE}`)
    expect(status).toBe('NOERROR')
    expect(answers.toSorted()).toEqual([`A ${STRANGER}`, `A ${GUEST}`])
    await dns.apply(wantWith([GUEST], MANY_NAMES))
    expect((await dig('-b', STRANGER, '+time=1', `web.${ZONE}`)).status).toBe('none')
    expect((await dig(`web.${ZONE}`)).answers).toEqual([`A ${GUEST}`])
  })

  it('no instance of a VPC without the resolver (EnableDnsSupport)', async () => {
    const want = wantWith([GUEST, STRANGER])
    const instances = want.local.instances.map((instance) => {
      const nics = instance.nics.map((nic) =>
        nic.ip === STRANGER ? { ...nic, resolver: false as const } : nic,
      )
      return { ...instance, nics }
    })
    await dns.apply({ ...want, local: { ...want.local, instances } })
    expect((await dig('-b', STRANGER, '+time=1', `web.${ZONE}`)).status).toBe('none')
    expect((await dig(`web.${ZONE}`)).status).toBe('NOERROR')
    await dns.apply(wantWith([GUEST], MANY_NAMES))
  })

  it('no instance for more than its share', async () => {
    const flood = `web.${ZONE} A\n`.repeat(3000)
    const { stdout } = await guest.run(
      ['dnsperf', '-s', GATEWAY, '-t', '1', '-q', '1000', '-n', '1'],
      { stdin: flood, timeoutMs: 20_000 },
    )
    const completed = Number(/Queries completed:\s+(\d+)/.exec(stdout)?.[1])
    expect(completed).toBeGreaterThanOrEqual(500)
    expect(completed).toBeLessThan(2900)
  })
})
