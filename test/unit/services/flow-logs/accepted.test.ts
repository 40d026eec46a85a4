/** What is new in the connection table, as each NIC sees it. */
import { expect, test } from 'vitest'
import { ipv4 } from '../../../../src/model/addr.ts'
import type { FlowTraffic } from '../../../../src/model/flow.ts'
import { createAcceptedReader } from '../../../../src/services/flow-logs/accepted.ts'

const nic = ipv4('172.31.0.5')
const flow: FlowTraffic = {
  ...{ id: '1', protocol: 6, port: 443, code: 0, sourcePort: 5000 },
  // Masqueraded.
  ...{ source: nic, destination: ipv4('203.0.113.9') },
  ...{ answerFrom: ipv4('203.0.113.9'), answerTo: ipv4('198.51.100.1') },
  ...{ sent: { packets: 5, bytes: 500 }, answered: { packets: 0, bytes: 0 } },
}

test('each end of a connection sees its own address, and what was counted since', () => {
  const read = createAcceptedReader()
  expect(read([], new Set())).toEqual([])
  expect(read([flow], new Set([nic]))).toEqual([
    expect.objectContaining({
      nic,
      direction: 'egress',
      source: nic,
      destinationPort: 443,
      packets: 5,
    }),
  ])
  const more = { ...flow, sent: { packets: 6, bytes: 600 }, answered: { packets: 1, bytes: 60 } }
  expect(
    read([more], new Set([nic])).map(({ direction, source, destination, packets, bytes }) => ({
      ...{ direction, source, destination, packets, bytes },
    })),
  ).toEqual([
    { direction: 'egress', source: nic, destination: '203.0.113.9', packets: 1, bytes: 100 },
    { direction: 'ingress', source: '203.0.113.9', destination: nic, packets: 1, bytes: 60 },
  ])
})

test('what was carried before the first reading, or before a NIC came, is not new', () => {
  const read = createAcceptedReader()
  expect(read([flow], new Set([nic]))).toEqual([])
  const later = (packets: number) => ({ ...flow, sent: { packets, bytes: packets * 100 } })
  expect(read([later(6)], new Set())).toEqual([])
  expect(read([later(8)], new Set([nic]))).toEqual([
    expect.objectContaining({ packets: 2, bytes: 200 }),
  ])
  // The kernel counts in 64 bits; whoever sets a counter to zero makes it begin anew.
  expect(read([later(1)], new Set([nic]))).toEqual([
    expect.objectContaining({ packets: 1, bytes: 100 }),
  ])
})
