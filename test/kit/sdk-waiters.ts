/**
 * Makes one of each thing that a waiter of the AWS SDK for JavaScript waits for, and lets every
 * waiter whose action is answered wait for it.
 */
import * as ec2 from '@aws-sdk/client-ec2'
import type { Outcome } from './compatibility.ts'

type Wait = (
  settings: { client: ec2.EC2Client; maxWaitTime: number; minDelay: number; maxDelay: number },
  input: object,
) => Promise<{ state: string; reason?: unknown }>

interface Waited {
  readonly rows: readonly Outcome[]
  readonly untried: readonly Outcome[]
}

/** What each waiter asks, where its name does not say so. */
const ACTIONS: Readonly<Record<string, string>> = {
  Image: 'DescribeImages',
  Password: 'GetPasswordData',
}

/** All waiters, each tried or with the reason why not (null: nothing comes to that state). */
export async function waitersOf(
  client: ec2.EC2Client,
  image: string,
  answered: readonly string[],
): Promise<Waited> {
  const waiters = new Map(
    Object.entries(ec2).filter(([name]) => name.startsWith('waitUntil')) as [string, Wait][],
  )
  const rows: Outcome[] = []
  const wait = async (name: string, input: object) => {
    const until = waiters.get(`waitUntil${name}`)
    if (until === undefined) return
    const settings = { client, maxWaitTime: 120, minDelay: 1, maxDelay: 1 }
    const said = await until(settings, input).then(
      ({ state }) => (state === 'SUCCESS' ? null : state),
      (error: unknown) => String(error),
    )
    rows.push([`waitUntil${name}`, said])
  }
  const send = client.send.bind(client) as unknown as Send
  await waitForInstances(send, wait, image)
  await waitForNetworks(send, wait)
  const tried = new Set(rows.map(([name]) => name))
  const untried = [...waiters.keys()]
    .filter((name) => !tried.has(name))
    .map((name): Outcome => [name, whyNot(name, answered)])
  return { rows, untried }
}

/** The reason why a waiter was not tried, where it is that its action is not answered. */
function whyNot(name: string, answered: readonly string[]): string | null {
  const [, subject = ''] = /^waitUntil([A-Z][a-z]+)/.exec(name) ?? []
  if (ACTIONS[subject] !== undefined) return null
  const isAnswered = answered.some((action) => action.startsWith(`Describe${subject}`))
  return isAnswered ? null : `no action of ${subject} is answered`
}

// biome-ignore lint/suspicious/noExplicitAny: answers of twenty actions, read by name.
type Send = (command: object) => Promise<any>
type Waits = (name: string, input: object) => Promise<void>

async function waitForInstances(send: Send, wait: Waits, image: string): Promise<void> {
  const ofImage = { ImageIds: [image] }
  await wait('ImageExists', ofImage)
  await wait('ImageAvailable', ofImage)
  await send(new ec2.CreateKeyPairCommand({ KeyName: 'js', KeyType: 'ed25519' }))
  await wait('KeyPairExists', { KeyNames: ['js'] })
  const { Images } = await send(new ec2.DescribeImagesCommand(ofImage))
  const mapping = { DeviceName: Images[0].RootDeviceName, Ebs: { DeleteOnTermination: false } }
  const order = { ImageId: image, InstanceType: 't3.nano' as const, MinCount: 1, MaxCount: 1 }
  const { Instances } = await send(
    new ec2.RunInstancesCommand({ ...order, BlockDeviceMappings: [mapping] }),
  )
  const InstanceIds: string[] = [Instances[0].InstanceId]
  for (const name of ['InstanceExists', 'InstanceRunning', 'InstanceStatusOk', 'SystemStatusOk'])
    await wait(name, { InstanceIds })
  const Filters = [{ Name: 'attachment.instance-id', Values: InstanceIds }]
  const { Volumes } = await send(new ec2.DescribeVolumesCommand({ Filters }))
  const ofVolume = { VolumeIds: [Volumes[0].VolumeId] }
  await wait('VolumeInUse', ofVolume)
  await send(new ec2.StopInstancesCommand({ InstanceIds }))
  await wait('InstanceStopped', { InstanceIds })
  await send(new ec2.TerminateInstancesCommand({ InstanceIds }))
  await wait('InstanceTerminated', { InstanceIds })
  await wait('VolumeAvailable', ofVolume)
  await send(new ec2.DeleteVolumeCommand({ VolumeId: Volumes[0].VolumeId }))
  await wait('VolumeDeleted', ofVolume)
}

async function waitForNetworks(send: Send, wait: Waits): Promise<void> {
  const vpc = async (CidrBlock: string): Promise<string> =>
    (await send(new ec2.CreateVpcCommand({ CidrBlock }))).Vpc.VpcId
  const VpcId = await vpc('10.70.0.0/16')
  const PeerVpcId = await vpc('10.71.0.0/16')
  await wait('VpcExists', { VpcIds: [VpcId] })
  await wait('VpcAvailable', { VpcIds: [VpcId] })
  const { Subnet } = await send(new ec2.CreateSubnetCommand({ VpcId, CidrBlock: '10.70.1.0/24' }))
  const { SubnetId } = Subnet
  await wait('SubnetAvailable', { SubnetIds: [SubnetId] })
  const { InternetGateway } = await send(new ec2.CreateInternetGatewayCommand())
  const { InternetGatewayId } = InternetGateway
  await wait('InternetGatewayExists', { InternetGatewayIds: [InternetGatewayId] })
  await send(new ec2.AttachInternetGatewayCommand({ VpcId, InternetGatewayId }))
  const group = { GroupName: 'js', Description: 'js', VpcId }
  const { GroupId } = await send(new ec2.CreateSecurityGroupCommand(group))
  await wait('SecurityGroupExists', { GroupIds: [GroupId] })
  const { NetworkInterface } = await send(new ec2.CreateNetworkInterfaceCommand({ SubnetId }))
  const NetworkInterfaceIds = [NetworkInterface.NetworkInterfaceId]
  await wait('NetworkInterfaceAvailable', { NetworkInterfaceIds })
  const { NatGateway } = await send(new ec2.CreateNatGatewayCommand({ SubnetId }))
  const { NatGatewayId } = NatGateway
  await wait('NatGatewayAvailable', { NatGatewayIds: [NatGatewayId] })
  await send(new ec2.DeleteNatGatewayCommand({ NatGatewayId }))
  await wait('NatGatewayDeleted', { NatGatewayIds: [NatGatewayId] })
  const made = await send(new ec2.CreateVpcPeeringConnectionCommand({ VpcId, PeerVpcId }))
  const { VpcPeeringConnectionId } = made.VpcPeeringConnection
  await wait('VpcPeeringConnectionExists', { VpcPeeringConnectionIds: [VpcPeeringConnectionId] })
  await send(new ec2.DeleteVpcPeeringConnectionCommand({ VpcPeeringConnectionId }))
  await wait('VpcPeeringConnectionDeleted', { VpcPeeringConnectionIds: [VpcPeeringConnectionId] })
}
