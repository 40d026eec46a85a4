/**
 * Peering connections: who may do what to one in which state, what cannot be peered, and how long
 * ended ones are listed.
 */
import { expect, it } from 'vitest'
import { acceptVpcPeeringConnection } from '../../../../src/api/actions/accept-vpc-peering-connection.ts'
import { createTags } from '../../../../src/api/actions/create-tags.ts'
import { createVpc } from '../../../../src/api/actions/create-vpc.ts'
import { createVpcPeeringConnection } from '../../../../src/api/actions/create-vpc-peering-connection.ts'
import { deleteVpc } from '../../../../src/api/actions/delete-vpc.ts'
import { describeVpcPeeringConnections } from '../../../../src/api/actions/describe-vpc-peering-connections.ts'
import {
  deleteVpcPeeringConnection,
  rejectVpcPeeringConnection,
} from '../../../../src/api/actions/end-vpc-peering-connection.ts'
import { modifyVpcPeeringConnectionOptions } from '../../../../src/api/actions/modify-vpc-peering-connection-options.ts'
import type { AccountId } from '../../../../src/model/ids.ts'
import { NO_PREFERENCE } from '../../../../src/model/metadata-options.ts'
import { ALICE, BOB, type Cloud, NOW_MS, openCloud } from '../../../kit/api-cloud.ts'

const HOUR_MS = 3600 * 1000

/** A cloud whose clock the test sets, with VPCs of their own. */
async function openPeering(): Promise<{ readonly cloud: Cloud; at(ms: number): void }> {
  const cloud = await openCloud({ settings: { vpcPlace: 'own' } })
  let now = NOW_MS
  const clock = { ...cloud.parts.clock, now: () => now }
  Object.assign(cloud.parts, { clock })
  return {
    cloud,
    at: (ms) => {
      now = ms
    },
  }
}

async function vpcOf(cloud: Cloud, account: AccountId, CidrBlock: string): Promise<string> {
  const { Vpc } = await cloud.run(createVpc, { CidrBlock }, account)
  return (Vpc as { VpcId: string }).VpcId
}

interface Shown {
  readonly VpcPeeringConnectionId: string
  readonly Status: { readonly Code: string; readonly Message: string }
}

async function request(
  cloud: Cloud,
  VpcId: string,
  PeerVpcId: string,
  PeerOwnerId: AccountId = ALICE,
): Promise<Shown> {
  const asked = { VpcId, PeerVpcId, PeerOwnerId }
  const { VpcPeeringConnection } = await cloud.run(createVpcPeeringConnection, asked)
  return VpcPeeringConnection as Shown
}

async function listed(cloud: Cloud, account: AccountId = ALICE): Promise<readonly string[]> {
  const { VpcPeeringConnections } = await cloud.run(describeVpcPeeringConnections, {}, account)
  return (VpcPeeringConnections as readonly Shown[]).map(({ Status }) => Status.Code)
}

it('is requested by one account and accepted by the other', async () => {
  const { cloud } = await openPeering()
  await using _cloud = cloud
  const [a, b] = [await vpcOf(cloud, ALICE, '10.1.0.0/16'), await vpcOf(cloud, BOB, '10.2.0.0/16')]
  const { VpcPeeringConnectionId, Status } = await request(cloud, a, b, BOB)
  expect(Status).toEqual({ Code: 'pending-acceptance', Message: `Pending Acceptance by ${BOB}` })
  const it_ = { VpcPeeringConnectionId }
  expect(await cloud.refusal(acceptVpcPeeringConnection, it_)).toBe('OperationNotPermitted')
  expect(await cloud.refusal(rejectVpcPeeringConnection, it_)).toBe('OperationNotPermitted')
  expect(await cloud.refusal(deleteVpcPeeringConnection, it_, BOB)).toBe('OperationNotPermitted')
  expect(cloud.bells.rungAll).toHaveLength(2)
  expect(await cloud.run(acceptVpcPeeringConnection, it_, BOB)).toMatchObject({
    VpcPeeringConnection: {
      Status: { Code: 'active', Message: 'Active' },
      RequesterVpcInfo: { OwnerId: ALICE, VpcId: a, CidrBlock: '10.1.0.0/16' },
      AccepterVpcInfo: { OwnerId: BOB, VpcId: b, CidrBlock: '10.2.0.0/16' },
    },
  })
  // Every host looks, because any may have instances of either.
  expect(cloud.bells.rungAll).toHaveLength(3)
  for (const account of [ALICE, BOB]) expect(await listed(cloud, account)).toEqual(['active'])
  const again = { VpcId: a, PeerVpcId: b, PeerOwnerId: BOB }
  expect(await cloud.refusal(createVpcPeeringConnection, again)).toBe(
    'VpcPeeringConnectionAlreadyExists',
  )
  for (const action of [acceptVpcPeeringConnection, rejectVpcPeeringConnection])
    expect(await cloud.refusal(action, it_, BOB)).toBe('InvalidStateTransition')
  await cloud.run(deleteVpcPeeringConnection, it_, BOB)
  await cloud.run(deleteVpcPeeringConnection, it_)
  expect(await listed(cloud)).toEqual(['deleted'])
  expect((await request(cloud, a, b, BOB)).Status.Code).toBe('pending-acceptance')
})

