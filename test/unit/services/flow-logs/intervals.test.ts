/** What one interval of a flow log collects, and what it says in the end. */
import { expect, test } from 'vitest'
import { createRoom } from '../../../../src/lib/room.ts'
import { createInterval, type Sighting } from '../../../../src/services/flow-logs/intervals.ts'
import { LOG, OWNER } from '../../../kit/flow-logs.ts'
import { account, instanceId, numbered } from '../../../kit/records.ts'

const SEEN: Sighting = {
  ...{ source: '172.31.0.5', destination: '172.31.0.9', sourcePort: 40_000, destinationPort: 22 },
  ...{ protocol: 6, packets: 2, bytes: 120, action: 'ACCEPT', direction: 'egress' },
}
const ROOM = createRoom(50_000)
/** The monotonic clock began at a time of its own. */
const at = (wall: number) => ({ wall, monotonic: wall + 77 })
const lines = (taken: readonly { readonly lines: readonly string[] }[] | null) =>
  taken?.flatMap((one) => one.lines) ?? null

test('sightings of one flow are one record, until the interval ends', () => {
  const interval = createInterval(LOG, ROOM, at(1000))
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1010)
  interval.see(OWNER.nic, { ...SEEN, packets: 1, bytes: 40 }, 1030)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 1030)
  interval.see(numbered('eni', 9), SEEN, 1030)
  expect(interval.take(at(1059))).toBeNull()
  expect(lines(interval.take(at(1060)))).toEqual([
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 3 160 1010 1030 ACCEPT OK`,
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 2 120 1030 1030 REJECT OK`,
  ])
  expect(lines(interval.take(at(1120)))).toEqual([
    `2 ${account} ${OWNER.nic} - - - - - - - 1060 1120 - NODATA`,
  ])
})

test('only the wanted traffic is recorded, and what is missing is said', () => {
  const interval = createInterval({ ...LOG, trafficType: 'REJECT' }, ROOM, at(0))
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 2)
  interval.skip(OWNER.nic)
  expect(lines(interval.take(at(60)))?.map((line) => line.split(' ').slice(-2).join(' '))).toEqual([
    'REJECT OK',
    '- SKIPDATA',
  ])
})

test('a NIC that has left is recorded to the end of the interval, and no more flows than a limit', () => {
  const interval = createInterval(LOG, ROOM, at(0))
  interval.follow([OWNER])
  for (let port = 0; port < 10_005; port++)
    interval.see(OWNER.nic, { ...SEEN, sourcePort: port }, 1)
  interval.follow([])
  const taken = lines(interval.take(at(60))) ?? []
  expect(taken).toHaveLength(10_001)
  expect(taken.at(-1)).toContain('SKIPDATA')
  interval.follow([])
  expect(interval.take(at(120))).toEqual([])
})

test('NICs share the room of the host, and each has a little in any case', () => {
  const room = createRoom(500)
  const [greedy, modest] = [1, 2].map((number) => ({ ...OWNER, nic: numbered('eni', number) }))
  if (greedy === undefined || modest === undefined) throw new Error('there are two')
  const interval = createInterval(LOG, room, at(0))
  const flood = () => {
    for (let port = 0; port < 2000; port++)
      interval.see(greedy.nic, { ...SEEN, sourcePort: port }, 1)
    for (let port = 0; port < 50; port++) interval.see(modest.nic, { ...SEEN, sourcePort: port }, 1)
  }
  interval.follow([greedy, modest])
  // The room is given back at the end of each interval.
  for (const now of [60, 120]) {
    flood()
    const taken = interval.take(at(now)) ?? []
    expect(taken.map((one) => one.lines.length)).toEqual([601, 50])
    expect(taken[0]?.lines.at(-1)).toContain('SKIPDATA')
  }
  flood()
  expect(interval.end(at(121)).map((one) => one.lines.length)).toEqual([601, 50])
  expect(Array.from({ length: 501 }, () => room.take()).filter(Boolean)).toHaveLength(500)
})

test('a wall clock that jumps neither ends nor stretches an interval, nor does time go back', () => {
  const interval = createInterval(LOG, ROOM, { wall: 5000, monotonic: 0 })
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 5010)
  interval.see(OWNER.nic, SEEN, 1400)
  expect(interval.take({ wall: 99_000, monotonic: 30 })).toBeNull()
  expect(lines(interval.take({ wall: 1450, monotonic: 60 }))).toEqual([
    expect.stringContaining(' 4 240 5010 5010 ACCEPT OK'),
  ])
  expect(lines(interval.take({ wall: 1300, monotonic: 120 }))).toEqual([
    expect.stringContaining(' 1450 1450 - NODATA'),
  ])
})

test('a NIC that becomes another instance’s has records of both', () => {
  const format = { ...LOG, fields: ['instance-id', 'packets'] as const }
  const interval = createInterval(format, ROOM, at(0))
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1)
  const moved = { ...OWNER, instance: instanceId(2) }
  interval.follow([moved])
  interval.see(OWNER.nic, { ...SEEN, packets: 5 }, 2)
  expect(lines(interval.take(at(60)))).toEqual([`${OWNER.instance} 2`, `${moved.instance} 5`])
})
