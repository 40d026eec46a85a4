import type { Reservation } from '@aws-sdk/client-ec2'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createKeyPair } from '../../../../src/api/actions/create-key-pair.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { terminateInstances } from '../../../../src/api/actions/terminate-instances.ts'
import { assignableCount, isAssignable } from '../../../../src/plan/placement.ts'
import {
  ALICE,
  BOB,
  type Cloud,
  everything,
  hostRow,
  NOW_MS,
  openCloud,
  ZONE,
} from '../../../kit/api-cloud.ts'
import { failAt, intercept, losingAnswers } from '../../../kit/failing-store.ts'

const one = (cloud: Cloud, more: object = {}): object => ({
  ImageId: cloud.image,
  InstanceType: 't3.micro',
  MinCount: 1,
  MaxCount: 1,
  ...more,
})

const launch = async (cloud: Cloud, more: object = {}): Promise<Reservation> =>
  await cloud.run(runInstances, one(cloud, more))

async function micro(cloud: Cloud) {
  const type = (await cloud.store.read((tx) => tx.instanceTypes())).find(
    ({ name }) => name === 't3.micro',
  )
  if (type === undefined) throw new Error('there is no t3.micro')
  return type
}

describe('RunInstances', () => {
  it('answers with a pending instance that has all that clients look for', async () => {
    await using cloud = await openCloud()
    const answer = await launch(cloud, {
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'Name', Value: 'web' }] }],
      UserData: Buffer.from('#!/bin/sh').toString('base64'),
    })
    const [instance] = answer.Instances ?? []
    const ip = instance?.PrivateIpAddress ?? ''
    expect(answer).toMatchObject({
      OwnerId: ALICE,
      ReservationId: expect.stringMatching(/^r-[0-9a-f]{17}$/),
    })
    expect(instance).toMatchObject({
      InstanceId: expect.stringMatching(/^i-[0-9a-f]{17}$/),
      State: { Code: 0, Name: 'pending' },
      PrivateDnsName: `${instance?.InstanceId}.atoll.internal`,
      Placement: { AvailabilityZone: ZONE, Tenancy: 'default' },
      Monitoring: { State: 'disabled' },
      SubnetId: cloud.subnet.id,
      VpcId: cloud.vpc.id,
      SecurityGroups: [{ GroupId: cloud.group.id, GroupName: 'default' }],
      SourceDestCheck: true,
      Architecture: 'x86_64',
      BlockDeviceMappings: [],
      LaunchTime: new Date(NOW_MS),
      Tags: [{ Key: 'Name', Value: 'web' }],
      NetworkInterfaces: [
        { PrivateIpAddress: ip, Attachment: { DeviceIndex: 0, Status: 'attached' } },
      ],
    })
    const [nic] = await cloud.store.read((tx) => tx.nics({}))
    expect(nic !== undefined && isAssignable(cloud.subnet.cidr, nic.ip)).toBe(true)
    expect(nic?.ip).toBe(ip)
    const [record] = await cloud.store.read((tx) => tx.instances({}))
    expect(record).toMatchObject({ wanted: 'run', bootCount: 1, bootSeen: 0, host: 'host1' })
    expect(cloud.rung).toEqual(['host1'])
  })

  it('launches as many as fit, none when fewer than MinCount do, and never more than fit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ vcpus: fc.nat(8), memoryMiB: fc.nat(8192) }), {
          minLength: 1,
          maxLength: 3,
        }),
        fc.integer({ min: 1, max: 10 }),
        fc.nat(10),
        async (hosts, MinCount, more) => {
          await using cloud = await openCloud({ hosts })
          const type = await micro(cloud)
          const room = hosts.reduce(
            (sum, { vcpus, memoryMiB }) =>
              sum + Math.floor(Math.min(vcpus / type.vcpus, memoryMiB / type.memoryMiB)),
            0,
          )
          const MaxCount = MinCount + more
          const before = await everything(cloud.store)
          if (room < MinCount) {
            const code = await cloud.refusal(runInstances, one(cloud, { MinCount, MaxCount }))
            expect(code).toBe('InsufficientInstanceCapacity')
            expect(await everything(cloud.store)).toEqual(before)
          } else {
            const { Instances } = await launch(cloud, { MinCount, MaxCount })
            expect(Instances?.length).toBe(Math.min(MaxCount, room))
            expect(Instances?.map(({ AmiLaunchIndex }) => AmiLaunchIndex)).toEqual(
              Instances?.map((_, index) => index),
            )
          }
          for (const row of await cloud.store.read((tx) => tx.hosts())) {
            expect(row.usedVcpus).toBeLessThanOrEqual(row.vcpus)
            expect(row.usedMemoryMiB).toBeLessThanOrEqual(row.memoryMiB)
          }
        },
      ),
      { numRuns: 25 },
    )
  })

  it('keeps within capacity and gives no address twice, whoever asks at the same time', async () => {
    await using cloud = await openCloud({ hosts: [{ vcpus: 20, memoryMiB: 65_536 }] })
    const type = await micro(cloud)
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, () => launch(cloud, { MaxCount: 2 })),
    )
    const done = outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []))
    const launched = done.flatMap(({ Instances }) => Instances ?? [])
    expect(launched.length).toBe(Math.floor(20 / type.vcpus))
    expect(new Set(launched.map(({ PrivateIpAddress }) => PrivateIpAddress)).size).toBe(
      launched.length,
    )
  })

  it('stops at the last address, and says which of the two was short', async () => {
    await using cloud = await openCloud({ subnet: '172.31.0.0/28' })
    const addresses = assignableCount(cloud.subnet.cidr)
    const { Instances } = await launch(cloud, { MaxCount: 50 })
    expect(Instances?.length).toBe(addresses)
    const before = await everything(cloud.store)
    expect(await cloud.refusal(runInstances, one(cloud))).toBe('InsufficientFreeAddressesInSubnet')
    expect(await everything(cloud.store)).toEqual(before)
  })

  it('leaves nothing behind, whichever call to the records fails', async () => {
    await using cloud = await openCloud()
    await cloud.run(createKeyPair, { KeyName: 'key', KeyType: 'ed25519' })
    const input = {
      ...one(cloud, { MaxCount: 2, KeyName: 'key' }),
      ClientToken: 'token',
      TagSpecifications: [{ ResourceType: 'instance', Tags: [{ Key: 'a', Value: 'b' }] }],
    }
    const before = await everything(cloud.store)
    let k = 1
    for (; ; k += 1) {
      const failing = failAt(cloud.store, k)
      const outcome = await cloud.runOn(failing.store, runInstances, input).catch((error) => error)
      if (failing.calls() < k) break
      expect(outcome).toMatchObject({ kind: 'unavailable' })
      expect(await everything(cloud.store)).toEqual(before)
      expect(cloud.rung).toEqual([])
    }
    expect(k).toBeGreaterThan(12)
    expect((await cloud.store.read((tx) => tx.instances({}))).length).toBe(2)
  })

  it('chooses again when the snapshot was too hopeful', async () => {
    const big = { vcpus: 64, memoryMiB: 65_536 }
    await using cloud = await openCloud({ hosts: [big, { vcpus: 4, memoryMiB: 4096 }] })
    const tried: unknown[] = []
    const store = intercept(cloud.store, (method, [first]) => {
      if (method === 'takeCapacity' && first === 'host1') return Promise.resolve('full')
      if (method !== 'insertNic') return undefined
      tried.push(Reflect.get(Object(first), 'ip'))
      return tried.length < 4 ? Promise.resolve('taken') : undefined
    })
    const { Instances }: Reservation = await cloud.runOn(store, runInstances, one(cloud))
    expect(cloud.rung).toEqual(['host2'])
    expect(new Set(tried).size).toBe(4)
    expect(Instances?.[0]?.PrivateIpAddress).toBe(tried[3])
  })

  it('gives capacity back when every address is lost to others', async () => {
    await using cloud = await openCloud({ subnet: '172.31.0.0/28' })
    const before = (await cloud.store.read((tx) => tx.hosts())).map((row) => row.usedVcpus)
    let nics = 0
    const store = intercept(cloud.store, (method) => {
      if (method !== 'insertNic') return undefined
      nics += 1
      return nics > 1 ? Promise.resolve('taken') : undefined
    })
    const input = one(cloud, { MaxCount: 3 })
    const { Instances }: Reservation = await cloud.runOn(store, runInstances, input)
    const type = await micro(cloud)
    expect(Instances).toHaveLength(1)
    expect(nics).toBe(assignableCount(cloud.subnet.cidr))
    expect(await cloud.store.read((tx) => tx.instances({}))).toHaveLength(1)
    expect((await cloud.store.read((tx) => tx.hosts())).map((row) => row.usedVcpus)).toEqual(
      before.map((used) => used + type.vcpus),
    )
  })

  it('does not place on hosts that are silent', async () => {
    await using cloud = await openCloud({
      hosts: [
        { vcpus: 2, memoryMiB: 4096 },
        { vcpus: 64, memoryMiB: 65_536 },
      ],
    })
    await cloud.store.change((tx) =>
      tx.upsertHost(hostRow('host2', { vcpus: 64, memoryMiB: 65_536 }), -1),
    )
    await launch(cloud)
    expect(cloud.rung).toEqual(['host1'])
  })
})

