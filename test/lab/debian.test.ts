/**
 * A whole operating system as a virtual machine: Debian's own kernel, systemd, cloud-init and sshd,
 * unmodified, booted under emulation by the real daemon. Any cloud image reads our metadata as its
 * cloud-init does.
 */
import { chmod, copyFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CreateImageCommand,
  CreateKeyPairCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  waitUntilImageAvailable,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually, type Ran } from '../../tools/kit/netns.ts'
import { canRunMachines } from '../../tools/kit/tiny-guest.ts'
import { debianImage } from '../kit/debian-image.ts'

/** Two processors that emulate two machines. */
const BOOT_DEADLINE_MS = 600_000
const SSH = [
  '-o',
  'StrictHostKeyChecking=no',
  '-o',
  'UserKnownHostsFile=/dev/null',
  '-o',
  'BatchMode=yes',
]
const USER_DATA = `#!/bin/sh
echo "user data ran as $(id -un)" >/root/ran
`

describe.skipIf(!canRunMachines())('Debian with cloud-init', () => {
  let cloud: Cloud
  let ask: InstanceCalls
  let key: string
  let ids: string[]

  async function ssh(id: string, command: string): Promise<Ran> {
    const { PrivateIpAddress: address = '' } = await ask.look(id)
    const args = ['-i', key, ...SSH, '-o', 'ConnectTimeout=10', `debian@${address}`, command]
    return await execute('ssh', args, { timeoutMs: BOOT_DEADLINE_MS })
  }
  async function untilSsh(id: string): Promise<void> {
    await eventually(
      `${id} takes the key`,
      async () => (await ssh(id, 'true')).exitCode === 0,
      BOOT_DEADLINE_MS,
    )
  }

  beforeAll(async () => {
    const made = await debianImage()
    cloud = await createCloud('debian', 'qemu: {accel: tcg, stopSeconds: 300}\n')
    ask = instanceCalls(cloud.ec2, BOOT_DEADLINE_MS)
    const path = join(cloud.dir, 'state/images/debian.qcow2')
    await copyFile(made, path)
    const image = await ask.register('debian', `file://${path}`)
    const { KeyMaterial = '' } = await cloud.ec2.send(
      new CreateKeyPairCommand({ KeyName: 'mine', KeyType: 'ed25519' }),
    )
    key = join(cloud.dir, 'mine')
    await writeFile(key, KeyMaterial)
    await chmod(key, 0o600)
    ids = [
      ...(await ask.launch(image, {
        ...{ KeyName: 'mine', MinCount: 2, MaxCount: 2 },
        UserData: Buffer.from(USER_DATA).toString('base64'),
      })),
    ]
    for (const id of ids) await untilSsh(id)
  }, 3 * BOOT_DEADLINE_MS)
  afterAll(() => cloud?.destroy())

  it(
    'finishes without an error, having found its Ec2 data source',
    async () => {
      for (const id of ids) {
        const { stdout } = await ssh(id, 'cloud-init status --wait --long')
        expect(stdout).toContain('status: done')
        expect(stdout).toMatch(/DataSourceEc2/)
        expect((await ssh(id, 'cat /run/cloud-init/result.json')).stdout).toMatch(/"errors": \[\]/)
      }
    },
    BOOT_DEADLINE_MS,
  )

  it(
    'ran the user data, and has the name that DNS has',
    async () => {
      for (const id of ids) {
        expect((await ssh(id, 'sudo cat /root/ran')).stdout).toContain('user data ran as root')
        expect((await ssh(id, 'hostname')).stdout.trim()).toBe(id)
        const own = new RegExp(`^127\\.0\\.1\\.1 ${id}\\.\\S+ ${id}$`, 'm')
        expect((await ssh(id, 'cat /etc/hosts')).stdout).toMatch(own)
        // Past that line: what the DNS says.
        const { stdout } = await ssh(id, `getent -s dns hosts ${id}.atoll.internal`)
        expect(stdout).toContain((await ask.look(id)).PrivateIpAddress)
      }
    },
    BOOT_DEADLINE_MS,
  )

  it(
    'has a root disk of the size of its type',
    async () => {
      const [id = ''] = ids
      const { stdout } = await ssh(id, 'df --output=size -BG / | tail -1')
      expect(Number.parseInt(stdout, 10)).toBeGreaterThanOrEqual(7)
    },
    BOOT_DEADLINE_MS,
  )

  it(
    'lets a neighbour in with the same key',
    async () => {
      const [first = '', second = ''] = ids
      const copy = [
        '-i',
        key,
        ...SSH,
        key,
        `debian@${(await ask.look(first)).PrivateIpAddress}:mine`,
      ]
      expect(await execute('scp', copy, { timeoutMs: BOOT_DEADLINE_MS })).toMatchObject({
        exitCode: 0,
      })
      const hop = `ssh -i mine ${SSH.join(' ')} ${second}.atoll.internal hostname`
      expect((await ssh(first, hop)).stdout.trim()).toBe(second)
    },
    BOOT_DEADLINE_MS,
  )

  it(
    'is held still by its agent for an image, not rebooted, and the image boots with what was not yet written out',
    async () => {
      const [id = ''] = ids
      const bootOf = async () => (await ssh(id, 'cat /proc/sys/kernel/random/boot_id')).stdout
      const before = await bootOf()
      await ssh(id, 'echo written > unsynced')
      const { ImageId = '' } = await cloud.ec2.send(
        new CreateImageCommand({ InstanceId: id, Name: 'made of it' }),
      )
      await waitUntilImageAvailable(
        { client: cloud.ec2, maxWaitTime: BOOT_DEADLINE_MS / 1000 },
        { ImageIds: [ImageId] },
      )
      await untilSsh(id)
      expect(await bootOf()).toBe(before)
      const [other = ''] = await ask.launch(ImageId, { KeyName: 'mine' })
      await untilSsh(other)
      expect((await ssh(other, 'cat unsynced')).stdout).toContain('written')
      expect((await ssh(other, 'hostname')).stdout.trim()).toBe(other)
      // Nothing of the freeze is left behind.
      expect((await ssh(id, 'echo more > unsynced && sync && cat unsynced')).stdout).toContain(
        'more',
      )
      await ask.terminate(other)
    },
    3 * BOOT_DEADLINE_MS,
  )

  it(
    'keeps disk, keys and address over a reboot, and over stop and start',
    async () => {
      const [id = ''] = ids
      const { PrivateIpAddress: address } = await ask.look(id)
      const bootOf = async () =>
        (await ssh(id, 'cat /proc/sys/kernel/random/boot_id')).stdout.trim()
      const boots = new Set([await bootOf()])
      await ssh(id, 'echo kept > kept; sync')
      const changes = [
        async () => void (await cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))),
        async () => {
          await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
          await ask.untilState(id, 'stopped')
          await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
        },
      ]
      for (const change of changes) {
        await change()
        const isRestarted = async () => {
          const boot = await bootOf()
          return boot !== '' && !boots.has(boot)
        }
        await eventually('it was booted again', isRestarted, BOOT_DEADLINE_MS)
        boots.add(await bootOf())
        expect((await ssh(id, 'cat kept')).stdout).toContain('kept')
        expect((await ask.look(id)).PrivateIpAddress).toBe(address)
      }
    },
    3 * BOOT_DEADLINE_MS,
  )
})
