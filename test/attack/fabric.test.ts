/**
 * An attacker on the network between the hosts reads and changes what instances send each other;
 * and a host that does not encrypt.
 *
 * Before, encryption of the fabric could not be required: unencrypted packets were sent and
 * accepted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../tools/kit/netns.ts'
import type { FabricWorld } from '../kit/fabric-fixture.ts'
import { addressOf, createFabricWorld, reaches } from '../kit/fabric-fixture.ts'

let world: FabricWorld
beforeAll(async () => {
  world = await createFabricWorld('vxlan')
})
afterAll(() => world.town.destroy())

const aliceToDave = () => reaches(world.guest('alice'), addressOf('dave'))

async function demand(encryption: 'none' | 'ipsec', ...indices: readonly number[]): Promise<void> {
  for (const index of indices) {
    const host = world.host(index)
    host.settings = { ...host.settings, encryption }
    await world.pass(index, { restart: true })
  }
}

describe('where IPsec is demanded and is not there', () => {
  it('a host sends nothing in clear, and its own instances reach each other', async () => {
    await eventually('in clear it goes', aliceToDave)
    await demand('ipsec', 0)
    expect(
      await world.dropsDuring(0, 'fabric', async () => expect(await aliceToDave()).toBe(false)),
    ).toBeGreaterThan(0)
    expect(await reaches(world.guest('alice'), addressOf('bob'))).toBe(true)
  })

  it('it takes nothing in clear from a peer who forgot', async () => {
    const daveToAlice = () => reaches(world.guest('dave'), addressOf('alice'))
    expect(
      await world.dropsDuring(0, 'fabric', async () => expect(await daveToAlice()).toBe(false)),
    ).toBeGreaterThan(0)
  })

  it('all is as before once it is demanded no more', async () => {
    await demand('none', 0)
    await eventually('in clear it goes', aliceToDave)
  })
})
