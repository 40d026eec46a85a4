import type { InstanceMetadataOptionsResponse, Reservation } from '@aws-sdk/client-ec2'
import { describe, expect, it } from 'vitest'
import { describeInstances } from '../../../../src/api/actions/describe-instances.ts'
import { getInstanceMetadataDefaults } from '../../../../src/api/actions/get-instance-metadata-defaults.ts'
import { modifyInstanceMetadataDefaults } from '../../../../src/api/actions/modify-instance-metadata-defaults.ts'
import { modifyInstanceMetadataOptions } from '../../../../src/api/actions/modify-instance-metadata-options.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { terminateInstances } from '../../../../src/api/actions/terminate-instances.ts'
import type { AccountId } from '../../../../src/model/ids.ts'
import { BOB, type Cloud, openCloud } from '../../../kit/api-cloud.ts'

async function launch(cloud: Cloud, MetadataOptions?: object) {
  const order = { ImageId: cloud.image, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 }
  const { Instances = [] }: Reservation = await cloud.run(runInstances, {
    ...order,
    ...(MetadataOptions === undefined ? {} : { MetadataOptions }),
  })
  const [instance] = Instances
  return { id: instance?.InstanceId ?? '', options: instance?.MetadataOptions }
}

async function shown(cloud: Cloud, id: string) {
  const { Reservations = [] }: { Reservations?: Reservation[] } = await cloud.run(
    describeInstances,
    { InstanceIds: [id] },
  )
  return Reservations[0]?.Instances?.[0]?.MetadataOptions
}

const REQUIRED: InstanceMetadataOptionsResponse = {
  State: 'applied',
  HttpTokens: 'required',
  HttpPutResponseHopLimit: 1,
  HttpEndpoint: 'enabled',
  HttpProtocolIpv6: 'disabled',
  InstanceMetadataTags: 'disabled',
}

describe('metadata options', () => {
  it('are those of EC2 with tokens required where nobody says anything', async () => {
    await using cloud = await openCloud()
    const { id, options } = await launch(cloud)
    expect(options).toStrictEqual(REQUIRED)
    expect(await shown(cloud, id)).toStrictEqual(REQUIRED)
    expect(await cloud.run(getInstanceMetadataDefaults)).toStrictEqual({
      AccountLevel: { HttpTokens: 'required' },
    })
  })

  it('are those that the account has set just before, however close the launches are', async () => {
    await using cloud = await openCloud()
    for (const HttpTokens of ['required', 'optional', 'required']) {
      await cloud.run(modifyInstanceMetadataDefaults, { HttpTokens })
      expect((await launch(cloud)).options).toMatchObject({ HttpTokens })
    }
  })

  it('are those of the launch before those of the account', async () => {
    await using cloud = await openCloud()
    const set = { HttpTokens: 'optional', HttpPutResponseHopLimit: 3, HttpEndpoint: 'disabled' }
    await cloud.run(modifyInstanceMetadataDefaults, set)
    expect(await cloud.run(getInstanceMetadataDefaults)).toStrictEqual({ AccountLevel: set })
    const { options } = await launch(cloud, { HttpEndpoint: 'enabled' })
    expect(options).toStrictEqual({ ...REQUIRED, ...set, HttpEndpoint: 'enabled' })
    const back = { HttpTokens: 'no-preference', HttpPutResponseHopLimit: -1 }
    await cloud.run(modifyInstanceMetadataDefaults, back)
    expect(await cloud.run(getInstanceMetadataDefaults)).toStrictEqual({
      AccountLevel: { HttpTokens: 'required', HttpEndpoint: 'disabled' },
    })
    expect(await cloud.run(getInstanceMetadataDefaults, {}, BOB)).toStrictEqual({
      AccountLevel: { HttpTokens: 'required' },
    })
  })

  it('change on a running instance, only where they are named, and its host is notified', async () => {
    await using cloud = await openCloud()
    const { id } = await launch(cloud, { HttpTokens: 'optional', InstanceMetadataTags: 'enabled' })
    cloud.rung.length = 0
    const changed = await cloud.run(modifyInstanceMetadataOptions, {
      InstanceId: id,
      HttpPutResponseHopLimit: 64,
    })
    const options = {
      ...REQUIRED,
      HttpTokens: 'optional',
      InstanceMetadataTags: 'enabled',
      HttpPutResponseHopLimit: 64,
    }
    expect(changed).toStrictEqual({
      InstanceId: id,
      InstanceMetadataOptions: { ...options, State: 'pending' },
    })
    expect(await shown(cloud, id)).toStrictEqual(options)
    expect(cloud.rung).toHaveLength(1)
  })

  it.each([
    ['no option', {}, 'MissingParameter'],
    ['a hop limit of 0', { HttpPutResponseHopLimit: 0 }, 'InvalidParameterValue'],
    ['a hop limit of 65', { HttpPutResponseHopLimit: 65 }, 'InvalidParameterValue'],
    ['other tokens', { HttpTokens: 'maybe' }, 'InvalidParameterValue'],
    ['IPv6', { HttpTokens: 'required', HttpProtocolIpv6: 'enabled' }, 'UnsupportedOperation'],
    ['a dry run', { HttpTokens: 'required', DryRun: true }, 'DryRunOperation'],
  ])('are not changed by %s', async (_what, change, code) => {
    await using cloud = await openCloud()
    const { id } = await launch(cloud)
    const asked = { InstanceId: id, ...change }
    expect(await cloud.refusal(modifyInstanceMetadataOptions, asked)).toBe(code)
    expect(await shown(cloud, id)).toStrictEqual(REQUIRED)
  })

  it('of strangers and of the ended are not changed', async () => {
    await using cloud = await openCloud()
    const { id } = await launch(cloud)
    const asked = { InstanceId: id, HttpTokens: 'optional' }
    expect(await cloud.refusal(modifyInstanceMetadataOptions, asked, BOB)).toBe(
      'InvalidInstanceID.NotFound',
    )
    await cloud.run(terminateInstances, { InstanceIds: [id] })
    expect(await cloud.refusal(modifyInstanceMetadataOptions, asked)).toBe('IncorrectInstanceState')
  })
})

it('tells that the defaults of an account are not known whose record is not there', async () => {
  await using cloud = await openCloud()
  const asked = cloud.run(getInstanceMetadataDefaults, {}, '000000000077' as AccountId)
  await expect(asked).rejects.toMatchObject({ kind: 'unavailable', code: 'Unavailable' })
})
