/**
 * Security groups and their rules: what is unique, what prevents the deletion of a group, and which
 * write fails first.
 */
import { describe, expect, it } from 'vitest'
import { cidr } from '../../../src/model/addr.ts'
import { parsePeer, type RulePeer } from '../../../src/model/group-rule.ts'
import type { GroupRule } from '../../../src/model/records.ts'
import type { Tx } from '../../../src/store/store.ts'
import { type StoreFixture, storeFixture } from './fixture.ts'
import * as given from './records.ts'

const RACES = 4
const group = { ...given.group, id: given.nth('sg', 7), name: 'joined' }

function rule(number: number, change: Partial<GroupRule> = {}): GroupRule {
  return {
    id: given.nth('sgr', number),
    group: group.id,
    vpc: group.vpc,
    account: group.account,
    egress: false,
    protocol: 6,
    fromPort: 22,
    toPort: 22,
    peer: { kind: 'ipv4', cidr: cidr('10.0.0.0/8') },
    description: 'from the office',
    ...change,
  }
}

function peer(text: string): RulePeer {
  const parsed = parsePeer(text)
  if (parsed === undefined) throw new Error(text)
  return parsed
}

async function isThere(tx: Tx): Promise<boolean> {
  return (await tx.groups({})).some(({ id }) => id === group.id)
}

/** Groups and rules. */
export function describeGroups(begin: () => Promise<StoreFixture>): void {
  describe('security groups', () => {
    const fixture = storeFixture(begin)
    const write = <R>(work: (tx: Tx) => Promise<R>) => fixture.store.change(work)

    it('have rules, each of which is there once', async () => {
      const rules = [
        rule(1),
        rule(2, { peer: peer('2001:db8::/32') }),
        rule(3, { peer: peer(given.group.id) }),
        rule(4, { egress: true }),
        rule(5, { toPort: 23, description: '' }),
        rule(6, { protocol: -1, fromPort: -1, toPort: -1, peer: peer('0.0.0.0/0') }),
        rule(7, { group: given.group.id }),
      ]
      const results = await write(async (tx) => {
        await tx.insertGroup(group)
        const done: string[] = []
        for (const one of rules) done.push(await tx.insertGroupRule(one))
        for (const one of rules)
          done.push(await tx.insertGroupRule({ ...one, id: given.nth('sgr', 99) }))
        done.push(await tx.updateGroupRule(rule(5)))
        done.push(await tx.updateGroupRule(rule(5, { toPort: 24, description: 'and one more' })))
        return done
      })
      expect(results).toEqual([
        ...rules.map(() => 'done'),
        ...rules.map(() => 'exists'),
        'exists',
        'done',
      ])
      const expected = rules.with(4, rule(5, { toPort: 24, description: 'and one more' }))
      await fixture.peer.read(async (tx) => {
        expect(await tx.groupRules({})).toStrictEqual(expected)
        expect(await tx.groupRules({ vpcs: [group.vpc] })).toStrictEqual(expected)
        expect(await tx.groupRules({ groups: [group.id] })).toStrictEqual(expected.slice(0, -1))
        expect(await tx.groupRules({ account: given.OTHER_ACCOUNT })).toEqual([])
        expect(await tx.groupRulesNaming(given.group.id)).toStrictEqual([rules[2]])
      })
      await write(async (tx) => {
        for (const one of rules) await tx.deleteGroupRule(one)
      })
      expect(await fixture.peer.read((tx) => tx.groupRules({}))).toEqual([])
    })

    it('stay while a NIC, a rule of theirs or a rule of another group has them', async () => {
      const naming = rule(1, { group: given.group.id, peer: peer(group.id) })
      const results = await write(async (tx) => {
        await tx.insertGroup(group)
        await tx.insertInstance(given.instance(1))
        await tx.insertNic(given.nic(1, { groups: [given.group.id] }))
        await tx.setNicGroups(given.nic(1), [given.group.id, group.id])
        const done: string[] = [await tx.deleteGroup(group)]
        await tx.setNicGroups(given.nic(1), [given.group.id])
        await tx.insertGroupRule(naming)
        done.push(await tx.deleteGroup(group))
        await tx.deleteGroupRule(naming)
        await tx.insertGroupRule(rule(2))
        done.push(await tx.deleteGroup(group))
        await tx.deleteGroupRule(rule(2))
        done.push(await tx.deleteGroup(group))
        return done
      })
      expect(results).toEqual(['in-use', 'in-use', 'in-use', 'done'])
      expect(await fixture.peer.read((tx) => tx.nics({}))).toEqual([given.nic(1)])
    })

    it('are never both removed and joined, whoever is first', async () => {
      for (let race = 1; race <= RACES; race++) {
        await write(async (tx) => {
          await tx.insertGroup(group)
          await tx.insertInstance(given.instance(race))
          await tx.insertNic(given.nic(race))
        })
        await Promise.allSettled([
          // Seen by an older snapshot, the group is there; then all of it is run again.
          write(async (tx) => {
            if (await isThere(tx)) await tx.setNicGroups(given.nic(race), [group.id])
          }),
          fixture.peer.change((tx) => tx.deleteGroup(group)),
        ])
        await write(async (tx) => {
          const stayed = await isThere(tx)
          const [nic] = await tx.nics({ instances: [given.instance(race).id] })
          expect(nic?.groups).toEqual([stayed ? group.id : given.group.id])
          await tx.deleteNics(given.instance(race).id)
          if (stayed) await tx.deleteGroup(group)
        })
      }
    })
  })
}
