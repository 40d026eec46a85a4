import { expect, it } from 'vitest'
import { overridden } from '../../../../src/api/launch/template-data.ts'

const tags = (ResourceType: string, ...pairs: readonly (readonly [string, string])[]) => ({
  ResourceType,
  Tags: pairs.map(([Key, Value]) => ({ Key, Value })),
})

it('lets the request override values and lists as a whole', () => {
  const data = { ImageId: 'ami-1', KeyName: 'a', SecurityGroupIds: ['sg-1', 'sg-2'] }
  const asked = { KeyName: 'b', SecurityGroupIds: ['sg-3'], MinCount: 1 }
  expect(overridden(data, asked)).toEqual({
    ImageId: 'ami-1',
    KeyName: 'b',
    SecurityGroupIds: ['sg-3'],
    MinCount: 1,
  })
})

it('replaces groups by id through groups by name, and the other way', () => {
  const named = { SecurityGroups: ['web'] }
  const byId = { SecurityGroupIds: ['sg-1'] }
  expect(overridden(byId, named)).toEqual(named)
  expect(overridden(named, byId)).toEqual(byId)
  expect(overridden(named, { SecurityGroupIds: [] })).toEqual({
    ...named,
    SecurityGroupIds: undefined,
  })
})

it('overrides structures member by member', () => {
  const data = {
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 2 },
    Placement: { GroupName: 'spread' },
  }
  const asked = {
    MetadataOptions: { HttpPutResponseHopLimit: 3 },
    Placement: { Tenancy: 'default' },
  }
  expect(overridden(data, asked)).toEqual({
    MetadataOptions: { HttpTokens: 'required', HttpPutResponseHopLimit: 3 },
    Placement: { GroupName: 'spread', Tenancy: 'default' },
  })
})

it('joins tags by key, devices by name and network interfaces by index', () => {
  const data = {
    TagSpecifications: [tags('instance', ['a', '1'], ['b', '1']), tags('volume', ['c', '1'])],
    BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { VolumeSize: 8, VolumeType: 'gp3' } }],
    NetworkInterfaces: [{ Groups: ['sg-1'] }, { DeviceIndex: 1, SubnetId: 'subnet-2' }],
  }
  const asked = {
    TagSpecifications: [tags('instance', ['b', '2'], ['d', '2'])],
    BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { VolumeSize: 20 } }],
    NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: 'subnet-1' }],
  }
  expect(overridden(data, asked)).toEqual({
    TagSpecifications: [
      tags('instance', ['a', '1'], ['b', '2'], ['d', '2']),
      tags('volume', ['c', '1']),
    ],
    BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { VolumeSize: 20, VolumeType: 'gp3' } }],
    NetworkInterfaces: [
      { DeviceIndex: 0, Groups: ['sg-1'], SubnetId: 'subnet-1' },
      { DeviceIndex: 1, SubnetId: 'subnet-2' },
    ],
  })
})

it('leaves what the request says twice for the launch to refuse', () => {
  const twice = { NetworkInterfaces: [{ DeviceIndex: 0 }, { DeviceIndex: 0 }] }
  expect(overridden({ NetworkInterfaces: [{ DeviceIndex: 0 }] }, twice)).toEqual(twice)
})
