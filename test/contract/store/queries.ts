/** The `Store` contract, first part: what goes in comes out, and queries find what they ask for. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

/** Records come back as they were, whatever is in them. */
export function describeRoundTrips(begin: () => Promise<StoreFixture>): void {
  describe('what goes in comes out', () => {
    const fixture = storeFixture(begin)

    it('instances and their NICs, whatever is in them', async () => {
      await fc.assert(
        fc.asyncProperty(
          given.anyInstance(7),
          fc.uniqueArray(fc.constantFrom(given.group.id, given.otherGroup.id)),
          async (instance, groups) => {
            const nic = given.nic(7, { groups, account: instance.account })
            const found = await fixture.store.change(async (tx) => {
              await tx.deleteNics(instance.id)
              await tx.deleteInstance(instance.id)
              await tx.insertInstance(instance)
              await tx.insertNic(nic)
              return { instances: await tx.instances({}), nics: await tx.nics({}) }
            })
            expect(found).toStrictEqual({ instances: [instance], nics: [nic] })
          },
        ),
        { numRuns: 50 },
      )
    })

    it('placed NICs are the NICs of these hosts, each with its host and the name of its instance', async () => {
      const tag = (number: number, key: string, value: string) => ({
        account: given.ACCOUNT,
        resource: given.instance(number).id,
        resourceType: 'instance' as const,
        key,
        value,
      })
      const groups = [given.otherGroup.id, given.group.id]
      const idle = [4, 5, 6, 7].map((number) => given.nic(number))
      const nics = [given.nic(1, { groups }), given.nic(2, { groups: [] }), given.nic(3), ...idle]
      const { hosts, all } = await fixture.store.change(async (tx) => {
        await tx.insertInstance(given.instance(1, { state: 'running' }))
        await tx.insertInstance(given.instance(2, { host: given.OTHER_HOST }))
        await tx.insertInstance(given.instance(3, { state: 'terminated' }))
        // A shared name is for those that serve.
        const others = ['pending', 'stopping', 'stopped', 'shutting-down'] as const
        for (const [index, state] of others.entries())
          await tx.insertInstance(given.instance(4 + index, { state, host: given.OTHER_HOST }))
        for (const nic of nics) await tx.insertNic(nic)
        await tx.putTags([tag(1, 'Name', 'one'), tag(1, 'name', 'no'), tag(2, 'Role', 'two')])
        await tx.putTags([4, 5, 6, 7].map((number) => tag(number, 'Name', 'one')))
        const here = await tx.placedNics({ hosts: [given.HOST] })
        return { hosts: here, all: await tx.placedNics({}) }
      })
      const one = { ...nics[0], host: given.HOST, nameTag: 'one', publicIp: null }
      expect(hosts).toStrictEqual([one])
      expect(all).toStrictEqual([
        one,
        ...[nics[1], ...idle].map((nic) => ({
          ...nic,
          host: given.OTHER_HOST,
          nameTag: null,
          publicIp: null,
        })),
      ])
    })

    it('what a host holds: placed NICs and groups by VPC, images by host, hosts by name', async () => {
      const other = given.nic(2, { vpc: given.farVpc.id, subnet: given.farSubnet.id, groups: [] })
      const kept = given.image(2, {
        location: `atoll://${given.HOST}/container/${given.image(2).id}`,
        host: given.OTHER_HOST,
      })
      const near = `atoll://${given.HOST}x/container/${given.image(3).id}`
      const ids = (rows: readonly { readonly id: string }[]) => rows.map(({ id }) => id)
      await fixture.store.change(async (tx) => {
        await tx.insertVpc(given.farVpc)
        await tx.insertSubnet(given.farSubnet)
        await tx.insertGroup({ ...given.group, id: given.farGroup, vpc: given.farVpc.id })
        await tx.insertInstance(given.instance(1))
        await tx.insertInstance(given.instance(2))
        await tx.insertInstance(given.instance(3, { host: given.OTHER_HOST }))
        for (const nic of [given.nic(1), other, given.nic(3)]) await tx.insertNic(nic)
        await tx.insertImage(given.image(1, { host: given.HOST }))
        await tx.insertImage(kept)
        await tx.insertImage(given.image(3, { location: near, host: given.OTHER_HOST }))
      })
      await fixture.peer.read(async (tx) => {
        const vpcs = [given.vpc.id]
        expect(ids(await tx.placedNics({ vpcs }))).toEqual(ids([given.nic(1), given.nic(3)]))
        const both = { vpcs, hosts: [given.OTHER_HOST] }
        expect(ids(await tx.placedNics(both))).toEqual([given.nic(3).id])
        expect(await tx.placedNics({ vpcs: [] })).toEqual([])
        expect(ids(await tx.groups({ vpcs: [given.farVpc.id] }))).toEqual([given.farGroup])
        expect(ids(await tx.images({ host: given.HOST }))).toEqual(ids([given.image(1), kept]))
        const used = [given.image(3).id, given.image(1).id, given.image(4).id]
        const all = [given.image(1), kept, given.image(3)]
        expect(ids(await tx.images({ host: given.HOST, orIds: used }))).toEqual(ids(all))
        const [peer, ...more] = await tx.peerHosts([given.HOST])
        expect([peer?.name, more]).toEqual([given.HOST, []])
        expect((await tx.peerHosts()).map(({ name }) => name)).toEqual([given.HOST])
        expect(await tx.peerHosts([given.OTHER_HOST])).toEqual([])
      })
    })

    it('a change of an instance sets its fields and no others', async () => {
      await fc.assert(
        fc.asyncProperty(
          given.anyInstance(7),
          given.anyInstanceChange,
          async (instance, change) => {
            const found = await fixture.store.change(async (tx) => {
              await tx.deleteInstance(instance.id)
              await tx.insertInstance(instance)
              await tx.insertInstance({ ...instance, id: given.instance(8).id })
              await tx.updateInstance(instance.id, change)
              const all = await tx.instances({})
              await tx.deleteInstance(given.instance(8).id)
              return all
            })
            expect(found).toStrictEqual([
              { ...instance, ...change },
              { ...instance, id: given.instance(8).id },
            ])
          },
        ),
        { numRuns: 50, examples: [[given.instance(7), {}]] },
      )
    })

    it('accounts with their own quotas, what they have, their users and policies', async () => {
      const own = { status: 'disabled', quotas: { instances: 3, addresses: 0 } } as const
      const user = {
        account: given.ACCOUNT,
        name: 'dev',
        id: `AIDA${'A'.repeat(17)}`,
        createdAt: given.NOW,
      }
      const tags = [{ key: 'k', value: 'v' }]
      const policy = {
        account: given.ACCOUNT,
        owner: 'user/dev',
        kind: 'inline',
        name: 'p',
      } as const
      const key = { id: 'AKIA2', secret: 's', account: given.ACCOUNT, user: 'dev' }
      await fixture.store.change(async (tx) => {
        await tx.changeAccount(given.ACCOUNT, own)
        await tx.insertAccessKey({ ...key, status: 'limited', rights: 'policies' })
        expect(await tx.insertUser(user)).toBe('done')
        expect(await tx.insertUser(user)).toBe('exists')
        await tx.tagUser(user, tags)
        await tx.putIdentityPolicy({ ...policy, document: '{}' })
        await tx.putIdentityPolicy({ ...policy, document: '[]' })
        await tx.putIdentityPolicy({ ...policy, kind: 'managed', document: '' })
        await tx.insertInstance(given.instance(1))
        await tx.insertInstance(given.instance(2, { state: 'terminated' }))
        await tx.insertInstance(given.instance(3, { account: given.OTHER_ACCOUNT }))
      })
      await fixture.peer.read(async (tx) => {
        expect(await tx.account(given.ACCOUNT)).toStrictEqual({ ...given.account, ...own })
        expect(await tx.account('000000000009' as typeof given.ACCOUNT)).toBeUndefined()
        const type = (await tx.instanceTypes()).find(({ name }) => name === given.instance(1).type)
        expect(await tx.accountUsage(given.ACCOUNT)).toStrictEqual({
          ...{ instances: 1, vcpus: type?.vcpus, memoryMiB: type?.memoryMiB, diskGiB: 0 },
        })
        expect(await tx.accessKey('AKIA2')).toMatchObject({
          ...{ status: 'limited', rights: 'policies', accountStatus: 'disabled' },
        })
        expect(await tx.users(given.ACCOUNT)).toStrictEqual([{ ...user, path: null, tags }])
        expect(await tx.users(given.OTHER_ACCOUNT)).toStrictEqual([])
        expect(await tx.identityPolicies(given.ACCOUNT, 'user/dev')).toStrictEqual([
          { ...policy, document: '[]' },
          { ...policy, kind: 'managed', document: '' },
        ])
        expect(await tx.identityPolicies(given.OTHER_ACCOUNT)).toStrictEqual([])
      })
      await fixture.store.change(async (tx) => {
        await tx.deleteIdentityPolicy(policy)
        await tx.deleteUser(user)
        await tx.changeAccount(given.ACCOUNT, { status: 'active', quotas: {} })
        expect(await tx.account(given.ACCOUNT)).toStrictEqual(given.account)
        expect(await tx.identityPolicies(given.ACCOUNT)).toHaveLength(1)
        expect(await tx.user(given.ACCOUNT, 'dev')).toBeUndefined()
      })
    })

    it('accounts, keys, networks, images, key pairs, tokens', async () => {
      const madeKey = { id: 'AKIA1', secret: 's', account: given.ACCOUNT, user: 'admin' }
      const accessKey = {
        ...madeKey,
        status: 'disabled',
        rights: null,
        createdAt: null,
        lastUsedAt: given.NOW,
      }
      await fixture.store.change(async (tx) => {
        await tx.insertAccessKey({ ...madeKey, id: 'AKIA0' })
        expect(await tx.deleteAccessKey('AKIA0')).toBe('done')
        expect(await tx.deleteAccessKey('AKIA0')).toBe('missing')
        await tx.insertAccessKey(madeKey)
        const change = { status: 'disabled', lastUsedAt: given.NOW } as const
        expect(await tx.updateAccessKey('AKIA0', change)).toBe('missing')
        expect(await tx.updateAccessKey('AKIA1', change)).toBe('done')
        expect(await tx.updateAccessKey('AKIA1', change)).toBe('done')
        await tx.insertImage(given.image(1))
        await tx.updateImage(given.image(1).id, {
          state: 'available',
          digest: `sha256:${'ab'.repeat(32)}`,
        })
        await tx.updateImage(given.image(1).id, {})
        await tx.insertKeyPair(given.keyPair(1))
        await tx.insertClientToken(given.clientToken('t'))
      })
      await fixture.peer.read(async (tx) => {
        expect(await tx.accounts()).toStrictEqual([given.account, given.otherAccount])
        expect(await tx.accessKey('AKIA1')).toStrictEqual({ ...accessKey, accountStatus: 'active' })
        expect(await tx.countAccessKeys()).toBe(1)
        expect(await tx.accessKey('akia1')).toBeUndefined()
        expect(await tx.accessKeys(given.ACCOUNT)).toStrictEqual([accessKey])
        expect(await tx.accessKeys(given.OTHER_ACCOUNT)).toStrictEqual([])
        expect(await tx.vpcs({})).toStrictEqual([given.vpc])
        expect(await tx.subnets({})).toStrictEqual([given.subnet, given.otherSubnet])
        expect(await tx.groups({})).toStrictEqual([given.group, given.otherGroup])
        expect(await tx.images({})).toStrictEqual([
          given.image(1, { state: 'available', digest: `sha256:${'ab'.repeat(32)}` }),
        ])
        expect(await tx.keyPairs({ account: given.ACCOUNT })).toStrictEqual([given.keyPair(1)])
        const token = await tx.clientToken(given.ACCOUNT, 'RunInstances', 't')
        expect(token).toStrictEqual(given.clientToken('t'))
      })
    })

    it('the schema brings the instance types', async () => {
      const types = await fixture.store.read((tx) => tx.instanceTypes())
      expect(types).toContainEqual({ name: 't3.micro', vcpus: 2, memoryMiB: 1024, diskGiB: 8 })
      expect(types.map(({ name }) => name)).toStrictEqual(types.map(({ name }) => name).toSorted())
    })
  })
}

