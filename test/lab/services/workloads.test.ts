/**
 * Containers on a real engine: what others do to them, what dies under them, and images with
 * mistakes.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { DOCKER } from '../../../src/containers/declaration.ts'
import { systemClock } from '../../../src/lib/clock.ts'
import { createMetrics } from '../../../src/lib/metrics.ts'
import { containerName } from '../../../src/model/names.ts'
import type { Fact, InstanceWant } from '../../../src/model/want.ts'
import type { HostService } from '../../../src/services/service.ts'
import { createWorkloadMeters } from '../../../src/workloads/step-runner.ts'
import { createWorkloads } from '../../../src/workloads/workloads.ts'
import { passWith } from '../../../tools/kit/instance.ts'
import { silentLog } from '../../../tools/kit/log.ts'
import { eventually } from '../../../tools/kit/netns.ts'
import { tar } from '../../kit/image-contents.ts'
import { type DockerMachine, startDockerMachine } from '../../kit/workloads.ts'

const STATIC = 'docker://atoll-sample:static'
const run = promisify(execFile)

let machine: DockerMachine
let service: HostService

function newService(): HostService {
  return createWorkloads({
    declaration: DOCKER,
    driver: machine.freshDriver(),
    images: machine.images,
    wake: () => undefined,
    clock: systemClock,
    log: silentLog,
    meters: createWorkloadMeters(createMetrics()),
  })
}

beforeAll(async () => {
  machine = await startDockerMachine()
  service = newService()
})
afterAll(async () => {
  await service.close()
  await machine.close()
})

const REACH_MS = 60_000

/** Repeats passes, as the agent does, until one reports a fact of this kind about the instance. */
async function reach(want: InstanceWant, kind: Fact['kind']): Promise<Fact> {
  let found: Fact | undefined
  const look = async () => {
    const facts = await service.apply(passWith(want)).catch(() => [])
    found = facts.find((fact) => 'instance' in fact && fact.kind === kind)
    return found !== undefined
  }
  await eventually(`${want.id} is ${kind}`, look, REACH_MS)
  if (found === undefined) throw new Error('unreachable')
  return found
}

async function launch(n: number, location = STATIC, changes: Partial<InstanceWant> = {}) {
  const want = await machine.prepare(n, location, changes)
  await reach(want, 'running')
  return want
}

async function end(want: InstanceWant): Promise<void> {
  await reach({ ...want, run: 'terminate' }, 'gone')
}

const container = (want: InstanceWant) => machine.engine.docker.getContainer(containerName(want.id))

