/**
 * An attacker on the network between the hosts reads and changes what instances send each other;
 * and a host that does not encrypt.
 *
 * Before, encryption of the fabric could not be required: unencrypted packets were sent and
 * accepted.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../tools/kit/netns.ts'
import type { FabricFixture } from '../kit/fabric-fixture.ts'
import { addressOf, createFabricFixture } from '../kit/fabric-fixture.ts'
import { reaches } from '../kit/ping.ts'

let fixture: FabricFixture
beforeAll(async () => {
  fixture = await createFabricFixture('vxlan')
})
afterAll(() => fixture.testbed.destroy())

const aliceToDave = () => reaches(fixture.guest('alice'), addressOf('dave'))

async function demand(encryption: 'none' | 'ipsec', ...indices: readonly number[]): Promise<void> {
  for (const index of indices) {
    const host = fixture.host(index)
    host.settings = { ...host.settings, encryption }
    await fixture.pass(index, { restart: true })
  }
}

describe('where IPsec is required and missing', () => {
  it('a host sends nothing in clear, and its own instances reach each other', async () => {
    await eventually('in clear it goes', aliceToDave)
    await demand('ipsec', 0)
    expect(
      await fixture.dropsDuring(0, 'fabric', async () => expect(await aliceToDave()).toBe(false)),
    ).toBeGreaterThan(0)
    expect(await reaches(fixture.guest('alice'), addressOf('bob'))).toBe(true)
  })

  it('it accepts nothing in clear from a peer without the setting', async () => {
    const daveToAlice = () => reaches(fixture.guest('dave'), addressOf('alice'))
    expect(
      await fixture.dropsDuring(0, 'fabric', async () => expect(await daveToAlice()).toBe(false)),
    ).toBeGreaterThan(0)
  })

  it('everything works again once it is no longer required', async () => {
    await demand('none', 0)
    await eventually('in clear it goes', aliceToDave)
  })
})
