/**
 * `atoll trace` under attack: what other hosts ask, two at once, other programs that trace, rules
 * that are replaced and instances that end meanwhile.
 *
 * On the old code another host could have any packet sent on any link of this host without looking
 * out for it; events of other programs' traces were taken for the packet's own; a trace that failed
 * on one host kept the others busy for ten seconds; the end of one trace could remove the table of
 * the next; rules that were replaced meanwhile were "no host saw it".
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTracer } from '../../src/api/trace.ts'
import { createLocalBus } from '../../src/bus/local.ts'
import { systemClock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { unavailable } from '../../src/model/errors.ts'
import { nicLinkName } from '../../src/model/names.ts'
import type { TraceAnswer, TraceAsk, TracedPacket, TraceSending } from '../../src/model/trace.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { createFirewall } from '../../src/services/firewall/firewall.ts'
import { createTracing } from '../../src/services/tracing.ts'
import { withoutReplica } from '../../src/store/replica-reads.ts'
import { LONE_FIREWALL } from '../../tools/kit/instance.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { openRecords } from '../kit/cluster-records.ts'
import { hostName, instanceId, instanceRecord, nicRecord } from '../kit/records.ts'
import { createTestbed, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const [ALICE, BOB] = [testInstance(11, [1]), testInstance(12, [1])]
const want = testWant(ALICE, BOB)

let testbed: Testbed
let alice: Netns
let ask: (ask: TraceAsk) => Promise<TraceAnswer>
let lastToken = 0x5000

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  await testbed.plug(BOB)
})
afterAll(() => testbed.destroy())
beforeEach(() => {
  ask = createTracing({ host: testbed.host, clock: systemClock, log: silentLog })
})

function nicOf({ nics: [nic] }: InstanceWant) {
  if (nic === undefined) throw new Error('an instance has a NIC')
  return nic
}
function packetOf(): TracedPacket {
  lastToken += 1
  return { protocol: 'udp', identification: lastToken & 0xffff, token: lastToken }
}
const how = (changes: Partial<TraceSending> = {}): TraceSending => ({
  ...{ link: nicLinkName(nicOf(ALICE).id), from: nicOf(ALICE).mac, network: null },
  ...{ source: nicOf(ALICE).ip, destination: nicOf(BOB).ip, port: 9, code: 0 },
  ...changes,
})
const tables = () => testbed.machine.must(['nft', 'list', 'tables'])
const parts = async (packet: TracedPacket) => (await ask({ do: 'report', packet })).parts

test.each([
  ['the link of another program', { link: 'up0' }],
  ['the loopback', { link: 'lo' }],
  ['a path', { link: '../eth0' }],
  ['a name that is too long', { link: 'at-h00000000000000' }],
  ['no Ethernet address', { from: 'ff:ff' }],
  ['no address', { source: '10.0.0.1; drop' }],
  ['a port that is none', { port: 70_000 }],
])('sends nothing on %s', async (_what, changes) => {
  const packet = packetOf()
  await ask({ do: 'watch', packet, networks: [] })
  await expect(ask({ do: 'send', packet, how: how(changes) })).rejects.toThrow()
  expect((await parts(packet)).every(({ steps }) => steps.length === 0)).toBe(true)
})

test.each([
  ['a token that is rules', { token: '1 drop; flush ruleset' }],
  ['no token', { token: 0 }],
  ['a token that is too large', { token: 2 ** 40 }],
  ['another protocol', { protocol: 'sctp' }],
])('looks out for nothing with %s', async (_what, changes) => {
  const packet = { ...packetOf(), ...changes } as TracedPacket
  await expect(ask({ do: 'watch', packet, networks: [] })).rejects.toThrow()
  expect(await tables()).not.toContain('atoll_trace')
})

test('sends only what was announced, and once', async () => {
  const packet = packetOf()
  await expect(ask({ do: 'send', packet, how: how() })).rejects.toThrow('has ended')
  await ask({ do: 'watch', packet, networks: [1, 1, 2, 60_000] })
  await expect(ask({ do: 'send', packet: packetOf(), how: how() })).rejects.toThrow('has ended')
  await ask({ do: 'send', packet, how: how() })
  await expect(ask({ do: 'send', packet, how: how() })).rejects.toThrow('has been sent')
  await expect(ask({ do: 'report', packet: packetOf() })).rejects.toThrow('has ended')
  expect(await parts(packet)).toHaveLength(1)
})

test('of many at once one is served, and nothing is left', async () => {
  const packets = Array.from({ length: 20 }, packetOf)
  const begun = await Promise.allSettled(
    packets.map((packet) => ask({ do: 'watch', packet, networks: [] })),
  )
  expect(begun.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
  await Promise.allSettled(packets.map((packet) => ask({ do: 'report', packet })))
  expect(await tables()).not.toContain('atoll_trace')
  // The next one has its table although the one before has just ended.
  for (let round = 0; round < 5; round++) {
    const [packet, next] = [packetOf(), packetOf()]
    await ask({ do: 'watch', packet, networks: [] })
    const ended = ask({ do: 'report', packet })
    await ask({ do: 'watch', packet: next, networks: [] })
    await ended
    expect(await tables()).toContain('atoll_trace')
    await ask({ do: 'report', packet: next })
  }
})

test('what other programs trace is not taken for the packet', async () => {
  await testbed.host.applyRules(
    `table ip other {
       chain every { type filter hook prerouting priority -600; policy accept; meta nftrace set 1; }
     }\n`,
  )
  const packet = packetOf()
  await ask({ do: 'watch', packet, networks: [] })
  // More events than are kept.
  await alice.must(['ping', '-c20', '-i0.01', '-W5', nicOf(BOB).ip])
  await ask({ do: 'send', packet, how: how() })
  await alice.must(['ping', '-c20', '-i0.01', '-W5', nicOf(BOB).ip])
  const [own] = await parts(packet)
  const links = new Set(own?.steps.flatMap(({ from, to }) => [from, to]))
  expect(links).toContain(nicLinkName(nicOf(BOB).id))
  expect(links).not.toContain('up0')
  // The answers to the pings go the other way.
  expect(own?.steps.map(({ to }) => to)).not.toContain(nicLinkName(nicOf(ALICE).id))
  expect(own?.steps.length).toBeLessThan(40)
  await testbed.host.applyRules('delete table ip other\n')
})

test('rules that are replaced meanwhile are said, and rules are not mistaken', async () => {
  const packet = packetOf()
  await ask({ do: 'watch', packet, networks: [] })
  await testbed.machine.must(['nft', 'flush', 'chain', 'inet', 'atoll', 'forward'])
  await testbed.pass(want, { resync: true })
  await ask({ do: 'send', packet, how: how() })
  await expect(parts(packet)).rejects.toThrow('were replaced meanwhile')
  // Afterwards: the texts are those of rules that are gone.
  const next = packetOf()
  await ask({ do: 'watch', packet: next, networks: [] })
  await ask({ do: 'send', packet: next, how: how() })
  await alice.must(['ping', '-c1', '-W5', nicOf(BOB).ip])
  await testbed.machine.must(['nft', 'flush', 'chain', 'inet', 'atoll', 'forward'])
  const [own] = await parts(next)
  // The table of the guard has a chain of that name, too.
  const inForward = own?.steps.filter(
    ({ table, chain, rule }) => table === 'inet atoll' && chain === 'forward' && rule !== null,
  )
  expect(inForward?.length).toBeGreaterThan(0)
  for (const { rule } of inForward ?? []) expect(rule).toBe('a rule that is gone')
  await testbed.pass(want, { resync: true })
})

test('an instance that ends meanwhile is an error, and the next trace begins at once', async () => {
  const packet = packetOf()
  await ask({ do: 'watch', packet, networks: [] })
  const gone = { link: 'at-h0123456789a' }
  await expect(ask({ do: 'send', packet, how: how(gone) })).rejects.toThrow('there is no link')
  await parts(packet)
  const next = packetOf()
  await ask({ do: 'watch', packet: next, networks: [] })
  await parts(next)
  expect(await tables()).not.toContain('atoll_trace')
})

/** Traces again and again, and says so. */
const CHILD = `
const [source, ask, how] = process.argv.slice(1)
const { createLinuxHost } = await import(source + '/host/linux.ts')
const { createTracing } = await import(source + '/services/tracing.ts')
const { systemClock } = await import(source + '/lib/clock.ts')
const log = { warn() {}, debug() {}, info() {}, error() {}, child: () => log }
const trace = createTracing({ host: createLinuxHost({ log }), clock: systemClock, log })
for (let token = 1; ; token++) {
  const packet = { ...JSON.parse(ask), token }
  await trace({ do: 'watch', packet, networks: [] })
  await trace({ do: 'send', packet, how: JSON.parse(how) })
  console.log('sent')
  await trace({ do: 'report', packet })
}
`

