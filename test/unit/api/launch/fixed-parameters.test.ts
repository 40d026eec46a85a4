/**
 * What launchers send with a launch: taken where it says what an instance is anyway, and refused by
 * name where it does not.
 */
import { describe, expect, it } from 'vitest'
import { describeNetworkInterfaces } from '../../../../src/api/actions/describe-network-interfaces.ts'
import { describeTags } from '../../../../src/api/actions/describe-tags.ts'
import { runInstances } from '../../../../src/api/actions/run-instances.ts'
import { launchDevicesSchema } from '../../../../src/api/launch/disk.ts'
import { decodeInput, parseForm } from '../../../../src/api/wire/query.ts'
import { actionTable } from '../../../../src/api/wire/table.ts'
import { AtollError } from '../../../../src/model/errors.ts'
import { ROOT_DEVICE_NAME } from '../../../../src/model/names.ts'
import { releaseInstance } from '../../../../src/store/release.ts'
import { type Cloud, everything, openCloud } from '../../../kit/api-cloud.ts'

const WIRE = actionTable([runInstances]).get('RunInstances')?.wire.input

/** A launch as it comes over the wire. */
async function launch(cloud: Cloud, form: string) {
  if (WIRE === undefined) throw new Error('RunInstances is not in the model')
  const whole = `ImageId=${cloud.image}&MinCount=1&MaxCount=1&${form}`
  return await cloud.run(runInstances, decodeInput(WIRE, parseForm(whole)))
}

const nic = (more: string) => `NetworkInterface.1.DeviceIndex=0&NetworkInterface.1.${more}`
const device = (name: string, more: string) =>
  `BlockDeviceMapping.1.DeviceName=${name}&BlockDeviceMapping.1.${more}`
const tagged = (type: string) =>
  `TagSpecification.1.ResourceType=${type}&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v`

describe('a launch takes', () => {
  it.each([
    tagged('instance'),
    tagged('volume'),
    tagged('network-interface'),
    tagged('spot-instances-request'),
    tagged('elastic-gpu'),
    'Ipv6AddressCount=0',
    'EnablePrimaryIpv6=false',
    'CreditSpecification.CpuCredits=standard',
    'CreditSpecification.CpuCredits=unlimited',
    'InstanceType=t3.micro&CpuOptions.CoreCount=2&CpuOptions.ThreadsPerCore=1',
    'CpuOptions.AmdSevSnp=disabled',
    'HibernationOptions.Configured=false',
    'EnclaveOptions.Enabled=false',
    'Placement.Tenancy=default&Placement.Affinity=default&Placement.GroupName=',
    'IamInstanceProfile.Name=&SubnetId=&Placement.AvailabilityZone=',
    nic(
      'PrivateIpAddresses.1.Primary=true&NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress=172.31.0.9',
    ),
    nic('SecondaryPrivateIpAddressCount=0'),
    nic('Ipv6AddressCount=0&NetworkInterface.1.PrimaryIpv6=false'),
    nic('AssociateCarrierIpAddress=false&NetworkInterface.1.AssociatePublicIpAddress=false'),
    nic('InterfaceType=interface&NetworkInterface.1.NetworkCardIndex=0'),
    nic('EnaSrdSpecification.EnaSrdEnabled=false'),
    device('/dev/sdb', 'VirtualName=ephemeral0'),
    device('/dev/sdb', 'NoDevice='),
  ])('%s', async (form) => {
    await using cloud = await openCloud()
    expect((await launch(cloud, form))['Instances']).toHaveLength(1)
  })

  it('the primary address of a list as the address', async () => {
    await using cloud = await openCloud()
    const listed = nic(
      'PrivateIpAddresses.1.Primary=true&NetworkInterface.1.PrivateIpAddresses.1.PrivateIpAddress=172.31.0.9',
    )
    expect(await launch(cloud, listed)).toMatchObject({
      Instances: [{ PrivateIpAddress: '172.31.0.9' }],
    })
  })
})

it('a launch takes the speed that a gp3 volume has that says nothing of it', () => {
  const mapping = {
    DeviceName: ROOT_DEVICE_NAME,
    Ebs: { VolumeType: 'gp3', Iops: 3000, Throughput: 125, Encrypted: false },
  }
  expect(launchDevicesSchema.parse([mapping])).toMatchObject([mapping])
})

