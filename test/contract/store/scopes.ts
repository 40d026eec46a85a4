/** Scopes: what a change touches, whom that concerns, and how a reader learns of it. */
import { describe, expect, it } from 'vitest'
import { FIRST_DRIVERS } from '../../../src/model/driver.ts'
import { ALL_OUT } from '../../../src/model/group-rule.ts'
import type { HostName, VpcId } from '../../../src/model/ids.ts'
import { keptLocation } from '../../../src/model/image-location.ts'
import { announcing } from '../../../src/store/announce.ts'
import { EVERYBODY, ofAll, ofHost, ofVpc, type Scope } from '../../../src/store/scope.ts'
import type { Store, Tx } from '../../../src/store/store.ts'
import { ADDRESS_WRITES } from './addresses.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const LONG_MS = 60_000
const other = { ...given.hostRow, name: given.OTHER_HOST, identity: 'two' }
const otherVpc: VpcId = given.nth('vpc', 2)
const members = (host: HostName, vpc: VpcId = given.vpc.id): Scope => ofVpc(vpc, host)
const nameTag = (value: string) => ({
  account: given.ACCOUNT,
  resource: given.instance(1).id,
  resourceType: 'instance',
  key: 'Name',
  value,
})
const volume = {
  id: given.nth('vol', 1),
  account: given.ACCOUNT,
  host: given.HOST,
  zone: 'atoll-1a',
  instance: null,
  device: '/dev/xvda',
  sizeGiB: 1,
  deleteOnTermination: true,
  state: 'available',
  createdAt: given.NOW,
} as const

async function touchedBy(store: Store, work: (tx: Tx) => Promise<unknown>) {
  let touched: readonly Scope[] | null = null
  let times = 0
  const told = announcing(store, (scopes) => {
    touched = scopes
    times += 1
  })
  await told.change(work)
  expect(times).toBeLessThanOrEqual(1)
  return touched
}

/** Made of an instance on one host that was forgotten, and came back: the other has its record. */
const inherited = given.image(7, {
  host: given.OTHER_HOST,
  location: keptLocation(FIRST_DRIVERS.container, given.HOST, given.image(7).id),
  state: 'available',
})
const inheritedUnused = {
  ...inherited,
  id: given.image(8).id,
  name: 'image-8',
  location: keptLocation(FIRST_DRIVERS.container, given.HOST, given.image(8).id),
  state: 'deregistered' as const,
}

const launch = async (tx: Tx) => {
  await tx.takeCapacity(given.HOST, 1, 1)
  await tx.insertInstance(given.instance(1, { claimed: false }))
  await tx.insertNic(given.nic(1))
}