describe('interference', () => {
  test('docker kill, docker stop and SIGKILL are repaired, with the NIC', async () => {
    const want = await launch(1)
    const harms: readonly (() => Promise<unknown>)[] = [
      () => container(want).kill(),
      () => container(want).stop({ t: 0 }),
      async () => process.kill((await container(want).inspect()).State.Pid, 'SIGKILL'),
    ]
    for (const harm of harms) {
      const { State } = await container(want).inspect()
      await harm()
      await eventually('it ended', async () => !(await container(want).inspect()).State.Running)
      await reach(want, 'running')
      expect((await container(want).inspect()).State.StartedAt).not.toBe(State.StartedAt)
      await eventually('it answers', () => machine.answers(want))
    }
    await end(want)
  })

  test('docker restart gets its NIC again, and waits for it without one', async () => {
    const want = await launch(2)
    await container(want).restart({ t: 0 })
    expect(await machine.answers(want)).toBe(false)
    await service.close()
    service = newService()
    await reach(want, 'running')
    await eventually('it answers', () => machine.answers(want))
    await end(want)
  })

  test('docker rm takes its disk with it, so it is stopped and not made again', async () => {
    const want = await launch(3)
    await container(want).remove({ force: true })
    expect(await reach(want, 'stopped')).toMatchObject({ code: 'Server.InternalError' })
    await end(want)
  })

  test('whose record cannot be read runs on, and is removed when there is none', async () => {
    const want = await launch(40)
    const { State } = await container(want).inspect()
    const pass = passWith()
    const without = (ids: readonly InstanceWant['id'][], any: boolean) => {
      const local = { ...pass.want.local, unreadable: { ids, any } }
      return { ...pass, resync: true, want: { ...pass.want, local } }
    }
    for (const over of [without([want.id], false), without([], true), without([want.id], false)])
      expect(await service.apply(over)).toStrictEqual([])
    // With every step that was begun.
    await service.close()
    service = newService()
    expect((await container(want).inspect()).State).toMatchObject({
      Running: true,
      StartedAt: State.StartedAt,
    })
    await eventually('it answers', () => machine.answers(want))
    await service.apply(without([], false))
    const isGone = () =>
      container(want)
        .inspect()
        .then(
          () => false,
          () => true,
        )
    await eventually('it is gone', isGone)
  })

  test('a container that only bears our label, or only our name, is left alone', async () => {
    const { docker } = machine.engine
    const [labelled, named] = [await machine.prepare(4, STATIC), await machine.prepare(5, STATIC)]
    const Image = 'atoll-sample:static'
    const Labels = { 'atoll.instance': labelled.id }
    const others = [
      await docker.createContainer({ name: 'mine', Image, Labels }),
      await docker.createContainer({ name: containerName(named.id), Image }),
    ]
    expect(await service.apply(passWith({ ...labelled, run: 'terminate' }))).toEqual([
      { kind: 'gone', instance: labelled.id },
    ])
    for (const other of others) {
      expect((await other.inspect()).State.Status).toBe('created')
      await other.remove()
    }
  })

  test('one without a record is removed', async () => {
    const want = await launch(6)
    const gone = async () => {
      await service.apply(passWith())
      return container(want)
        .inspect()
        .then(
          () => false,
          () => true,
        )
    }
    await eventually('it is removed', gone)
  })
})

describe('crashes', () => {
  test('after a power failure and after an engine restart the instance runs again with its disk', async () => {
    const want = await launch(7)
    await machine.inside(want, 'echo kept > /kept')
    for (const harm of ['kill', 'stop'] as const) {
      await machine.engine[harm]()
      await expect(service.apply(passWith(want))).rejects.toMatchObject({ kind: 'unavailable' })
      await machine.engine.start()
      await reach(want, 'running')
      await eventually('it answers', () => machine.answers(want))
      expect(await machine.inside(want, 'cat /kept')).toContain('kept')
    }
    await end(want)
  })

  test('an init that powers off stops the instance, one that reboots does not', async () => {
    const want = await launch(8, 'docker://atoll-sample:latest')
    const { State } = await container(want).inspect()
    // The shell that asks may be killed by what it asks for.
    await machine.inside(want, 'reboot').catch(() => '')
    const again = async () => (await container(want).inspect()).State.StartedAt !== State.StartedAt
    await eventually(
      'it rebooted',
      async () => {
        await service.apply(passWith(want))
        return again()
      },
      REACH_MS,
    )
    await reach(want, 'running')
    await machine.inside(want, 'poweroff').catch(() => '')
    expect(await reach(want, 'stopped')).toMatchObject({
      code: 'Client.InstanceInitiatedShutdown',
    })
    await end(want)
  })
})

