/**
 * Root disks of virtual machines as volumes, on one real host: resized, kept, deleted, listed by
 * unmodified clients.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateTagsCommand,
  DeleteVolumeCommand,
  DeregisterImageCommand,
  DescribeVolumesCommand,
  ModifyInstanceAttributeCommand,
  type RunInstancesCommandInput,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type Volume,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { canRunMachines, placeTinyGuest } from '../../tools/kit/tiny-guest.ts'
import { insideMachine } from '../kit/machines.ts'

/** An emulated guest on a busy machine. */
const DEADLINE_MS = 120_000
const ROOT = '/dev/sda1'
const SECTORS_A_GIB = 2 * 1024 * 1024

describe.skipIf(!canRunMachines())('the disk of a virtual machine', () => {
  let cloud: Cloud
  let asks: InstanceCalls
  let image: string
  /** Its disk is sized by the request and goes with it. */
  let sized: string
  /** Its disk is sized by its type, and is to outlive it. */
  let outlived: string

  const inside = (id: string, command: string) => insideMachine(cloud, id, command)

  async function launch(more: Partial<RunInstancesCommandInput>): Promise<string> {
    const [id = ''] = await asks.launch(image, more)
    return id
  }

  async function volumeOf(id: string): Promise<Volume> {
    const Filters = [{ Name: 'attachment.instance-id', Values: [id] }]
    const { Volumes = [] } = await cloud.ec2.send(new DescribeVolumesCommand({ Filters }))
    expect(Volumes).toHaveLength(1)
    return Volumes[0] ?? {}
  }

  async function volume(id: string): Promise<Volume | undefined> {
    const { Volumes = [] } = await cloud.ec2.send(new DescribeVolumesCommand({}))
    return Volumes.find(({ VolumeId }) => VolumeId === id)
  }

  async function untilReady(id: string): Promise<void> {
    await asks.untilState(id, 'running')
    await asks.untilItAnswers(id)
  }

  async function filesIn(directory: string): Promise<readonly string[]> {
    return await readdir(join(cloud.dir, 'state', directory)).catch(() => [])
  }

  beforeAll(async () => {
    cloud = await createCloud('volumes', 'qemu: {accel: tcg, stopSeconds: 60}\n')
    asks = instanceCalls(cloud.ec2, DEADLINE_MS)
    const { location } = await placeTinyGuest(join(cloud.dir, 'state/images'))
    image = await asks.register('tiny', location)
    sized = await launch({
      BlockDeviceMappings: [{ DeviceName: ROOT, Ebs: { VolumeSize: 3, VolumeType: 'gp3' } }],
      TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'Name', Value: 'root' }] }],
    })
    outlived = await launch({})
    for (const id of [sized, outlived]) await untilReady(id)
  }, 3 * DEADLINE_MS)
  afterAll(async () => {
    await cloud?.destroy()
  })

  it('is as large as was asked for, or as the type says, in the records and in the guest', async () => {
    for (const [id, gib] of [
      [sized, 3],
      [outlived, 8],
    ] as const) {
      expect((await volumeOf(id)).Size).toBe(gib)
      const sectors = await inside(id, 'echo size=$(cat /sys/class/block/vda/size)=')
      expect(sectors).toContain(`size=${gib * SECTORS_A_GIB}=`)
    }
  })

  it('is a volume to the AWS CLI, with the tags of the launch', async () => {
    const ran = await cloud.aws('ec2', 'describe-volumes', '--filters', 'Name=tag:Name,Values=root')
    expect(ran.stderr).toBe('')
    const { VolumeId = '' } = await volumeOf(sized)
    expect(JSON.parse(ran.stdout).Volumes).toMatchObject([
      {
        VolumeId,
        Size: 3,
        State: 'in-use',
        Attachments: [{ InstanceId: sized, Device: ROOT, DeleteOnTermination: true }],
        Tags: [{ Key: 'Name', Value: 'root' }],
      },
    ])
    expect((await asks.look(sized)).BlockDeviceMappings).toMatchObject([
      { DeviceName: ROOT, Ebs: { VolumeId, DeleteOnTermination: true, Status: 'attached' } },
    ])
    const waited = await cloud.aws('ec2', 'wait', 'volume-in-use', '--volume-ids', VolumeId)
    expect(waited).toMatchObject({ exitCode: 0, stderr: '' })
  })

  it('is not to be deleted while it is in use', async () => {
    const { VolumeId = '' } = await volumeOf(sized)
    const ran = await cloud.aws('ec2', 'delete-volume', '--volume-id', VolumeId)
    expect(ran.stderr).toContain('VolumeInUse')
  })

  it('is kept over stop and start, also when its image was deregistered meanwhile', async () => {
    await inside(outlived, 'echo kept > /data/kept; sync')
    const before = await volumeOf(outlived)
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [outlived] }))
    await asks.untilState(outlived, 'stopped')
    await cloud.ec2.send(new DeregisterImageCommand({ ImageId: image }))
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [outlived] }))
    await untilReady(outlived)
    expect(await inside(outlived, 'cat /data/kept')).toContain('kept')
    expect(await volumeOf(outlived)).toEqual(before)
  })

  it('goes with its instance', async () => {
    const { VolumeId = '' } = await volumeOf(sized)
    await asks.terminate(sized)
    expect(await volume(VolumeId)).toBeUndefined()
    expect(await filesIn('volumes')).not.toContain(VolumeId)
    expect(await filesIn('machines')).not.toContain(sized)
  })

  it('outlives its instance when that is asked for, and the daemon, until it is deleted', async () => {
    const { VolumeId = '' } = await volumeOf(outlived)
    const mapping = { DeviceName: ROOT, Ebs: { DeleteOnTermination: false } }
    await cloud.ec2.send(
      new ModifyInstanceAttributeCommand({
        InstanceId: outlived,
        BlockDeviceMappings: [mapping],
      }),
    )
    await cloud.ec2.send(new TerminateInstancesCommand({ InstanceIds: [outlived] }))
    const waited = await cloud.aws('ec2', 'wait', 'volume-available', '--volume-ids', VolumeId)
    expect(waited).toMatchObject({ exitCode: 0, stderr: '' })
    await asks.untilState(outlived, 'terminated')
    expect(await filesIn('machines')).toEqual([])
    expect(await filesIn(`volumes/${VolumeId}`)).toEqual(
      expect.arrayContaining(['disk.qcow2', 'origin.json']),
    )
    await cloud.stop('SIGKILL')
    await cloud.start()
    await cloud.ec2.send(
      new CreateTagsCommand({ Resources: [VolumeId], Tags: [{ Key: 'Name', Value: 'kept' }] }),
    )
    expect(await volume(VolumeId)).toMatchObject({
      State: 'available',
      Attachments: [],
      Tags: [{ Key: 'Name', Value: 'kept' }],
    })
    expect(await filesIn(`volumes/${VolumeId}`)).toContain('disk.qcow2')
    await cloud.ec2.send(new DeleteVolumeCommand({ VolumeId }))
    const gone = await cloud.aws('ec2', 'wait', 'volume-deleted', '--volume-ids', VolumeId)
    expect(gone).toMatchObject({ exitCode: 0, stderr: '' })
    await eventually('it is no more listed', async () => !(await volume(VolumeId)), DEADLINE_MS)
    expect(await filesIn('volumes')).toEqual([])
  })
})
