/**
 * Flow logs of real packets: what is accepted and what is refused is recorded at each interface,
 * and a flood of refused packets is neither many lines nor work.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Clock } from '../../src/lib/clock.ts'
import { createMetrics } from '../../src/lib/metrics.ts'
import { DEFAULT_FIELDS, type FlowLogWant } from '../../src/model/flow-log.ts'
import type { InstanceWant } from '../../src/model/want.ts'
import { createFlowLogs } from '../../src/services/flow-logs/flow-logs.ts'
import { createSink } from '../../src/services/flow-logs/sinks.ts'
import type { HostService } from '../../src/services/service.ts'
import { silentLog } from '../../tools/kit/log.ts'
import { eventually, type Netns } from '../../tools/kit/netns.ts'
import { numbered } from '../kit/records.ts'
import { connectUntilAnswered, SERVE_PEER_ADDRESS } from '../kit/talk.ts'
import {
  createTestbed,
  OUTSIDE_ADDRESS,
  type Testbed,
  testInstance,
  testWant,
} from '../kit/testbed.ts'

const LOG: FlowLogWant = {
  id: numbered('fl', 1),
  trafficType: 'ALL',
  destination: { kind: 'files', group: 'all' },
  fields: DEFAULT_FIELDS,
  aggregationSeconds: 60,
}
const logged = (number: number, group: number): InstanceWant => {
  const made = testInstance(number, [group])
  return { ...made, nics: made.nics.map((nic) => ({ ...nic, flowLogs: [LOG] })) }
}
const [ALICE, BOB, CAROL] = [logged(11, 1), logged(12, 1), logged(13, 2)]
const want = testWant(ALICE, BOB, CAROL)

/** A clock whose timers run when the test says so. */
function steppedClock() {
  let nowMs = 1_700_000_000_000
  let due: (() => void)[] = []
  const clock: Pick<Clock, 'now' | 'after'> = {
    now: () => nowMs,
    after: (_ms, run) => {
      due.push(run)
      return () => {
        due = due.filter((one) => one !== run)
      }
    },
  }
  return {
    clock,
    pending: () => due.length,
    step(ms: number) {
      nowMs += ms
      const now = due
      due = []
      for (const run of now) run()
    },
  }
}

let testbed: Testbed
let guests: Record<'alice' | 'bob' | 'carol', Netns>
let directory: string
let service: HostService
const time = steppedClock()

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'atoll-flow-logs-'))
  testbed = await createTestbed()
  await testbed.pass(want)
  guests = {
    alice: await testbed.plug(ALICE),
    bob: await testbed.plug(BOB),
    carol: await testbed.plug(CAROL),
  }
  const settings = { directory, fileBytes: 1e6, totalBytes: 1e8, region: 'atoll-1' }
  service = createFlowLogs({
    ...{ host: testbed.host, clock: time.clock, log: silentLog, metrics: createMetrics() },
    write: createSink(settings, null),
  })
  const signal = new AbortController().signal
  await service.apply({ want, resync: false, signal, log: silentLog })
  // From the first reading on, connections have counters.
  await look(1000)
})
afterAll(async () => {
  await service.close()
  await testbed.destroy()
  await rm(directory, { recursive: true, force: true })
})

/** Lets the service look once, this much later. */
async function look(ms: number): Promise<void> {
  time.step(ms)
  await eventually('it has looked', () => time.pending() > 0)
}

function ipOf({ nics: [nic] }: InstanceWant): string {
  return nic?.ip ?? ''
}

async function linesOf({ nics: [nic] }: InstanceWant): Promise<readonly string[]> {
  const text = await readFile(join(directory, 'all', `${nic?.id}-all`), 'utf8')
  return text.trim().split('\n')
}

/** Source, destination, protocol, packets and action of lines. */
const short = (lines: readonly string[]) =>
  lines.map((line) => {
    const [, , , source, destination, , port, protocol, packets, , , , action] = line.split(' ')
    return { source, destination, port, protocol, packets: Number(packets), action }
  })

test('what passes and what does not is recorded at both ends', async () => {
  const server = guests.bob.spawn(['python3', '-c', SERVE_PEER_ADDRESS])
  await connectUntilAnswered(guests.alice, ipOf(BOB))
  await guests.alice.run(['ping', '-c3', '-i0.01', '-W0.3', ipOf(CAROL)])
  await guests.alice.run(['ping', '-c2', '-i0.01', '-W0.5', OUTSIDE_ADDRESS])
  await look(5000)
  await look(60_000)
  server.kill('SIGKILL')
  const [alice, bob, carol] = await Promise.all([ALICE, BOB, CAROL].map(linesOf))
  const tcp = { protocol: '6', action: 'ACCEPT', packets: expect.any(Number) }
  const [a, b, c] = [ipOf(ALICE), ipOf(BOB), ipOf(CAROL)]
  const there = { source: a, destination: b, port: '7000', ...tcp }
  expect(short(alice ?? [])).toContainEqual(there)
  expect(short(bob ?? [])).toContainEqual(there)
  expect(short(bob ?? [])).toContainEqual({
    source: b,
    destination: a,
    port: expect.any(String),
    ...tcp,
  })
  const refused = {
    source: a,
    destination: c,
    port: '0',
    protocol: '1',
    packets: 3,
    action: 'REJECT',
  }
  // It left its sender: only the other end refused it.
  expect(short(carol ?? [])).toContainEqual(refused)
  expect(short(alice ?? []).filter(({ action }) => action === 'REJECT')).toEqual([])
  const out = { source: a, destination: OUTSIDE_ADDRESS, port: '0', protocol: '1', packets: 2 }
  expect(short(alice ?? [])).toContainEqual({ ...out, action: 'ACCEPT' })
})

const FLOOD = `
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for port in range(1, 20001):
    try: out.sendto(b"x", (sys.argv[1], port))
    except OSError: pass
`

test('a flood of refused packets is limited, and that is said', async () => {
  await guests.alice.must(['python3', '-c', FLOOD, ipOf(CAROL)])
  await look(5000)
  await look(60_000)
  const lines = await linesOf(CAROL)
  const flood = short(lines).filter(({ protocol }) => protocol === '17')
  expect(flood.length).toBeGreaterThan(500)
  expect(flood.length).toBeLessThan(6000)
  expect(lines.at(-1)).toContain('SKIPDATA')
})

test('without flow logs nothing is collected', async () => {
  const bare = testWant(testInstance(11, [1]), testInstance(12, [1]), testInstance(13, [2]))
  await testbed.pass(bare)
  const signal = new AbortController().signal
  await service.apply({ want: bare, resync: false, signal, log: silentLog })
  expect(time.pending()).toBe(0)
  expect(await testbed.machine.must(['nft', 'list', 'table', 'inet', 'atoll'])).not.toContain(
    'refused_',
  )
})
