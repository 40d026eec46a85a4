/** What one interval of a flow log collects, and what it says in the end. */
import { expect, test } from 'vitest'
import { createInterval, type Sighting } from '../../../../src/services/flow-logs/intervals.ts'
import { LOG, OWNER } from '../../../kit/flow-logs.ts'
import { account, numbered } from '../../../kit/records.ts'

const SEEN: Sighting = {
  ...{ source: '172.31.0.5', destination: '172.31.0.9', sourcePort: 40_000, destinationPort: 22 },
  ...{ protocol: 6, packets: 2, bytes: 120, action: 'ACCEPT', direction: 'egress' },
}

test('sightings of one flow are one record, until the interval ends', () => {
  const interval = createInterval(LOG, 1000)
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1010)
  interval.see(OWNER.nic, { ...SEEN, packets: 1, bytes: 40 }, 1030)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 1030)
  interval.see(numbered('eni', 9), SEEN, 1030)
  expect(interval.take(1059)).toBeNull()
  expect(interval.take(1060)?.flatMap(({ lines }) => lines)).toEqual([
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 3 160 1010 1030 ACCEPT OK`,
    `2 ${account} ${OWNER.nic} 172.31.0.5 172.31.0.9 40000 22 6 2 120 1030 1030 REJECT OK`,
  ])
  expect(interval.take(1120)?.flatMap(({ lines }) => lines)).toEqual([
    `2 ${account} ${OWNER.nic} - - - - - - - 1060 1120 - NODATA`,
  ])
})

test('only the wanted traffic is recorded, and what is missing is said', () => {
  const interval = createInterval({ ...LOG, trafficType: 'REJECT' }, 0)
  interval.follow([OWNER])
  interval.see(OWNER.nic, SEEN, 1)
  interval.see(OWNER.nic, { ...SEEN, action: 'REJECT' }, 2)
  interval.skip(OWNER.nic)
  const lines = interval.take(60)?.flatMap((one) => one.lines) ?? []
  expect(lines.map((line) => line.split(' ').slice(-2).join(' '))).toEqual([
    'REJECT OK',
    '- SKIPDATA',
  ])
})

test('a NIC that has left is recorded to the end of the interval, and no more flows than a limit', () => {
  const interval = createInterval(LOG, 0)
  interval.follow([OWNER])
  for (let port = 0; port < 10_005; port++)
    interval.see(OWNER.nic, { ...SEEN, sourcePort: port }, 1)
  interval.follow([])
  const lines = interval.take(60)?.flatMap((one) => one.lines) ?? []
  expect(lines).toHaveLength(10_001)
  expect(lines.at(-1)).toContain('SKIPDATA')
  interval.follow([])
  expect(interval.take(120)).toEqual([])
})