describe('RunInstances by what was known of the hosts', () => {
  /**
   * A cloud whose one host was known to have room for `room` instances, and now has it for `now`.
   */
  async function changedCloud(room: number, now: number): Promise<Cloud> {
    const cloud = await openCloud({ hosts: [{ vcpus: 0, memoryMiB: 0 }] })
    const { vcpus, memoryMiB } = await micro(cloud)
    const offer = (count: number) =>
      cloud.store.change((tx) =>
        tx.upsertHost(
          hostRow('host1', { vcpus: count * vcpus, memoryMiB: count * memoryMiB }),
          60_000,
        ),
      )
    await offer(room)
    await cloud.store.read((tx) => cloud.parts.catalogue.reader().read(tx))
    await offer(now)
    return cloud
  }

  it.each([
    { room: 0, now: 1, asked: { MinCount: 1, MaxCount: 1 }, launched: 1 },
    { room: 1, now: 3, asked: { MinCount: 1, MaxCount: 3 }, launched: 3 },
    { room: 1, now: 2, asked: { MinCount: 1, MaxCount: 3 }, launched: 2 },
    { room: 3, now: 1, asked: { MinCount: 1, MaxCount: 3 }, launched: 1 },
  ])(
    'uses all the room there is: known $room, there $now',
    async ({ room, now, asked, launched }) => {
      await using cloud = await changedCloud(room, now)
      expect((await launch(cloud, asked)).Instances).toHaveLength(launched)
      expect(await cloud.store.read((tx) => tx.instances({}))).toHaveLength(launched)
    },
  )

  it('refuses when there really is no room', async () => {
    await using cloud = await changedCloud(3, 1)
    const asked = one(cloud, { MinCount: 2, MaxCount: 3 })
    expect(await cloud.refusal(runInstances, asked)).toBe('InsufficientInstanceCapacity')
    expect(await cloud.store.read((tx) => tx.instances({}))).toEqual([])
  })

  it('reads the hosts once for launches that come close upon each other', async () => {
    await using cloud = await openCloud()
    let readings = 0
    const store = intercept(cloud.store, (method) => {
      if (method === 'hosts') readings += 1
      return undefined
    })
    for (let n = 0; n < 3; n += 1) await cloud.runOn(store, runInstances, one(cloud))
    expect(readings).toBe(1)
  })
})

