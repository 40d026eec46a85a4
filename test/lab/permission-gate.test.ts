/** Permission to speak in a real kernel: who has it, when it ends, and what removes it. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createNft } from '../../src/host/nftables/nft.ts'
import { openPermissionGate, type PermissionGate } from '../../src/host/nftables/permission-gate.ts'
import { systemRunner } from '../../src/lib/runner.ts'
import { createNetns, eventually, type Netns } from '../../tools/kit/netns.ts'

const LINK = 'at-h0'
const LONG_MS = 60_000
let host: Netns
let guest: Netns
let gate: PermissionGate
let leave: () => void

const passes = async () =>
  (await guest.run(['ping', '-n', '-c', '1', '-W', '0.2', '10.7.0.1'])).exitCode === 0

beforeAll(async () => {
  host = await createNetns('gate-host')
  guest = await createNetns('gate-guest')
  await host.must([
    ...['ip', 'link', 'add', LINK, 'up', 'type', 'veth', 'peer', 'name', 'eth0'],
    ...['netns', `${guest.pid}`],
  ])
  await host.must(['ip', 'address', 'add', '10.7.0.1/24', 'dev', LINK])
  await guest.must(['ip', 'address', 'add', '10.7.0.2/24', 'dev', 'eth0'])
  await guest.must(['ip', 'link', 'set', 'eth0', 'up'])
  leave = host.enter()
  gate = openPermissionGate(createNft(systemRunner).apply)
})

afterAll(async () => {
  gate.close()
  leave()
  await guest.destroy()
  await host.destroy()
})

it('is closed when it is made, for the links that it guards only', async () => {
  expect(() => gate.arm(1, LONG_MS)).toThrow('ENOENT')
  await gate.ensure()
  await eventually('others pass', passes)
  gate.guard({ links: ['at-h9', LINK], addresses: [] })
  expect(await passes()).toBe(false)
  // It is not made twice.
  await gate.ensure()
  gate.guard({ links: [], addresses: [] })
  await eventually('it passes', passes)
  gate.guard({ links: [LINK], addresses: [] })
})

it('opens with a promotion, and closes when that has run out, though nobody lives', async () => {
  gate.arm(1, LONG_MS)
  expect(await passes()).toBe(false)
  let serial = 1
  // On a busy machine it may have run out before it is tried.
  await eventually('it passes', async () => {
    serial += 1
    gate.arm(serial, 4_000)
    gate.promote(serial)
    return await passes()
  })
  await eventually('it closes by itself', async () => !(await passes()))
  // However late, a promotion adds no time.
  gate.promote(serial)
  expect(await passes()).toBe(false)
})

it('takes the newest serial, and none that was not promoted', async () => {
  gate.arm(108, LONG_MS)
  gate.arm(109, LONG_MS)
  expect(await passes()).toBe(false)
  gate.promote(109)
  await eventually('it passes', passes)
  gate.shut()
  expect(await passes()).toBe(false)
})

it('is made again, closed, after somebody has removed everything', async () => {
  gate.promote(109)
  await host.must(['nft', 'flush', 'ruleset'])
  expect(() => gate.arm(110, LONG_MS)).toThrow('ENOENT')
  await gate.ensure()
  gate.guard({ links: [LINK], addresses: [] })
  expect(await passes()).toBe(false)
  gate.arm(111, LONG_MS)
  gate.promote(111)
  await eventually('it passes', passes)
})