/** Restrictions, order, and lists of any length. */
export function describeQueries(begin: () => Promise<StoreFixture>): void {
  describe('queries', () => {
    const fixture = storeFixture(begin)

    it('join fields by AND and members by OR, and an empty list finds nothing', async () => {
      const numbers = Array.from({ length: 12 }, (_, index) => index + 1)
      const all = numbers.map((number) =>
        given.instance(number, {
          account: number % 2 === 0 ? given.ACCOUNT : given.OTHER_ACCOUNT,
          host: number % 3 === 0 ? given.HOST : given.OTHER_HOST,
        }),
      )
      const nics = all.map((instance, index) =>
        given.nic(index + 1, {
          // NICs in another order than their instances, to see that each list has an order of its
          // own.
          id: given.nic(100 - index).id,
          account: instance.account,
          subnet: index % 2 === 0 ? given.subnet.id : given.otherSubnet.id,
          groups: [given.otherGroup.id, given.group.id],
        }),
      )
      await fixture.store.change(async (tx) => {
        for (const instance of all.toReversed()) await tx.insertInstance(instance)
        for (const nic of nics) await tx.insertNic(nic)
      })
      const anyIds = fc.option(
        fc.array(fc.integer({ min: 1, max: 14 }).map((number) => given.instance(number).id)),
        { nil: undefined },
      )
      const anyAccount = fc.constantFrom(undefined, given.ACCOUNT, given.OTHER_ACCOUNT)
      const anyHost = fc.constantFrom(undefined, given.HOST, given.OTHER_HOST)
      const anySubnet = fc.constantFrom(given.subnet.id, given.otherSubnet.id)
      const anyAddresses = fc.subarray(nics.map(({ ip }) => ip))
      await fc.assert(
        fc.asyncProperty(
          anyIds,
          anyAccount,
          anyHost,
          anySubnet,
          anyAddresses,
          async (ids, account, host, subnet, some) => {
            const common = account === undefined ? {} : { account }
            const found = await fixture.store.read(async (tx) => ({
              instances: await tx.instances({
                ...common,
                ...(ids === undefined ? {} : { ids }),
                ...(host === undefined ? {} : { hosts: [host] }),
              }),
              nics: await tx.nics({
                ...common,
                ...(ids === undefined ? {} : { instances: ids }),
              }),
              taken: await tx.takenAddresses(subnet),
              takenOfSome: await tx.takenAddresses(subnet, some),
            }))
            const fits = <Value>(asked: Value | undefined, value: Value) =>
              asked === undefined || asked === value
            expect(found.instances).toStrictEqual(
              all.filter(
                (item) =>
                  (ids?.includes(item.id) ?? true) &&
                  fits(account, item.account) &&
                  fits(host, item.host),
              ),
            )
            expect(found.nics).toStrictEqual(
              nics
                .toReversed()
                .filter(
                  ({ instance, account: of }) =>
                    (ids === undefined || ids.some((one) => one === instance)) && fits(account, of),
                ),
            )
            const taken = nics.filter((item) => item.subnet === subnet).map(({ ip }) => ip)
            expect(new Set(found.taken)).toStrictEqual(new Set(taken))
            expect(new Set(found.takenOfSome)).toStrictEqual(
              new Set(taken.filter((ip) => some.includes(ip))),
            )
          },
        ),
        { numRuns: 60 },
      )
    })

    it('take lists of ids of any length', async () => {
      const ids = Array.from({ length: 5000 }, (_, index) => given.instance(index + 1).id)
      const present = [1, 1024, 1025, 2048, 4999].map((number) => given.instance(number))
      // In another order than their instances: the list of NICs has one of its own.
      const nics = [4999, 1025, 1].map((number, index) =>
        given.nic(number, { id: given.nth('eni', index) }),
      )
      const found = await fixture.store.change(async (tx) => {
        for (const instance of present) await tx.insertInstance(instance)
        for (const nic of nics) await tx.insertNic(nic)
        return {
          instances: await tx.instances({ ids: ids.toReversed() }),
          nics: await tx.nics({ instances: [...ids, ...ids] }),
        }
      })
      expect(found).toStrictEqual({ instances: present, nics })
    })

    it('restrict images, subnets, VPCs and groups too', async () => {
      await fixture.store.change(async (tx) => {
        await tx.insertImage(given.image(1))
        await tx.insertImage(given.image(2, { account: given.OTHER_ACCOUNT }))
      })
      await fixture.store.read(async (tx) => {
        const ids = [given.image(2).id, given.image(9).id]
        expect(await tx.images({ ids })).toHaveLength(1)
        expect(await tx.images({ ids, account: given.ACCOUNT })).toHaveLength(0)
        expect(await tx.images({ ids: [] })).toHaveLength(0)
        expect(await tx.images({ account: given.ACCOUNT })).toStrictEqual([given.image(1)])
        expect(await tx.subnets({ ids: [given.otherSubnet.id] })).toStrictEqual([given.otherSubnet])
        expect(await tx.subnets({ account: given.OTHER_ACCOUNT })).toHaveLength(0)
        expect(await tx.vpcs({ account: given.OTHER_ACCOUNT })).toHaveLength(0)
        expect(await tx.vpcs({ account: given.ACCOUNT })).toStrictEqual([given.vpc])
        expect(await tx.groups({ account: given.OTHER_ACCOUNT })).toHaveLength(0)
      })
    })
  })
}
