/** The `Store` contract: roles, instance profiles, own policies, and users who move. */
import { describe, expect, it } from 'vitest'
import type { InstanceProfile, OwnPolicy, Role } from '../../../src/model/account-records.ts'
import { INSTANCE_OPTIONS } from '../../../src/model/instance-options.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const OF = { account: given.ACCOUNT, createdAt: given.NOW }
const ROLE: Role = {
  ...{ ...OF, name: 'web', id: 'AROAAAAAAAAAAAAAAAAAA', path: '/team/', trust: '{}' },
  ...{ description: 'd', maxSessionSeconds: 3600, tags: [{ key: 'k', value: 'v' }] },
}
const PROFILE: InstanceProfile = {
  ...{ ...OF, name: 'web', id: 'AIPAAAAAAAAAAAAAAAAAA', path: '/', role: 'web', tags: [] },
}

/** What instances get, and who is told. */
export function describeRoles(begin: () => Promise<StoreFixture>): void {
  describe('roles', () => {
    const fixture = storeFixture(begin)

    it('are read as they were written, with the profiles that have them', async () => {
      const outcomes = await fixture.store.change(async (tx) => [
        await tx.insertRole(ROLE),
        await tx.insertRole(ROLE),
        await tx.insertInstanceProfile(PROFILE),
        await tx.insertInstanceProfile(PROFILE),
      ])
      expect(outcomes).toEqual(['done', 'exists', 'done', 'exists'])
      await fixture.peer.read(async (tx) => {
        expect(await tx.roles(given.ACCOUNT)).toEqual([ROLE])
        expect(await tx.role(given.ACCOUNT, 'web')).toEqual(ROLE)
        expect(await tx.role(given.ACCOUNT, 'WEB')).toBeUndefined()
        expect(await tx.instanceProfiles(given.ACCOUNT)).toEqual([PROFILE])
        const { account, name, id, path } = PROFILE
        expect(await tx.profileRoles([id])).toEqual([
          { account, name, id, path, role: 'web', roleId: ROLE.id, trust: '{}' },
        ])
        expect(tx.unreadable()).toEqual([])
      })
      await fixture.store.change(async (tx) => {
        await tx.updateRole(ROLE, { description: 'e', tags: [] })
        await tx.updateInstanceProfile(PROFILE, { role: null })
        await tx.deleteRole({ account: given.ACCOUNT, name: 'other' })
      })
      await fixture.peer.read(async (tx) => {
        expect(await tx.role(given.ACCOUNT, 'web')).toEqual({ ...ROLE, description: 'e', tags: [] })
        expect(await tx.profileRoles([PROFILE.id])).toMatchObject([{ role: null, roleId: null }])
      })
    })

    it('concern the hosts of the instances that have them', async () => {
      const profile = { association: given.nth('iip-assoc', 1), id: PROFILE.id, since: given.NOW }
      const arn = `arn:aws:iam::${given.ACCOUNT}:instance-profile/web`
      const options = { ...INSTANCE_OPTIONS, profile: { ...profile, arn } }
      await fixture.store.change(async (tx) => {
        await tx.insertRole(ROLE)
        await tx.insertInstanceProfile(PROFILE)
        await tx.insertInstance({ ...given.instance(1), options })
        await tx.insertInstance(given.instance(2))
      })
      const told = (work: Parameters<typeof fixture.store.change>[0]) =>
        fixture.store.change(async (tx) => {
          await work(tx)
          return tx.touched()
        })
      const host = [{ kind: 'host', host: given.HOST }]
      expect(await told((tx) => tx.updateRole(ROLE, { trust: '{"a":1}' }))).toEqual(host)
      expect(await told((tx) => tx.updateRole(ROLE, { description: 'e' }))).toEqual([])
      expect(await told((tx) => tx.updateInstanceProfile(PROFILE, { role: null }))).toEqual(host)
      expect(await told((tx) => tx.updateInstanceProfile(PROFILE, { tags: [] }))).toEqual([])
      expect(await told((tx) => tx.deleteInstanceProfile(PROFILE))).toEqual(host)
      const { id } = given.instance(2)
      expect(await told((tx) => tx.associateProfile(id, options))).toEqual(host)
      const [found] = await fixture.peer.read((tx) => tx.instances({ ids: [id] }), {
        sees: 'latest',
      })
      expect(found?.options?.profile).toEqual(options.profile)
    })

    it('own policies: the version that counts, all versions, and their end', async () => {
      const policy: OwnPolicy = {
        ...{ ...OF, name: 'own', id: 'ANPAAAAAAAAAAAAAAAAAA', path: '/team/', description: 'd' },
        ...{ tags: [{ key: 'k', value: 'v' }], defaultVersion: 1, lastVersion: 1 },
        updatedAt: given.NOW,
      }
      const first = { ...OF, policy: 'own', version: 1, document: '{"ä":1}' }
      const second = { ...first, version: 2, document: '[]' }
      const outcomes = await fixture.store.change(async (tx) => [
        await tx.insertOwnPolicy(policy),
        await tx.insertOwnPolicy(policy),
        await tx.insertOwnPolicyVersion(first),
        await tx.insertOwnPolicyVersion(second),
        await tx.insertOwnPolicyVersion(second),
        await tx.insertOwnPolicy({ ...policy, account: given.OTHER_ACCOUNT }),
        await tx.insertOwnPolicyVersion({ ...first, account: given.OTHER_ACCOUNT }),
      ])
      expect(outcomes).toEqual(['done', 'exists', 'done', 'done', 'exists', 'done', 'done'])
      const documents = async () =>
        (
          await fixture.peer.read((tx) => tx.ownPolicyDocuments(given.ACCOUNT, ['none', 'own']))
        ).map(({ name, document }) => [name, document])
      expect(await documents()).toEqual([['own', first.document]])
      const change = { defaultVersion: 2, lastVersion: 2, tags: [] }
      await fixture.store.change((tx) => tx.updateOwnPolicy(policy, change))
      expect(await documents()).toEqual([['own', '[]']])
      await fixture.store.change((tx) => tx.deleteOwnPolicyVersion(first))
      await fixture.peer.read(async (tx) => {
        expect(await tx.ownPolicies(given.ACCOUNT)).toEqual([{ ...policy, ...change }])
        expect(await tx.ownPolicyVersions(policy)).toEqual([second])
      })
      await fixture.store.change((tx) => tx.deleteOwnPolicy(policy))
      await fixture.peer.read(async (tx) => {
        expect(await tx.ownPolicy(given.ACCOUNT, 'own')).toBeUndefined()
        expect(await tx.ownPolicyVersions(policy)).toEqual([])
        expect(await tx.ownPolicy(given.OTHER_ACCOUNT, 'own')).toMatchObject({ path: '/team/' })
      })
    })

    it('and users keep keys and policies when they move', async () => {
      const user = { ...OF, name: 'dev', id: 'AIDAAAAAAAAAAAAAAAAAA' }
      const tags = [{ key: 'k', value: 'v' }]
      const policy = { kind: 'managed', name: 'arn:p', document: '' } as const
      const key = { id: 'AKIAUSERSKEY', secret: 's', account: given.ACCOUNT, user: 'dev' }
      const outcomes = await fixture.store.change(async (tx) => {
        await tx.insertUser({ ...user, tags })
        await tx.insertUser({ ...user, name: 'other', path: '/team/' })
        await tx.insertAccessKey(key)
        await tx.putIdentityPolicy({ ...policy, account: given.ACCOUNT, owner: 'user/dev' })
        return [
          await tx.moveUser(user, { name: 'other', path: '/' }),
          await tx.moveUser(user, { name: 'ops', path: '/x/' }),
        ]
      })
      expect(outcomes).toEqual(['exists', 'done'])
      await fixture.peer.read(async (tx) => {
        expect(await tx.user(given.ACCOUNT, 'dev')).toBeUndefined()
        expect(await tx.user(given.ACCOUNT, 'ops')).toEqual({
          ...{ ...user, name: 'ops', path: '/x/', tags },
        })
        expect(await tx.identityPolicies(given.ACCOUNT, 'user/ops')).toHaveLength(1)
        const found = await tx.accessKey(key.id)
        expect(found).toMatchObject({ user: 'ops', userPath: '/x/', userId: user.id })
      })
    })
  })
}
