/**
 * Faults that operators found with containers, one test for each: a daemon, its Docker Engine and
 * real clients, as on a host. Each test failed before its fault was repaired.
 */
import { once } from 'node:events'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import {
  CreateImageCommand,
  DeregisterImageCommand,
  DescribeImagesCommand,
  RebootInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { directoriesOf, volumesOf } from '../../src/containers/directories.ts'
import { type Cloud, createCloud, execute } from '../../tools/kit/cloud.ts'
import { canRunDocker } from '../../tools/kit/docker.ts'
import { type InstanceCalls, instanceCalls } from '../../tools/kit/instance-calls.ts'
import { eventually } from '../../tools/kit/netns.ts'

const DEADLINE_MS = 60_000
const TEST_MS = 4 * DEADLINE_MS

describe.skipIf(!canRunDocker())('a container', { timeout: TEST_MS }, () => {
  let cloud: Cloud
  let ask: InstanceCalls

  /** An instance of an image that is made with this configuration of the engine's. */
  async function up(name: string, config: object, userData?: string): Promise<string> {
    await cloud.docker.makeImage(`${name}:1`, config)
    const image = await ask.register(name, `docker://${name}:1`)
    const more =
      userData === undefined ? {} : { UserData: Buffer.from(userData).toString('base64') }
    const [id = ''] = await ask.launch(image, more)
    await ask.untilState(id, 'running')
    await ask.untilItAnswers(id)
    return id
  }

  async function inside(id: string, command: string): Promise<string> {
    return (await cloud.inside(id, ['sh', '-c', command])).stdout
  }

  beforeAll(async () => {
    cloud = await createCloud('operators')
    ask = instanceCalls(cloud.ec2, DEADLINE_MS)
  }, TEST_MS)
  afterAll(() => cloud?.destroy())

  it('whose program is no init has its orphans reaped, and ends with SIGTERM', async () => {
    const id = await up('plain', { Cmd: ['sleep', '1000000'] }, '#!/bin/sh\necho ran >/ran\n')
    const states = () => inside(id, 'cat /ran; cat /proc/[0-9]*/stat')
    await eventually('user data ran', async () => (await states()).includes('ran'), DEADLINE_MS)
    const isReaped = async () => !/\) Z /.test(await states())
    await eventually('nothing of it is left', isReaped, DEADLINE_MS)
    const container = cloud.docker.docker.getContainer(`atoll-${id}`)
    const { StartedAt } = (await container.inspect()).State
    await cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] }))
    const isRestarted = async () => (await container.inspect()).State.StartedAt !== StartedAt
    await eventually('it was restarted', isRestarted, DEADLINE_MS)
    await ask.untilItAnswers(id)
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    // Not 137: it was not killed at the end of docker.stopSeconds.
    expect((await container.inspect()).State.ExitCode).toBe(128 + 15)
    await ask.terminate(id)
  })

  it('whose program is an init has it as its first process', async () => {
    const image = await ask.register('sample', 'docker://atoll-sample:latest')
    const [id = ''] = await ask.launch(image)
    await ask.untilState(id, 'running')
    await ask.untilItAnswers(id)
    expect(await inside(id, 'cat /proc/1/cmdline')).toMatch(/^(?:\/sbin\/)?init\0/)
    await ask.terminate(id)
  })

  it('knows its own names while no daemon runs, over a stop and a start', async () => {
    const id = await up('named', { Cmd: ['sleep', '1000000'] })
    const { PrivateDnsName, PrivateIpAddress } = await ask.look(id)
    const knows = async () => {
      await cloud.stop('SIGKILL')
      expect((await inside(id, 'hostname -f')).trim()).toBe(PrivateDnsName)
      const answers = await inside(id, 'ping -c 1 -W 1 "$(hostname)"')
      expect(answers).toContain(`(${PrivateIpAddress})`)
      await cloud.start()
    }
    await knows()
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    await cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'running')
    await ask.untilItAnswers(id)
    await knows()
    await ask.terminate(id)
  })

  /** Waits until the instance is stopped because of the loss of its disk. */
  async function untilLost(id: string): Promise<void> {
    const isTold = async () => {
      const { State, StateReason } = await ask.look(id)
      return State?.Name === 'stopped' && StateReason?.Code === 'Server.InternalError'
    }
    await eventually(`${id} is stopped for want of its disk`, isTold, DEADLINE_MS)
    expect((await ask.look(id)).StateReason?.Message).toMatch(/root disk is lost/)
  }

  it('whose disk somebody removed does not come up empty', async () => {
    const id = await up('lost', { Cmd: ['sleep', '1000000'] })
    const container = cloud.docker.docker.getContainer(`atoll-${id}`)
    const again = () => cloud.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }))
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    const upper = directoriesOf(await container.inspect()).upper ?? ''
    await rename(upper, `${upper}.away`)
    await again()
    await untilLost(id)
    // Who finds it again has it again.
    await rename(`${upper}.away`, upper)
    await again()
    await ask.untilItAnswers(id)
    await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
    await ask.untilState(id, 'stopped')
    await cloud.docker.docker.pruneContainers()
    await again()
    await untilLost(id)
    await cloud.stop('SIGKILL')
    // With every trace of it on this host.
    await rm(join(cloud.dir, 'state/instances', id), { recursive: true })
    await cloud.start()
    await again()
    await untilLost(id)
    await ask.terminate(id)
  })

  it('that is removed while it runs is stopped, and cannot be rebooted', async () => {
    const id = await up('removed', { Cmd: ['sleep', '1000000'] })
    await cloud.docker.docker.getContainer(`atoll-${id}`).remove({ force: true, v: true })
    await untilLost(id)
    await expect(
      cloud.ec2.send(new RebootInstancesCommand({ InstanceIds: [id] })),
    ).rejects.toMatchObject({ name: 'IncorrectInstanceState' })
    await ask.terminate(id)
  })

  /** More events than the engine remembers. */
  async function forgetEvents(): Promise<void> {
    const image = cloud.docker.docker.getImage('atoll-sample:static')
    for (let count = 0; count < 330; count += 1) await image.tag({ repo: 'busy', tag: 'latest' })
  }

  it('that exited while no daemon ran is stopped, even if the engine has forgotten it', async () => {
    const command = 'until [ -e /end ]; do sleep 0.1; done; rm /end; exit 3'
    const id = await up('itself', { Cmd: ['sh', '-c', command] })
    const graceful = await up('graceful', {
      Cmd: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.1; done'],
    })
    await cloud.stop('SIGTERM')
    await inside(id, '(sleep 1; touch /end) >/dev/null 2>&1 &')
    const container = cloud.docker.docker.getContainer(`atoll-${id}`)
    const isOver = async () => !(await container.inspect()).State.Running
    await eventually('it ended', isOver, DEADLINE_MS)
    await forgetEvents()
    await cloud.start()
    await ask.untilState(id, 'stopped')
    expect((await ask.look(id)).StateReason?.Code).toBe('Client.InstanceInitiatedShutdown')
    await ask.terminate(id)
    // What the engine takes down with it, whatever it says of it, comes back.
    await cloud.stop('SIGTERM')
    await cloud.docker.stop()
    await cloud.docker.start()
    await forgetEvents()
    await cloud.start()
    await ask.untilState(graceful, 'running')
    await ask.untilItAnswers(graceful)
    await ask.terminate(graceful)
  })

  /** What there is below a directory: kinds, rights, owners, names, links, sizes and sums. */
  const LISTED = [
    'cd /var/lib/data && find . -exec stat -c "%A %u:%g %h %s %n" {} + | sort -k 6',
    'find . -type f -exec md5sum {} + | sort; readlink link; stat -c "%a %u:%g" / /var /var/lib',
  ].join('; ')

  async function imageOf(id: string, noReboot: boolean): Promise<string> {
    const order = { InstanceId: id, Name: `of-${id}-${noReboot}`, NoReboot: noReboot }
    const { ImageId = '' } = await cloud.ec2.send(new CreateImageCommand(order))
    const isMade = async () => {
      const asked = new DescribeImagesCommand({ ImageIds: [ImageId] })
      const image = (await cloud.ec2.send(asked)).Images?.[0]
      if (image?.State === 'failed') throw new Error(image.StateReason?.Message)
      return image?.State === 'available'
    }
    await eventually(`${ImageId} is made`, isMade, DEADLINE_MS)
    return ImageId
  }

  it('has all that is in its volumes in an image that is made of it', async () => {
    const id = await up('volumes', {
      Cmd: ['sleep', '1000000'],
      Volumes: { '/var/lib/data': {}, '/srv': {}, '/var/lib/data/inner & |x': {} },
    })
    await inside(
      id,
      [
        'cd /var/lib/data; mkdir private; chmod 700 private; echo secret >private/.hidden',
        'echo row >table; chown 1234:5678 table; chmod 4640 table; ln table again; ln -s ./table link',
        'truncate -s 40000000 holes; echo end >>holes; mkfifo pipe; echo x >"name with  blanks"',
        'echo nested >"inner & |x/file"; chown -R 7:8 "inner & |x"; chmod 711 /var/lib',
        'rm /srv/index.html; echo other >/srv/other; echo root >/kept',
      ].join('; '),
    )
    const container = cloud.docker.docker.getContainer(`atoll-${id}`)
    const volumes = volumesOf(directoriesOf(await container.inspect()))
    const data = volumes.find(({ destination }) => destination === '/var/lib/data')?.source ?? ''
    const mark = 'import os, sys; os.setxattr(sys.argv[1], "user.origin", b"here")'
    await execute('python3', ['-c', mark, join(data, 'table')])
    const listed = await inside(id, LISTED)
    for (const state of ['running', 'held still', 'stopped']) {
      if (state === 'stopped') {
        await cloud.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }))
        await ask.untilState(id, 'stopped')
      }
      const image = await imageOf(id, state === 'running')
      expect((await container.inspect()).State.Paused).toBe(false)
      const [copy = ''] = await ask.launch(image)
      await ask.untilState(copy, 'running')
      await ask.untilItAnswers(copy)
      expect(await inside(copy, LISTED)).toBe(listed)
      expect(await inside(copy, 'cat "/var/lib/data/inner & |x/file" /kept')).toBe('nested\nroot\n')
      expect((await inside(copy, 'ls /srv')).trim()).toBe('other')
      const made = cloud.docker.docker.getContainer(`atoll-${copy}`)
      const { Pid } = (await made.inspect()).State
      const table = `/proc/${Pid}/root/var/lib/data/table`
      const read = 'import os, sys; print(os.getxattr(sys.argv[1], "user.origin"))'
      expect((await execute('python3', ['-c', read, table])).stdout).toBe("b'here'\n")
      // Its data is on its own root disk now, and in the next image, too.
      expect(volumesOf(directoriesOf(await made.inspect()))).toEqual([])
      await ask.terminate(copy)
      await cloud.ec2.send(new DeregisterImageCommand({ ImageId: image }))
      // The name is free for the next one.
    }
    await ask.terminate(id)
    expect(await readdir(join(cloud.dir, 'state/layers'))).toEqual([])
  })

  it('is not left paused by a daemon that is killed while it makes an image', async () => {
    const id = await up('paused', { Cmd: ['sleep', '1000000'], Volumes: { '/data': {} } })
    await inside(id, 'dd if=/dev/urandom of=/data/random bs=1M count=25')
    const container = cloud.docker.docker.getContainer(`atoll-${id}`)
    const order = { InstanceId: id, Name: 'interrupted' }
    // It is held still for a moment only: who asks again and again may miss that.
    const filters = { event: ['pause'], container: [`atoll-${id}`] }
    const events = await cloud.docker.docker.getEvents({ filters })
    const paused = once(events, 'data', { signal: AbortSignal.timeout(DEADLINE_MS) })
    const { ImageId = '' } = await cloud.ec2.send(new CreateImageCommand(order))
    await paused
    await cloud.stop('SIGKILL')
    ;(events as Readable).destroy()
    const isPaused = async () => (await container.inspect()).State.Paused
    expect(await isPaused()).toBe(true)
    await cloud.start()
    const asked = new DescribeImagesCommand({ ImageIds: [ImageId] })
    const isMade = async () => (await cloud.ec2.send(asked)).Images?.[0]?.State === 'available'
    await eventually('the image is made', isMade, DEADLINE_MS)
    expect(await isPaused()).toBe(false)
    await ask.untilItAnswers(id)
    await ask.terminate(id)
  })
})
