/**
 * Flow logs under attack: floods of refused and of accepted flows, a set that is full, names that
 * lead elsewhere, counters that others set.
 *
 * On the old code a flood of one instance filled the set of refused packets for a quarter of an
 * hour, and what was refused to others was neither recorded nor said to be missing; a log group of
 * one account could take the place of another's file; names that lead elsewhere were refused.
 */
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { InstanceWant } from '../../src/model/want.ts'
import { createSink, piecesOf } from '../../src/services/flow-logs/sinks.ts'
import type { Netns } from '../../tools/kit/netns.ts'
import { type FlowLogBed, LOG, OWNER, openFlowLogs, withFlowLogs } from '../kit/flow-logs.ts'
import { account } from '../kit/records.ts'
import { createTestbed, type Testbed, testInstance, testWant } from '../kit/testbed.ts'

const [ALICE, BOB, CAROL] = [testInstance(11, [1]), testInstance(12, [1]), testInstance(13, [2])]
const want = withFlowLogs(testWant(ALICE, BOB, CAROL), [LOG])

let testbed: Testbed
let alice: Netns
let logs: FlowLogBed

beforeAll(async () => {
  testbed = await createTestbed()
  await testbed.pass(want)
  alice = await testbed.plug(ALICE)
  await testbed.plug(BOB)
  await testbed.plug(CAROL)
  logs = await openFlowLogs(testbed.host)
  await logs.apply(want)
  await logs.look(0)
})
afterAll(async () => {
  await logs[Symbol.asyncDispose]()
  await testbed.destroy()
})

function ipOf({ nics: [nic] }: InstanceWant): string {
  return nic?.ip ?? ''
}

/** Datagrams to so many ports. */
const FLOOD = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, int(sys.argv[2])):
    try: out.sendto(b"x", (sys.argv[1], port))
    except OSError: pass
`
const FLOOD_MS = 120_000
async function flood(to: InstanceWant, ports: number): Promise<void> {
  const { exitCode } = await alice.run(['python3', '-c', FLOOD, ipOf(to), `${ports}`], {
    timeoutMs: FLOOD_MS,
  })
  expect(exitCode).toBe(0)
}

/** The interval that has just ended, of protocol UDP and without records. */
async function ended(instance: InstanceWant) {
  const before = (await logs.linesOf(instance)).length
  await logs.look(5000)
  await logs.look(60_000)
  const lines = (await logs.linesOf(instance)).slice(before)
  return {
    udp: lines.filter((line) => line.split(' ')[7] === '17'),
    says: lines.map((line) => line.split(' ').at(-1)),
  }
}

test('a flood of refused packets is limited, and that is said', async () => {
  await flood(CAROL, 20_000)
  const { udp, says } = await ended(CAROL)
  expect(udp.length).toBeGreaterThan(400)
  expect(udp.length).toBeLessThan(6000)
  expect(says.at(-1)).toBe('SKIPDATA')
})

test('a flood of accepted flows is no more lines than the limit, and the other log is whole', async () => {
  await flood(BOB, 20_000)
  await alice.run(['ping', '-c3', '-i0.01', '-W0.3', ipOf(CAROL)])
  const before = (await logs.linesOf(CAROL)).length
  const { udp } = await ended(BOB)
  expect(udp.length).toBeLessThanOrEqual(10_000)
  const lines = (await logs.linesOf(CAROL)).slice(before)
  const pings = lines.filter((line) => line.includes(` ${ipOf(CAROL)} 0 0 1 3 `))
  expect(pings).toHaveLength(1)
  expect(pings[0]).toContain('REJECT OK')
})

test('where the kernel has no room for what is refused, that is said', async () => {
  // A rule of somebody else's puts whatever is sent there.
  const key = 'iifname . ip saddr . ip daddr . meta l4proto . th sport . th dport'
  await testbed.host.applyRules(
    `table inet atoll {
       chain fill {
         type filter hook prerouting priority -600; policy accept;
         meta l4proto udp update @refused_ingress { ${key} counter }
       }
     }\n`,
  )
  await flood(BOB, 9_000)
  await testbed.host.applyRules('delete chain inet atoll fill\n')
  await flood(CAROL, 5)
  const { udp, says } = await ended(CAROL)
  expect([udp, says]).toEqual([[], ['SKIPDATA']])
  await testbed.host.applyRules('flush set inet atoll refused_ingress\n')
})

test('a set that somebody empties is neither a negative nor a huge record', async () => {
  await flood(CAROL, 4)
  await logs.look(5000)
  await testbed.host.applyRules('flush set inet atoll refused_ingress\n')
  await flood(CAROL, 4)
  const { udp } = await ended(CAROL)
  const packets = udp.map((line) => Number(line.split(' ')[8]))
  const sum = packets.reduce((sum, one) => sum + one, 0)
  expect(sum).toBeGreaterThanOrEqual(3)
  expect(sum).toBeLessThanOrEqual(6)
})

/** Writes a line of a group below `inner`. */
async function writeInner(group: string): Promise<void> {
  const log = { ...LOG, destination: { kind: 'files', group } } as const
  const limits = { fileBytes: 1e6, totalBytes: 1e8, accountBytes: 1e8, buckets: null }
  const directory = join(logs.directory, 'inner')
  const sink = createSink({ directory, ...limits }, null, { monotonic: () => 0 })
  const { signal } = new AbortController()
  const batch = { log, at: 0, nics: [{ owner: OWNER, lines: ['line'] }] }
  for (const piece of piecesOf(batch, 'atoll-1')) await sink(piece, signal)
}

test.each(['../../etc', '//etc', '/', 'a/../../b', '..', 'a//b', 'x'.repeat(300)])(
  'a group called %s, whoever wrote it to the records, leads to no other place',
  async (group) => {
    await expect(writeInner(group)).rejects.toThrow('not a file name')
    expect(await readdir(logs.directory)).not.toContain('etc')
  },
)

test('a group that begins with a slash is below the directory, too', async () => {
  await writeInner('/etc')
  expect(await readdir(logs.directory)).not.toContain('etc')
  const written = await readdir(join(logs.directory, 'inner'), { recursive: true })
  expect(written.filter((name) => name.split('/').includes('etc'))).not.toEqual([])
})

test('a group that is called like the file of another account’s interface is in nobody’s way', async () => {
  const limits = { fileBytes: 1e6, totalBytes: 1e8, accountBytes: 1e8, buckets: null }
  const sink = createSink({ directory: logs.directory, ...limits }, null, { monotonic: () => 0 })
  const { signal } = new AbortController()
  const write = async (of: string, group: string) => {
    const log = { ...LOG, destination: { kind: 'files', group } } as const
    const owner = { ...OWNER, account: of as typeof account }
    const nics = [{ owner, lines: [of] }]
    for (const piece of piecesOf({ log, at: 0, nics }, 'atoll-1')) await sink(piece, signal)
  }
  const victim = `${OWNER.nic}-all`
  await write('000000000002', `web/${victim}`)
  await write(account, 'web')
  const file = join(logs.directory, account, 'web', victim)
  expect(await readFile(file, 'utf8')).toBe(`${account}\n`)
})