describe('RunInstances with a ClientToken', () => {
  it('launches once, however often and however closely it is asked', async () => {
    await using cloud = await openCloud()
    const input = { ClientToken: 'again', MaxCount: 3 }
    const answers = await Promise.all(Array.from({ length: 8 }, () => launch(cloud, input)))
    const later = await launch(cloud, input)
    expect(new Set([...answers, later].map(({ ReservationId }) => ReservationId)).size).toBe(1)
    const ids = [...answers, later].map(({ Instances }) => Instances?.map((i) => i.InstanceId))
    for (const some of ids) expect(some).toEqual(ids[0])
    expect((await cloud.store.read((tx) => tx.instances({}))).length).toBe(3)
  })

  it.each([{ ClientToken: 'token' }, {}])(
    'launches once when the answer to its commit is lost, and answers with what it launched: %j',
    async (token) => {
      await using cloud = await openCloud()
      const input = one(cloud, { ...token, MaxCount: 2 })
      const { Instances } = (await cloud.runOn(
        losingAnswers(cloud.store),
        runInstances,
        input,
      )) as Reservation
      const recorded = await cloud.store.read((tx) => tx.instances({}))
      expect(Instances?.map((i) => i.InstanceId).toSorted()).toEqual(
        recorded.map(({ id }) => id).toSorted(),
      )
      expect(recorded).toHaveLength(2)
    },
  )

  it('launches once, too, when the record of the token cannot be read', async () => {
    await using cloud = await openCloud()
    const of = { account: ALICE, action: 'RunInstances', token: 'token' }
    const createdAt = new Date(NOW_MS).toISOString()
    const damaged = { ...of, parametersHash: 'a\u0007b', result: 'x', createdAt }
    await cloud.store.change((tx) => tx.insertClientToken(damaged))
    const asked = { ClientToken: 'token' }
    const answers = await Promise.allSettled([launch(cloud, asked), launch(cloud, asked)])
    const { ReservationId } = await launch(cloud, asked)
    for (const answer of answers)
      if (answer.status === 'fulfilled') expect(answer.value.ReservationId).toBe(ReservationId)
    expect(await cloud.store.read((tx) => tx.instances({}))).toHaveLength(1)
  })

  it('refuses other parameters, but not another order of the same', async () => {
    await using cloud = await openCloud()
    await launch(cloud, { ClientToken: 'token' })
    const reordered = Object.fromEntries(
      Object.entries(one(cloud, { ClientToken: 'token' })).reverse(),
    )
    await cloud.run(runInstances, reordered)
    expect(
      await cloud.refusal(runInstances, one(cloud, { ClientToken: 'token', MaxCount: 2 })),
    ).toBe('IdempotentParameterMismatch')
  })

  it('may be used again after a launch that was refused', async () => {
    await using cloud = await openCloud({ hosts: [{ vcpus: 0, memoryMiB: 0 }] })
    const input = one(cloud, { ClientToken: 'token' })
    expect(await cloud.refusal(runInstances, input)).toBe('InsufficientInstanceCapacity')
    await cloud.store.change((tx) =>
      tx.upsertHost(hostRow('host1', { vcpus: 8, memoryMiB: 8192 }), 60_000),
    )
    expect((await launch(cloud, { ClientToken: 'token' })).Instances?.length).toBe(1)
  })

  it('says when the instances of the first request are gone for good', async () => {
    await using cloud = await openCloud()
    const { Instances } = await launch(cloud, { ClientToken: 'token' })
    await cloud.run(terminateInstances, { InstanceIds: Instances?.map((i) => i.InstanceId) })
    expect((await launch(cloud, { ClientToken: 'token' })).Instances?.[0]?.State?.Name).toBe(
      'shutting-down',
    )
    await cloud.store.change(async (tx) => {
      for (const { id } of await tx.instances({})) {
        await tx.deleteNics(id)
        await tx.deleteInstance(id)
      }
    })
    expect(await cloud.refusal(runInstances, one(cloud, { ClientToken: 'token' }))).toBe(
      'IdempotentInstanceTerminated',
    )
  })

  it('is not used up by a dry run', async () => {
    await using cloud = await openCloud()
    const before = await everything(cloud.store)
    expect(
      await cloud.refusal(runInstances, one(cloud, { ClientToken: 'token', DryRun: true })),
    ).toBe('DryRunOperation')
    expect(await everything(cloud.store)).toEqual(before)
    expect(cloud.rung).toEqual([])
    await launch(cloud, { ClientToken: 'token', MaxCount: 2 })
  })
})