it('is rejected, expires, and is forgotten in time', async () => {
  const { cloud, at } = await openPeering()
  await using _cloud = cloud
  const [a, b] = [await vpcOf(cloud, ALICE, '10.1.0.0/16'), await vpcOf(cloud, BOB, '10.2.0.0/16')]
  const first = await request(cloud, a, b, BOB)
  const { VpcPeeringConnectionId } = first
  await cloud.run(rejectVpcPeeringConnection, { VpcPeeringConnectionId }, BOB)
  expect(await listed(cloud)).toEqual(['rejected'])
  expect(await cloud.refusal(deleteVpcPeeringConnection, { VpcPeeringConnectionId })).toBe(
    'InvalidStateTransition',
  )
  const second = await request(cloud, a, b, BOB)
  at(NOW_MS + 3 * HOUR_MS)
  expect(await listed(cloud)).toEqual(['pending-acceptance'])
  at(NOW_MS + 7 * 24 * HOUR_MS)
  expect(await listed(cloud)).toEqual(['expired'])
  const late = { VpcPeeringConnectionId: second.VpcPeeringConnectionId }
  expect(await cloud.refusal(acceptVpcPeeringConnection, late, BOB)).toBe('InvalidStateTransition')
  // It does not keep a new one from being made.
  expect((await request(cloud, a, b, BOB)).Status.Code).toBe('pending-acceptance')
  expect(
    await cloud.refusal(describeVpcPeeringConnections, {
      VpcPeeringConnectionIds: [VpcPeeringConnectionId],
    }),
  ).toBe('InvalidVpcPeeringConnectionID.NotFound')
})

it('that fails tells nothing of the VPCs of another account', async () => {
  const { cloud } = await openPeering()
  await using _cloud = cloud
  const carol = '000000000003' as AccountId
  await cloud.store.change((tx) =>
    tx.insertAccount({ id: carol, name: 'carol', metadata: NO_PREFERENCE }),
  )
  const a = await vpcOf(cloud, ALICE, '10.1.0.0/16')
  const overlapping = await vpcOf(cloud, BOB, '10.1.0.0/16')
  const peered = await vpcOf(cloud, BOB, '10.3.0.0/16')
  const third = await vpcOf(cloud, carol, '10.1.0.0/20')
  const asked = { VpcId: peered, PeerVpcId: third, PeerOwnerId: carol }
  const made = (await cloud.run(createVpcPeeringConnection, asked, BOB))['VpcPeeringConnection']
  const { VpcPeeringConnectionId } = made as Shown
  await cloud.run(acceptVpcPeeringConnection, { VpcPeeringConnectionId }, carol)
  const told = async (id: string) => (await request(cloud, a, id, BOB)).Status
  const absent = await told(`vpc-${'0'.repeat(17)}`)
  expect(absent.Code).toBe('failed')
  expect(await told(overlapping)).toEqual(absent)
  // It overlaps a peer of the peer.
  expect(await told(peered)).toEqual(absent)
})

it('fails for what cannot be peered, and says why', async () => {
  const { cloud } = await openPeering()
  await using _cloud = cloud
  const a = await vpcOf(cloud, ALICE, '10.1.0.0/16')
  const same = await vpcOf(cloud, ALICE, '10.1.128.0/20')
  const b = await vpcOf(cloud, ALICE, '10.2.0.0/16')
  const alike = await vpcOf(cloud, ALICE, '10.1.0.0/16')
  const ofBob = await vpcOf(cloud, BOB, '10.3.0.0/16')
  const failed = async (one: string, other: string, owner?: AccountId) => {
    const { Status } = await request(cloud, one, other, owner)
    expect(Status.Code).toBe('failed')
    return Status.Message
  }
  expect(await failed(a, same)).toContain('overlaps')
  expect(await failed(a, a)).toContain('overlaps')
  expect(await failed(a, ofBob, ALICE)).toContain('no such VPC')
  const { VpcPeeringConnectionId } = await request(cloud, a, b)
  await cloud.run(acceptVpcPeeringConnection, { VpcPeeringConnectionId })
  // b would reach both at the same addresses.
  expect(await failed(alike, b)).toContain('overlaps')
  const failing = await request(cloud, a, same)
  expect(
    await cloud.refusal(acceptVpcPeeringConnection, {
      VpcPeeringConnectionId: failing.VpcPeeringConnectionId,
    }),
  ).toBe('InvalidStateTransition')
  expect(await cloud.refusal(createVpcPeeringConnection, { VpcId: a })).toBe('MissingParameter')
  expect(await cloud.refusal(createVpcPeeringConnection, { VpcId: ofBob, PeerVpcId: a })).toBe(
    'InvalidVpcID.NotFound',
  )
  const elsewhere = { VpcId: a, PeerVpcId: b, PeerRegion: 'mars-1' }
  expect(await cloud.refusal(createVpcPeeringConnection, elsewhere)).toBe('InvalidParameterValue')
})

