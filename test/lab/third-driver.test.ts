/**
 * A driver that only tests have, on a whole host beside Docker's: it needs a room and a line where
 * drivers are listed. Records, plan, network and API use what it declares.
 */
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type InstanceId, parseId } from '../../src/model/ids.ts'
import { removeFiles, removeInstances } from '../../src/operator/teardown.ts'
import type { OpenDriver } from '../../src/workloads/driver.ts'
import { eventually } from '../../tools/kit/netns.ts'
import { openProcesses, PROCESS, PROCESS_TEARDOWN } from '../kit/process-driver.ts'
import { startWholeHost, type WholeHost } from '../kit/whole-host.ts'

const DEADLINE_MS = 60_000
/** From an announcement to what it announces. */
const SHORTLY_MS = 3_000
const PROGRAM = '#!/bin/sh\necho I am a program\nexec sleep infinity\n'
let whole: WholeHost
let processes: OpenDriver
let dir: string
let stateDir: string
/** The host's clock. */
let now = Date.now

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'atoll-third-'))
  await writeFile(join(dir, 'program'), PROGRAM)
  const open = async (context: Parameters<typeof openProcesses>[0]) => {
    stateDir = context.config.stateDir
    processes = openProcesses(context)
    return processes
  }
  whole = await startWholeHost({
    ...{ drivers: [open], speedup: 1 },
    clock: (clock) => ({ ...clock, now: () => now() }),
  })
})
afterAll(async () => {
  await whole?.close()
  await rm(dir, { recursive: true, force: true })
})

async function register(location: string): Promise<string> {
  const name = `image of ${location.replace(/[^a-z]/g, '').slice(-30)}`
  const answer = await whole.act('RegisterImage', { Name: name, ImageLocation: location })
  return String(answer['ImageId'])
}

async function launch(image: string): Promise<InstanceId> {
  const answer = await whole.act('RunInstances', {
    ...{ ImageId: image, InstanceType: 'at1.small', MinCount: 1, MaxCount: 1 },
  })
  const [one] = answer['Instances'] as readonly { readonly InstanceId: string }[]
  const id = parseId('i', one?.InstanceId ?? '')
  if (id === undefined) throw new Error('nothing was launched')
  return id
}

function untilState(id: InstanceId, state: string): Promise<void> {
  const is = async () => (await whole.instance(id))?.state === state
  return eventually(`${id} is ${state}`, is, DEADLINE_MS)
}

async function pings(id: InstanceId): Promise<boolean> {
  const [nic] = await whole.store.read((tx) => tx.nics({ instances: [id] }))
  const { exitCode } = await whole.netns.run(['ping', '-c1', '-W1', nic?.ip ?? ''])
  return exitCode === 0
}

test(
  'runs, answers, stops, takes another type and leaves nothing, beside a container',
  async () => {
    const image = await register(`process://${join(dir, 'program')}`)
    const [program, container] = [
      await launch(image),
      await launch(await register('docker://atoll-sample:static')),
    ]
    for (const id of [program, container]) await untilState(id, 'running')
    for (const id of [program, container])
      await eventually(`${id} answers`, () => pings(id), DEADLINE_MS)
    expect(await whole.instance(program)).toMatchObject({ driver: PROCESS.name })
    expect(await whole.instance(container)).toMatchObject({ driver: 'docker' })
    const images = await whole.store.read((tx) => tx.images({}))
    expect(images.map(({ driver, state }) => [driver, state]).toSorted()).toEqual([
      ['docker', 'available'],
      ['process', 'available'],
    ])
    const { driver } = processes
    expect(String(await driver.console(program, 1_000))).toContain('I am a program')
    // As declared: no volume, and another type when it is stopped.
    expect(await whole.act('DescribeVolumes', {})).toMatchObject({ Volumes: [] })
    for (const id of [program, container]) {
      await whole.act('StopInstances', { InstanceIds: [id] })
      await untilState(id, 'stopped')
    }
    const another = { InstanceType: { Value: 'at1.micro' } }
    await whole.act('ModifyInstanceAttribute', { InstanceId: program, ...another })
    await expect(
      whole.act('ModifyInstanceAttribute', { InstanceId: container, ...another }),
    ).rejects.toMatchObject({ name: 'UnsupportedOperation' })
    await whole.act('StartInstances', { InstanceIds: [program] })
    await untilState(program, 'running')
    await eventually(`${program} answers again`, () => pings(program), DEADLINE_MS)
    for (const id of [program, container]) {
      await whole.act('TerminateInstances', { InstanceIds: [id] })
      await untilState(id, 'terminated')
    }
    await eventually(
      'nothing is left',
      async () => (await whole.leftovers()).length === 0,
      DEADLINE_MS,
    )
    const signal = new AbortController().signal
    expect(await driver.list({ fresh: true, signal })).toEqual([])
  },
  4 * DEADLINE_MS,
)