describe('RunInstances refuses', () => {
  const tags = (count: number): object[] =>
    Array.from({ length: count }, (_, at) => ({ Key: `k${at}`, Value: '' }))
  const tagged = (Tags: unknown, ResourceType = 'instance'): object => ({
    TagSpecifications: [{ ResourceType, Tags }],
  })
  const nic = (more: object): object => ({ NetworkInterfaces: [{ DeviceIndex: 0, ...more }] })

  it.each<[string, object, string]>([
    ['no image', { ImageId: undefined }, 'MissingParameter'],
    ['no count', { MinCount: undefined }, 'MissingParameter'],
    ['a malformed image', { ImageId: 'ami-xyz' }, 'InvalidAMIID.Malformed'],
    ['an unknown image', { ImageId: 'ami-00000000000000000' }, 'InvalidAMIID.NotFound'],
    ['an unknown type', { InstanceType: 'x9.huge' }, 'InvalidParameterValue'],
    ['no instances', { MinCount: 0 }, 'InvalidParameterValue'],
    ['half an instance', { MaxCount: 1.5 }, 'InvalidParameterValue'],
    ['MinCount over MaxCount', { MinCount: 2 }, 'InvalidParameterCombination'],
    ['too many at once', { MaxCount: 101 }, 'InstanceLimitExceeded'],
    ['a malformed subnet', { SubnetId: 'subnet-1' }, 'InvalidSubnetID.Malformed'],
    ['an unknown subnet', { SubnetId: 'subnet-00000000' }, 'InvalidSubnetID.NotFound'],
    ['an unknown zone', { Placement: { AvailabilityZone: 'mars' } }, 'InvalidParameterValue'],
    ['a dedicated host', { Placement: { Tenancy: 'dedicated' } }, 'UnsupportedOperation'],
    ['an unknown key', { KeyName: 'nobody' }, 'InvalidKeyPair.NotFound'],
    ['an unknown group', { SecurityGroups: ['web'] }, 'InvalidGroup.NotFound'],
    ['an unknown group id', { SecurityGroupIds: ['sg-00000000'] }, 'InvalidGroup.NotFound'],
    ['a malformed group id', { SecurityGroupIds: ['web'] }, 'InvalidGroupId.Malformed'],
    ['user data that is not base64', { UserData: '#!/bin/sh' }, 'InvalidUserData.Malformed'],
    [
      'user data with a plus sent as a space',
      { UserData: 'IyEv YmluL3No aaa' },
      'InvalidUserData.Malformed',
    ],
    [
      'too much user data',
      { UserData: Buffer.alloc(16_385).toString('base64') },
      'InvalidParameterValue',
    ],
    ['an address elsewhere', { PrivateIpAddress: '10.0.0.9' }, 'InvalidParameterValue'],
    ['the gateway', { PrivateIpAddress: '172.31.0.1' }, 'InvalidParameterValue'],
    ['no address', { PrivateIpAddress: '172.31.0.300' }, 'InvalidParameterValue'],
    [
      'one address for two',
      { PrivateIpAddress: '172.31.0.9', MaxCount: 2 },
      'InvalidParameterCombination',
    ],
    ['tags of a snapshot', tagged([], 'snapshot'), 'InvalidParameterValue'],
    ['51 tags', tagged(tags(51)), 'TagLimitExceeded'],
    ['a reserved tag', tagged([{ Key: 'AWS:x', Value: '' }]), 'InvalidParameterValue'],
    ['a long tag key', tagged([{ Key: 'k'.repeat(129), Value: '' }]), 'InvalidParameterValue'],
    ['a long tag value', tagged([{ Key: 'k', Value: 'v'.repeat(257) }]), 'InvalidParameterValue'],
    ['a control character', tagged([{ Key: 'k', Value: 'a\u0000b' }]), 'InvalidParameterValue'],
    ['a tag key twice', tagged([...tags(1), ...tags(1)]), 'InvalidParameterValue'],
    ['a long token', { ClientToken: 't'.repeat(65) }, 'InvalidParameterValue'],
    ['a token that is not ASCII', { ClientToken: 'tök' }, 'InvalidParameterValue'],
    ['an unknown instance profile', { IamInstanceProfile: { Name: 'x' } }, 'InvalidParameterValue'],
    ['spot', { InstanceMarketOptions: { MarketType: 'spot' } }, 'UnsupportedOperation'],
    [
      'another end than stop and terminate',
      { InstanceInitiatedShutdownBehavior: 'hibernate' },
      'InvalidParameterValue',
    ],
    ['other tokens', { MetadataOptions: { HttpTokens: 'maybe' } }, 'InvalidParameterValue'],
    ['a public address', nic({ AssociatePublicIpAddress: true }), 'UnsupportedOperation'],
    [
      'a NIC that is none',
      nic({ NetworkInterfaceId: 'eni-1' }),
      'InvalidNetworkInterfaceId.Malformed',
    ],
    [
      'both forms of network',
      { ...nic({}), SecurityGroups: ['default'] },
      'InvalidParameterCombination',
    ],
  ])('%s', async (_case, more, code) => {
    await using cloud = await openCloud()
    const before = await everything(cloud.store)
    expect(await cloud.refusal(runInstances, one(cloud, more))).toBe(code)
    expect(await everything(cloud.store)).toEqual(before)
  })

  it.each([
    [nic({}), { SubnetId: 'subnet-1' }, 'instance-level subnet ID may not be'],
    [nic({}), { PrivateIpAddress: '172.31.0.9' }, 'instance-level private IP address may not be'],
    [nic({}), { SecurityGroupIds: ['sg-1'] }, 'instance-level security groups may not be'],
    [{}, { PrivateIpAddress: '10.0.0.9' }, "10.0.0.9 does not fall within the subnet's address"],
    [{}, { PrivateIpAddress: '172.31.0.1' }, "172.31.0.1 is in subnet's reserved address range"],
  ])('%j with %j, and says why', async (network, more, why) => {
    await using cloud = await openCloud()
    const ids = { SubnetId: cloud.subnet.id, SecurityGroupIds: [cloud.group.id] }
    const given = Object.fromEntries(
      Object.entries(more).map(([name, value]) => [
        name,
        name in ids ? Reflect.get(ids, name) : value,
      ]),
    )
    const order = one(cloud, { ...network, ...given })
    await expect(cloud.run(runInstances, order)).rejects.toThrow(why)
  })

  it("another account's image", async () => {
    await using cloud = await openCloud()
    expect(await cloud.refusal(runInstances, one(cloud), BOB)).toBe('InvalidAMIID.NotFound')
  })

  it('an address that is in use', async () => {
    await using cloud = await openCloud()
    const PrivateIpAddress = '172.31.0.9'
    expect((await launch(cloud, { PrivateIpAddress })).Instances?.[0]).toMatchObject({
      PrivateIpAddress,
    })
    expect(await cloud.refusal(runInstances, one(cloud, { PrivateIpAddress }))).toBe(
      'InvalidIPAddress.InUse',
    )
  })
})