/** What each write touches, after a launch. */
const WRITES: readonly [string, (tx: Tx) => Promise<unknown>, readonly Scope[] | null][] = [
  ['an account', (tx) => tx.updateAccount(given.ACCOUNT, given.account.metadata), null],
  ['a key pair', (tx) => tx.insertKeyPair(given.keyPair(1)), null],
  ['a client token', (tx) => tx.insertClientToken(given.clientToken('t')), null],
  ['a lease', (tx) => tx.renewLease(given.hostRow, LONG_MS, given.SAID), null],
  ['an image', (tx) => tx.insertImage(given.image(1)), [ofHost(given.HOST)]],
  [
    'an image that is there already',
    async (tx) => {
      await tx.insertImage(given.image(1))
      return await tx.insertImage(given.image(2, { name: 'image-1', host: given.OTHER_HOST }))
    },
    [ofHost(given.HOST)],
  ],
  [
    'an inherited image, which its keeper has, too',
    (tx) => tx.updateImage(inherited.id, { state: 'deregistered' }),
    [ofHost(given.HOST), ofHost(given.OTHER_HOST)],
  ],
  [
    'an inherited image that was just read',
    async (tx) => {
      await tx.images({ ids: [inherited.id] })
      await tx.updateImage(inherited.id, { name: 'renamed' })
    },
    [ofHost(given.HOST), ofHost(given.OTHER_HOST)],
  ],
  [
    'what is said of an inherited image',
    (tx) => tx.updateImage(inherited.id, { stateReason: '10 %' }),
    null,
  ],
  [
    'inherited images that nobody uses any more',
    (tx) => tx.deleteUnusedImages(given.OTHER_HOST, given.NOW),
    [ofHost(given.HOST), ofHost(given.OTHER_HOST)],
  ],
  [
    'images that nobody uses, of which there are none',
    (tx) => tx.deleteUnusedImages(given.HOST, given.NOW),
    null,
  ],
  [
    'a host',
    (tx) => tx.upsertHost(given.hostRow, LONG_MS),
    [ofAll(given.HOST), ofHost(given.HOST)],
  ],
  [
    'the state of a host',
    (tx) => tx.setHostState(given.HOST, 'draining'),
    [ofAll(given.HOST), ofHost(given.HOST)],
  ],
  [
    'the state of a host that is not there',
    (tx) => tx.setHostState('nowhere' as HostName, 'draining'),
    null,
  ],
  ['capacity that is not there', (tx) => tx.takeCapacity(given.HOST, 1000, 1), null],
  [
    'a VPC',
    (tx) =>
      tx.insertVpc({
        ...given.vpc,
        id: otherVpc,
        cidr: { ...given.vpc.cidr, network: '10.0.0.0' as never },
      }),
    [EVERYBODY, ofVpc(otherVpc)],
  ],
  ['a VPC that is in use', (tx) => tx.deleteVpc(given.vpc), null],
  [
    'a subnet that goes',
    (tx) => tx.deleteSubnet(given.otherSubnet),
    [EVERYBODY, ofVpc(given.vpc.id)],
  ],
  ['a subnet that is in use', (tx) => tx.deleteSubnet(given.subnet), null],
  ['what launches go by', (tx) => tx.updateSubnet(given.subnet, { mapPublicIp: true }), null],
  [
    'a group',
    (tx) => tx.insertGroup({ ...given.group, id: given.nth('sg', 9), name: 'new' }),
    [ofVpc(given.vpc.id)],
  ],
  [
    'a rule of a group',
    (tx) =>
      tx.insertGroupRule({
        ...ALL_OUT,
        id: given.nth('sgr', 1),
        group: given.group.id,
        vpc: given.vpc.id,
        account: given.ACCOUNT,
        description: '',
      }),
    [ofVpc(given.vpc.id)],
  ],
  [
    'a group that goes',
    (tx) => tx.deleteGroup({ id: given.otherGroup.id, vpc: given.vpc.id }),
    [ofVpc(given.vpc.id)],
  ],
  ['a group that is in use', (tx) => tx.deleteGroup(given.group), null],
  [
    'the groups of a NIC',
    (tx) => tx.setNicGroups(given.nic(1), []),
    [ofHost(given.HOST), members(given.HOST)],
  ],
  [
    'what an instance is to be',
    (tx) => tx.updateInstance(given.instance(1).id, { wanted: 'stop', state: 'stopping' }),
    [ofHost(given.HOST)],
  ],
  [
    'what was seen of it',
    (tx) => tx.updateInstance(given.instance(1).id, { state: 'running', bootSeen: 1 }),
    null,
  ],
  ['a name', (tx) => tx.putTags([nameTag('web')]), [ofHost(given.HOST), members(given.HOST)]],
  [
    'a name that begins to answer',
    async (tx) => {
      await tx.putTags([{ ...nameTag('web'), account: given.OTHER_ACCOUNT }])
      await tx.updateInstance(given.instance(1).id, { state: 'running' })
    },
    [ofHost(given.HOST), members(given.HOST)],
  ],
  ['another tag', (tx) => tx.putTags([{ ...nameTag('x'), key: 'Team' }]), [ofHost(given.HOST)]],
  [
    'a tag of no instance',
    (tx) => tx.putTags([{ ...nameTag('x'), resource: given.nic(1).id }]),
    null,
  ],
  ['NICs', (tx) => tx.deleteNics(given.instance(1).id), [ofHost(given.HOST), members(given.HOST)]],
  [
    'a claim',
    (tx) => tx.claimInstance(given.instance(1).id, { name: given.HOST, identity: 'one' }),
    [ofHost(given.HOST)],
  ],
  [
    'a claim that is lost',
    (tx) => tx.claimInstance(given.instance(1).id, { name: given.HOST, identity: 'two' }),
    null,
  ],
  [
    'a move',
    (tx) => tx.moveInstance(given.instance(1).id, given.HOST, given.OTHER_HOST),
    [ofHost(given.HOST), ofHost(given.OTHER_HOST), members(given.HOST), members(given.OTHER_HOST)],
  ],
  [
    'a wish for recovery',
    (tx) => tx.wishRecovery(given.instance(1).id, 'recover'),
    [ofHost(given.HOST)],
  ],
  ['the takeover of a host', (tx) => tx.takeEpoch(given.HOST, { from: null, to: 'b' }), null],
  [
    'a takeover of an instance',
    async (tx) => {
      await tx.updateInstance(given.instance(1).id, { claimed: true })
      await tx.wishRecovery(given.instance(1).id, 'recover')
      await tx.acknowledgeRecovery(given.instance(1).id, given.hostRow, 'recover', 'a')
      const to = { to: given.OTHER_HOST, assignment: 'b' }
      return await tx.takeInstance(given.instance(1).id, given.HOST, to)
    },
    [ofHost(given.HOST), ofHost(given.OTHER_HOST), members(given.HOST), members(given.OTHER_HOST)],
  ],
  ...ADDRESS_WRITES,
  ['a volume', (tx) => tx.insertVolume(volume), [ofHost(given.HOST)]],
  [
    'the end of a volume',
    async (tx) => {
      await tx.insertVolume(volume)
      await tx.deleteVolume(volume.id)
    },
    [ofHost(given.HOST)],
  ],
]