describe('first boot', () => {
  test('runs user data once and installs the key once', async () => {
    const script = '#!/bin/sh\necho ran >> /ran\n'
    const want = await launch(9, STATIC, {
      userData: Buffer.from(script).toString('base64'),
      publicKey: 'ssh-ed25519 AAAA someone',
    })
    await eventually('it ran', () =>
      machine.inside(want, 'cat /ran').then(
        () => true,
        () => false,
      ),
    )
    await reach({ ...want, bootCount: 2 }, 'running')
    expect(await machine.inside(want, 'cat /ran /root/.ssh/authorized_keys')).toBe(
      'ran\nssh-ed25519 AAAA someone\n',
    )
    await end(want)
  })

  test('that is killed before it has its NIC does so on its next start, and once', async () => {
    const script = '#!/bin/sh\necho ran >> /ran\n'
    const changes = {
      userData: Buffer.from(script).toString('base64'),
      publicKey: 'ssh-ed25519 AAAA someone',
    }
    const want = await machine.prepare(29, STATIC, changes)
    const image = await machine.settle(want.image)
    if (image.kind !== 'ready') throw new Error(`${STATIC} is ${image.kind}`)
    const refuse = () => Promise.reject(new Error('the daemon is killed here'))
    const signal = AbortSignal.timeout(60_000)
    const starting = machine.freshDriver().launch(want, image.digest, signal, refuse)
    await expect(starting).rejects.toThrow('is killed here')
    await container(want).start()
    await container(want).kill()
    for (const bootCount of [1, 2]) {
      await reach({ ...want, bootCount }, 'running')
      await eventually('it ran', async () => {
        const said = machine.inside(want, 'cat /ran /root/.ssh/authorized_keys')
        return (await said.catch(() => '')) === 'ran\nssh-ed25519 AAAA someone\n'
      })
    }
    await end(want)
  })
})

describe('images', () => {
  async function archive(name: string): Promise<string> {
    const path = join(machine.stateDir, name)
    await run(join(import.meta.dirname, '../../../scripts/make-sample-image'), ['--archive', path])
    return path
  }

  async function settle(location: string, digest: string | null = null) {
    const want = await machine.prepare(20, location)
    return machine.settle({ ...want.image, digest })
  }

  test('an archive is imported, pinned by its hash, and runs its init', async () => {
    const path = await archive('rootfs.tar.gz')
    const digest = `sha256:${createHash('sha256')
      .update(await readFile(path))
      .digest('hex')}`
    expect(await settle(`file://${path}`)).toMatchObject({ kind: 'ready', digest })
    const want = await launch(10, `file://${path}`)
    await eventually('it answers', () => machine.answers(want))
    await writeFile(path, gzipSync(tar(2048)))
    expect(await settle(`file://${path}`, digest)).toMatchObject({ kind: 'ready', digest })
    expect(await settle(`file://${path}`, `sha256:${'1'.repeat(64)}`)).toMatchObject({
      kind: 'failed',
      message: expect.stringContaining('has changed'),
    })
    await end(want)
  })

  test('what is unavailable says which, why, and what to do', async () => {
    const at = (name: string) => join(machine.stateDir, name)
    await writeFile(at('text.tar'), 'not a tar')
    await writeFile(at('bomb.tar.gz'), gzipSync(tar(65 * 1024 * 1024)))
    await writeFile(at('cut.tar.gz'), (await readFile(await archive('a.tar.gz'))).subarray(0, 9000))
    await symlink('/etc/shadow', at('link.tar'))
    const cases: readonly [string, RegExp][] = [
      [`file://${at('missing.tar')}`, /is not a published image/],
      [`file://${at('text.tar')}`, /neither a tar archive nor a gzip/],
      [`file://${at('bomb.tar.gz')}`, /unpacks to more than 67108864 bytes/],
      [`file://${at('cut.tar.gz')}`, /is damaged/],
      [`file://${at('link.tar')}`, /is not a published image/],
      ['file:///etc/x.tar', /is not a published image/],
      ['ftp://x', /neither docker:/],
      ['docker://nowhere.invalid/none:1', /not on this host and cannot be pulled/],
    ]
    for (const [location, message] of cases)
      expect(await settle(location), location).toMatchObject({
        kind: 'failed',
        message: expect.stringMatching(message),
      })
  })

  test('one whose command does not exist fails the launch, and leaves nothing once terminated', async () => {
    await machine.engine.makeImage('broken:1', { Cmd: ['/no/such'] })
    await machine.engine.makeImage('nobody:1', { User: 'no-such-user' })
    for (const [n, location, code] of [
      [11, 'docker://broken:1', 'Client.InvalidImage'],
      [12, 'docker://nobody:1', 'Client.InvalidImage'],
    ] as const) {
      const want = await machine.prepare(n, location)
      expect(await reach(want, 'failed')).toMatchObject({
        code,
        message: expect.stringContaining(location),
      })
      await end(want)
    }
  })
})