describe('RunInstances takes', () => {
  it.each<[string, (cloud: Cloud) => object]>([
    ['no type', () => ({ InstanceType: undefined })],
    ['a subnet', ({ subnet }) => ({ SubnetId: subnet.id })],
    ['a zone', () => ({ Placement: { AvailabilityZone: ZONE, Tenancy: 'default' } })],
    ['the default group by id', ({ group }) => ({ SecurityGroupIds: [group.id] })],
    ['the default group by name', () => ({ SecurityGroups: ['default'] })],
    [
      'a network interface',
      ({ subnet, group }) => ({
        NetworkInterfaces: [
          {
            DeviceIndex: 0,
            SubnetId: subnet.id,
            Groups: [group.id],
            PrivateIpAddress: '172.31.0.8',
            AssociatePublicIpAddress: false,
            DeleteOnTermination: true,
          },
        ],
      }),
    ],
    ['folded user data', () => ({ UserData: 'IyEv\nYmlu\r\nL3No' })],
    ['16 KiB of user data', () => ({ UserData: Buffer.alloc(16_384).toString('base64') })],
    ['structures left empty', () => ({ IamInstanceProfile: {}, BlockDeviceMappings: [] })],
    [
      'what changes nothing',
      () => ({
        Monitoring: { Enabled: true },
        EbsOptimized: false,
        DisableApiTermination: false,
        InstanceInitiatedShutdownBehavior: 'stop',
        CreditSpecification: { CpuCredits: 'standard' },
        MetadataOptions: { HttpTokens: 'optional', HttpPutResponseHopLimit: 2 },
      }),
    ],
  ])('%s', async (_case, more) => {
    await using cloud = await openCloud()
    expect((await launch(cloud, more(cloud))).Instances?.[0]).toMatchObject({
      InstanceType: 't3.micro',
      SecurityGroups: [{ GroupName: 'default' }],
    })
  })
})