/** The part of the contract. */
export function describeScopes(begin: () => Promise<StoreFixture>): void {
  describe('scopes', () => {
    const fixture = storeFixture(begin)
    const generations = async (since = 0) => {
      const of = { host: given.HOST, vpcs: [given.vpc.id] }
      return await fixture.peer.single((tx) => tx.changedScopes(since, of))
    }

    it('of a launch are its host and the members there, each once, and advanced by one', async () => {
      await fixture.store.change((tx) => tx.upsertHost(other, LONG_MS))
      const before = await generations()
      const touched = await touchedBy(fixture.store, async (tx) => {
        await launch(tx)
        await tx.takeCapacity(given.HOST, 1, 1)
        await tx.insertInstance(given.instance(2))
        await tx.insertNic(given.nic(2))
      })
      expect(touched).toStrictEqual([ofHost(given.HOST), members(given.HOST)])
      const after = await generations()
      expect(after.own?.generation).toBe((before.own?.generation ?? 0) + 1)
      expect(after.scopes).toContainEqual({ scope: members(given.HOST), generation: 1 })
      await touchedBy(fixture.peer, (tx) => tx.deleteNics(given.instance(1).id))
      expect((await generations()).scopes).toContainEqual({
        ...{ scope: members(given.HOST), generation: 2 },
      })
    })

    it.each(WRITES)('touched by %s', async (_what, write, expected) => {
      await fixture.store.change((tx) => tx.upsertHost(other, LONG_MS))
      await fixture.store.change(launch)
      await fixture.store.change(async (tx) => {
        for (const image of [inherited, inheritedUnused]) await tx.insertImage(image)
      })
      expect(await touchedBy(fixture.store, write)).toStrictEqual(expected)
    })

    it('are not touched by work that fails, and heard of only when it is committed', async () => {
      let heard = 0
      const failing = announcing(fixture.store, () => (heard += 1)).change(async (tx) => {
        await launch(tx)
        throw new Error('no')
      })
      await expect(failing).rejects.toThrow('no')
      expect(heard).toBe(0)
      expect((await generations()).own?.generation).toBe(1)
    })

    it('of a VPC go some time after it, and those of others stay', async () => {
      const gone = given.nth('vpc', 4)
      const one = {
        ...{ ...given.vpc, id: gone, network: 4, isDefault: false },
        cidr: { ...given.vpc.cidr, network: '10.4.0.0' as never },
      }
      await fixture.store.change((tx) => tx.insertVpc(one))
      await fixture.store.change((tx) => tx.deleteVpc(one))
      const of = { host: given.HOST, vpcs: [gone, given.vpc.id] }
      const seen = async () =>
        (await fixture.peer.single((tx) => tx.changedScopes(0, of))).scopes.map(
          ({ scope }) => scope,
        )
      await fixture.store.change((tx) => tx.deleteGenerationsOfGoneVpcs(LONG_MS))
      const before = await seen()
      expect(before).toContainEqual(ofVpc(gone))
      await fixture.store.change((tx) => tx.deleteGenerationsOfGoneVpcs(-1))
      expect(await seen()).toEqual(
        before.filter((scope) => scope.kind !== 'vpc' || scope.vpc !== gone),
      )
    })

    it('show a reader what changed in its VPCs, and nothing of others', async () => {
      const elsewhere = given.nth('vpc', 3)
      await fixture.store.change((tx) => tx.upsertHost(other, LONG_MS))
      const { nowMs } = await generations()
      const network = { ...given.subnet.cidr, network: '10.1.0.0' as never }
      const subnet = { ...given.subnet, id: given.nth('subnet', 9), vpc: elsewhere, cidr: network }
      await fixture.store.change(async (tx) => {
        await tx.takeCapacity(given.OTHER_HOST, 1, 1)
        await tx.insertInstance(given.instance(3, { host: given.OTHER_HOST }))
        await tx.insertVpc({
          ...given.vpc,
          id: elsewhere,
          cidr: { ...given.vpc.cidr, network: '10.1.0.0' as never },
        })
        // Networks concern everybody.
        await tx.insertSubnet(subnet)
      })
      const before = await generations(nowMs)
      await fixture.store.change((tx) =>
        tx.insertNic(given.nic(3, { vpc: elsewhere, subnet: subnet.id })),
      )
      const after = await generations(nowMs)
      expect(after.scopes).toStrictEqual(before.scopes)
      expect(after.older).toStrictEqual([])
      const theirs = await fixture.peer.single((tx) =>
        tx.changedScopes(nowMs, { host: given.HOST, vpcs: [elsewhere] }),
      )
      expect(theirs.scopes).toContainEqual({
        scope: members(given.OTHER_HOST, elsewhere),
        generation: 1,
      })
      expect(theirs.scopes).toContainEqual({ scope: ofVpc(elsewhere), generation: 1 })
    })

    it('of a VPC alone are shown without those that all go by', async () => {
      await fixture.store.change((tx) => tx.upsertHost(other, LONG_MS))
      await fixture.store.change(launch)
      const kinds = async (all?: boolean) => {
        const of = { host: given.HOST, vpcs: [given.vpc.id], ...(all === undefined ? {} : { all }) }
        const { own, scopes } = await fixture.peer.single((tx) => tx.changedScopes(0, of))
        expect(own?.name).toBe(given.HOST)
        return new Set(scopes.map(({ scope }) => scope.kind))
      }
      expect(await kinds()).toEqual(new Set(['vpc', 'all']))
      expect(await kinds(false)).toEqual(new Set(['vpc']))
    })

    it('are advanced by everybody at once, and no advance is lost', async () => {
      const stores = [fixture.store, fixture.peer]
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          stores[index % 2]?.change(async (tx) => {
            await tx.insertInstance(given.instance(index + 1))
            await tx.insertNic(given.nic(index + 1))
          }),
        ),
      )
      const { own, scopes } = await generations()
      expect(own?.generation).toBe(11)
      expect(scopes).toContainEqual({ scope: members(given.HOST), generation: 10 })
    })
  })
}
