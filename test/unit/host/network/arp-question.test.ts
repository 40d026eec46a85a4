/** The question and its answer, as bytes. The lab has the kernel's. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { arpRequest, isArpReply } from '../../../../src/host/network/arp-question.ts'
import { ipv4, macFromRandom } from '../../../../src/model/addr.ts'

const MAC = macFromRandom(new Uint8Array(5).fill(1))
const asked = { mac: MAC, ip: ipv4('172.31.0.7'), gateway: ipv4('172.31.0.1') }
const bytes = (hex: string) => Buffer.from(hex.replaceAll(/[ :]/g, ''), 'hex')
const REPLY = `0001 0800 06 04 0002 ${MAC} ac1f0007 fe0000000001 ac1f0001`

it('asks as the gateway', () => {
  expect(arpRequest('fe:00:00:00:00:01', asked)).toEqual(
    bytes('0001 0800 06 04 0001 fe0000000001 ac1f0001 000000000000 ac1f0007'),
  )
})

it.each([
  ['the answer', REPLY, true],
  ['the answer with the padding of its frame', `${REPLY} 0000 0000`, true],
  ['a question', REPLY.replace('0002', '0001'), false],
  ['another address', REPLY.replace('ac1f0007', 'ac1f0008'), false],
  ['another station', REPLY.replace(MAC, '0a0000000001'), false],
  ['another network', REPLY.replace('0800', '86dd'), false],
  ['half of it', REPLY.slice(0, 40), false],
  ['nothing', '', false],
])('of %s says %j: %j', (_what, hex, isAnswer) => {
  expect(isArpReply(bytes(hex), asked)).toBe(isAnswer)
})

it('takes no noise for it', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (noise) => !isArpReply(noise, asked)))
})