describe('a launch refuses by name', () => {
  it.each([
    [tagged('snapshot'), "'snapshot' is not a valid taggable resource type"],
    ['Ipv6AddressCount=1', 'Ipv6AddressCount'],
    ['Ipv6Address.1.Ipv6Address=fd00::1', 'Ipv6Addresses'],
    ['EnablePrimaryIpv6=true', 'EnablePrimaryIpv6'],
    ['CreditSpecification.CpuCredits=many', 'CreditSpecification'],
    ['InstanceType=t3.micro&CpuOptions.CoreCount=1', 'CpuOptions.CoreCount'],
    ['CpuOptions.ThreadsPerCore=2', 'CpuOptions.ThreadsPerCore'],
    ['CpuOptions.AmdSevSnp=enabled', 'AmdSevSnp'],
    ['HibernationOptions.Configured=true', 'HibernationOptions'],
    ['EnclaveOptions.Enabled=true', 'EnclaveOptions'],
    ['Placement.Affinity=host', 'Placement.Affinity'],
    ['Placement.HostId=h-1', 'Placement.HostId'],
    ['Placement.PartitionNumber=2', 'Placement.PartitionNumber'],
    ['InstanceMarketOptions.MarketType=spot', 'InstanceMarketOptions'],
    ['KernelId=aki-1', 'KernelId'],
    ['LicenseSpecification.1.LicenseConfigurationArn=a', 'LicenseSpecifications'],
    [nic('Ipv6AddressCount=1'), 'Ipv6AddressCount'],
    [nic('InterfaceType=efa'), 'InterfaceType'],
    [nic('NetworkCardIndex=1'), 'NetworkCardIndex'],
    [nic('EnaSrdSpecification.EnaSrdEnabled=true'), 'EnaSrdSpecification'],
    [device('/dev/sda1', 'Ebs.Encrypted=true'), 'Encrypted'],
    [device('/dev/sda1', 'Ebs.KmsKeyId=k'), 'KmsKeyId'],
    [device('/dev/sda1', 'Ebs.SnapshotId=snap-1'), 'SnapshotId'],
    [device('/dev/sda1', 'Ebs.VolumeType=gp3&BlockDeviceMapping.1.Ebs.Iops=9000'), 'Iops'],
    [
      device('/dev/sda1', 'Ebs.VolumeType=gp3&BlockDeviceMapping.1.Ebs.Throughput=500'),
      'Throughput',
    ],
    [device('/dev/sda1', 'Ebs.VolumeType=io2&BlockDeviceMapping.1.Ebs.Iops=3000'), 'VolumeType'],
    [device('/dev/sda1', 'Ebs.VolumeType=gp2&BlockDeviceMapping.1.Ebs.Iops=3000'), 'Iops'],
    [device('/dev/sdb', 'Ebs.VolumeSize=8'), 'DeviceName'],
    [device('/dev/sda1', 'NoDevice='), 'BlockDeviceMappings'],
  ])('%s', async (form, name) => {
    await using cloud = await openCloud()
    const before = await everything(cloud.store)
    const refusal = await launch(cloud, form).catch((error: unknown) => error)
    if (!(refusal instanceof AtollError)) throw new Error('it was taken')
    expect(refusal.kind).toBe('refused')
    expect(refusal.message).toContain(name)
    expect(await everything(cloud.store)).toEqual(before)
  })
})

it('tags its NIC for as long as the NIC is there', async () => {
  await using cloud = await openCloud()
  const tags = (type: string, at: number) =>
    `TagSpecification.${at}.ResourceType=${type}&TagSpecification.${at}.Tag.1.Key=for&TagSpecification.${at}.Tag.1.Value=${type}`
  const answer = await launch(cloud, `${tags('network-interface', 1)}&${tags('instance', 2)}`)
  expect(answer).toMatchObject({ Instances: [{ Tags: [{ Key: 'for', Value: 'instance' }] }] })
  const shown = async () => (await cloud.run(describeTags))['Tags']
  expect(await cloud.run(describeNetworkInterfaces)).toMatchObject({
    NetworkInterfaces: [{ TagSet: [{ Key: 'for', Value: 'network-interface' }] }],
  })
  expect(await shown()).toHaveLength(2)
  await cloud.store.change(async (tx) => {
    for (const instance of await tx.instances({})) await releaseInstance(tx, instance)
  })
  expect(await shown()).toMatchObject([{ ResourceType: 'instance' }])
})
