/**
 * VPCs with the same addresses on hosts that share a segment (`fabric.mode: direct`), where packets
 * of the default VPC go as they are: those of the others are wrapped, and nobody else's packets get
 * in.
 */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reaches } from '../kit/ping.ts'
import { createVpcTestbed, type GuestSpec, type VpcTestbed } from '../kit/vpc-testbed.ts'

const RED = { vpc: 'red', at: 0, number: 10 } as const
const RED_FAR = { vpc: 'red', at: 1, number: 12 } as const
const BLUE = { vpc: 'blue', at: 0, number: 10 } as const
const BLUE_ELSEWHERE = { vpc: 'blue', at: 1, number: 14 } as const
const PLAIN = { vpc: 'plain', at: 0, number: 10 } as const
const PLAIN_FAR = { vpc: 'plain', at: 1, number: 12 } as const
const GUEST_SPECS: readonly GuestSpec[] = [RED, RED_FAR, BLUE, BLUE_ELSEWHERE, PLAIN, PLAIN_FAR]

let testbed: VpcTestbed
beforeAll(async () => {
  testbed = await createVpcTestbed('direct', 2, GUEST_SPECS)
})
afterAll(() => testbed?.destroy())

it('each reaches its own on the other host, and no other', async () => {
  expect(await reaches(testbed.guest(RED), '10.0.0.12')).toBe(true)
  expect(await reaches(testbed.guest(RED), '10.0.0.14')).toBe(false)
  expect(await reaches(testbed.guest(BLUE), '10.0.0.14')).toBe(true)
  expect(await reaches(testbed.guest(BLUE), '10.0.0.12')).toBe(false)
  expect(await reaches(testbed.guest(PLAIN), '172.31.0.12')).toBe(true)
})

it('packets too large to be encapsulated are refused, or fragmented', async () => {
  const large = ['-s', '1472']
  expect(await reaches(testbed.guest(RED), '10.0.0.12', ...large, '-M', 'dont')).toBe(true)
  const { stdout } = await testbed
    .guest(RED)
    .run(['ping', '-c1', '-W1', ...large, '-M', 'do', '10.0.0.12'])
  expect(stdout).toMatch(/(?:frag needed|message too long).*mtu ?= ?1450/i)
})

it('only hosts may send encapsulated packets', async () => {
  const { netns } = testbed.host(0)
  const rules = await netns.must(['nft', 'list', 'chain', 'inet', 'atoll', 'input'])
  expect(rules).toContain('udp dport 4789 ip saddr != @peers')
})
