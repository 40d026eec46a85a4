import { expect, it } from 'vitest'
import { parseOpenPorts } from '../../../src/operator/doctor-engines.ts'

const HEAD =
  '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode'
const rest = '00000000:00000000 00:00000000 00000000   102        0 17245 1 0 100 0 0 10 0'
const ANY6 = '0'.repeat(32)

it('finds what listens on all addresses, of both families', () => {
  const text = [
    HEAD,
    `   0: 00000000:11D7 00000000:0000 0A ${rest}`,
    `   1: 0100000A:1627 00000000:0000 0A ${rest}`,
    `   2: 00000000:0CEA 0200000A:D431 01 ${rest}`,
    HEAD,
    `   0: ${ANY6}:1111 ${ANY6}:0000 0A ${rest}`,
    `   1: ${ANY6}:11D7 ${ANY6}:0000 0A ${rest}`,
  ].join('\n')
  expect(parseOpenPorts(text)).toStrictEqual([4369, 4567])
})

it('makes nothing of what is no such table', () => {
  for (const text of ['', '\n\n', 'a b c d', ': : : 0A', '0: 00000000:ZZZZ x 0A'])
    expect(parseOpenPorts(text)).toStrictEqual([])
})