it('joins a VPC in the network of the hosts and one with a network of its own', async () => {
  const { cloud } = await openPeering()
  await using _cloud = cloud
  const a = await vpcOf(cloud, ALICE, '10.1.0.0/16')
  const b = await vpcOf(cloud, BOB, '10.2.0.0/16')
  for (const [one, owner] of [
    [a, ALICE],
    [b, BOB],
  ] as const) {
    const { VpcPeeringConnectionId } = await request(cloud, cloud.vpc.id, one, owner)
    await cloud.run(acceptVpcPeeringConnection, { VpcPeeringConnectionId }, owner)
  }
  expect(await listed(cloud)).toEqual(['active', 'active'])
  // Another one there, of an older cloud.
  const place = await openCloud({ settings: { vpcPlace: 'root' } })
  await using _place = place
  const same = { VpcId: place.vpc.id, PeerVpcId: await vpcOf(place, ALICE, '10.3.0.0/16') }
  expect(await place.run(createVpcPeeringConnection, same)).toMatchObject({
    VpcPeeringConnection: {
      Status: {
        Code: 'failed',
        Message: expect.stringContaining('both in the network of the hosts'),
      },
    },
  })
  const rooms = { settings: { ...cloud.parts.settings, vpcPlace: 'root' as const } }
  Object.assign(cloud.parts, rooms)
  const third = await vpcOf(cloud, ALICE, '10.3.0.0/16')
  const { Status } = await request(cloud, third, a)
  expect(Status).toMatchObject({ Code: 'failed' })
  expect(Status.Message).toContain(`${a} is peered with ${cloud.vpc.id}`)
})

it('ends with its VPC, and each side says whether the other sees private addresses', async () => {
  const { cloud } = await openPeering()
  await using _cloud = cloud
  const [a, b] = [await vpcOf(cloud, ALICE, '10.1.0.0/16'), await vpcOf(cloud, BOB, '10.2.0.0/16')]
  const { VpcPeeringConnectionId } = await request(cloud, a, b, BOB)
  const one = { VpcPeeringConnectionId }
  const modify = (options: object, account?: AccountId) =>
    [modifyVpcPeeringConnectionOptions, { ...one, ...options }, account] as const
  const dns = (allowed: boolean) => ({ AllowDnsResolutionFromRemoteVpc: allowed })
  expect(await cloud.refusal(...modify({ RequesterPeeringConnectionOptions: dns(false) }))).toBe(
    'InvalidStateTransition',
  )
  await cloud.run(acceptVpcPeeringConnection, one, BOB)
  expect(
    await cloud.run(...modify({ RequesterPeeringConnectionOptions: dns(false) })),
  ).toMatchObject({ RequesterPeeringConnectionOptions: dns(false) })
  expect(await cloud.refusal(...modify({ AccepterPeeringConnectionOptions: dns(false) }))).toBe(
    'OperationNotPermitted',
  )
  const classic = { AllowEgressFromLocalClassicLinkToRemoteVpc: true }
  expect(await cloud.refusal(...modify({ RequesterPeeringConnectionOptions: classic }))).toBe(
    'UnsupportedOperation',
  )
  const rung = cloud.bells.rungAll.length
  expect(
    await cloud.run(...modify({ RequesterPeeringConnectionOptions: dns(true) })),
  ).toMatchObject({ RequesterPeeringConnectionOptions: dns(true) })
  expect(cloud.bells.rungAll).toHaveLength(rung + 1)
  // What is left out stays.
  await cloud.run(...modify({ RequesterPeeringConnectionOptions: {} }))
  await cloud.run(...modify({ AccepterPeeringConnectionOptions: dns(false) }, BOB))
  for (const account of [ALICE, BOB])
    expect(await cloud.run(describeVpcPeeringConnections, {}, account)).toMatchObject({
      VpcPeeringConnections: [
        {
          RequesterVpcInfo: { PeeringOptions: dns(true) },
          AccepterVpcInfo: { PeeringOptions: dns(false) },
        },
      ],
    })
  expect(await cloud.store.read((tx) => tx.activePeerings())).toEqual([
    { id: VpcPeeringConnectionId, vpcs: [a, b], showPrivate: [a] },
  ])
  await cloud.run(...modify({ RequesterPeeringConnectionOptions: dns(false) }))
  expect(await cloud.store.read((tx) => tx.activePeerings())).toEqual([
    { id: VpcPeeringConnectionId, vpcs: [a, b] },
  ])
  await cloud.run(createTags, {
    Resources: [VpcPeeringConnectionId],
    Tags: [{ Key: 'Name', Value: 'x' }],
  })
  await cloud.run(deleteVpc, { VpcId: b }, BOB)
  expect(await listed(cloud)).toEqual(['deleted'])
})