/** Names of all BPF programs in the kernel (bpf(2), struct bpf_prog_info). */
const PROGRAMS = `
import ctypes, os, platform, struct
call = {"x86_64": 321, "aarch64": 280}[platform.machine()]
libc = ctypes.CDLL(None, use_errno=True)
def bpf(command, *numbers):
    attributes = ctypes.create_string_buffer(struct.pack("IIQ", *numbers), 128)
    return libc.syscall(call, command, attributes, 128), attributes.raw
at = 0
while True:
    result, raw = bpf(11, at, 0, 0)
    if result < 0: break
    at = struct.unpack_from("I", raw, 4)[0]
    fd, _ = bpf(13, at, 0, 0)
    if fd < 0: continue
    info = ctypes.create_string_buffer(128)
    bpf(15, fd, 128, ctypes.addressof(info))
    os.close(fd)
    print(info.raw[64:80].split(b"\\0")[0].decode())
`

test.each([1, 7, 20])('after SIGKILL at trace %i nothing stays', async (sends) => {
  const links = () => testbed.machine.must(['ip', '-o', 'link'])
  const before = (await links()).split('\n').length
  const source = join(import.meta.dirname, '../../src')
  const { token: _token, ...packet } = packetOf()
  let sent = 0
  const args = [source, JSON.stringify(packet), JSON.stringify(how())]
  const child = testbed.machine.spawn(
    [process.execPath, '--input-type=module', '-e', CHILD, ...args],
    (text) => {
      sent += text.split('sent').length - 1
    },
  )
  await eventually('it traces', () => sent >= sends, 60_000)
  const gone = once(child, 'close')
  child.kill('SIGKILL')
  await gone
  const programs = () => testbed.machine.must(['python3', '-c', PROGRAMS])
  await eventually(
    'its program is gone',
    async () => !(await programs()).includes('atoll_inject'),
    30_000,
  )
  expect((await links()).split('\n')).toHaveLength(before)
  // The table goes with the next daemon's first rules, or with the next trace.
  const fresh = createFirewall({
    ...{ host: testbed.host, metrics: createMetrics(), settings: LONE_FIREWALL },
    instanceMemoryMiB: 2048,
  })
  const signal = new AbortController().signal
  await fresh.apply({ want, resync: false, signal, log: silentLog })
  expect(await tables()).not.toContain('atoll_trace')
  await fresh.close()
})

test('a host that does not answer keeps no other host busy', async () => {
  const [here, there] = [hostName('h1'), hostName('h2')]
  const store = await openRecords([here, there])
  await store.change(async (tx) => {
    for (const [at, host] of [here, there].entries()) {
      const id = instanceId(at + 1)
      await tx.insertInstance({ ...instanceRecord(id, host), state: 'running' })
      await tx.insertNic(nicRecord(id, at + 1))
    }
  })
  const asked: string[] = []
  const trace = createTracer({
    store: withoutReplica(store),
    bus: {
      ...createLocalBus(),
      ask: async (host, _question, what) => {
        asked.push(`${host} ${(what as TraceAsk).do}`)
        throw unavailable('it does not answer')
      },
    },
    host: here,
    clock: systemClock,
    random: randomBytes,
    trace: async (what) => {
      asked.push(`${here} ${what.do}`)
      return { parts: [] }
    },
  })
  const question = { from: instanceId(1), to: instanceId(2), what: 'tcp/22' }
  await expect(trace(question)).rejects.toThrow('it does not answer')
  expect(asked).toEqual(['h1 watch', 'h2 watch', 'h1 report', 'h2 report'])
})