test(
  'teardown removes what the driver declares, and leaves nothing of it',
  async () => {
    await writeFile(join(dir, 'second'), PROGRAM)
    const id = await launch(await register(`process://${join(dir, 'second')}`))
    await untilState(id, 'running')
    const config = { stateDir, runtimeDir: join(dir, 'run') }
    const removed = await removeInstances(config, [PROCESS_TEARDOWN])
    expect(removed.done).toContain(`removed program ${id}`)
    expect(await removeFiles(config, [PROCESS_TEARDOWN])).toEqual([])
    const signal = new AbortController().signal
    expect(await processes.driver.list({ fresh: true, signal })).toEqual([])
    const left = await readdir(stateDir)
    for (const name of ['processes', 'process-images']) expect(left).not.toContain(name)
    // A daemon that still runs says so.
    await untilState(id, 'stopped')
    await whole.act('TerminateInstances', { InstanceIds: [id] })
    await untilState(id, 'terminated')
  },
  4 * DEADLINE_MS,
)

test(
  'a schedule stops a program, and a time to live ends a container, both announced before',
  async () => {
    await writeFile(join(dir, 'third'), PROGRAM)
    const [program, container] = [
      await launch(await register(`process://${join(dir, 'third')}`)),
      await launch(await register('docker://atoll-sample:latest')),
    ]
    for (const id of [program, container]) await untilState(id, 'running')
    const tag = (id: InstanceId, Key: string, Value: string) =>
      whole.act('CreateTags', { Resources: [id], Tags: [{ Key, Value }] })
    const isAnnounced = (id: InstanceId, code: string) =>
      eventually(`${code} is announced`, async () => {
        const answer = await whole.act('DescribeInstanceStatus', { InstanceIds: [id] })
        return JSON.stringify(answer).includes(`"Code":"${code}"`)
      })
    // The clock stands some seconds before a full minute (schedules have no seconds) until the stop
    // is seen to be announced, however busy the machine is.
    const fullMs = Math.ceil((Date.now() + SHORTLY_MS) / 60_000) * 60_000
    now = () => fullMs - SHORTLY_MS
    const minute = new Date(fullMs).toISOString().slice(11, 16)
    await tag(program, 'atoll:schedule', `mon-sun -${minute} UTC`)
    await isAnnounced(program, 'instance-stop')
    const aheadMs = now() - Date.now()
    now = () => Date.now() + aheadMs
    await untilState(program, 'stopped')
    expect((await whole.instance(program))?.stateReason?.code).toBe('Server.ScheduledStop')
    // An engine's events have the machine's time.
    const heldMs = Date.now()
    now = () => heldMs
    await tag(container, 'atoll:ttl', new Date(heldMs + SHORTLY_MS).toISOString())
    await isAnnounced(container, 'instance-retirement')
    now = Date.now
    await untilState(container, 'terminated')
    expect((await whole.instance(container))?.stateReason?.code).toBe('Server.TimeToLiveEnded')
  },
  4 * DEADLINE_MS,
)

test('a location that no driver takes is refused', async () => {
  await expect(register('lxc:///srv/root')).rejects.toMatchObject({ name: 'InvalidParameterValue' })
})
